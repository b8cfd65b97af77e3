import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from seqpress.pipeline.engine import events, history
from seqpress.pipeline.engine.pool import usable_cores
from seqpress.pipeline.engine.run import run
from seqpress.pipeline.errors import EnvironmentFault, Fault


def flip(path, region):
    data = bytearray(path.read_bytes())
    data[int(region * len(data))] ^= 4
    path.chmod(0o644)
    path.write_bytes(data)


def test_a_cold_run_computes_and_a_warm_run_does_not(chain, go, ran, store, invariant):
    cold = go(chain())
    assert (cold.hits, cold.misses, cold.damaged, cold.failures) == (0, 3, 0, {})
    assert ran() == ["source", "middle", "end"]
    assert json.loads((cold.artifacts["end"] / "result.json").read_text())["value"] == 20
    assert cold.parallel_compute_s > 0
    assert 0 < cold.overhead_share < 1
    warm = go(chain())
    assert (warm.hits, warm.misses) == (3, 0)
    assert ran() == []
    assert {name: a.digest for name, a in warm.artifacts.items()} == {n: a.digest for n, a in cold.artifacts.items()}
    assert warm.overhead_share is None
    invariant()
    assert list((store.root / "tmp").iterdir()) == []


def test_only_what_depends_on_a_change_is_computed(task, go):
    def tasks(temperature):
        data, teacher = task("data"), task("teacher", inputs={"data": "data"}, options={"value": 1})
        student = task("student", inputs={"teacher": "teacher"}, options={"losses": [{"temperature": temperature}]})
        return [data, teacher, student, task("control", inputs={"data": "data"}, options={"value": 2})]

    go(tasks(3))
    result = go(tasks(4))
    assert {name for name, one in result.tasks.items() if not one.cached} == {"student"}
    assert result.tasks["student"].why == "options.losses[0].temperature 3 → 4"


def test_a_result_that_came_out_the_same_stops_the_recomputing(task, go):
    def tasks(value):
        source = task("source", options={"value": value})
        odd = task("odd", "parity", inputs={"source": "source"})
        return [source, odd, task("end", inputs={"source": "odd"}), task("last", inputs={"source": "end"})]

    go(tasks(1))
    assert {name for name, one in go(tasks(3)).tasks.items() if not one.cached} == {"source", "odd"}
    assert go(tasks(4)).hits == 0


def test_measuring_again_makes_nothing_stale(task, go):
    tasks = [task("bench", "measure", exclusive=True), task("report", "peeks", {"b": "bench"}, options={"modules": []})]
    one = go(tasks)
    assert one.artifacts["report"].facts["measured"] == {"b": {}}  # a stage must not depend on what no key holds
    two = go(tasks, no_cache_read=True)
    assert one.artifacts["bench"].measured != two.artifacts["bench"].measured
    assert one.artifacts["bench"].digest == two.artifacts["bench"].digest


def test_recompute_everything_on_request(chain, go, ran):
    go(chain())
    ran()
    assert go(chain(), no_cache_read=True).misses == 3
    assert ran() == ["source", "middle", "end"]


def test_tasks_run_side_by_side_and_exclusive_ones_alone(task, go, tmp_path):
    spans = {}

    def watch(event):
        if isinstance(event, events.TaskStarted | events.TaskFinished):
            spans.setdefault(event.task, []).append(time.monotonic())

    tasks = [task(f"s{n}", options={"value": n, "sleep_s": 0.4}) for n in range(4)]
    tasks += [task(f"x{n}", exclusive=True, options={"value": 9 + n, "sleep_s": 0.1}) for n in range(2)]
    result = go(tasks, on_event=watch)
    assert result.parallel_compute_s >= 1.6
    assert result.exclusive_compute_s >= 0.2
    shared = sorted(spans[f"s{n}"] for n in range(4))
    assert shared[1][0] < shared[0][1]
    for name in ("x0", "x1"):
        begin, end = spans[name]
        assert not [other for other, (b, e) in spans.items() if other != name and b < end and e > begin]


def test_exclusive_tasks_wait_until_every_worker_has_loaded(task, go):
    """The second worker is still importing when the exclusive task becomes ready."""
    started = {}

    def watch(event):
        if isinstance(event, events.TaskStarted):
            started[event.task] = time.monotonic()

    begin = time.monotonic()
    go([task("a", exclusive=True), task("b", exclusive=True)], preload=["slow_import"], on_event=watch)
    assert started["a"] - begin > 0.5


def test_the_costliest_chain_starts_first_and_priority_comes_before(task, go):
    order = []

    def watch(event):
        if isinstance(event, events.TaskStarted):
            order.append(event.task)

    tasks = [
        task("light", options={"value": 1}),
        task("heavy", options={"value": 2}, weight=3.0),
        task("head", options={"value": 3}),
        task("urgent", options={"value": 4}, priority=1),
        task("tail", inputs={"x": "head"}, weight=9.0),
    ]
    go(tasks, jobs=1, on_event=watch)
    assert order == ["urgent", "head", "tail", "heavy", "light"]


def test_workers_are_kept_and_load_ahead(task, go):
    tasks = [task(f"p{n}", "peeks", options={"modules": ["colorsys"], "n": n}) for n in range(4)]
    tasks[3] = replace(tasks[3], exclusive=True)  # waits for silence, and so for what is loaded ahead
    result = go(tasks, jobs=1, preload=["no.such.module", "colorsys"])
    assert len({result.artifacts[f"p{n}"].facts["pid"] for n in range(4)}) == 1
    assert result.artifacts["p3"].facts["loaded"] == ["colorsys"]


def test_threads_are_told_before_anything_is_imported(task, go):
    facts = go([task("t", "tells")], threads=3, jobs=1).artifacts["t"].facts
    assert facts == {"threads": "3", "hash": "0", "given": 3}


def test_progress_is_passed_on_in_moderation(task, go):
    seen = []
    go([task("t", "tells", title="Teach")], on_event=seen.append)
    steps = [event for event in seen if isinstance(event, events.Progress)]
    assert 2 <= len(steps) < 25  # of 50
    assert (steps[-1].done, steps[-1].total, steps[-1].title) == (50, 50, "Teach")
    assert steps[-1].numbers == {"loss": 1 / 50}


def test_what_stages_print_goes_to_their_log_and_nowhere_else(task, go, capfd, store):
    result = go([task("loud/one", "noisy")])
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""
    log = store.log_path("loud/one", result.tasks["loud/one"].record.key).read_text()
    for words in ("python on stdout", "python on stderr", "descriptor one", "from C", "a child's output"):
        assert words in log


@pytest.mark.parametrize("name", ["result.json", "deep/bytes.bin"])
@pytest.mark.parametrize("region", [0, 0.5, 0.999])
def test_a_damaged_input_is_computed_again_and_counted(chain, go, ran, name, region, invariant):
    first = go(chain())
    ran()
    flip(first.artifacts["source"].files[name], region)
    changed = chain()
    changed[1] = replace(changed[1], revision=2)  # so that the damaged file is opened
    second = go(changed)
    assert second.damaged == 1
    assert ran() == ["source", "middle"]  # and the end, whose input came out as before, is kept
    assert second.artifacts["source"].digest == first.artifacts["source"].digest
    invariant()


def test_what_is_delivered_is_hashed_and_what_is_not_opened_is_not(chain, go, ran):
    first = go(chain())
    ran()
    flip(first.artifacts["end"].files["result.json"], 0.5)
    flip(first.artifacts["source"].files["result.json"], 0.5)
    second = go(chain(), deliver=["end"])
    assert ran() == ["end"]
    assert second.damaged == 1
    third = go(chain())
    assert third.hits == 3
    with pytest.raises(EnvironmentFault, match="must hash to its name"):
        _ = third.artifacts["source"] / "result.json"
    assert go(chain()).misses == 1


def test_a_random_result_behind_damage_makes_its_dependants_new(task, go):
    tasks = [task("a", "random_bytes"), task("b", inputs={"x": "a"}), task("c", inputs={"x": "b"})]
    first = go(tasks)
    flip(first.artifacts["a"].files["result.json"], 0.5)
    assert go(tasks, deliver=["a"]).misses == 3


def test_leftovers_of_dead_runs_are_ignored_and_removed(chain, go, store):
    go(chain())
    (store.root / "tmp" / "tmpdead" / "out").mkdir(parents=True)
    (store.root / "tmp" / "tmpdead" / "out" / "half").write_bytes(b"x" * 1000)
    (store.root / "tmp" / "write-x").write_bytes(b"half a record")
    assert go(chain()).hits == 3
    assert list((store.root / "tmp").iterdir()) == []


def test_two_names_for_one_thing_are_computed_once(task, go, ran, chain):
    source = chain()[0]
    result = go([source, replace(source, name="twin")])
    assert ran() == ["source"]
    assert (result.hits, result.misses) == (1, 1)


def test_a_cached_run_is_fast_and_starts_nothing(task, go, drive):
    tasks = [task(f"a{n}", options={"value": n}, libraries=("numpy", "pydantic", "onnx")) for n in range(35)]
    tasks += [task(f"b{n}", inputs={"x": f"a{n}"}, libraries=("numpy",)) for n in range(35)]
    go(tasks)
    out, _ = drive(tasks, preload=["torch"], deliver=["b0", "b1"]).communicate()
    said = json.loads(out.splitlines()[-1])
    assert said["hits"] == 70
    assert said["wall_s"] < 0.3
    assert said["loaded"] == []


def test_an_output_folder_that_cannot_be_written_is_refused_before_any_work(chain, go, ran, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFault, match="must be readable and writable"):
        go(chain(), outputs=[tmp_path / "file" / "runs"])
    assert ran() == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes anywhere")
def test_a_read_only_store_serves_hits_and_refuses_misses(chain, go, store):
    go(chain())
    store.root.chmod(0o555)
    try:
        assert go(chain()).hits == 3
        with pytest.raises(EnvironmentFault):
            go(chain(value=2))
    finally:
        store.root.chmod(0o755)


def test_an_unwritable_store_serves_hits_and_refuses_misses(chain, go, ran, monkeypatch):
    go(chain())
    ran()

    def refuse(folder):
        raise EnvironmentFault(Fault("store.unwritable", str(folder), "must be writable"))

    monkeypatch.setattr("seqpress.pipeline.engine.disk.probe_writable", refuse)
    assert go(chain()).hits == 3
    with pytest.raises(EnvironmentFault):
        go(chain(value=2))
    assert ran() == []


def test_history_forgets_tasks_unless_the_plan_is_a_part(task, go, store):
    one, two = task("one"), task("two", options={"value": 2})
    go([one, two], pipeline="p")
    go([one], pipeline="p", partial=True)
    assert set(history.read(store, "p")) == {"one", "two"}
    go([one], pipeline="p")
    assert set(history.read(store, "p")) == {"one"}


def test_an_empty_plan_is_no_work(go):
    assert go([]).tasks == {}


def test_cores_are_those_that_may_be_used():
    assert 1 <= usable_cores() <= len(os.sched_getaffinity(0))


def test_a_store_object_can_be_used_again(chain, store):
    toys = Path(__file__).parent / "toys"
    assert run(chain(), store, path=[toys], jobs=1).misses == 3
    assert run(chain(), store, path=[toys], jobs=1).hits == 3
