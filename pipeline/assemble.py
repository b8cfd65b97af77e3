"""From the facts of finished tasks to the one Report."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..benchmarks import quality
from . import findings as finding, gates as gating
from .comparing.baseline import Fetched
from .config.pipeline import PipelineConfig
from .engine.task import Artifact
from .naming import AUTO, FLOAT, TEACHER, Arm, arms, recipes, variant
from .report import figures, model as m

# Written by the stages named; importing them would import what they compute with.
_MODEL, _STEP, _LOGITS, _LABELS = "model.onnx", "step.onnx", "test.logits.npy", "test.targets.npy"

ArmName = Literal["teacher", "distilled", "control"]


@dataclass(frozen=True)
class Finished:
    """A task's artifact with what the report says about its making."""

    artifact: Artifact
    key: str
    inputs: Mapping[str, str]
    cached: bool
    compute_s: float


class Assembler:
    """Reads artifacts, compares predictions, and fills the Report.

    Args:
        config: of the run.
        config_yaml: its text, overrides applied or not, as the user should see it.
        finished: every task of the plan by name.
        last: the last release, where the configuration names one.
    """

    def __init__(
        self, config: PipelineConfig, config_yaml: str, finished: Mapping[str, Finished], last: Fetched | None = None
    ) -> None:
        self.config, self.config_yaml, self.finished, self.last = config, config_yaml, finished, last
        data = finished["data"].artifact
        self.labels: NDArray[np.int64] = np.load(data / _LABELS, allow_pickle=False)
        self.names: list[str] = data.facts["data"]["labels"]
        self.timed = finished["benchmark"].artifact.measured
        self.teacher_bytes: int = self._facts(f"export/{TEACHER}")["footprint"]["size_bytes"]

    def report(self, run: m.RunFacts, strict: bool) -> m.Report:
        """The whole report.

        Args:
            run: what this run did.
            strict: an undecided gate fails the run.
        """
        teacher = self._teacher()
        students = tuple(self._student(name) for name in self.config.students)
        shipped = [v for student in students for v in student.variants if v.ships]
        every = [teacher, *(v for student in students for v in student.variants)]
        providers = tuple(m.ProviderFacts(**facts) for facts in self.timed["providers"])
        comparisons = self._comparisons()
        gates = gating.evaluate(
            self.config.budgets.all(),
            shipped,
            every,
            regression=self.config.regression.all() if self.config.regression else (),
            comparisons=comparisons,
            no_baseline=self.last.reason if self.last else "",
            providers=providers,
            fallback=self.config.benchmark.fallback,
        )
        code = gating.exit_code(gates, strict)
        return m.Report(
            seqpress_version=__version__,
            name=self.config.name,
            task=self.config.task.kind,
            seed=self.config.seed,
            status=gating.status(gates, code),
            sentence=gating.sentence(gates, students),
            exit_code=code,
            data=m.DataFacts(**self._facts("data")["data"]),
            baselines=(self._baseline(),),
            teacher=teacher,
            teacher_validation=self._facts(TEACHER)["best"]["validation_metric"],
            students=students,
            curves=self._curves(),
            gates=gates,
            findings=self._findings(teacher, students, run),
            providers=providers,
            environment=self._environment(),
            lineage=self._lineage(),
            config_yaml=self.config_yaml,
            run=run,
            previous=self._previous(),
            comparisons=comparisons,
        )

    def _previous(self) -> m.Previous | None:
        last = self.last
        return None if last is None else m.Previous(source=last.shown, digest=last.digest, reason=last.reason)

    def _comparisons(self) -> tuple[m.Comparison, ...]:
        if "regress" not in self.finished:
            return ()
        found = self.finished["regress"].artifact.measured["comparisons"]
        return tuple(m.Comparison.model_validate(one) for one in found)

    def _scenarios(self, identity: str) -> m.Scenarios | None:
        """Only of what ships; the others are here to be compared with."""
        done = self.finished.get(f"scenarios/{identity}")
        return None if done is None else m.Scenarios.model_validate(done.artifact.measured)

    def _facts(self, task: str) -> Mapping[str, Any]:
        return self.finished[task].artifact.facts

    def _predicted(self, task: str) -> NDArray[np.int64]:
        return np.asarray(self._facts(task)["predicted"], dtype=np.int64)

    def _teacher(self) -> m.Variant:
        artifact = self.finished[f"export/{TEACHER}"].artifact
        files = {_MODEL: artifact / _MODEL}  # its step graph is not delivered
        found = self._quality(f"evaluate/{TEACHER}/{FLOAT}", {})
        return self._variant(TEACHER, FLOAT, self.config.teacher.summary, artifact.facts, files, found)

    def _student(self, name: str) -> m.Student:
        seed = self._facts(f"best/{name}")["seed"]
        summary = self.config.students[name].summary
        chosen = Arm(name, "distilled", seed)
        variants = []
        for recipe in recipes(self.config):
            against = {TEACHER: f"evaluate/{TEACHER}/{FLOAT}"}
            if self.config.distill.control:
                against["control"] = Arm(name, "control", seed).evaluation(FLOAT)
            if recipe != FLOAT:
                against[FLOAT] = chosen.evaluation(FLOAT)
            found = self._quality(chosen.evaluation(recipe), against)
            bundle = self.finished[f"bundle/{name}/{recipe}"].artifact
            facts = self._facts(f"select/{name}")["variants"][recipe] | {"footprint": bundle.facts["footprint"]}
            made = self._variant(name, recipe, summary, facts, bundle.files, found)
            variants.append(made.model_copy(update={"bundle_digest": bundle.facts["digest"]}))
        return m.Student(
            name=name,
            architecture=summary,
            selected_seed=seed,
            headline=headline(next(v for v in variants if v.ships)),
            variants=tuple(variants),
            candidates=self._candidates(name),
            distillation=self._distillation(name, seed),
        )

    def _variant(
        self,
        name: str,
        asked: str,
        summary: str,
        facts: Mapping[str, Any],
        files: Mapping[str, Path],
        found: m.Quality,
    ) -> m.Variant:
        """``asked`` is the recipe of the YAML, which names the variant; ``auto`` is none that a file could be in."""
        identity, folder = variant(name, asked), f"artifacts/{name}-{asked}"
        footprint, step = facts["footprint"], files.get(_STEP)
        smaller = None if name == TEACHER else self.teacher_bytes / footprint["size_bytes"]
        latency = self.timed["latency"].get(identity)
        return m.Variant(
            id=identity,
            model=name,
            recipe=facts["recipe"],
            by=AUTO if asked == AUTO else "",
            architecture=summary,
            file=f"{folder}/{_MODEL}",
            sha256=files[_MODEL].name,  # objects of the store are named by their content
            step_file=f"{folder}/{_STEP}" if step else "",
            step_sha256=step.name if step else "",
            step_size_bytes=step.stat().st_size if step else None,
            footprint=m.Footprint(**{**footprint, "smaller_than_teacher": smaller}),
            quality=found,
            share_below_float32=facts.get("share_below_float32"),
            left_in_float=tuple(m.LeftInFloat(**left) for left in facts.get("left_in_float", ())),
            ships=name != TEACHER and (asked != FLOAT or not self.config.quantize),
            latency=None if latency is None else m.Latency(**latency),
            latency_reason="" if latency else self._unmeasured(identity),
            parity=m.Parity(**self._facts(f"verify/{name}")[asked]),
            scenarios=self._scenarios(identity),
        )

    def _candidates(self, name: str) -> tuple[m.Candidate, ...]:
        """What ``auto`` tried, the kept one first."""
        if AUTO not in self.config.quantize:
            return ()
        tried = self.finished[f"choose/{name}"].artifact.measured["candidates"]
        return tuple(_candidate(facts) for facts in sorted(tried, key=lambda one: bool(one["lost"])))

    def _unmeasured(self, identity: str) -> str:
        """Why a variant has no timing anywhere."""
        reasons = [f"{m['provider']}: {m['reason']}" for m in self.timed["unmeasured"] if m["contender"] == identity]
        return "; ".join(reasons) or "no provider that was asked for is available"

    def _quality(self, task: str, against: Mapping[str, str]) -> m.Quality:
        predicted = self._predicted(task)
        pairs = {
            name: quality.paired(predicted, self._predicted(other), self.labels, name)
            for name, other in against.items()
        }
        errors = {FLOAT: self._logit_error(task, against[FLOAT])} if FLOAT in against else {}
        return m.Quality(
            metric="accuracy",
            split="test",
            estimate=m.Estimate(**asdict(quality.accuracy(predicted, self.labels))),
            by_class=quality.by_class(predicted, self.labels, self.names),
            paired=tuple(m.Paired(**asdict(pair), logit_error=errors.get(name)) for name, pair in pairs.items()),
        )

    def _logit_error(self, task: str, other: str) -> float:
        """Largest difference of a logit between two files of one network, on the test split."""
        this, that = (np.load(self.finished[one].artifact / _LOGITS, allow_pickle=False) for one in (task, other))
        return float(np.abs(this - that).max())

    def _baseline(self) -> m.Baseline:
        estimate = quality.accuracy(self._predicted("baseline"), self.labels)
        return m.Baseline(name=self._facts("baseline")["name"], estimate=m.Estimate(**asdict(estimate)))

    def _distillation(self, name: str, selected: int) -> m.Distillation:
        results: dict[str, list[m.SeedResult]] = {"distilled": [], "control": []}
        for arm in arms(self.config, name):
            results[arm.kind].append(self._seed_result(arm, arm.kind == "distilled" and arm.seed == selected))
        distilled, control = (_mean_and_spread(results[kind]) for kind in ("distilled", "control"))
        quantized: dict[str, float] = {
            recipe: fmean(
                float((self._predicted(arm.evaluation(recipe)) == self.labels).mean())
                for arm in arms(self.config, name)
                if arm.kind == "distilled"
            )
            for recipe in self.config.quantize
        }
        verdict, sentence = _verdict(distilled, control)
        return m.Distillation(
            losses=tuple(loss.summary for loss in self.config.distill.losses),
            distilled=tuple(results["distilled"]),
            control=tuple(results["control"]),
            distilled_mean=distilled[0],
            distilled_spread=distilled[1],
            control_mean=control[0],
            control_spread=control[1],
            quantized_means=quantized,
            verdict=verdict,
            sentence=sentence,
        )

    def _seed_result(self, arm: Arm, selected: bool) -> m.SeedResult:
        facts = self._facts(arm.network)
        test = quality.accuracy(self._predicted(arm.evaluation(FLOAT)), self.labels)
        return m.SeedResult(
            seed=arm.seed,
            validation=facts["best"]["validation_metric"],
            test=m.Estimate(**asdict(test)),
            epochs_run=facts["epochs_run"],
            best_epoch=facts["best"]["epoch"],
            epoch_ms=self.finished[arm.network].artifact.measured["epoch_ms"],
            selected=selected,
        )

    def _curves(self) -> tuple[m.Curve, ...]:
        found = [self._curve(TEACHER, TEACHER, self.config.seed, TEACHER)]
        for name in self.config.students:
            found += [self._curve(name, arm.kind, arm.seed, arm.network) for arm in arms(self.config, name)]
        return tuple(found)

    def _curve(self, name: str, arm: str, seed: int, task: str) -> m.Curve:
        epochs = json.loads((self.finished[task].artifact / "history.json").read_text(encoding="utf-8"))
        return m.Curve(model=name, arm=_arm(arm), seed=seed, epochs=tuple(m.Epoch(**epoch) for epoch in epochs))

    def _findings(self, teacher: m.Variant, students: Sequence[m.Student], run: m.RunFacts) -> tuple[m.Finding, ...]:
        recipe_notes = {
            variant(name, recipe): self._facts(f"select/{name}")["variants"][recipe]["notes"]
            for name in self.config.students
            for recipe in self.config.quantize
        }
        return (
            *(m.Finding(**found) for found in self._facts("data")["findings"]),
            *finding.of_students(teacher, students, self._baseline()),
            *finding.of_recipes(students, recipe_notes),
            *finding.of_choices(students),
            *finding.of_measuring(self.timed),
            *finding.of_run(run),
        )

    def _environment(self) -> m.Environment:
        machine = dict(self.timed["machine"]) | {f"timing: {k}": v for k, v in self.timed["settings"].items()}
        return m.Environment(machine=machine, libraries=finding.libraries(), noise=self.timed["noise"])

    def _lineage(self) -> tuple[m.LineageEntry, ...]:
        return tuple(
            m.LineageEntry(
                task=name,
                key=done.key,
                digest=done.artifact.digest,
                inputs=dict(done.inputs),
                cached=done.cached,
                compute_s=round(done.compute_s, 3),
            )
            for name, done in self.finished.items()
        )


def headline(shipped: m.Variant) -> str:
    """The one line of a student, from the variant that ships."""
    cell = typical_cell(shipped)
    faster = cell.faster_than_teacher if cell else None
    teacher = next((pair for pair in shipped.quality.paired if pair.against == TEACHER), None)
    return figures.headline(
        shipped.footprint.smaller_than_teacher,
        faster.value if faster else None,
        teacher.difference.value if teacher else None,
    )


def typical_cell(shipped: m.Variant) -> m.LatencyCell | None:
    """Batch 1 on the first provider, at the middle one of the lengths."""
    cells = shipped.latency.cells if shipped.latency else ()
    single = sorted((c for c in cells if c.batch == 1 and c.provider == cells[0].provider), key=lambda c: c.length)
    return single[len(single) // 2] if single else None


def _candidate(facts: Mapping[str, Any]) -> m.Candidate:
    """A recipe that could not be applied left a file of no bytes, and numbers that mean nothing."""
    if facts["size_bytes"]:
        return m.Candidate(**facts)
    unknown = dict.fromkeys(("size_bytes", "smaller", "faster", "agreement", "logit_error", "leaks"))
    return m.Candidate(**{**facts, **unknown})


def _arm(name: str) -> ArmName:
    return "teacher" if name == TEACHER else "distilled" if name == "distilled" else "control"


def _mean_and_spread(results: Sequence[m.SeedResult]) -> tuple[float | None, float | None]:
    values = [result.test.value for result in results if result.test is not None]
    return (fmean(values), max(values) - min(values)) if values else (None, None)


def _verdict(
    distilled: tuple[float | None, float | None], control: tuple[float | None, float | None]
) -> tuple[Literal["helped", "no clear gain", "hurt", "no control"], str]:
    """What the teacher bought, said plainly; beyond the spread means beyond the wider of the two arms' spreads."""
    if distilled[0] is None or control[0] is None:
        return "no control", "No control was trained, so what distillation bought is not known."
    gain, spread = distilled[0] - control[0], max(distilled[1] or 0.0, control[1] or 0.0)
    numbers = (
        f"{figures.percent(distilled[0])} distilled, {figures.percent(control[0])} without the teacher, "
        f"spread over seeds {100 * spread:.1f}"
    )
    if gain > spread:
        return "helped", f"Distillation gained {100 * gain:.1f} points: {numbers}."
    if gain < -spread:
        return "hurt", f"Distillation lost {-100 * gain:.1f} points: {numbers}."
    return "no clear gain", f"Distillation changed {100 * gain:+.1f} points, within the spread: {numbers}."
