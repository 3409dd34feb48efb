"""Verdicts: what the evidence says of a claim. They follow from it; nobody writes one down."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from mnistrobust import statistics
from mnistrobust.claims import Claim
from mnistrobust.evidence import Evidence, Measured
from mnistrobust.statistics import PROVISIONAL, REFUTED, REPRODUCED

_RATES = (0.95, 0.97, 0.99)  # at which the rule states its power


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a figure of the document lies among single looks like its own.

    `percentile` is in [0, 100]; `low` and `high` are the looks' 5th and 95th percentiles.
    """

    reported: float
    percentile: float
    low: float
    median: float
    high: float
    looks: int

    def __str__(self) -> str:
        """Say it in a phrase."""
        return (
            f"{self.reported:.4g} is percentile {self.percentile:.0f} of {self.looks} looks "
            f"({self.low:.3g} to {self.high:.3g}, median {self.median:.3g})"
        )


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The verdict on one claim, and how sure it is.

    `low` and `high` are the one-sided 99 % bounds of the hold-rate; `mean`, `sd` and `median`
    those of the margin, in the units of its words; `halved` and `doubled` the verdicts with half
    and with twice the words' bound.
    """

    word: str
    held: int
    worlds: int
    low: float
    high: float
    mean: float
    sd: float
    median: float
    halved: str
    doubled: str

    @property
    def depends_on_wording(self) -> bool:
        """Whether half or twice the bound gives another verdict."""
        return {self.halved, self.doubled} != {self.word}

    @property
    def wording(self) -> str:
        """What other bounds say, where they say something else; else nothing."""
        if not self.depends_on_wording:
            return ""
        return f"depends on the wording: {self.halved} at half, {self.doubled} at twice the bound"

    @property
    def rate(self) -> str:
        """The hold-rate with its interval."""
        return f"holds in {self.held}/{self.worlds} worlds (99 % bounds {self.low:.2f}, {self.high:.2f})"

    @property
    def effect(self) -> str:
        """The size of the margin."""
        return f"margin {self.mean:+.3f} ± {self.sd:.3f}, median {self.median:+.3f}"

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {**vars(self), "depends_on_wording": self.depends_on_wording}


def verdict_of(claim: Claim, evidence: Evidence | None) -> Verdict | None:
    """Return the verdict on a claim; None where it gets none, or nothing was measured."""
    measured = evidence.claims.get(claim.id) if evidence else None
    if measured is None or not claim.judged or not measured.margins:
        return None
    margins = np.array(measured.margins["margin"])
    held = int((margins > 0).sum())
    words = {name: _word(values) for name, values in measured.margins.items()}
    return Verdict(
        word=words["margin"],
        held=held,
        worlds=len(margins),
        low=statistics.lower_bound(held, len(margins)),
        high=statistics.upper_bound(held, len(margins)),
        mean=float(margins.mean()),
        sd=float(margins.std(ddof=1)) if len(margins) > 1 else 0.0,
        median=float(np.median(margins)),
        halved=words["halved"],
        doubled=words["doubled"],
    )


def rule(worlds: int) -> str:
    """State the rule for so many worlds, with its operating curve, in one sentence."""
    counts = [statistics.verdict(held, worlds) for held in range(worlds + 1)]
    if PROVISIONAL in counts:
        return f"{worlds} worlds give no verdict: {statistics.ENOUGH} are needed"
    power = [statistics.operating_curve(rate, worlds)[REPRODUCED] for rate in _RATES]
    return (
        f"reproduced where at least {counts.index(REPRODUCED)} of {worlds} worlds hold, refuted "
        f"where at most {counts.count(REFUTED) - 1} do, else seed-dependent; a claim true in "
        f"{', '.join(f'{rate:.0%}' for rate in _RATES)} of worlds is called reproduced with "
        f"probability {', '.join(f'{each:.2f}' for each in power)}"
    )


def word_of(claim: Claim, evidence: Evidence | None) -> str | None:
    """Return the verdict in a word, `provisional` without evidence; None where none is due."""
    found = verdict_of(claim, evidence)
    if found:
        return found.word
    return PROVISIONAL if claim.judged else None


def places(claim: Claim, evidence: Evidence | None) -> Mapping[str, Place]:
    """Return the place of each of the document's figures among the evidence's single looks."""
    measured = evidence.claims.get(claim.id) if evidence else None
    return places_in(claim, measured) if measured else MappingProxyType({})


def places_in(claim: Claim, measured: Measured) -> Mapping[str, Place]:
    """Return the place of each of a claim's figures in the document among measured single looks."""
    found = {name: _place(name, value, measured) for name, value in claim.reported.items()}
    return MappingProxyType({name: place for name, place in found.items() if place})


def _place(name: str, reported: float, measured: Measured) -> Place | None:
    looks = measured.looks(name)
    if not looks:
        return None
    low, median, high = map(float, np.percentile(looks, (5, 50, 95)))
    return Place(
        reported=reported,
        percentile=statistics.percentile(reported, looks),
        low=low,
        median=median,
        high=high,
        looks=len(looks),
    )


def _word(margins: Sequence[float]) -> str:
    return statistics.verdict(sum(value > 0 for value in margins), len(margins))
