"""How well scores tell digits from inputs that are none.

As many inputs of each family as there are digits (2,000; on mnist5k 1,000), so that chance is 0.5
for AUROC and both AUPR. A noise class is no digit: with one, `msp` is the largest probability of a
digit, `energy` that of the digits' logits, `entropy` that of the distribution among digits, and
`noise_class` one less the probability of noise. MSP is the baseline that the others stand beside.
"""

import numpy as np

from mnistrobust.battery import metrics
from mnistrobust.battery.exam import Exam
from mnistrobust.battery.inputs import OUTLIERS
from mnistrobust.battery.spec import DIRECTION, Finding, Spec, judged
from mnistrobust.battery.subject import LOGITS, Answers
from mnistrobust.transforms import NOISE_LABEL

GROUP = "out of distribution"
CHANCE = 0.5
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


def scores(answers: Answers) -> dict[str, np.ndarray]:
    """Return each score that the outputs allow, (n,), higher for what looks like a digit.

    Energy needs logits: probabilities have lost it.
    """
    logs = answers.log_probabilities
    digits = logs[:, :NOISE_LABEL]
    total = np.logaddexp.reduce(digits, axis=1, keepdims=True)
    found = {
        "msp": metrics.msp(digits),
        "entropy": metrics.negative_entropy(digits - total),
    }
    if answers.outputs == LOGITS:
        found["energy"] = metrics.energy(answers.raw[:, :NOISE_LABEL])
    if logs.shape[1] > NOISE_LABEL:
        found["noise_class"] = 1 - np.exp(logs[:, NOISE_LABEL])
    return found


def _spec_of(family: str) -> Spec:
    def judge(exam: Exam) -> Finding:
        some = exam.dataset.subset
        inside = scores(exam.answers("clean"))
        outside = scores(exam.answers(family))
        rows = some if family == "inverted" else np.arange(len(some))
        found = {
            name: metrics.detection(inside[name][some], outside[name][rows]) for name in inside
        }
        reached = found["msp"]["auroc"]
        return judged(
            reached > CHANCE, reason=f"AUROC {reached:.4f} by the largest probability", **found
        )

    return Spec(
        name=f"less_sure_of_{family.replace('-', '_')}",
        group=GROUP,
        kind=DIRECTION,
        statement=f"The model is less sure of {_SPOKEN[family]} than of digits.",
        bound="AUROC of the maximum softmax probability above 0.5",
        why="chance; how far above is enough has no accepted bound, and is reported",
        judge=judge,
    )


SPECS = tuple(_spec_of(family) for family in OUTLIERS)
