"""A spec: a documented property of a digit classifier, with a stated bound or comparison."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mnistrobust.battery.exam import Exam, NotApplicableError, UnansweredError
from mnistrobust.errors import UsageError, unknown

# The kinds of CheckList (Ribeiro et al., 2020, "Beyond accuracy: behavioral testing of NLP models")
MINIMUM, INVARIANCE, DIRECTION = "minimum functionality", "invariance", "direction"

PASSED, FAILED, REPORTED, NOT_APPLICABLE = "passed", "failed", "reported", "not applicable"
EXPECTED, UNEXPECTED = "failed as expected", "not failed, against expectation"
GOOD = frozenset({PASSED, REPORTED, NOT_APPLICABLE, EXPECTED})

Figures = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a spec found: whether the property holds (None where it is only reported), and figures."""

    holds: bool | None
    figures: Figures
    reason: str | None = None


Judge = Callable[[Exam], Finding]


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A property. `statement` says what holds, `bound` where it ends, `why` why there.

    A spec without a bound is reported and cannot fail: nobody has an accepted bound for it.
    """

    name: str
    group: str
    kind: str
    statement: str
    bound: str | None
    why: str
    judge: Judge = field(repr=False)

    def run(self, exam: Exam) -> "Outcome":
        """Judge the model; what the model gets wrong, or raises, is part of the outcome."""
        try:
            found = self.judge(exam)
        except NotApplicableError as error:
            return Outcome(spec=self, status=NOT_APPLICABLE, reason=str(error))
        except UnansweredError as error:
            status = NOT_APPLICABLE if self.bound is None else FAILED
            return Outcome(spec=self, status=status, reason=str(error))
        words = {True: PASSED, False: FAILED, None: REPORTED}
        return Outcome(
            spec=self, status=words[found.holds], figures=found.figures, reason=found.reason
        )


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a spec says of a model: its status, its figures, and a reason where there is one."""

    spec: Spec
    status: str
    figures: Figures = field(default_factory=dict)
    reason: str | None = None

    @property
    def good(self) -> bool:
        """Whether the outcome is as it is to be."""
        return self.status in GOOD

    def to_json(self) -> dict[str, Any]:
        """Return the outcome, with what the spec says, as JSON values."""
        spec = self.spec
        facts = {name: getattr(spec, name) for name in _FACTS}
        return {**facts, "status": self.status, "reason": self.reason, "figures": self.figures}


_FACTS = ("name", "group", "kind", "statement", "bound", "why")


def spec(*, group: str, kind: str, why: str, bound: str | None = None) -> Callable[[Judge], Spec]:
    """Make a spec of a function, by its name; its docstring's first sentence is the statement."""

    def made(judge: Judge) -> Spec:
        statement = " ".join((judge.__doc__ or "").split("\n\n")[0].split())
        return Spec(
            name=judge.__name__,
            group=group,
            kind=kind,
            statement=statement,
            bound=bound,
            why=why,
            judge=judge,
        )

    return made


def judged(holds: bool, *, reason: str | None = None, **figures: Any) -> Finding:
    """Return a finding that passes or fails; the reason is for a failure."""
    return Finding(holds=bool(holds), figures=figures, reason=None if holds else reason)


def reported(**figures: Any) -> Finding:
    """Return a finding that only reports."""
    return Finding(holds=None, figures=figures)


def check_expectations(given: Mapping[str, str], specs: Mapping[str, Spec]) -> None:
    """Raise UsageError for an unknown spec, one that cannot fail, or an empty reason."""
    for name, reason in given.items():
        if name not in specs:
            raise unknown("spec", name, specs)
        if specs[name].bound is None:
            raise UsageError(f"{name} is only reported: it cannot fail; expect nothing of it.")
        if not reason.strip():
            raise UsageError(f"{name}: expected a reason for its failure, received none.")


def against(outcome: Outcome, expected: Mapping[str, str]) -> Outcome:
    """Return the outcome as seen by strict expectations: what does not fail as expected is bad."""
    reason = expected.get(outcome.spec.name)
    if reason is None:
        return outcome
    said = f"; {outcome.reason}" if outcome.reason else ""
    if outcome.status == FAILED:
        status, told = EXPECTED, f"{reason}{said}"
    else:
        status, told = UNEXPECTED, f"{outcome.status}, expected to fail: {reason}{said}"
    return Outcome(spec=outcome.spec, status=status, figures=outcome.figures, reason=told)


def chosen(names: Iterable[str], specs: Mapping[str, Spec]) -> list[Spec]:
    """Return the specs of those names, in the battery's order; all of them where none is named.

    Raises UsageError with the nearest name where one is unknown.
    """
    wanted = list(names)
    for name in wanted:
        if name not in specs:
            raise unknown("spec", name, specs)
    return [each for each in specs.values() if not wanted or each.name in wanted]
