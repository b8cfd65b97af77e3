"""report.md: the job summary of a CI run. Same order as the page, details folded away, no charts.

Everything that came from outside is escaped, so that a label called ``<img …>`` or ``a|b`` stays a word.
"""

import re

from . import changes, comparison_view, details, figures, grades, quantization, scenarios, scores, tables, view
from .comparison import Comparison
from .model import Report, Student
from .text import clean, one_line

_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~!$@])")
_LIST = re.compile(r"^(\s*)([-+]|\d+[.)])(?=\s)")
ROWS_SHOWN = 60  # a table longer than this belongs in report.html


def render(report: Report) -> str:
    """GitHub-flavoured Markdown; some 20 kB for two students."""
    parts = [*_verdict(report), *_headlines(report)]
    parts += ["## Gates", table(tables.gates(report)), *_findings(report)]
    parts += _compared(report)
    parts += ["## All variants", table(tables.variants(report)), *_metrics(report), *_baselines(report)]
    parts += ["## Distilled against control", *(p for s in report.students for p in _distillation(report, s))]
    parts += ["## Quantization", *_quantization(report)]
    parts += [folded("Latency at every measured point", table(details.latency_grid(report)))]
    if scenarios.measured(report):
        parts += [folded("Steps, cold start, memory and pace", table(scenarios.table(report)))]
    parts += ["## Parity and leaks", table(details.probes(report))]
    parts += _drift(report)
    parts += [folded("Every parity comparison", table(details.parity(report)))]
    parts += [folded("What fills each file", _files(report))]
    parts += ["## Bundles", table(quantization.bundles(report)), *_commands(report)]
    parts += ["## Data", _data(report), table(details.splits(report.data))]
    parts += [folded("Labels", table(details.labels(report)))]
    parts += ["## Providers and environment", table(details.providers(report)), _facts(report)]
    parts += [folded("Machine, libraries, noise", _environment(report))]
    parts += [folded(f"Lineage of {len(report.lineage)} artifacts", table(details.lineage(report)))]
    parts += [folded("Configuration", fenced(report.config_yaml, "yaml"))]
    parts.append(f"seqpress {escape(report.seqpress_version)} · report schema {report.schema_version}")
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    """One line in which no character is markup.

    >>> escape("a|b <b> *c*")
    'a\\\\|b \\\\<b\\\\> \\\\*c\\\\*'
    """
    line = _MARKUP.sub(r"\\\1", one_line(text)).replace("&", "&amp;").replace("://", ":\\//")
    return _LIST.sub(r"\1\\\2", line)


def fenced(text: str, language: str) -> str:
    """A code block whose fence is longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{clean(text).rstrip()}\n{fence}"


def table(data: tables.Table) -> str:
    """A pipe table; the second line of a cell follows the first after a line break."""
    if not data.rows:
        return f"_{escape(data.caption)}: {escape(data.empty)}._"
    shown = data.rows[:ROWS_SHOWN]
    head = [escape(f"{column.title}, {column.note}" if column.note else column.title) for column in data.columns]
    rule = ["---:" if column.numeric else ":---" for column in data.columns]
    body = [[_cell(cell, strong=row.strong and i < 2) for i, cell in enumerate(row.cells)] for row in shown]
    lines = ["| " + " | ".join(line) + " |" for line in (head, rule, *body)]
    if len(data.rows) > len(shown):
        lines.append(f"\n_{len(data.rows) - len(shown)} more rows in report.html._")
    return "\n".join(lines)


def _cell(cell: tables.Cell, *, strong: bool) -> str:
    text = escape(cell.text)
    if strong and text:
        text = f"**{text}**"
    elif cell.tone == "missing" and text:
        text = f"_{text}_"
    return f"{text}<br>{escape(cell.note)}" if cell.note else text


def folded(summary: str, body: str) -> str:
    """A body that GitHub and GitLab show when asked."""
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"


def _verdict(report: Report) -> list[str]:
    mark = tables.STATUS_MARK[report.status]
    parts = [
        f"# {mark} {report.status}: {escape(report.name)}",
        f"**{escape(report.sentence)}**",
        f"{view.gate_count(report)}; exit code {report.exit_code}; run {report.run.number}, seed {report.seed}.",
    ]
    failed = [
        f"- ✗ **{escape(gate.name)}** of {escape(gate.subject)}: {escape(gate.actual) or figures.NOT_MEASURED}"
        f"{' ' + escape(gate.interval) if gate.interval else ''}, limit {escape(gate.limit)}"
        for gate in view.failing(report)
    ]
    return [*parts, "\n".join(failed)] if failed else parts


def _headlines(report: Report) -> list[str]:
    lines = ["| Student | Headline | Artifact | Accuracy |", "| :--- | :--- | ---: | :--- |"]
    lines[0] = lines[0].replace("Accuracy", escape(scores.heading(view.metric(report))))
    for student in report.students:
        variant = view.shipped(student)
        size = figures.exact_size(variant.footprint.size_bytes) if variant else "no artifact"
        recipe = f"<br>{escape(view.recipe(variant))}" if variant else ""
        quality = escape(view.quality_text(variant.quality)) if variant else figures.NOT_MEASURED
        lines.append(f"| **{escape(student.name)}** | **{escape(student.headline)}** | {size}{recipe} | {quality} |")
    architecture, size = view.about_teacher(report)
    quality = view.quality_text(view.teacher_quality(report))
    lines.append(f"| teacher | {escape(architecture)} | {escape(size)} | {escape(quality)} |")
    return ["\n".join(lines)]


def _findings(report: Report) -> list[str]:
    if not report.findings:
        return []
    words = {"warning": "⚠ warning", "info": "note"}
    return ["\n".join(f"- {words[one.severity]}, {escape(one.subject)}: {escape(one.text)}" for one in report.findings)]


def compared(comparison: Comparison, sides: tuple[str, str]) -> list[str]:
    """One artifact beside its counterpart: the table, the control, what was compared."""
    parts = [table(changes.rows(comparison, sides))]
    parts += [f"{escape(comparison.reason)}."] if comparison.reason else []
    parts += [escape(told)] if (told := comparison_view.evidence(comparison)) else []
    return [*parts, "\n".join(f"- {name}: {escape(of)}" for name, of in comparison_view.sides(comparison))]


def _compared(report: Report) -> list[str]:
    """Nothing where no baseline was asked for."""
    if report.previous is None:
        return []
    parts = ["## Compared with the last release", escape(view.previous(report.previous))]
    for one in report.comparisons:
        parts += [f"**{escape(one.sentence)}**", *compared(one, comparison_view.RELEASES)]
    return parts


def _baselines(report: Report) -> list[str]:
    return [f"Baseline {escape(one.name)}: {escape(view.baseline_text(report, one))}." for one in report.baselines]


def _metrics(report: Report) -> list[str]:
    """Nothing where there is the task's own metric alone."""
    return [f"{escape(data.caption)}.", table(data)] if (data := grades.metrics(report)).rows else []


def _distillation(report: Report, student: Student) -> list[str]:
    made, metric = student.distillation, view.metric(report)
    quantized = "".join(
        f"; {escape(name)} {scores.value(made.quantized_means[name], metric)}" for name in sorted(made.quantized_means)
    )
    return [
        f"**{escape(student.name)}: {made.verdict}.** {escape(made.sentence)}",
        f"Mean of the seeds: distilled {view.mean_text(made.distilled_mean, made.distilled_spread, metric)}; "
        f"control {view.mean_text(made.control_mean, made.control_spread, metric)}{quantized}. "
        f"Losses: {escape(' + '.join(made.losses)) or 'none recorded'}.",
        folded("Seeds", table(details.seeds(report, student))),
    ]


def _quantization(report: Report) -> list[str]:
    parts = [table(quantization.recipes(report))]
    for student in report.students:
        if student.candidates:
            parts += [f"What auto tried on {escape(student.name)}:", table(quantization.candidates(report, student))]
    return [*parts, folded("Left in float32, over 1 kB", table(quantization.left_in_float(report)))]


def _drift(report: Report) -> list[str]:
    data = quantization.drift(report)
    return [f"{escape(data.caption)}.", table(data)] if data.rows else []


def _commands(report: Report) -> list[str]:
    found = quantization.commands(report)
    return [fenced(found, "sh")] if found else []


def _files(report: Report) -> str:
    parts = [table(details.contents(report))]
    for variant in view.variants(report):
        parts.append(f"**{escape(variant.id)}**, operators: {escape(details.operators(variant))}")
        parts.append(table(details.tensors(variant)))
    return "\n\n".join(parts)


def _data(report: Report) -> str:
    data = report.data
    content = f"content `{re.sub('[^0-9A-Za-z]', '', data.digest)[:16]}`" if data.digest else "content unknown"
    return f"{escape(data.source)}: {data.channels} channels, {len(data.labels)} labels, {content}."


def _facts(report: Report) -> str:
    return "\n".join(f"- {name}: {escape(value)}" for name, value in details.run_facts(report))


def _environment(report: Report) -> str:
    found = report.environment
    parts = (("Machine", found.machine), ("Libraries", found.libraries), ("Noise during the benchmark", found.noise))
    return "\n\n".join(table(details.facts(caption, pairs)) for caption, pairs in parts)
