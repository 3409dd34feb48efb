"""What many replicates say about a claim: verdicts, and the rule for fresh replicates.

The unit is the replicate. A margin above 0 is a success, and replicates are independent. Rates and
levels lie in [0, 1].
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import comb

import numpy as np

from mnistrobust.errors import UsageError

REPRODUCED = "reproduced"
REFUTED = "refuted"
SEED_DEPENDENT = "seed-dependent"
PROVISIONAL = "provisional"  # the verdict if there are too few replicates
NOT_REPRODUCED = "not reproduced"  # only for fresh replicates, under the live rule
INCONCLUSIVE = "inconclusive"

LEVEL = 0.99  # the confidence level of each one-sided bound
HOLDS_ABOVE = 0.75  # a claim is reproduced if its hold-rate is above this, at LEVEL
FAILS_BELOW = 0.25  # and refuted if its hold-rate is below this
ENOUGH = 20  # replicates for a verdict
LIVE_BETA = 0.05  # the largest beta of the live rule, if there are enough replicates


def lower_bound(held: int, replicates: int, level: float = LEVEL) -> float:
    """Return the one-sided lower bound of the hold-rate, after Clopper and Pearson (1934).

    The hold-rate is above this bound with a confidence of at least `level`. Raises UsageError if
    `held` is not in 0…replicates.
    """
    _check_count(held, replicates)
    from scipy.special import betaincinv  # late: a tenth of a second of import

    return float(betaincinv(held, replicates - held + 1, 1 - level)) if held else 0.0


def upper_bound(held: int, replicates: int, level: float = LEVEL) -> float:
    """Return the one-sided upper bound of the hold-rate: 1 minus the lower bound of the fail-rate."""
    return 1.0 - lower_bound(replicates - held, replicates, level)


def verdict(held: int, replicates: int) -> str:
    """Judge a claim that holds in `held` of `replicates`; `provisional` under 20 replicates."""
    _check_count(held, replicates)
    if replicates < ENOUGH:
        return PROVISIONAL
    if _bound_above(HOLDS_ABOVE, held, replicates):
        return REPRODUCED
    refuted = _bound_above(1 - FAILS_BELOW, replicates - held, replicates)
    return REFUTED if refuted else SEED_DEPENDENT


@cache
def _bound_above(rate: float, held: int, replicates: int) -> bool:
    """Return whether the lower bound of the hold-rate is above `rate`, without importing SciPy.

    It is, if at that rate `held` or more successes have a probability below 1 - level.
    """
    chances = (
        comb(replicates, count)
        * Fraction(rate) ** count
        * (1 - Fraction(rate)) ** (replicates - count)
        for count in range(held, replicates + 1)
    )
    return sum(chances) < 1 - Fraction(str(LEVEL))


def operating_curve(rate: float, replicates: int) -> dict[str, float]:
    """Return the probability of each verdict on a claim whose true hold-rate is `rate`."""
    chances = dict.fromkeys((REPRODUCED, REFUTED, SEED_DEPENDENT, PROVISIONAL), 0.0)
    for held, chance in enumerate(_binomial(replicates, rate)):
        chances[verdict(held, replicates)] += float(chance)
    return chances


@dataclass(frozen=True)
class LiveRule:
    """How fresh replicates judge a claim: by the number of replicates for which it holds.

    It is reproduced if it holds for at least `wins`, not reproduced if it fails for as many. `alpha`
    is the probability of the wrong answer at a hold-rate of 0.25 or 0.75, `beta` that of missing the
    right one. If `wins` is above `replicates`, they are too few to conclude anything.
    """

    replicates: int
    wins: int
    alpha: float
    beta: float

    def judge(self, held: int) -> str:
        """Return `reproduced`, `not reproduced` or `inconclusive`."""
        _check_count(held, self.replicates)
        if held >= self.wins:
            return REPRODUCED
        return NOT_REPRODUCED if self.replicates - held >= self.wins else INCONCLUSIVE

    def __str__(self) -> str:
        """State the rule and its error rates in one sentence."""
        if self.wins > self.replicates:
            return f"{self.replicates} seeds are too few to conclude anything; 4 are needed"
        return (
            f"reproduced if the claim holds for at least {self.wins} of {self.replicates} seeds, not "
            f"reproduced if for at most {self.replicates - self.wins} (alpha {self.alpha:.2g} at a hold-rate "
            f"of {FAILS_BELOW:g}, beta {self.beta:.2g} at {HOLDS_ABOVE:g}), else inconclusive"
        )


def live_rule(replicates: int) -> LiveRule:
    """Return the rule with the most wins that has alpha at most 0.01 and beta at most 0.05.

    If there are too few replicates for both, return the rule with the fewest wins that has alpha at
    most 0.01. Raises UsageError for fewer than one replicate.
    """
    if replicates < 1:
        raise UsageError(f"Expected a number of seeds from 1, received {replicates}.")
    wrong, right = _binomial(replicates, FAILS_BELOW), _binomial(replicates, HOLDS_ABOVE)
    rules = [
        LiveRule(replicates, wins, float(wrong[wins:].sum()), float(right[:wins].sum()))
        for wins in range(replicates // 2 + 1, replicates + 2)
    ]
    sound = [rule for rule in rules if rule.alpha <= 1 - LEVEL]
    strong = [rule for rule in sound if rule.beta <= LIVE_BETA]
    return strong[-1] if strong else sound[0]


def unconfirmed(confirming: np.ndarray, rule: LiveRule, draws: int = 2000) -> float:
    """Return how often fresh seeds do not confirm every claim, although nothing changed.

    `confirming` (claims, seeds) says for which seeds of the evidence each claim is as its verdict says.
    The fresh seeds are drawn from these, with replacement, `draws` times.
    """
    rng = np.random.default_rng(0)  # the same draws in each run
    seeds = rng.integers(confirming.shape[1], size=(draws, rule.replicates))
    return float((confirming[:, seeds].sum(axis=2) < rule.wins).any(axis=0).mean())


def percentile(value: float, sample: Sequence[float]) -> float:
    """Return the percentage of a sample that lies below a value; equal ones count half."""
    if not len(sample):
        raise UsageError("Expected a sample of at least one value, received none.")
    values = np.asarray(sample, np.float64)
    return float(50 * ((values < value).mean() + (values <= value).mean()))


def _binomial(replicates: int, rate: float) -> np.ndarray:
    from scipy.special import bdtr

    return np.diff(bdtr(np.arange(replicates + 1), replicates, rate), prepend=0.0)


def _check_count(held: int, replicates: int) -> None:
    if not 0 <= held <= replicates:
        raise UsageError(f"Expected a count of seeds in 0…{replicates}, received {held}.")
