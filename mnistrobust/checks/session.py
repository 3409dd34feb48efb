"""One model on one data set: its predictions for each set of inputs, computed once."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import linear_sum_assignment

from mnistrobust import words
from mnistrobust.checks.inputs import inputs_named
from mnistrobust.checks.metrics import log_of
from mnistrobust.checks.model import Model
from mnistrobust.checks.outputs import (
    LOG_PROBABILITIES,
    LOGITS,
    ModelError,
)
from mnistrobust.data import Dataset
from mnistrobust.metrics import log_softmax, share

Tell = Callable[[str], None]
_LEAST = -1e9  # keeps the loss of absurd logits a number


@dataclass(frozen=True, eq=False)
class Predictions:
    """Predictions for a set: `raw` (n, classes), as `outputs` says; `labels` (n,) or None."""

    raw: np.ndarray
    outputs: str
    labels: np.ndarray | None = None

    @cached_property
    def log_probabilities(self) -> np.ndarray:
        """Natural logarithms of the probabilities (n, classes), float64."""
        if self.outputs != LOGITS:
            logs = self.outputs == LOG_PROBABILITIES
            return log_of(np.exp(self.raw, dtype=np.float64) if logs else self.raw)
        with np.errstate(invalid="ignore", over="ignore"):  # infinity is for a check to report
            return np.asarray(np.maximum(log_softmax(self.raw), _LEAST))

    @cached_property
    def probabilities(self) -> np.ndarray:
        """The probabilities (n, classes), float64."""
        return np.asarray(np.exp(self.log_probabilities))

    @property
    def finite(self) -> np.ndarray:
        """Whether each image has numbers only (n,); the logarithm of 0 is one."""
        zero = np.isneginf(self.raw) & (self.outputs == LOG_PROBABILITIES)
        return np.asarray((np.isfinite(self.raw) | zero).all(axis=1))

    @property
    def top(self) -> np.ndarray:
        """The predicted class (n,); the first of several that are as probable."""
        return np.asarray(self.raw.argmax(axis=1))

    @property
    def confidence(self) -> np.ndarray:
        """The probability of the predicted class (n,)."""
        return np.asarray(self.probabilities.max(axis=1))

    @property
    def right(self) -> np.ndarray:
        """Whether each prediction is the label (n,)."""
        return np.asarray(self.top == self.labels)


class NotApplicableError(Exception):
    """The reason why a check says nothing about this model."""


class NoPredictionsError(Exception):
    """The reason why the model has no usable predictions for a set."""


class Session:
    """A model, a data set, and the predictions so far. `tell` hears the name of each set."""

    def __init__(self, model: Model, dataset: Dataset, tell: Tell = lambda _: None) -> None:
        """Predict nothing yet."""
        self.model = model
        self.dataset = dataset
        self._tell = tell
        self._predictions: dict[str, Predictions | NoPredictionsError] = {}

    def predictions(self, name: str) -> Predictions:
        """Return finite predictions; NoPredictionsError where there are none."""
        predictions = self.raw(name)
        if bad := int((~predictions.finite).sum()):
            total = len(predictions.raw)
            raise NoPredictionsError(f"NaN or infinity for {bad} of {total} images ({name})")
        return predictions

    @cached_property
    def broken(self) -> str | None:
        """Why the model does not work, where it is no better than the most frequent digit; else None."""
        try:
            predictions = self.predictions("clean")
        except (NoPredictionsError, NotApplicableError):
            return None  # checks say why
        measured, n = share(predictions.right), len(predictions.right)
        chance = np.bincount(self.dataset.test_labels).max() / n
        if measured > chance + 3 * np.sqrt(chance * (1 - chance) / n):
            return None
        most, images = Counter(predictions.top.tolist()).most_common(1)[0]
        for_ = "every image" if images == n else f"{images / n:.0%} of the images"
        hits = np.zeros((self.model.classes, self.model.classes))
        np.add.at(hits, (predictions.top, self.dataset.test_labels), 1)
        other = float(hits[linear_sum_assignment(hits, maximize=True)].sum()) / n
        order = f"; its columns may not be in the order 0 to 9: in another it is {other:.4f}"
        return (
            f"The model does not work: accuracy {measured:.4f} on clean digits is no better than "
            f"chance; it predicts {most} for {for_}{order * (other > words.MOST)}"
        )

    def raw(self, name: str) -> Predictions:
        """Return the model's predictions for a set unchecked; NoPredictionsError where it raised."""
        if name not in self._predictions:
            self._tell(name)
            images, labels = inputs_named(name, self.dataset)
            predict = self.model.predict
            try:
                raw = predict(images) if predict else self.model.recorded[name]
                self._predictions[name] = Predictions(raw, self.model.outputs, labels)
            except ModelError as error:
                self._predictions[name] = NoPredictionsError(f"{error} ({name})")
        predictions = self._predictions[name]
        if isinstance(predictions, NoPredictionsError):
            raise predictions
        return predictions

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Return probabilities (n, classes) for any images (n, 784), by a model that is here."""
        if self.model.predict is None:
            raise NotApplicableError("the predictions were made elsewhere")
        try:
            raw = self.model.predict(images)
        except ModelError as error:
            raise NoPredictionsError(str(error)) from error
        return Predictions(raw, self.model.outputs).probabilities
