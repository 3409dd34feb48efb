"""Charts of one network, as SVG; each says in words what it shows, for those who cannot see it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mnistrobust import metrics
from mnistrobust.curves import Curve
from mnistrobust.report import svg
from mnistrobust.transforms import NOISE_LABEL

if TYPE_CHECKING:
    from markupsafe import Markup

_BINS = np.linspace(0, 1, 21)  # of a histogram of confidences
_CALIBRATION = np.linspace(0, 1, 11)

_WIDTH, _HEIGHT = 264, 168  # of a chart
_LEFT, _RIGHT, _TOP, _BOTTOM = 34.0, 258.0, 10.0, 132.0
_unit = svg.scale(0, 1, _LEFT, _RIGHT)  # of confidences
_CONFIDENCES = [(_unit(value), f"{value:g}") for value in (0, 0.5, metrics.CONFIDENT)]


def learning_curve(history: Mapping[str, Sequence[float]]) -> "Markup":
    """Draw accuracy in training and on held-out images against the epoch."""
    curves = {"training": history["accuracy"], "held-out": history["val_accuracy"]}
    epochs = max(map(len, curves.values()))
    low = min(0.9, float(np.floor(min(map(min, curves.values())) * 10) / 10))
    x, y = svg.scale(1, epochs, _LEFT + 6, _RIGHT - 6), svg.scale(low, 1, _BOTTOM, _TOP)
    parts, words = _frame(low, 1, [(x(i), i) for i in sorted({1, epochs})], "epoch"), []
    for name, values in curves.items():
        points = [(x(i), y(value)) for i, value in enumerate(values, start=1)]
        parts += [svg.path(points, f"line {name}"), svg.dots(points, name)]
        count = f"{epochs} {'epoch' if epochs == 1 else 'epochs'}"
        words.append(f"accuracy, {name}: from {values[0]:.3f} to {values[-1]:.3f} in {count}")
    return svg.picture(_WIDTH, _HEIGHT, "; ".join(words), parts)


def class_shares(groups: Mapping[str, Sequence[int]], total: int) -> "Markup":
    """Draw how often each class occurs in each group, side by side, as a share of `total`."""
    shares = {name: np.array(counts) / max(total, 1) for name, counts in groups.items()}
    classes = max(map(len, shares.values()))
    high = _ceiling(shares)
    x, y = svg.scale(0, classes, _LEFT, _RIGHT), svg.scale(0, high, _BOTTOM, _TOP)
    axis = "class (10: noise)" if classes > NOISE_LABEL else "class"
    parts = _frame(0, high, [(x(i + 0.5), i) for i in range(classes)], axis)
    width = 0.8 / len(groups)
    words = []
    for place, (name, values) in enumerate(shares.items()):
        lefts = [x(i + 0.1 + place * width) for i in range(len(values))]
        parts += [
            svg.bar(left, y(value), x(width) - _LEFT, _BOTTOM - y(value), f"bars {name}")
            for left, value in zip(lefts, map(float, values), strict=True)
        ]
        often = (f"{i} {value:.0%}" for i, value in enumerate(values) if value >= 0.005)
        words.append(f"{name}: {', '.join(often)}")
    return svg.picture(_WIDTH, _HEIGHT, "; ".join(words), parts)


def confidence(groups: Mapping[str, Any]) -> "Markup":
    """Draw the confidences (n,) of each group as a histogram with an area of its own."""
    groups = {name: values for name, values in groups.items() if values.size}
    shares = {name: np.histogram(each, _BINS)[0] / each.size for name, each in groups.items()}
    high = _ceiling(shares)
    y = svg.scale(0, high, _BOTTOM, _TOP)
    parts, words = _frame(0, high, _CONFIDENCES, "confidence"), []
    bound = _unit(metrics.CONFIDENT)
    parts.append(svg.path([(bound, _TOP), (bound, _BOTTOM)], "bound"))
    edges = [_unit(float(edge)) for edge in np.repeat(_BINS, 2)]
    for name, values in groups.items():
        tops = [_BOTTOM, *(y(float(share)) for share in np.repeat(shares[name], 2)), _BOTTOM]
        parts.append(svg.path(list(zip(edges, tops, strict=True)), f"line area {name}"))
        above = metrics.share(metrics.confident(values))
        words.append(f"{name}: {values.size:,} images, {above:.0%} above 0.9")
    return svg.picture(_WIDTH, _HEIGHT, "; ".join(words) or "no image", parts)


def reliability(confident: Any, right: Any) -> "Markup":
    """Draw the share of right predictions against confidence, both (n,), in ten bins; dots grow with n."""
    bins = np.clip(np.digitize(confident, _CALIBRATION) - 1, 0, len(_CALIBRATION) - 2)
    y = svg.scale(0, 1, _BOTTOM, _TOP)
    parts = _frame(0, 1, _CONFIDENCES, "confidence")
    parts.append(svg.path([(_LEFT, _BOTTOM), (_RIGHT, _TOP)], "bound"))
    points, words = [], []
    for mask in (bins == place for place in np.unique(bins)):
        mean, share = float(confident[mask].mean()), float(right[mask].mean())
        points.append((_unit(mean), y(share)))
        radius = 1.5 + 5 * float(mask.mean()) ** 0.5
        place = {"cx": _unit(mean), "cy": y(share), "r": radius}
        parts.append(svg.element("circle", **place, class_="held-out"))
        words.append(f"{share:.0%} right at {mean:.0%}")
    parts.append(svg.path(points, "line held-out"))
    return svg.picture(_WIDTH, _HEIGHT, "; ".join(words), parts)


def curve(shown: Curve) -> "Markup":
    """Draw the median margin and its range over seeds against the dose; 0 dotted, the document's dashed."""
    along, medians = shown.along, shown.medians
    lowest, highest = (list(map(end, zip(*shown.margins, strict=True))) for end in (min, max))
    low, high = min(0.0, *lowest), max(0.0, *highest)
    y = svg.scale(low, high, _BOTTOM, _TOP)
    scale = np.log if along.logarithmic else float
    x_of = svg.scale(scale(shown.doses[0]), scale(shown.doses[-1]), _LEFT + 8, _RIGHT - 12)
    xs = [x_of(float(scale(dose))) for dose in shown.doses]
    ticks = dict.fromkeys((shown.doses[0], along.document, shown.doses[-1]))
    labels = [(x_of(float(scale(dose))), along.written(dose)) for dose in ticks]
    parts = _frame(low, high, labels, along.name, "{:.2g}")
    band = [
        *zip(xs, map(y, lowest), strict=True),
        *zip(xs[::-1], map(y, highest[::-1]), strict=True),
    ]
    own = x_of(float(scale(along.document)))
    median = list(zip(xs, map(y, medians), strict=True))
    parts += [
        svg.path(band, "band"),
        svg.path([(_LEFT, y(0)), (_RIGHT, y(0))], "bound"),
        svg.path([(own, _TOP), (own, _BOTTOM)], "own"),
        svg.path(median, "line held-out"),
        svg.dots(median, "held-out"),
    ]
    values = zip(map(along.written, shown.doses), medians, lowest, highest, strict=True)
    words = (
        f"{dose}: {middle:+.3f} ({least:+.3f} to {most:+.3f})"
        for dose, middle, least, most in values
    )
    says = f"median margin, lowest and highest, by {along.name}: {'; '.join(words)}"
    return svg.picture(_WIDTH, _HEIGHT, says, parts)


def _frame(
    low: float,
    high: float,
    ticks: Sequence[tuple[float, int | str]],
    name: str,
    written: str = "{:.0%}",
) -> list["Markup"]:
    """Return axes: three values on the left, the given ticks below, and what they mean."""
    y = svg.scale(low, high, _BOTTOM, _TOP)
    parts = [svg.label((_LEFT + _RIGHT) / 2, _BOTTOM + 29, name, "middle")]
    for value in (low, (low + high) / 2, high):
        parts.append(svg.path([(_LEFT, y(value)), (_RIGHT, y(value))], "grid"))
        parts.append(svg.label(_LEFT - 4, y(value) + 4, written.format(value), "end"))
    return parts + [svg.label(x, _BOTTOM + 13, text, "middle") for x, text in ticks]


def _ceiling(groups: Mapping[str, np.ndarray]) -> float:
    """Return the end of an axis of shares that begins at 0: the next of a few round ones."""
    value = max((float(shares.max(initial=0)) for shares in groups.values()), default=1.0)
    return next((end for end in (0.1, 0.2, 0.4, 0.6, 0.8) if value <= end), 1.0)
