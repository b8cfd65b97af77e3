"""static-int8: one unbroken chain, honest ranges, and calibration that cannot be poisoned."""

from collections import Counter

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from artifacts import FEATURES, manifest, network
from hypothesis import given, settings, strategies as st
from onnx import TensorProto, numpy_helper
from seqpress.exporters.cleanup import check, to_bytes
from seqpress.exporters.quantize import qdq
from seqpress.exporters.quantize.contract import ENOUGH_SEQUENCES, BadCalibration, Calibration, Range
from seqpress.exporters.quantize.registry import recipe
from seqpress.exporters.whole import export_whole

static = recipe("static-int8")


def session(model, optimized=None):
    options = ort.SessionOptions()
    options.log_severity_level = 3
    if optimized:
        options.optimized_model_filepath = str(optimized)
    return ort.InferenceSession(to_bytes(model), options)


def operators(model, tmp_path):
    """What the session really runs."""
    session(model, tmp_path / "optimized.onnx")
    return Counter(node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node)


def parse(text):
    return onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["":20]> {text}')


def sequences(count=20, length=25, features=FEATURES):
    rng = np.random.default_rng(2)
    return [rng.standard_normal((length, features)).astype(np.float32) for _ in range(count)]


def with_biases(net):
    """Fresh convolutions have biases of zero, which the exporter leaves out."""
    for weight in net.parameters():
        if weight.ndim == 1:
            torch.nn.init.normal_(weight, std=0.3)
    return net


@pytest.mark.parametrize("channels", [16, FEATURES], ids=["projected shortcut", "plain shortcut"])
def test_the_body_runs_from_one_quantization_to_one_dequantization(channels, tmp_path):
    model = export_whole(with_biases(network("tcn", channels=channels, levels=3, kernel=4)), manifest())
    done = static(model, Calibration(sequences()))
    counted = operators(done.model, tmp_path)
    assert counted["QLinearConv"] == 6 + (channels != FEATURES)
    assert counted["QLinearAdd"] == 3
    assert counted["QuantizeLinear"] == counted["DequantizeLinear"] == 1
    assert not {"Conv", "FusedConv", "Add", "Relu", "NhwcFusedConv"} & set(counted)
    assert f"Conv: {counted['QLinearConv']} computed in int8 with static scales" in done.notes


def test_biases_of_the_integer_layers_count(tmp_path):
    net = with_biases(network("tcn", channels=16, levels=2))
    model = export_whole(net, manifest())
    made = static(model, Calibration(sequences())).model
    frames, lengths = np.stack(sequences(3)), np.array([25, 25, 25])
    feed = {"frames": frames, "lengths": lengths}
    expected = session(model).run(["logits"], feed)[0]
    assert np.abs(session(made).run(["logits"], feed)[0] - expected).max() < 0.03 * np.abs(expected).max()


def test_a_recurrent_network_is_storage_and_says_so(exported, calibration):
    done = static(exported["gru"][1], calibration)
    assert "int8 is storage, computed in float32" in done.notes[-1]
    assert not {"QuantizeLinear", "DequantizeLinear"} & {node.op_type for node in done.model.graph.node}


def test_no_lstm_becomes_dynamic(exported, calibration):
    done = static(exported["lstm-wide-both"][1], calibration)
    assert "DynamicQuantizeLSTM" not in {node.op_type for node in done.model.graph.node}


def test_equal_constants_are_stored_once(calibration):
    model = static(export_whole(network("tcn", channels=16, levels=4), manifest()), calibration).model
    scalars = [(t.data_type, t.raw_data) for t in model.graph.initializer if not t.dims and t.raw_data]
    assert len(scalars) == len(set(scalars))
    assert not any(
        t.data_type == TensorProto.INT8 and not numpy_helper.to_array(t).any() for t in model.graph.initializer
    )


def test_the_neighbours_network_fits_in_42_kilobytes():
    net = with_biases(network("tcn", "last", channels=32, levels=4, kernel=3))
    model = export_whole(net, manifest())
    made = to_bytes(static(model, Calibration(sequences())).model)
    assert len(made) <= 0.37 * len(to_bytes(model))
    assert len(made) < 36_000


# --- calibration -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_bad_number_is_refused_with_its_place(bad):
    given_sequences = sequences(4)
    given_sequences[2][7, 3] = bad
    with pytest.raises(BadCalibration, match=r"sequence 2 must be finite; got (nan|inf|-inf) at frame 7, feature 3"):
        Calibration(given_sequences)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([], "at least one training sequence"),
        (
            [np.zeros((3, 5), np.float32), np.zeros((3, 4), np.float32)],
            r"sequence 1 must be \(T, 5\).*got shape \(3, 4\)",
        ),
        ([np.zeros((0, 5), np.float32)], r"T from 1; got shape \(0, 5\)"),
        ([np.zeros((3, 5))], "sequence 0 must be float32, or int64 of tokens; got float64"),
    ],
)
def test_a_wrong_shape_or_type_is_refused(wrong, message):
    with pytest.raises(BadCalibration, match=message):
        Calibration(wrong)


def test_a_model_that_overflows_is_refused_with_the_sequence(exported):
    loud = sequences(3)
    loud[1] *= np.float32(1e38)
    with pytest.raises(BadCalibration, match=r"sequence 1 must leave the model finite; '\w+' ranges from"):
        static(exported["tcn"][1], Calibration(loud))


def test_inputs_that_do_not_fit_are_named(exported):
    with pytest.raises(BadCalibration, match="the model takes frames, lengths; calibration feeds lengths, x"):
        static(exported["tcn"][1], Calibration(sequences(), frames="x"))


def test_few_sequences_are_made_more_and_that_is_said(exported):
    few = Calibration(sequences(10))
    assert len(list(few.feeds(exported["tcn"][1]))) == 20
    done = static(exported["tcn"][1], few)
    assert "ranges from 10 training sequences, unpadded and, for want of 256, the second halves of 10" in done.notes
    enough = Calibration(sequences(ENOUGH_SEQUENCES))
    assert len(list(enough.feeds(exported["tcn"][1]))) == ENOUGH_SEQUENCES
    assert enough.summary() == "256 training sequences, unpadded"


def test_sequences_are_fed_alone_and_unpadded(exported):
    mixed = Calibration([np.ones((length, FEATURES), np.float32) for length in (3, 11)])
    feeds = list(mixed.feeds(exported["tcn"][1]))[:2]
    assert [feed["frames"].shape for feed in feeds] == [(1, 3, FEATURES), (1, 11, FEATURES)]
    assert [feed["lengths"].tolist() for feed in feeds] == [[3], [11]]


# --- ranges ------------------------------------------------------------------------------------------------------


@given(st.floats(-1e6, 1e6, width=32), st.floats(0, 1e6, width=32))
@settings(max_examples=100, deadline=None)
def test_a_range_comes_back_within_a_step_and_zero_exactly(low, width):
    scale, zero_point = qdq.parameters(Range(low, low + width, 1))
    assert 0 <= zero_point <= 255
    ends = np.array([min(low, 0.0), 0.0, max(low + width, 0.0)])
    steps = np.clip(np.rint(ends / np.float64(scale)) + zero_point, 0, 255)
    back = (steps - zero_point) * np.float64(scale)
    assert back[1] == 0
    assert (np.abs(back - ends) <= 0.51 * scale).all()
    if ends.any() and scale != 1:
        assert steps.max() - steps.min() >= 254, "all steps must be of use"


def test_a_row_of_zero_weights_keeps_its_bias(tmp_path):
    """int32 biases count in input scale * weight scale: a careless scale for a row of zeros would lose the bias."""
    model = parse(
        """g (float[1,t,2] frames) => (float[1,3,t] y)
        <float[3,2,1] w = {0, 0, 1e-30, 0, 0.5, -0.5}, float[3] b = {0.3, 1234.5, 0.1}>
        { x = Transpose <perm = [0, 2, 1]> (frames)  y = Conv(x, w, b) }"""
    )
    model.graph.initializer[0].dims[:] = [3, 2, 1]
    done = static.apply(model, Calibration(sequences(features=2), lengths=None))
    frames = np.zeros((1, 4, 2), np.float32)
    got = session(done.model).run(None, {"frames": frames})[0][0, :, 0]
    np.testing.assert_allclose(got, [0.3, 1234.5, 0.1], atol=1234.5 / 255)
    assert operators(done.model, tmp_path)["QLinearConv"] == 1


# --- other people's convolutions ---------------------------------------------------------------------------------

BLOCK = """g (float[1,t,4] frames) => (float[1,4,u] y)
<float zero = {{0}}, int64[6] p = {{0, 0, 4, 0, 0, 0}}, int64[1] s = {{0}}, int64[1] e = {{-4}}, int64[1] a = {{2}}>
{{ x = Transpose <perm = [0, 2, 1]> (frames) {body} }}"""
PADDED = """p1 = Pad(x, p, zero) c1 = Conv <dilations = [2]> (p1, w1) r1 = Relu(c1)
 p2 = Pad(r1, p, zero) c2 = Conv <dilations = [2]> (p2, w2) r2 = Relu(c2) y = Add(r2, x)"""
CHOMPED = """c1 = Conv <dilations = [2], pads = [4, 4]> (x, w1) k1 = Slice(c1, s, e, a) r1 = Relu(k1)
 c2 = Conv <dilations = [2], pads = [4, 4]> (r1, w2) k2 = Slice(c2, s, e, a) r2 = Relu(k2) y = Add(r2, x)"""


def block(body):
    model = parse(BLOCK.format(body=body))
    rng = np.random.default_rng(0)
    for name in ("w1", "w2"):
        model.graph.initializer.append(numpy_helper.from_array(rng.standard_normal((4, 4, 3)).astype(np.float32), name))
    return model


@pytest.mark.parametrize("body", [PADDED, CHOMPED], ids=["padded in front", "cut behind"])
def test_padding_nodes_go_into_the_convolution(body, tmp_path):
    model = block(body)
    done = static.apply(model, Calibration(sequences(features=4), lengths=None))
    check(done.model)
    counted = operators(done.model, tmp_path)
    assert counted["QLinearConv"] == 2
    assert counted["QLinearAdd"] == 1
    assert not {"Pad", "Slice"} & set(counted)
    frames = np.stack(sequences(1, 9, 4))
    expected = session(model).run(None, {"frames": frames})[0]
    got = session(done.model).run(None, {"frames": frames})[0]
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() < 0.05 * np.abs(expected).max()


# --- movers ------------------------------------------------------------------------------------------------------


def test_a_streaming_graph_of_somebody_else_keeps_its_float_state(tmp_path):
    """Frames join a cache and its end becomes the next cache: joined as integers, handed out as floats."""
    model = parse(
        """g (float[1,n,4] frames, float[1,4,2] state) => (float[1,4,m] y, float[1,4,2] next)
        <int64[1] s = {-2}, int64[1] e = {9223372036854775807}, int64[1] a = {2}>
        { x = Transpose <perm = [0, 2, 1]> (frames)
          window = Concat <axis = 2> (state, x)  next = Slice(window, s, e, a)  y = Conv(window, w) }"""
    )
    rng = np.random.default_rng(0)
    model.graph.initializer.append(numpy_helper.from_array(rng.standard_normal((4, 4, 3)).astype(np.float32), "w"))
    start = np.zeros((1, 4, 2), np.float32)
    done = static.apply(model, Calibration(sequences(8, 12, 4), lengths=None, extra={"state": start}))
    assert operators(done.model, tmp_path)["QLinearConv"] == 1
    feed = {"frames": sequences(1, 12, 4)[0][None], "state": start}
    (expected, after), (got, cache) = session(model).run(None, feed), session(done.model).run(None, feed)
    assert np.abs(got - expected).max() < 0.03 * np.abs(expected).max()
    assert cache.dtype == np.float32
    assert np.abs(cache - after).max() < 0.03 * np.abs(after).max()


def test_what_leaves_the_chain_keeps_its_name_and_the_kernels_their_integers(tmp_path):
    """The first convolution's output is an output of the graph too, and max pooling works on integers."""
    model = parse(
        """g (float[1,t,4] frames) => (float[1,4,u] middle, float[1,4,v] y)
        { x = Transpose <perm = [0, 2, 1]> (frames)  c = Conv <pads = [2, 0]> (x, w)  middle = Relu(c)
          p = MaxPool <kernel_shape = [2]> (middle)  y = Conv(p, w) }"""
    )
    rng = np.random.default_rng(0)
    model.graph.initializer.append(numpy_helper.from_array(rng.standard_normal((4, 4, 3)).astype(np.float32), "w"))
    done = static.apply(model, Calibration(sequences(8, 12, 4), lengths=None))
    counted = operators(done.model, tmp_path)
    assert counted["QLinearConv"] == 2
    assert counted["NhwcMaxPool"] == 1  # of onnxruntime, for 8 bits alone
    assert [value.name for value in done.model.graph.output] == ["middle", "y"]
    feed = {"frames": sequences(1, 12, 4)[0][None]}
    for expected, got in zip(session(model).run(None, feed), session(done.model).run(None, feed), strict=True):
        assert np.abs(got - expected).max() < 0.05 * np.abs(expected).max()
    assert sum(t.name.startswith("w_int8") for t in done.model.graph.initializer) == 1


@pytest.mark.parametrize("opset", [11, 18])
def test_a_dense_layer_over_frames_is_static_where_it_is_large(opset, tmp_path):
    """Reads the graph's input itself; an old file is brought to the operator set that knows scales a channel."""
    rng = np.random.default_rng(0)
    for features, kernels in ((64, 1), (32, 0)):
        shape = f"float[b,t,{features}]"
        model = onnx.parser.parse_model(
            f"""<ir_version: 8, opset_import: ["":{opset}]> g ({shape} frames) => ({shape} y)
            {{ m = MatMul(frames, w)  y = Relu(m) }}"""
        )
        weight = rng.standard_normal((features, features)).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(weight, "w"))
        done = static.apply(model, Calibration(sequences(features=features), lengths=None))
        check(done.model)
        assert operators(done.model, tmp_path)["MatMulIntegerToFloat"] == kernels
        feed = {"frames": np.stack(sequences(2, features=features))}
        expected, got = session(model).run(None, feed)[0], session(done.model).run(None, feed)[0]
        assert np.abs(got - expected).max() < 0.03 * np.abs(expected).max()


def test_a_dense_layer_that_runs_once_a_sequence_is_storage(exported):
    net = network("gru", hidden=96)  # its head reads one pooled vector
    net.output = torch.nn.Linear(96, 64)
    model = export_whole(net, manifest(labels=tuple(map(str, range(64)))))
    done = static(model, Calibration(sequences()))
    assert "Gemm: 1 weight stored as int8, computed in float32" in done.notes
