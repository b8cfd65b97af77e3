#!/usr/bin/env python3
"""Is this folder as it was shipped, and do its graphs compute on this machine what they computed then?

    python selftest.py

Needs numpy and onnxruntime, nothing else. Prints a line for everything it tried and ends with 0 where all is well,
with 1 where anything is not. What the arrays in golden.npz are: whole/CASE/in|out/NAME for the whole graph, and for
the step graph stream/CASE/in|out|state/NAME, where out holds what the call for each frame gave, one after another.
"""

import hashlib
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

HERE = Path(__file__).resolve().parent
CALLS = 200  # a median of so many calls is shown
faults: list[str] = []
Json = dict[str, Any]
Arrays = dict[str, np.ndarray[Any, Any]]


def main() -> int:
    raw = (HERE / "manifest.json").read_bytes()
    manifest = json.loads(raw)
    print(f"{manifest['name']!a}, bundle {manifest['digest'][:12]}, onnxruntime {ort.__version__}")
    check_files(raw, manifest)
    if not faults:  # nothing that was changed is run
        golden = np.load(HERE / "golden.npz", allow_pickle=False)
        replay_whole(manifest, golden)
        for chunk in manifest["golden"]["chunks"]:
            replay_stream(manifest, golden, chunk)
    print(f"{len(faults)} faults" if faults else "all is well")
    return 1 if faults else 0


def tell(fine: bool, what: str) -> None:
    print(f"{'ok' if fine else 'FAULT':<6}{what}")
    if not fine:
        faults.append(what)


def check_files(raw: bytes, manifest: Json) -> None:
    """Every file has its digest and there is no other. The manifest's own digest was taken with zeros in its place."""
    zeroed = raw.replace(manifest["digest"].encode(), b"0" * 64, 1)
    tell(hashlib.sha256(zeroed).hexdigest() == manifest["digest"], "manifest.json has its digest")
    for name, facts in manifest["files"].items():
        path = HERE / name
        there = path.is_file() and not path.is_symlink()
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if there else "no file"
        tell(digest == facts["sha256"], f"{name} has its digest")
    more = {path.relative_to(HERE).as_posix() for path in HERE.rglob("*")} - {"manifest.json", *manifest["files"]}
    tell(not more, "no other file is here" + "".join(f", but {name!a}" for name in sorted(more)))


def replay_whole(manifest: Json, golden: Any) -> None:
    """Every case through the whole graph."""
    session, used = open_graph(manifest["model"]["file"]), 0.0
    for case in range(manifest["golden"]["whole"]):
        feeds, wanted = part(golden, f"whole/{case}/in/"), part(golden, f"whole/{case}/out/")
        got = call(session, feeds)
        used = max(used, *(share(wanted[name], got[name], manifest) for name in wanted))
    tell(used <= 1, f"whole: {manifest['golden']['whole']} cases, {used:.2%} of the tolerance used")
    show_latency(session, feeds, manifest["model"])


def replay_stream(manifest: Json, golden: Any, chunk: int) -> None:
    """Every sequence through the step graph in chunks (0: in one), each state output going back into its input."""
    session, used, states = open_graph(manifest["step"]["file"]), 0.0, manifest["states"]
    name_of_frames = next(one["name"] for one in manifest["step"]["inputs"] if one["role"] != "state")
    axes = {one["name"]: [axis["name"] for axis in one["axes"]] for one in manifest["step"]["outputs"]}
    for case in range(manifest["golden"]["stream"]):
        frames = golden[f"stream/{case}/in/{name_of_frames}"]  # (1, frames, …)
        wanted = part(golden, f"stream/{case}/out/")
        state = {one["input"]: np.full([1, *one["shape"][1:]], one["reset"], one["dtype"]) for one in states}
        size = chunk or frames.shape[1]
        for start in range(0, frames.shape[1], size):
            feeds = {name_of_frames: frames[:, start : start + size], **state}
            got = call(session, feeds)
            state = {one["input"]: got[one["output"]] for one in states}
            end = start + feeds[name_of_frames].shape[1]
            for name, each in wanted.items():
                by_frame = "chunk" in axes[name]  # else one answer a chunk, that after its last frame
                expected = np.concatenate(each[start:end], axes[name].index("chunk")) if by_frame else each[end - 1]
                used = max(used, share(expected, got[name], manifest))
        for one in states:
            used = max(used, share(golden[f"stream/{case}/state/{one['name']}"], state[one["input"]], manifest))
    cut = f"chunks of {chunk}" if chunk else "one chunk"
    tell(used <= 1, f"streamed in {cut}: {manifest['golden']['stream']} cases, {used:.2%} of the tolerance used")
    if chunk == 1:
        show_latency(session, feeds, manifest["step"])


def open_graph(name: str) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(str(HERE / name), options, providers=["CPUExecutionProvider"])


def call(session: ort.InferenceSession, feeds: Arrays) -> Arrays:
    return dict(zip([one.name for one in session.get_outputs()], session.run(None, feeds), strict=True))


def part(golden: Any, start: str) -> Arrays:
    return {key[len(start) :]: golden[key] for key in golden.files if key.startswith(start)}


def share(wanted: np.ndarray[Any, Any], got: np.ndarray[Any, Any], manifest: Json) -> float:
    """How much of the tolerance a difference uses up; 1 is all of it. NaN is equal to NaN and to nothing else."""
    if wanted.shape != got.shape or wanted.dtype != got.dtype:
        return float("inf")
    left, right = wanted.astype(np.float64), got.astype(np.float64)
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    with np.errstate(invalid="ignore"):
        apart = np.nan_to_num(np.where(same, 0.0, np.abs(left - right)), nan=np.inf).max(initial=0.0)
    largest = np.abs(left, where=np.isfinite(left), out=np.zeros_like(left)).max(initial=1.0)
    return float(apart / (manifest["golden"]["tolerance"]["relative"] * largest))


def show_latency(session: ort.InferenceSession, feeds: Arrays, graph: Json) -> None:
    times = []
    for _ in range(CALLS):
        started = time.perf_counter_ns()
        session.run(None, feeds)
        times.append(time.perf_counter_ns() - started)
    shape = next(feeds[one["name"]].shape for one in graph["inputs"] if one["role"] != "state")
    print(f"      {graph['file']}, input {shape}: median {statistics.median(times) / 1e3:.1f} us of {CALLS} calls")


if __name__ == "__main__":
    sys.exit(main())
