"""Write the golden files and the published schema anew, then read the diff.

python tests/pipeline/report/update_golden.py
"""

import sys
from pathlib import Path

from seqpress.pipeline.report import as_json, junit, markdown, terminal

ROOT = Path(__file__).parents[3]
RENDERERS = {"report.md": markdown.render, "junit.xml": junit.render, "card.txt": terminal.render}


def main() -> None:
    sys.path.append(str(ROOT / "tests" / "support"))
    import conftest  # beside this file; found only when this one is run as a script

    for kind, report in (("full", conftest.build()), ("bare", conftest.build_bare())):
        folder = ROOT / "tests" / "golden" / "report" / kind
        folder.mkdir(parents=True, exist_ok=True)
        for name, render in RENDERERS.items():
            (folder / name).write_text(render(report), encoding="utf-8")
    (ROOT / "docs" / "report.schema.json").write_text(as_json.schema(), encoding="utf-8")


if __name__ == "__main__":
    main()
