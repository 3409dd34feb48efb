"""Runs without networks, of any figures."""

from mnistrobust.comparison.runs import Run
from mnistrobust.data import Source
from mnistrobust.data.files import DIGESTS
from mnistrobust.evidence.results import Outcome, Results
from specs.helpers.synthetic import WINS

SOURCE = Source(name="mnist5k", digest=DIGESTS["mnist5k"], path=None, why="as asked for")


def run(*outcomes, code=None, margin=0.2, **figures):
    """A run of one claim with these figures, or of these outcomes."""
    found = outcomes or (
        Outcome(id=WINS, seed=0, figures=figures or {"noisy": 0.8}, margin=margin),
    )
    return Run(
        results=Results(source=SOURCE, seeds=(0,), outcomes=found, versions={"numpy": "2"}),
        made="2026-01-02T03:04:05+00:00",
        code=code or {"recipe ann": "1"},
    )
