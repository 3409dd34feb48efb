"""Several fresh seeds against those of the evidence: which figures have another distribution now.

This is a permutation test of all figures and margins at once (Westfall and Young, 1993,
"Resampling-based multiple testing"). Values are replaced by the normal scores of their ranks (van
der Waerden), and the statistic is the largest difference of means of any figure. Without a change,
each choice of which seeds are the fresh ones is equally likely. So the false-alarm rate of a whole
run is exact for any distribution, and however the figures depend on each other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from mnistrobust.evidence import Evidence, rounded
from mnistrobust.evidence.results import Results
from mnistrobust.judging.intervals import FALSE_ALARMS, deviations
from mnistrobust.judging.regression import MARGIN, columns_of, values_of
from mnistrobust.judging.statistics import ENOUGH

_PERMUTATIONS = 9_999


@dataclass(frozen=True, kw_only=True)
class Shift:
    """A figure's means over the evidence's seeds and over the fresh ones.

    `size` is their difference in standard deviations of the evidence's seeds. `p` is the p-value,
    adjusted for all figures of the run.
    """

    name: str
    before: float
    after: float
    size: float
    p: float

    def __str__(self) -> str:
        """Return the shift as a phrase."""
        return f"{self.name} {self.before:.4g} → {self.after:.4g} ({self.size:+.1f} sd, p {self.p:.1g})"


@dataclass(frozen=True, kw_only=True)
class Shifts:
    """The figures that have shifted, by claim, the smallest p-value first.

    `tests` figures and margins were compared. A shift of `smallest` standard deviations is seen in
    about half of all runs.
    """

    by_claim: Mapping[str, Sequence[Shift]]
    tests: int
    replicates: int
    smallest: float

    def __str__(self) -> str:
        """Return what was compared, and at which error rate."""
        return (
            f"compared with {self.replicates} other seeds: {self.tests} figures and margins, "
            f"{FALSE_ALARMS:.0%} false alarms; a shift of {self.smallest:.1f} standard deviations (sd) is "
            f"seen in half of all runs"
        )


def shifts(results: Results, evidence: Evidence) -> Shifts | None:
    """Compare the seeds of a run with those of the evidence; None if they are not comparable.

    They are if the run has several seeds of the document's networks, on the same data set, and none
    of the evidence. A figure is compared if it has a value for each seed.
    """
    from pandas import DataFrame  # late, and no rankdata of scipy.stats: a second of import
    from scipy.special import ndtri

    count = len(results.seeds)
    if (
        count < 2
        or evidence.replicates < ENOUGH
        or results.source.digest != evidence.head.digest
        or results.models
        or {*results.seeds} & {*evidence.seeds}
    ):
        return None
    fresh: dict[tuple[str, str], list[float]] = {}
    for outcome in results.outcomes:
        for name, value in values_of(outcome).items():
            fresh.setdefault((outcome.id, name), []).append(rounded(value))
    columns = {
        key: (values, scale)
        for key, (values, scale) in columns_of(evidence).items()
        if len(fresh.get(key, ())) == count
    }
    if not columns:
        return None
    seeds = count + evidence.replicates
    values = np.array([[*fresh[key], *values] for key, (values, _) in columns.items()])
    scores = ndtri(DataFrame(values).rank(axis=1).to_numpy() / (seeds + 1))
    scores = scores - scores.mean(axis=1, keepdims=True)
    scores /= np.maximum(scores.std(axis=1, keepdims=True), np.finfo(float).tiny)
    observed = abs(scores[:, :count].sum(axis=1))
    largest = _largest_sums(scores, count)
    ps = (1 + (largest >= observed[:, None] - 1e-9).sum(axis=1)) / (1 + _PERMUTATIONS)
    found: dict[str, list[Shift]] = {}
    for (claim, name), p in sorted(zip(columns, ps, strict=True), key=lambda pair: pair[1]):
        if p <= FALSE_ALARMS and (name != MARGIN or claim not in found):  # it follows a figure
            known, scale = columns[claim, name]
            before, after = fmean(known), fmean(fresh[claim, name])
            size = deviations(before, after, known, scale)
            shift = Shift(name=name, before=before, after=after, size=size, p=float(p))
            found.setdefault(claim, []).append(shift)
    needed = float(np.quantile(largest, 1 - FALSE_ALARMS)) / count
    return Shifts(
        by_claim=found,
        tests=len(columns),
        replicates=evidence.replicates,
        smallest=needed * seeds / evidence.replicates,
    )


def _largest_sums(scores: np.ndarray, count: int) -> np.ndarray:
    """Return for random choices of `count` seeds the largest absolute sum of scores of any figure."""
    rng = np.random.default_rng(0)  # the same choices in each run
    seeds = scores.shape[1]
    chosen = rng.random((_PERMUTATIONS, seeds)).argsort(axis=1) < count
    sums: np.ndarray = abs(chosen.astype(np.float64) @ scores.T).max(axis=1)
    return sums
