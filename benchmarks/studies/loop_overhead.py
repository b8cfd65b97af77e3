"""What does our timing loop add to a call? python benchmarks/studies/loop_overhead.py [--quick]

One `Add` on one element with bound buffers is as little as onnxruntime can run, so whatever the loop adds shows.
Blocks of three loops take turns in random order in one process on one pinned core: the child's own `_block`, as it
times every contender; the barest loop that still reads the clock around every call; and one that reads it twice in
all, which knows a mean but no percentile. Each gives one number a block, the first two their p50; what is shown is
the median difference over blocks with its 99 % interval. Prints a card and one JSON line.
"""

import gc
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import cycle
from typing import Any

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper
from seqpress.benchmarks.child import _block
from seqpress.benchmarks.providers import bind
from seqpress.benchmarks.statistics import percentile

RUNS = 1000
Row = dict[str, Any]


def main() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    rounds = 41 if "--quick" in sys.argv else 301
    session = trivial()
    bindings = [bind(session, "cpu", {"x": np.ones(1, np.float32)}) for _ in range(4)]
    calls = cycle([partial(session.run_with_iobinding, one) for one in bindings])
    loops: dict[str, Callable[[], float]] = {
        "ours": lambda: statistics.median(_block(calls, RUNS)) / 1e3,
        "bare": lambda: bare(session, bindings[0]),
        "mean": lambda: mean(session, bindings[0]),
    }
    took: dict[str, list[float]] = {name: [] for name in loops}
    order = random.Random(0)
    gc.disable()
    for _ in range(rounds):
        for name in order.sample(list(loops), len(loops)):
            took[name].append(loops[name]())
    rows = [
        difference("p50 in our loop against p50 in a bare loop", took["ours"], took["bare"], most=0.3),
        difference("p50 in our loop against the mean without a clock inside", took["ours"], took["mean"]),
        *(difference(f"the call itself, {name}", took[name]) for name in loops),
    ]
    for row in rows:
        mark = "shown" if row["holds"] is None else "ok   " if row["holds"] else "MISS "
        print(f"{mark}  {row['what']:<58} {row['measured']:<40} {row['bound']}")
    print(json.dumps(rows))


def trivial() -> ort.InferenceSession:
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "trivial", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def bare(session: ort.InferenceSession, binding: ort.IOBinding) -> float:
    """p50 in µs of as plain a loop as Python has around the call."""
    clock, times = time.perf_counter_ns, []
    for _ in range(RUNS):
        start = clock()
        session.run_with_iobinding(binding)
        end = clock()
        times.append(end - start)
    return statistics.median(times) / 1e3


def mean(session: ort.InferenceSession, binding: ort.IOBinding) -> float:
    """µs a call, loop included."""
    start = time.perf_counter_ns()
    for _ in range(RUNS):
        session.run_with_iobinding(binding)
    return (time.perf_counter_ns() - start) / RUNS / 1e3


def difference(
    what: str, ours: list[float], theirs: list[float] | None = None, most: float | None = None
) -> dict[str, Any]:
    """Median over blocks, of one loop or of one minus another."""
    values = ours if theirs is None else [a - b for a, b in zip(ours, theirs, strict=True)]
    found = percentile(values, 50)
    return {
        "what": what,
        "measured": f"{found.value_us:+.3f} µs [{found.low_us:+.3f}, {found.high_us:+.3f}]",
        "bound": "" if most is None else f"at most +{most:g} µs",
        "holds": None if most is None else bool(found.high_us is not None and found.high_us <= most),
        "value": found.value_us,
    }


if __name__ == "__main__":
    main()
