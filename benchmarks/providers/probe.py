"""Can a provider be used here? Anything but the CPU is tried, not believed, in a process of its own.

A provider without its driver or libraries often loads "successfully": onnxruntime logs an error, drops it and goes on
with the CPU. The process hears that error and hands it on; and one that crashes takes nobody with it.
"""

import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import process
from . import registry
from .contract import ProviderAbsent
from .errors import RUNTIME_ERRORS, first_line, tidy
from .sessions import open_session, why_absent

_TIMEOUT_S = 120.0
# onnxruntime's log lines of severity error, up to the message.
_LOGGED = re.compile(r"\[E:[^\]]*?(?:\S+\.(?:cc|cpp|h):\d+ [^\]]*)\] *(.+?)(?:\x1b\[m)?$", re.MULTILINE)
_NOT_A_REASON = "explicitly disabled by the user"


@dataclass(frozen=True)
class Availability:
    """Whether a provider can be used here, and why not; ``reason`` is empty where it can."""

    name: str
    available: bool
    reason: str = ""


def availability(name: str) -> Availability:
    """Can this provider be used here?

    Raises:
        ProviderAbsent: there is no provider of that name at all.

    >>> availability("cpu").available
    True
    """
    wanted = registry.provider(name)
    if absence := why_absent(wanted):
        return Availability(name, False, absence)
    if wanted.execution_provider == "CPUExecutionProvider":
        return Availability(name, True)
    with tempfile.TemporaryDirectory(prefix="seqpress-probe-") as scratch:
        try:
            found = process.ask(process.python(__name__), {"provider": name}, _TIMEOUT_S, Path(scratch))
            reason = str(found["reason"])
        except process.ChildFailed as failure:
            reason = failure.reason
    if not reason:
        return Availability(name, True)
    return Availability(name, False, f"{wanted.execution_provider} is present but takes no work here: {reason}")


def try_one_node(name: str) -> str:
    """Why the provider does not run a matrix product by itself; empty where it does."""
    entries = {"session.disable_cpu_ep_fallback": "1"}
    try:
        open_session(_one_node_model(), name, entries=entries)
    except ProviderAbsent as error:
        return str(error)
    except RUNTIME_ERRORS as error:
        return first_line(error)
    return ""


def heard(logged: str, raised: str) -> str:
    """The more telling one of what onnxruntime logged and what it raised.

    >>> heard("[E:onnxruntime:Default, a.cc:2 f()] libcudart.so.13: not found", "fallback … disabled")
    'libcudart.so.13: not found'
    """
    told = [tidy(line) for line in _LOGGED.findall(logged) if _NOT_A_REASON not in line]
    return told[0] if told else raised


def _probe(job: dict[str, Any], say: process.Say) -> dict[str, Any]:
    say("", f"trying {job['provider']}")
    with tempfile.TemporaryFile() as log:
        stderr = os.dup(2)
        os.dup2(log.fileno(), 2)  # onnxruntime logs past Python
        try:
            raised = try_one_node(str(job["provider"]))
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
        log.seek(0)
        logged = log.read().decode(errors="replace")
    return {"reason": heard(logged, raised) if raised else ""}


def _one_node_model() -> bytes:
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 2]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "x"], ["y"])], "probe", ends[:1], ends[1:])
    opset = helper.make_opsetid("", 18)
    return helper.make_model(graph, opset_imports=[opset], ir_version=8).SerializeToString()


if __name__ == "__main__":
    process.serve(_probe)
