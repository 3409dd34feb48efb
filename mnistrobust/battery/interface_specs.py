"""What every classifier's interface keeps, whatever it has learned."""

import numpy as np

from mnistrobust.battery.exam import Exam, NotApplicableError, UnansweredError, set_names
from mnistrobust.battery.inputs import reordering
from mnistrobust.battery.spec import INVARIANCE, MINIMUM, Finding, judged, spec
from mnistrobust.battery.subject import CLASSES, PROBABILITIES, SUM_TOLERANCE

GROUP = "interface"
TOLERANCE = 1e-4
_WHY_TOLERANCE = (
    "float32 sums in another order move a probability by some 1e-6; dropout, batch statistics and "
    "mixed-up rows by far more than 1e-4"
)
_IMAGES = 64
_SINGLES = 8
_BATCHES = (7, 32)


@spec(
    group=GROUP,
    kind=MINIMUM,
    bound="10 or 11 classes",
    why="ten digits, and a noise class where there is one",
)
def output_shape(exam: Exam) -> Finding:
    """Each image gets one row, with a number for each of the ten digits."""
    classes = exam.raw("clean").raw.shape[1]
    return judged(classes in CLASSES, classes=classes, reason=f"{classes} classes")


@spec(
    group=GROUP,
    kind=MINIMUM,
    bound="no NaN and no infinity for any input of the battery",
    why="a comparison with NaN is false, so that an alarm on it stays silent",
)
def finite_output(exam: Exam) -> Finding:
    """Every output is a finite number, also for noise and for a blank image."""
    bad = {}
    for name in set_names():
        try:
            outputs = exam.raw(name).raw
        except UnansweredError as error:
            return judged(False, reason=str(error))
        if count := int((~np.isfinite(outputs).all(axis=1)).sum()):
            bad[name] = count
    told = ", ".join(f"{count} images of {name}" for name, count in bad.items())
    return judged(not bad, reason=f"not finite: {told}", images=sum(bad.values()))


@spec(
    group=GROUP,
    kind=MINIMUM,
    bound=f"in [0, 1], sums within {SUM_TOLERANCE:g} of 1",
    why="the definition of a distribution; half precision rounds sums by up to 1e-3",
)
def probabilities_sum_to_one(exam: Exam) -> Finding:
    """What the model gives as probabilities are probabilities."""
    if exam.subject.outputs != PROBABILITIES:
        raise NotApplicableError(f"the model gives {exam.subject.outputs}")
    largest_gap, lowest, highest = 0.0, 1.0, 0.0
    for name in set_names():
        raw = exam.answers(name).raw.astype(np.float64)
        largest_gap = max(largest_gap, float(np.abs(raw.sum(axis=1) - 1).max()))
        lowest, highest = min(lowest, float(raw.min())), max(highest, float(raw.max()))
    proper = -SUM_TOLERANCE <= lowest <= highest <= 1 + SUM_TOLERANCE
    return judged(
        proper and largest_gap <= SUM_TOLERANCE,
        reason=f"sums up to {largest_gap:.3g} from 1, values in [{lowest:.3g}, {highest:.3g}]",
        largest_gap=largest_gap,
        lowest=lowest,
        highest=highest,
    )


@spec(
    group=GROUP,
    kind=INVARIANCE,
    bound=f"probabilities within {TOLERANCE:g}: alone, in batches of 7 and 32, and all at once",
    why=_WHY_TOLERANCE,
)
def batch_invariance(exam: Exam) -> Finding:
    """An image gets the same answer in any batch."""
    images = _digits(exam)
    whole = _known(exam.ask(images))
    alone = np.concatenate([exam.ask(images[i : i + 1]) for i in range(_SINGLES)])
    gaps = [_gap(alone, whole[:_SINGLES])]
    for size in _BATCHES:
        parts = [exam.ask(images[i : i + size]) for i in range(0, len(images), size)]
        gaps.append(_gap(np.concatenate(parts), whole))
    return _same(max(gaps))


@spec(
    group=GROUP,
    kind=INVARIANCE,
    bound=f"probabilities within {TOLERANCE:g}",
    why=_WHY_TOLERANCE,
)
def order_invariance(exam: Exam) -> Finding:
    """The order of images changes no answer."""
    there = exam.answers("clean").probabilities[reordering(exam.dataset)]
    return _same(_gap(exam.answers("reordered").probabilities, there))


@spec(
    group=GROUP,
    kind=INVARIANCE,
    bound=f"probabilities within {TOLERANCE:g}",
    why=_WHY_TOLERANCE,
)
def repeatability(exam: Exam) -> Finding:
    """The same call gives the same answers."""
    images = _digits(exam)
    first = _known(exam.ask(images))
    return _same(max(_gap(exam.ask(images), first) for _ in range(2)))


SPECS = (
    output_shape,
    finite_output,
    probabilities_sum_to_one,
    batch_invariance,
    order_invariance,
    repeatability,
)


def _digits(exam: Exam) -> np.ndarray:
    digits: np.ndarray = exam.dataset.test_images[exam.dataset.subset[:_IMAGES]]
    return digits


def _known(probabilities: np.ndarray) -> np.ndarray:
    if not np.isfinite(probabilities).all():
        raise UnansweredError("NaN or infinity for digits")
    return probabilities


def _gap(left: np.ndarray, right: np.ndarray) -> float:
    gap = np.abs(left - right).max()
    return float(gap) if np.isfinite(gap) else 1.0


def _same(gap: float) -> Finding:
    return judged(gap <= TOLERANCE, reason=f"up to {gap:.2g} apart", largest_gap=gap)
