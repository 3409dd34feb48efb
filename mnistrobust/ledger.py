"""Claims joined with what a run measured: one row per claim."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from mnistrobust.claims import Claim, claim_named, load_claims
from mnistrobust.data import Source

HOLDS = "holds"
FAILS = "does not hold"
REPORTED = "reported"
ERROR = "failed"
PROVISIONAL = "provisional"  # the verdict while there is too little evidence


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one spec found in one world; `error` says why it could not be computed.

    `halved` and `doubled` are the margins at half and at twice the words' bounds, `draws` the
    values that single looks like the document's give, by the name of a figure.
    """

    id: str
    seed: int
    figures: dict[str, float] = field(default_factory=dict)
    margin: float | None = None
    halved: float | None = None
    doubled: float | None = None
    draws: dict[str, list[float]] = field(default_factory=dict)
    controls: dict[str, float] = field(default_factory=dict)
    error: str | None = None

    @property
    def word(self) -> str:
        """The outcome in a word: the margin's sign, where the document makes a claim."""
        if self.error is not None:
            return ERROR
        if self.margin is None or not claim_named(self.id).judged:
            return REPORTED
        return HOLDS if self.margin > 0 else FAILS

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Results:
    """The outcomes of one run."""

    source: Source
    seeds: tuple[int, ...]
    outcomes: tuple[Outcome, ...]

    def to_json(self) -> str:
        """Return the results as JSON text, in a fixed order."""
        ordered = sorted(self.outcomes, key=lambda outcome: (outcome.id, outcome.seed))
        fields = {
            "data": self.source.to_json(),
            "seeds": list(self.seeds),
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
            outcomes=tuple(Outcome(**row) for row in claims),
        )


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the ledger: a claim, and what each world of the run said."""

    claim: Claim
    outcomes: tuple[Outcome, ...]

    @property
    def measured(self) -> str:
        """Our figures as text; the mean over the worlds where there are several."""
        error = next((each.error for each in self.outcomes if each.error), None)
        if error:
            return error
        names = self.outcomes[0].figures if self.outcomes else {}
        means = {
            name: sum(each.figures[name] for each in self.outcomes) / len(self.outcomes)
            for name in names
        }
        return ", ".join(f"{name} {value:.3g}" for name, value in means.items())

    @property
    def outcome(self) -> str:
        """The outcome in words; with several worlds, in how many of them the claim holds."""
        words = Counter(each.word for each in self.outcomes)
        if len(self.outcomes) == 1:
            return self.outcomes[0].word
        if not words or ERROR in words or REPORTED in words:
            return next((word for word in (ERROR, REPORTED) if word in words), "not run")
        return f"holds in {words[HOLDS]} of {len(self.outcomes)}"


def rows(results: Results) -> list[Row]:
    """Return one row for each claim, in the document's order."""
    by_id: dict[str, list[Outcome]] = {claim_id: [] for claim_id in load_claims()}
    for outcome in sorted(results.outcomes, key=lambda each: each.seed):
        by_id[outcome.id].append(outcome)
    claims = load_claims()
    return [Row(claim=claims[key], outcomes=tuple(each)) for key, each in by_id.items()]


def summary(results: Results) -> Iterable[str]:
    """Yield a few lines: how many judged claims hold, and which do not."""
    judged = [row for row in rows(results) if row.claim.judged and row.outcomes]
    held = [row for row in judged if all(each.word == HOLDS for each in row.outcomes)]
    yield (
        f"{len(held)} of {len(judged)} judged claims hold on {results.source.name}, "
        f"seed {', '.join(map(str, results.seeds))} ({PROVISIONAL}: too few worlds for a verdict)"
    )
    for row in judged:
        if row not in held:
            margins = [each.margin for each in row.outcomes if each.margin is not None]
            margin = f" (margin {min(margins):+.3f})" if margins else ""
            yield f"  {row.outcome}: {row.claim.id}{margin}: {row.measured}"


def claim_json(claim: Claim) -> dict[str, Any]:
    """Return a claim as `mnistrobust claims --json` prints it; no verdict where none is due."""
    return {
        "id": claim.id,
        "family": claim.family,
        "kind": claim.kind,
        "statement": claim.statement,
        "quote": claim.quote,
        "reported": dict(claim.reported),
        "verdict": PROVISIONAL if claim.judged else None,
        "instead": claim.instead,
        "spec": claim.spec,
    }


def markdown(results: Results) -> str:
    """Return the ledger as a Markdown table, with the data set above it."""
    lines = [
        "# Ledger",
        "",
        f"Data: {_cell(str(results.source))}. Seeds: {', '.join(map(str, results.seeds))}.",
        *([f"\n{results.source.notice}"] if results.source.notice else []),
        "",
        "| claim | kind | statement | document | measured | outcome |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows(results):
        claim = row.claim
        cells = (claim.id, claim.kind, claim.statement, claim.said, row.measured, row.outcome)
        lines.append("| " + " | ".join(map(_cell, cells)) + " |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Make text inert in a Markdown table."""
    for character in "\\`*_<>[]|":
        text = text.replace(character, f"\\{character}")
    return text.replace("\n", " ")
