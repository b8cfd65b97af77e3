"""``compress check``: every fault of a file at once, before anything is spent."""

from typing import TYPE_CHECKING, Any

from .arguments import Json, Overrides, PipelineFile, Quick
from .console import say, say_json

if TYPE_CHECKING:
    from ..config import PipelineConfig
    from ..config.data import DataSource
    from ..config.regression import Regression

EXAMPLES = (
    "compress check pipeline.yaml",
    "compress check pipeline.yaml --set students.gru-32.hidden=48",
    "compress check pipeline.yaml --quick",
    "compress check pipeline.yaml --json",
)


def check(
    path: PipelineFile = "pipeline.yaml", overrides: Overrides = None, quick: Quick = False, as_json: Json = False
) -> None:
    """Check a pipeline file and say what it would run.

    Finds every fault of the file at once, each with its line and column, and looks whether the files it names are
    there. Nothing is trained, downloaded or written.
    """
    from ...exporters import runtime
    from ..config import load
    from ..config.references import check_references

    loaded = load(path, overrides or [], quick)
    check_references(loaded)
    if as_json:
        warnings = list(filter(None, [runtime.conflict()]))
        facts = {"valid": True, "file": loaded.file, **facts_of(loaded.config), "warnings": warnings}
        say_json({**facts, "config": loaded.config.model_dump(mode="json", by_alias=True)})
    else:
        say(summary(loaded.config, loaded.file))
        if problem := runtime.conflict():
            say(f"warning: {problem}")


def facts_of(config: "PipelineConfig") -> dict[str, Any]:
    """What a run would do, in numbers."""
    arms = ["distilled", "control"] if config.distill.control else ["distilled"]
    recipes = list(config.quantize)
    students = len(config.students)
    return {
        "name": config.name,
        "task": config.task.kind,
        "students": list(config.students),
        "seeds": config.distill.seeds,
        "arms": arms,
        "recipes": recipes,
        "trainings": students * config.distill.seeds * len(arms) + (config.teacher.weights is None),
        "ships": students * max(1, len(recipes)),
        "budgets": [budget.name for budget in config.budgets.all() if budget.level != "off"],
    }


def summary(config: "PipelineConfig", file: str) -> str:
    """What a run would do, for people."""
    facts = facts_of(config)
    students = [f"{name}: {student.summary}" for name, student in config.students.items()]
    rows = [
        ("data", _data(config)),
        *([("task", config.task.summary)] if config.task.summary != "classification" else []),
        ("teacher", _teacher(config)),
        *(("students" if index == 0 else "", text) for index, text in enumerate(students)),
        ("distill", " + ".join(loss.summary for loss in config.distill.losses)),
        ("", _seeds(config)),
        ("trains", _count(facts["trainings"], "network")),
        ("ships", _ships(config)),
        ("benchmark", _benchmark(config)),
        ("budgets", _budgets(config)),
        *([("regression", _regression(config.regression))] if config.regression else []),
    ]
    lines = [f"{file} is fine: {config.name}", *(f"  {name:<10} {text}" for name, text in rows)]
    return "\n".join([*lines, f"next: compress plan {file}, then compress run {file}"])


def _data(config: "PipelineConfig") -> str:
    data = config.data
    validation = f"validation {100 * data.validation.fraction:g}% of training by {data.validation.by}"
    test = f", test {100 * data.test.fraction:g}% by {data.test.by}" if data.test else ""
    folds = f", fold {data.folds.index} of {data.folds.count} tests" if data.folds else ""
    return f"{data.source} {_origin(data)}, {validation}{test}{folds}"


def _origin(data: "DataSource") -> str:
    """The name, function or files that the data come from."""
    if data.source == "sktime" or data.source == "aeon":  # each narrows the type
        return data.name
    if data.source == "python":
        return data.entry
    if data.source == "huggingface" and data.hub is not None:
        return f"{data.hub}{f'/{data.subset}' if data.subset else ''} at {data.revision}"
    given = data.path
    if given is None or isinstance(given, str):
        return given or ""
    files = given if isinstance(given, tuple) else (given.train, given.validation, given.test)
    return ", ".join(str(part) for part in files if part)


def _teacher(config: "PipelineConfig") -> str:
    from ..config.architecture import Taught

    teacher = config.teacher
    if teacher.architecture == "onnx" or teacher.architecture == "outputs":  # each narrows the type
        return teacher.summary
    if not isinstance(teacher, Taught):
        return teacher.summary
    how = f"from {teacher.weights}" if teacher.weights else f"up to {_count(teacher.train.epochs, 'epoch')}"
    return f"{teacher.summary}, {how}"


def _seeds(config: "PipelineConfig") -> str:
    control = "each also without its teacher" if config.distill.control else "no control"
    return f"up to {_count(config.distill.train.epochs, 'epoch')}, {_count(config.distill.seeds, 'seed')}, {control}"


def _ships(config: "PipelineConfig") -> str:
    recipes = ", ".join(config.quantize) or "float32"
    return f"{_count(len(config.students), 'student')} as {recipes}"


def _benchmark(config: "PipelineConfig") -> str:
    benchmark = config.benchmark
    providers = ", ".join(p.name + (" (required)" if p.required else "") for p in benchmark.providers)
    batch = ", ".join(map(str, benchmark.batch))
    return f"{providers}; batch {batch}; {_count(benchmark.threads, 'thread')}"


def _budgets(config: "PipelineConfig") -> str:
    signs = {"max": "at most", "min": "at least"}
    set_ = [budget for budget in config.budgets.all() if budget.level != "off"]
    shown = [
        f"{budget.name} {signs[budget.bound]} {budget.text}" + (" (warns only)" if budget.level == "warn" else "")
        for budget in set_
    ]
    return "; ".join(shown) or "none: the run gates on parity alone"


def _regression(section: "Regression") -> str:
    limits = [limit for limit in section.all() if limit.level != "off"]
    shown = [f"{limit.name} {limit.text}" + (" (warns only)" if limit.level == "warn" else "") for limit in limits]
    needed = " (required)" if section.baseline.required else ""
    source = "a URL" if "://" in section.baseline.path else section.baseline.path  # a URL may hold a password
    return f"against {source}{needed}, worse by at most: {'; '.join(shown) or 'anything'}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
