"""From the configuration to the graph of tasks. Nothing is computed here, and torch is not imported."""

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ..benchmarks import machine
from ..exporters import runtime
from . import measuring
from .comparing.baseline import Fetched
from .config.architecture import Architecture, Taught, TeacherPython
from .config.brought import PythonEntry, TeacherONNX, TeacherOutputs
from .config.distill import PythonLoss
from .config.pipeline import PipelineConfig
from .config.units import duration_us
from .data.digest import data_libraries, source_digest
from .engine.task import Task
from .naming import AUTO, FLOAT, OUTPUTS, TEACHER, Arm, arms, recipes, seeds, variant
from .teachers.digest import entry_digest, teacher_digest

_STAGES = f"{__package__}.stages"
_TRAINING = ("torch", "numpy", "lightning-fabric", "safetensors")
_QUALITY = ("scikit-learn", "torchmetrics", "torch")
_EXPORT = ("torch", "onnx", "onnxscript", "onnx-ir", "numpy", "safetensors")
# By the name it is installed under: onnxruntime-gpu and its like compute differently under the same version.
_RUNTIME = (*runtime.distributions(), "numpy")
_MACHINE = ("cpu", "cpu family", "instruction sets", "cores", "cpu quota", "memory", "onnxruntime")
# What auto tries. Four bits cost one to three labels in a hundred without retraining, and float16 is larger than int8
# and no faster: they are for whoever asks.
CANDIDATES = ("dynamic-int8", "static-int8", "weight-int8")

# Raise a stage's number whenever it computes something else from the same inputs.
_REVISIONS = {
    "data": 5,
    "adopt": 1,
    "given": 1,
    "teach": 2,
    "outputs": 2,
    "distill": 2,
    "export": 5,
    "best": 2,
    "choose": 9,
    "quantize": 5,
    "select": 2,
    "verify": 9,
    "bundle": 6,
    "evaluate": 4,
    "baseline": 2,
    "benchmark": 3,
    "scenarios": 2,
    "regress": 3,
}


def build(config: PipelineConfig, folder: Path, last: Fetched | None = None) -> list[Task]:
    """Every task of a run.

    Args:
        config: checked.
        folder: where the YAML lies; relative paths in it start there.
        last: the last release, if there is one to compare with.

    Raises:
        ConfigError, InputRejected, EnvironmentFault: something that the plan must read is not there or not readable.
    """
    return _Planner(config, folder, last).tasks()


class _Planner:
    def __init__(self, config: PipelineConfig, folder: Path, last: Fetched | None) -> None:
        self.config, self.folder, self.last = config, folder, last
        device = config.compute.device if config.compute.device != "auto" else best_device()
        self.placement = {
            "device": device,
            "devices": config.compute.devices,
            "strategy": config.compute.strategy,
            "precision": config.compute.precision,
        }
        self.threads = config.compute.threads
        self.asked = config.task.model_dump(mode="json")
        fingerprint = machine.fingerprint()
        # A timing from another machine is no timing of this one. What changes by itself (frequency) stays out.
        self.machine = {name: fingerprint[name] for name in _MACHINE if name in fingerprint}
        # Rounding differs between instruction sets, and with it every later bit.
        self.domain = {
            "threads": self.threads,
            "instruction sets": fingerprint["instruction sets"],
            "system": platform.system(),
        }

    def tasks(self) -> list[Task]:
        found = [*self._data(), *self._teacher()]
        for student, section in self.config.students.items():
            found += self._student(student, section)
        found.append(self._benchmark())
        if self.config.benchmark.scenarios:
            found += [self._scenarios(name, recipe) for name in self.config.students for recipe in self._ships()]
        return [*found, *([self._regress(self.last)] if self.last is not None and self.last.path else [])]

    def _task(
        self,
        name: str,
        stage: str,
        options: Mapping[str, Any],
        inputs: Mapping[str, str],
        libraries: tuple[str, ...],
        **more: Any,
    ) -> Task:
        return Task(
            name=name,
            entry=f"{_STAGES}.{stage}:run",
            revision=_REVISIONS[stage],
            options=options,
            inputs=inputs,
            libraries=libraries,
            **{"local": {"folder": str(self.folder)}, **more},
        )

    def _data(self) -> list[Task]:
        source = self.config.data.model_dump(mode="json")
        digest = source_digest(source, self.folder)
        options = {"source": source, "seed": self.config.seed, "expected": digest, "wanted": self.config.task.wanted()}
        asked = {"task": self.asked}
        return [
            self._task("data", "data", options, {}, ("numpy", *data_libraries(source)), content=digest),
            self._task("baseline", "baseline", asked, {"data": "data"}, ("numpy", *_QUALITY), weight=0.5),
        ]

    def _seen(self, section: Architecture | Taught) -> dict[str, Any]:
        """The task, and the channels that a network reads: what a stage needs to read the data as that network does."""
        return {"task": self.asked, "reads": section.model_dump(mode="json").get("reads")}

    def _teacher(self) -> list[Task]:
        teacher = self.config.teacher
        digest = teacher_digest(teacher.model_dump(mode="json"), self.folder)
        if isinstance(teacher, TeacherOutputs):
            return [self._given(teacher, digest)]
        export, evaluated = f"export/{TEACHER}", f"evaluate/{TEACHER}/{FLOAT}"
        if isinstance(teacher, TeacherONNX):
            return [
                self._adopt(export, teacher, digest),
                self._outputs(teacher, {"model": export}, batch_size=teacher.batch_size),
                self._evaluate(evaluated, export),
            ]
        options = {
            "network": self._network(teacher, digest.get("modules")),
            "train": teacher.train.model_dump(mode="json"),
            "seed": self.config.seed,
            "placement": self.placement,
            "weights": teacher.weights,
            "weights_sha256": digest.get("weights", ""),
        } | self._seen(teacher)
        return [
            self._task(TEACHER, "teach", options, {"data": "data"}, _TRAINING, domain=self.domain, weight=10.0),
            self._outputs(teacher, {"teacher": TEACHER}),
            self._export(export, TEACHER, teacher),
            self._evaluate(evaluated, export),
            self._verify(TEACHER, TEACHER, export, {FLOAT: "model.onnx"}),
        ]

    def _adopt(self, name: str, teacher: TeacherONNX, digest: Mapping[str, Any]) -> Task:
        section = {key: teacher.model_dump(mode="json")[key] for key in ("onnx", "inputs", "output")}
        options = {"teacher": section, "expected": digest["onnx"], "summary": teacher.summary, "task": self.asked}
        libraries = ("onnx", *_RUNTIME)
        return self._task(name, "adopt", options, {"data": "data"}, libraries, content=digest)

    def _given(self, teacher: TeacherOutputs, digest: Mapping[str, Any]) -> Task:
        options = {"outputs": teacher.outputs, "kind": teacher.kind, "expected": digest["outputs"], "task": self.asked}
        return self._task(OUTPUTS, "given", options, {"data": "data"}, ("numpy",), content=digest)

    def _outputs(self, teacher: Taught | TeacherONNX, source: Mapping[str, str], **more: Any) -> Task:
        options = {"placement": self.placement, "task": self.asked} | more
        if isinstance(teacher, Architecture):
            options |= self._seen(teacher)
        libraries = _RUNTIME if "model" in source else _TRAINING
        inputs = {"data": "data", **source}
        return self._task(OUTPUTS, "outputs", options, inputs, libraries, domain=self.domain, weight=0.2)

    def _network(self, section: Architecture | Taught, modules: Any = None) -> dict[str, Any]:
        """The section without what only its making needs; code of the user's own with its digest."""
        skipped = set(Taught.model_fields) & set(type(section).model_fields)
        found = section.model_dump(mode="json", exclude=skipped)
        return found | ({"expected": modules} if modules is not None else {})

    def _student(self, student: str, section: Architecture) -> list[Task]:
        found = []
        files = {recipe: f"{recipe}.onnx" for recipe in recipes(self.config)}
        for arm in arms(self.config, student):
            found.append(self._distill(arm, section))
            found.append(self._export(arm.model(FLOAT), arm.network, section))
            found.append(self._evaluate(arm.evaluation(FLOAT), arm.model(FLOAT)))
        found.append(self._best(student))
        if AUTO in self.config.quantize:
            found.append(self._choose(student))
        for arm in self._distilled(student):
            for recipe in self.config.quantize:
                found.append(self._quantize(arm, recipe))
                whole = arm.evaluation(FLOAT)
                found.append(self._evaluate(arm.evaluation(recipe), arm.model(recipe), float=whole))
        found += [self._select(student), self._verify(student, f"best/{student}", f"select/{student}", files)]
        return [*found, *(self._bundle(student, recipe) for recipe in recipes(self.config))]

    def _distill(self, arm: Arm, section: Architecture) -> Task:
        distilled = arm.kind == "distilled"
        options = {
            "network": self._network(section, self._modules(section, f"students.{arm.student}.python")),
            "losses": [one for one in self._losses() if distilled or one.get("needs_teacher") is False],
            "train": self.config.distill.train.model_dump(mode="json"),
            "seed": arm.seed,
            "placement": self.placement,
        } | self._seen(section)
        inputs = {"data": "data"} | ({"outputs": OUTPUTS} if distilled else {})
        return self._task(arm.network, "distill", options, inputs, _TRAINING, domain=self.domain, weight=5.0)

    def _losses(self) -> list[dict[str, Any]]:
        found = []
        for index, loss in enumerate(self.config.distill.losses):
            section = loss.model_dump(mode="json")
            if isinstance(loss, PythonLoss):
                section["expected"] = entry_digest(loss.entry, self.folder, f"distill.losses[{index}].entry")
            found.append(section)
        return found

    def _modules(self, section: Architecture, where: str) -> Mapping[str, str] | None:
        """Digest of the user's own code behind a network, where there is any."""
        return entry_digest(section.python, self.folder, where) if isinstance(section, PythonEntry) else None

    def _export(self, name: str, network: str, section: Architecture | TeacherPython) -> Task:
        period = self.config.export.frame_period
        options = {
            "opset": self.config.export.opset,
            "streaming": self.config.export.streaming,
            "non_finite": self.config.export.non_finite,
            "frame_period_ms": None if period is None else duration_us(period) / 1000,
            "summary": section.summary,
        } | self._seen(section)
        return self._task(name, "export", options, {"data": "data", "network": network}, _EXPORT, weight=1.0)

    def _best(self, student: str) -> Task:
        chosen = self._distilled(student)
        inputs = {f"network-{arm.seed}": arm.network for arm in chosen}
        inputs |= {f"model-{arm.seed}": arm.model(FLOAT) for arm in chosen}
        return self._task(f"best/{student}", "best", {"seeds": seeds(self.config)}, inputs, (), weight=0.1)

    def _choose(self, student: str) -> Task:
        limits = {budget.name: budget for budget in self.config.budgets.all() if budget.level == "error"}
        options = {
            "recipes": list(CANDIDATES),
            "agreement": limits["agreement"].limit if "agreement" in limits else 0.99,
            "leak": "leak" in limits,
            "non_finite": self.config.export.non_finite,
            "size_bytes": limits["size"].limit if "size" in limits else None,
            "provider": self.config.benchmark.providers[0].name,
            "threads": self.config.benchmark.threads,
            "seed": self.config.seed,
            "task": self.asked,
        }
        inputs = {"data": "data", "model": f"best/{student}"}
        return self._task(
            f"choose/{student}",
            "choose",
            options,
            inputs,
            ("onnx", *_RUNTIME),
            domain=self.machine,
            exclusive=True,
        )

    def _quantize(self, arm: Arm, recipe: str) -> Task:
        libraries = ("onnx", *_RUNTIME)
        options = {"recipe": recipe, "non_finite": self.config.export.non_finite, "task": self.asked}
        inputs = {"model": arm.model(FLOAT), "data": "data"}
        if recipe == AUTO:
            inputs["choice"] = f"choose/{arm.student}"
        return self._task(arm.model(recipe), "quantize", options, inputs, libraries, weight=0.2)

    def _distilled(self, student: str) -> list[Arm]:
        return [arm for arm in arms(self.config, student) if arm.kind == "distilled"]

    def _evaluate(self, name: str, model: str, **more: str) -> Task:
        inputs = {"data": "data", "model": model, **more}
        expected = {
            name: entry_digest(name, self.folder, f"task.metrics[{index}]")
            for index, name in enumerate(self.config.task.metrics)
        }
        options = {"task": self.asked} | ({"expected": expected} if expected else {})
        return self._task(name, "evaluate", options, inputs, (*_RUNTIME, *_QUALITY), domain=self.domain, weight=0.2)

    def _select(self, student: str) -> Task:
        inputs = {"best": f"best/{student}"}
        for recipe in recipes(self.config):
            inputs |= {f"{recipe}-{arm.seed}": arm.model(recipe) for arm in self._distilled(student)}
        return self._task(f"select/{student}", "select", {"recipes": recipes(self.config)}, inputs, (), weight=0.1)

    def _verify(self, model: str, network: str, models: str, files: Mapping[str, str]) -> Task:
        inputs = {"data": "data", "network": network, "models": models}
        options = {
            "files": dict(files),
            "tolerances": self.config.parity.model_dump(mode="json"),
            "non_finite": self.config.export.non_finite,
            "task": self.asked,
        }
        libraries = (*_RUNTIME, "torch", "safetensors")
        return self._task(f"verify/{model}", "verify", options, inputs, libraries, domain=self.domain)

    def _bundle(self, student: str, recipe: str) -> Task:
        inputs = {
            "data": "data",
            "models": f"select/{student}",
            "network": f"best/{student}",
            "parity": f"verify/{student}",
        }
        inputs |= {f"evaluation-{arm.seed}": arm.evaluation(recipe) for arm in self._distilled(student)}
        options = {
            "name": variant(student, recipe),
            "recipe": recipe,
            "pipeline": self.config.name,
            "teacher": self.config.teacher.summary,
            "losses": [loss.summary for loss in self.config.distill.losses],
            "non_finite": self.config.export.non_finite,
            "task": self.asked,
        }
        libraries = ("onnx", *_RUNTIME)
        return self._task(f"bundle/{student}/{recipe}", "bundle", options, inputs, libraries, weight=0.2)

    def _benchmark(self) -> Task:
        contenders, inputs = {}, {"data": "data"}
        if not isinstance(self.config.teacher, TeacherOutputs):  # there is no model of it
            contenders[variant(TEACHER, FLOAT)] = [TEACHER, "model.onnx"]
            inputs[TEACHER] = f"export/{TEACHER}"
        for student in self.config.students:
            inputs[student] = f"select/{student}"
            contenders |= {variant(student, recipe): [student, f"{recipe}.onnx"] for recipe in recipes(self.config)}
        more = {"contenders": contenders, "reference": next(iter(contenders))}
        return self._timed("benchmark", "benchmark", measuring.latency(self.config) | more, inputs)

    def _scenarios(self, student: str, recipe: str) -> Task:
        inputs = {"data": "data", "models": f"select/{student}"}
        options = measuring.scenarios(self.config) | {"recipe": recipe}
        return self._timed(f"scenarios/{student}/{recipe}", "scenarios", options, inputs)

    def _regress(self, last: Fetched) -> Task:
        """All of them in one task: who is compared with whom depends on everybody."""
        shipped = {variant(s, recipe): f"bundle/{s}/{recipe}" for s in self.config.students for recipe in self._ships()}
        options = measuring.regression(self.config) | {
            "source": last.shown,
            "digest": last.digest,
            "artifacts": list(shipped),
        }
        local = {"folder": str(self.folder), "baseline": str(last.path)}
        inputs = {"data": "data", **shipped}
        for student in self.config.students:
            inputs[f"best/{student}"] = f"best/{student}"
            for arm in self._distilled(student):
                answers = {f"{variant(student, recipe)}/{arm.seed}": arm.evaluation(recipe) for recipe in self._ships()}
                inputs |= answers
        return self._timed("regress", "regress", options, inputs, local=local)

    def _ships(self) -> list[str]:
        return list(self.config.quantize) or [FLOAT]

    def _timed(self, name: str, stage: str, options: Mapping[str, Any], inputs: Mapping[str, str], **more: Any) -> Task:
        """A task that has the machine for itself, and whose answer holds on this machine alone."""
        return self._task(name, stage, options, inputs, _RUNTIME, domain=self.machine, exclusive=True, **more)


def best_device() -> str:
    """Whether ``auto`` means a GPU, told without importing torch."""
    try:
        cpu_build = version("torch").endswith("+cpu")
    except PackageNotFoundError:
        cpu_build = True
    return "cuda" if not cpu_build and any(Path("/proc/driver/nvidia/gpus").glob("*")) else "cpu"
