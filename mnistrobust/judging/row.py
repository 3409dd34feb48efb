"""A row of the ledger: a claim, what a run measured for it, and what the evidence says."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from statistics import fmean
from typing import TYPE_CHECKING, Any

from mnistrobust.errors import inert
from mnistrobust.evidence import Evidence, load
from mnistrobust.evidence.results import ERROR, FAILS, HOLDS, REPORTED, Outcome
from mnistrobust.judging.statistics import (
    NOT_REPRODUCED,
    PROVISIONAL,
    REFUTED,
    REPRODUCED,
    SEED_DEPENDENT,
    live_rule,
)
from mnistrobust.judging.verdicts import (
    FULL,
    Place,
    Verdict,
    instead_of,
    places,
    verdict_of,
    word_of,
)
from mnistrobust.registry import Claim, claim_named

if TYPE_CHECKING:
    from mnistrobust.judging.shifts import Shift

NOT_JUDGED = "not judged"  # for what the document shows or defines but does not assert
NOT_RUN = "not run"
VERDICTS = (REFUTED, SEED_DEPENDENT, PROVISIONAL, REPRODUCED, NOT_JUDGED)  # wrong ones first
_SHIFTS = 3  # figures of a claim whose shift is told
_LIVE = {REPRODUCED: REPRODUCED, REFUTED: NOT_REPRODUCED}  # what fresh seeds must confirm


@dataclass(frozen=True, kw_only=True)
class Row:
    """A claim, its outcome for each seed of the run, and what the evidence says about it."""

    claim: Claim
    outcomes: tuple[Outcome, ...] = ()
    evidence: Evidence | None = None
    dataset: str = FULL
    fresh: bool = True  # no seed of the run is one of the evidence's
    outside: str = ""  # which figure of one fresh seed the evidence does not allow
    shifted: tuple["Shift", ...] = ()

    @cached_property
    def verdict(self) -> Verdict | None:
        """The verdict with its figures; None without evidence, or if the claim gets no verdict."""
        return verdict_of(self.claim, self.evidence)

    @property
    def word(self) -> str:
        """The verdict in a word: one of `VERDICTS`."""
        return word_of(self.claim, self.evidence) or NOT_JUDGED

    @property
    def rate(self) -> str:
        """The hold-rate over the seeds of the evidence, such as `23/24`; empty without a verdict."""
        return f"{self.verdict.held}/{self.verdict.replicates}" if self.verdict else ""

    @property
    def judged(self) -> tuple[str, ...]:
        """The verdict in phrases: its word, hold-rate, margin, and how it depends on the wording.

        A rehearsal has no word: only full MNIST judges the document.
        """
        verdict = self.verdict
        if verdict is None:
            return (self.word,)
        word = self.word if self.dataset == FULL else ""
        return tuple(filter(None, (word, verdict.rate, verdict.effect, verdict.wording)))

    @cached_property
    def places(self) -> Mapping[str, Place]:
        """Where the document's figures lie among single draws of the evidence."""
        return places(self.claim, self.evidence)

    @property
    def said(self) -> str:
        """The document's figures, and where each lies among single draws."""
        places = (f"{name} {place}" for name, place in self.places.items())
        return "; ".join((self.claim.said, *places))

    @cached_property
    def instead(self) -> str | None:
        """What is true instead on full MNIST, if the claim is not reproduced there."""
        return instead_of(self.claim, self._on_full_mnist)

    @property
    def truth(self) -> str:
        """What is true instead, and any claim of the opposite; in a rehearsal, by full MNIST."""
        rehearsal = self.dataset != FULL and self.claim.judged
        said = f"On full MNIST: {word_of(self.claim, self._on_full_mnist)}." if rehearsal else ""
        return " ".join(filter(None, (said, self.instead, self._opposite)))

    @property
    def _on_full_mnist(self) -> Evidence | None:
        return self.evidence if self.dataset == FULL else load(FULL)

    @property
    def _opposite(self) -> str:
        if not self.claim.contradicts or self._on_full_mnist is None:
            return ""
        row = Row(claim=claim_named(self.claim.contradicts), evidence=self._on_full_mnist)
        return f"The document also claims the opposite, {row.claim.id}: {row.word}, {row.rate}."

    @property
    def error(self) -> str:
        """Why the spec failed, as one inert line; empty if it passed."""
        text = next((each.error for each in self.outcomes if each.error), "")
        return inert(text.removeprefix(f"{self.claim.id}: ").replace("\n", " "))

    @property
    def measured(self) -> str:
        """What failed, or our figures as inert text; for several seeds, their means."""
        figures = (f"{name} {value:.3g}" for name, value in self.figures.items())
        return self.error or inert(", ".join(figures))

    @property
    def figures(self) -> dict[str, float]:
        """Our figures by name; for several seeds, their means."""
        runs = [outcome.figures for outcome in self.outcomes]
        names = dict.fromkeys(name for run in runs for name in run)  # a failed spec may have none
        return {name: fmean(run[name] for run in runs if name in run) for name in names}

    @property
    def margin(self) -> float | None:
        """The smallest margin among the run's seeds; None if there is none."""
        return min((each.margin for each in self.outcomes if each.margin is not None), default=None)

    @property
    def held(self) -> int:
        """For how many of the run's seeds the claim holds."""
        return sum(each.word == HOLDS for each in self.outcomes)

    @property
    def here(self) -> str:
        """The run's outcome in a word; with several seeds, a claim holds only if it holds for all."""
        words = {each.word for each in self.outcomes}
        return next((word for word in (ERROR, REPORTED, FAILS, HOLDS) if word in words), NOT_RUN)

    @property
    def outcome(self) -> str:
        """The run's outcome in words; with several seeds, for how many of them the claim holds."""
        counted = len(self.outcomes) > 1 and self.here in {HOLDS, FAILS}
        return f"holds in {self.held} of {len(self.outcomes)}" if counted else self.here

    @property
    def live(self) -> str | None:
        """What several fresh seeds say, by the live rule; None for one seed, or if a spec failed."""
        if len(self.outcomes) < 2 or not self.fresh or self.here not in {HOLDS, FAILS}:
            return None
        return live_rule(len(self.outcomes)).judge(self.held)

    @property
    def confirming(self) -> list[bool]:
        """For each seed of the evidence whether it is as the verdict says; empty if it decides nothing."""
        if self.evidence is None or self.word not in _LIVE:
            return []
        margins = self.evidence.claims[self.claim.id].margins["margin"]
        return [(margin > 0) == (self.word == REPRODUCED) for margin in margins]

    @property
    def unexpected(self) -> str:
        """Why the run is not as expected: a failed spec, figures against the evidence, or a shift.

        `inconclusive` is not as expected, because it confirms nothing. Nothing is expected of a claim
        without a verdict, or whose verdict is `seed-dependent`.
        """
        if self.error or self.outside:
            return self.error or self.outside
        said = [f"{self.live}, by the evidence {self.word}"]
        if not self.live or self.live == _LIVE.get(self.word, self.live):
            said = []
        if self.shifted:
            said.append("; ".join(map(str, self.shifted[:_SHIFTS])))
        return "; ".join(said)


def claim_json(row: Row) -> dict[str, Any]:
    """Return a claim as `mnistrobust claims --json` prints it; the verdict may be None."""
    claim = row.claim
    names = ("id", "family", "kind", "statement", "quote")
    return {
        **{name: getattr(claim, name) for name in names},
        "reported": dict(claim.reported),
        "verdict": row.word if claim.judged else None,
        "instead": row.instead,
        "spec": claim.spec,
        "replication": row.verdict.to_json() if row.verdict else None,
        "single_draws": {name: asdict(place) for name, place in row.places.items()},
    }
