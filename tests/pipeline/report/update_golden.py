"""Write the golden files and the published schema anew, then read the diff.

python tests/pipeline/report/update_golden.py
"""

import sys
from pathlib import Path

from seqpress.pipeline.report import (
    as_json,
    comparison_junit,
    comparison_markdown,
    comparison_terminal,
    junit,
    markdown,
    metrics,
    summary,
    terminal,
)

ROOT = Path(__file__).parents[3]
RENDERERS = {
    "report.md": markdown.render,
    "junit.xml": junit.render,
    "card.txt": terminal.render,
    "summary.md": summary.render,
    "metrics.txt": metrics.render,
}
COMPARED = {
    "comparison.md": comparison_markdown.render,
    "comparison.xml": comparison_junit.render,
    "card.txt": comparison_terminal.render,
}


def main() -> None:
    sys.path.append(str(ROOT / "tests" / "support"))
    import conftest  # beside this file; found only when this one is run as a script

    kinds = {"full": conftest.build, "bare": conftest.build_bare, "forecast": conftest.build_forecast}
    for kind, build in kinds.items():
        report = build()
        folder = ROOT / "tests" / "golden" / "report" / kind
        folder.mkdir(parents=True, exist_ok=True)
        for name, render in RENDERERS.items():
            (folder / name).write_text(render(report), encoding="utf-8")
    folder = ROOT / "tests" / "golden" / "report" / "compared"
    folder.mkdir(parents=True, exist_ok=True)
    for name, render in COMPARED.items():
        (folder / name).write_text(render(conftest.comparison_report()), encoding="utf-8")
    (ROOT / "docs" / "comparison.schema.json").write_text(as_json.comparison_schema(), encoding="utf-8")
    (ROOT / "docs" / "report.schema.json").write_text(as_json.schema(), encoding="utf-8")


if __name__ == "__main__":
    main()
