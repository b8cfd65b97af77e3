"""The report of a forecast, made of one of a classification: an error for a share, and no file of the teacher."""

import math

from seqpress.pipeline.report import model as m

STEPS = 96
BLOCKS = 22


def score(value: float, half: float = 0.011) -> m.Score:
    return m.Score(value=value, low=round(value - half, 5), high=round(value + 1.1 * half, 5), n=2785)


def curve(first: float, mean: float) -> tuple[float, ...]:
    """Rises as errors do, to about so much in the mean."""
    return tuple(round(first + (mean - first) * 1.4 * math.sqrt((step + 1) / STEPS), 5) for step in range(STEPS))


def quality(value: float, *pairs: m.Paired) -> m.Quality:
    others = {"mae": round(0.27 + value / 3, 4), "mase": round(2.6 * value, 4), "smape": None}
    return m.Quality(
        metric="mse", better="lower", unit="", split="test", estimate=score(value), blocks=BLOCKS, others=others,
        curve=curve(0.16, value), paired=pairs,
    )  # fmt: skip


def paired(against: str, value: float) -> m.Paired:
    form = against == "float32"
    difference = m.Score(value=round(value, 5), low=round(value - 0.004, 5), high=round(value + 0.004, 5), n=2785)
    return m.Paired(
        against=against, difference=difference, agreement=0.9987 if form else None, logit_error=0.0213 if form else None
    )


def variant(old: m.Variant, value: float, **against: float) -> m.Variant:
    return old.model_copy(update={"quality": quality(value, *(paired(name, by) for name, by in against.items()))})


def seed(old: m.SeedResult, value: float) -> m.SeedResult:
    return old.model_copy(update={"validation": round(value + 0.2, 4), "test": score(value)})


def student(old: m.Student, value: float, control: float, verdict: str, sentence: str) -> m.Student:
    spread = (0.0012, -0.0004, 0.0021)
    made = old.distillation
    distilled, alone = (
        tuple(seed(one, level + by) for one, by in zip(arm, spread, strict=True))
        for arm, level in ((made.distilled, value), (made.control, control))
    )
    first, int8, other = old.variants
    against = {"teacher": value - 0.381, "control": value - control}
    variants = (
        variant(first, value, **against),
        variant(int8, value + 0.0009, **against, float32=0.0009),
        variant(other, value, **against, float32=0.0),
    )
    distillation = made.model_copy(
        update={
            "distilled": distilled, "control": alone, "distilled_mean": value + 0.00097, "distilled_spread": 0.0025,
            "control_mean": control + 0.00097, "control_spread": 0.0025,
            "quantized_means": {"auto": value + 0.002, "weight-int8": value + 0.001}, "verdict": verdict,
            "sentence": sentence,
        }
    )  # fmt: skip
    headline = f"{old.headline.rpartition(',')[0]}, {value - 0.381 + 0.0009:.4f} MSE worse"
    return old.model_copy(update={"variants": variants, "distillation": distillation, "headline": headline})


def forecast(base: m.Report) -> m.Report:
    """Two students of a teacher whose answers alone are known, beside three baselines."""
    first, second = base.students
    epochs = [
        one.model_copy(
            update={
                "epochs": tuple(e.model_copy(update={"validation_metric": round(1.9 - e.validation_metric, 5)})
                                for e in one.epochs)
            }
        )
        for one in base.curves
        if one.model != "teacher"
    ]  # fmt: skip
    baselines = (
        m.Baseline(name="last value", estimate=score(1.294), others={"mae": 0.713}, curve=curve(0.3, 1.294)),
        m.Baseline(name="seasonal naive", estimate=score(0.512), others={"mae": 0.433}, curve=curve(0.49, 0.512)),
        m.Baseline(name="linear map", estimate=score(0.383), others={"mae": 0.401}, curve=curve(0.17, 0.383)),
    )  # fmt: skip
    splits = tuple(split.model_copy(update={"by_label": {}}) for split in base.data.splits)
    return base.model_copy(
        update={
            "name": "load", "task": "forecasting", "teacher": None, "teacher_validation": None,
            "teacher_quality": quality(0.381), "teacher_reason": "its outputs were given: soft.npz",
            "data": base.data.model_copy(update={"labels": (), "splits": splits, "source": "csv ETTh1.csv"}),
            "students": (
                student(first, 0.3842, 0.3921, "helped", "Distillation lowered MSE by 0.0079: 0.3852 distilled, "
                        "0.3931 without the teacher, spread over seeds 0.00250."),
                student(second, 0.4102, 0.4096, "no clear gain", "Distillation changed MSE by +0.0006, within the "
                        "spread: 0.4112 distilled, 0.4106 without the teacher, spread over seeds 0.00250."),
            ),
            "curves": tuple(epochs), "baselines": baselines, "previous": None, "comparisons": (),
            "sentence": "gru-32/auto loses 7.7 % against the teacher; the budget allows 1 %.",
        }
    )  # fmt: skip
