"""SVG elements as text that is safe to put into a page."""

from markupsafe import Markup, escape


def element(name: str, *children: str, **attributes: object) -> Markup:
    """Return an element; what is not markup yet is escaped.

    An underscore in an attribute's name stands for a hyphen, one at its end for nothing; None
    leaves the attribute out.
    """
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    inner = "".join(map(escape, children))
    return Markup(f"<{name}{told}>{inner}</{name}>")  # noqa: S704 - escaped here, part by part


def picture(
    width: float,
    height: float,
    says: str,
    *children: str,
    class_: str = "",
    stretched: bool = False,
) -> Markup:
    """Return a picture of that size in pixels; `says` is what a reader hears who cannot see it.

    A stretched one takes the shape that the style sheet gives it.
    """
    return element(
        "svg",
        *children,
        class_=f"chart {class_}".strip(),
        width=width,
        height=height,
        viewBox=f"0 0 {_text(width)} {_text(height)}",
        preserveAspectRatio="none" if stretched else None,
        role="img",
        aria_label=says,
    )


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """Return a straight line."""
    return element("path", d=f"M{_text(x1)} {_text(y1)}L{_text(x2)} {_text(y2)}", class_=class_)


def dots(points: list[tuple[float, float]], class_: str) -> Markup:
    """Return a dot for each point: one path, whose line has round ends."""
    told = "".join(f"M{_text(x)} {_text(y)}h0" for x, y in points)
    return element("path", d=told, class_=f"dots {class_}")


def path(points: list[tuple[float, float]], class_: str) -> Markup:
    """Return a line through points."""
    told = "L".join(f"{_text(x)} {_text(y)}" for x, y in points)
    return element("path", d=f"M{told}", class_=f"line {class_}")


def bar(x: float, y: float, width: float, height: float, class_: str) -> Markup:
    """Return a filled rectangle."""
    return element("rect", x=x, y=y, width=width, height=height, class_=class_)


def bars(boxes: list[tuple[float, float, float, float]], class_: str) -> Markup:
    """Return filled rectangles (x, y, width, height) of one colour, as one path."""
    told = "".join(
        f"M{_text(x)} {_text(y)}h{_text(width)}v{_text(height)}h{_text(-width)}z"
        for x, y, width, height in boxes
    )
    return element("path", d=told, class_=f"bars {class_}")


def label(x: float, y: float, text: object, *, anchor: str | None = None) -> Markup:
    """Return a text at a point; `anchor` is `middle` or `end` where it does not begin there."""
    return element("text", str(text), x=x, y=y, text_anchor=anchor)


def letters(places: list[float], y: float, text: str) -> Markup:
    """Return a text whose letters stand at places of their own."""
    return element("text", text, x=" ".join(map(_text, places)), y=y)


def _text(value: object) -> str:
    """Write a number with at most one decimal, a tenth of a pixel; escape anything else."""
    if isinstance(value, float):
        return f"{value:.1f}".removesuffix(".0")
    return str(value) if isinstance(value, int) else escape(value)
