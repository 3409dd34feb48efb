"""What a model does with images, whatever it does: a prediction for each, or a fault."""

import re
import time
from collections import deque
from contextlib import chdir
from pathlib import Path
from statistics import median
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
_SLOW = 4  # times the usual seconds for as many images
_LEAST = 1.0  # seconds: no shorter call is slow
_ALONE = 0.02  # seconds: no image is that takes less, alone
_CALLS = 4  # after so many it is known what is usual
_SLOW_ONES = 2  # that are looked for, as it takes long


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
        self.deadly: set[str] = set()  # kinds of faults that cost too much time to meet them often
        self.together: dict[str, int] = {}  # faults of batches whose images do no harm alone
        self._seconds: deque[float] = deque(maxlen=101)  # for an image, of each call
        self._slow_ones = 0
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

    def outcomes(self, images: np.ndarray, *, hung: bool = False) -> Outcomes:
        """Return what the model does with images (n, 784).

        A batch in which it raises is halved until it is clear for which images; one in which it ends
        or hangs is predicted one by one until it does so again, or until one takes far too long.
        """
        n = len(images)
        if self._restarts > _RESTARTS + _MORE or not n:
            return _unknown(n)
        try:
            start = time.monotonic()
            predictions = Predictions(self._predict(images), self.model.outputs)
            slow = self._slow(images, time.monotonic() - start, hung=hung)
        except ModelError as error:
            return self._apart(images, str(error).removeprefix(f"{self.model.name}: "))
        faults = np.where(predictions.finite, "", NO_NUMBER).astype(object)
        for row, fault in slow.items():
            faults[row] = fault
            self.deadly.add(kind_of(fault))
        good = faults == ""
        with np.errstate(all="ignore"):
            confidence = np.where(good, predictions.confidence, 0)
        return Outcomes(np.where(good, predictions.top, -1), confidence, faults)

    def _apart(self, images: np.ndarray, fault: str) -> Outcomes:
        n, ended = len(images), self._ended()
        parts: list[Outcomes] = []
        if ended:
            self.deadly.add(kind_of(fault))
        if n == 1:
            return _unknown(1)._replace(fault=np.array([fault], object))
        for part in np.split(images, range(1, n) if ended else [n // 2]):
            parts.append(self.outcomes(part, hung=ended))
            if ended and kind_of(parts[-1].fault[0]) in self.deadly:
                parts.append(_unknown(n - len(parts)))
                break
        outcomes = joined(parts)
        if not outcomes.fault.any() and not self.gave_up:
            self.together.setdefault(fault, n)
        return outcomes

    def _slow(self, images: np.ndarray, seconds: float, *, hung: bool) -> dict[int, str]:
        """Return which image makes a call far slower than others, and what to say of it.

        The images are predicted again until it is found: the last, whose dose is often the largest, and
        each half of the others. After a batch that `hung`, a call may be slow that takes less than a second.
        """
        usual = median(self._seconds) if len(self._seconds) >= _CALLS else np.inf
        rows, least = np.arange(len(images)), _ALONE if hung else _LEAST
        self._seconds.append(seconds / len(images))
        if seconds < max(least, _SLOW * usual * len(images)) or self._slow_ones == _SLOW_ONES:
            return {}
        plain = min(self._seconds_of(self._dataset.test_images[:1]) for _ in range(3))

        def slow(part: np.ndarray) -> bool:
            bound = max(_ALONE, _SLOW * (plain + usual * len(part)))
            return len(part) > 0 and self._seconds_of(images[part]) > bound

        while len(rows) > 1:
            first, second = np.array_split(rows[:-1], 2)
            rows = next((part for part in (rows[-1:], second, first) if slow(part)), rows[:0])
        if not slow(rows):  # once more: any call may be slow by chance
            return {}
        self._slow_ones += 1
        taken = 1000 * self._seconds_of(images[rows])
        return {int(rows[0]): f"takes {taken:.0f} ms alone, a plain digit {1000 * plain:.0f} ms"}

    def _seconds_of(self, images: np.ndarray) -> float:
        start = time.monotonic()
        self._predict(images)
        return time.monotonic() - start

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
