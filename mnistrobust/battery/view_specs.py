"""What the document asks of a classifier: its views, and its noise class."""

import numpy as np

from mnistrobust import words
from mnistrobust.battery.exam import Exam, NotApplicableError
from mnistrobust.battery.inputs import OUTLIERS
from mnistrobust.battery.spec import INVARIANCE, MINIMUM, Finding, judged, reported, spec
from mnistrobust.metrics import accuracy, share, sure
from mnistrobust.transforms import NOISE_LABEL

GROUP = "views"
NOISE_GROUP = "noise class"
_KEPT = f"at most {words.MUCH_BETTER:g} below the accuracy on clean digits"
_WHY_KEPT = "more is what the document calls much worse; people read these digits as well as before"


@spec(
    group=GROUP,
    kind=MINIMUM,
    bound=f"accuracy at least {words.GOOD_JOB:g}",
    why="the document's good job; a linear model reaches 0.92 on full MNIST",
)
def clean_accuracy(exam: Exam) -> Finding:
    """Held-out digits are recognised."""
    answers = exam.answers("clean")
    found = accuracy(answers.top, _labels(exam))
    return judged(found >= words.GOOD_JOB, reason=f"accuracy {found:.4f}", accuracy=found)


@spec(
    group=GROUP,
    kind=MINIMUM,
    bound=f"recall of each digit above {words.MOST:g}",
    why="the document's most; a good average can hide a digit that is given up or renamed",
)
def every_digit(exam: Exam) -> Finding:
    """Most images of every digit are recognised."""
    answers, labels = exam.answers("clean"), _labels(exam)
    recalls = {str(each): share(answers.top[labels == each] == each) for each in range(10)}
    worst = min(recalls, key=recalls.__getitem__)
    return judged(
        recalls[worst] > words.MOST,
        reason=f"recall {recalls[worst]:.4f} of the digit {worst}",
        recall=recalls,
    )


@spec(group=GROUP, kind=INVARIANCE, bound=_KEPT, why=_WHY_KEPT)
def threshold_accuracy(exam: Exam) -> Finding:
    """Digits in black and white are recognised as well."""
    return _kept(exam, "threshold")


@spec(group=GROUP, kind=INVARIANCE, bound=_KEPT, why=_WHY_KEPT)
def offset_noise_accuracy(exam: Exam) -> Finding:
    """Digits under offset noise are recognised as well; few models do it without training."""
    return _kept(exam, "offset-noise")


@spec(group=GROUP, kind=INVARIANCE, bound=_KEPT, why=_WHY_KEPT)
def inverted_accuracy(exam: Exam) -> Finding:
    """Inverted digits are recognised as well; few models do it without training."""
    return _kept(exam, "inverted")


@spec(
    group=GROUP,
    kind=MINIMUM,
    bound=f"at most {words.NOT_CONFIDENT:g} of pure noise answered as a digit with more than 0.9",
    why="the document's not confident, at its own bar of 0.9",
)
def pure_noise_uncertainty(exam: Exam) -> Finding:
    """Pure noise is hardly ever taken for a digit with confidence."""
    digits = exam.answers("uniform").probabilities[:, :NOISE_LABEL].max(axis=1)
    found = share(sure(digits))
    return judged(
        found <= words.NOT_CONFIDENT, reason=f"share {found:.4f}", **{"share_above_0.9": found}
    )


@spec(
    group=NOISE_GROUP,
    kind=MINIMUM,
    bound=f"at most {words.AS_GOOD:g} of held-out digits answered as noise",
    why="the document's as good: what is swallowed is lost from the accuracy",
)
def noise_class_keeps_digits(exam: Exam) -> Finding:
    """The noise class swallows no digits."""
    found = _caught(exam, "clean")
    return judged(found <= words.AS_GOOD, reason=f"share {found:.4f}", swallowed=found)


@spec(
    group=NOISE_GROUP,
    kind=MINIMUM,
    bound=f"at least {words.EVERY:g} of pure noise answered as noise",
    why="the document's every thing, of the noise that its networks are trained on",
)
def noise_class_catches_pure_noise(exam: Exam) -> Finding:
    """The noise class catches pure noise."""
    found = _caught(exam, "uniform")
    return judged(found >= words.EVERY, reason=f"share {found:.4f}", caught=found)


@spec(
    group=NOISE_GROUP,
    kind=MINIMUM,
    why="no accepted bound: how far a noise class reaches beyond its training is what one asks",
)
def noise_class_beyond_training(exam: Exam) -> Finding:
    """The share that the noise class catches of other families than uniform noise, and of inverted digits."""
    return reported(**{each: _caught(exam, each) for each in OUTLIERS if each != "uniform"})


SPECS = (
    clean_accuracy,
    every_digit,
    threshold_accuracy,
    offset_noise_accuracy,
    inverted_accuracy,
    pure_noise_uncertainty,
    noise_class_keeps_digits,
    noise_class_catches_pure_noise,
    noise_class_beyond_training,
)


def _labels(exam: Exam) -> np.ndarray:
    return exam.dataset.test_labels


def _kept(exam: Exam, view: str) -> Finding:
    clean, answers = exam.answers("clean"), exam.answers(view)
    before, after = (share(each.right) for each in (clean, answers))
    return judged(
        after >= before - words.MUCH_BETTER,
        reason=f"accuracy {after:.4f}, on clean digits {before:.4f}",
        accuracy=after,
        clean=before,
    )


def _caught(exam: Exam, name: str) -> float:
    if not exam.subject.has_noise_class:
        raise NotApplicableError("the model has no noise class")
    return share(exam.answers(name).top == NOISE_LABEL)
