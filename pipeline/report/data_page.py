"""What was read, as one HTML page without anything from elsewhere: ``compress data --html``."""

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from . import svg

_WIDE, _HIGH = 360.0, 60.0
_STYLE = Markup(
    "body{font:14px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#1c2430;"
    "background:#fff}table{border-collapse:collapse;margin:1rem 0}td,th{padding:.15rem .8rem;text-align:right;"
    "border-bottom:1px solid #8884}td:first-child,th:first-child{text-align:left}polyline{fill:none;stroke:#2563a8;"
    "stroke-width:1.5}svg{width:22rem;display:block}li.warning{font-weight:600}"
    "@media(prefers-color-scheme:dark){body{color:#e4e8ee;background:#14181e}polyline{stroke:#7db2ea}}"
)


def page(facts: Mapping[str, Any]) -> str:
    """The page of an overview (:func:`pipeline.data.overview.overview`)."""
    data = facts["data"]
    body = [
        svg.tag("h1", data["source"]),
        _table(
            ("split", "items", "frames", "shortest", "median", "longest"),
            [
                (s["name"], f"{s['items']:,}", f"{s['frames']:,}", s["length_min"], s["length_median"], s["length_max"])
                for s in data["splits"]
            ],
        ),
    ]
    if data["splits"][0]["by_label"]:
        rows = [(label, *(f"{s['by_label'][label]:,}" for s in data["splits"])) for label in data["labels"]]
        body.append(_table(("label", *(s["name"] for s in data["splits"])), rows))
    if facts["channels"]:
        keys = ("least", "mean", "std", "greatest")
        rows = [(channel["name"], *(f"{channel[key]:.4g}" for key in keys)) for channel in facts["channels"]]
        body.append(_table(("channel", "least", "mean", "deviation", "greatest"), rows))
    body += [part for number, example in enumerate(facts["examples"]) for part in _example(number, example)]
    findings = [svg.tag("li", one["text"], class_=one["severity"]) for one in facts["findings"]]
    body += [svg.tag("h2", "Findings"), svg.tag("ul", *findings)] if findings else []
    head = svg.tag("head", Markup('<meta charset="utf-8">'), svg.tag("title", data["source"]), svg.tag("style", _STYLE))
    return f"<!doctype html>\n{svg.tag('html', head, svg.tag('body', *body), lang='en')}\n"


def _table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Markup:
    head = svg.tag("tr", *(svg.tag("th", name) for name in names))
    return svg.tag("table", head, *(svg.tag("tr", *(svg.tag("td", str(cell)) for cell in row)) for row in rows))


def _example(number: int, example: Mapping[str, Any]) -> list[Markup]:
    label = f", {example['label']}" if example["label"] else ""
    parts = [svg.tag("h2", f"Training item {example['item']}: {example['frames']:,} frames{label}")]
    if "text" in example:
        return [*parts, svg.tag("p", example["text"])]
    for at, (name, course) in enumerate(example["channels"].items()):
        words = f"{name}, {min(course):.4g} to {max(course):.4g}"
        parts += [svg.tag("p", words), svg.chart(f"e{number}-{at}", _WIDE, _HIGH, name, words, [_course(course)])]
    return parts


def _course(values: Sequence[float]) -> Markup:
    low, span = min(values), (max(values) - min(values)) or 1.0
    step = (_WIDE - 8) / max(1, len(values) - 1)
    points = [(4 + step * at, _HIGH - 4 - (_HIGH - 8) * (value - low) / span) for at, value in enumerate(values)]
    return svg.path(points)
