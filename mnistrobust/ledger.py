"""Claims joined with what a run measured, and with what many worlds say: one row per claim."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from mnistrobust.claims import Claim, claim_named, load_claims
from mnistrobust.data import Source
from mnistrobust.errors import inert
from mnistrobust.evidence import Evidence
from mnistrobust.statistics import PROVISIONAL, REFUTED, REPRODUCED, SEED_DEPENDENT
from mnistrobust.verdicts import Place, Verdict, places, verdict_of, word_of

HOLDS = "holds"
FAILS = "does not hold"
REPORTED = "reported"
ERROR = "failed"
VERDICTS = (REPRODUCED, REFUTED, SEED_DEPENDENT)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one spec found in one world; `error` says why it could not be computed.

    `halved` and `doubled` are the margins at half and at twice the words' bounds, `draws` the
    values that single looks like the document's give, by the name of a figure. `alternatives`
    holds what the spec finds with another recipe in a place that the document leaves open, and
    `models` which of the architectures that the spec reads are the reader's own, by family.
    """

    id: str
    seed: int
    figures: dict[str, float] = field(default_factory=dict)
    margin: float | None = None
    halved: float | None = None
    doubled: float | None = None
    draws: dict[str, list[float]] = field(default_factory=dict)
    controls: dict[str, float] = field(default_factory=dict)
    alternatives: dict[str, "Outcome"] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    error: str | None = None

    @property
    def word(self) -> str:
        """The outcome in a word: the margin's sign, where the document makes a claim."""
        if self.error is not None and not self.models:  # the reader's own fail by their margin only
            return ERROR
        if self.margin is None or not claim_named(self.id).judged:
            return REPORTED
        return HOLDS if self.margin > 0 else FAILS

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Outcome":
        """Return the outcome that `to_json` gave."""
        given = fields.get("alternatives", {})
        alternatives = {name: cls.from_json(each) for name, each in given.items()}
        return cls(**{**fields, "alternatives": alternatives})


@dataclass(frozen=True, kw_only=True)
class Results:
    """The outcomes of one run, and the versions that it ran on, by package."""

    source: Source
    seeds: tuple[int, ...]
    outcomes: tuple[Outcome, ...]
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def models(self) -> dict[str, str]:
        """The reader's own architectures that the run's specs read, by family."""
        return {family: place for each in self.outcomes for family, place in each.models.items()}

    def to_json(self) -> str:
        """Return the results as JSON text, in a fixed order."""
        ordered = sorted(self.outcomes, key=lambda outcome: (outcome.id, outcome.seed))
        fields = {
            "data": self.source.to_json(),
            "seeds": list(self.seeds),
            "versions": dict(self.versions),
            "claims": [{**each.to_json(), "outcome": each.word} for each in ordered],
        }
        return json.dumps(fields, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Results":
        """Return the results that `to_json` wrote."""
        fields = json.loads(text)
        claims = [{k: v for k, v in row.items() if k != "outcome"} for row in fields["claims"]]
        return cls(
            source=Source(**fields["data"]),
            seeds=tuple(fields["seeds"]),
            outcomes=tuple(map(Outcome.from_json, claims)),
            versions=dict(fields.get("versions", {})),  # worlds of earlier versions have none
        )


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the ledger: a claim, what each world of the run said, and the verdict.

    `places` are those of the document's figures among single looks of the evidence.
    """

    claim: Claim
    outcomes: tuple[Outcome, ...]
    verdict: Verdict | None
    places: Mapping[str, Place]

    @property
    def judged(self) -> tuple[str, ...]:
        """The verdict in phrases: word, hold-rate, effect and what depends on the wording."""
        if self.verdict is None:
            return (word_of(self.claim, None) or "–",)
        parts = (self.verdict.word, self.verdict.rate, self.verdict.effect, self.verdict.wording)
        return tuple(part for part in parts if part)

    @property
    def placed(self) -> tuple[str, ...]:
        """Where each of the document's figures lies among single looks, a phrase each."""
        return tuple(f"{name} {place}" for name, place in self.places.items())

    @property
    def measured(self) -> str:
        """Our figures as inert text; the mean over the worlds where there are several."""
        error = next((each.error for each in self.outcomes if each.error), None)
        if error:
            return inert(error.removeprefix(f"{self.claim.id}: ").replace("\n", " "))
        names = self.outcomes[0].figures if self.outcomes else {}
        means = {
            name: sum(each.figures[name] for each in self.outcomes) / len(self.outcomes)
            for name in names
        }
        return inert(", ".join(f"{name} {value:.3g}" for name, value in means.items()))

    @property
    def margin(self) -> float | None:
        """The smallest margin of the run's worlds, where there is one."""
        return min((each.margin for each in self.outcomes if each.margin is not None), default=None)

    @property
    def outcome(self) -> str:
        """The outcome in words; with several worlds, in how many of them the claim holds."""
        words = Counter(each.word for each in self.outcomes)
        if len(self.outcomes) == 1:
            return self.outcomes[0].word
        if not words or ERROR in words or REPORTED in words:
            return next((word for word in (ERROR, REPORTED) if word in words), "not run")
        return f"holds in {words[HOLDS]} of {len(self.outcomes)}"


def row(claim: Claim, evidence: Evidence | None, *outcomes: Outcome) -> Row:
    """Return a claim's row."""
    verdict = verdict_of(claim, evidence)
    return Row(claim=claim, outcomes=outcomes, verdict=verdict, places=places(claim, evidence))


def rows(results: Results, evidence: Evidence | None = None) -> list[Row]:
    """Return one row for each claim, in the document's order."""
    by_id: dict[str, list[Outcome]] = {claim_id: [] for claim_id in load_claims()}
    for outcome in sorted(results.outcomes, key=lambda each: each.seed):
        by_id[outcome.id].append(outcome)
    claims = load_claims()
    return [row(claims[key], evidence, *each) for key, each in by_id.items()]


def verdict_counts(judged: Iterable[Row], evidence: Evidence | None) -> str:
    """Say how many judged claims have each verdict, and by how many worlds."""
    counts = Counter(each.judged[0] for each in judged)
    if evidence is None or PROVISIONAL in counts:
        return f"{PROVISIONAL}: too few worlds for a verdict"
    told = ", ".join(f"{counts[word]} {word}" for word in VERDICTS if counts[word])
    return f"by {evidence.worlds} worlds: {told}"


def claim_json(claim: Claim, evidence: Evidence | None = None) -> dict[str, Any]:
    """Return a claim as `mnistrobust claims --json` prints it; no verdict where none is due."""
    judged = row(claim, evidence)
    return {
        "id": claim.id,
        "family": claim.family,
        "kind": claim.kind,
        "statement": claim.statement,
        "quote": claim.quote,
        "reported": dict(claim.reported),
        "verdict": word_of(claim, evidence),
        "instead": claim.instead,
        "spec": claim.spec,
        "replication": judged.verdict.to_json() if judged.verdict else None,
        "looks": {name: asdict(place) for name, place in judged.places.items()},
    }
