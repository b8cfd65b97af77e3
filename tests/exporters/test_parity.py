"""Parity must pass what is equal and catch what is planted."""

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from seqpress.exporters import parity
from seqpress.exporters.cleanup import to_bytes
from seqpress.exporters.quantize.registry import recipe


@pytest.fixture
def artifact(tmp_path):
    def make(model):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.onnx"
        path.write_bytes(to_bytes(model))
        return parity.Artifact(path)

    return make


def forward(net):
    def run(frames, lengths):
        with torch.no_grad():
            return net(torch.from_numpy(frames), torch.from_numpy(lengths)).numpy()

    return run


def spoiled(model, name, change):
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    tensor = next(t for t in copy.graph.initializer if t.name == name)
    value = change(numpy_helper.to_array(tensor)).astype(np.float32)
    tensor.CopyFrom(numpy_helper.from_array(value, name))
    return copy


def test_an_export_passes_on_real_and_adversarial_lengths(exported, artifact, sequences):
    net, model = exported["gru"]
    gaps = parity.against_network(forward(net), artifact(model), sequences)
    assert all(gap.passed for gap in gaps)
    cases = {gap.case for gap in gaps}
    assert {
        "real sequences",
        "length 1, batch 1",
        "length 2, batch 3",
        "length 15, batch 1",
        "length 29, batch 3",
    } <= cases


def test_slightly_changed_weights_are_caught(exported, artifact, sequences):
    net, model = exported["gru"]
    wrong = spoiled(model, "encoder.layers.0.R", lambda value: value + 0.001)
    assert not all(gap.passed for gap in parity.against_network(forward(net), artifact(wrong), sequences))


def test_nan_is_a_failed_gap_not_a_passed_one(exported, artifact, sequences):
    net, model = exported["tcn"]
    wrong = spoiled(model, "output.bias", lambda value: value * np.nan)
    gaps = parity.against_network(forward(net), artifact(wrong), sequences)
    assert not any(gap.passed for gap in gaps)


def test_quantized_stays_close_and_a_wrong_scale_does_not(exported, artifact, sequences):
    _, model = exported["tcn"]
    quantized = recipe("dynamic-int8")(model).model
    assert all(gap.passed for gap in parity.against_float(artifact(model), artifact(quantized), sequences))
    wrong = spoiled(quantized, "encoder.blocks.2.second.conv.weight_scale", lambda value: value * 3)
    assert not all(gap.passed for gap in parity.against_float(artifact(model), artifact(wrong), sequences))


@pytest.mark.parametrize("kind", ["gru", "gru-both", "lstm-wide-both", "tcn", "transformer"])
def test_float_artifacts_do_not_leak(exported, artifact, sequences, kind):
    found = parity.leaks(artifact(exported[kind][1]), sequences)
    assert [leak.probe for leak in found] == ["batch neighbours", "padding", "later frames"]
    assert not any(leak.leaks for leak in found)


def test_dynamic_activation_scales_leak_and_are_told(exported, artifact, sequences):
    quantized = recipe("dynamic-int8")(exported["lstm-wide-both"][1]).model
    assert parity.is_dynamic([node.op_type for node in quantized.graph.node])
    neighbours = parity.leaks(artifact(quantized), sequences)[0]
    assert neighbours.leaks
    assert "moved by" in neighbours.note


def test_stored_int8_does_not_leak(exported, artifact, sequences):
    quantized = recipe("dynamic-int8")(exported["gru"][1]).model
    assert not parity.is_dynamic([node.op_type for node in quantized.graph.node])
    assert not any(leak.leaks for leak in parity.leaks(artifact(quantized), sequences))


def test_padding_puts_zeros_behind():
    frames, lengths = parity.pad([np.ones((2, 1), np.float32), np.ones((4, 1), np.float32)], extra=1)
    assert frames[:, :, 0].tolist() == [[1, 1, 0, 0, 0], [1, 1, 1, 1, 0]]
    assert lengths.tolist() == [2, 4]
