from types import SimpleNamespace

import numpy as np
import onnxruntime as ort
import pytest
from seqpress.benchmarks import providers

# In the CPU builds of onnxruntime this provider is present and takes no ordinary node: a real silent fallback.
AZURE = "AzureExecutionProvider"
needs_azure = pytest.mark.skipif(AZURE not in ort.get_available_providers(), reason="this build has no such provider")


def test_cpu_is_available_and_an_unknown_name_is_an_error():
    assert providers.availability("cpu") == providers.Availability("cpu", True)
    with pytest.raises(providers.ProviderAbsent, match="must be one of cpu, cuda; got 'tpu'"):
        providers.availability("tpu")


def test_an_absent_provider_says_what_there_is_and_what_to_do(monkeypatch, models):
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CPUExecutionProvider"])
    found = providers.availability("cuda")
    assert not found.available
    assert found.reason == (
        "this onnxruntime build has no CUDAExecutionProvider; it offers CPUExecutionProvider; "
        "install onnxruntime-gpu and its CUDA libraries"
    )
    with pytest.raises(providers.ProviderAbsent, match="has no CUDAExecutionProvider"):
        providers.session(models["gru"], "cuda")


@needs_azure
def test_a_provider_that_takes_no_work_is_not_available():
    found = providers.availability(AZURE)
    assert not found.available
    assert "takes no work here" in found.reason


@needs_azure
def test_a_silent_fallback_raises(models):
    with pytest.raises(providers.ProviderFellBack, match=r"0 of \d+ nodes ran on Azure.*GRU on CPUExecutionProvider"):
        providers.session(models["gru"], AZURE)


def test_the_proof_names_every_node(models):
    made = providers.session(models["gru"])
    where = providers.placement(made, "cpu")
    assert where.share == 1.0
    assert where.nodes >= 4
    assert where.sentence == f"{where.nodes} of {where.nodes} nodes ran on CPUExecutionProvider"


def recorded(*parts):
    """A session's assignment record: (provider, operators) pairs."""
    made = [
        SimpleNamespace(ep_name=name, get_nodes=lambda ops=ops: [SimpleNamespace(op_type=op) for op in ops])
        for name, ops in parts
    ]
    return SimpleNamespace(get_provider_graph_assignment_info=lambda: made)


@pytest.mark.parametrize(
    ("parts", "fell_back"),
    [
        ([("CUDAExecutionProvider", ["Conv", "Gemm"])], False),
        ([("CUDAExecutionProvider", ["Conv"]), ("CPUExecutionProvider", ["Shape", "Gather"])], False),
        ([("CUDAExecutionProvider", ["Gemm", "Softmax"]), ("CPUExecutionProvider", ["GRU"])], True),
        ([("CPUExecutionProvider", ["Shape"])], True),
        ([], False),
    ],
)
def test_fallback_is_about_the_nodes_that_hold_weights(parts, fell_back):
    assert providers.placement(recorded(*parts), "cuda").fell_back is fell_back


def test_session_options_are_those_stated(models):
    options = providers.session(models["tcn"], threads=2).get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (2, 1)
    assert options.graph_optimization_level == ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "1"
    with pytest.raises(ValueError, match="threads must be 1 or more; got 0"):
        providers.session(models["tcn"], threads=0)


def test_bound_buffers_compute_what_run_does(models):
    made = providers.session(models["tcn"])
    rng = np.random.default_rng(0)
    feeds = {
        "frames": rng.normal(size=(3, 9, 5)).astype(np.float32),
        "lengths": np.array([9, 4, 1]),
        "other": np.zeros(1),
    }
    binding = providers.bind(made, "cpu", feeds)
    made.run_with_iobinding(binding)
    plain = made.run(None, providers.pick(made, feeds))
    np.testing.assert_array_equal(binding.copy_outputs_to_cpu()[0], plain[0])


def test_a_missing_feed_is_named(models):
    with pytest.raises(ValueError, match="wants inputs lengths; feeds hold frames"):
        providers.pick(providers.session(models["tcn"]), {"frames": np.zeros((1, 2, 5), np.float32)})


def test_what_onnxruntime_raises_is_known(models, tmp_path):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(models["gru"].read_bytes()[:300])
    for path in (broken, tmp_path / "absent.onnx"):
        with pytest.raises(providers.RUNTIME_ERRORS):
            providers.session(path)
    assert providers.first_line(ValueError("")) == "ValueError"
