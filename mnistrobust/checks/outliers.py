"""How well scores tell digits from as many inputs that are not digits.

With a noise class, `msp` is the largest probability of a digit, `energy` that of the digits' logits, `entropy`
that of the distribution among digits, and `noise_class` one less the probability of noise.
"""

from functools import partial

import numpy as np

from mnistrobust.checks import metrics
from mnistrobust.checks.check import DIRECTION, Finding, check
from mnistrobust.checks.inputs import OUTLIERS
from mnistrobust.checks.outputs import LOGITS
from mnistrobust.checks.session import Predictions, Session
from mnistrobust.transforms import NOISE_LABEL

GROUP = "out of distribution"
CHANCE = 0.5
_NO_BOUND = {
    "scaled": "no bound of ours: networks with ReLU grow more confident far from all digits (Hein et al., 2019)",
    "inverted": "no bound of ours: they are digits, and most models trained on plain digits are confident",
}
_SPOKEN = {
    "uniform": "uniform noise",
    "gaussian": "Gaussian noise",
    "bernoulli": "Bernoulli noise",
    "permuted": "digits with permuted pixels",
    "low-frequency": "low-frequency noise",
    "scaled": "noise scaled by 10",
    "blank": "a blank image",
    "inverted": "inverted digits",
}


def scores_of(predictions: Predictions) -> dict[str, np.ndarray]:
    """Return each score that the outputs allow, (n,), higher for a digit; energy needs logits."""
    logs = predictions.log_probabilities
    digits = logs[:, :NOISE_LABEL]
    total = np.logaddexp.reduce(digits, axis=1, keepdims=True)
    scores = {
        "msp": metrics.msp(digits),
        "entropy": metrics.negative_entropy(digits - total),
    }
    if predictions.outputs == LOGITS:
        scores["energy"] = metrics.energy(predictions.raw[:, :NOISE_LABEL])
    if logs.shape[1] > NOISE_LABEL:
        scores["noise_class"] = 1 - np.exp(logs[:, NOISE_LABEL])
    return scores


def _less_confident(session: Session, family: str) -> Finding:
    some = session.dataset.subset
    inside = scores_of(session.predictions("clean"))
    outside = scores_of(session.predictions(family))
    rows = some if family == "inverted" else np.arange(len(some))
    figures = {name: metrics.detection(inside[name][some], outside[name][rows]) for name in inside}
    reached = figures["msp"]["auroc"]
    holds = None if family in _NO_BOUND else reached > CHANCE
    return holds, f"AUROC {reached:.4f} by the largest probability", figures


for _family in OUTLIERS:
    check(
        GROUP,
        DIRECTION,
        None if _family in _NO_BOUND else "AUROC of the maximum softmax probability above 0.5",
        _NO_BOUND.get(
            _family, "chance; how far above is enough has no accepted bound, and is reported"
        ),
        f"less_confident_on_{_family.replace('-', '_')}",
        f"The model is less confident on {_SPOKEN[_family]} than on digits.",
        figure=lambda figures: figures["msp"]["auroc"],
        remedy="Train with such images as a noise class, or reject by another score (see AUROC).",
    )(partial(_less_confident, family=_family))
