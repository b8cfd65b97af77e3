"""The few SVG helpers the charts share: escaped elements, an accessible root, axes.

Charts take every colour from CSS classes, so the page's light and dark themes reach into them.
"""

import math
from collections.abc import Callable, Sequence

from markupsafe import Markup, escape

from .scales import Scale
from .text import one_line

FONT = 12  # user units; the stylesheet sets the same
_CHARACTER = 0.56 * FONT  # mean advance of a sans-serif character


def tag(name: str, *children: str | Markup, **attributes: str | float) -> Markup:
    """One element; text and attribute values are escaped unless they already are markup.

    >>> str(tag("text", "a<b", x=1.25, text_anchor="end"))
    '<text x="1.2" text-anchor="end">a&lt;b</text>'
    """
    shown = "".join(f' {_name(key)}="{_value(value)}"' for key, value in attributes.items())
    inner = "".join(str(child if isinstance(child, Markup) else escape(one_line(child))) for child in children)
    return Markup(f"<{name}{shown}>{inner}</{name}>")


def _name(key: str) -> str:
    return {"class_": "class", "view_box": "viewBox"}.get(key) or key.replace("_", "-")


def _value(value: str | float) -> str:
    return str(escape(one_line(value))) if isinstance(value, str) else number(value)


def number(value: float) -> str:
    """
    >>> number(12.0), number(3.14159), number(-0.01)
    ('12', '3.1', '0')
    """
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def text_width(text: str, strong: bool = False) -> float:
    """Estimated width in user units; labels are placed by it."""
    return len(text) * _CHARACTER * (1.12 if strong else 1.0)


def chart(name: str, width: float, height: float, title: str, description: str, body: Sequence[Markup]) -> Markup:
    """The root element; ``name`` must be unique on the page, title and description are read aloud."""
    return tag(
        "svg",
        tag("title", title, id=f"{name}-title"),
        tag("desc", description, id=f"{name}-desc"),
        *body,
        class_="chart",
        view_box=f"0 0 {number(width)} {number(height)}",
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
    )


def path(points: Sequence[tuple[float, float]], **attributes: str | float) -> Markup:
    """A polyline; one decimal is a tenth of a pixel."""
    return tag("polyline", points=" ".join(f"{number(x)},{number(y)}" for x, y in points), **attributes)


def line(x1: float, y1: float, x2: float, y2: float, **attributes: str | float) -> Markup:
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, **attributes)


def label(text: str, x: float, y: float, *, anchor: str = "start", **attributes: str | float) -> Markup:
    return tag("text", text, x=x, y=y, text_anchor=anchor, **attributes)


def axes(
    x: Scale,
    y: Scale,
    *,
    x_title: str,
    y_title: str,
    x_text: Callable[[float], str],
    y_text: Callable[[float], str],
) -> list[Markup]:
    """Grid, tick labels and titles. The y title stands above the axis, where it reads without a turned head."""
    left, right, bottom, top = x.start, x.end, max(y.start, y.end), min(y.start, y.end)
    parts = [line(left, y(tick), right, y(tick), class_="grid") for tick in y.ticks]
    parts += [line(x(tick), top, x(tick), bottom, class_="grid") for tick in x.ticks]
    parts.append(line(left, bottom, right, bottom, class_="axis"))
    parts += [label(y_text(tick), left - 7, y(tick) + 4, anchor="end", class_="tick") for tick in y.ticks]
    parts += [label(x_text(tick), x(tick), bottom + 17, anchor="middle", class_="tick") for tick in x.ticks]
    parts.append(label(x_title, right, bottom + 35, anchor="end", class_="axis-title"))
    parts.append(label(y_title, 0, top - 12, class_="axis-title"))
    return parts


def marker(shape: str, x: float, y: float, size: float = 5.5, **attributes: str | float) -> Markup:
    """One of ``view.SHAPES``, all of about the same area, so that shape and not only colour tells."""
    if shape == "circle":
        return tag("circle", cx=x, cy=y, r=size, **attributes)
    reach = size * 1.3
    corners = {
        "diamond": ((0, -reach), (reach, 0), (0, reach), (-reach, 0)),
        "square": ((-size, -size), (size, -size), (size, size), (-size, size)),
        "triangle": ((0, -reach), (reach, size), (-reach, size)),
        "wedge": ((0, reach), (reach, -size), (-reach, -size)),
        "hexagon": tuple((reach * math.cos(math.pi * i / 3), reach * math.sin(math.pi * i / 3)) for i in range(6)),
    }[shape]
    spots = " ".join(f"{number(x + dx)},{number(y + dy)}" for dx, dy in corners)
    return tag("polygon", points=spots, **attributes)
