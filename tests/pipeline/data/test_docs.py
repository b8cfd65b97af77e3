"""docs/data.md is held to the code: its programs run, its YAML loads, its codes are the codes."""

import re
import runpy
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter
from seqpress.pipeline.config.data import DataSource
from seqpress.pipeline.data import load_source

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
PROGRAMS = dict(re.findall(r"```python\n# (\S+\.py)\n(.*?)```", TEXT, re.DOTALL))
BLOCKS = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)]
SECTIONS = [block["data"] for block in BLOCKS if "data" in block]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, code in PROGRAMS.items():
        (tmp_path / name).write_text(code)
    (tmp_path / "recordings.csv").write_text("")
    monkeypatch.chdir(tmp_path)
    for name in PROGRAMS:
        if name.startswith("write_"):
            runpy.run_path(name)
    return tmp_path


def filled(section: dict) -> dict:
    """With the defaults, as the configuration hands it on."""
    return TypeAdapter(DataSource).validate_python(section, strict=False).model_dump(mode="json")


@pytest.mark.parametrize(
    "section", SECTIONS, ids=[f"{number} {section['source']}" for number, section in enumerate(SECTIONS)]
)
def test_the_examples_load(section: dict, folder: Path) -> None:
    if section["source"] == "sktime":
        pytest.importorskip("sktime")
    if section["source"] in ("csv", "parquet", "arrow"):
        pytest.importorskip("pyarrow")
    wanted = {"kind": "next"} if section["source"] == "text" else {"kind": "class"}
    dataset = load_source(filled(section), folder, 7, wanted=wanted)
    assert len(dataset.train) > len(dataset.test) > 0 or section["source"] == "sktime"


def test_every_code_is_documented_and_every_documented_code_exists() -> None:
    read = [*(ROOT / "pipeline" / "data").rglob("*.py"), ROOT / "pipeline" / "named" / "files.py"]
    code = "\n".join(path.read_text(encoding="utf-8") for path in read)
    raised = set(re.findall(r'"(data\.[a-z-]+)", ', code))
    raised |= {f"data.{name}" for name in re.findall(r'\.fault\(\s*"([a-z-]+)"', code)}
    raised |= {f"data.{name}" for name in re.findall(r'return "(file|dtype)", "must', code)}
    names = "path hub subset name entry source test validation arguments features units unit transforms folds missing"
    options = {f"data.{name}" for name in names.split()}
    documented = set(re.findall(r"`(data\.[a-z-]+)`", TEXT)) - options
    assert raised - options == documented | {"data.stored"}
