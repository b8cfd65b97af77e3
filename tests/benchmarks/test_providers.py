import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import onnxruntime as ort
import pytest
from seqpress.benchmarks import providers
from seqpress.benchmarks.process import ChildFailed
from seqpress.benchmarks.providers import errors, probe, profiling, registry, sessions

# In the CPU builds of onnxruntime this provider is present and takes no ordinary node: a real silent fallback.
AZURE = "AzureExecutionProvider"
needs_azure = pytest.mark.skipif(AZURE not in ort.get_available_providers(), reason="this build has no such provider")


def test_cpu_is_available_and_an_unknown_name_is_an_error():
    assert providers.availability("cpu") == providers.Availability("cpu", True)
    with pytest.raises(providers.ProviderAbsent, match=r"must be one of cpu, cuda, .*; got 'tpu'"):
        providers.availability("tpu")


def test_an_absent_provider_says_what_there_is_and_what_to_do(monkeypatch, models):
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["CPUExecutionProvider"])
    found = providers.availability("cuda")
    assert not found.available
    assert found.reason == (
        "this onnxruntime build has no CUDAExecutionProvider; it offers CPUExecutionProvider; "
        "install onnxruntime-gpu instead of onnxruntime, with the CUDA and cuDNN libraries it was built for"
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


def feeds():
    frames = np.random.default_rng(0).normal(size=(2, 9, 5)).astype(np.float32)
    return {"frames": frames, "lengths": np.array([9, 4])}


def test_a_profile_says_where_the_time_went(models):
    found = providers.profile(models["tcn"], "cpu", 1, feeds())
    assert found.share("CPUExecutionProvider") == 1.0
    assert found.share("CUDAExecutionProvider") == 0.0
    assert (found.copies, found.switches) == (0, 0)
    recorded = providers.placement(providers.session(models["tcn"]), "cpu")
    assert recorded.with_profile(found).sentence == f"{recorded.sentence}, with 100 % of the time in nodes"
    assert "Transpose" in {operator for operator, _ in found.nodes}


@needs_azure
def test_a_profile_convicts_a_provider_that_took_nothing(models):
    where = providers.placement(providers.open_session(models["gru"], AZURE), AZURE)
    found = where.with_profile(providers.profile(models["gru"], AZURE, 1, feeds()))
    assert (found.time_share, found.fell_back) == (0.0, True)
    assert "0 of 6 nodes ran on AzureExecutionProvider, with 0 % of the time in nodes" in found.sentence


def event(at, operator, provider, took, category="Node", name="x_kernel_time"):
    return {"cat": category, "name": name, "ts": at, "dur": took, "args": {"op_name": operator, "provider": provider}}


CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
# One run: a copy in, two nodes on the GPU around one on the CPU, with copies there and back.
ONE_RUN = [
    ("MemcpyFromHost", CUDA, 7),
    ("Conv", CUDA, 40),
    ("MemcpyToHost", CUDA, 5),
    ("Unsqueeze", CPU, 20),
    ("MemcpyFromHost", CUDA, 5),
    ("Gemm", CUDA, 20),
]


def test_copies_and_switches_are_counted_and_the_first_run_is_not():
    slow = [event(at, operator, provider, 10_000) for at, (operator, provider, _) in enumerate(ONE_RUN)]
    later = [
        event(100 * run + at, operator, provider, took)
        for run in (1, 2)
        for at, (operator, provider, took) in enumerate(ONE_RUN)
    ]
    other = [
        event(0, "", "", 9, category="Session", name="model_run"),
        event(1, "Conv", CUDA, 9, name="x_fence_before"),
    ]
    found = profiling.read([*later, *other, *slow], runs=3)
    assert found.time_us == {CUDA: 120.0, CPU: 40.0}
    assert found.share(CUDA) == 0.75
    assert (found.copies, found.switches) == (3, 2)
    assert found.nodes == (("Conv", CUDA), ("Unsqueeze", CPU), ("Gemm", CUDA))
    told = providers.placement(recorded((CUDA, ["Conv", "Gemm"]), (CPU, ["Unsqueeze"])), "cuda").with_profile(found)
    assert told.sentence == (
        "2 of 3 nodes ran on CUDAExecutionProvider, with 75 % of the time in nodes; "
        "a run switches provider 2 times and copies 3 tensors; elsewhere: Unsqueeze on CPUExecutionProvider"
    )
    assert not told.fell_back


def test_nothing_ran_and_nothing_is_divided_by():
    assert profiling.read([], runs=3).share(CPU) == 1.0


def test_without_a_record_the_profile_is_the_proof():
    """As in builds before onnxruntime 1.24."""
    old = SimpleNamespace(get_providers=lambda: [CUDA, CPU])
    where = providers.placement(old, "cuda")
    assert where.sentence == f"this onnxruntime keeps no record of which nodes ran on {CUDA}"
    with pytest.raises(providers.ProviderFellBack, match="keeps no record"):
        providers.proof(old, "cuda")
    on_the_cpu = profiling.Profile({CPU: 5.0}, (("GRU", CPU), ("Gemm", CPU)), 0, 0)
    assert where.with_profile(on_the_cpu).fell_back
    on_the_gpu = profiling.Profile({CUDA: 5.0}, (("GRU", CUDA), ("Gemm", CUDA)), 0, 0)
    proven = where.with_profile(on_the_gpu)
    assert (proven.fell_back, proven.on_provider, proven.nodes, proven.time_share) == (False, 2, 2, 1.0)
    alone = SimpleNamespace(get_providers=lambda: [CPU])
    assert not providers.proof(alone, "cpu").fell_back  # nowhere else to run


def test_options_of_the_shelf_reach_the_session(models, monkeypatch):
    shelf = dict(registry.PROVIDERS)
    shelf["cpu"] = replace(
        shelf["cpu"],
        session_entries={"session.intra_op.allow_spinning": "0"},
        memory_pattern=False,
        own_threads=True,
    )
    monkeypatch.setattr(registry, "PROVIDERS", shelf)
    options = providers.open_session(models["tcn"], threads=2).get_session_options()
    assert (options.intra_op_num_threads, options.enable_mem_pattern) == (1, False)
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert not providers.spinning("cpu")


def test_who_stands_behind_a_provider_comes_before_the_cpu(monkeypatch):
    offered = ["TensorrtExecutionProvider", CUDA, CPU]
    monkeypatch.setattr(ort, "get_available_providers", lambda: offered)
    in_order = sessions._in_order(registry.provider("tensorrt"), 1)
    assert [name for name, _ in in_order] == ["TensorrtExecutionProvider", CUDA]
    assert all(options["device_id"] == "0" for _, options in in_order)
    monkeypatch.setattr(ort, "get_available_providers", lambda: [offered[0], CPU])
    assert [name for name, _ in sessions._in_order(registry.provider("tensorrt"), 1)] == offered[:1]


def test_memory_that_this_build_cannot_reach_is_said_to_be_the_hosts():
    if CUDA in ort.get_available_providers():
        pytest.skip("this build reaches GPUs")
    assert {providers.buffers_on(name) for name in ("cuda", "directml", "migraphx", "webgpu")} == {"cpu"}


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """A package that brings the provider ``qnn`` as a library, and what onnxruntime is asked to do with it."""
    (tmp_path / "onnxruntime_qnn.py").write_text("def get_library_path():\n    return 'libqnn.so'\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sessions, "_registered", set())
    asked = []
    monkeypatch.setattr(ort, "register_execution_provider_library", lambda *told: asked.append(told))
    return asked


def device(kind, name="QNNExecutionProvider"):
    return SimpleNamespace(ep_name=name, device=SimpleNamespace(type=SimpleNamespace(name=kind)))


def test_a_plugin_is_registered_once_and_its_best_device_taken(plugin, monkeypatch):
    devices = [device("CPU", CPU), device("CPU"), device("NPU"), device("GPU")]
    monkeypatch.setattr(ort, "get_ep_devices", lambda: devices)
    wanted = registry.provider("qnn")
    assert sessions.why_absent(wanted) == ""
    assert sessions._plugin_device(wanted) is devices[2]
    assert sessions._plugin_device(wanted) is devices[2]
    assert plugin == [("QNNExecutionProvider", "libqnn.so")]
    # onnxruntime lists a registered library among its own; it still is opened by device
    monkeypatch.setattr(ort, "get_available_providers", lambda: ["QNNExecutionProvider", CPU])
    assert not sessions._is_built_in(wanted)


def test_a_plugin_without_a_device_is_absent(plugin, monkeypatch, models):
    monkeypatch.setattr(ort, "get_ep_devices", lambda: [device("CPU", CPU)])
    with pytest.raises(providers.ProviderAbsent, match="onnxruntime_qnn is installed and finds no device"):
        providers.open_session(models["tcn"], "qnn")


def test_a_provider_that_crashes_or_hangs_takes_nobody_with_it(monkeypatch):
    monkeypatch.setattr(ort, "get_available_providers", lambda: [CUDA, CPU])

    def crash(*asked):
        raise ChildFailed("died", "", "the measuring process ended by signal 11 while trying cuda")

    monkeypatch.setattr(probe.process, "ask", crash)
    found = providers.availability("cuda")
    assert found.reason == (
        f"{CUDA} is present but takes no work here: the measuring process ended by signal 11 while trying cuda"
    )


LOGGED = """\x1b[1;31m2026-01-01 02:10:55.384844115 [E:onnxruntime:Default, provider_bridge_ort.cc:2458 operator()] \
/src/onnxruntime/core/session/provider_bridge_ort.cc:2043 onnxruntime::Provider& onnxruntime::ProviderLibrary::Get() \
[ONNXRuntimeError] : 1 : FAIL : Failed to load library /home/me/venv/onnxruntime/capi/libonnxruntime_providers_cuda.so \
with error: libcublasLt.so.13: cannot open shared object file: No such file or directory
\x1b[m
\x1b[1;31m2026-01-01 02:10:55.391686876 [E:onnxruntime:, inference_session.cc:3181 operator()] This session contains \
graph nodes that are assigned to the default CPU EP, but fallback to CPU EP has been explicitly disabled by the user.\
\x1b[m"""


def test_the_logged_reason_is_heard_where_the_raised_one_says_nothing():
    assert probe.heard(LOGGED, "fallback is disabled") == (
        "Failed to load library libonnxruntime_providers_cuda.so with error: libcublasLt.so.13: "
        "cannot open shared object file: No such file or directory"
    )
    assert probe.heard("", "no kernel") == "no kernel"


def test_a_message_keeps_its_end_and_loses_places():
    failed = "/src/webgpu_context.cc:65 Initialize() status == Success was false. Failed to get an adapter"
    assert errors.tidy(failed) == "Failed to get an adapter"
    long = errors.tidy("x" * 400 + " the reason")
    assert long.startswith("…")
    assert long.endswith("the reason")
    assert len(long) == 300
    assert json.dumps(errors.tidy("C:\\Program Files\\ort\\cudart64.dll is missing")) == '"cudart64.dll is missing"'


def test_unknown_names_of_the_package_are_attribute_errors():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = providers.nothing
