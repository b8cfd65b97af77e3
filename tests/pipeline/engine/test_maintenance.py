import json

import pytest
from seqpress.pipeline.cli.cache import app
from seqpress.pipeline.engine import maintenance
from seqpress.pipeline.engine.store import Store
from seqpress.pipeline.errors import ConfigError, EnvironmentFault, InputRejected
from typer.testing import CliRunner


@pytest.fixture
def call(store):
    def invoke(*arguments, **named):
        return CliRunner().invoke(app, [*arguments, "--store", str(store.root)], **named)

    return invoke


def damage_one_object(result, name="source"):
    path = result.artifacts[name].files["result.json"]
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    return path


def test_list_counts_without_changing(chain, go, store, call):
    go(chain())
    go(chain(value=2))
    found = json.loads(call("list", "--json").stdout)
    assert [(entry["task"], entry["in_use"]) for entry in found["entries"]].count(("source", True)) == 1
    assert len(found["entries"]) == 6
    assert found["objects"]["count"] == len([p for p in (store.root / "objects").rglob("*") if p.is_file()])
    assert found["unreadable"] == 0
    words = call("list").stdout
    assert "6 results in 10 files" in words
    assert words.count("not used by a latest run") == 3


def test_an_absent_store_is_an_empty_one(call, store):
    for command in ("list", "verify", "gc"):
        assert call(command, "--json").exit_code == 0
    assert not store.root.exists()


def test_a_sound_store_verifies(chain, go, call):
    go(chain())
    verdict = call("verify")
    assert verdict.exit_code == 0
    assert verdict.stdout.startswith("3 sound results, 6 files, ")


def test_verify_finds_every_kind_of_damage_and_sets_it_aside(chain, go, store, call, invariant, ran):
    result = go(chain())
    ran()
    path = damage_one_object(result)
    stray = store.root / "objects" / "ab" / "note.txt"
    stray.parent.mkdir(exist_ok=True)
    stray.write_text("who put me here")
    torn = store.record_path(result.tasks["end"].record.key)
    torn.write_bytes(torn.read_bytes()[:-5])
    outcome = call("verify", "--json")
    assert isinstance(outcome.exception, InputRejected)
    assert outcome.exception.exit_code == 3
    damage = json.loads(outcome.stdout)["damage"]
    assert sorted(one["kind"] for one in damage) == ["object", "object", "record", "record"]
    assert {one["reason"] for one in damage} >= {"is torn or altered", "refers to a file that is gone or damaged"}
    assert not path.exists()
    assert not stray.exists()
    invariant()
    assert call("verify").exit_code == 0
    go(chain())
    assert sorted(ran()) == ["end", "source"]


def test_gc_removes_what_nothing_refers_to(chain, go, store, call):
    first = go(chain())
    go(chain(value=2))
    store.record_path(first.tasks["source"].record.key).unlink()
    (store.root / "tmp" / "write-abc").write_bytes(b"x" * 5000)
    collected = json.loads(call("gc", "--json").stdout)
    assert collected["objects"] == 2
    assert collected["temporary"] == 1
    assert collected["records"] == 0
    assert collected["freed_bytes"] > 5000
    assert go(chain(value=2)).hits == 3
    assert call("verify").exit_code == 0


def test_gc_unused_keeps_what_the_latest_run_of_each_pipeline_used(chain, go, call, ran):
    go(chain(), pipeline="one")
    go(chain(value=2), pipeline="two")
    go(chain(value=3), pipeline="two")
    ran()
    assert json.loads(call("gc", "--unused", "--json").stdout)["records"] == 3
    assert go(chain(), pipeline="one").hits == 3
    assert go(chain(value=3), pipeline="two").hits == 3
    assert go(chain(value=2), pipeline="two").misses == 3


def test_gc_keeps_the_best_state_of_a_task_until_it_has_a_result(chain, go, store, call):
    result = go(chain()).tasks["source"].record
    finished, failed = store.salvage_path("source", result.key), store.salvage_path("other", "f" * 64)
    for folder in (finished, failed):
        folder.mkdir()
        (folder / "weights").write_bytes(b"x")
    call("gc")
    assert (finished.exists(), failed.exists()) == (False, True)
    call("gc", "--unused")
    assert not failed.exists()


def test_gc_keeps_what_was_set_aside_until_told(chain, go, store, call):
    damage_one_object(go(chain()))
    call("verify")
    call("gc")
    assert list((store.root / "quarantine").iterdir())
    assert json.loads(call("gc", "--quarantine", "--json").stdout)["quarantined"] == 2
    assert not list((store.root / "quarantine").iterdir())


def test_clear_removes_the_store_and_nothing_else(chain, go, store, call):
    go(chain())
    (store.root / "objects" / "mine").mkdir()
    refused = call("clear")
    assert isinstance(refused.exception, ConfigError)
    assert "--yes" in str(refused.exception)
    assert go(chain()).hits == 3
    assert call("clear", "--yes").stdout.endswith(" freed\n")
    assert not store.root.exists()
    store.root.mkdir()
    (store.root / "precious").write_text("mine")
    outcome = call("clear", "--yes")
    assert isinstance(outcome.exception, EnvironmentFault)
    assert (store.root / "precious").read_text() == "mine"


def test_the_environment_names_the_store(chain, go, store):
    go(chain())
    found = CliRunner().invoke(app, ["list", "--json"], env={"SEQPRESS_STORE": str(store.root)})
    assert len(json.loads(found.stdout)["entries"]) == 3


def test_nothing_is_removed_from_a_newer_store(chain, go, store):
    go(chain())
    (store.root / "schema.json").write_text('{"schema": 5}')
    for work in (maintenance.inventory, maintenance.verify, maintenance.collect, maintenance.clear):
        with pytest.raises(EnvironmentFault, match="layout 5"):
            work(Store(store.root))
