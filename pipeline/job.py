"""One run of a pipeline, from a checked configuration to a folder with artifacts and a report."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from ..benchmarks import providers
from ..exporters import runtime
from . import last_release, naming, planning
from .assemble import Assembler, Finished
from .comparing import predictions
from .comparing.baseline import Fetched
from .config.loader import Loaded
from .config.pipeline import PipelineConfig
from .data.dataset import Dataset
from .engine import events
from .engine.disk import probe_writable
from .engine.plan import Plan
from .engine.run import RunResult, run as run_plan
from .engine.store import Store
from .engine.task import Artifact
from .errors import ConfigError, EnvironmentFault, Fault, SeqpressError
from .grading import predictions as answers_of
from .report import model as m
from .report.write import FOR_CI, write as write_report

STORE = ".seqpress"
RUNS = "runs"
# Imported by workers while the first task (reading data) runs; every later one needs them.
_PRELOAD = ("torch", "lightning_fabric")


@dataclass(frozen=True)
class Request:
    """What the command line adds to the configuration.

    Args:
        loaded: the checked file.
        store: results of all runs; beside the YAML where ``None``.
        out: where run folders go; beside the YAML where ``None``.
        jobs: tasks at once; the configuration's where ``None``.
        only: students to keep; all where empty.
        no_cache_read: compute everything again.
        wait: wait for another run that computes the same task, instead of giving up with exit code 7.
        strict: undecided gates fail the run.
    """

    loaded: Loaded
    store: Path | None = None
    out: Path | None = None
    jobs: int | None = None
    only: Sequence[str] = ()
    no_cache_read: bool = False
    wait: bool = True
    strict: bool = False

    def store_folder(self) -> Path:
        return self.store or self.loaded.folder / STORE

    def open_store(self) -> Store:
        return Store(self.store_folder())

    def runs(self) -> Path:
        """The folder that numbered runs of this pipeline go into."""
        return (self.out or self.loaded.folder / RUNS) / self.loaded.config.name

    def config(self) -> PipelineConfig:
        """The configuration with ``only`` applied.

        Raises:
            ConfigError: a name that is no student.
        """
        config = self.loaded.config
        unknown = [name for name in self.only if name not in config.students]
        if unknown:
            known = ", ".join(config.students)
            raise ConfigError(
                [Fault("config.unknown-student", "--only", f"must name a student: {known}", repr(n)) for n in unknown]
            )
        return naming.with_only(config, self.only) if self.only else config


@dataclass(frozen=True)
class Done:
    """A finished run."""

    report: m.Report
    folder: Path


def plan(request: Request) -> Plan:
    """The graph of tasks of a request.

    Raises:
        SeqpressError: an option names something that is not there; told at its line of the YAML.
    """
    return _prepare(request)[0]


def _prepare(request: Request) -> tuple[Plan, Fetched | None]:
    """The graph of tasks, and the last release that a run is compared with, where one is asked for."""
    config = request.config()
    try:
        last = last_release.fetch(request.loaded, request.store_folder())
        return Plan(planning.build(config, request.loaded.folder, last)), last
    except SeqpressError as error:
        raise _located(error, request.loaded) from error


def run(request: Request, on_event: Callable[[events.Event], object]) -> Done:
    """Compute what is missing, and write a numbered run folder.

    Raises:
        SeqpressError: what failed; everything that finished stays in the store.
    """
    began = time.monotonic()
    config = request.config()
    tasks, last = _prepare(request)
    _require_device(request)
    _require_one_runtime()
    _require_providers(request)
    probe_writable(request.runs())
    store = request.open_store()
    jobs = request.jobs if request.jobs is not None else config.compute.jobs
    result = run_plan(
        tasks,
        store,
        pipeline=config.name,
        jobs=None if jobs == "auto" else jobs,
        threads=config.compute.threads,
        preload=_PRELOAD,
        on_event=on_event,
        deliver=[name for name in tasks.tasks if name.startswith(("bundle/", "export/teacher"))],
        no_cache_read=request.no_cache_read,
        wait=request.wait,
        partial=bool(request.only),
    )
    if error := result.error():
        raise _with_kept(_located(error, request.loaded), result)
    finished = _finished(tasks, result)
    assembler = Assembler(config, request.loaded.as_run(), finished, last)
    with _Folder(request.runs()) as folder:
        facts = _run_facts(result, folder.number, began)
        report = assembler.report(facts, request.strict)
        _deliver(report, finished, folder.path)
        write_report(report, folder.path, [*config.report.formats, *FOR_CI])
        (folder.path / "pipeline.yaml").write_text(report.config_yaml, encoding="utf-8")
        return Done(report, folder.publish())


def _require_device(request: Request) -> None:
    """A device that the user names must be there before anything is trained."""
    wanted = request.loaded.config.compute.device
    if wanted == "cuda" and planning.best_device() != "cuda":
        where = request.loaded.where("compute.device")
        hint = "no NVIDIA driver is loaded, or torch is a CPU build; set it to auto or cpu"
        raise EnvironmentFault(Fault("environment.device", where, "is not available", repr(wanted), hint))


def _require_one_runtime() -> None:
    """Files of two builds of onnxruntime mixed compute nobody knows what."""
    if problem := runtime.conflict():
        found = ", ".join(map(str, runtime.installed()))
        raise EnvironmentFault(
            Fault("environment.runtime-twice", "onnxruntime", "must be installed once", found, problem)
        )


def _require_providers(request: Request) -> None:
    """A provider the user insists on must be there before anything is trained."""
    faults = []
    for index, wanted in enumerate(request.loaded.config.benchmark.providers):
        if wanted.required and not (found := providers.availability(wanted.name)).available:
            where = request.loaded.where(f"benchmark.providers[{index}]")
            faults.append(Fault("environment.provider", where, "is required and not available", "", found.reason))
    if faults:
        raise EnvironmentFault(faults)


def _located(error: SeqpressError, loaded: Loaded) -> SeqpressError:
    """Stages name options by their path alone; here is where their line is known."""
    sections = ("data.", "teacher.")
    faults = [replace(f, where=loaded.where(f.where)) if f.where.startswith(sections) else f for f in error.faults]
    return type(error)(faults)


def _with_kept(error: SeqpressError, result: RunResult) -> SeqpressError:
    """Say what was saved and what waits, after what failed."""
    needed = "it" if len(result.failures) == 1 else "them"
    blocked = f"; not started, because they need {needed}: {_tasks(len(result.blocked))}" if result.blocked else ""
    kept = f"finished and kept: {_tasks(len(result.tasks))}; the same command goes on from there"
    note = Fault("run.incomplete", _tasks(len(result.failures)), f"failed{blocked}", hint=kept)
    return type(error)([*error.faults, note])


def _tasks(count: int) -> str:
    return "1 task" if count == 1 else f"{count} tasks"


def _finished(tasks: Plan, result: RunResult) -> Mapping[str, Finished]:
    return {
        name: Finished(
            artifact=result.artifacts[name],
            key=done.record.key,
            inputs=tasks.tasks[name].inputs,
            cached=done.cached,
            compute_s=done.record.compute_s,
        )
        for name in tasks.order
        if (done := result.tasks[name])
    }


def _run_facts(result: RunResult, number: int, began: float) -> m.RunFacts:
    overhead = result.overhead_share
    return m.RunFacts(
        number=number,
        started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        wall_s=round(time.monotonic() - began, 3),
        jobs=result.jobs,
        hits=result.hits,
        misses=result.misses,
        damaged=result.damaged,
        parallel_compute_s=round(result.parallel_compute_s, 3),
        exclusive_compute_s=round(result.exclusive_compute_s, 3),
        overhead_share=None if overhead is None else round(overhead, 4),
    )


def _deliver(report: m.Report, finished: Mapping[str, Finished], folder: Path) -> None:
    """Copy the teacher's file and every student's bundles out of the store, and write down what they predicted."""
    if report.teacher is not None:
        _copy(finished[f"export/{naming.TEACHER}"].artifact, ["model.onnx"], folder / report.teacher.file)
    for student in report.students:
        for variant in student.variants:
            bundle = finished[f"bundle/{variant.id}"].artifact
            _copy(bundle, sorted(bundle.files), folder / variant.file)
    predictions.write(folder / predictions.FILE, _predictions(report, finished))


def _predictions(report: m.Report, finished: Mapping[str, Finished]) -> predictions.Predictions:
    """What every delivered file said of each test item, so that a later run can be compared with it item by item."""
    data = finished["data"].artifact
    tasks = {} if report.teacher is None else {report.teacher.id: f"evaluate/{report.teacher.id}"}
    for student in report.students:
        chosen = naming.Arm(student.name, "distilled", student.selected_seed)
        tasks |= {variant.id: chosen.evaluation(variant.id.partition("/")[2]) for variant in student.variants}
    done = {name: finished[task].artifact for name, task in tasks.items()}
    return answers_of(Dataset.read(data.files), data, done)


def _copy(artifact: Artifact, names: Sequence[str], model: Path) -> None:
    """Files of an artifact into the folder that ``model`` lies in."""
    model.parent.mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copyfile(artifact / name, model.parent / name)


class _Folder:
    """A run folder that appears under its number only when it is whole."""

    def __init__(self, runs: Path) -> None:
        self.runs = runs
        runs.mkdir(parents=True, exist_ok=True)
        taken = [int(entry.name) for entry in runs.iterdir() if entry.name.isdigit()]
        self.number = max(taken, default=0) + 1

    def __enter__(self) -> "_Folder":
        self.path = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=self.runs))
        self.path.chmod(0o755)
        return self

    def __exit__(self, *error: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    def publish(self) -> Path:
        """Rename to the number, and point ``latest`` at it."""
        target = self.runs / str(self.number)
        try:
            os.rename(self.path, target)
        except OSError as error:
            if not target.exists():
                raise
            hint = "run the command again: everything is in the store"
            fault = Fault("environment.run-folder", str(target), "was taken by another run meanwhile", hint=hint)
            raise EnvironmentFault(fault) from error
        link = self.runs / f".latest-{os.getpid()}"
        link.symlink_to(target.name, target_is_directory=True)
        os.replace(link, self.runs / "latest")
        return target
