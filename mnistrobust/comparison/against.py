"""Checks that hold a model to a baseline: a check for each figure of a comparison."""

from collections.abc import Callable, Mapping
from functools import cache, partial

from mnistrobust.checks.check import INVARIANCE, Check, Finding
from mnistrobust.checks.session import Session
from mnistrobust.comparison import sides
from mnistrobust.comparison.opening import open_side
from mnistrobust.comparison.paired import LEVEL
from mnistrobust.comparison.verdict import FIGURES, WORSE, Comparison, compare
from mnistrobust.store import open_store

GROUP = "comparison"
Compared = Callable[[Session], Comparison]


def checks_against(given: str) -> Mapping[str, Check]:
    """Return checks against another model, by name such as `no_worse_accuracy`.

    The first that runs opens `given`.
    """

    @cache
    def compared(session: Session) -> Comparison:
        dataset = session.dataset
        old = open_side(given, dataset.source, open_store())
        return compare(old, sides.side_of(session), dataset)

    found = {}
    for figure in FIGURES:
        name = f"no_worse_{figure}"
        found[name] = Check(
            name=name,
            group=GROUP,
            kind=INVARIANCE,
            statement=f"No {figure} is worse than the baseline's.",
            bound=f"no {figure} worse beyond chance",
            why=f"models that are equal fail in at most {LEVEL:.0%} of comparisons",
            judge=partial(_judge, compared, figure),
        )
    return found


def _judge(compared: Compared, figure: str, session: Session) -> Finding:
    rows = [row for row in compared(session).rows if row.figure == figure]
    worse = [row for row in rows if row.verdict == WORSE]
    reason = "; ".join(f"{row.name} {row.old:.4f} → {row.new:.4f}" for row in worse)
    return not worse, reason, {row.on: row.new for row in rows}
