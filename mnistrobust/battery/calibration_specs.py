"""What a classifier's probabilities are worth, on held-out digits.

Intervals are 95 %, by bootstrap over the images.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from mnistrobust.battery import metrics
from mnistrobust.battery.exam import Exam
from mnistrobust.battery.spec import MINIMUM, Finding, judged, reported, spec
from mnistrobust.metrics import share
from mnistrobust.randomness import stream

GROUP = "calibration"
Score = Callable[[np.ndarray, np.ndarray], np.ndarray]

_WHY_BASELINE = (
    "a proper score: probabilities that lose to the answers alone mislead whoever reads them"
)
_NO_BOUND = "no accepted bound: it depends on the number of bins and images"


@spec(
    group=GROUP,
    kind=MINIMUM,
    bound="below that of the best predictor that knows only the answers and their accuracy",
    why=_WHY_BASELINE,
)
def nll(exam: Exam) -> Finding:
    """The probabilities say more than the answers alone, by negative log-likelihood."""
    return _against_baseline(exam, "nll", metrics.losses)


@spec(
    group=GROUP,
    kind=MINIMUM,
    bound="below that of the best predictor that knows only the answers and their accuracy",
    why=_WHY_BASELINE,
)
def brier(exam: Exam) -> Finding:
    """The probabilities say more than the answers alone, by Brier score (summed over classes)."""
    return _against_baseline(exam, "brier", metrics.squared_errors)


@spec(group=GROUP, kind=MINIMUM, why=_NO_BOUND)
def ece_equal_width(exam: Exam) -> Finding:
    """The expected calibration error, on 15 bins of equal width, with the reliability data."""
    return _calibration(exam, "ece_equal_width")


@spec(group=GROUP, kind=MINIMUM, why=_NO_BOUND)
def ece_equal_mass(exam: Exam) -> Finding:
    """The expected calibration error, on 15 bins of equally many images, with the reliability data."""
    return _calibration(exam, "ece_equal_mass")


SPECS = (nll, brier, ece_equal_width, ece_equal_mass)

_BINNINGS = {"ece_equal_width": metrics.equal_width, "ece_equal_mass": metrics.equal_mass}


def _against_baseline(exam: Exam, name: str, score: Score) -> Finding:
    answers = exam.answers("clean")
    parts = score(answers.log_probabilities, exam.dataset.test_labels)
    alone = metrics.answers_only(answers.right, answers.raw.shape[1])
    value, baseline = float(parts.mean()), alone[name]
    low, high = metrics.interval(
        lambda picked: float(parts[picked].mean()), len(parts), stream(0, "battery", name)
    )
    return judged(
        value < baseline,
        reason=f"{value:.4f}, the answers alone {baseline:.4f}",
        value=value,
        interval=[low, high],
        answers_alone=baseline,
    )


def _calibration(exam: Exam, name: str) -> Finding:
    answers, binning = exam.answers("clean"), _BINNINGS[name]
    confidence, right = answers.confidence, answers.right
    low, high = metrics.interval(
        lambda picked: binning(confidence[picked], right[picked]).error,
        len(right),
        stream(0, "battery", name),
    )
    bins = binning(confidence, right)
    return reported(
        value=bins.error,
        interval=[low, high],
        mean_confidence=float(confidence.mean()),
        accuracy=share(right),
        reliability=_rows(bins),
    )


def _rows(bins: metrics.Bins) -> list[dict[str, Any]]:
    columns = {name: getattr(bins, name).tolist() for name in bins.__dataclass_fields__}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
