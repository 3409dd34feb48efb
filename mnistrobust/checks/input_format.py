"""How a model reads images: the shape and the pixels with which it recognises digits, found by trying."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from mnistrobust import words
from mnistrobust.checks.metrics import losses, tempered
from mnistrobust.checks.model import SHAPES, UNIT, Model, Pixels, Predict, listed, spelled
from mnistrobust.checks.outputs import ModelError, check_scale, naming, outputs_of
from mnistrobust.checks.session import Predictions
from mnistrobust.data import Dataset
from mnistrobust.metrics import accuracy, share
from mnistrobust.transforms import PIXELS as SIZE

_MEAN, _DEVIATION = 0.1307, 0.3081  # of MNIST's pixels: many models subtract and divide by them
_SCALES = (UNIT, (0, 255), (-1, 1), (-_MEAN / _DEVIATION, (1 - _MEAN) / _DEVIATION))
PIXELS = (*_SCALES, *((full, none) for none, full in _SCALES))
_SIMPLE = (UNIT, UNIT[::-1])
_TRIED, _MORE = 300, 2000  # digits: of the held-out ones, and of the others to break a tie
_CHUNK, _SMALL = 500, 32  # images a call: a small CNN takes 300 MB for 500; some take only few
# Of the digits, and in a call: what raises for large batches, or a few images, is still a model.
_TRIES = (
    *((slice(_TRIED), chunk) for chunk in (_CHUNK, _SMALL)),
    *((slice(start, start + 30), _CHUNK) for start in (0, 30, 60)),
)
_CERTAIN, _LIKELY = 4.0, 2.0  # standard deviations between two accuracies on the same digits
_OTHER_CALLS = " If it wants uint8, or one image a call, name a function that does that for it."
_NOT_THE_CALL = re.compile(
    r" raised (?:SystemExit|RecursionError|KeyboardInterrupt|NotFittedError)|unhashable|keyword"
)
_SAME = 0.01  # of the digits predicted differently is no difference
_LOST = 1e9  # the loss of infinite logits
_MOST = 0.5  # of the digits: a model that fails for a few of them is read by the others
_PART = 10  # images a call, to find those
_LIKELIER = 0.8  # of another reading's loss, at most: those of trees differ clearly, and little

Reading = tuple[str, Pixels]  # the name of a shape, and pixels


def detected(
    predict: Predict,
    stated: Any,
    name: str,
    dataset: Dataset,
    *,
    input_shape: str | None,
    pixels: Pixels | None,
    outputs: str | None,
) -> Model:
    """Return a function of images as a model that is read in the way that makes it accurate.

    `stated` is the shape that it says it takes, or None. `input_shape`, `pixels` and `outputs` are as in
    `open_model`. Raises ModelError, in one line, for what takes no images, or is as accurate in several ways.
    """
    shapes = [input_shape] if input_shape else shapes_of(stated)
    if not shapes:
        raise ModelError(f"{name}: it takes images of shape {stated}: expected {SIZE} pixels.")
    refused: dict[str, ModelError] = {}
    for some, chunk in _TRIES:
        images, labels = (
            each[dataset.subset[some]] for each in (dataset.test_images, dataset.test_labels)
        )
        taken = _taken(predict, images, shapes, [pixels] if pixels else PIXELS, chunk, refused)
        if taken:
            break
    else:
        raise _refusal(refused)
    if outputs is None:
        with naming(name):
            check_scale(next(iter(taken.values())))
    best = _contenders(taken, labels, _LIKELY, outputs)
    if len(best) > 1:
        more, answers = dataset.train_images[:_MORE], dataset.train_labels[:_MORE]
        again = {each: _mostly(predict, more, *each, chunk) for each in best}
        best = _contenders(again, answers, _CERTAIN, outputs)
    trials = _trials(taken, labels)
    if len(best) > 1:
        raise ModelError(
            f"{name}: it is as accurate on several kinds of pixels ({listed(trials)}): name one "
            f"with --pixels."
        )
    shape, values = best[0]
    return Model(
        name=name,
        outputs=outputs_of(taken[shape, values], outputs),
        classes=taken[shape, values].shape[1],
        input_shape=shape,
        pixels=values,
        trials=trials,
        alike=_alike(taken, labels, best[0], outputs),
        predict=lambda images: _predicted(predict, images, shape, values, chunk),
    )


def _taken(
    predict: Predict,
    images: np.ndarray,
    shapes: Sequence[str],
    kinds: Sequence[Pixels],
    chunk: int,
    refused: dict[str, ModelError],
) -> dict[Reading, np.ndarray]:
    """Return the outputs of each reading that the model takes; `refused` gets a shape's first error."""
    taken: dict[Reading, np.ndarray] = {}
    raised: list[Reading] = []
    for values in kinds:
        for shape in shapes:
            try:
                raw = _predicted(predict, images, shape, values, chunk)
            except ModelError as error:
                refused.setdefault(shape, error)
                raised.append((shape, values))
                continue
            same = (other for (_, tried), other in taken.items() if tried == values)
            if not any(np.array_equal(raw, other, equal_nan=True) for other in same):
                taken[shape, values] = raw
        shapes = list(dict.fromkeys(shape for shape, _ in taken)) or shapes
    for shape, values in raised if taken else ():
        if shape in shapes:
            with suppress(ModelError):
                taken[shape, values] = _mostly(predict, images, shape, values, chunk)
    return taken


def _contenders(
    taken: Mapping[Reading, np.ndarray], labels: np.ndarray, doubt: float, outputs: str | None
) -> list[Reading]:
    """Return the reading with pixels in [0, 1], or if others are clearly better, the best ones.

    `doubt` is by how many standard deviations. Of as accurate ones, the likelier is better.
    """
    known = {each: ~np.isnan(raw).any(axis=1) for each, raw in taken.items()}
    most = [each for each in taken if known[each].mean() > _MOST] or list(taken)
    top = {each: np.where(known[each], taken[each].argmax(axis=1), -1) for each in most}
    order = sorted(most, key=lambda each: (top[each] == labels).sum(), reverse=True)

    def better(reading: Reading, deviations: float) -> bool:
        """Whether the best is right more often, by the sign test, where both are numbers."""
        both = known[order[0]] & known[reading]
        ours, theirs = (top[each][both] == labels[both] for each in (order[0], reading))
        return _righter(ours, theirs, deviations)

    simple = sorted((each for each in order if each[1] in _SIMPLE), key=lambda each: each[1])
    if accuracy(top[order[0]], labels) <= words.MOST:
        return [*simple, order[0]][:1]
    as_accurate = [each for each in order if not better(each, _LIKELY)]
    rivals = [each for each in as_accurate if share(top[each] != top[order[0]]) > _SAME]
    found = list(dict.fromkeys([order[0], *rivals]))
    for each in simple:
        if not better(each, doubt):
            found = [each]
            break
        if not better(each, _CERTAIN):
            found = list(dict.fromkeys([*found, each]))
            break
    close = list(dict.fromkeys([*found, *as_accurate]))
    rows = np.logical_and.reduce([known[each] for each in close])
    if len(close) == 1 or not rows.any():
        return found
    logs = {each: _logs(taken[each][rows], outputs) for each in close}
    likeliest = min(logs, key=lambda each: float(_losses(logs[each], labels[rows]).mean()))
    others = [logs[each] for each in found if each != likeliest]
    if all(_likelier(logs[likeliest], other, labels[rows], _CERTAIN) for other in others):
        return [likeliest]
    if len(found) == 1 and _likelier(logs[likeliest], others[0], labels[rows], doubt):
        found.append(likeliest)
    return found


def _alike(
    taken: Mapping[Reading, np.ndarray],
    labels: np.ndarray,
    best: Reading,
    stated: str | None,
) -> tuple[str, ...]:
    """Return other kinds of pixels with which a model that works is as accurate, and as likely right."""
    if accuracy(taken[best].argmax(axis=1), labels) <= words.MOST:
        return ()
    found = []
    for each, raw in taken.items():
        both = ~np.isnan(taken[best]).any(axis=1) & ~np.isnan(raw).any(axis=1)
        if each[1] == best[1] or both.mean() <= _MOST:
            continue
        ours, theirs = taken[best][both], raw[both]
        right, less = (outputs.argmax(axis=1) == labels[both] for outputs in (ours, theirs))
        if _righter(right, less, _LIKELY):
            continue
        lost, more = (_losses(_logs(outputs, stated), labels[both]) for outputs in (ours, theirs))
        if not _less(lost, more, _LIKELY):
            found.append(spelled(each[1]))
    return tuple(dict.fromkeys(found))


def _righter(ours: np.ndarray, theirs: np.ndarray, deviations: float) -> bool:
    gained, lost = (ours & ~theirs).sum(), (theirs & ~ours).sum()
    return bool(gained - lost > deviations * np.sqrt(gained + lost))


def _logs(raw: np.ndarray, outputs: str | None) -> np.ndarray:
    return Predictions(raw, outputs_of(raw, outputs)).log_probabilities


def _losses(logs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.asarray(np.nan_to_num(losses(logs, labels), nan=_LOST))


def _likelier(ours: np.ndarray, theirs: np.ndarray, labels: np.ndarray, deviations: float) -> bool:
    """Whether our loss is less by as many deviations, and by half as many at the best temperature.

    The loss alone favours too small pixels, where those only scale the logits.
    """
    if not _less(_losses(ours, labels), _losses(theirs, labels), deviations):
        return False
    our, their = (_losses(tempered(logs, labels), labels) for logs in (ours, theirs))
    return _gains(our, their, deviations / 2)


def _less(ours: np.ndarray, theirs: np.ndarray, deviations: float) -> bool:
    """Whether losses (n,) are clearly less, and not just a little."""
    return bool(ours.mean() < _LIKELIER * theirs.mean()) and _gains(ours, theirs, deviations)


def _gains(ours: np.ndarray, theirs: np.ndarray, deviations: float) -> bool:
    gain = theirs - ours
    return bool(gain.mean() > deviations * gain.std() / np.sqrt(len(gain)))


def _trials(taken: Mapping[Reading, np.ndarray], labels: np.ndarray) -> dict[str, float]:
    """Return the best accuracy with each kind of pixels."""
    trials: dict[str, float] = {}
    for (_, pixels), raw in taken.items():
        measured = accuracy(raw.argmax(axis=1), labels)
        trials[spelled(pixels)] = max(measured, trials.get(spelled(pixels), 0.0))
    return trials


def _refusal(refused: dict[str, ModelError]) -> ModelError:
    """Return the error that is least like those of other shapes: they are about the shape."""
    kinds = {shape: re.sub(r"[\d(), \[\]]+", " ", str(error)) for shape, error in refused.items()}
    counts = Counter(kinds.values())
    shapes = list(refused) if len(counts) == 1 else reversed(refused)
    shape = min(shapes, key=lambda each: counts[kinds[each]])
    rest = ", ".join(each for each in refused if kinds[each] != kinds[shape])
    others = f"; others with --input-shape: {rest}" if rest else ""
    raised = " raised " in str(refused[shape]) and not _NOT_THE_CALL.search(str(refused[shape]))
    hint = _OTHER_CALLS if raised else ""
    if "positional argument" in str(refused[shape]):
        hint = " A function that trains is no model: name the model, or compare with --seeds K."
    on = f"for {_TRIED} float32 images of shape {shape}"
    return ModelError(f"{refused[shape]} ({on}){others}.{hint}")


def shapes_of(stated: Any) -> list[str]:
    """Return the names of the shapes that fit (784,), (n, 784), …; no integer fits any size."""
    if not isinstance(stated, tuple | list):
        return list(SHAPES)
    whole = [stated] if all(isinstance(size, int) for size in stated) else []
    return [
        name
        for name, shape in SHAPES.items()
        for sizes in (*whole, stated[1:])
        if len(sizes) == len(shape)
        and all(
            not isinstance(size, int) or size == own for size, own in zip(sizes, shape, strict=True)
        )
    ]


def _predicted(
    predict: Predict, images: np.ndarray, shape: str, pixels: Pixels, chunk: int
) -> np.ndarray:
    none, full = map(np.float32, pixels)
    parts = []
    for start in range(0, len(images), chunk):
        part = none + (full - none) * images[start : start + chunk]  # a model may write to it
        parts.append(predict(part.reshape(len(part), *SHAPES[shape])))
    if len({part.shape[1] for part in parts}) > 1:
        raise ModelError("it gave different numbers of classes for different images")
    return np.concatenate(parts)


def _mostly(
    predict: Predict, images: np.ndarray, shape: str, pixels: Pixels, chunk: int
) -> np.ndarray:
    """Return what `_predicted` does, and NaN for parts that make the model raise, if few do."""
    with suppress(ModelError):
        return _predicted(predict, images, shape, pixels, chunk)
    starts = range(0, len(images), _PART)
    parts: dict[int, np.ndarray] = {}
    failed = 0
    for start in starts:
        part = images[start : start + _PART]
        try:
            parts[start] = _predicted(predict, part, shape, pixels, chunk)
        except ModelError:
            failed += len(part)
            if failed > _MOST * len(images):
                raise
    classes = max(part.shape[1] for part in parts.values())
    raw = np.full((len(images), classes), np.nan)
    for start, part in parts.items():
        raw[start : start + len(part), : part.shape[1]] = part
    return raw
