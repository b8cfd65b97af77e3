"""The process of one scenario: ``python -m seqpress.benchmarks.scenarios.child`` reads a job, writes the result.

It pins itself before anything else and imports only the scenario that is asked for.
"""

from importlib import import_module
from typing import Any

from ..process import Say, pin, serve
from .contract import Missing


def work(job: dict[str, Any], say: Say) -> dict[str, Any]:
    """Run the child's half of a scenario; ``missing`` in place of ``found`` where it says why not."""
    pin(job["threads"])
    module = import_module(f".{job['scenario'].replace('-', '_')}", __package__)
    try:
        return {"found": module.child(job, say)}
    except Missing as reason:
        return {"missing": str(reason)}


if __name__ == "__main__":
    serve(work)
