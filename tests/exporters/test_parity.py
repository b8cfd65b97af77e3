"""Parity must pass what is equal and catch what is planted."""

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from seqpress.exporters import parity, parity_inputs
from seqpress.exporters.cleanup import to_bytes
from seqpress.exporters.forms import InputForm, OutputForm
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


def test_where_shapes_may_move_an_answer_what_surroundings_hold_still_must_not(exported, artifact, sequences):
    quantized = artifact(recipe("dynamic-int8")(exported["lstm-wide-both"][1]).model)
    sound = artifact(exported["lstm-wide-both"][1])
    sound.rounding = quantized.rounding = 0.02
    assert parity.leaks(quantized, sequences)[0].leaks
    found = parity.leaks(sound, sequences)
    assert not any(leak.leaks for leak in found)
    assert max(leak.allowed for leak in found) < 1e-3


def test_padding_that_is_counted_whatever_it_holds_is_a_leak_there_too(exported, artifact, sequences):
    class Counting(parity.Artifact):
        def logits(self, inputs, lengths):
            return super().logits(inputs, lengths) + np.float32(inputs.shape[1])

    counting = artifact(exported["gru"][1])
    counting.__class__ = Counting
    counting.rounding = 0.02
    assert [leak.leaks for leak in parity.leaks(counting, sequences)] == [True, True, True]


@pytest.mark.parametrize(("kind", "dynamic"), [("gru", False), ("lstm-wide-both", False), ("lstm-wide-both", True)])
def test_threads_change_nothing_but_how_a_dynamic_batch_is_shared_out(exported, tmp_path, sequences, kind, dynamic):
    model, path = exported[kind][1], tmp_path / "model.onnx"
    path.write_bytes(to_bytes(recipe("dynamic-int8")(model).model if dynamic else model))
    gap = parity_inputs.against_defaults(path, parity.Artifact(path), sequences, 1e-4, dynamic)
    assert gap.passed
    assert gap.case.endswith("one at a time") == dynamic


def test_stored_int8_does_not_leak(exported, artifact, sequences):
    quantized = recipe("dynamic-int8")(exported["gru"][1]).model
    assert not parity.is_dynamic([node.op_type for node in quantized.graph.node])
    assert not any(leak.leaks for leak in parity.leaks(artifact(quantized), sequences))


def test_padding_puts_zeros_behind():
    frames, lengths = parity.pad([np.ones((2, 1), np.float32), np.ones((4, 1), np.float32)], extra=1)
    assert frames[:, :, 0].tolist() == [[1, 1, 0, 0, 0], [1, 1, 1, 1, 0]]
    assert lengths.tolist() == [2, 4]


# -- bounded work ------------------------------------------------------------------------------------------------------


def test_a_proof_has_time_for_so_many_frames(sequences):
    assert [*map(len, parity.bounded(InputForm(), sequences))] == [*map(len, sequences)]
    long = [np.zeros((700, 1), np.float32)] * 64 + [np.zeros((9000, 1), np.float32)]
    kept = [len(one) for one in parity.bounded(InputForm(), long)]
    assert (kept[0], kept[-1], len(kept)) == (700, 2048, 44)
    assert sum(kept) <= 2**15 < sum(kept) + 700
    sound = InputForm("samples", hop=80, least=200)
    assert sound.frames(len(parity.bounded(sound, [np.zeros(400_000, np.float32)])[0])) == 2048


@pytest.mark.parametrize(("longest", "most"), [(29, 16), (128, 16), (512, 4), (2048, 4), (4096, 2)])
def test_calls_of_cut_sequences_are_bounded_and_those_of_short_ones_all_made(longest, most):
    seen = []

    class Counting:
        input, output = InputForm(), OutputForm()
        logits = staticmethod(lambda frames, lengths: np.zeros((len(frames), 2), np.float32))
        real = staticmethod(lambda raw, lengths: raw)

    def network(frames, lengths):
        seen.append(frames.shape[:2])
        return np.zeros((len(frames), 2), np.float32)

    parity.against_network(network, Counting(), [np.zeros((longest, 1), np.float32)])
    last = max(length for _, length in seen)
    assert last == max(longest, min(4 * longest, 2048))
    assert max(batch for batch, length in seen if length == last) == most
    assert all(batch * length <= 2**13 for batch, length in seen[1:])
    assert {(batch, length) for length in (1, 2) for batch in (1, 3, 16)} <= set(seen)
    if longest == 29:
        lengths = {1, 2, 15, 29, 116}
        assert set(seen[1:]) == {(batch, length) for length in lengths for batch in (1, 3, 16)}
