"""Parts of the report that the renderers are tested on: numbers that could have been measured."""

import math
from statistics import NormalDist

from seqpress.pipeline.report import model as m

N = 370
SPEAKERS = tuple(str(i) for i in range(1, 10))


def wilson(value: float, n: int = N) -> m.Score:
    z = 1.96
    middle = (value + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(value * (1 - value) / n + z * z / (4 * n * n))
    return m.Score(value=value, low=round(middle - half, 4), high=round(min(1.0, middle + half), 4), n=n)


def paired(against: str, difference: float, recipe: str = "float32") -> m.Paired:
    half = 0.012
    estimate = m.Score(value=difference, low=difference - half, high=difference + half, n=N)
    agreement, error = {"static-int8": (0.9973, 0.083), "weight-int8": (1.0, 0.0121)}.get(recipe, (0.9946, 0.214))
    form = against == "float32"
    return m.Paired(
        against=against, difference=estimate, agreement=agreement if form else 0.97, only_this_right=5,
        only_other_right=6, p_value=0.82, logit_error=error if form else None,
    )  # fmt: skip


def cell(batch: int, length: int, p50: float, teacher_p50: float | None) -> m.LatencyCell:
    normal = [NormalDist(0, 0.05).inv_cdf(min(max(q / 100, 0.002), 0.998)) for q in range(101)]
    spread = [p50 * (1 + z + 0.35 * (q / 100) ** 20) for q, z in enumerate(normal)]
    tail = m.Percentile(
        p=99, value_us=None, low_us=None, high_us=None, reason="n too small: 200 samples, p99 needs 459"
    )
    known = tuple(
        m.Percentile(p=p, value_us=spread[p], low_us=spread[p - 2], high_us=spread[p + 2]) for p in (50, 90, 95)
    )
    ratio = None
    if teacher_p50 is not None:
        value = teacher_p50 / p50
        ratio = m.Estimate(value=value, low=value * 0.96, high=value * 1.05, n=600)
    return m.LatencyCell(
        provider="cpu", batch=batch, length=length, threads=1, n=600, min_us=spread[0], percentiles=(*known, tail),
        faster_than_teacher=ratio, histogram_us=tuple(round(v, 3) for v in spread),
    )  # fmt: skip


def latency(p50: float, teacher_p50: float | None, load_ms: float) -> m.Latency:
    grid = [(batch, length) for batch in (1, 16) for length in (9, 15, 29)]

    def grow(batch: int, length: int) -> float:
        return (length / 15) * (1 if batch == 1 else 5.2)

    cells = tuple(
        cell(b, n, p50 * grow(b, n), None if teacher_p50 is None else teacher_p50 * grow(b, n)) for b, n in grid
    )
    return m.Latency(cells=cells, load_ms=load_ms, first_run_ms=load_ms / 9)


def footprint(size_bytes: int, layers: list[tuple[str, str, tuple[int, ...], str]], teacher: int | None) -> m.Footprint:
    width = {"float32": 4, "int8": 1, "int64": 8}
    tensors = tuple(
        m.Tensor(name=name, dtype=dtype, shape=shape, size_bytes=width[dtype] * math.prod(shape), note=note)
        for name, dtype, shape, note in layers
    )
    weights = sum(t.size_bytes for t in tensors)
    return m.Footprint(
        size_bytes=size_bytes, parameters=sum(math.prod(t.shape) for t in tensors), weight_bytes=weights,
        int8_share=sum(t.size_bytes for t in tensors if t.dtype == "int8") / weights,
        smaller_than_teacher=None if teacher is None else teacher / size_bytes,
        operators={"MatMul": 2, "Add": 3, "Softmax": 1}, tensors=tensors,
    )  # fmt: skip


def parity(recipe: str, streams: bool) -> m.Parity:
    leaky = recipe == "dynamic-int8"
    case = "real sequences"
    gaps = [
        m.Gap(
            name="torch vs onnxruntime", case=case, worst=3.1e-6, allowed=1e-4, because="float32, 29 frames",
            passed=True,
        ),
        m.Gap(
            name="torch vs onnxruntime", case="length 1, batch 3", worst=8e-7, allowed=1e-4, because="float32",
            passed=True,
        ),
    ]  # fmt: skip
    if streams:
        allowed, because = (0.94, "scales come from the chunk") if leaky else (9.4e-4, "the same sums in another order")
        gaps.append(
            m.Gap(
                name="whole vs streamed, logits", case="chunks of 7, batch 3", worst=0.21 if leaky else 2.1e-6,
                allowed=allowed, because=because, passed=True,
            )
        )  # fmt: skip
    note = "activations are scaled per batch, by the recipe's nature" if leaky else ""
    leaks = (
        m.Leak(probe="batch neighbours", worst=0.0041 if leaky else 0.0, leaks=leaky, note=note),
        m.Leak(probe="padding", worst=0.0, leaks=False, note=""),
        m.Leak(probe="later frames", worst=0.0, leaks=False, note=""),
    )
    return m.Parity(gaps=tuple(gaps), leaks=leaks, drift=drift(recipe) if streams else ())


def drift(recipe: str) -> tuple[m.DriftPoint, ...]:
    """Level from some frames on; the first answer is exact, as it is where both graphs see one frame."""
    level = {"float32": 4e-7, "weight-int8": 6e-7, "static-int8": 9e-7}.get(recipe, 0.06)

    def at(frames: int) -> m.DriftPoint:
        wave = 1 + 0.4 * math.sin(frames / 3 + len(recipe))
        worst = 0.0 if frames == 1 else level * wave * (1 - math.exp(-frames / 4))
        return m.DriftPoint(frames=frames, worst=float(f"{worst:.3g}"))

    return tuple(at(frames) for frames in range(1, 117, 5))


def candidate(
    recipe: str, numbers: tuple[int, float, float | None, float, float] | None, lost: str = ""
) -> m.Candidate:
    """``numbers``: bytes, smaller, faster, agreement, logit error; none where the recipe could not be applied."""
    known = ("size_bytes", "smaller", "faster", "agreement", "logit_error")
    fields = dict(zip(known, numbers or [None] * 5, strict=True))
    leaks = None if numbers is None else recipe == "dynamic-int8"
    return m.Candidate(recipe=recipe, lost=lost, leaks=leaks, **fields)
