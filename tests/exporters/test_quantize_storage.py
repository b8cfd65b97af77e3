"""Narrow storage: numbers come back within half a step, and int4 is packed as ONNX wants it."""

import numpy as np
import onnx
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as hnp
from onnx import TensorProto, numpy_helper
from seqpress.exporters.quantize.storage import (
    pack_int4,
    quantize_rows,
    quantize_rows_int4,
    store_float16,
    store_int4,
    store_int8,
)
from seqpress.exporters.quantize.weights import weights

matrices = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=2, max_dims=3, max_side=6), elements=st.floats(-1e3, 1e3, width=32)
)


@given(matrices)
@settings(max_examples=60, deadline=None)
def test_rows_come_back_within_half_a_step(weight):
    axes = tuple(range(1, weight.ndim))
    integers, scale = quantize_rows(weight, axes)
    assert integers.min() >= -127
    back = integers.astype(np.float32) * scale
    assert (np.abs(back - weight) <= 0.5 * scale * (1 + 1e-5)).all()


def test_a_row_of_zeros_stays_zeros():
    integers, scale = quantize_rows(np.zeros((2, 3), np.float32), (1,))
    assert not integers.any()
    assert np.isfinite(scale).all()


def test_no_scale_is_below_the_least_asked_for():
    weight = np.array([[1e-6, 0.0], [1.0, -1.0]], np.float32)
    integers, scale = quantize_rows(weight, (1,), least=np.array([[0.01], [0.001]], np.float32))
    np.testing.assert_allclose(scale[:, 0], [0.01, 1 / 127])
    assert not integers[0].any()


@given(matrices)
@settings(max_examples=60, deadline=None)
def test_int4_is_no_worse_than_the_plain_scale(weight):
    axes = tuple(range(1, weight.ndim))
    integers, scale = quantize_rows_int4(weight, axes)
    assert integers.min() >= -8
    assert integers.max() <= 7
    assert np.isfinite(scale).all()
    plain = np.maximum(np.abs(weight).max(axis=axes, keepdims=True), 1e-30) / 7

    def squared(steps, by):
        return np.square(steps * by - weight, dtype=np.float64).sum(axis=axes)

    assert (squared(integers, scale) <= squared(np.rint(weight / plain), plain) * (1 + 1e-4) + 1e-6).all()


@given(hnp.arrays(np.int8, hnp.array_shapes(max_dims=3, max_side=7), elements=st.integers(-8, 7)))
@settings(max_examples=80, deadline=None)
def test_packed_int4_reads_back(integers):
    packed = TensorProto(data_type=TensorProto.INT4, dims=integers.shape, raw_data=pack_int4(integers), name="w")
    onnx.checker.check_tensor(packed)
    np.testing.assert_array_equal(numpy_helper.to_array(packed).astype(np.int8), integers)


def test_float16_keeps_what_is_too_large_finite():
    model = onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["":20]> g (float[b,2] x) => (float[b,1] y)
        <float[2,1] w = {1e6, -1e6}> { y = MatMul(x, w) }"""
    )
    store_float16(model, "w", (0,))
    halves = numpy_helper.to_array(model.graph.initializer[0])
    assert halves.ravel().tolist() == [65504.0, -65504.0]


@pytest.mark.parametrize("store", [store_int8, store_int4, store_float16])
def test_storage_keeps_the_name_that_readers_use(exported, store):
    model = onnx.ModelProto()
    model.CopyFrom(exported["gru"][1])
    model.opset_import[0].version = 21
    store(model, "output.weight", (1,))
    onnx.checker.check_model(model, full_check=True)
    assert "output.weight" not in {tensor.name for tensor in model.graph.initializer}


@pytest.mark.parametrize(
    ("operator", "shape", "axes"),
    [
        ("y = Gemm <transB = 1> (x, w)", [3, 2], (1,)),
        ("y = Gemm (x, w)", [2, 3], (0,)),
        ("y = MatMul (x, w)", [2, 3], (0,)),
        ("y = MatMul (x, w)", [4, 2, 3], (1,)),
        ("y = Conv (x, w)", [3, 2, 5], (1, 2)),
        ("y = ConvTranspose (x, w)", [2, 3, 5], (0, 2)),
        ("y = Gather (w, x)", [9, 3], (1,)),
        ("y = GRU <hidden_size = 4> (x, w, r)", [1, 12, 3], (2,)),
    ],
)
def test_each_output_keeps_a_scale_of_its_own(operator, shape, axes):
    model = onnx.parser.parse_model(
        f'<ir_version: 10, opset_import: ["":20]> g (float[n] x) => (float[m] y) {{ {operator} }}'
    )
    model.graph.initializer.append(numpy_helper.from_array(np.ones(shape, np.float32), "w"))
    (found,) = weights(model)
    assert found.axes == axes
