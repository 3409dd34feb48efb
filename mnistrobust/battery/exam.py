"""What the specs look at: the answers of one model to the battery's inputs, each asked for once."""

from collections.abc import Callable

import numpy as np

from mnistrobust.battery.inputs import FAMILIES, InputSet, made
from mnistrobust.battery.subject import CLASSES, Answers, ModelError, Subject
from mnistrobust.data import Dataset

Tell = Callable[[str], None]


class NotApplicableError(Exception):
    """A spec says nothing about this model; the text is the reason."""


class UnansweredError(Exception):
    """The model gave no usable answers to a set; the text is the reason."""


class Exam:
    """A model, a data set, and what the model answered so far. `tell` hears each set's name."""

    def __init__(self, subject: Subject, dataset: Dataset, tell: Tell = lambda _: None) -> None:
        """Ask nothing yet."""
        self.subject = subject
        self.dataset = dataset
        self._tell = tell
        self._answers: dict[str, Answers | UnansweredError] = {}

    def inputs(self, name: str) -> InputSet:
        """Return the images of a set; they are made anew each time, and cost less than to keep."""
        return made(name, self.dataset)

    def answers(self, name: str) -> Answers:
        """Return the model's answers to a set, all of them finite.

        Raises NotApplicableError where the model has another number of classes than 10 or 11, and
        UnansweredError where it raised or gave NaN or infinity.
        """
        found = self.raw(name)
        if found.raw.shape[1] not in CLASSES:
            raise NotApplicableError("needs 10 or 11 classes: see output_shape")
        bad = int((~np.isfinite(found.raw).all(axis=1)).sum())
        if bad:
            raise UnansweredError(f"NaN or infinity for {bad} of {len(found.raw)} images ({name})")
        return found

    def raw(self, name: str) -> Answers:
        """Return the model's answers to a set as they are; UnansweredError where it raised."""
        if name not in self._answers:
            self._tell(name)
            self._answers[name] = self._ask(name)
        found = self._answers[name]
        if isinstance(found, UnansweredError):
            raise found
        return found

    def ask(self, images: np.ndarray) -> np.ndarray:
        """Return the model's probabilities (n, classes) of any images (n, 784), asked at once.

        Raises NotApplicableError where the predictions were made elsewhere.
        """
        predict = self.subject.predict
        if predict is None:
            raise NotApplicableError("the predictions were made elsewhere")
        try:
            raw = predict(images)
        except ModelError as error:
            raise UnansweredError(str(error)) from error
        return Answers(raw=raw, outputs=self.subject.outputs, labels=None).probabilities

    def _ask(self, name: str) -> Answers | UnansweredError:
        subject, given = self.subject, self.inputs(name)
        if subject.recorded is not None:
            raw = subject.recorded[name]
        elif subject.predict is not None:
            try:
                raw = subject.predict(given.images)
            except ModelError as error:
                return UnansweredError(f"{error} ({name})")
        return Answers(raw=raw, outputs=subject.outputs, labels=given.labels)


def set_names() -> tuple[str, ...]:
    """Return the names of all sets, in the order in which they are asked for."""
    return tuple(FAMILIES)
