"""The model under test: whatever answers images with logits or probabilities."""

import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np

from mnistrobust.battery.metrics import log_of
from mnistrobust.data import Dataset
from mnistrobust.errors import UsageError
from mnistrobust.metrics import log_softmax
from mnistrobust.transforms import NOISE_LABEL

Predict = Callable[[np.ndarray], np.ndarray]

PROBABILITIES, LOGITS, LOG_PROBABILITIES = "probabilities", "logits", "log-probabilities"
CLASSES = (10, 11)
SHAPES = MappingProxyType(
    {"784": (784,), "28x28": (28, 28), "28x28x1": (28, 28, 1), "1x28x28": (1, 28, 28)}
)
SUM_TOLERANCE = 1e-3  # sums of ten probabilities in float16 are off by less
_PROBES = 100
_CHUNK = 500  # images a call: the widest layer of a small CNN then takes some 300 MB
_LONGEST = 300  # characters of an error that is not ours


class ModelError(UsageError):
    """A model that cannot be found, called or understood."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A model: `predict` takes images (n, 784) and returns outputs (n, classes).

    `outputs` says what those are. Where predictions were made elsewhere, `recorded` holds them by
    input set, and there is no `predict`.
    """

    name: str
    outputs: str
    classes: int
    input_shape: str | None = None
    predict: Predict | None = None
    recorded: Mapping[str, np.ndarray] | None = None

    @property
    def has_noise_class(self) -> bool:
        """Whether the model has an answer for what is no digit: the eleventh class."""
        return self.classes == NOISE_LABEL + 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """What a model answers a set: `raw` (n, classes), as `outputs` says; `labels` (n,) or None."""

    raw: np.ndarray
    outputs: str
    labels: np.ndarray | None

    @cached_property
    def log_probabilities(self) -> np.ndarray:
        """Natural logarithms of the probabilities (n, classes), float64."""
        if self.outputs == PROBABILITIES:
            return log_of(self.raw)
        with np.errstate(invalid="ignore"):  # infinity is for a spec to say
            return log_softmax(self.raw)

    @cached_property
    def probabilities(self) -> np.ndarray:
        """The probabilities (n, classes), float64."""
        return np.asarray(np.exp(self.log_probabilities))

    @property
    def top(self) -> np.ndarray:
        """The answered class (n,); the first of several that are as probable."""
        return np.asarray(self.raw.argmax(axis=1))

    @property
    def confidence(self) -> np.ndarray:
        """The probability of the answered class (n,)."""
        return np.asarray(self.probabilities.max(axis=1))

    @property
    def right(self) -> np.ndarray:
        """Whether each answer is the label (n,)."""
        return np.asarray(self.top == self.labels)


def callable_of(model: Any, name: str) -> Predict:
    """Return the function that answers a batch, of any framework's model.

    Taken in this order: a `predict_proba` method (scikit-learn), a PyTorch module (in evaluation
    mode, without gradients), a Keras `predict`, the object itself where it can be called, and any
    other `predict`. Raises ModelError for anything else.
    """
    if isinstance(model, type):
        raise ModelError(f"{name} is a class; name a function or a trained model.")
    torch = sys.modules.get("torch")
    found: Any = getattr(model, "predict_proba", None)
    if found is None and torch is not None and isinstance(model, torch.nn.Module):
        return _of_torch(model, torch)
    if found is None:
        found = getattr(model, "predict", None)
        if found is not None and "verbose" in _parameters(found):
            return lambda images: model.predict(images, verbose=0)
        if callable(model):
            found = model
    if not callable(found):
        kind = type(model).__name__
        raise ModelError(f"{name} is no model: expected a callable, received {kind}.")
    taken: Predict = found
    return taken


def subject_of(
    model: Any,
    name: str,
    dataset: Dataset,
    *,
    input_shape: str | None = None,
    outputs: str | None = None,
) -> Subject:
    """Find out how a model is to be asked, on 100 digits, and return it as a subject.

    `input_shape` is one of 784, 28x28, 28x28x1 and 1x28x28: by default the one with the most right
    answers, of those that the model takes. `outputs` is "logits" or "probabilities": by default
    what their values say. Raises ModelError, in one line, where the model raises, or gives
    anything but numbers (n, classes).
    """
    call = callable_of(model, name)
    images, labels = (
        each[dataset.subset[:_PROBES]] for each in (dataset.test_images, dataset.test_labels)
    )
    tried: dict[str, np.ndarray] = {}
    refused: dict[str, ModelError] = {}
    for shape in [input_shape] if input_shape else _shapes_of(model):
        try:
            tried[shape] = _asked(call, name, images, shape)
        except ModelError as error:
            refused[shape] = error
    if not tried:
        shape, first = next(iter(refused.items()))
        others = [each for each, other in refused.items() if str(other) != str(first)]
        remedy = f"; name another shape with --input-shape: {', '.join(others)}" if others else ""
        raise ModelError(f"{first} (for images of shape {shape}){remedy}.") from first

    def fitness(shape: str) -> tuple[bool, float]:
        found = tried[shape]
        return found.shape[1] in CLASSES, float((found.argmax(axis=1) == labels).mean())

    best = max(tried, key=fitness)
    return Subject(
        name=name,
        outputs=outputs_of(tried[best], outputs),
        classes=tried[best].shape[1],
        input_shape=best,
        predict=lambda given: _asked(call, name, given, best),
    )


def outputs_of(found: np.ndarray, stated: str | None = None) -> str:
    """Return what outputs (n, classes) are, by their values where it is not stated.

    Values in [0, 1] are probabilities, whether or not they sum to one: that is for a spec to say.
    What is stated as logits is log-probabilities where the exponentials of all rows sum to one.
    """
    values = found[np.isfinite(found).all(axis=1)].astype(np.float64)
    if stated == PROBABILITIES or (
        stated is None and (values >= -SUM_TOLERANCE).all() and (values <= 1 + SUM_TOLERANCE).all()
    ):
        return PROBABILITIES
    with np.errstate(over="ignore"):
        sums = np.exp(values).sum(axis=1)
    ones = (np.abs(sums - 1) < SUM_TOLERANCE).all()
    return LOG_PROBABILITIES if ones and len(values) else LOGITS


def checked_outputs(found: Any, n: int, name: str) -> np.ndarray:
    """Return a model's answer to `n` images as a float array (n, classes), or raise ModelError."""
    if hasattr(found, "detach"):
        found = found.detach().cpu().numpy()
    try:
        values = np.asarray(found)
    except (ValueError, TypeError) as error:
        raise ModelError(f"{name} gave no array: {told(error)}") from error
    numbers = np.issubdtype(values.dtype, np.number) and not np.iscomplexobj(values)
    if values.ndim != 2 or len(values) != n or not numbers or not values.shape[1]:
        hint = ""
        if values.shape in {(n,), (n, 1)}:
            hint = "; these look like labels: name what gives scores, as model.decision_function"
        raise ModelError(
            f"{name}: expected logits or probabilities of shape ({n}, 10) or ({n}, 11), received "
            f"{values.shape} of {values.dtype}{hint}"
        )
    return values if values.dtype == np.float64 else values.astype(np.float32)


def told(error: BaseException) -> str:
    """Return the kind and the first line of an error that is not ours."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {text}"[:_LONGEST]


def _asked(call: Predict, name: str, images: np.ndarray, shape: str) -> np.ndarray:
    """Ask in chunks, each a copy of its own: a model may write to its input."""
    parts = []
    for start in range(0, len(images), _CHUNK):
        chunk = np.array(images[start : start + _CHUNK], np.float32)
        try:
            found = call(chunk.reshape(len(chunk), *SHAPES[shape]))
        except Exception as error:  # the model is the user's: it may raise anything
            raise ModelError(f"{name} raised {told(error)}") from error
        parts.append(checked_outputs(found, len(chunk), name))
    if len({each.shape[1] for each in parts}) > 1:
        raise ModelError(f"{name} gave different numbers of classes for different images.")
    return np.concatenate(parts)


def _shapes_of(model: Any) -> list[str]:
    """Return the shapes to try: the one that a Keras model states, or all."""
    stated = getattr(model, "input_shape", None)
    if isinstance(stated, tuple):
        known = [name for name, shape in SHAPES.items() if shape == stated[1:]]
        if known:
            return known
    return list(SHAPES)


def _of_torch(model: Any, torch: Any) -> Predict:
    model.eval()
    where = next(model.parameters(), torch.empty(0)).device

    def predict(images: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return np.asarray(model(torch.from_numpy(images).to(where)).cpu().numpy())

    return predict


def _parameters(function: Any) -> Mapping[str, Any]:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):  # some built-in functions have none
        return {}
