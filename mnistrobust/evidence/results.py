"""What one run found: the outcome of each claim's spec, as JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from mnistrobust.data import Source
from mnistrobust.data.files import DIGESTS
from mnistrobust.files import parsed, typed
from mnistrobust.registry import claim_named

HOLDS = "holds"
FAILS = "does not hold"
REPORTED = "reported"
ERROR = "failed"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one spec found in one replicate; `error` says why it could not be computed.

    `halved` and `doubled` are the margins at half and at twice the words' bounds, `draws` the
    values that single draws like the document's give, by the name of a figure,
    `recipes` the networks that the spec evaluates, and `models` which of the architectures that the spec reads are the reader's own, by family. `runs`
    is above 1 where a pytest plugin repeats the spec; a failure counts, else the last run. `reruns` are
    the runs that failed and do not count, since the plugin is one that tries again.
    """

    id: str
    seed: int
    figures: dict[str, float] = field(default_factory=dict)
    margin: float | None = None
    halved: float | None = None
    doubled: float | None = None
    draws: dict[str, list[float]] = field(default_factory=dict)
    controls: dict[str, float] = field(default_factory=dict)
    recipes: list[str] = field(default_factory=list)
    models: dict[str, str] = field(default_factory=dict)
    runs: int = 1
    reruns: int = 0
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
        return json.dumps(fields, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> "Results":
        """Return the results that `to_json` wrote, in any UTF; ValueError for anything else."""
        fields = typed(dict[str, Any], parsed(text), "the file")
        json.dumps(fields, ensure_ascii=False).encode()  # half a character could not be written
        claims = typed(list[dict[str, Any]], fields.get("claims"), "claims")
        for row in claims:
            row.pop("outcome", None)
        found = cls(
            source=typed(Source, fields.get("data"), "data"),
            seeds=typed(tuple[int, ...], fields.get("seeds"), "seeds"),
            outcomes=typed(tuple[Outcome, ...], claims, "claim"),
            # replicates of earlier versions have none
            versions=typed(dict[str, str], fields.get("versions", {}), "versions"),
        )
        if found.source.name not in DIGESTS:
            raise ValueError(f"data: expected one of {', '.join(DIGESTS)}")
        if min(found.seeds, default=0) < 0 or {each.seed for each in found.outcomes} - {
            *found.seeds
        }:
            raise ValueError("seeds: expected those of all claims, from 0")
        if len({(each.id, each.seed) for each in found.outcomes}) < len(found.outcomes):
            raise ValueError("claims: one stands there twice for a seed")
        return found
