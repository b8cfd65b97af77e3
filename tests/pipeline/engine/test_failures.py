import os
import re

import pytest
from seqpress.pipeline.engine import events
from seqpress.pipeline.errors import EnvironmentFault, GateFailed, InputRejected, StageFailed


def test_a_task_that_raises_takes_only_its_dependants_with_it(task, go, ran, tmp_path):
    journal = {"journal": str(tmp_path / "journal")}
    tasks = [
        task("bad", "boom", options={"name": "bad", **journal}),
        task("after", inputs={"x": "bad"}),
        task("later", inputs={"x": "after"}),
        task("good", options={"name": "good", **journal}),
        task("better", inputs={"x": "good"}, options={"name": "better", **journal}),
    ]
    seen = []
    result = go(tasks, on_event=seen.append)
    assert set(result.artifacts) == {"good", "better"}
    assert set(result.failures) == {"bad"}
    assert result.blocked == {"after": "bad", "later": "bad"}
    assert sorted(ran()) == ["bad", "better", "good"]
    assert [event.task for event in seen if isinstance(event, events.TaskBlocked)] == ["after", "later"]
    error = result.error()
    assert type(error) is StageFailed
    assert error.exit_code == 4
    text = str(error)
    assert text.startswith("task 'bad' stopped with ValueError: the reason in two lines, raised in your own code\n")
    assert "toy_stages.py:" in text
    assert " in boom" in text
    assert "log: " in text
    assert "| ValueError: the reason" in text
    assert "worker.py" not in text
    assert go(tasks[3:]).misses == 0


def test_our_errors_cross_the_border_as_they_are(task, go):
    error = go([task("r", "rejects")]).failures["r"]
    assert type(error) is InputRejected
    assert [fault.code for fault in error.faults] == ["data.empty", "data.b"]
    assert error.faults[0].rule == "must have items"
    assert "log:" not in str(error)  # it was said on purpose, and in its author's words


def test_what_several_tasks_say_alike_is_said_once(task, go):
    result = go([task("r", "rejects"), task("again", "rejects", options={"name": "again"})])
    assert len(result.failures) == 2
    assert [fault.code for fault in result.error().faults] == ["data.empty", "data.b"]


def test_a_class_of_the_users_own_becomes_a_stage_failure(task, go):
    error = go([task("r", "rejects_privately")]).failures["r"]
    assert type(error) is StageFailed
    assert not isinstance(error, GateFailed)
    assert error.faults[0].rule == "must fit"


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_killed_worker_takes_only_its_task_and_is_replaced(task, go, ran, tmp_path, jobs, invariant):
    journal = {"journal": str(tmp_path / "journal")}
    tasks = [task("k", "kills_itself", options={"name": "k", **journal}), task("after", inputs={"x": "k"})]
    tasks += [task(f"g{n}", options={"name": f"g{n}", "value": n, "sleep_s": 0.05, **journal}) for n in range(6)]
    result = go(tasks, jobs=jobs)
    assert sorted(result.artifacts) == [f"g{n}" for n in range(6)]
    assert result.blocked == {"after": "k"}
    assert ran().count("k") == 1  # no retry
    error = result.error()
    assert type(error) is EnvironmentFault
    assert "task 'k' was killed (likely out of memory), peak RSS " in str(error)
    assert re.search(r"peak RSS [\d.]+ [MG]B", str(error))
    invariant()


def test_a_crash_is_named_by_its_signal(task, go):
    error = go([task("k", "kills_itself", options={"signal": "SIGSEGV"})]).failures["k"]
    assert type(error) is StageFailed
    assert "took its process down with SIGSEGV" in str(error)


@pytest.mark.parametrize(
    ("how", "status", "says"),
    [("sys", 0, "stopped with SystemExit: 0"), ("os", 3, "ended its own process with status 3"), ("os", 0, "status 0")],
)
def test_a_stage_that_exits_has_failed(task, go, how, status, says):
    error = go([task("e", "exits", options={"how": how, "status": status})]).failures["e"]
    assert type(error) is StageFailed
    assert says in str(error)


def test_running_out_of_memory_is_the_environments_fault_and_the_worker_is_replaced(task, go):
    tasks = [task("m", "memory", priority=1)]
    tasks += [task(f"p{n}", "peeks", options={"modules": [], "n": n}) for n in range(3)]
    result = go(tasks, jobs=1)
    assert type(result.failures["m"]) is EnvironmentFault
    assert "ran out of memory, peak RSS" in str(result.failures["m"])
    assert len(result.artifacts) == 3


def test_a_full_disk_in_a_stage_is_the_environments_fault(task, go):
    error = go([task("d", "disk_full")]).failures["d"]
    assert type(error) is EnvironmentFault
    assert "disk full (free " in str(error)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"what": "nan"}, "facts.loss must be finite; got nan"),
        ({"what": "object"}, "facts.x must be JSON"),
        ({"what": "list"}, "facts must be an object"),
    ],
)
def test_facts_that_cannot_be_kept(task, go, options, says):
    error = go([task("r", "returns", options=options)]).failures["r"]
    assert type(error) is StageFailed
    assert says in str(error)


def test_a_link_is_not_a_result(task, go):
    assert "'link' must be a regular file" in str(go([task("l", "links")]).failures["l"])


def test_an_entry_that_cannot_be_imported(task, go):
    result = go([task("a", "no_such_stage"), task("ok")])
    assert "stopped with AttributeError" in str(result.failures["a"])
    assert list(result.artifacts) == ["ok"]


def test_the_worst_kind_names_the_exit_code_and_all_faults_are_there(task, go):
    error = go([task("a", "boom"), task("b", "rejects"), task("c", "memory")]).error()
    assert error.exit_code == 6
    assert len(error.faults) == 4


def test_what_a_stage_leaves_running_dies_with_its_worker(task, go, tmp_path, eventually):
    mark = f"mark-{os.getpid()}-{tmp_path.name}"
    result = go([task("f", "forks", options={"mark": mark}), task("g", "forks", options={"mark": mark, "die": True})])
    assert set(result.failures) == {"g"}
    eventually(lambda: not processes_with(mark), 2)


def test_a_stage_that_closes_its_output_harms_nobody(task, go):
    result = go([task("h", "hostile", priority=1), task("n", "noisy"), task("ok")], jobs=1)
    assert set(result.artifacts) >= {"h", "ok"}


def test_workers_that_cannot_start_end_the_run(task, go, monkeypatch):
    monkeypatch.setattr("seqpress.pipeline.engine.pool._BOOT", "raise SystemExit('no such interpreter')")
    with pytest.raises(EnvironmentFault, match=r"worker processes must stay alive(.|\n)*no such interpreter"):
        go([task("a")])


def processes_with(mark):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if mark.encode() in file.read():
                    found.append(int(pid))
        except OSError:
            continue
    return found
