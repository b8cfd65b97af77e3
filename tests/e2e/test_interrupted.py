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
