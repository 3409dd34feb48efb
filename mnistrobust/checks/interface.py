"""What every classifier's interface should do, whatever it has learned."""

import numpy as np

from mnistrobust.checks.check import INTERFACE, INVARIANCE, MINIMUM, Finding, check
from mnistrobust.checks.inputs import FAMILIES, reordering
from mnistrobust.checks.outputs import PROBABILITIES, SUM_TOLERANCE
from mnistrobust.checks.session import NoPredictionsError, NotApplicableError, Session

GROUP = INTERFACE
TOLERANCE = 1e-4
_WHY_SAME = (
    "float32 sums in another order move a probability by some 1e-6; dropout, batch statistics and "
    "mixed-up rows by far more than 1e-4"
)
_NO_OVERFLOW = "Look for a logarithm of 0, a division by 0, or an overflow of half precision."
_ONE_SOFTMAX = "Apply softmax once, over the classes; if these are logits, say --logits."
_INFERENCE = "Switch dropout and batch statistics off for prediction: model.eval(), training=False."
_IMAGES, _SINGLES, _BATCHES = 64, 8, (7, 32)
_SAME = f"probabilities within {TOLERANCE:g}"
_FINITE = "no NaN and no infinity for any input"
_WHY_FINITE = "a comparison with NaN is false, so that an alarm on it stays silent"
_PROPER = f"in [0, 1], sums within {SUM_TOLERANCE:g} of 1"
_COARSE = 2**-8  # where all values are bfloat16, which has 8 bits
_WHY_PROPER = (
    "the definition of a distribution; half precision rounds sums by up to 1e-3, and bfloat16, which "
    "may, by 4e-3"
)


@check(INTERFACE, MINIMUM, _FINITE, _WHY_FINITE, remedy=_NO_OVERFLOW)
def finite_output(session: Session) -> Finding:
    """Every output is a finite number, even for noise and for a blank image."""
    bad = {}
    for name in FAMILIES:
        try:
            finite = session.raw(name).finite
        except NoPredictionsError as error:
            return False, str(error), {}
        if count := int((~finite).sum()):
            bad[name] = count
    where = ", ".join(f"{count} images of {name}" for name, count in bad.items())
    return not bad, f"not finite: {where}", {"not_finite": sum(bad.values())}


@check(INTERFACE, MINIMUM, _PROPER, _WHY_PROPER, remedy=_ONE_SOFTMAX)
def probabilities_sum_to_one(session: Session) -> Finding:
    """Outputs that are probabilities lie in [0, 1], and each row sums to 1."""
    if session.model.outputs != PROBABILITIES:
        raise NotApplicableError(f"the model gives {session.model.outputs}")
    largest_gap, lowest, highest, coarse = 0.0, 1.0, 0.0, True
    for name in FAMILIES:
        raw = session.predictions(name).raw.astype(np.float64)
        coarse = coarse and not (np.frexp(raw)[0] * 2**8 % 1).any()
        largest_gap = max(largest_gap, float(np.abs(raw.sum(axis=1) - 1).max()))
        lowest, highest = min(lowest, float(raw.min())), max(highest, float(raw.max()))
    proper = -SUM_TOLERANCE <= lowest <= highest <= 1 + SUM_TOLERANCE
    reason = f"sums up to {largest_gap:.3g} from 1, values in [{lowest:.3g}, {highest:.3g}]"
    figures = {"largest_gap": largest_gap, "lowest": lowest, "highest": highest}
    return proper and largest_gap <= (_COARSE if coarse else SUM_TOLERANCE), reason, figures


@check(
    INTERFACE,
    INVARIANCE,
    f"{_SAME}: alone, in batches of 7 and 32, and all at once",
    _WHY_SAME,
    remedy=_INFERENCE,
)
def batch_invariance(session: Session) -> Finding:
    """An image gets the same prediction in any batch."""
    images = _digits(session)
    whole = _known(session.predict(images))
    alone = np.concatenate([session.predict(images[i : i + 1]) for i in range(_SINGLES)])
    gaps = [_gap(alone, whole[:_SINGLES])]
    for size in _BATCHES:
        parts = [session.predict(images[i : i + size]) for i in range(0, len(images), size)]
        gaps.append(_gap(np.concatenate(parts), whole))
    return _same(max(gaps))


@check(INTERFACE, INVARIANCE, _SAME, _WHY_SAME, remedy=_INFERENCE)
def order_invariance(session: Session) -> Finding:
    """The order of the images does not change any prediction."""
    there = session.predictions("clean").probabilities[reordering(session.dataset)]
    return _same(_gap(session.predictions("reordered").probabilities, there))


@check(INTERFACE, INVARIANCE, _SAME, _WHY_SAME, remedy=_INFERENCE)
def repeatability(session: Session) -> Finding:
    """Repeating a call gives the same predictions."""
    images = _digits(session)
    first = _known(session.predict(images))
    return _same(max(_gap(session.predict(images), first) for _ in range(2)))


def _digits(session: Session) -> np.ndarray:
    return np.asarray(session.dataset.test_images[session.dataset.subset[:_IMAGES]])


def _known(probabilities: np.ndarray) -> np.ndarray:
    if not np.isfinite(probabilities).all():
        raise NoPredictionsError("NaN or infinity for digits")
    return probabilities


def _gap(left: np.ndarray, right: np.ndarray) -> float:
    gap = np.abs(left - right).max()
    return float(gap) if np.isfinite(gap) else 1.0


def _same(gap: float) -> Finding:
    return gap <= TOLERANCE, f"up to {gap:.2g} apart", {"largest_gap": gap}
