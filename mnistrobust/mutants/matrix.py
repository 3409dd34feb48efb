"""The kill matrix: which claims and which other specs see which fault."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mnistrobust.files import parsed
from mnistrobust.mutants.faults import FAULTS
from mnistrobust.registry import load_claims
from mnistrobust.report import markdown as tables

CLAIMS = "specs/claims"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What the claims say of one fault at one size, and the rest of the suite where they see nothing."""

    fault: str
    size: str
    whole: bool = True  # where no claim sees the fault, the rest was run, too
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

    def seen_from(self, fault: str, *, claims: bool = False) -> str | None:
        """Return the smallest size that the suite, or a claim, sees; None where it sees none."""
        seen = (
            trial.size
            for trial in self.trials
            if trial.fault == fault and (trial.claims if claims else trial.failed)
        )
        return next(seen, None)

    def kills(self, claim: str) -> list[str]:
        """Return the faults that a claim's spec sees, at some size."""
        seen = {trial.fault for trial in self.trials if claim in trial.claims}
        return [fault for fault in FAULTS if fault in seen]

    @property
    def summary(self) -> str:
        """One sentence: how many faults are seen, by what."""
        names = [trial.fault for trial in self.first]
        smallest = len(names) - len(self.survivors)
        larger = sum(self.seen_from(name) is not None for name in names) - smallest
        claims = sum(self.seen_from(name, claims=True) is not None for name in names)
        more = f", {larger} more when they are larger" * bool(larger)
        return (
            f"{smallest} of {len(names)} faults are seen at their smallest size{more}; {claims} are "
            f"seen by the claims alone, at some size"
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
            fields = parsed(text)
            trials = tuple(Trial(**trial) for trial in fields["trials"])
            return cls(head=dict(fields["head"]), trials=trials)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no kill matrix: {error!r}") from error


def markdown(matrix: Matrix) -> str:
    """Return the page's block: the summary, from which size on a fault is seen, and what is not."""
    text = f"**{matrix.summary}** (`{matrix.head['command']}`, {matrix.head['machine']}).\n"
    sizes = []
    for fault in (FAULTS[trial.fault] for trial in matrix.first):
        seen = [matrix.seen_from(fault.name, claims=claims) for claims in (False, True)]
        if fault.sizes != ("",):
            cells = [size or "not seen" for size in seen]
            sizes.append((fault.described("N"), " ".join(fault.sizes), *cells))
    unseen = [(trial.mistake, FAULTS[trial.fault].unseen or "") for trial in matrix.survivors]
    if sizes:
        head = ("fault", "N", "the suite sees it from", "the claims see it from")
        text += f"\n{tables.table(head, sizes)}"
    if unseen:
        text += f"\n{tables.table(('not seen at its smallest size', 'why'), unseen)}"
    return text
