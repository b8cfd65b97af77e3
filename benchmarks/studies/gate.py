"""Can noise fool the gate? python benchmarks/studies/gate.py [--quick | --aa N --ten N --four N] [--json F [--resume]]

A GRU of about 50 µs stands against its byte-identical copy, against itself with 10 % of real extra work, and with 4 %,
at a tolerance of 5 %: each gate is the one of a release, `compare.timings` and then Holm. Every second gate runs with a
busy neighbour on each core. How much slower the variants truly are is measured apart, first, over 40 processes in
silence and 40 among the neighbours, and they are made again until both intervals lie where the table says.
``--json`` appends a line per gate; ``--resume`` goes on after those that the file already has, with its models.
``--limit`` is the gate's own: no look is begun that would end later than so many seconds.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from seqpress.benchmarks.compare import timings
from seqpress.benchmarks.feeds import Point, grid
from seqpress.benchmarks.statistics import Estimate, holm, wilson

TOLERANCE, CONFIDENCE = 0.05, 0.99
FEATURES, CLASSES, FRAMES, HIDDEN = 12, 9, 48, 72
# The truth that a variant's whole calibrated interval must lie in, and what to aim at.
TRUTHS = {"ten": (1.100, 1.125, 1.110), "four": (1.030, 1.050, 1.040)}
LOADS = ("quiet", "busy")
Row = dict[str, Any]

SPIN = "while True: pass"
TOUCH = "import numpy as np\na = np.ones(1 << 23)\nwhile True: a += 1.0"  # 64 MiB: beyond the caches


def main() -> None:
    chosen = arguments()
    wanted = {"aa": chosen.aa, "ten": chosen.ten, "four": chosen.four}
    rows = read(chosen.json) if chosen.resume else []
    if chosen.json and not chosen.resume:
        chosen.json.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save(folder / "base.onnx", 0)
        save(folder / "aa.onnx", 0)
        for truth in TRUTHS:
            if wanted[truth]:
                calibrated(truth, folder, rows, chosen.json)
        for cell, number in turns(wanted):
            if not any((row["cell"], row.get("gate")) == (cell, number) for row in rows):
                note(gate(cell, number, folder, chosen.limit), rows, chosen.json)
    card(rows, wanted)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="10 gates of each kind")
    for name, count in (("aa", 300), ("ten", 100), ("four", 200)):
        parser.add_argument(f"--{name}", type=int, default=None, help=f"gates of this kind, {count} unless told")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--limit", type=float, default=inf)
    parser.add_argument("--resume", action="store_true")
    chosen = parser.parse_args()
    if chosen.resume and not chosen.json:
        parser.error("--resume needs --json")
    for name, count in (("aa", 300), ("ten", 100), ("four", 200)):
        if getattr(chosen, name) is None:
            setattr(chosen, name, 10 if chosen.quick else count)
    return chosen


def turns(wanted: dict[str, int]) -> Iterator[tuple[str, int]]:
    """All gates of all kinds, spread evenly over the study."""
    places = [((number + 0.5) / count, cell, number) for cell, count in wanted.items() for number in range(count)]
    for _, cell, number in sorted(places):
        yield cell, number


# -- models ----------------------------------------------------------------------------------------------


def save(path: Path, extra: int) -> None:
    """The GRU; with ``extra`` above 0, one more product of the frames with that many columns, beside it."""
    rng = np.random.default_rng(0)

    def weights(name: str, *shape: int) -> TensorProto:
        return numpy_helper.from_array((rng.normal(size=shape) / np.sqrt(shape[-1])).astype(np.float32), name)

    ends = [
        helper.make_tensor_value_info("frames", TensorProto.FLOAT, ["batch", "time", FEATURES]),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", CLASSES]),
    ]
    nodes = [
        helper.make_node("Transpose", ["frames"], ["x"], perm=[1, 0, 2]),
        helper.make_node("GRU", ["x", "W", "R", "B"], ["", "last"], hidden_size=HIDDEN, linear_before_reset=1),
        helper.make_node("Squeeze", ["last", "direction"], ["pooled"]),
        helper.make_node("Gemm", ["pooled", "head", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    stored = [
        weights("W", 1, 3 * HIDDEN, FEATURES),
        weights("R", 1, 3 * HIDDEN, HIDDEN),
        weights("B", 1, 6 * HIDDEN),
        weights("head", HIDDEN, CLASSES),
        weights("bias", CLASSES),
        numpy_helper.from_array(np.array([0]), "direction"),
    ]
    if extra:
        nodes.append(helper.make_node("MatMul", ["frames", "more"], ["extra"]))
        stored.append(weights("more", FEATURES, extra))
        ends.append(helper.make_tensor_value_info("extra", TensorProto.FLOAT, ["batch", "time", extra]))
    graph = helper.make_graph(nodes, "gate", ends[:1], ends[1:], stored)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), str(path))


def points() -> tuple[Point, ...]:
    rng = np.random.default_rng(1)
    values = rng.standard_normal((50 * FRAMES, FEATURES)).astype(np.float32)
    return tuple(
        Point(one.batch, one.length, tuple({"frames": feeds["frames"]} for feeds in one.feeds))
        for one in grid(values, np.arange(0, 50 * FRAMES + 1, FRAMES), (1,), (FRAMES,))
    )


# -- the truth -------------------------------------------------------------------------------------------


def calibrated(truth: str, folder: Path, rows: list[Row], file: Path | None) -> None:
    """Put the variant into the folder: as the rows say, or found by trying widths until its interval lies right."""
    known = next((row for row in rows if row["cell"] == f"{truth} calibrated"), None)
    if known:
        save(folder / f"{truth}.onnx", known["extra"])
        return
    low, high, aim = TRUTHS[truth]
    extra = first_guess(folder, aim)
    for _ in range(8):
        save(folder / f"{truth}.onnx", extra)
        quick = true_ratio(folder, truth, launches=8, busy=False)
        if abs(quick.value - aim) < 0.004:
            found = {load: true_ratio(folder, truth, launches=40, busy=load == "busy") for load in LOADS}
            if all(low <= one.low and one.high <= high for one in found.values()):
                intervals = {load: [one.low, one.value, one.high] for load, one in found.items()}
                note({"cell": f"{truth} calibrated", "extra": extra, **intervals}, rows, file)
                return
        per_column = max(quick.value - 1, 0.005) / extra
        extra = max(1, extra + round((aim - quick.value) / per_column * 0.7) or extra + 1)
    sys.exit(f"no variant found whose slowdown lies for certain between {low} and {high}; is the machine quiet?")


def first_guess(folder: Path, aim: float) -> int:
    """By a straight line through two widths."""
    seen = {}
    for extra in (16, 256):
        save(folder / "guess.onnx", extra)
        seen[extra] = true_ratio(folder, "guess", launches=4, busy=False).value
    slope = max(seen[256] - seen[16], 1e-4) / (256 - 16)
    return max(1, round(16 + (aim - seen[16]) / slope))


def true_ratio(folder: Path, name: str, launches: int, busy: bool) -> Estimate:
    """Against the base, in one long look: no other verdict hangs on it."""
    with neighbours(0) if busy else silence():
        found = timings(
            folder / "base.onnx", folder / f"{name}.onnx", points(), launches=launches, looks=1, control=False, seed=999
        )
    if not found.points:
        sys.exit(f"{name} could not be timed: {dict(found.unmeasured)}")
    return found.points[0].ratio


# -- gates -----------------------------------------------------------------------------------------------


def gate(cell: str, number: int, folder: Path, limit_s: float = inf) -> Row:
    """One release job's gate; every second one among neighbours."""
    busy = number % 2 == 1
    with neighbours(number // 2) if busy else silence():
        begin = time.perf_counter()
        found = timings(
            folder / "base.onnx",
            folder / f"{cell}.onnx",
            points(),
            tolerance=TOLERANCE,
            confidence=CONFIDENCE,
            seed=1000 * (number + 1),
            limit_s=limit_s,
        )
        wall_s = time.perf_counter() - begin
    row = {
        "cell": cell,
        "gate": number,
        "load": LOADS[busy],
        "control": found.control and [found.control.low, found.control.value, found.control.high],
        "control_ok": found.control_ok,
        "looks": found.looks,
        "wall_s": wall_s,
    }
    if not found.points:
        return row | {"outcome": "unmeasured", "why": dict(found.unmeasured), "ratio": [0.0, 0.0, 0.0]}
    (point,) = found.points
    failed = holm([point.p_worse], (1 - CONFIDENCE) / 2)[0]
    passed = found.control_ok and point.ratio.high <= 1 + TOLERANCE
    return row | {
        "outcome": "failed" if failed else "passed" if passed else "inconclusive",
        "verdict": point.verdict,
        "ratio": [point.ratio.low, point.ratio.value, point.ratio.high],
        "p_worse": point.p_worse,
        "old_us": point.old_us.value_us,
    }


@contextmanager
def neighbours(turn: int) -> Iterator[None]:
    """One on each core, spinning or sweeping through memory; which core has which changes with ``turn``."""
    started = []
    try:
        for place, core in enumerate(sorted(os.sched_getaffinity(0))):
            body = (SPIN, TOUCH)[(place + turn) % 2]
            code = f"import os\nos.sched_setaffinity(0, {{{core}}})\nprint(flush=True)\n{body}"
            started.append(subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE))
        for process in started:
            assert process.stdout is not None
            process.stdout.readline()  # it is at work
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


@contextmanager
def silence() -> Iterator[None]:
    yield


# -- what came of it -------------------------------------------------------------------------------------


def note(row: Row, rows: list[Row], file: Path | None) -> None:
    rows.append(row)
    if file:
        with file.open("a", encoding="utf-8") as into:
            into.write(json.dumps(row) + "\n")
    if "gate" in row:
        low, value, high = row["ratio"]
        print(
            f"{row['cell']:<5} {row['gate']:>4} {row['load']:<6} {row['outcome']:<12} "
            f"{value:.4f} [{low:.4f}, {high:.4f}]  {row['looks']} looks  {row['wall_s']:.1f} s",
            file=sys.stderr,
            flush=True,
        )


def read(file: Path) -> list[Row]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


def card(rows: Sequence[Row], wanted: dict[str, int]) -> None:
    for row in rows:
        for load in LOADS if "calibrated" in row["cell"] else ():
            low, value, high = row[load]
            print(f"      {row['cell']}, {load}: {value:.4f} [{low:.4f}, {high:.4f}]")
    lines = [
        share(rows, "aa", "failed", "copy of itself: failed", most=0.01),
        share(rows, "ten", "failed", "true +10 %: failed", least=0.95),
        share(rows, "ten", "passed", "true +10 %: passed", most=0.0),
        share(rows, "four", "failed", "true +4 %: failed", most=0.01),
    ]
    shown = [
        share(rows, cell, outcome, f"{cell}, {load}: {outcome}", load=load)
        for cell in wanted
        for load in LOADS
        for outcome in ("failed", "passed", "inconclusive", "unmeasured")
    ]
    found = [line for line in (*lines, *shown, *walls(rows)) if line]
    for line in found:
        mark = "shown" if line["holds"] is None else "ok  " if line["holds"] else "MISS"
        print(f"{mark:<5} {line['what']:<40} {line['measured']:<42} {line['bound']}")
    print(json.dumps(found))


def share(
    rows: Sequence[Row],
    cell: str,
    outcome: str,
    what: str,
    *,
    most: float | None = None,
    least: float | None = None,
    load: str = "",
) -> Row | None:
    """A proportion of gates with Wilson's 95 % interval, beside its bound."""
    gates = [row for row in rows if row["cell"] == cell and "gate" in row and load in ("", row["load"])]
    if not gates:
        return None
    found = wilson(sum(row["outcome"] == outcome for row in gates), len(gates))
    holds = None if most is None and least is None else (least or 0.0) <= found.value <= (1.0 if most is None else most)
    bound = "" if holds is None else f"at most {most:.0%}" if most is not None else f"at least {least:.0%}"
    measured = f"{found.value:.1%} of {len(gates)} [{found.low:.1%}, {found.high:.1%}]"
    return {"what": what, "measured": measured, "bound": bound, "holds": holds, "value": found.value}


def walls(rows: Sequence[Row]) -> Iterator[Row]:
    for load in LOADS:
        took = [row["wall_s"] for row in rows if row.get("load") == load]
        if took:
            measured = f"median {statistics.median(took):.1f} s, longest {max(took):.1f} s"
            holds = max(took) <= 15
            yield {
                "what": f"one gate, {load}", "measured": measured, "bound": "at most 15 s",
                "holds": holds, "value": max(took),
            }  # fmt: skip
    models = [row["old_us"] for row in rows if row.get("load") == "quiet" and "old_us" in row]
    if models:
        median = statistics.median(models)
        yield {"what": "the model", "measured": f"{median:.1f} µs", "bound": "", "holds": None, "value": median}


if __name__ == "__main__":
    main()
