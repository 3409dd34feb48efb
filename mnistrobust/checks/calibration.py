"""How good a classifier's probabilities are on held-out digits, with 95% bootstrap intervals over images."""

from functools import partial

from mnistrobust.checks import metrics
from mnistrobust.checks.check import MINIMUM, Finding, check
from mnistrobust.checks.session import Session
from mnistrobust.metrics import share
from mnistrobust.randomness import stream

GROUP = "calibration"
_BASELINE = (
    "below that of the best predictor that knows only the predicted labels and their accuracy"
)
_WHY = "a proper score: probabilities that lose to the labels alone mislead whoever reads them"
_SCALED = "Fit a temperature on held-out digits, and divide the logits by it."
_ROUNDING = 1e-6  # of float32 probabilities: equal ones are no better than the labels alone
_NO_BOUND = "no accepted bound: it depends on the number of bins and images"
_SCORES = {
    "nll": ("negative log-likelihood.", metrics.losses),
    "brier": ("Brier score (summed over classes).", metrics.squared_errors),
}
_BINNINGS = {
    "ece_equal_width": ("equal width, with the reliability data.", metrics.equal_width),
    "ece_equal_mass": ("equally many images, with the reliability data.", metrics.equal_mass),
}


def _against_baseline(session: Session, name: str) -> Finding:
    predictions = session.predictions("clean")
    parts = _SCORES[name][1](predictions.log_probabilities, session.dataset.test_labels)
    baseline = metrics.labels_only(predictions.right, predictions.raw.shape[1])[name]
    interval = metrics.interval(
        lambda picked: float(parts[picked].mean()), len(parts), stream(0, "checks", name)
    )
    value = float(parts.mean())
    figures = {"value": value, "interval": list(interval), "labels_alone": baseline}
    reason = f"{name} {value:.4f}, the labels alone {baseline:.4f}"
    return value < baseline - _ROUNDING, reason, figures


def _calibration(session: Session, name: str) -> Finding:
    predictions, binning = session.predictions("clean"), _BINNINGS[name][1]
    confidence, right = predictions.confidence, predictions.right
    interval = metrics.interval(
        lambda picked: binning(confidence[picked], right[picked]).error,
        len(right),
        stream(0, "checks", name),
    )
    bins = binning(confidence, right)
    columns = {key: column.tolist() for key, column in vars(bins).items()}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    figures = {"value": bins.error, "interval": list(interval), "accuracy": share(right)}
    figures |= {"mean_confidence": float(confidence.mean()), "reliability": rows}
    return None, f"calibration error {bins.error:.4f}", figures


for _name in _SCORES:
    _says = f"The probabilities say more than the predicted labels alone, by {_SCORES[_name][0]}"
    check(
        GROUP, MINIMUM, _BASELINE, _WHY, _name, _says, figure="value", least=False, remedy=_SCALED
    )(partial(_against_baseline, name=_name))
for _name in _BINNINGS:
    _says = f"The expected calibration error, on 15 bins of {_BINNINGS[_name][0]}"
    check(GROUP, MINIMUM, None, _NO_BOUND, _name, _says, figure="value", least=False)(
        partial(_calibration, name=_name)
    )
