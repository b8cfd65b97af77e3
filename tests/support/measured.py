"""Parts of a report with the numbers that a test is about, and nothing remarkable elsewhere."""

from typing import Any

from seqpress.pipeline.report import model as m

N = 200


def estimate(value: float, low: float, high: float) -> m.Estimate:
    return m.Estimate(value=value, low=low, high=high, n=N)


def paired(against: str, value: float, low: float, high: float) -> m.Paired:
    return m.Paired(
        against=against,
        difference=estimate(value, low, high),
        agreement=0.9,
        only_this_right=1,
        only_other_right=2,
        p_value=0.5,
    )


def quality(accuracy: m.Estimate | None = None, *pairs: m.Paired, reason: str = "") -> m.Quality:
    return m.Quality(metric="accuracy", split="test", estimate=accuracy, reason=reason, paired=pairs)


def percentile(
    p: float, value_us: float | None, low_us: float | None = None, high_us: float | None = None, **more: Any
):
    return m.Percentile(p=p, value_us=value_us, low_us=low_us, high_us=high_us, **more)


def cell(*percentiles: m.Percentile, batch: int = 1, length: int = 15, **more: Any) -> m.LatencyCell:
    fields: dict[str, Any] = {"provider": "cpu", "threads": 1, "n": N, "min_us": 1.0, "faster_than_teacher": None}
    return m.LatencyCell(percentiles=percentiles, batch=batch, length=length, **{**fields, **more})


def latency(*cells: m.LatencyCell) -> m.Latency:
    return m.Latency(cells=cells, load_ms=1.0, first_run_ms=1.0)


def gap(worst: float | None, allowed: float = 1e-4, name: str = "torch vs onnxruntime", case: str = "real sequences"):
    passed = worst is not None and worst <= allowed
    return m.Gap(name=name, case=case, worst=worst, allowed=allowed, because="float32", passed=passed)


def leak(probe: Any = "batch neighbours", leaks: bool = True) -> m.Leak:
    return m.Leak(probe=probe, worst=0.1, leaks=leaks, note="an output moved by 0.1")


def footprint(size_bytes: int = 9_000, parameters: int = 1_000, int8_share: float = 0.5) -> m.Footprint:
    return m.Footprint(
        size_bytes=size_bytes,
        parameters=parameters,
        weight_bytes=size_bytes,
        int8_share=int8_share,
        smaller_than_teacher=None,
        operators={},
        tensors=(),
    )


def variant(identity: str = "gru-8/dynamic-int8", **changes: Any) -> m.Variant:
    model, _, recipe = identity.partition("/")
    fields: dict[str, Any] = {
        "id": identity,
        "model": model,
        "recipe": recipe,
        "architecture": "gru: 1 layer × 8",
        "file": "model.onnx",
        "sha256": "0" * 64,
        "footprint": footprint(),
        "quality": quality(estimate(0.9, 0.85, 0.95)),
        "latency": None,
        "parity": None,
    }
    return m.Variant(**{**fields, **changes})


def student(*variants: m.Variant, verdict: Any = "helped", sentence: str = "It helped.") -> m.Student:
    distillation = m.Distillation(
        losses=("hard-labels × 1",),
        distilled=(),
        control=(),
        distilled_mean=None,
        distilled_spread=None,
        control_mean=None,
        control_spread=None,
        verdict=verdict,
        sentence=sentence,
    )
    return m.Student(
        name=variants[0].model,
        architecture="gru: 1 layer × 8",
        selected_seed=0,
        headline="2× smaller",
        variants=variants,
        distillation=distillation,
    )
