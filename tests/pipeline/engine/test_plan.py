from dataclasses import replace

import pytest
from seqpress.pipeline.engine.plan import Plan, status
from seqpress.pipeline.engine.store import Store
from seqpress.pipeline.errors import EnvironmentFault, SeqpressError


def states(found):
    return {one.task: (one.state, one.why) for one in found}


def test_each_task_comes_after_its_inputs_whatever_order_they_are_named_in(task):
    plan = Plan([task("c", inputs={"x": "b", "y": "a"}), task("b", inputs={"x": "a"}), task("a")])
    assert plan.order == ("a", "b", "c")
    assert plan.dependants == {"a": ("b", "c"), "b": ("c",), "c": ()}
    assert plan.below("a") == {"b", "c"}


def test_the_chain_counts_the_costliest_way_to_the_end(task):
    plan = Plan([task("a"), task("b", inputs={"x": "a"}, weight=5.0), task("c", inputs={"x": "a"}, weight=2.0)])
    assert plan.chain == {"a": 6.0, "b": 5.0, "c": 2.0}


def test_all_that_is_wrong_with_a_plan_is_said_at_once(task):
    tasks = [task("a"), task("a"), task("b", inputs={"teacher": "nobody"}), task("c", options={"x": float("inf")})]
    with pytest.raises(SeqpressError) as caught:
        Plan(tasks)
    assert caught.value.exit_code == 1  # no user can write such a plan
    assert str(caught.value).splitlines() == [
        "task 'a' must be named once in a plan",
        "input 'teacher' of task 'b' must name a task of the plan; got 'nobody'",
        "task 'c' must be digestible; got options of task 'c'.x must be finite; got inf",
    ]


def test_a_cycle_is_shown(task):
    with pytest.raises(SeqpressError, match=r"tasks (a → b → a|b → a → b) must not depend on themselves"):
        Plan([task("a", inputs={"x": "b"}), task("b", inputs={"x": "a"})])


def test_an_entry_that_is_no_entry(task):
    with pytest.raises(SeqpressError, match=r"entry of task 'a' must be 'module:function'; got 'os\.system'"):
        Plan([replace(task("a"), entry="os.system")])


def test_status_before_and_after_a_run_and_after_changes(chain, go, store):
    assert states(status(chain(), store)) == {
        "source": ("miss", "not computed before"),
        "middle": ("waits", "waits for source"),
        "end": ("waits", "waits for middle"),
    }
    assert not store.root.exists()  # looking changes nothing
    go(chain())
    found = status(chain(), store)
    assert {one.state for one in found} == {"hit"}
    assert all(one.compute_s is not None and one.key for one in found)
    changed = states(status(chain(value=2), store))
    assert changed["source"] == ("miss", "options.value 1 → 2")
    assert changed["end"] == ("waits", "waits for middle")
    assert states(status(chain(), store, no_cache_read=True))["source"] == ("miss", "recomputed on request")


def test_why_an_input_changed_or_a_result_is_gone(task, go, store):
    def tasks(value, revision=1):
        return [
            task("a", options={"value": value}),
            task("b", inputs={"teacher": "a"}, revision=revision, options={"value": 5}),
        ]

    go(tasks(1))
    result = go(tasks(2, revision=3))
    assert result.tasks["a"].why == "options.value 1 → 2"
    assert result.tasks["b"].why == "input 'teacher' changed, stage revision 1 → 3"
    store.record_path(result.tasks["b"].record.key).unlink()
    assert states(status(tasks(2, revision=3), store))["b"] == ("miss", "its result was damaged or removed")


def test_many_differences_are_counted(task, go, store):
    go([task("a", options={"a": 1, "b": 1, "c": 1, "d": 1, "e": 1})])
    found = status([task("a", options={"a": 2, "b": 2, "c": 2, "d": 2, "e": 2})], store)
    assert found[0].why == "options.a 1 → 2, options.b 1 → 2, options.c 1 → 2 and 2 more"


def test_looking_at_a_damaged_store_changes_nothing(chain, go, store):
    result = go(chain())
    path = store.record_path(result.tasks["source"].record.key)
    path.write_bytes(b"rubbish")
    assert states(status(chain(), Store(store.root)))["source"] == ("miss", "its result was damaged or removed")
    assert path.read_bytes() == b"rubbish"


def test_status_refuses_a_newer_store(chain, go, store):
    go(chain())
    (store.root / "schema.json").write_text('{"schema": 9}')
    with pytest.raises(EnvironmentFault, match="layout 9"):
        status(chain(), Store(store.root))


def test_a_broken_history_costs_only_the_explanation(chain, go, store):
    go(chain(), pipeline="mine")
    for text in ("", "[]", '{"tasks": 3}', '{"tasks": {"source": "../../etc/passwd"}}'):
        (store.root / "history" / "mine.json").write_text(text)
        assert {one.state for one in status(chain(), store, pipeline="mine")} == {"hit"}
        assert status(chain(value=2), store, pipeline="mine")[0].state == "miss"
