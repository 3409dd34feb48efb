"""Charts of one network, as SVG: its learning curve, answers, confidence and reliability.

Numbers in, markup out. Each says in words what it shows, for those who cannot see it.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from mnistrobust import metrics
from mnistrobust.report import svg
from mnistrobust.transforms import NOISE_LABEL

if TYPE_CHECKING:
    from markupsafe import Markup

_BINS = np.linspace(0, 1, 21)  # of a histogram of confidences
_CALIBRATION = np.linspace(0, 1, 11)

_WIDTH, _HEIGHT = 264, 168  # of a chart with axes
_LEFT, _RIGHT, _TOP, _BOTTOM = 34.0, 258.0, 10.0, 132.0


def learning_curve(history: Mapping[str, Sequence[float]]) -> "Markup":
    """Draw accuracy in training and on held-out images against the epoch."""
    curves = {"training": history["accuracy"], "held-out": history["val_accuracy"]}
    epochs = max(map(len, curves.values()))
    low = np.floor(min(map(min, curves.values())) * 10) / 10
    low = min(float(low), 0.9)

    def x(epoch: int) -> float:
        return _LEFT + 6 + (epoch - 1) * (_RIGHT - _LEFT - 12) / max(epochs - 1, 1)

    parts = _frame(low, 1.0, [(x(each), each) for each in sorted({1, epochs})], "epoch")
    for name, values in curves.items():
        points = [(x(i), _y(value, low, 1.0)) for i, value in enumerate(values, start=1)]
        parts += [svg.path(points, name), svg.dots(points, name)]
    says = "; ".join(
        f"accuracy, {name}: from {values[0]:.3f} to {values[-1]:.3f} in {epochs} {'epoch' if epochs == 1 else 'epochs'}"
        for name, values in curves.items()
    )
    return svg.picture(_WIDTH, _HEIGHT, says, *parts)


def class_shares(groups: Mapping[str, Sequence[int]], total: int) -> "Markup":
    """Draw how often each class occurs in each group, side by side, as a share of `total`."""
    classes = max(map(len, groups.values()))
    heights = {name: np.array(each) / max(total, 1) for name, each in groups.items()}
    high = _ceiling(max(float(each.max(initial=0)) for each in heights.values()))
    step = (_RIGHT - _LEFT) / classes
    ticks = [(_LEFT + (i + 0.5) * step, i) for i in range(classes)]
    parts = _frame(0, high, ticks, "class (10: noise)" if classes > NOISE_LABEL else "class")
    width = step * 0.8 / len(groups)
    for place, (name, values) in enumerate(heights.items()):
        tops = [_y(float(value), 0, high) for value in values]
        lefts = [_LEFT + (i + 0.1) * step + place * width for i in range(len(values))]
        boxes = [(left, top, width, _BOTTOM - top) for left, top in zip(lefts, tops, strict=True)]
        parts.append(svg.bars(boxes, name))
    says = "; ".join(
        f"{name}: {', '.join(f'{i} {value:.0%}' for i, value in enumerate(values) if value >= 0.005)}"
        for name, values in heights.items()
    )
    return svg.picture(_WIDTH, _HEIGHT, says, *parts)


def confidence(groups: Mapping[str, Any]) -> "Markup":
    """Draw the confidences (n,) of each group as a histogram with an area of its own."""
    histograms = {
        name: np.histogram(values, _BINS)[0] / values.size
        for name, values in groups.items()
        if values.size
    }
    high = _ceiling(max((float(each.max()) for each in histograms.values()), default=1.0))
    parts = _frame(0, high, _unit_ticks(), "confidence")
    bar = _x(metrics.SURE)
    parts.append(svg.line(bar, _TOP, bar, _BOTTOM, "bound"))
    for name, values in histograms.items():
        tops = [_y(float(value), 0, high) for value in values]
        steps = [
            (_x(float(edge)), top)
            for (left, right), top in zip(pairwise(_BINS), tops, strict=True)
            for edge in (left, right)
        ]
        outline = [(_LEFT, _BOTTOM), *steps, (_RIGHT, _BOTTOM)]
        parts.append(svg.path(outline, f"area {name}"))
    says = "; ".join(
        f"{name}: {values.size:,} images, {metrics.share(metrics.sure(values)):.0%} above 0.9"
        for name, values in groups.items()
        if values.size
    )
    return svg.picture(_WIDTH, _HEIGHT, says or "no image", *parts)


def reliability(sure: Any, right: Any) -> "Markup":
    """Draw the share of right answers against confidence, both (n,), in ten bins.

    A dot's area grows with the number of its images; on the diagonal, confidence is deserved.
    """
    places = np.clip(np.digitize(sure, _CALIBRATION) - 1, 0, len(_CALIBRATION) - 2)
    parts = _frame(0, 1, _unit_ticks(), "confidence")
    parts.append(svg.line(_LEFT, _BOTTOM, _RIGHT, _TOP, "bound"))
    points, said = [], []
    for place in range(len(_CALIBRATION) - 1):
        mask = places == place
        if mask.any():
            mean, share = float(sure[mask].mean()), float(right[mask].mean())
            points.append((_x(mean), _y(share, 0, 1)))
            radius = 1.5 + 5 * float(mask.mean()) ** 0.5
            x, y = points[-1]
            parts.append(svg.element("circle", cx=x, cy=y, r=radius, class_="held-out"))
            said.append(f"{share:.0%} right at {mean:.0%}")
    parts.append(svg.path(points, "held-out"))
    return svg.picture(_WIDTH, _HEIGHT, "; ".join(said), *parts)


def probabilities(values: Sequence[float], answer: int, label: int) -> "Markup":
    """Draw the probability of each class as a bar; the answer's and the label's stand out."""
    step, height = 10.0, 34.0
    boxes: dict[str, list[tuple[float, float, float, float]]] = {}
    for i, value in enumerate(values):
        kind = "wrong" if i == answer else "right" if i == label else "other"
        tall = max(float(value) * height, 0.7)
        boxes.setdefault(kind, []).append((i * step + 1, height - tall, step - 2, tall))
    names = "0123456789n"[: len(values)]  # n: noise
    parts: list[Any] = [svg.bars(each, kind) for kind, each in boxes.items()]
    parts.append(svg.letters([i * step + 2.0 for i in range(len(values))], height + 10, names))
    told = [f"{i} {value:.0%}" for i, value in enumerate(values) if value >= 0.005]
    return svg.picture(step * len(values), height + 12, ", ".join(told), *parts)


def _frame(
    low: float, high: float, ticks: Sequence[tuple[float, int | str]], name: str
) -> list[Any]:
    """Return axes: three values on the left, the given ticks below, and what they mean."""
    parts = []
    for value in (low, (low + high) / 2, high):
        y = _y(value, low, high)
        parts.append(svg.line(_LEFT, y, _RIGHT, y, "grid"))
        parts.append(svg.label(_LEFT - 4, y + 4, f"{value:.0%}", anchor="end"))
    parts += [svg.label(x, _BOTTOM + 13, text, anchor="middle") for x, text in ticks]
    middle = (_LEFT + _RIGHT) / 2
    parts.append(svg.label(middle, _BOTTOM + 29, name, anchor="middle"))
    return parts


def _unit_ticks() -> list[tuple[float, str]]:
    return [(_x(value), f"{value:g}") for value in (0, 0.5, metrics.SURE)]


def _x(value: float) -> float:
    return _LEFT + value * (_RIGHT - _LEFT)


def _y(value: float, low: float, high: float) -> float:
    return _BOTTOM - (value - low) / (high - low) * (_BOTTOM - _TOP)


def _ceiling(value: float) -> float:
    """Return the end of an axis that begins at 0: the next of a few round shares."""
    return next((end for end in (0.1, 0.2, 0.4, 0.6, 0.8) if value <= end), 1.0)
