"""SVG elements as text that is safe to put into a page. Places are in pixels."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from markupsafe import Markup, escape

Scale = Callable[[float], float]
Points = Sequence[tuple[float, float]]
_HYPHEN = re.compile(r"(?<![^\s(\[])-(?=\.?\d)")  # in front of a number


def minus(value: Any) -> Any:
    """Return a text with minus signs before its numbers; anything else, and markup, as it is."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return _HYPHEN.sub("\N{MINUS SIGN}", value)


def scale(low: float, high: float, start: float, end: float) -> Scale:
    """Return the places of values on an axis from `low` at `start` to `high` at `end`."""
    step = (end - start) / ((high - low) or 1.0)
    return lambda value: start + (value - low) * step


def element(name: str, *children: str, **attributes: object) -> Markup:
    """Return an element with its children escaped.

    In an attribute's name, an underscore is a hyphen, and one at the end is dropped.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_text(value)}"'
        for key, value in attributes.items()
    )
    inner = "".join(map(escape, children))
    return Markup(f"<{name}{written}>{inner}</{name}>")  # noqa: S704 - escaped here, part by part


def picture(width: int, height: int, says: str, children: Iterable[str]) -> Markup:
    """Return a picture; `says` is what a reader hears who cannot see it."""
    box = f"0 0 {width} {height}"
    size = {"width": width, "height": height, "viewBox": box}
    return element("svg", *children, class_="chart", **size, role="img", aria_label=minus(says))


def dots(points: Points, class_: str) -> Markup:
    """Return a dot for each point: one path, whose line has round ends."""
    moves = "".join(f"M{_text(x)} {_text(y)}h0" for x, y in points)
    return element("path", d=moves, class_=f"dots {class_}")


def path(points: Points, class_: str) -> Markup:
    """Return a line through points."""
    places = "L".join(f"{_text(x)} {_text(y)}" for x, y in points)
    return element("path", d=f"M{places}", class_=class_)


def bar(x: float, y: float, width: float, height: float, class_: str) -> Markup:
    """Return a filled rectangle."""
    return element("rect", x=x, y=y, width=width, height=height, class_=class_)


def label(x: float, y: float, text: object, anchor: str = "start") -> Markup:
    """Return a text at a point; `anchor` is `start`, `middle` or `end`."""
    return element("text", minus(str(text)), x=x, y=y, text_anchor=anchor)


def _text(value: object) -> str:
    """Write a number with at most one decimal, a tenth of a pixel; escape anything else."""
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else escape(str(value))
