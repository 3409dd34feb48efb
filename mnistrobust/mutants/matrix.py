"""The kill matrix: which claims and which other specs see which fault."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mnistrobust.claims import load_claims
from mnistrobust.mutants.faults import FAULTS

GROUPS = ("properties", "library", "suite")  # of specs besides the claims, by folder


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What the default suite says of one fault at one size.

    `failed` are the specs that fail, without parameters; `passed` counts those that do not.
    """

    fault: str
    size: str
    mistake: str
    failed: tuple[str, ...]
    passed: int
    seconds: float

    def __post_init__(self) -> None:
        """Accept a list of specs, as JSON has it."""
        object.__setattr__(self, "failed", tuple(self.failed))

    @property
    def claims(self) -> tuple[str, ...]:
        """The claims whose specs fail."""
        by_spec = {claim.spec: claim.id for claim in load_claims().values()}
        return tuple(by_spec[each] for each in self.failed if each in by_spec)

    def others(self, group: str) -> tuple[str, ...]:
        """Return the failed specs of a group besides the claims."""
        return tuple(each for each in self.failed if each.startswith(f"specs/{group}/"))

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Matrix:
    """All trials of one run, with the command, versions and machine in the head."""

    head: Mapping[str, Any]
    trials: tuple[Trial, ...]

    @property
    def first(self) -> tuple[Trial, ...]:
        """Each fault at its first size."""
        seen: dict[str, Trial] = {}
        for trial in self.trials:
            if trial.fault in FAULTS:
                seen.setdefault(trial.fault, trial)
        return tuple(seen.values())

    @property
    def survivors(self) -> tuple[Trial, ...]:
        """The faults that the suite does not see at their first size."""
        return tuple(trial for trial in self.first if not trial.failed)

    @property
    def seen_by_claims(self) -> tuple[Trial, ...]:
        """The faults that a claim's spec sees."""
        return tuple(trial for trial in self.first if trial.claims)

    def smallest_seen(self, fault: str) -> str | None:
        """Return the smallest size of a fault that the suite sees; None where it sees none."""
        sizes = [each.size for each in self.trials if each.fault == fault and each.failed]
        return sizes[0] if sizes else None

    def kills(self, claim: str) -> list[str]:
        """Return the faults that a claim's spec sees."""
        return [trial.fault for trial in self.first if claim in trial.claims]

    @property
    def summary(self) -> str:
        """One sentence: how many faults are seen, by what."""
        first = self.first
        return (
            f"{len(first) - len(self.survivors)} of {len(first)} faults are seen, "
            f"{len(self.seen_by_claims)} of them by the claims alone"
        )

    def to_json(self) -> str:
        """Return the matrix as JSON, a line for each trial."""
        lines = [json.dumps(each.to_json(), ensure_ascii=False) for each in self.trials]
        head = json.dumps(dict(self.head), indent=1, ensure_ascii=False)
        return f'{{"head": {head},\n"trials": [\n' + ",\n".join(lines) + "]}\n"

    @classmethod
    def from_json(cls, text: str) -> "Matrix":
        """Return the matrix that `to_json` wrote; ValueError for anything else."""
        try:
            fields = json.loads(text)
            trials = tuple(Trial(**each) for each in fields["trials"])
            return cls(head=dict(fields["head"]), trials=trials)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no kill matrix: {error!r}") from error


def markdown(matrix: Matrix) -> str:
    """Return the README's block: the summary, and a table of what the suite does not see."""
    lines = [f"**{matrix.summary}** (`{matrix.head['command']}`, {matrix.head['machine']}).", ""]
    if matrix.survivors:
        lines += ["| not seen | why | seen from |", "|---|---|---|"]
        for trial in matrix.survivors:
            size = matrix.smallest_seen(trial.fault)
            seen = FAULTS[trial.fault].said(size) if size else "at no size tried"
            lines.append(f"| {trial.mistake} | {FAULTS[trial.fault].unseen or ''} | {seen} |")
        lines.append("")
    return "\n".join(lines)


def table(matrix: Matrix) -> tuple[Sequence[str], Sequence[Trial]]:
    """Return the picture's columns, claims that see a fault and the groups, and its rows."""
    claims = [claim for claim in load_claims() if matrix.kills(claim)]
    return [*claims, *GROUPS], matrix.first
