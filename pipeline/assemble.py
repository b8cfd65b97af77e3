"""From the facts of finished tasks to the one Report."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

from .. import __version__
from . import findings as finding, gates as gating
from .comparing.baseline import Fetched
from .config.pipeline import PipelineConfig
from .engine.task import Artifact
from .grading import Grader, verdict
from .naming import AUTO, FLOAT, TEACHER, Arm, arms, recipes, variant
from .report import figures, model as m, scores

# Written by the stages named; importing them would import what they compute with.
_MODEL, _STEP, _HISTORY = "model.onnx", "step.onnx", "history.json"
_TAUGHT = f"evaluate/{TEACHER}/{FLOAT}"

_NO_PARITY = "the file is not made from a network that it could be held to"

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
        self.grader = Grader(data, tuple(data.facts["data"]["labels"]), config.seed)
        self.timed = finished["benchmark"].artifact.measured
        exported = finished.get(f"export/{TEACHER}")
        self.teacher_bytes: int | None = exported.artifact.facts["footprint"]["size_bytes"] if exported else None

    def report(self, run: m.RunFacts, strict: bool) -> m.Report:
        """The whole report.

        Args:
            run: what this run did.
            strict: an undecided gate fails the run.
        """
        teacher = self._teacher()
        students = tuple(self._student(name) for name in self.config.students)
        shipped = [v for student in students for v in student.variants if v.ships]
        every = [*([teacher] if teacher else []), *(v for student in students for v in student.variants)]
        baselines = self.grader.baselines(self.finished["baseline"].artifact)
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
            baselines=baselines,
            teacher=teacher,
            teacher_validation=self._taught(),
            teacher_quality=self._quality(_TAUGHT, {}) if teacher is None and _TAUGHT in self.finished else None,
            teacher_reason="" if teacher else f"it was brought along: {self.config.teacher.summary}",
            validation_metric=self._validation_metric(),
            students=students,
            curves=self._curves(),
            gates=gates,
            findings=self._findings(teacher, students, baselines, run),
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

    def _taught(self) -> float | None:
        """The teacher on validation; None where it was not trained here."""
        best = self._facts(TEACHER).get("best") if TEACHER in self.finished else None
        found: float | None = best["validation_metric"] if best else None
        return found

    def _validation_metric(self) -> str:
        """What epochs are compared by; empty where that is the task's own metric."""
        first = arms(self.config, next(iter(self.config.students)))[0]
        name: str = self._facts(first.network)["validation"]["name"]
        return "" if name == self._facts(first.evaluation(FLOAT))["metric"] else name

    def _teacher(self) -> m.Variant | None:
        """None where there is no file of it: somebody else's, or its answers alone."""
        if f"export/{TEACHER}" not in self.finished:
            return None
        artifact = self.finished[f"export/{TEACHER}"].artifact
        files = {_MODEL: artifact / _MODEL}  # its step graph is not delivered
        found = self._quality(_TAUGHT, {})
        return self._variant(TEACHER, FLOAT, self.config.teacher.summary, artifact.facts, files, found)

    def _student(self, name: str) -> m.Student:
        seed = self._facts(f"best/{name}")["seed"]
        summary = self.config.students[name].summary
        chosen = Arm(name, "distilled", seed)
        variants = []
        for recipe in recipes(self.config):
            against = {TEACHER: _TAUGHT}
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
        whole = None if name == TEACHER else self.teacher_bytes
        smaller = None if whole is None else whole / footprint["size_bytes"]
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
            parity=self._parity(name, asked),
            parity_reason="" if f"verify/{name}" in self.finished else _NO_PARITY,
            scenarios=self._scenarios(identity),
        )

    def _parity(self, name: str, asked: str) -> m.Parity | None:
        done = self.finished.get(f"verify/{name}")
        return None if done is None else m.Parity(**done.artifact.facts[asked])

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
        others = {name: self.finished[other].artifact for name, other in against.items() if other in self.finished}
        return self.grader.quality(self.finished[task].artifact, others)

    def _value(self, task: str) -> float | None:
        """The task's own metric of one evaluation."""
        facts = self._facts(task)
        found: float | None = facts["metrics"][facts["metric"]]
        return found

    def _distillation(self, name: str, selected: int) -> m.Distillation:
        results: dict[str, list[m.SeedResult]] = {"distilled": [], "control": []}
        for arm in arms(self.config, name):
            results[arm.kind].append(self._seed_result(arm, arm.kind == "distilled" and arm.seed == selected))
        distilled, control = (_mean_and_spread(results[kind]) for kind in ("distilled", "control"))
        of = scores.metric(self._facts(Arm(name, "distilled", selected).evaluation(FLOAT))["metric"])
        word, sentence = verdict(distilled, control, of)
        return m.Distillation(
            losses=tuple(loss.summary for loss in self.config.distill.losses),
            distilled=tuple(results["distilled"]),
            control=tuple(results["control"]),
            distilled_mean=distilled[0],
            distilled_spread=distilled[1],
            control_mean=control[0],
            control_spread=control[1],
            quantized_means=self._quantized(name),
            verdict=word,
            sentence=sentence,
        )

    def _quantized(self, name: str) -> dict[str, float]:
        """Mean of the distilled seeds in each number format; none where a split cannot tell."""
        found = {
            recipe: [self._value(arm.evaluation(recipe)) for arm in arms(self.config, name) if arm.kind == "distilled"]
            for recipe in self.config.quantize
        }
        known = {recipe: [value for value in values if value is not None] for recipe, values in found.items()}
        return {recipe: fmean(values) for recipe, values in known.items() if values}

    def _seed_result(self, arm: Arm, selected: bool) -> m.SeedResult:
        facts = self._facts(arm.network)
        test = self.grader.score(self.finished[arm.evaluation(FLOAT)].artifact)
        return m.SeedResult(
            seed=arm.seed,
            validation=facts["best"]["validation_metric"],
            test=test,
            reason="" if test else "the test split cannot tell it",
            epochs_run=facts["epochs_run"],
            best_epoch=facts["best"]["epoch"],
            epoch_ms=self.finished[arm.network].artifact.measured["epoch_ms"],
            selected=selected,
        )

    def _curves(self) -> tuple[m.Curve, ...]:
        taught = self.finished.get(TEACHER)
        trained = taught is not None and _HISTORY in taught.artifact.files
        found = [self._curve(TEACHER, TEACHER, self.config.seed, TEACHER)] if trained else []
        for name in self.config.students:
            found += [self._curve(name, arm.kind, arm.seed, arm.network) for arm in arms(self.config, name)]
        return tuple(found)

    def _curve(self, name: str, arm: str, seed: int, task: str) -> m.Curve:
        epochs = json.loads((self.finished[task].artifact / _HISTORY).read_text(encoding="utf-8"))
        return m.Curve(model=name, arm=_arm(arm), seed=seed, epochs=tuple(m.Epoch(**epoch) for epoch in epochs))

    def _findings(
        self,
        teacher: m.Variant | None,
        students: Sequence[m.Student],
        baselines: Sequence[m.Baseline],
        run: m.RunFacts,
    ) -> tuple[m.Finding, ...]:
        recipe_notes = {
            variant(name, recipe): self._facts(f"select/{name}")["variants"][recipe]["notes"]
            for name in self.config.students
            for recipe in self.config.quantize
        }
        return (
            *(m.Finding(**found) for found in self._facts("data")["findings"]),
            *finding.of_students(teacher, students, baselines),
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
    quality = shipped.quality
    teacher = next((pair for pair in quality.paired if pair.against == TEACHER), None)
    of = scores.metric(quality.metric, quality.better, quality.unit)
    told = " ".join(scores.told(teacher.difference.value, of)) if teacher else ""
    return figures.headline(shipped.footprint.smaller_than_teacher, faster.value if faster else None, told)


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
    if not values:
        return None, None
    return fmean(values), max(values) - min(values) if len(values) > 1 else None  # one seed has no spread
