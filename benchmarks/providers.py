"""Sessions on an execution provider, and the proof that the work really ran there.

onnxruntime gives what a provider cannot run to the CPU, and says so with a warning at most. Here a provider
counts as used only if the graph assignment that onnxruntime records names it.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as _c

EXECUTION_PROVIDERS: Mapping[str, str] = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}

# What to do about a provider that this build has not.
_HOW_TO_GET = {"cuda": "install onnxruntime-gpu and its CUDA libraries"}

# Operators that hold the weights. One of these elsewhere and the time measured is another provider's; shape
# arithmetic elsewhere is what onnxruntime does on purpose.
_HEAVY = frozenset(
    [
        "Attention",
        "Conv",
        "ConvInteger",
        "ConvTranspose",
        "DynamicQuantizeLSTM",
        "DynamicQuantizeMatMul",
        "Einsum",
        "FusedConv",
        "FusedMatMul",
        "GRU",
        "Gemm",
        "LSTM",
        "Loop",
        "MatMul",
        "MatMulInteger",
        "MatMulIntegerToFloat",
        "MatMulNBits",
        "MultiHeadAttention",
        "QGemm",
        "QLinearConv",
        "QLinearMatMul",
        "RNN",
        "Scan",
    ]
)

# onnxruntime's own exceptions have no common base but Exception, and not every build has all of them.
_NAMES = [
    "EPFail",
    "EngineError",
    "Fail",
    "InvalidArgument",
    "InvalidGraph",
    "InvalidProtobuf",
    "ModelLoadCanceled",
    "NoModel",
    "NoSuchFile",
    "NotFound",
    "NotImplemented",
    "RuntimeException",
]
RUNTIME_ERRORS: tuple[type[Exception], ...] = (
    *(getattr(_c, name) for name in _NAMES if hasattr(_c, name)),
    MemoryError,
    RuntimeError,
    ValueError,
)

Feeds = Mapping[str, NDArray[Any]]


class ProviderAbsent(ValueError):
    """The provider asked for is unknown, not in this onnxruntime build, or does not work on this machine."""


class ProviderFellBack(ValueError):
    """The provider is present, and other providers ran the work."""


@dataclass(frozen=True)
class Availability:
    """Whether a provider can be used here, and why not; ``reason`` is empty where it can."""

    name: str
    available: bool
    reason: str = ""


@dataclass(frozen=True)
class Placement:
    """Where a session's nodes ran, after constant folding and before provider-specific fusion."""

    provider: str  # execution provider asked for
    nodes: int
    on_provider: int
    elsewhere: tuple[str, ...]  # "GRU on CPUExecutionProvider", one for each kind
    heavy_elsewhere: tuple[str, ...]  # those of them that hold weights

    @property
    def share(self) -> float:
        """Share of nodes on the provider asked for, 0 to 1; 1 for a graph with nothing left to run."""
        return self.on_provider / self.nodes if self.nodes else 1.0

    @property
    def fell_back(self) -> bool:
        return bool(self.heavy_elsewhere) or (self.nodes > 0 and self.on_provider == 0)

    @property
    def sentence(self) -> str:
        """The proof in words: ``38 of 38 nodes ran on CPUExecutionProvider``."""
        text = f"{self.on_provider} of {self.nodes} nodes ran on {self.provider}"
        return text + (f"; elsewhere: {', '.join(self.elsewhere)}" if self.elsewhere else "")


def execution_provider(name: str) -> str:
    """onnxruntime's name of a provider; a full ``…ExecutionProvider`` name passes as it is.

    >>> execution_provider("cuda")
    'CUDAExecutionProvider'
    """
    if name in EXECUTION_PROVIDERS:
        return EXECUTION_PROVIDERS[name]
    if name.endswith("ExecutionProvider"):
        return name
    raise ProviderAbsent(f"provider must be one of {', '.join(EXECUTION_PROVIDERS)}; got {name!r}")


def availability(name: str) -> Availability:
    """Can this provider be used here? Anything but the CPU is tried on a one-node graph, not believed.

    >>> availability("cpu").available
    True
    """
    wanted, offered = execution_provider(name), ort.get_available_providers()
    if wanted not in offered:
        how = _HOW_TO_GET.get(name, "")
        reason = f"this onnxruntime build has no {wanted}; it offers {', '.join(sorted(offered))}"
        return Availability(name, False, reason + (f"; {how}" if how else ""))
    if wanted == "CPUExecutionProvider":
        return Availability(name, True)
    options = _options(threads=1)
    options.log_severity_level = 4  # the refusal is the answer here, not news for stderr
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    try:
        ort.InferenceSession(_one_node_model(), options, providers=[wanted], enable_fallback=0)
    except RUNTIME_ERRORS as error:
        said = first_line(error)
        return Availability(name, False, f"{wanted} is in this build but takes no work here: {said}")
    return Availability(name, True)


def session(model: Path | str, provider: str = "cpu", threads: int = 1) -> ort.InferenceSession:
    """A session set as a deployment would set it, on the provider asked for or not at all.

    Raises:
        ProviderAbsent: the provider is unknown or not in this build.
        ProviderFellBack: it is, and took no node, or not those that hold the weights.
        one of RUNTIME_ERRORS: the file is missing or onnxruntime refuses it.
    """
    made = open_session(model, provider, threads)
    proof(made, provider)
    return made


def open_session(model: Path | str, provider: str = "cpu", threads: int = 1) -> ort.InferenceSession:
    """`session` without the proof, so that load time is that of loading alone.

    Intra-op threads as given, inter-op one, spinning on (onnxruntime's default, stated), every graph
    optimization, all else default.
    """
    wanted = execution_provider(provider)
    if wanted not in ort.get_available_providers():
        raise ProviderAbsent(availability(provider).reason)
    if threads < 1:
        raise ValueError(f"threads must be 1 or more; got {threads}")
    return ort.InferenceSession(str(model), _options(threads), providers=[wanted], enable_fallback=0)


def proof(made: ort.InferenceSession, provider: str) -> Placement:
    """The placement, where it shows that the provider did the work; else ProviderFellBack."""
    where = placement(made, provider)
    if where.fell_back:
        raise ProviderFellBack(f"{where.provider} was asked for and did not do the work: {where.sentence}")
    return where


def placement(made: ort.InferenceSession, provider: str) -> Placement:
    """Where the nodes of a session made here were assigned, as recorded by onnxruntime."""
    wanted = execution_provider(provider)
    here, elsewhere, heavy = 0, Counter[str](), Counter[str]()
    for part in made.get_provider_graph_assignment_info():
        for node in part.get_nodes():
            if part.ep_name == wanted:
                here += 1
                continue
            elsewhere[f"{node.op_type} on {part.ep_name}"] += 1
            if node.op_type in _HEAVY:
                heavy[f"{node.op_type} on {part.ep_name}"] += 1
    return Placement(wanted, here + elsewhere.total(), here, tuple(sorted(elsewhere)), tuple(sorted(heavy)))


def bind(made: ort.InferenceSession, provider: str, feeds: Feeds) -> ort.IOBinding:
    """Inputs and outputs bound once, on the provider's own memory: what a real deployment loops over.

    Output shapes are learned from one plain run. Feeds that the model has no input for are left out.
    """
    device = "cuda" if execution_provider(provider) == "CUDAExecutionProvider" else "cpu"
    given = pick(made, feeds)
    shapes = made.run(None, given)
    binding = made.io_binding()
    for name, array in given.items():
        binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array, device, 0))
    for output, array in zip(made.get_outputs(), shapes, strict=True):
        room = ort.OrtValue.ortvalue_from_numpy(np.zeros_like(array), device, 0)
        binding.bind_ortvalue_output(output.name, room)
    return binding


def pick(made: ort.InferenceSession, feeds: Feeds) -> dict[str, NDArray[Any]]:
    """The feeds that this model has inputs for, contiguous.

    Raises:
        ValueError: an input has no feed.
    """
    names = [one.name for one in made.get_inputs()]
    missing = [name for name in names if name not in feeds]
    if missing:
        raise ValueError(f"the model wants inputs {', '.join(missing)}; feeds hold {', '.join(feeds)}")
    return {name: np.ascontiguousarray(feeds[name]) for name in names}


def first_line(error: Exception) -> str:
    """What onnxruntime said, without its prefix and stack."""
    said = str(error).strip().splitlines()
    return (said[0] if said else type(error).__name__).removeprefix("[ONNXRuntimeError] : ")[:300]


def _options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    return options


def _one_node_model() -> bytes:
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 2]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "x"], ["y"])], "probe", ends[:1], ends[1:])
    opset = helper.make_opsetid("", 18)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()
