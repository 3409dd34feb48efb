"""The kill matrix: which claims and which other specs see which fault."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mnistrobust.mutants.faults import FAULTS
from mnistrobust.registry import load_claims
from mnistrobust.report import markdown as tables

GROUPS = ("properties", "library", "suite")  # of specs besides the claims, by folder


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What the default suite says of one fault at one size."""

    fault: str
    size: str
    mistake: str
    failed: tuple[str, ...]  # specs, without parameters
    passed: int  # how many specs do not fail
    seconds: float

    def __post_init__(self) -> None:
        """Accept a list of specs, as JSON has it."""
        object.__setattr__(self, "failed", tuple(self.failed))

    @property
    def claims(self) -> tuple[str, ...]:
        """The claims whose specs fail."""
        by_spec = {claim.spec: claim.id for claim in load_claims().values()}
        return tuple(by_spec[spec] for spec in self.failed if spec in by_spec)

    def others(self, group: str) -> tuple[str, ...]:
        """Return the failed specs of a group besides the claims."""
        return tuple(spec for spec in self.failed if spec.startswith(f"specs/{group}/"))


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """All trials of one run, with the command, versions and machine in the head."""

    head: Mapping[str, Any]
    trials: tuple[Trial, ...]

    @property
    def first(self) -> tuple[Trial, ...]:
        """Each fault at its first size."""
        first: dict[str, Trial] = {}
        for trial in self.trials:
            if trial.fault in FAULTS:
                first.setdefault(trial.fault, trial)
        return tuple(first.values())

    @property
    def survivors(self) -> tuple[Trial, ...]:
        """The faults that the suite does not see at their first size."""
        return tuple(trial for trial in self.first if not trial.failed)

    def smallest_seen(self, fault: str) -> str | None:
        """Return the smallest size of a fault that the suite sees; None where it sees none."""
        seen = (trial.size for trial in self.trials if trial.fault == fault and trial.failed)
        return next(seen, None)

    def kills(self, claim: str) -> list[str]:
        """Return the faults that a claim's spec sees."""
        return [trial.fault for trial in self.first if claim in trial.claims]

    @property
    def summary(self) -> str:
        """One sentence: how many faults are seen, by what."""
        by_claims = sum(bool(trial.claims) for trial in self.first)
        return (
            f"{len(self.first) - len(self.survivors)} of {len(self.first)} faults are seen, "
            f"{by_claims} of them by the claims alone"
        )

    def to_json(self) -> str:
        """Return the matrix as JSON, a line for each trial."""
        lines = [json.dumps(vars(trial), ensure_ascii=False) for trial in self.trials]
        head = json.dumps(dict(self.head), indent=1, ensure_ascii=False)
        return f'{{"head": {head},\n"trials": [\n' + ",\n".join(lines) + "]}\n"

    @classmethod
    def from_json(cls, text: str) -> "Matrix":
        """Return the matrix that `to_json` wrote; ValueError for anything else."""
        try:
            fields = json.loads(text)
            trials = tuple(Trial(**trial) for trial in fields["trials"])
            return cls(head=dict(fields["head"]), trials=trials)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no kill matrix: {error!r}") from error


def markdown(matrix: Matrix) -> str:
    """Return the README's block: the summary, and a table of what the suite does not see."""
    text = f"**{matrix.summary}** (`{matrix.head['command']}`, {matrix.head['machine']}).\n\n"
    rows = []
    for trial in matrix.survivors:
        fault, size = FAULTS[trial.fault], matrix.smallest_seen(trial.fault)
        seen_from = fault.described(size) if size else "at no size tried"
        rows.append((trial.mistake, fault.unseen or "", seen_from))
    return text + (tables.table(("not seen", "why", "seen from"), rows) if rows else "")
