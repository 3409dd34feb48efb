"""What the document tests in a classifier: accuracy under its conditions, and a noise class."""

from functools import partial
from operator import itemgetter

import numpy as np

from mnistrobust import words
from mnistrobust.checks.check import INVARIANCE, MINIMUM, Check, Finding, check
from mnistrobust.checks.inputs import OUTLIERS
from mnistrobust.checks.model import listed
from mnistrobust.checks.session import NotApplicableError, Session
from mnistrobust.conditions import Condition
from mnistrobust.metrics import confident, share
from mnistrobust.transforms import NOISE_LABEL

GROUP, NOISE_GROUP = "accuracy", "noise class"
_MISREAD = 0.3  # accuracy; chance is 0.1, and a model that gets wrong pixels is little better
_ROUNDING = 1e-9  # of a difference of shares, far below one image
_GOOD = "the document's good job; a linear model reaches 0.92 on full MNIST"
_MOST = "the document's most; a good average can hide a digit that is given up or renamed"
_KEPT = f"at most {words.MUCH_BETTER:g} below the accuracy on clean digits"
_WHY_KEPT = "more is what the document calls much worse; people read these digits as well as before"
_TRAINED = "no bound of ours: models that are not trained on such images fail"
_HARDLY = f"at most {words.NOT_CONFIDENT:g} of pure noise predicted as a digit with more than 0.9"
_SWALLOWED = f"at most {words.AS_GOOD:g} of held-out digits predicted as noise"
_WHY_SWALLOWED = "the document's as good: what is swallowed is lost from the accuracy"
_CAUGHT = f"at least {words.EVERY:g} of pure noise predicted as noise"
_WHY_CAUGHT = "the document's every thing, of the noise that its networks are trained on"
_OPEN = "no accepted bound: how far a noise class reaches beyond its training is what one asks"


@check(
    GROUP,
    MINIMUM,
    f"accuracy at least {words.GOOD_JOB:g}",
    _GOOD,
    figure="accuracy",
    remedy="Train it longer or on more images; if it was better elsewhere, compare the pixels it gets.",
)
def clean_accuracy(session: Session) -> Finding:
    """Held-out digits are recognised."""
    measured = share(session.predictions("clean").right)
    holds = measured >= words.GOOD_JOB
    misread = measured <= _MISREAD and session.model.trials
    tried = f"; tried pixels: {listed(session.model.trials)}" if misread else ""
    return holds, f"accuracy {measured:.4f}{tried}", {"accuracy": measured}


@check(
    GROUP,
    MINIMUM,
    f"recall of each digit above {words.MOST:g}",
    _MOST,
    figure=lambda figures: min(figures["recall"].values()),
    remedy="See that its column stands in its place, and how many training images it has.",
)
def every_digit(session: Session) -> Finding:
    """Most images of every digit are recognised."""
    top, labels = session.predictions("clean").top, session.dataset.test_labels
    recalls = {str(digit): share(top[labels == digit] == digit) for digit in range(10)}
    worst = min(recalls, key=recalls.__getitem__)
    reason = f"recall {recalls[worst]:.4f} of the digit {worst}"
    return recalls[worst] > words.MOST, reason, {"recall": recalls}


def _kept(session: Session, condition: str) -> Finding:
    before, after = (share(session.predictions(name).right) for name in ("clean", condition))
    reason = f"accuracy {after:.4f}, on clean digits {before:.4f}"
    return (
        after >= before - words.MUCH_BETTER - _ROUNDING,
        reason,
        {"accuracy": after, "clean": before},
    )


def _reported(session: Session, condition: str) -> Finding:
    return None, *_kept(session, condition)[1:]


check(
    GROUP,
    INVARIANCE,
    _KEPT,
    _WHY_KEPT,
    "threshold_accuracy",
    "Digits in black and white are recognised about as well as clean digits.",
    figure="accuracy",
    remedy="Train on such images, too.",
)(partial(_kept, condition="threshold"))
for _condition, _says in {
    "offset-noise": "How many digits are recognised under offset noise.",
    "inverted": "How many inverted digits are recognised.",
}.items():
    _name = f"{_condition.replace('-', '_')}_accuracy"
    check(GROUP, INVARIANCE, None, _TRAINED, _name, _says, figure="accuracy")(
        partial(_reported, condition=_condition)
    )


def under(condition: Condition) -> Check:
    """Make the check that reports the accuracy under a perturbation at a dose."""
    return Check(
        name=condition.name,
        group=GROUP,
        kind=INVARIANCE,
        statement=f"The accuracy under {condition.name}, beside that on the same clean digits.",
        bound=None,
        why="no accepted bound: how much accuracy a dose may cost is what one asks",
        judge=partial(_under, condition=condition.name),
        figure=itemgetter("accuracy"),
    )


def _under(session: Session, condition: str) -> Finding:
    if session.model.predict is None:
        raise NotApplicableError("the predictions were made elsewhere")
    before = share(session.predictions("clean").right[session.dataset.subset])
    after = share(session.predictions(condition).right)
    reason = f"accuracy {after:.4f}, on the same clean digits {before:.4f}"
    return None, reason, {"accuracy": after, "clean": before}


@check(
    GROUP,
    MINIMUM,
    _HARDLY,
    "the document's not confident, at its own bar of 0.9",
    figure="share_above_0.9",
    least=False,
    remedy="Train with a noise class, or reject images by another score than the confidence.",
)
def pure_noise_uncertainty(session: Session) -> Finding:
    """Pure noise is seldom predicted as a digit with high confidence."""
    digits = session.predictions("uniform").probabilities[:, :NOISE_LABEL].max(axis=1)
    measured = share(confident(digits))
    return measured <= words.NOT_CONFIDENT, f"share {measured:.4f}", {"share_above_0.9": measured}


@check(
    NOISE_GROUP,
    MINIMUM,
    _SWALLOWED,
    _WHY_SWALLOWED,
    figure="swallowed",
    least=False,
    remedy="Train on fewer images of noise, or on more digits.",
)
def noise_class_keeps_digits(session: Session) -> Finding:
    """The noise class is hardly ever predicted for digits."""
    measured = _caught(session, "clean")
    return measured <= words.AS_GOOD, f"share {measured:.4f}", {"swallowed": measured}


@check(
    NOISE_GROUP,
    MINIMUM,
    _CAUGHT,
    _WHY_CAUGHT,
    figure="caught",
    remedy="Train on more images of noise, drawn anew in each epoch.",
)
def noise_class_catches_pure_noise(session: Session) -> Finding:
    """The noise class is predicted for nearly all pure noise."""
    measured = _caught(session, "uniform")
    return measured >= words.EVERY, f"share {measured:.4f}", {"caught": measured}


@check(NOISE_GROUP, MINIMUM, None, _OPEN)
def noise_class_beyond_training(session: Session) -> Finding:
    """How often the noise class is predicted for other kinds of noise, and for inverted digits."""
    return None, "", {name: _caught(session, name) for name in OUTLIERS if name != "uniform"}


def _caught(session: Session, name: str) -> float:
    if not session.model.has_noise_class:
        raise NotApplicableError("the model has no noise class")
    return share(np.asarray(session.predictions(name).top == NOISE_LABEL))
