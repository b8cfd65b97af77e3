"""What a reader of the report must know though no gate failed on it. Each function looks at one thing."""

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from ..exporters import runtime
from .report import figures, model as m, scores

_LIBRARIES = ("torch", "lightning-fabric", "onnx", "onnxscript", "numpy", "scikit-learn", "sktime")


def libraries() -> dict[str, str]:
    """Versions of what computed the numbers, as far as it is installed here."""
    found = {}
    for name in (*_LIBRARIES, *runtime.distributions()):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def of_students(
    teacher: m.Variant | None, students: Sequence[m.Student], baselines: Sequence[m.Baseline]
) -> Iterator[m.Finding]:
    """Distillation that bought nothing, students too large, and networks that a cheap model beats."""
    for student in students:
        if student.distillation.verdict in ("no clear gain", "hurt", "no control"):
            known = student.distillation.verdict != "no control"
            yield m.Finding(
                severity="warning" if known else "info", subject=student.name, text=student.distillation.sentence
            )
        if teacher and student.variants[0].footprint.parameters >= teacher.footprint.parameters:
            counts = f"{student.variants[0].footprint.parameters:,} of {teacher.footprint.parameters:,}"
            yield _warning(student.name, f"The student is not smaller than its teacher: {counts} parameters.")
    for variant in (*([teacher] if teacher else []), *(v for student in students for v in student.variants)):
        yield from _unbeaten(variant, baselines)


def _unbeaten(variant: m.Variant, baselines: Sequence[m.Baseline]) -> Iterator[m.Finding]:
    """The best of the cheap models that are as good."""
    quality = variant.quality
    of, found = scores.metric(quality.metric, quality.better, quality.unit), quality.estimate
    if found is None:
        return
    known = [(scores.gain(one.estimate.value - found.value, of), one) for one in baselines if one.estimate]
    gain, best = max(known, key=lambda pair: pair[0], default=(-1.0, None))
    if gain >= 0 and best is not None and best.estimate is not None:
        beaten = f"{scores.value(found.value, of)} against {scores.value(best.estimate.value, of)}"
        yield _warning(variant.id, f"It does not beat the cheap baseline ({best.name}): {beaten}.")


def of_recipes(students: Sequence[m.Student], notes: Mapping[str, Sequence[str]]) -> Iterator[m.Finding]:
    """What each recipe did, and where it leaked or made the model slower or no smaller."""
    for student in students:
        whole, *quantized = student.variants
        for variant in quantized:
            if done := notes.get(variant.id):
                yield m.Finding(severity="info", subject=variant.id, text="; ".join(done) + ".")
            if variant.footprint.size_bytes >= whole.footprint.size_bytes:
                yield _warning(variant.id, "The recipe made the file no smaller.")
            for leak in variant.parity.leaks if variant.parity else ():
                if leak.leaks:
                    nature = " Dynamic activation scales do this by nature." if "dynamic" in variant.recipe else ""
                    yield _warning(variant.id, f"Outputs depend on {leak.probe}: {leak.note}.{nature}")
            yield from _slower(variant, whole)


def of_choices(students: Sequence[m.Student]) -> Iterator[m.Finding]:
    """Which recipe ``auto`` kept, and why."""
    for student in students:
        kept = next((one for one in student.candidates if not one.lost), None)
        if kept is not None:
            one_label = student.variants[0].quality.metric == "accuracy"
            text = _kept(kept, len(student.candidates), one_label)
            yield m.Finding(severity="info", subject=student.name, text=text)
        elif student.candidates:
            reasons = "; ".join(f"{one.recipe}: {one.lost}" for one in student.candidates)
            yield _warning(student.name, f"auto found no recipe that keeps the limits and ships float32. {reasons}.")


def _kept(kept: m.Candidate, tried: int, one_label: bool) -> str:
    gains = [] if kept.smaller is None else [" ".join(figures.smaller(kept.smaller))]
    gains += ["speed not measured" if kept.faster is None else " ".join(figures.faster(kept.faster))]
    if kept.agreement is not None:
        same = figures.percent(kept.agreement)
        told = f"the same label on {same} of" if one_label else f"answers alike by {same} on"
        gains.append(f"{told} training and validation")
    return f"auto kept {kept.recipe}, of {tried} tried: {', '.join(gains)}, against float32."


def of_measuring(timed: Mapping[str, Any]) -> Iterator[m.Finding]:
    """Providers that were not there, contenders without numbers, and noise."""
    for provider in timed["providers"]:
        if not provider["available"]:
            text = f"Not available, so nothing was measured on it: {provider['reason']}"
            yield m.Finding(severity="info", subject=provider["name"], text=text)
        elif provider.get("fell_back"):
            yield _warning(provider["name"], f"Not all of the work ran there: {provider['reason']}.")
        if provider.get("answers_differ"):
            text = f"It computes something else than the CPU, so its times are not this model's: {provider['reason']}."
            yield _warning(provider["name"], text)
    for missed in timed["unmeasured"]:
        yield _warning(missed["contender"], f"No timing on {missed['provider']} ({missed['kind']}): {missed['reason']}")
    cells = [cell for latency in timed["latency"].values() for cell in latency["cells"]]
    noisy = sum(cell["noisy"] for cell in cells)
    if noisy:
        text = f"{noisy} of {len(cells)} timings were noisy; ratios are interleaved and hold, absolute times may not."
        yield _warning("benchmark", text)


def of_run(run: m.RunFacts) -> Iterator[m.Finding]:
    """Damage that was repaired."""
    if run.damaged:
        text = f"{run.damaged} damaged objects were found in the store, set aside and computed again."
        yield _warning("store", text)


def _slower(variant: m.Variant, whole: m.Variant) -> Iterator[m.Finding]:
    """A recipe whose median lies above the float one's, intervals apart, in at least half of the grid."""
    pairs = list(zip(_medians(variant), _medians(whole), strict=False))
    slower = [(after.low_us or 0.0) > 1.03 * (before.high_us or float("inf")) for after, before in pairs]
    if pairs and 2 * sum(slower) >= len(pairs):
        yield _warning(variant.id, f"Slower than its float32 form in {sum(slower)} of {len(pairs)} timings.")


def _medians(variant: m.Variant) -> Iterator[m.Percentile]:
    for cell in variant.latency.cells if variant.latency else ():
        yield from (p for p in cell.percentiles if p.p == 50)


def _warning(subject: str, text: str) -> m.Finding:
    return m.Finding(severity="warning", subject=subject, text=text)
