"""A run that is stopped keeps what it finished, leaves nothing running, and goes on from there."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from command import Answer, compress, start

ARGUMENTS = ("run", "pipeline.yaml", "--only", "gru-8", "--json", "--out", "interrupted")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Cold at first; every test of this file leaves something in it for the next."""
    return tmp_path_factory.mktemp("store")


def running(store: Path) -> list[int]:
    """Processes that were told of this store: workers and what they started."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            links = [os.readlink(link) for link in (entry / "fd").iterdir()]
        except OSError:
            continue
        found += [int(entry.name)] if any(link.startswith(str(store)) for link in links) else []
    return [pid for pid in found if pid != os.getpid()]


def hit(process: subprocess.Popen[str], words: str, number: signal.Signals, store: Path) -> tuple[str, float]:
    """Send a signal as soon as a line begins with ``words``; stderr so far, and seconds until all is quiet."""
    said = ""
    for line in process.stderr:
        said += line
        if line.startswith(words):
            break
    else:
        raise AssertionError(f"no line began with {words!r}:\n{said}")
    assert running(store), "the probe sees workers"
    began = time.monotonic()
    process.send_signal(number)
    process.wait(timeout=30)
    while running(store) and time.monotonic() < began + 30:
        time.sleep(0.02)
    quiet_s = time.monotonic() - began
    return said + process.stderr.read(), quiet_s


@pytest.mark.parametrize(
    ("number", "words", "code", "kind"),
    [
        (signal.SIGTERM, "started   data", 143, "terminated"),
        (signal.SIGINT, "started   teacher", 130, "interrupted"),
    ],
    ids=["SIGTERM", "SIGINT"],
)
def test_signals_end_it_in_good_order(tiny, store, number, words, code, kind):
    process = start(ARGUMENTS, tiny.folder, store)
    said, quiet_s = hit(process, words, number, store)
    answer = Answer(process.returncode, "", said)
    assert answer.code == code
    assert answer.error["error"] == kind
    assert quiet_s < 5
    assert not list((tiny.folder / "interrupted").rglob("report.*"))


def test_killed_in_the_middle_it_resumes(tiny, store):
    process = start(ARGUMENTS, tiny.folder, store)
    _, quiet_s = hit(process, "finished  teacher", signal.SIGKILL, store)
    assert process.returncode == -signal.SIGKILL
    assert quiet_s < 5, "workers do not outlive the command"

    answer = compress(*ARGUMENTS, folder=tiny.folder, store=store)
    assert answer.code == 0, answer.err[-2000:]
    report = json.loads(answer.out)
    assert report["run"]["damaged"] == 0
    assert {"data", "teacher"} <= {entry["task"] for entry in report["lineage"] if entry["cached"]}
    assert report["run"]["misses"] > 0
    folder = Path(report["folder"])
    assert folder.name == "1"
    assert sorted(path.name for path in (tiny.folder / folder).parent.iterdir()) == ["1", "latest"]

    # Computed in pieces, in another store: bit for bit what the uninterrupted run made.
    theirs = {entry["task"]: entry for entry in tiny.report["lineage"]}
    for entry in report["lineage"]:
        if entry["task"] != "benchmark":
            assert (entry["key"], entry["digest"]) == (theirs[entry["task"]]["key"], theirs[entry["task"]]["digest"])


BUSY = ("--set", "benchmark.launches=3", "--set", "benchmark.samples=2000", "--set", "benchmark.batch=[1, 512]")


def descendants(pid: int) -> set[int]:
    """Processes below one, however deep."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(entry.name))
    found, ahead = set(), [pid]
    while ahead:
        below = children.get(ahead.pop(), [])
        found.update(below)
        ahead += below
    return found


def alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)],
    ids=["SIGINT", "SIGTERM", "SIGKILL"],
)
def test_stopped_while_it_measures_nothing_goes_on_measuring(tiny, store, number, code):
    """The benchmark starts processes of its own, below a worker: a CI system signals the command alone."""
    process = start([*ARGUMENTS[:4], "--ci", "--out", "stopped", *BUSY], tiny.folder, store, variables={"CI": "true"})
    seen: set[int] = set()
    try:
        measuring = watch(process, seen)
        began = time.monotonic()
        process.send_signal(number)
        process.wait(timeout=30)
        while any(map(alive, seen)) and time.monotonic() < began + 30:
            time.sleep(0.02)
        quiet_s = time.monotonic() - began
    finally:
        process.kill()
    said = process.stderr.read()
    assert measuring, f"it never measured:\n{said}"
    assert process.returncode == code, said
    assert quiet_s < 5
    assert not running(store)
    assert code < 0 or Answer(code, "", said).error["exit_code"] == code
    assert not list((tiny.folder / "stopped").rglob("report.*"))


def watch(process: subprocess.Popen[str], seen: set[int]) -> bool:
    """Until a benchmark's own process has run for a moment; ``seen`` gets everything below the command."""
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        below = descendants(process.pid)
        seen |= below
        if any(is_measuring(pid) for pid in below):
            time.sleep(0.3)
            seen |= descendants(process.pid)
            return True
        time.sleep(0.01)
    return False


def is_measuring(pid: int) -> bool:
    try:
        return b".benchmarks." in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
