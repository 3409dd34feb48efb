"""Paired comparisons on the same images of scores (networks, n): differences, intervals and p-values.

With one network a side, images are the sample, and the comparison speaks of these two alone. With several,
seeds and images are crossed random effects, as readers and cases are in multi-reader studies.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

LEVEL = 0.01  # of all tests of a comparison together: at most 0.5% of equal models end as worse
POWER = 0.80  # of the smallest difference that is stated
_ROUNDING = 1e-9  # of a difference of means: one of just the tolerance is none


@dataclass(frozen=True, kw_only=True)
class Paired:
    """A difference new - old, its 95% interval, standard error and p-value.

    `lost` and `gained` count images that are no longer right, and that are now, for one network a side and
    scores of 0 and 1; else None.
    """

    difference: float
    low: float
    high: float
    error: float
    freedom: float
    p: float
    n: int
    lost: int | None = None
    gained: int | None = None

    def smallest(self, share: float, tolerance: float = 0.0) -> float:
        """Return the smallest difference that is seen with 80% power, with a `share` of the level."""
        from scipy.special import stdtrit  # late, and not scipy.stats: a second of import

        level, power = LEVEL * share, float(stdtrit(self.freedom, POWER))
        if self.lost is None or self.gained is None:
            return tolerance + (power - float(stdtrit(self.freedom, level / 2))) * self.error
        churn, more = min(self.lost, self.gained), 1  # images lost besides, for a significant loss
        while mcnemar(churn + more, churn) > level:
            more += 1
        return tolerance + float(more + power * np.sqrt(2 * churn + more)) / self.n

    def enough(self, seeds: int, share: float, tolerance: float = 0.0) -> int:
        """Return about how many seeds see this difference of `seeds`, as if its error were all theirs."""
        of_more, more = self, seeds
        while of_more.smallest(share, tolerance) > abs(self.difference):
            more += 1
            error = float(np.sqrt(seeds / more)) * self.error
            freedom = (more - 1) / (seeds - 1) * self.freedom
            of_more = replace(self, error=error, freedom=freedom)
        return more


def paired(
    old: np.ndarray, new: np.ndarray, tolerance: float = 0.0, *, higher_is_better: bool = True
) -> Paired:
    """Compare scores of shape (networks, n); row k of both sides has the same seed.

    The p-value is two-sided, for means that differ by at most `tolerance`: McNemar's mid-p for one network a
    side and scores of 0 and 1 without a tolerance, else Student's t. Where less is better, 1 is no image
    that is right, and none is counted.
    """
    from scipy.special import stdtr

    scores = new.astype(np.float64) - old
    difference, networks = float(scores.mean()), len(scores)
    error, freedom, reach = spread(scores)
    far = abs(difference) - tolerance
    far = far if far > _ROUNDING else 0.0
    p = 2 * float(stdtr(freedom, -far / error)) if error else float(far == 0)
    facts = {"difference": difference, "error": error, "freedom": freedom, "n": scores.shape[1]}
    counted = higher_is_better and networks == 1
    if not (counted and set(np.unique(old)) | set(np.unique(new)) <= {0, 1}):
        return Paired(low=difference - reach, high=difference + reach, p=p, **facts)
    lost, gained = int((scores < 0).sum()), int((scores > 0).sum())
    low, high = agresti_min(lost, gained, scores.size)
    p = p if tolerance else mcnemar(lost, gained)
    return Paired(low=low, high=high, p=p, lost=lost, gained=gained, **facts)


def mcnemar(lost: int, gained: int) -> float:
    """Return the two-sided mid-p value of McNemar's test, in (0, 1].

    Source: Fagerland, Lydersen and Laake (2013).
    """
    from scipy.special import bdtr, gammaln, log1p

    if lost == gained:
        return 1.0
    n, fewer = lost + gained, min(lost, gained)
    point = np.exp(gammaln(n + 1) - gammaln(fewer + 1) - gammaln(n - fewer + 1) + n * log1p(-0.5))
    return float(min(1.0, 2 * bdtr(fewer, n, 0.5) - point))


def agresti_min(lost: int, gained: int, n: int) -> tuple[float, float]:
    """Return the 95% interval of (gained - lost) / n of Agresti and Min (2005)."""
    more = n + 2
    middle = (gained - lost) / more
    reach = 1.959964 * np.sqrt((lost + gained + 1) / more - middle**2) / np.sqrt(more)
    return float(middle - reach), float(middle + reach)


def holm(values: Sequence[float], weights: Sequence[float] | None = None) -> list[float]:
    """Return p-values after Holm's correction (1979).

    `weights` are the tests' shares of the level, and add up to 1.
    """
    p = np.asarray(values, np.float64)
    share = np.full(len(p), 1 / max(1, len(p))) if weights is None else np.asarray(weights)
    order = np.argsort(p / share, kind="stable")
    left = np.cumsum(share[order][::-1])[::-1]
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] / share[order] * left))
    return [float(value) for value in adjusted]


def spread(scores: np.ndarray) -> tuple[float, float, float]:
    """Return the standard error of the mean, its degrees of freedom, and half of the 95% interval."""
    from scipy.special import stdtrit

    variance, freedom = _variance(scores)
    error = float(np.sqrt(variance))
    return error, freedom, -float(stdtrit(freedom, 0.025)) * error


def _variance(scores: np.ndarray) -> tuple[float, float]:
    """Return the variance of the mean over seeds and images, and its degrees of freedom.

    What is neither of a seed nor of an image counts with both, so the variance is not understated. The
    degrees of freedom follow Hillis (2007), "A comparison of denominator degrees of freedom methods for
    multiple observer ROC analysis": few if seeds dominate. They are at most twice those of the seeds:
    without this bound, two or three seeds that happen to agree give too many false alarms
    (`specs/benchmarks/false_alarms.py`).
    """
    seeds, n = scores.shape
    of_images = float(scores.mean(axis=0).var(ddof=1)) / n
    if seeds == 1:
        return of_images, n - 1.0
    of_seeds = float(scores.mean(axis=1).var(ddof=1)) / seeds
    variance = of_seeds + of_images
    share = of_seeds / variance if variance else 1.0
    return variance, (seeds - 1) / max(share, np.sqrt(0.5)) ** 2
