"""What is only asked or checked starts at once: no torch, no pandas, and little time."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HEAVY = {"torch", "pandas", "sklearn", "sktime", "scipy", "onnx", "onnxruntime", "lightning_fabric", "numpy"}
PIPELINE = str(ROOT / "pipeline.yaml")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["check", PIPELINE],
        ["check", PIPELINE, "--json"],
        ["schema"],
        ["schema", "--report"],
        ["explain", "students.tcn"],
        ["check", "gone.yaml"],
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_imported(arguments: list[str]) -> None:
    script = (
        "import json, sys; from seqpress.pipeline.cli.app import execute; execute(sys.argv[1:]);"
        "print(); print(json.dumps(sorted(sys.modules)))"
    )
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, text=True, capture_output=True, cwd=ROOT.parent, timeout=60, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}
    assert not loaded & HEAVY


def fastest_s(*arguments: str) -> float:
    """Wall time of a fresh interpreter, the best of five: what the machine does besides does not count."""
    times = []
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run([sys.executable, *arguments], capture_output=True, cwd=ROOT.parent, timeout=60, check=True)
        times.append(time.perf_counter() - started)
    return min(times)


@pytest.mark.parametrize(
    ("arguments", "allowed_s"), [(["--help"], 0.25), (["check", PIPELINE], 0.6)], ids=["--help", "check"]
)
def test_it_answers_at_once(arguments: list[str], allowed_s: float) -> None:
    assert fastest_s("-m", "seqpress", *arguments) - fastest_s("-c", "pass") < allowed_s
