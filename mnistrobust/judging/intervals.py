"""Prediction intervals: where a figure of one more replicate lies, given the figures of many.

Figures keep their units. A reach is in standard deviations of the replicates.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mnistrobust.errors import UsageError
from mnistrobust.words import LOSS, SHARE

FALSE_ALARMS = 0.01  # of a comparison of runs between which nothing has changed
UNCHECKABLE = 0.5  # a share of the possible range: a wider interval checks nothing
LOSS_FACTOR = 10.0  # a loss has no largest value: an interval of a larger factor checks nothing
ROUNDING = 1e-6  # evidence has six significant digits
_LARGEST = 1_000_000  # hundredths of a reach: every interval is too wide long before


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How a figure is transformed, so that it is about normally distributed.

    `kind` is a scale of `words`: `plain` (no transform), `share` (the logit, with half a count
    added) or `loss` (the logarithm). `images` is the number of images that a share is counted on.
    On the scale `share`, the figure is `origin` + `sign` × a share. This covers a margin that is a
    share's distance from a bound: it is transformed like the share itself. A `signed` figure is a
    margin whose sign says whether a claim holds.
    """

    kind: str
    images: int
    origin: float = 0.0
    sign: int = 1
    signed: bool = False

    def forward(self, figures: Any) -> np.ndarray:
        """Return the transformed values, in the shape of `figures`."""
        values: np.ndarray = np.asarray(figures, np.float64)
        if self.kind == SHARE:
            counts = np.clip(self.sign * (values - self.origin), 0, 1) * self.images
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

    def checkable(self, low: Any, high: Any) -> Any:
        """Return whether an interval says enough to check one replicate.

        It may be 0.5 wide for shares and plain values. For losses, `high` may be 10 times `low`. The
        interval of a signed figure may also be any that leaves one sign.
        """
        narrow = high <= low * LOSS_FACTOR if self.kind == LOSS else high - low <= UNCHECKABLE
        return narrow | self.signed & ((low > 0) | (high <= 0))


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
        """Whether the interval says enough to check one replicate."""
        return bool(self.scale.checkable(self.low, self.high))

    @property
    def smallest_change(self) -> tuple[float, float]:
        """The smallest fall and rise of the typical value that half of all runs detect."""
        return self.centre - self.low, self.high - self.centre


def prediction_interval(values: Sequence[float], scale: Scale, reach: float) -> Interval:
    """Return the interval of `reach` standard deviations to both sides of the replicates' mean.

    Both are those of the transformed values. Values are counts of images, so the standard deviation
    is taken as at least one image. UsageError for under two values.
    """
    bounds = _bounds(*mean_and_deviation(scale.forward(values)), reach, scale)
    low, centre, high = map(float, bounds)
    return Interval(low=low, centre=centre, high=high, scale=scale)


def farthest_reach(columns: Iterable[tuple[Sequence[float], Scale]]) -> float:
    """Return the smallest reach, in hundredths, at which no replicate fails against all the others.

    A column has a figure's values, one of each replicate, and their scale. Any of N + 1 replicates is
    equally likely to need the largest reach. So one more replicate fails with a chance of about
    1 / (N + 1), whatever the distributions are and however the figures depend on each other (Shafer
    and Vovk, 2008, "A tutorial on conformal prediction").
    """
    left_out = [(np.asarray(values), *_others(values, scale), scale) for values, scale in columns]
    reach = 100

    def failing(hundredths: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray, Scale]]:
        return [column for column in left_out if _fails(*column, hundredths / 100).any()]

    while reach < _LARGEST and (fail := failing(reach)):
        reach, left_out = 2 * reach, fail  # what does not fail here does not fail farther out
    return bisect_left(range(reach), True, key=lambda each: not failing(each)) / 100


def _others(values: Sequence[float], scale: Scale) -> tuple[np.ndarray, np.ndarray]:
    """Return for each replicate the mean and the standard deviation of all others, transformed."""
    transformed, others = scale.forward(values), len(values) - 1
    away = transformed - transformed.mean()
    squares = (away**2).sum() - away**2 * (1 + 1 / others)
    deviation = np.sqrt(np.maximum(squares, 0) / (others - 1))
    return transformed.mean() - away / others, deviation


def _fails(
    found: np.ndarray, mean: np.ndarray, deviation: np.ndarray, scale: Scale, reach: float
) -> np.ndarray:
    """Return whether each figure lies outside the checkable interval of its own."""
    low, _, high = _bounds(mean, deviation, reach, scale)
    inside = (low - ROUNDING <= found) & (found <= high + ROUNDING)
    return np.asarray(~inside & scale.checkable(low, high))


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
    from scipy.special import stdtrit

    return float(-stdtrit(replicates - 1, alpha / 2) * np.sqrt(2))
