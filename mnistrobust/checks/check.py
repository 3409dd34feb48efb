"""A check: a documented property of a digit classifier, with a stated bound or comparison."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from operator import itemgetter
from typing import Any

import numpy as np

from mnistrobust.checks.session import NoPredictionsError, NotApplicableError, Session

INTERFACE = "interface"  # the group of checks that do not ask what a model has learned
# The kinds of CheckList (Ribeiro et al., 2020, "Beyond accuracy: behavioral testing of NLP models")
MINIMUM, INVARIANCE, DIRECTION = "minimum functionality", "invariance", "direction"

PASSED, FAILED, REPORTED, NOT_APPLICABLE = "passed", "failed", "reported", "not applicable"
EXPECTED, UNEXPECTED = "failed as expected", "not failed, against expectation"

Figures = Mapping[str, Any]
Finding = tuple[bool | None, str, Figures]  # whether it holds, the reason if not, and figures
Judge = Callable[[Session], Finding]
MADE: "list[Check]" = []  # by `check`


@dataclass(frozen=True, kw_only=True)
class Check:
    """A property of a model, and how it is judged.

    `statement` says what holds, `bound` from where on it fails, `why` why there, `remedy` what to try.
    Without a bound it reports and cannot fail. A user's bound is for what `figure` returns: the least
    that it may be, or the most where `least` is false.
    """

    name: str
    group: str
    kind: str
    statement: str
    bound: str | None
    why: str
    judge: Judge = field(repr=False)
    figure: Callable[[Figures], float] | None = field(default=None, repr=False)
    least: bool = True
    remedy: str = ""

    def bounded(self, bound: float) -> "Check":
        """Return the check with a bound of the user's, for a check that has a figure."""

        def judge(session: Session) -> Finding:
            assert self.figure is not None
            _, reason, figures = self.judge(session)
            value = self.figure(figures)
            return (value >= bound if self.least else value <= bound), reason, figures

        says = f"at {'least' if self.least else 'most'} {bound:g}"
        return replace(self, bound=says, why="set by the user", judge=judge)

    def run(self, session: Session, expected_failure: str | None = None) -> "CheckResult":
        """Judge the model; what it gets wrong, or raises, is part of the result.

        With the reason for an expected failure, only a failure is good.
        """
        reason: str | None
        figures: Figures = {}
        try:
            with np.errstate(under="ignore", over="warn", divide="warn", invalid="warn"):
                holds, reason, figures = self.judge(session)
            if holds and self.group != INTERFACE and session.broken:  # passed by chance
                holds, reason = False, session.broken
            status = REPORTED if holds is None else PASSED if holds else FAILED
            reason = reason if status == FAILED else None
        except NotApplicableError as error:
            status, reason = NOT_APPLICABLE, str(error)
        except NoPredictionsError as error:
            status, reason = NOT_APPLICABLE if self.bound is None else FAILED, str(error)
        if expected_failure is not None:
            detail = f"; {reason}" if reason else ""
            reason = f"{expected_failure}{detail}"
            if status != FAILED:
                reason = f"{status}, expected to fail: {reason}"
            status = EXPECTED if status == FAILED else UNEXPECTED
        return CheckResult(check=self, status=status, figures=figures, reason=reason)

    def to_json(self) -> dict[str, Any]:
        """Return what the check says as JSON values."""
        names = ("name", "group", "kind", "statement", "bound", "why")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """What a check says of a model: a status, figures, and a reason where there is one."""

    check: Check
    status: str
    figures: Figures
    reason: str | None

    @property
    def good(self) -> bool:
        """Whether the result is the expected one."""
        return self.status not in {FAILED, UNEXPECTED}


def check(
    group: str,
    kind: str,
    bound: str | None,
    why: str,
    name: str = "",
    statement: str = "",
    *,
    figure: str | Callable[[Figures], float] | None = None,
    least: bool = True,
    remedy: str = "",
) -> Callable[[Judge], Judge]:
    """Make a check of a function, by default with its name and docstring.

    A user may bound what `figure` names or returns.
    """
    read = itemgetter(figure) if isinstance(figure, str) else figure

    def decorate(judge: Judge) -> Judge:
        facts: dict[str, Any] = {"group": group, "kind": kind, "bound": bound, "why": why}
        facts |= {"figure": read, "least": least, "remedy": remedy}
        says = statement or judge.__doc__ or ""
        MADE.append(Check(name=name or judge.__name__, statement=says, judge=judge, **facts))
        return judge

    return decorate
