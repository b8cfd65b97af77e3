"""comparison.md: the same table for a pull request or a job summary."""

from . import comparison_view as view, details
from .comparison import ComparisonReport
from .markdown import compared, escape, folded, table


def render(report: ComparisonReport) -> str:
    """GitHub-flavoured Markdown, a few kB an artifact."""
    parts = [
        f"# {view.MARK[report.verdict]} {report.verdict}: {escape(report.new)} against {escape(report.old)}",
        f"**{escape(report.sentence)}**",
        f"{view.count(report)}; exit code {report.exit_code}.",
    ]
    for comparison in report.comparisons:
        parts += [f"## {escape(view.heading(comparison))}: {comparison.verdict}", *compared(comparison, view.SIDES)]
    if report.unpaired:
        parts += ["## Without a counterpart", "\n".join(f"- {escape(one)}" for one in report.unpaired)]
    facts = (("Machine", report.machine), ("Noise while timing", report.noise))
    parts.append(folded("Machine and noise", "\n\n".join(table(details.facts(name, of)) for name, of in facts)))
    parts.append(f"seqpress {escape(report.seqpress_version)} · comparison schema {report.schema_version}")
    return "\n\n".join(parts) + "\n"
