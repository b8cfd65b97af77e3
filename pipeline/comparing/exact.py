"""What two files weigh and hold, counted: no statistics, no interval."""

from collections.abc import Mapping
from typing import Literal

from ...benchmarks.footprint import Footprint, ModelRejected, weigh
from ...exporters.foreign.check_file import Checked
from ..report.comparison import Row, Verdict
from .find import Found

_Unit = Literal["bytes", "count", "share"]


def rows(old: Found, new: Found, tolerances: Mapping[str, float]) -> list[Row]:
    """Size of both graphs, parameters, operators and the share of int8 weights.

    Args:
        tolerances: "size", as a share.
    """
    sizes = [_ratio("size", "model.onnx", "bytes", _size(old.checked), _size(new.checked), tolerances["size"])]
    if old.step and new.step:
        change = _ratio("step_size", "step.onnx", "bytes", _size(old.step), _size(new.step), tolerances["size"])
        sizes.append(change)
    elif old.step or new.step:
        gone = "only the old one streams" if old.step else "only the new one streams"
        held = [None if one.step is None else float(_size(one.step)) for one in (old, new)]
        sizes.append(
            Row(
                metric="step_size", what="step.onnx", unit="bytes", old=held[0], new=held[1],
                verdict="not measured", detail=gone,
            )
        )  # fmt: skip
    try:
        before, after = _weighed(old.checked), _weighed(new.checked)
    except ModelRejected as error:
        return [*sizes, _unweighed(str(error))]
    return [
        *sizes,
        _shown("parameters", "count", before.parameters, after.parameters),
        _operators(before, after),
        _shown("int8.share", "share", before.int8_share, after.int8_share, "of weight bytes"),
    ]


def by_limit(ratio: float, tolerance: float) -> Verdict:
    """Of a number without an interval, smaller being better.

    >>> by_limit(1.05, 0.05), by_limit(1.06, 0.05), by_limit(0.9, 0.05)
    ('same', 'worse', 'better')
    """
    if ratio > 1 + tolerance + 1e-12:
        return "worse"
    return "better" if ratio < 1 - tolerance - 1e-12 else "same"


def _ratio(metric: str, what: str, unit: _Unit, old: int, new: int, tolerance: float) -> Row:
    """Of bytes, of which a file with a graph has some."""
    verdict = by_limit(new / old, tolerance)
    return Row(
        metric=metric, what=what, unit=unit, old=old, new=new, kind="ratio", tolerance=tolerance, verdict=verdict
    )


def _shown(metric: str, unit: _Unit, old: float, new: float, detail: str = "") -> Row:
    """What is neither better nor worse for being another number."""
    kind: Literal["ratio", "difference"] = "difference" if unit == "share" else "ratio"
    verdict: Verdict = "same" if old == new else "differs"
    return Row(metric=metric, unit=unit, old=old, new=new, kind=kind, verdict=verdict, detail=detail, counts=False)


def _operators(before: Footprint, after: Footprint) -> Row:
    names = sorted(before.operators.keys() | after.operators.keys())
    changes = {name: after.operators.get(name, 0) - before.operators.get(name, 0) for name in names}
    told = [
        f"{word}: {', '.join(f'{name} {abs(count)}' for name, count in changes.items() if count * sign > 0)}"
        for word, sign in (("added", 1), ("removed", -1))
        if any(count * sign > 0 for count in changes.values())
    ]
    return Row(
        metric="operators", unit="count", old=sum(before.operators.values()), new=sum(after.operators.values()),
        kind="ratio", verdict="differs" if told else "same", detail="; ".join(told), counts=False,
    )  # fmt: skip


def _unweighed(reason: str) -> Row:
    return Row(
        metric="parameters", unit="count", old=None, new=None, verdict="not measured", detail=reason, counts=False
    )


def _weighed(checked: Checked) -> Footprint:
    return weigh(checked.model, _size(checked), external=True)


def _size(checked: Checked) -> int:
    return checked.size_bytes + sum(checked.external.values())
