"""What a model does with images, whatever it does: a prediction for each, or a fault."""

import re
from contextlib import chdir
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mnistrobust.checks.model import Model
from mnistrobust.checks.opening import open_model
from mnistrobust.checks.outputs import ModelError
from mnistrobust.checks.session import Predictions
from mnistrobust.data import Dataset
from mnistrobust.errors import UsageError

BATCH = 500
NO_NUMBER = "returns NaN or infinity"
_SECONDS = 10.0  # for a batch; a model that takes longer hangs
_RESTARTS = 12  # of a model that ends or hangs, before the search ends
_MORE = 6  # for what comes after the search


class Outcomes(NamedTuple):
    """For each image the predicted class, its probability, and what went wrong, or "" (n,).

    The class is -1 where something went wrong, or where the model was not asked.
    """

    top: np.ndarray
    confidence: np.ndarray
    fault: np.ndarray


class Subject:
    """A model that is asked for many predictions and opened again when it has ended.

    `given` and `how` are what `open_model` takes, in `folder` (default: the working directory).
    """

    def __init__(
        self, given: Any, dataset: Dataset, *, folder: Path | None = None, **how: Any
    ) -> None:
        """Open the model; ModelError where it cannot be, UsageError where it cannot predict."""
        self._given, self._dataset, self._folder = given, dataset, folder or Path.cwd()
        self.how = how
        self._restarts = 0
        self.deadly: set[str] = set()  # kinds of faults after which it was opened again
        self.together: dict[str, int] = {}  # faults of batches whose images do no harm alone
        self.model = self._opened()
        self.how |= {
            name: getattr(self.model, name) for name in ("input_shape", "pixels", "outputs")
        }
        self._ended()  # while `open_model` tried what it takes

    def _opened(self) -> Model:
        with chdir(self._folder):
            model = open_model(self._given, self._dataset, call_seconds=_SECONDS, **self.how)
        if model.predict is None:
            raise UsageError(f"{model.name}: it holds predictions; name a model that predicts.")
        return model

    def _predict(self, images: np.ndarray) -> np.ndarray:
        assert self.model.predict is not None
        return self.model.predict(images)

    @property
    def gave_up(self) -> bool:
        """Whether the model ended or hung so often that the search should end."""
        return self._restarts > _RESTARTS

    def outcomes(self, images: np.ndarray) -> Outcomes:
        """Return what the model does with images (n, 784).

        A batch in which it raises is halved until it is clear for which images; one in which it ends
        or hangs is predicted one by one until it does so again.
        """
        n = len(images)
        if self._restarts > _RESTARTS + _MORE or not n:
            return _unknown(n)
        try:
            predictions = Predictions(self._predict(images), self.model.outputs)
        except ModelError as error:
            return self._apart(images, str(error).removeprefix(f"{self.model.name}: "))
        finite = predictions.finite
        with np.errstate(all="ignore"):
            confidence = np.where(finite, predictions.confidence, 0)
        faults = np.where(finite, "", NO_NUMBER).astype(object)
        return Outcomes(np.where(finite, predictions.top, -1), confidence, faults)

    def _apart(self, images: np.ndarray, fault: str) -> Outcomes:
        n, ended = len(images), self._ended()
        parts: list[Outcomes] = []
        if ended:
            self.deadly.add(kind_of(fault))
        if n == 1:
            return _unknown(1)._replace(fault=np.array([fault], object))
        for part in np.split(images, range(1, n) if ended else [n // 2]):
            parts.append(self.outcomes(part))
            if ended and kind_of(parts[-1].fault[0]) in self.deadly:
                parts.append(_unknown(n - len(parts)))
                break
        outcomes = joined(parts)
        if not outcomes.fault.any() and not self.gave_up:
            self.together.setdefault(fault, n)
        return outcomes

    def _ended(self) -> bool:
        """Whether the model predicts no more; it is then opened again, a few times."""
        try:
            self._predict(self._dataset.test_images[:1])
        except ModelError:
            self._restarts += 1
            if self._restarts <= _RESTARTS + _MORE:
                self.model = self._opened()
            return True
        return False


def kind_of(fault: str) -> str:
    """Return a fault without its numbers: the same for all images that meet it."""
    return re.sub(r"\d+", "#", fault)


def joined(parts: list[Outcomes]) -> Outcomes:
    """Return outcomes one after the other."""
    return Outcomes(*map(np.concatenate, zip(*parts, strict=True)))


def _unknown(n: int) -> Outcomes:
    return Outcomes(np.full(n, -1), np.zeros(n), np.full(n, "", object))
