"""`compress bench`: numbers for any sequence model, or a fault with an exit code; never a traceback, never torch."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from foreign_models import save_gru, save_image_model, save_sequences
from seqpress.pipeline.cli.bench import EXAMPLES
from seqpress.pipeline.cli.codes import CODES
from seqpress.pipeline.errors import Busy, Fault
from seqpress.pipeline.report.bench import BenchReport
from seqpress.pipeline.standalone import bench as job

ROOT = Path(__file__).parents[3]
QUICK = ("--launches", "1", "--samples", "20", "--length", "6", "--scenario", "single")


@pytest.fixture
def model(in_folder):
    return save_gru(in_folder / "model.onnx").name


def test_a_card_for_people(compress, model):
    answer = compress("bench", model, *QUICK)
    assert answer.code == 0, answer.err
    assert "✓ cpu" in answer.out
    assert "run() p50" in answer.out
    assert "random sequences" in answer.out


def test_a_document_for_programs_and_the_same_in_a_file(compress, model, in_folder):
    answer = compress("bench", model, *QUICK, "--json", "--out", "bench.json")
    assert answer.code == 0, answer.err
    report = BenchReport.model_validate_json(answer.out)
    assert report.schema_version == 1
    assert (in_folder / "bench.json").read_text(encoding="utf-8") == answer.out
    again = compress("bench", model, *QUICK, "--json", "--out", "bench.json")  # its own file may be written over
    assert again.code == 0
    cell = report.providers[0].latency.cells[0]
    assert (cell.batch, cell.length) == (1, 6)
    assert {one.p for one in cell.percentiles} >= {50, 95, 99}


def test_a_percentile_that_the_samples_do_not_support_is_not_guessed(compress, model, monkeypatch):
    from seqpress.benchmarks import latency

    real = latency.measure

    def few(contenders, points, **more):
        found = real(contenders, points, **more)
        assert more["claim"] == 50.0  # nothing is raised behind the user's back
        return found

    monkeypatch.setattr(latency, "measure", few)
    answer = compress("bench", model, *QUICK, "--json")
    for one in BenchReport.model_validate_json(answer.out).providers[0].latency.cells[0].percentiles:
        assert (one.value_us is None) == one.reason.startswith("n too small")


@pytest.mark.parametrize(
    ("arguments", "code", "fault", "text"),
    [
        (["gone.onnx"], 2, "model.missing", "must be an ONNX file or the folder of a bundle"),
        (["empty"], 2, "model.missing", "must be an ONNX file or the folder of a bundle"),
        (["junk.onnx"], 3, "model.rejected", "must be an ONNX model"),
        (["image.onnx"], 3, "model.inputs", "x float32 (1, 3, 8, 8)"),
        (["model.onnx", "--inputs", "gone.npz"], 2, "data.missing-file", "--inputs must name an existing file"),
        (["model.onnx", "--inputs", "wide.npz"], 3, "model.inputs", "sequence 0 has 7 features; the model takes 5"),
        (["model.onnx", "--inputs", "junk.onnx"], 3, "data.file", "must be an intact .npz file"),
        (["model.onnx", "--batch", "-1"], 2, "usage", "--batch"),
        (["model.onnx", "--length", "0"], 2, "usage", "--length"),
        (["model.onnx", "--threads", "4096"], 2, "usage", "the cores this process may use; got 4096"),
        (["model.onnx", "--provider", "cudda"], 2, "usage", "did you mean: cuda"),
        (["model.onnx", "--provider", "gpu"], 2, "usage", "did you mean: cuda"),
        (["model.onnx", "--scenario", "pacced"], 2, "usage", "did you mean: paced"),
        (["model.onnx", "--layout", "XYZ"], 2, "usage", "must be one of BTF, TBF, BFT, TF"),
        (["model.onnx", "--scenario", "paced"], 2, "usage", "such as --period 10ms"),
        (["model.onnx", "--period", "10"], 2, "usage", "must be a time; got '10'"),
        (["model.onnx", "--period", "-10ms"], 2, "usage", "must be a time"),
        (["model.onnx", "--fallback", "perhaps"], 2, "usage", "--fallback"),
        (["model.onnx", "--out", "junk.onnx"], 2, "out.taken", "must not exist yet, or be what this command wrote"),
        (["model.onnx", "--out", "."], 2, "out.taken", "must not exist yet"),
        (["model.onnx", "--out", "list.json"], 2, "out.taken", "must not exist yet"),
    ],
)
def test_what_is_wrong_is_a_fault(compress, model, in_folder, arguments, code, fault, text):
    (in_folder / "junk.onnx").write_bytes(b"junk" * 100)
    (in_folder / "empty").mkdir()
    (in_folder / "list.json").write_text("[1, 2]")
    save_image_model(in_folder / "image.onnx")
    save_sequences(in_folder / "wide.npz", features=7)
    answer = compress("bench", *arguments)
    assert answer.code == code, answer.err
    assert answer.codes == [fault]
    assert fault in CODES
    assert text in answer.err
    assert "Traceback" not in answer.err
    assert answer.out == ""


def test_a_provider_that_is_nowhere_ends_with_6_after_the_card(compress, model):
    import onnxruntime as ort

    if "CoreMLExecutionProvider" in ort.get_available_providers():
        pytest.skip("this build has it")
    answer = compress("bench", model, *QUICK, "--provider", "coreml")
    assert (answer.code, answer.codes) == (6, ["environment.provider"])
    assert "not available" in answer.out
    both = compress("bench", model, *QUICK, "--provider", "coreml", "--provider", "cpu", "--json")
    assert both.code == 0
    assert [one["outcome"] for one in json.loads(both.out)["providers"]] == ["not available", "measured"]


def test_every_code_of_this_command_is_documented():
    assert {"bench.fell-back", "bench.failed", "environment.provider"} <= CODES.keys()


def test_the_light_base_is_enough(model, in_folder):
    script = (
        "import json, sys; from seqpress.pipeline.cli.app import execute; code = execute(sys.argv[1:]);"
        "print(); print(json.dumps([code, sorted({name.partition('.')[0] for name in sys.modules})]))"
    )
    command = [sys.executable, "-c", script, "bench", model, *QUICK, "--scenario", "memory"]
    done = subprocess.run(command, text=True, capture_output=True, cwd=in_folder, timeout=120, check=True)
    code, loaded = json.loads(done.stdout.splitlines()[-1])
    assert code == 0, done.stderr
    assert {"onnxruntime", "numpy", "rich"} <= set(loaded)
    assert not {"torch", "pandas", "sklearn", "sktime", "scipy", "lightning_fabric", "onnxscript"} & set(loaded)


def commands() -> list[list[str]]:
    """Every command of the documentation and of the help page."""
    text = (ROOT / "docs" / "benchmarking.md").read_text(encoding="utf-8")
    lines = [line.strip() for line in text.splitlines() if line.startswith("compress bench ")]
    return [line.split()[2:] for line in (*lines, *EXAMPLES)]


@pytest.mark.parametrize("arguments", commands(), ids=" ".join)
def test_the_commands_that_are_shown_are_understood(compress, in_folder, monkeypatch, arguments):
    asked = []

    def answer(request):
        asked.append(request)
        raise Busy(Fault("usage", "bench", "was asked"))

    monkeypatch.setattr(job, "bench", answer)
    assert compress("bench", *arguments).code == 7
    (request,) = asked
    assert request.providers
    assert ("paced" in request.scenarios) <= (request.frame_period_us is not None)
