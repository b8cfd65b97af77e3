"""docs/data.md is held to the code: its programs run, its YAML loads, its codes are the codes."""

import re
import runpy
from pathlib import Path

import pytest
import yaml
from seqpress.pipeline.data import load_source

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
PROGRAMS = dict(re.findall(r"```python\n# (\S+\.py)\n(.*?)```", TEXT, re.DOTALL))
SECTIONS = [yaml.safe_load(block)["data"] for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, code in PROGRAMS.items():
        (tmp_path / name).write_text(code)
    (tmp_path / "recordings.csv").write_text("")
    monkeypatch.chdir(tmp_path)
    runpy.run_path("write_speech.py")
    return tmp_path


@pytest.mark.parametrize("section", SECTIONS, ids=[section["source"] for section in SECTIONS])
def test_the_examples_load(section: dict, folder: Path) -> None:
    if section["source"] == "sktime":
        pytest.importorskip("sktime")
    dataset = load_source(section, folder, 7)
    assert len(dataset.train) > len(dataset.test) > 0 or section["source"] == "sktime"


def test_every_code_is_documented_and_every_documented_code_exists() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "pipeline" / "data").rglob("*.py"))
    raised = set(re.findall(r'"(data\.[a-z-]+)", ', code))
    raised |= {f"data.{name}" for name in re.findall(r'\.fault\(\s*"([a-z-]+)"', code)}
    raised |= {f"data.{name}" for name in re.findall(r'return "(file|dtype)", "must', code)}
    options = {"data.path", "data.name", "data.entry", "data.source", "data.test", "data.validation", "data.arguments"}
    documented = set(re.findall(r"`(data\.[a-z-]+)`", TEXT)) - (options - {"data.arguments"})
    assert raised - options | {"data.arguments"} == documented | {"data.stored"}
