"""What many worlds say about a claim: verdicts, and the rules for fresh worlds.

The unit is the world: a margin above 0 is a success, and worlds are independent. Rates and levels
lie in [0, 1].
"""

from collections.abc import Sequence
from dataclasses import dataclass

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
