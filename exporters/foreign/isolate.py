"""Where foreign models run: a child process with limits. Its crash is an answer about the model, not the end of us.

``python -m …isolate`` reads one job on stdin, calls the function, and prints what it returned as the last line.
"""

import json
import os
import resource
import subprocess
import sys
from importlib import import_module
from typing import Any

_CHILD = (sys.executable, "-P", "-m", f"{__package__}.isolate")
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
MEMORY_BYTES = 8 * 2**30  # of address space; a session takes one or two before it holds a weight
TIMEOUT_S = 120.0


class ChildFailed(ValueError):
    """The child gave no answer: it raised, was killed, or took too long. The text is its last word."""


def call(
    entry: str, arguments: list[Any], *, timeout_s: float = TIMEOUT_S, memory_bytes: int | None = MEMORY_BYTES
) -> Any:
    """Call a function of this package in a child process.

    Args:
        entry: "module:function", the module by its full name.
        arguments: what JSON can carry; so must be what the function returns.
        timeout_s: the child is killed then.
        memory_bytes: of address space; ``None`` where a provider maps more than it uses, as CUDA does.

    Raises:
        ChildFailed: no answer came back.
    """
    job = json.dumps({"entry": entry, "arguments": arguments, "memory_bytes": memory_bytes})
    try:
        done = subprocess.run(
            _CHILD, input=job.encode(), capture_output=True, timeout=timeout_s, env={**os.environ, **_ONE_THREAD}
        )
    except subprocess.TimeoutExpired as error:
        raise ChildFailed(f"no answer after {timeout_s:g} s") from error
    if done.returncode < 0:
        raise ChildFailed(f"the process was killed by signal {-done.returncode}")
    said = (done.stderr if done.returncode else done.stdout).decode(errors="replace").strip().splitlines()
    last = said[-1] if said else "no word"
    if done.returncode:
        raise ChildFailed(ascii(last)[1:-1][:300])
    return json.loads(last)


def _main() -> None:
    job = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if job["memory_bytes"] is not None:
        resource.setrlimit(resource.RLIMIT_AS, (job["memory_bytes"],) * 2)
    module, _, function = job["entry"].partition(":")
    print(json.dumps(getattr(import_module(module), function)(*job["arguments"])))


if __name__ == "__main__":
    _main()
