"""What many worlds say about a claim, and what one more world may look like.

The unit is the world: a margin above 0 is a success, and worlds are independent. Rates and levels
lie in [0, 1]; figures keep their units.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mnistrobust.errors import UsageError

REPRODUCED = "reproduced"
REFUTED = "refuted"
SEED_DEPENDENT = "seed-dependent"
PROVISIONAL = "provisional"  # the verdict while there are too few worlds
NOT_REPRODUCED = "not reproduced"  # by fresh worlds, live
INCONCLUSIVE = "inconclusive"

LEVEL = 0.99  # of each one-sided bound
HOLDS_ABOVE = 0.75  # a claim is reproduced where its hold-rate is surely above
FAILS_BELOW = 0.25  # and refuted where it is surely below
ENOUGH = 20  # worlds
LIVE_BETA = 0.05  # of the live rule, where there are worlds enough
FALSE_ALARMS = 0.01  # of a whole run without a fault
UNCHECKABLE = 0.5  # of the possible range: a wider interval checks nothing
ROUNDING = 1e-6  # evidence has six significant digits
LOSS_FACTOR = 10.0  # a loss has no largest value: an interval of a larger factor checks nothing


def lower_bound(held: int, worlds: int, level: float = LEVEL) -> float:
    """Return the one-sided lower bound of the hold-rate, after Clopper and Pearson (1934).

    The rate is above it with a confidence of at least `level`. Raises UsageError for a count that
    is not in 0…worlds.
    """
    _check_count(held, worlds)
    from scipy.special import betaincinv  # late: half a second of import

    return float(betaincinv(held, worlds - held + 1, 1 - level)) if held else 0.0


def upper_bound(held: int, worlds: int, level: float = LEVEL) -> float:
    """Return the one-sided upper bound of the hold-rate: the lower one of the fail-rate."""
    return 1.0 - lower_bound(worlds - held, worlds, level)


def verdict(held: int, worlds: int) -> str:
    """Judge a claim that holds in `held` of `worlds` worlds; `provisional` under 20 worlds."""
    _check_count(held, worlds)
    if worlds < ENOUGH:
        return PROVISIONAL
    if lower_bound(held, worlds) > HOLDS_ABOVE:
        return REPRODUCED
    return REFUTED if upper_bound(held, worlds) < FAILS_BELOW else SEED_DEPENDENT


def operating_curve(rate: float, worlds: int) -> dict[str, float]:
    """Return the probability of each verdict on a claim that holds in a share `rate` of worlds."""
    chances = dict.fromkeys((REPRODUCED, REFUTED, SEED_DEPENDENT, PROVISIONAL), 0.0)
    for held, chance in enumerate(_binomial(worlds, rate)):
        chances[verdict(held, worlds)] += float(chance)
    return chances


@dataclass(frozen=True, kw_only=True)
class LiveRule:
    """How fresh worlds judge a claim: by its number of wins, the same for both answers.

    `wins` is the least that reproduces it, and as many losses do not; `alpha` the probability of
    the wrong answer at the hold-rate 0.25 (or 0.75), `beta` that of no right one at 0.75 (or
    0.25). Where `wins` is above `worlds`, they are too few to conclude anything.
    """

    worlds: int
    wins: int
    alpha: float
    beta: float

    def judge(self, held: int) -> str:
        """Return `reproduced`, `not reproduced` or `inconclusive`."""
        _check_count(held, self.worlds)
        if held >= self.wins:
            return REPRODUCED
        return NOT_REPRODUCED if self.worlds - held >= self.wins else INCONCLUSIVE

    def __str__(self) -> str:
        """State the rule and its errors in one sentence."""
        if self.wins > self.worlds:
            return f"{self.worlds} worlds are too few to conclude anything; 4 are needed"
        return (
            f"reproduced where at least {self.wins} of {self.worlds} worlds hold, not reproduced "
            f"where at most {self.worlds - self.wins} do (alpha {self.alpha:.2g} at a hold-rate "
            f"of {FAILS_BELOW:g}, beta {self.beta:.2g} at {HOLDS_ABOVE:g}), else inconclusive"
        )


def live_rule(worlds: int) -> LiveRule:
    """Return the rule with the most wins whose beta is at most 0.05 and alpha at most 0.01.

    Where so few worlds cannot have both, the one with the fewest wins whose alpha is at most
    0.01. Raises UsageError without worlds.
    """
    if worlds < 1:
        raise UsageError(f"Expected a number of worlds from 1, received {worlds}.")
    wrong, right = _binomial(worlds, FAILS_BELOW), _binomial(worlds, HOLDS_ABOVE)
    rules = [
        LiveRule(
            worlds=worlds,
            wins=wins,
            alpha=float(wrong[wins:].sum()),
            beta=float(right[:wins].sum()),
        )
        for wins in range(worlds // 2 + 1, worlds + 2)
    ]
    sound = [rule for rule in rules if rule.alpha <= 1 - LEVEL]
    strong = [rule for rule in sound if rule.beta <= LIVE_BETA]
    return strong[-1] if strong else sound[0]


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


def percentile(value: float, sample: Sequence[float]) -> float:
    """Return how many per cent of a sample lie below a value, equal ones counted half."""
    if not len(sample):
        raise UsageError("Expected a sample of at least one value, received none.")
    values = np.asarray(sample, np.float64)
    return float(50 * ((values < value).mean() + (values <= value).mean()))


def _binomial(worlds: int, rate: float) -> np.ndarray:
    """Return the probabilities of 0…worlds successes."""
    from scipy.special import bdtr

    below = bdtr(np.arange(worlds + 1), worlds, rate)
    return np.diff(below, prepend=0.0)


def _check_count(held: int, worlds: int) -> None:
    if not 0 <= held <= worlds:
        raise UsageError(f"Expected a count of worlds in 0…{worlds}, received {held}.")
