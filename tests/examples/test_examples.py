"""Every example is run as its page says, at its quick size: what it ships verifies, and the bundle's own example runs.

One alone: ``pytest tests/examples -k char_lm``.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from command import compress

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
FILES = sorted(path.relative_to(EXAMPLES).as_posix() for path in EXAMPLES.glob("*/*.yaml"))
NAMES = sorted({file.split("/")[0] for file in FILES})
NEEDS = {"forecast_load": "pyarrow", "vowels": "sktime"}
ISSUED = {
    "anomaly", "char_lm", "chorales", "engine_wear", "forecast_load", "spoken_digits", "tag_words", "vowels",
}  # fmt: skip


@pytest.fixture
def place(example):
    """``place("chorales/nottingham.yaml")``: the folder, or a skip where a library or the data are not there."""

    def prepared(file: str) -> Path:
        name = file.split("/")[0]
        pytest.importorskip(NEEDS.get(name, "yaml"))
        return example(name)

    return prepared


@pytest.fixture(scope="session")
def store(tmp_path_factory) -> Path:
    return tmp_path_factory.getbasetemp() / "store of the examples"


def test_they_are_all_there():
    assert set(NAMES) == ISSUED


@pytest.mark.parametrize("file", FILES)
def test_check(file, place):
    folder = place(file)
    for quick in ([], ["--quick"]):
        answer = compress("check", Path(file).name, *quick, folder=folder)
        assert answer.code == 0, answer.err


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES)
def test_quick_run(file, place, store):
    pytest.importorskip("torch")
    folder = place(file)
    answer = compress("run", Path(file).name, "--quick", folder=folder, store=store)
    assert answer.code == 0, answer.err
    name = yaml.safe_load((folder / Path(file).name).read_text(encoding="utf-8"))["name"]
    run = folder / "runs" / name / "1"
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    bundles = sorted(path.parent for path in run.glob("artifacts/*/manifest.json"))
    assert len(bundles) == sum(len(student["variants"]) for student in report["students"])
    for bundle in bundles:
        verified = compress("verify", str(bundle), folder=folder)
        assert verified.code == 0, verified.err
        script = bundle / "example.py"
        shown = subprocess.run([sys.executable, script], cwd=bundle, capture_output=True, text=True, timeout=60)
        assert shown.returncode == 0, shown.stderr
        assert shown.stdout.strip()


@pytest.mark.parametrize("file", FILES)
def test_the_file_opens_with_its_command(file):
    first = (EXAMPLES / file).read_text(encoding="utf-8").splitlines()[0]
    assert first == f"# compress run examples/{file}"


@pytest.mark.parametrize("name", NAMES)
def test_the_page_names_its_commands_and_has_room_for_results(name):
    page = (EXAMPLES / name / "README.md").read_text(encoding="utf-8")
    marks = re.findall(r"<!-- results(?:: (\w+))? -->\n.*?<!-- /results -->", page, re.DOTALL)
    files = sorted(Path(file).stem for file in FILES if file.startswith(f"{name}/"))
    assert sorted(mark or "pipeline" for mark in marks) == files
    for stem in files:
        assert f"$ compress run examples/{name}/{stem}.yaml" in page
        assert f"({'result' if stem == 'pipeline' else stem}.svg)" in page
    needs_data = name not in ("engine_wear", "vowels")
    assert (f"$ python examples/fetch.py {name}" in page) == needs_data
    assert len(page.splitlines()) < 90
