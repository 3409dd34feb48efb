"""Verdicts: what the evidence says about a claim. They are computed from it, never written down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mnistrobust.errors import MnistRobustError
from mnistrobust.evidence import Evidence
from mnistrobust.judging import statistics
from mnistrobust.judging.statistics import PROVISIONAL, REFUTED, REPRODUCED
from mnistrobust.registry import Claim

FULL = "mnist"  # the data set whose evidence judges the document
_RATES = (0.95, 0.97, 0.99)  # hold-rates for which the rule states its power


@dataclass(frozen=True)
class Place:
    """Where a figure of the document lies among our single draws of the same kind.

    `percentile` is in [0, 100]; `low` and `high` are the draws' 5th and 95th percentiles.
    """

    reported: float
    percentile: float
    low: float
    median: float
    high: float
    single_draws: int

    def __str__(self) -> str:
        """Return the place as a phrase."""
        return (
            f"{self.reported:.4g} is percentile {self.percentile:.0f} of {self.single_draws} draws "
            f"({self.low:.3g} to {self.high:.3g}, median {self.median:.3g})"
        )


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The verdict on one claim, with its hold-rate and margin.

    `word` is the verdict in a word. `mean`, `sd` and `median` describe the margin. `halved` and
    `doubled` are the verdicts with half and with twice the bound of the claim's words.
    """

    word: str
    held: int
    replicates: int
    mean: float
    sd: float
    median: float
    halved: str
    doubled: str

    @property
    def low(self) -> float:
        """The one-sided 99% lower bound of the hold-rate."""
        return statistics.lower_bound(self.held, self.replicates)

    @property
    def high(self) -> float:
        """The one-sided 99% upper bound of the hold-rate."""
        return statistics.upper_bound(self.held, self.replicates)

    @property
    def depends_on_wording(self) -> bool:
        """Whether half or twice the bound gives another verdict."""
        return {self.halved, self.doubled} != {self.word}

    @property
    def wording(self) -> str:
        """The verdicts at half and twice the bound, if they differ; empty otherwise."""
        words = f"{self.halved} at half, {self.doubled} at twice the bound"
        return f"depends on the wording: {words}" if self.depends_on_wording else ""

    @property
    def rate(self) -> str:
        """The hold-rate with its interval."""
        return f"holds in {self.held}/{self.replicates} seeds (99% bounds {self.low:.2f}, {self.high:.2f})"

    @property
    def effect(self) -> str:
        """The margin over the seeds: mean, standard deviation and median."""
        return f"margin {self.mean:+.3f} ± {self.sd:.3f}, median {self.median:+.3f}"

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        bounds = {"low": self.low, "high": self.high}
        return {**vars(self), **bounds, "depends_on_wording": self.depends_on_wording}


def verdict_of(claim: Claim, evidence: Evidence | None) -> Verdict | None:
    """Return the verdict on a claim; None if it gets none, or if nothing was measured."""
    measured = _margins_of(claim, evidence)
    if not measured:
        return None
    margins = np.array(measured["margin"])
    held = int((margins > 0).sum())
    words = {name: _word(values) for name, values in measured.items()}
    return Verdict(
        word=words["margin"],
        held=held,
        replicates=len(margins),
        mean=float(margins.mean()),
        sd=float(margins.std(ddof=1)) if len(margins) > 1 else 0.0,
        median=float(np.median(margins)),
        halved=words["halved"],
        doubled=words["doubled"],
    )


def rule(replicates: int) -> str:
    """State the rule for `replicates`, with its operating curve, in one sentence."""
    counts = [statistics.verdict(held, replicates) for held in range(replicates + 1)]
    if PROVISIONAL in counts:
        return f"{replicates} seeds give no verdict: {statistics.ENOUGH} are needed"
    power = [statistics.operating_curve(rate, replicates)[REPRODUCED] for rate in _RATES]
    return (
        f"reproduced if the claim holds for at least {counts.index(REPRODUCED)} of {replicates} "
        f"seeds, refuted if for at most {counts.count(REFUTED) - 1}, else seed-dependent; a claim that "
        f"holds for {', '.join(f'{rate:.0%}' for rate in _RATES)} of all seeds is called reproduced "
        f"with probability {', '.join(f'{chance:.2f}' for chance in power)}"
    )


def word_of(claim: Claim, evidence: Evidence | None) -> str | None:
    """Return the verdict in a word, `provisional` without evidence; None if the claim gets none."""
    if margins := _margins_of(claim, evidence):
        return _word(margins["margin"])
    return PROVISIONAL if claim.judged else None


def _margins_of(claim: Claim, evidence: Evidence | None) -> Mapping[str, Sequence[float]]:
    measured = evidence.claims.get(claim.id) if evidence and claim.judged else None
    return measured.margins if measured else {}


def _word(margins: Sequence[float]) -> str:
    return statistics.verdict(sum(value > 0 for value in margins), len(margins))


def instead_of(claim: Claim, evidence: Evidence | None) -> str | None:
    """Return what is true instead of a claim, with its numbers from evidence of full MNIST.

    A placeholder names a figure: `{noisy:.2f}` is its median over the seeds, `{noisy.min:.2f}` and
    `{noisy.max:.2f}` are its extremes. The placeholders `{held}`, `{failed}` and `{seeds}` are counts
    of seeds. Returns None without a sentence, and where the evidence does not say that the claim is
    wrong. Raises MnistRobustError for any other placeholder.
    """
    verdict = verdict_of(claim, evidence)
    if claim.instead is None or evidence is None or verdict is None:
        return None
    if verdict.word in {REPRODUCED, PROVISIONAL}:
        return None
    counts = {"held": verdict.held, "failed": verdict.replicates - verdict.held}
    columns = evidence.claims[claim.id].figures
    figures = {name: _Typical(values) for name, values in columns.items()}
    names = {**figures, **counts, "seeds": verdict.replicates}
    try:
        return claim.instead.format_map(names)
    except (KeyError, IndexError, AttributeError, ValueError) as error:
        raise MnistRobustError(
            f"Claim {claim.id}: `instead` has a wrong placeholder ({error}); it may name "
            f"{', '.join(names)}, and .min or .max of a figure."
        ) from error


class _Typical(float):
    """The median of some values, with their `min` and `max`."""

    min: float
    max: float

    def __new__(cls, values: Sequence[float]) -> Self:
        typical = super().__new__(cls, np.median(values))
        typical.min, typical.max = min(values), max(values)
        return typical


def places(claim: Claim, evidence: Evidence | None) -> Mapping[str, Place]:
    """Return where each of the document's figures lies among the evidence's single draws."""
    measured = evidence.claims.get(claim.id) if evidence else None
    found: dict[str, Place] = {}
    if measured is None:
        return found
    for name, reported in claim.reported.items():
        if draws := measured.single_draws(name):
            low, median, high = map(float, np.percentile(draws, (5, 50, 95)))
            rank = statistics.percentile(reported, draws)
            found[name] = Place(reported, rank, low, median, high, len(draws))
    return found
