"""Prediction intervals: where a figure of one more replicate lies, given the figures of many.

Figures keep their units. `alpha` is a probability in (0, 1).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mnistrobust.errors import UsageError
from mnistrobust.words import LOSS, SHARE

FALSE_ALARMS = 0.01  # the false-alarm rate of a whole run without a fault
UNCHECKABLE = 0.5  # a share of the possible range: a wider interval checks nothing
LOSS_FACTOR = 10.0  # a loss has no largest value: an interval of a larger factor checks nothing
ROUNDING = 1e-6  # evidence has six significant digits


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How a figure is transformed, so that it is about normally distributed.

    `kind` is a scale of `words`: `plain` (no transform), `share` (the logit, with half a count
    added) or `loss` (the logarithm). `images` is the number of images that a share is counted on.
    On the scale `share`, the figure is `origin` + `sign` × a share. This covers a margin that is a
    share's distance from a bound: it is transformed like the share itself.
    """

    kind: str
    images: int
    origin: float = 0.0
    sign: int = 1

    def forward(self, figures: Any) -> np.ndarray:
        """Return the transformed values, in the shape of `figures`."""
        values: np.ndarray = np.asarray(figures, np.float64)
        if self.kind == SHARE:
            counts = self.sign * (values - self.origin) * self.images
            values = np.log((counts + 0.5) / (self.images - counts + 0.5))
        if self.kind == LOSS:
            values = np.log(np.maximum(values, np.finfo(float).tiny))
        return values

    def backward(self, transformed: Any) -> np.ndarray:
        """Return the figures for transformed values; a share is clipped to [0, 1]."""
        values: np.ndarray = np.clip(np.asarray(transformed, np.float64), -700, 700)
        if self.kind == SHARE:
            share = (1 / (1 + np.exp(-values)) * (self.images + 1) - 0.5) / self.images
            return np.asarray(self.origin + self.sign * np.clip(share, 0, 1))
        return np.exp(values) if self.kind == LOSS else values

    def narrow(self, low: Any, high: Any) -> Any:
        """Return whether an interval is narrow enough to check a figure.

        It may be 0.5 wide for shares and plain values. For losses, `high` may be 10 times `low`.
        """
        if self.kind == LOSS:
            return high <= low * LOSS_FACTOR
        return high - low <= UNCHECKABLE


@dataclass(frozen=True, kw_only=True)
class Interval:
    """The prediction interval of a figure for one more replicate; `centre` is the typical value."""

    low: float
    centre: float
    high: float
    scale: Scale

    def __contains__(self, value: float) -> bool:
        """Return whether the value lies inside, bounds included."""
        return self.low - ROUNDING <= value <= self.high + ROUNDING

    @property
    def checkable(self) -> bool:
        """Whether the interval is narrow enough to check one replicate."""
        return bool(self.scale.narrow(self.low, self.high))

    @property
    def smallest_change(self) -> tuple[float, float]:
        """The smallest fall and rise of the typical value that half of all runs detect."""
        return self.centre - self.low, self.high - self.centre


def prediction_interval(
    values: Sequence[float], scale: Scale, alpha: float, stretch: float = 1.0
) -> Interval:
    """Return the two-sided interval outside which one more value lies with the probability `alpha`.

    It uses Student's t with the factor sqrt(1 + 1/N), on the transformed scale (Hahn and Meeker,
    1991, "Statistical intervals", 4.2), and is `stretch` times as wide. Values are counts of images,
    so the standard deviation is taken as at least one image. UsageError for under two values.
    """
    mean, deviation = mean_and_deviation(scale.forward(values))
    bounds = _bounds(mean, deviation, stretch * reach(len(values), alpha), scale)
    low, centre, high = map(float, bounds)
    return Interval(low=low, centre=centre, high=high, scale=scale)


def reach(replicates: int, alpha: float) -> float:
    """Return half the width of a prediction interval, in standard deviations of the replicates."""
    return _student(replicates, alpha) * float(np.sqrt(1 + 1 / replicates))


def _student(replicates: int, alpha: float) -> float:
    from scipy.special import stdtrit

    return float(-stdtrit(replicates - 1, alpha / 2))


def _bounds(mean: Any, deviation: Any, reach: float, scale: Scale) -> tuple[Any, Any, Any]:
    """Return low end, centre and high end of intervals from transformed means and deviations."""
    ends = [scale.backward(mean + side * reach * deviation) for side in (-1, 1)]
    low, centre, high = np.minimum(*ends), scale.backward(mean), np.maximum(*ends)
    if scale.kind != LOSS:
        one_image = reach / scale.images
        low, high = np.minimum(low, centre - one_image), np.maximum(high, centre + one_image)
    if scale.kind == SHARE:
        least, most = sorted((scale.origin, scale.origin + scale.sign))
        low, high = np.maximum(low, least), np.minimum(high, most)
    return low, centre, high


def mean_and_deviation(values: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """Return mean and standard deviation of replicates; UsageError for fewer than two values."""
    if len(values) < 2:
        raise UsageError(f"Expected at least two values, received {len(values)}.")
    return float(np.mean(values)), float(np.std(values, ddof=1))


def deviations(before: float, after: float, values: Sequence[float], scale: Scale) -> float:
    """Return the change from `before` to `after`, in standard deviations of replicates' `values`.

    It is computed on the transformed scale and has the sign of the change. A standard deviation
    counts as at least one image. Raises UsageError for fewer than two values.
    """
    mean, deviation = mean_and_deviation(scale.forward(values))
    least = 1 / scale.images
    if scale.kind == SHARE:
        centre = scale.backward(mean)
        inwards = centre + (least if centre < scale.origin + scale.sign / 2 else -least)
        least = float(abs(scale.forward(inwards) - scale.forward(centre)))
    start, end = scale.forward([before, after])
    return float((end - start) / max(deviation, least))


def difference_bound(replicates: int, alpha: float) -> float:
    """Return the difference, in standard deviations, that two more replicates exceed with `alpha`.

    The standard deviation is estimated from `replicates` values: Student's t, with the factor sqrt(2).
    """
    return _student(replicates, alpha) * float(np.sqrt(2))


def left_out_distances(values: Sequence[float], scale: Scale, alpha: float) -> np.ndarray:
    """Return how far each replicate lies from all others, in half-widths of the others' interval.

    A replicate above 1 would raise an alarm. If the others' interval is too wide to check one
    replicate, it raises no alarm, and the distance is 0.
    """
    found, others = np.asarray(values), len(values) - 1
    transformed = scale.forward(found)
    away = transformed - transformed.mean()
    # for each replicate, the mean and the variance of all others
    mean = transformed.mean() - away / others
    squares = (away**2).sum() - away**2 - others * (away / others) ** 2
    deviation = np.sqrt(np.maximum(squares, 0) / (others - 1))
    width = reach(others, alpha)
    low, centre, high = _bounds(mean, deviation, width, scale)
    inside = (low - ROUNDING <= found) & (found <= high + ROUNDING)
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = abs(transformed - mean) / (width * deviation)
        if scale.kind != LOSS:
            distance = np.fmin(distance, abs(found - centre) / (width / scale.images))
    distance = np.where(inside, np.fmin(distance, 1), distance)
    return np.asarray(np.where(scale.narrow(low, high), distance, 0))
