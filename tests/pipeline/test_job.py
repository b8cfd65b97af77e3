"""The run folder: numbered, whole or not there at all, and what is refused before anything is computed."""

from pathlib import Path

import pytest
from command import TINY
from seqpress.exporters.runtime import Installed
from seqpress.pipeline import job
from seqpress.pipeline.config import load
from seqpress.pipeline.engine import events
from seqpress.pipeline.errors import ConfigError, EnvironmentFault, InputRejected
from seqpress.pipeline.report import write as writing
from speech import project


@pytest.fixture
def again(tiny, tmp_path):
    """Run the tiny pipeline from the store into a folder of the test's own."""

    def run(*overrides, on_event=lambda event: None, **changes):
        request = job.Request(tiny.load(*overrides), store=tiny.store, out=tmp_path, **changes)
        return job.run(request, on_event)

    return run


def test_runs_are_numbered_and_latest_points_at_the_last(again, tmp_path):
    folders = [again().folder for _ in range(2)]
    assert folders == [tmp_path / "tiny" / "1", tmp_path / "tiny" / "2"]
    (tmp_path / "tiny" / "17").mkdir()
    (tmp_path / "tiny" / "notes").mkdir()
    assert again().folder == tmp_path / "tiny" / "18"
    assert (tmp_path / "tiny" / "latest").readlink() == Path("18")


def test_events_tell_of_hits_only(again):
    heard = []
    done = again(on_event=heard.append)
    tasks = len(done.report.lineage)
    assert heard[0] == events.RunStarted(tasks, tasks, heard[0].jobs)
    assert {type(event) for event in heard[1:]} == {events.TaskFinished}
    assert (done.report.run.hits, done.report.run.misses) == (tasks, 0)
    assert done.report.run.overhead_share is None


def test_a_failure_while_writing_leaves_no_folder(again, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(job, "write_report", full)
    with pytest.raises(OSError, match="No space"):
        again()
    assert list((tmp_path / "tiny").iterdir()) == []


def test_a_number_taken_meanwhile_is_told(again, tmp_path, monkeypatch):
    def and_take(*arguments):
        writing.write(*arguments)
        (tmp_path / "tiny" / "1" / "other").mkdir(parents=True)

    monkeypatch.setattr(job, "write_report", and_take)
    with pytest.raises(EnvironmentFault) as caught:
        again()
    assert caught.value.faults[0].code == "environment.run-folder"
    assert [path.name for path in (tmp_path / "tiny").iterdir()] == ["1"]


def test_formats_are_those_asked_for(again):
    folder = again("report.formats=[markdown]").folder
    assert sorted(path.name for path in folder.iterdir()) == [
        "artifacts", "metrics.txt", "pipeline.yaml", "predictions.npz", "report.md", "summary.md",
    ]  # fmt: skip


def test_the_yaml_is_kept_as_written_with_its_overrides(again):
    done = again("benchmark.samples=90")
    kept = (done.folder / "pipeline.yaml").read_text(encoding="utf-8")
    assert kept == TINY + "# with --set benchmark.samples=90\n" == done.report.config_yaml
    assert load(done.folder / "pipeline.yaml").config.name == "tiny"


def test_store_and_runs_lie_beside_the_yaml(tiny):
    request = job.Request(tiny.load())
    assert request.open_store().root == tiny.folder / ".seqpress"
    assert request.runs() == tiny.folder / "runs" / "tiny"


def test_an_unknown_student_is_refused(again, tmp_path):
    with pytest.raises(ConfigError, match="--only must name a student: gru-8, tcn-8"):
        again(only=["gru"])
    assert not (tmp_path / "tiny").exists()


def test_a_required_provider_is_looked_for_first(again, tmp_path, monkeypatch):
    absent = type("Absent", (), {"available": False, "reason": "no such build"})()
    monkeypatch.setattr(job.providers, "availability", lambda name: absent)
    heard = []
    with pytest.raises(EnvironmentFault) as caught:
        again("benchmark.providers=[{name: cuda, required: true}]", on_event=heard.append)
    assert caught.value.faults[0].code == "environment.provider"
    assert caught.value.faults[0].hint == "no such build"
    assert (heard, list(tmp_path.iterdir())) == ([], [])


def test_two_builds_of_onnxruntime_at_once_stop_the_run(again, tmp_path, monkeypatch):
    both = (Installed("onnxruntime", "1.31.0"), Installed("onnxruntime-gpu", "1.31.0"))
    monkeypatch.setattr(job.runtime, "installed", lambda path=None: both)
    with pytest.raises(EnvironmentFault) as caught:
        again()
    (fault,) = caught.value.faults
    assert (fault.code, fault.got) == ("environment.runtime-twice", "onnxruntime 1.31.0, onnxruntime-gpu 1.31.0")
    assert "pip uninstall -y onnxruntime onnxruntime-gpu" in fault.hint
    assert list(tmp_path.iterdir()) == []


def test_an_absent_provider_that_is_not_required_is_no_fault(again, monkeypatch):
    absent = type("Absent", (), {"available": False, "reason": "no such build"})()
    monkeypatch.setattr(job.providers, "availability", lambda name: absent)
    assert again().report.exit_code == 0


def test_what_failed_is_told_with_what_was_kept(tmp_path):
    folder = project(tmp_path / "mini", labels=None)
    request = job.Request(load(folder / "pipeline.yaml"), jobs=1)
    with pytest.raises(InputRejected) as caught:
        job.run(request, lambda event: None)
    *_, last = caught.value.faults
    assert last.code == "run.incomplete"
    tasks = len(job.plan(request).tasks)
    words = f"1 task failed; not started, because they need it: {tasks - 1} tasks\n  finished and kept: 0 tasks; "
    assert str(last).startswith(words)
