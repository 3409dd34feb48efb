"""The run as JUnit XML, which most CI services show: one test case for each claim."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnistrobust.errors import inert
from mnistrobust.ledger import ERROR, Results, Row, rows

if TYPE_CHECKING:
    from junitparser import TestCase


def write(results: Results, target: Path) -> None:
    """Write a test case for each claim, failed where the run failed; OSError where it cannot be.

    A claim that does not hold is no failure: where the evidence does not expect that, the run has
    failed. A claim that was not run is skipped.
    """
    from junitparser import JUnitXml, TestSuite

    suite = TestSuite("claims")
    suite.add_property("data", inert(results.source))
    suite.add_property("seeds", ", ".join(map(str, results.seeds)))
    suite.add_testcases([_case(row) for row in rows(results)])
    document: Any = JUnitXml("mnistrobust")  # not typed throughout
    document.add_testsuite(suite)
    document.update_statistics()
    document.write(str(target), pretty=True)


def _case(row: Row) -> "TestCase":
    from junitparser import Failure, Skipped, TestCase

    case = TestCase(row.claim.name, classname=row.claim.family, time=0)
    errors = [each.error for each in row.outcomes if each.error is not None]
    if errors:
        failure = Failure(inert(errors[0]), ERROR)
        failure.text = inert("; ".join(errors))
        case.result = [failure]
    elif not row.outcomes:
        case.result = [Skipped("not run")]
    else:
        case.system_out = inert(f"{row.outcome}: {row.measured}")
    return case
