"""MODEL_CARD.md: what a model is for, how good it is, where it ends. From plain arguments; no torch.

Names of labels, features and data sets may come from strangers. They are shown as text and never obeyed: no markup,
no link, no control character gets through.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..forms import InputForm, OutputForm
from .manifest import Description, Metric

_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029"  # C0, C1, line and paragraph separators
    "\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"  # directions, byte order mark, lone surrogates
)
_MARKUP = re.compile(r"([\\`*_\[\]|~$])")
_OPENING = re.compile(r"^(?:([#+=-])|(\d+)([.)]))")  # what makes a heading or a list of a line that starts with it
_MOST_NAMES = 60


@dataclass(frozen=True)
class Card:
    """What the card says beyond the description.

    Args:
        intended_use: one paragraph.
        data: what it was trained and tested on, in rows of name and text.
        making: how it was made: teacher, losses, seeds, recipe, tools.
        limits: one sentence each; those that the description knows are added.
    """

    intended_use: str
    data: Mapping[str, str] = field(default_factory=dict)
    making: Mapping[str, str] = field(default_factory=dict)
    limits: Sequence[str] = ()


def render(about: Description, card: Card) -> str:
    """The whole page."""
    parts = [
        f"# {plain(about.name)}",
        f"A {plain(about.task)} model for sequences: {plain(about.architecture)}, stored as {plain(about.recipe)}. "
        "Everything a program needs to know stands in `manifest.json`; `python selftest.py` checks this folder.",
        "## Intended use",
        plain(card.intended_use),
        "## Data",
        _table(("", ""), [(plain(name), plain(text)) for name, text in card.data.items()]),
        _takes_and_gives(about),
        _before(about),
        f"Features, in the order of the input: {_names(about.features)}.",
        f"Labels, in the order of the output: {_names(about.labels)}." if about.labels else "",
        "## Quality",
        "Measured by onnxruntime on the very file in this folder.",
        *_quality(about.metrics),
        "## Limits",
        "\n".join(f"- {limit}" for limit in (*map(plain, card.limits), *_limits(about))),
        "## How it was made",
        _table(("", ""), [(plain(name), plain(text)) for name, text in card.making.items()]),
        *(["Notes of the recipe:", "\n".join(f"- {plain(note)}" for note in about.notes)] if about.notes else []),
        *_lineage(about.lineage),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def plain(text: str) -> str:
    """Text in one line that Markdown and HTML show as it is.

    >>> plain("<b>*a*|b</b>")
    '&lt;b&gt;\\\\*a\\\\*\\\\|b&lt;/b&gt;'
    """
    line = " ".join(_CONTROL.sub(lambda found: " " if found[0].isspace() else "\ufffd", text).split())
    escaped = _MARKUP.sub(r"\\\1", line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))
    opened = _OPENING.sub(lambda found: rf"\{found[1]}" if found[1] else rf"{found[2]}\{found[3]}", escaped)
    # Without these, GitHub makes links of addresses and calls people by @name.
    return opened.replace("://", ":&#47;&#47;").replace("www.", "www&#46;").replace("@", "&#64;")


def number(value: float) -> str:
    """Four places, or four digits where those say nothing.

    >>> number(0.9375), number(1234.5678), number(0.00012)
    ('0.9375', '1235', '0.00012')
    """
    return f"{value:.4f}" if value == 0 or 0.01 <= abs(value) < 100 else f"{value:.4g}"


def _takes_and_gives(about: Description) -> str:
    """A line for anything but classes of frames."""
    taken, given = about.input or InputForm(), about.output or OutputForm()
    if (about.input, about.output) == (None, None):
        return ""
    inputs = {
        "frames": "frames of numbers",
        "tokens": f"tokens, {' and '.join(map(str, taken.sizes))} of them known",
        "samples": f"sound at {taken.sample_rate_hz} Hz, a frame every {taken.hop} samples",
    }[taken.kind]
    each = {"sequence": "a sequence", "frames": "a frame", "horizon": f"each of {given.horizon} steps ahead"}
    what = {"softmax": "one of the labels", "sigmoid": "any of the labels", "identity": "values", "score": "a score"}
    quantiles = f", as quantiles {', '.join(f'{one:g}' for one in given.quantiles)}" if given.quantiles else ""
    above = f"; above {given.threshold:g} it is called anomalous" if given.threshold is not None else ""
    return f"It takes {inputs}, and gives {what[given.activation]} for {each[given.answers]}{quantiles}{above}."


def _before(about: Description) -> str:
    if not about.device:
        return ""
    names = ", ".join(plain(name) for name in about.device)
    return f"What a device does to its input before the graph stands in `manifest.json` under `device`: {names}."


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(plain(name) for name in names[:_MOST_NAMES])
    return shown + (f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else "")


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _quality(metrics: Sequence[Metric]) -> Iterator[str]:
    if not metrics:
        yield "No quality number was given."
        return
    rows = []
    for metric in metrics:
        known = metric.low is not None and metric.high is not None
        interval = f"{_number(metric, metric.low)} to {_number(metric, metric.high)}" if known else ""
        items = "" if metric.n is None else str(metric.n)
        value = f"{_number(metric, metric.value)} {'' if metric.unit == 'share' else plain(metric.unit)}".rstrip()
        rows.append((_named(metric), plain(metric.split), value, interval, items))
    confidence = max(metric.confidence for metric in metrics)
    yield _table(("metric", "split", "value", f"{confidence:.0%} interval", "items"), rows)
    for metric in metrics:
        if metric.by_class:
            yield f"{plain(metric.label or metric.name)} by class, {plain(metric.split)}:"
            yield _table(("class", "value"), [(plain(name), f"{v:.4f}") for name, v in metric.by_class.items()])


def _named(metric: Metric) -> str:
    """Its name, and which way is better where that is down."""
    lower = ", lower is better" if metric.better == "lower" else ""
    return plain(metric.label or metric.name) + lower


def _number(metric: Metric, value: float | None) -> str:
    """A share with four decimals, anything else with four digits."""
    if value is None:
        return ""
    return f"{value:.4f}" if metric.unit == "share" else f"{value:.4g}"


def _limits(about: Description) -> Iterator[str]:
    """What the description knows of limits."""
    if about.receptive_field is not None:
        yield f"An answer sees the latest {about.receptive_field} frames and nothing before them."
    if about.look_ahead is None:
        yield "It needs the whole sequence before it can answer."
    elif about.look_ahead:
        yield f"An answer waits for {about.look_ahead} later frames."
    yield f"NaN and infinity in the input: {plain(about.non_finite.policy)}. {plain(about.non_finite.rule)}"
    for probe in about.leaks:
        if probe.leaks:
            yield f"Outputs depend on {plain(probe.probe)}: {plain(probe.note)}"
    if about.weights is not None:
        for tensor in about.weights.left_in_float:
            yield f"Left in float: {plain(tensor)}"


def _lineage(lineage: Mapping[str, str]) -> Iterator[str]:
    if lineage:
        yield "Every step that led here, by the digest of its result:"
        yield _table(("step", "digest"), [(plain(name), f"`{plain(digest)}`") for name, digest in lineage.items()])
