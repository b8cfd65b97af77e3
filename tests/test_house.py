"""The house: its rooms are the packages that are installed, stay small, say what they are for, and open at once."""

import ast
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from command import compress
from seqpress.pipeline.cli.app import execute

ROOT = Path(__file__).parents[1]
ROOMS = ("models", "exporters", "benchmarks", "pipeline")
MOST_LINES, MOST_LINES_OF_A_FUNCTION = 400, 60
HEAVY = {"torch", "pandas", "sklearn", "sktime", "scipy", "lightning_fabric", "onnxscript"}
FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def packages() -> list[str]:
    """Folders of the rooms that Python would import, by their installed names."""
    folders = [path.parent for path in FILES if path.name == "__init__.py"]
    return ["seqpress", *sorted("seqpress." + relative(folder).replace("/", ".") for folder in folders)]


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(parsed(path)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def size(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the body; what the docstring tells does not count."""
    first = function.body[1:2] if ast.get_docstring(function) else function.body[:1]
    return (function.end_lineno or 0) - first[0].lineno + 1 if first else 0


def test_the_packages_listed_are_the_folders():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    listed = settings["tool"]["setuptools"]["packages"]
    assert listed == packages()
    assert len(listed) > 10


def test_every_module_lies_in_a_package():
    """Studies are scripts that are run by name, templates are files that go into a bundle: never imported."""
    loose = [path for path in FILES if not (path.parent / "__init__.py").exists()]
    assert {relative(path.parent) for path in loose} <= {"benchmarks/studies", "exporters/bundle/templates"}


def test_the_root_holds_no_other_module():
    assert sorted(path.name for path in ROOT.glob("*.py")) == ["__init__.py", "__main__.py"]


@pytest.mark.parametrize("name", packages())
def test_every_room_says_what_it_is_for(name):
    text = import_module(name).__doc__
    assert text, f"{name} has no docstring"
    assert text.strip().splitlines()[0].endswith((".", "?", "!", ":")) or len(text) > 40


def test_files_stay_small():
    lines = {relative(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert len(lines) > 100
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


def test_functions_fit_on_a_screen():
    sizes = {f"{relative(path)}:{each.name}": size(each) for path in FILES for each in functions(path)}
    assert len(sizes) > 500
    assert {name: lines for name, lines in sizes.items() if lines > MOST_LINES_OF_A_FUNCTION} == {}


def test_every_module_opens_with_what_is_peculiar_about_it():
    modules = [path for path in FILES if path.name != "__init__.py"]
    assert [relative(path) for path in modules if not ast.get_docstring(parsed(path))] == []


def test_the_pipeline_that_is_shown_passes_its_check(capsys):
    """Those of the examples are checked beside their data: tests/examples."""
    assert execute(["check", str(ROOT / "pipeline.yaml")]) == 0, capsys.readouterr().err


# -- light -----------------------------------------------------------------------------------------------


def imported(*arguments: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after ``arguments``."""
    script = "import json, sys\n" + "\n".join(arguments) + "\nprint(json.dumps(sorted(sys.modules)))"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, text=True, capture_output=True, cwd=ROOT.parent, timeout=60, check=True)
    return {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


def test_the_probe_sees_what_it_looks_for():
    assert HEAVY & imported("import seqpress.models.gru") == {"torch"}


@pytest.mark.parametrize(
    "room", ["benchmarks", "pipeline.config", "pipeline.engine", "pipeline.report", "pipeline.cli"]
)
def test_rooms_that_a_device_needs_are_light(room):
    folder = ROOT / room.replace(".", "/")
    names = [f"seqpress.{room}.{path.stem}" for path in folder.glob("*.py") if path.stem != "__init__"]
    loaded = imported(*(f"import {name}" for name in names))
    assert not HEAVY & loaded
    assert "seqpress" in loaded


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["run", "--help"], ["check"], ["plan"], ["plan", "--set", "seed=5"], ["run"]],
    ids=" ".join,
)
def test_commands_that_compute_nothing_are_light(arguments, tiny):
    answer = compress(*arguments, folder=tiny.folder, store=tiny.store, python=["-X", "importtime"])
    assert answer.code == 0, answer.err[-2000:]
    loaded = {line.split("|")[-1].strip() for line in answer.err.splitlines() if line.startswith("import time:")}
    assert "typer" in loaded
    assert not HEAVY & {name.partition(".")[0] for name in loaded}
