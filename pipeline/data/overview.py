"""What was read, for people: counts, lengths, classes, ranges and a few sequences as they are."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .dataset import Dataset, Sequences
from .normalise import moments
from .raw import SPLITS, Array

EXAMPLES, POINTS, CHANNELS = 3, 60, 4
_BARS = "▁▂▃▄▅▆▇█"


def overview(dataset: Dataset) -> dict[str, Any]:
    """Plain facts of a data set.

    Returns:
        ``data`` (as in the report), ``findings``, ``kind``, ``vocabulary`` (size), ``channels`` (name, least, mean,
        deviation and greatest over training; the first 200), ``examples`` of training (its channels' course, thinned
        out to at most 60 points), and ``device``.
    """
    return {
        "data": dataset.facts(),
        "kind": dataset.kind,
        "vocabulary": len(dataset.vocabulary),
        "channels": _channels(dataset) if dataset.kind == "values" else [],
        "examples": [_example(dataset, index) for index in _spread(dataset.train)],
        "device": dict(dataset.device),
        "findings": [dict(finding) for finding in dataset.findings],
    }


def _channels(dataset: Dataset) -> list[dict[str, Any]]:
    train = dataset.train
    seen = moments(train.values, train.starts, train.lengths)
    numbers = (seen.low, seen.mean, seen.std(), seen.high)
    read = slice(None) if train.columns is None else train.columns
    rows = zip(dataset.features, *(each[read] for each in numbers), strict=True)
    return [
        {"name": name, "least": float(low), "mean": float(mean), "std": float(std), "greatest": float(high)}
        for name, low, mean, std, high in rows
    ][:200]


def _spread(train: Sequences) -> list[int]:
    """The shortest, the middle one by length and the longest, each once."""
    order = np.argsort(train.lengths, kind="stable")
    return sorted({int(order[0]), int(order[len(order) // 2]), int(order[-1])})[:EXAMPLES]


def _example(dataset: Dataset, index: int) -> dict[str, Any]:
    train = dataset.train
    item = train.item(index)
    about: dict[str, Any] = {"item": index, "frames": len(item), "label": _label(dataset, index)}
    if dataset.kind == "tokens":
        tokens = item[:POINTS].reshape(len(item[:POINTS]), -1)[:, 0]
        names = [dataset.vocabulary[token] if dataset.vocabulary else str(token) for token in tokens.tolist()]
        return about | {"text": ("" if all(len(name) == 1 for name in names) else " ").join(names)}
    courses = {name: thinned(item[:, at]) for at, name in enumerate(dataset.features[:CHANNELS])}
    return about | {"channels": courses}


def _label(dataset: Dataset, index: int) -> str:
    array = getattr(dataset.train.targets, "array", None)
    if array is None or len(array) != len(dataset.train):
        return ""
    value = np.asarray(array[index])
    if value.ndim == 0:
        return dataset.labels[int(value)]
    if array.dtype == np.uint8:
        return "; ".join(name for name, marked in zip(dataset.labels, value, strict=True) if marked)
    return ", ".join(f"{number:.6g}" for number in value.tolist())


def thinned(values: Array, points: int = POINTS) -> list[float]:
    """A course in at most so many points, each the mean of a stretch.

    >>> thinned(np.arange(6.0), 3)
    [0.5, 2.5, 4.5]
    """
    parts = np.array_split(np.asarray(values, np.float64), min(points, len(values)))
    return [round(float(part.mean()), 6) for part in parts]


def sparkline(values: Sequence[float]) -> str:
    """A course as a line of eight heights.

    >>> sparkline([0, 1, 2, 3.5])
    '▁▃▅█'
    """
    low, high = min(values), max(values)
    steps = len(_BARS) - 1
    return "".join(_BARS[round(steps * (value - low) / (high - low)) if high > low else 0] for value in values)


def as_text(facts: dict[str, Any]) -> str:
    """An overview for the terminal."""
    data = facts["data"]
    lines = [f"{data['source']}  {data['digest'][:12]}", "", f"{'split':<12}{'items':>9}{'frames':>12}  frames an item"]
    for split in data["splits"]:
        lengths = f"{split['length_min']} to {split['length_max']}, median {split['length_median']:g}"
        lines.append(f"{split['name']:<12}{split['items']:>9,}{split['frames']:>12,}  {lengths}")
    if data["splits"][0]["by_label"]:
        lines += ["", f"{'label':<24}" + "".join(f"{name:>12}" for name in SPLITS)]
        for label in data["labels"][:40]:
            lines.append(f"{label[:22]!r:<24}" + "".join(f"{s['by_label'][label]:>12,}" for s in data["splits"]))
        lines += _more(len(data["labels"]), 40)
    if facts["channels"]:
        lines += ["", f"{'channel':<24}{'least':>12}{'mean':>12}{'deviation':>12}{'greatest':>12}"]
        for channel in facts["channels"][:40]:
            numbers = (channel[key] for key in ("least", "mean", "std", "greatest"))
            lines.append(f"{channel['name'][:22]!r:<24}" + "".join(f"{number:>12.4g}" for number in numbers))
        lines += _more(data["channels"], 40)
    if facts["vocabulary"]:
        lines += ["", f"{facts['vocabulary']:,} tokens in the vocabulary"]
    for example in facts["examples"]:
        label = f", {example['label']!r}" if example["label"] else ""
        lines += ["", f"training item {example['item']}: {example['frames']:,} frames{label}"]
        lines += [f"  {name[:14]!r:<18}{sparkline(course)}" for name, course in example.get("channels", {}).items()]
        lines += [f"  {example['text']!r}"] if "text" in example else []
    lines += ["", *(f"{one['severity']}: {one['text']}" for one in facts["findings"])] if facts["findings"] else []
    return "\n".join(lines)


def _more(count: int, shown: int) -> list[str]:
    return [f"… and {count - shown:,} more"] if count > shown else []
