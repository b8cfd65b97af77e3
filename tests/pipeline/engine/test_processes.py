"""Kill it, interrupt it, run it twice: each in a process of its own."""

import json
import os
import signal
import subprocess
import time
from dataclasses import replace

import pytest
from seqpress.pipeline.engine import maintenance
from seqpress.pipeline.engine.store import Store
from seqpress.pipeline.errors import Busy


def descendants(pid):
    """All living processes of the sessions that the run's workers lead, and the run's children."""
    listing = subprocess.run(["ps", "-eo", "pid,ppid,sid,stat"], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listing.splitlines()[1:]]
    found, size = {str(pid)}, 0
    while len(found) != size:
        size = len(found)
        found |= {row[0] for row in rows if row[1] in found or (row[2] in found and row[2] != str(os.getsid(0)))}
    return {int(row[0]) for row in rows if row[0] in found and not row[3].startswith("Z")} - {pid}


def alive(pids):
    return {pid for pid in pids if os.path.exists(f"/proc/{pid}") and not zombie(pid)}


def zombie(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.fixture
def slow(task, tmp_path):
    """One quick task and then two that take long, one of which has started a child of its own."""
    journal = {"journal": str(tmp_path / "journal")}
    quick = task("quick", options={"name": "quick", **journal})
    sleepy = task("sleepy", inputs={"x": "quick"}, options={"name": "sleepy", "sleep_s": 30, **journal})
    options = {"name": "parent", "mark": "child-of-a-stage", "sleep_s": 30, **journal}
    return [quick, sleepy, task("parent", "forks", inputs={"x": "quick"}, options=options)]


def started(tmp_path, count):
    path = tmp_path / "journal"
    return lambda: path.exists() and len(path.read_text().splitlines()) >= count


def test_kill_9_leaves_no_orphan_and_finished_tasks_done(slow, drive, go, ran, tmp_path, eventually, invariant):
    process = drive(slow)
    eventually(started(tmp_path, 3))
    eventually(lambda: len(descendants(process.pid)) >= 5)  # two workers, two wardens, and the child of a stage
    children = descendants(process.pid)
    process.kill()
    process.wait()
    eventually(lambda: not alive(children), 2)
    invariant()
    ran()
    quicker = [slow[0], *(replace(one, options={**one.options, "sleep_s": 0}) for one in slow[1:])]
    begin = time.monotonic()
    result = go(quicker)
    assert time.monotonic() - begin < 5  # no lock of the dead is waited for
    assert sorted(ran()) == ["parent", "sleepy"]
    assert (result.hits, result.misses) == (1, 2)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_in_time_with_finished_work_kept(
    slow, drive, go, tmp_path, eventually, invariant, number, code
):
    process = drive(slow)
    eventually(started(tmp_path, 3))
    children = descendants(process.pid)
    begin = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    assert time.monotonic() - begin < 5
    assert process.returncode == code
    assert out.splitlines()[-1] == f"interrupted by {number.name}; 1 of 3 tasks are in the store"
    assert err == ""
    eventually(lambda: not alive(children), 2)
    invariant()
    assert go(slow[:1]).hits == 1
    assert list((tmp_path / "store" / "tmp").iterdir()) == []


def test_many_runs_at_once_compute_everything_once(chain, drive, ran, invariant):
    processes = [drive(chain(sleep_s=0.5), jobs=1) for _ in range(3)]
    outs = [json.loads(process.communicate(timeout=30)[0].splitlines()[-1]) for process in processes]
    assert ran() == ["source", "middle", "end"]
    assert sum(out["hits"] for out in outs) == 6
    assert outs[0]["facts"] == outs[1]["facts"] == outs[2]["facts"]
    invariant()


def test_without_waiting_the_second_run_names_the_first(chain, drive, go, tmp_path, eventually):
    process = drive(chain(sleep_s=20), jobs=1)
    eventually(started(tmp_path, 1))
    begin = time.monotonic()
    with pytest.raises(Busy, match=rf"task 'source' .* got process {process.pid} on .*, started 20\d\d-") as caught:
        go(chain(sleep_s=20), wait=False)
    assert time.monotonic() - begin < 3
    assert caught.value.exit_code == 7


def test_a_waiting_run_goes_on_when_the_first_is_killed(chain, drive, ran, tmp_path, eventually):
    first = drive(chain(sleep_s=1.5), jobs=1)
    eventually(started(tmp_path, 1))
    second = drive(chain(sleep_s=1.5), jobs=1)
    seen = []
    while "TaskWaiting source" not in seen:
        seen.append(second.stdout.readline().strip())
    first.kill()
    out, _ = second.communicate(timeout=20)
    assert json.loads(out.splitlines()[-1])["failures"] == {}
    assert ran() == ["source", "source", "middle", "end"]
    assert "TaskWaiting source" not in out  # said once


def test_a_worker_does_not_run_main_again_and_does_not_care_where_it_is(chain, drive, store):
    process = drive(chain())
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    assert out.count("driver started") == 1
    logs = [path.read_text() for path in (store.root / "logs").iterdir()]
    assert not any("driver started" in log for log in logs)


def test_a_shadowing_module_in_the_working_folder_is_not_imported(chain, drive, tmp_path):
    (tmp_path / "json.py").write_text("raise SystemExit('shadowed')")
    out, err = drive(chain()).communicate(timeout=20)
    assert json.loads(out.splitlines()[-1])["failures"] == {}, err


def test_garbage_is_not_collected_under_a_run(chain, drive, store, tmp_path, eventually):
    drive(chain(sleep_s=20), jobs=1)
    eventually(started(tmp_path, 1))
    for remove in (maintenance.collect, maintenance.clear):
        with pytest.raises(Busy, match="must not be in use; got process"):
            remove(Store(store.root))
