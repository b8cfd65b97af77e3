"""Sessions on an execution provider, set as a deployment would set them, and their buffers."""

import importlib
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import OrtDevice

from . import registry
from .assignment import proof
from .contract import Provider, ProviderAbsent
from .errors import RUNTIME_ERRORS

Feeds = Mapping[str, NDArray[Any]]

_SPINNING = "session.intra_op.allow_spinning"
# Why a buffer cannot be made on a device; TypeError: a build too old to be told the device's maker.
_NO_BUFFER: tuple[type[Exception], ...] = (*RUNTIME_ERRORS, TypeError)


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


def open_session(
    model: Path | str | bytes,
    provider: str = "cpu",
    threads: int = 1,
    *,
    profile_prefix: str = "",
    entries: Mapping[str, str] | None = None,
) -> ort.InferenceSession:
    """`session` without the proof, so that load time is that of loading alone.

    Intra-op threads as given, inter-op one, spinning on (onnxruntime's default, stated), every graph
    optimization, then what the provider's file on the shelf says; all else default.

    Args:
        model: a file, or its bytes.
        provider: a name of the shelf, or onnxruntime's own.
        threads: from 1.
        profile_prefix: where onnxruntime shall write a profile; nowhere where empty.
        entries: more session configuration.
    """
    wanted = registry.provider(provider)
    if absence := why_absent(wanted):
        raise ProviderAbsent(absence)
    if threads < 1:
        raise ValueError(f"threads must be 1 or more; got {threads}")
    options = _session_options(wanted, threads, entries or {})
    if profile_prefix:
        options.enable_profiling = True
        options.profile_file_prefix = profile_prefix
    source = model if isinstance(model, bytes) else str(model)
    if _is_built_in(wanted):
        return ort.InferenceSession(source, options, providers=_in_order(wanted, threads), enable_fallback=0)
    options.add_provider_for_devices([_plugin_device(wanted)], wanted.options(threads))
    return ort.InferenceSession(source, options, enable_fallback=0)


def why_absent(wanted: Provider) -> str:
    """Why this installation has no such provider, and what to do; empty where it has it, working or not."""
    if _is_built_in(wanted) or (wanted.plugin and find_spec(wanted.plugin) is not None):
        return ""
    offered = ", ".join(sorted(ort.get_available_providers()))
    reason = f"this onnxruntime build has no {wanted.execution_provider}; it offers {offered}"
    return reason + (f"; {wanted.how_to_get}" if wanted.how_to_get else "")


def bind(made: ort.InferenceSession, provider: str, feeds: Feeds) -> ort.IOBinding:
    """Inputs and outputs bound once, on the provider's own memory: what a real deployment loops over.

    Output shapes are learned from one plain run. Feeds that the model has no input for are left out. Where the
    build cannot place buffers there from Python, they lie in host memory: ask `buffers_on`.
    """
    wanted = registry.provider(provider)
    on_device = buffers_on(provider) != "cpu"
    given = pick(made, feeds)
    shapes = made.run(None, given)
    binding = made.io_binding()
    for name, array in given.items():
        binding.bind_ortvalue_input(name, _buffer(array, wanted if on_device else None))
    for output, array in zip(made.get_outputs(), shapes, strict=True):
        binding.bind_ortvalue_output(output.name, _buffer(np.zeros_like(array), wanted if on_device else None))
    return binding


@cache
def buffers_on(provider: str) -> str:
    """Device type of the memory that `bind` places buffers in: the provider's, or ``cpu`` where that cannot be.

    >>> buffers_on("cpu")
    'cpu'
    """
    wanted = registry.provider(provider)
    if wanted.device == "cpu" or not hasattr(OrtDevice, wanted.device):
        return "cpu"
    try:
        _buffer(np.zeros(1, np.float32), wanted)
    except _NO_BUFFER:
        return "cpu"
    return wanted.device


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


def spinning(provider: str) -> bool:
    """Whether onnxruntime's threads spin while they wait, in a session on this provider."""
    return registry.provider(provider).session_entries.get(_SPINNING, "1") == "1"


def _session_options(wanted: Provider, threads: int, entries: Mapping[str, str]) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1 if wanted.own_threads else threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.enable_mem_pattern = wanted.memory_pattern
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    common = {_SPINNING: "1", "session.record_ep_graph_assignment_info": "1"}
    for key, value in (common | dict(wanted.session_entries) | dict(entries)).items():
        options.add_session_config_entry(key, value)
    return options


def _in_order(wanted: Provider, threads: int) -> list[tuple[str, dict[str, str]]]:
    """The provider and those behind it that this build has; onnxruntime adds the CPU."""
    offered = ort.get_available_providers()
    behind = [registry.provider(name) for name in wanted.behind]
    kept = [wanted, *(one for one in behind if one.execution_provider in offered)]
    return [(one.execution_provider, one.options(threads)) for one in kept]


_registered: set[str] = set()  # libraries of this process: onnxruntime takes each once, and lists it from then on


def _is_built_in(wanted: Provider) -> bool:
    return wanted.execution_provider in ort.get_available_providers() and wanted.execution_provider not in _registered


def _plugin_device(wanted: Provider) -> "ort.OrtEpDevice":
    if wanted.execution_provider not in _registered:
        module = importlib.import_module(wanted.plugin)
        ort.register_execution_provider_library(wanted.execution_provider, module.get_library_path())
        _registered.add(wanted.execution_provider)
    devices = [one for one in ort.get_ep_devices() if one.ep_name == wanted.execution_provider]
    if not devices:
        raise ProviderAbsent(f"{wanted.plugin} is installed and finds no device here that it can use")
    kinds = [one.device.type.name for one in devices]
    ranks = [wanted.plugin_devices.index(kind) if kind in wanted.plugin_devices else len(kinds) for kind in kinds]
    return devices[ranks.index(min(ranks))]


def _buffer(array: NDArray[Any], wanted: Provider | None) -> ort.OrtValue:
    if wanted is None or wanted.device == "cpu":
        return ort.OrtValue.ortvalue_from_numpy(array, "cpu", 0)
    maker = {} if wanted.vendor < 0 else {"vendor_id": wanted.vendor}
    return ort.OrtValue.ortvalue_from_numpy(array, wanted.device, 0, **maker)
