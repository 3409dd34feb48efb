"""Runs without networks: any figures, and any answers to twenty images."""

import numpy as np
from synthetic import WINS

from mnistrobust.data import Source
from mnistrobust.ledger import Outcome, Results
from mnistrobust.mnist_files import DIGESTS
from mnistrobust.runs import Run

IMAGES = 20
SOURCE = Source(name="mnist5k", digest=DIGESTS["mnist5k"], path=None, why="as asked for")
LABELS = (np.arange(IMAGES) % 10).astype(np.uint8)[None]


def run(*outcomes, answers=None, labels=LABELS, classes=10, code=None, margin=0.2, **figures):
    """A run of one claim with these figures, or of these outcomes; `ann` answers rightly."""
    found = outcomes or (
        Outcome(id=WINS, seed=0, figures=figures or {"noisy": 0.8}, margin=margin),
    )
    place = ("ann", "clean")
    return Run(
        results=Results(source=SOURCE, seeds=(0,), outcomes=found),
        made="2026-01-02T03:04:05+00:00",
        versions={"numpy": "2"},
        code=code or {"recipe ann": "1"},
        classes={"ann": classes},
        answers={place: LABELS if answers is None else answers},
        labels={place: labels},
    )


def wrong(*places, draws=1):
    """Right answers to all images but these."""
    answers = LABELS.repeat(draws, axis=0).copy()
    answers[:, list(places)] = (answers[:, list(places)] + 1) % 10
    return answers
