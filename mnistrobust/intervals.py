"""Where a figure of one more world lies, given the figures of many.

Figures keep their units; `alpha` is a probability in (0, 1).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mnistrobust.errors import UsageError

FALSE_ALARMS = 0.01  # of a whole run without a fault
UNCHECKABLE = 0.5  # of the possible range: a wider interval checks nothing
LOSS_FACTOR = 10.0  # a loss has no largest value: an interval of a larger factor checks nothing
ROUNDING = 1e-6  # evidence has six significant digits


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How a figure is transformed before it counts as normal.

    `kind` is `margin` (as it is), `share` (its logit, with half a count added) or `loss` (its
    logarithm); `images` is how many images the smallest share is counted on. The figure is
    `origin` + `sign` × the share: a margin that is a share's distance to a bound is no more
    normal than that share.
    """

    kind: str
    images: int
    origin: float = 0.0
    sign: int = 1

    def forward(self, figures: Any) -> np.ndarray:
        """Return the transformed values, of any shape."""
        values: np.ndarray = np.asarray(figures, np.float64)
        if self.kind == "share":
            counts = self.sign * (values - self.origin) * self.images
            values = np.log((counts + 0.5) / (self.images - counts + 0.5))
        if self.kind == "loss":
            values = np.log(np.maximum(values, np.finfo(float).tiny))
        return values

    def backward(self, transformed: Any) -> np.ndarray:
        """Return the figures of transformed values; a share is cut to [0, 1]."""
        values: np.ndarray = np.clip(np.asarray(transformed, np.float64), -700, 700)
        if self.kind == "share":
            share = (1 / (1 + np.exp(-values)) * (self.images + 1) - 0.5) / self.images
            return np.asarray(self.origin + self.sign * np.clip(share, 0, 1))
        return np.exp(values) if self.kind == "loss" else values

    def narrow(self, low: Any, high: Any) -> Any:
        """Return whether a figure between these says anything: no wider than half its range.

        The range is 1 for shares and for margins; for losses, a factor of 10 takes its place.
        """
        if self.kind == "loss":
            return high <= low * LOSS_FACTOR
        return high - low <= UNCHECKABLE


@dataclass(frozen=True, kw_only=True)
class Interval:
    """Where a figure of one more world lies; `centre` is the typical value."""

    low: float
    centre: float
    high: float
    scale: Scale

    def __contains__(self, value: float) -> bool:
        """Return whether the value is inside, the bounds included."""
        return self.low - ROUNDING <= value <= self.high + ROUNDING

    @property
    def checkable(self) -> bool:
        """Whether it is narrow enough to check one world."""
        return bool(self.scale.narrow(self.low, self.high))

    @property
    def smallest_change(self) -> tuple[float, float]:
        """The smallest falls and rises of the typical value that half of all runs see."""
        return self.centre - self.low, self.high - self.centre


def prediction_interval(
    values: Sequence[float], scale: Scale, alpha: float, stretch: float = 1.0
) -> Interval:
    """Return the two-sided interval that one more value leaves with the probability `alpha`.

    Student's t with the factor sqrt(1 + 1/N), on the transformed scale (Hahn and Meeker, 1991,
    "Statistical intervals", 4.2), `stretch` times as wide. Where worlds hardly differ, it is at
    least as wide as if they had a standard deviation of one image: the values are counts. Raises
    UsageError for fewer than two values.
    """
    if len(values) < 2:
        raise UsageError(f"Expected at least two worlds, received {len(values)}.")
    transformed = scale.forward(values)
    reach = stretch * _reach(len(transformed), alpha)
    low, centre, high = map(
        float, _bounds(transformed.mean(), transformed.std(ddof=1), reach, scale)
    )
    return Interval(low=low, centre=centre, high=high, scale=scale)


def _reach(worlds: int, alpha: float) -> float:
    """Return how many standard deviations of so many worlds the interval of one more reaches."""
    from scipy.special import stdtrit

    return float(-stdtrit(worlds - 1, alpha / 2) * np.sqrt(1 + 1 / worlds))


def _bounds(mean: Any, deviation: Any, reach: float, scale: Scale) -> tuple[Any, Any, Any]:
    """Return low end, centre and high end of intervals, by transformed means and deviations."""
    ends = [scale.backward(mean + side * reach * deviation) for side in (-1, 1)]
    low, centre, high = np.minimum(*ends), scale.backward(mean), np.maximum(*ends)
    if scale.kind != "loss":
        one_image = reach / scale.images
        low, high = np.minimum(low, centre - one_image), np.maximum(high, centre + one_image)
    if scale.kind == "share":
        least, most = sorted((scale.origin, scale.origin + scale.sign))
        low, high = np.maximum(low, least), np.minimum(high, most)
    return low, centre, high


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean and the standard deviation of at least two worlds' values."""
    found = np.asarray(values, np.float64)
    return float(found.mean()), float(found.std(ddof=1))


def deviations(before: float, after: float, values: Sequence[float], scale: Scale) -> float:
    """Return how many standard deviations of worlds' `values` lie from `before` to `after`.

    Taken on the transformed scale, signed as the change is. A deviation is at least one image
    wide. Raises UsageError for fewer than two values.
    """
    if len(values) < 2:
        raise UsageError(f"Expected at least two worlds, received {len(values)}.")
    transformed = scale.forward(values)
    least = 1 / scale.images
    if scale.kind == "share":
        centre = scale.backward(float(transformed.mean()))
        inwards = centre + (least if centre < scale.origin + scale.sign / 2 else -least)
        least = float(abs(scale.forward(inwards) - scale.forward(centre)))
    start, end = scale.forward([before, after])
    return float((end - start) / max(float(transformed.std(ddof=1)), least))


def difference_bound(worlds: int, alpha: float) -> float:
    """Return how many standard deviations two more worlds differ by with the probability `alpha`.

    The deviation is estimated from so many worlds: Student's t with the factor sqrt(2).
    """
    from scipy.special import stdtrit

    return float(-stdtrit(worlds - 1, alpha / 2) * np.sqrt(2))


def left_out_distances(values: Sequence[float], scale: Scale, alpha: float) -> np.ndarray:
    """Return for each world how far it lies from all the others, in reaches of their interval.

    A world with more than 1 would be an alarm. Where the others' interval is too wide to check one
    world it raises none, and the distance counts as 0.
    """
    found, others = np.asarray(values), len(values) - 1
    transformed = scale.forward(found)
    away = transformed - transformed.mean()
    # mean and variance of all worlds but one, for each of them
    mean = transformed.mean() - away / others
    squares = (away**2).sum() - away**2 - others * (away / others) ** 2
    deviation = np.sqrt(np.maximum(squares, 0) / (others - 1))
    reach = _reach(others, alpha)
    low, centre, high = _bounds(mean, deviation, reach, scale)
    inside = (low - ROUNDING <= found) & (found <= high + ROUNDING)
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = abs(transformed - mean) / (reach * deviation)
        if scale.kind != "loss":
            distance = np.fmin(distance, abs(found - centre) / (reach / scale.images))
    distance = np.where(inside, np.fmin(distance, 1), distance)
    return np.asarray(np.where(scale.narrow(low, high), distance, 0))
