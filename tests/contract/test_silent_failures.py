"""What other tools pass over in silence, each a test: here it is done, or it ends loudly and leaves nothing."""

import hashlib
import io
import json
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from artifacts import FEATURES, manifest, network
from onnx import TensorProto
from onnxruntime import InferenceSession
from onnxruntime.quantization import QuantType, quantize_dynamic
from seqpress.benchmarks.footprint import weigh
from seqpress.exporters import cleanup
from seqpress.exporters.cleanup import BadGraph
from seqpress.exporters.quantize import registry
from seqpress.exporters.quantize.claims import below_float32
from seqpress.exporters.quantize.contract import BadCalibration, Calibration, NothingQuantized, Quantized
from seqpress.exporters.quantize.registry import recipe
from seqpress.exporters.whole import export_whole
from seqpress.pipeline import job
from seqpress.pipeline.cli.app import execute
from seqpress.pipeline.config import load
from seqpress.pipeline.data import load_source
from seqpress.pipeline.errors import ConfigError, InputRejected, StageFailed
from seqpress.pipeline.report.model import Candidate
from seqpress.pipeline.standalone.quantize import quantize
from seqpress.pipeline.standalone.result import Request
from torch import nn

ROOT = Path(__file__).parents[2]
HIDDEN = 32


@pytest.fixture(scope="module")
def gru(tmp_path_factory):
    """A GRU of ours as a float file."""
    path = tmp_path_factory.mktemp("gru") / "gru.onnx"
    onnx.save(export_whole(network("gru", hidden=HIDDEN), manifest()), path)
    return path


def recurrent_types(model):
    """Stored types of the tensors that a GRU reads, whatever stands between."""
    makers = {name: node for node in model.graph.node for name in node.output}
    stored = {tensor.name: tensor.data_type for tensor in model.graph.initializer}

    def source(name):
        while name not in stored:
            name = makers[name].input[0]
        return stored[name]

    return [source(node.input[index]) for node in model.graph.node if node.op_type == "GRU" for index in (1, 2)]


def test_a_gru_left_in_float_by_the_library_call_becomes_int8(gru, tmp_path):
    quantize_dynamic(gru, tmp_path / "library.onnx", weight_type=QuantType.QInt8)
    library = onnx.load(tmp_path / "library.onnx")
    assert set(recurrent_types(library)) == {TensorProto.FLOAT}
    assert (tmp_path / "library.onnx").stat().st_size > 0.95 * gru.stat().st_size
    for name in ("dynamic-int8", "weight-int8"):
        done = recipe(name)(onnx.load(gru))
        assert set(recurrent_types(done.model)) == {TensorProto.INT8}
        assert done.model.ByteSize() < 0.45 * gru.stat().st_size


def test_a_recipe_that_leaves_everything_in_float_fails(gru, tmp_path, monkeypatch):
    idle = registry._Counted("dynamic-int8", lambda model, _: Quantized(model, ("Quantization completed",)))
    monkeypatch.setitem(registry._RECIPES, "dynamic-int8", idle)
    with pytest.raises(NothingQuantized, match="0%"):
        recipe("dynamic-int8")(onnx.load(gru))
    with pytest.raises(StageFailed) as caught:
        quantize(Request(gru, "dynamic-int8", tmp_path / "out", samples=0))
    assert [fault.code for fault in caught.value.faults] == ["stage.nothing-quantized"]
    assert not (tmp_path / "out").exists()


def test_the_share_is_of_the_whole_file_not_of_what_could_be_touched(gru, tmp_path):
    """The library call narrows all that it can touch, a linear layer: "100 %" of one in a hundred bytes."""
    quantize_dynamic(gru, tmp_path / "library.onnx", weight_type=QuantType.QInt8)
    library = onnx.load(tmp_path / "library.onnx")
    assert below_float32(library) < 0.05
    every = sum(np.prod(tensor.dims) * 4 for tensor in onnx.load(gru).graph.initializer if tensor.data_type == 1)
    assert weigh(onnx.load(gru), 0).weight_bytes >= 0.95 * every
    done = recipe("dynamic-int8")(onnx.load(gru))
    assert 0.7 < done.share_below_float32 == below_float32(done.model) < 1


def test_float16_is_never_reported_as_int8(gru, tmp_path, monkeypatch):
    """A recipe that says int8 and writes float16: narrower, and still a failure."""
    half = recipe("float16")(onnx.load(gru))
    assert half.share_below_float32 > 0.9
    assert weigh(half.model, 0).int8_share == 0
    liar = registry._Counted("weight-int8", lambda model, _: Quantized(half.model, ("int8 quantization completed",)))
    monkeypatch.setitem(registry._RECIPES, "weight-int8", liar)
    with pytest.raises(StageFailed) as caught:
        quantize(Request(gru, "weight-int8", tmp_path / "out", samples=0))
    assert [fault.code for fault in caught.value.faults] == ["stage.nothing-quantized"]
    assert "int8" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_gain_is_measured_against_a_float_onnx_file(gru, tmp_path):
    result = quantize(Request(gru, "dynamic-int8", tmp_path / "out", samples=90))
    assert result.reference == str(gru)
    assert result.reference_sha256 == hashlib.sha256(gru.read_bytes()).hexdigest()
    assert result.bytes_before == gru.stat().st_size
    assert result.speed.ratio is not None
    assert 0.5 < result.speed.ratio < 2  # stored int8, computed in float: no gain, and none is claimed


def test_every_contender_of_a_report_is_an_onnx_file():
    plan = job.plan(job.Request(load(ROOT / "pipeline.yaml")))
    options = plan.tasks["benchmark"].options
    assert options["reference"] in options["contenders"]
    files = {file for _, file in options["contenders"].values()}
    assert all(file.endswith(".onnx") for file in files)
    assert options["contenders"][options["reference"]] == ["teacher", "model.onnx"]
    assert "against the float32 file" in (Candidate.__doc__ or "")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_in_calibration_names_its_place(gru, tmp_path, value, capsys):
    sequences = [np.ones((4, FEATURES), np.float32) for _ in range(3)]
    sequences[1][2, 3] = value
    with pytest.raises(BadCalibration, match=r"sequence 1 must be finite.*frame 2, feature 3"):
        Calibration(sequences)
    np.savez(tmp_path / "c.npz", values=np.concatenate(sequences), offsets=np.arange(4) * 4)
    out = tmp_path / "out"
    for name in ("static-int8", "dynamic-int8"):
        arguments = [
            "quantize",
            str(gru),
            "--recipe",
            name,
            "--calibration",
            str(tmp_path / "c.npz"),
            "--out",
            str(out),
        ]
        assert execute(arguments) == 3
        said = capsys.readouterr()
        (fault,) = json.loads(said.err.splitlines()[-1])["faults"]
        assert fault["code"] == "data.non-finite"
        assert "item 1, row 2, column 3" in fault["hint"].replace(":", ",").replace("  ", " ")
        assert said.out == ""
        assert not out.exists()


def test_nan_in_test_data_gives_no_quality_number(tmp_path):
    values = np.random.default_rng(0).standard_normal((96, 3)).astype(np.float32)
    values[90, 1] = np.nan
    split = np.array(["train"] * 18 + ["test"] * 6)
    np.savez(
        tmp_path / "d.npz", values=values, offsets=np.arange(25) * 4, labels=np.array(["a", "b"] * 12), split=split
    )
    options = {"source": "npz", "path": "d.npz", "validation": {"fraction": 0.2, "by": "class"}, "test": None}
    with pytest.raises(InputRejected) as caught:
        load_source(options, tmp_path, 0)
    assert [fault.code for fault in caught.value.faults] == ["data.non-finite"]
    assert "test split" in caught.value.faults[0].where


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["quantize", "no-such-folder"], 2),
        (["quantize", "empty"], 2),
        (["quantize", "text.onnx"], 3),
        (["quantize", "gru.onnx", "--recipe", "static-int8"], 2),
        (["quantize", "gru.onnx", "--tolerance", "1e-9", "--samples", "0"], 5),
        (["export", "no_such_module:build", "--inputs", "3", "--classes", "2"], 2),
    ],
    ids=str,
)
def test_nothing_is_called_written_without_a_result(gru, tmp_path, monkeypatch, capsys, arguments, code):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.onnx").write_text("saved")
    (tmp_path / "gru.onnx").write_bytes(gru.read_bytes())
    before = sorted(tmp_path.iterdir())
    assert execute(arguments) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert "saved" not in said.err
    assert json.loads(said.err.splitlines()[-1])["exit_code"] == code
    assert sorted(tmp_path.iterdir()) == before


def test_exit_0_means_that_there_is_a_folder(gru, tmp_path, capsys):
    assert execute(["quantize", str(gru), "--out", str(tmp_path / "out"), "--samples", "0", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == said["files"]
    with pytest.raises(ConfigError):  # and never one written over
        quantize(Request(gru, "float16", tmp_path / "out", samples=0))


class Loop(nn.Module):
    """Frame by frame in Python: a tracer unrolls the frames of its example."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(FEATURES, 4)

    def forward(self, frames, lengths):
        total = torch.zeros(len(frames), FEATURES)
        for index in range(frames.shape[1]):
            total = torch.tanh(total + frames[:, index])
        return self.head(total)


def test_a_frozen_time_axis_is_no_graph():
    model = export_whole(network("gru", hidden=8), manifest())
    axes = {"frames": ("batch", "time", FEATURES), "lengths": ("batch",)}
    axes |= dict.fromkeys(("probabilities", "logits"), ("batch", 4))
    cleanup.rename_axes(model, axes)
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 7
    with pytest.raises(BadGraph, match="axis 'time' of 'frames' is frozen at 7"):
        cleanup.rename_axes(model, axes)


def test_a_loop_that_the_other_exporter_unrolls_under_a_free_axis_is_refused():
    """Its file declares "time" and holds seven frames; every longer sequence gets the answer to its first seven."""
    file, frames, lengths = io.BytesIO(), torch.randn(1, 12, FEATURES), torch.tensor([12])
    free = {"frames": {0: "batch", 1: "time"}, "lengths": {0: "batch"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Loop().eval(),
            (torch.zeros(2, 7, FEATURES), torch.tensor([7, 5])),
            file,
            dynamo=False,
            opset_version=17,
            input_names=["frames", "lengths"],
            output_names=["logits"],
            dynamic_axes=free,
        )
    theirs = onnx.load_from_string(file.getvalue())
    assert theirs.graph.input[0].type.tensor_type.shape.dim[1].dim_param == "time"
    session = InferenceSession(file.getvalue())
    given = {value.name for value in session.get_inputs()}
    feeds = {"frames": frames.numpy(), "lengths": lengths.numpy()}
    whole = session.run(None, {name: feeds[name] for name in given})[0]
    feeds["frames"] = feeds["frames"][:, :7]
    assert np.array_equal(whole, session.run(None, {name: feeds[name] for name in given})[0])
    with pytest.raises((BadGraph, RuntimeError), match=r"frozen|torch\.export"):
        export_whole(Loop(), manifest())
