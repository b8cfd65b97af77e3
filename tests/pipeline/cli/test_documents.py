"""docs/ says what the code does; after a wanted change: ``python -m seqpress.pipeline.cli.documents docs``."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from seqpress.pipeline.cli.app import build
from seqpress.pipeline.cli.codes import CODES
from seqpress.pipeline.cli.documents import PAGES, write

ROOT = Path(__file__).parents[3]
ROOMS = ("pipeline", "benchmarks", "exporters", "models")


@pytest.mark.parametrize("page", PAGES)
def test_pages_are_up_to_date(page: str, tmp_path: Path) -> None:
    write(tmp_path)
    assert (ROOT / "docs" / page).read_text(encoding="utf-8") == (tmp_path / page).read_text(encoding="utf-8")


def commands(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield name, command
    for child, inner in getattr(command, "commands", {}).items():
        yield from commands(f"{name} {child}", inner)


def test_every_command_and_option_is_documented() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    for name, command in commands("compress", typer.main.get_command(build())):
        section = page if name == "compress" else page.partition(f"## `{name}`\n")[2].partition("\n## ")[0]
        assert section, f"{name} is not in docs/cli.md"
        assert command.help, f"{name} has no help"
        for parameter in command.params:
            for option in parameter.opts if parameter.param_type_name == "option" else [parameter.metavar]:
                assert option in section, f"{name} {option} is not in docs/cli.md"
                assert parameter.help, f"{name} {option} has no help"


def fault_codes() -> dict[str, str]:
    """Every literal code of a fault, with the file that raises it."""
    found = {}
    for path in sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                prefix = {"Fault": "", "reject": "", "fault": "data."}.get(name)
                given = node.args[:1] + [word.value for word in node.keywords if word.arg == "code"]
                codes = [code.value for code in given if isinstance(code, ast.Constant)]
                found.update({f"{prefix}{code}": str(path) for code in codes if prefix is not None})
            if isinstance(node, ast.Constant) and re.fullmatch(r"config\.[a-z-]+", str(node.value)):
                found.setdefault(str(node.value), str(path))
    return found


def test_every_fault_code_is_documented() -> None:
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    assert len(fault_codes()) > 60
    missing = {code: file for code, file in fault_codes().items() if f"| `{code}` |" not in page}
    assert not missing, "add them to pipeline/cli/codes_config.py or codes_run.py"


def test_no_documented_code_is_made_up() -> None:
    made_from_a_status = {code for code in CODES if code.startswith("gate.")}
    assert set(CODES) - made_from_a_status <= set(fault_codes())


def test_codes_have_a_meaning_and_a_remedy() -> None:
    for name, code in CODES.items():
        assert code.meaning.endswith(".") and code.remedy.endswith("."), name  # noqa: PT018
        assert "|" not in code.meaning + code.remedy
