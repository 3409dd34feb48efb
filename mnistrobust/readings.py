"""What one model does on one view: answers, confidence and loss for each image.

The store keeps them, so that every figure is computed from answers, at once and without
TensorFlow; a changed metric is never stale.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from mnistrobust import metrics
from mnistrobust.store import Entry
from mnistrobust.transforms import NOISE_LABEL

Logits = Callable[[np.ndarray], np.ndarray]
Draws = Iterator[tuple[np.ndarray, np.ndarray]]

SAMPLES = 32  # single looks at pure noise
SAMPLE_IMAGES = 100  # pure-noise images that the document looks at


@dataclass(frozen=True, kw_only=True, eq=False)
class Reading:
    """The answers of one model on one view.

    `labels`, `answers` (uint8), `confidence` and `losses` (float32) have shape (draws, n):
    a row for each draw of the view. `losses` is the cross-entropy in nats, from the logits.
    `input_shape` is the shape of one image as the model takes it.
    """

    recipe: str
    view: str
    seed: int
    dataset: str
    classes: int
    input_shape: tuple[int, ...]
    labels: np.ndarray
    answers: np.ndarray
    confidence: np.ndarray
    losses: np.ndarray

    @property
    def n(self) -> int:
        """The number of answers, over all draws."""
        return int(self.answers.size)

    @property
    def has_truth(self) -> bool:
        """Whether the labels are among the model's classes: a digit classifier has no noise."""
        return int(self.labels.max(initial=0)) < self.classes

    @property
    def accuracy(self) -> float:
        """The share of right answers; NaN where there is no right answer."""
        return metrics.accuracy(self.answers, self.labels) if self.has_truth else float("nan")

    @property
    def loss(self) -> float:
        """The mean cross-entropy in nats; NaN where there is no right answer."""
        return float(self.losses.mean(dtype=np.float64)) if self.has_truth else float("nan")

    @property
    def draws(self) -> list[float]:
        """The accuracy of each draw."""
        pairs = zip(self.answers, self.labels, strict=True)
        return [metrics.accuracy(answers, labels) for answers, labels in pairs]

    @property
    def singles(self) -> list["Reading"]:
        """The reading as single looks like the document's: each draw, or samples of pure noise.

        Of pure noise these are the first 32 disjoint samples of 100 images, as large as the
        document's one.
        """
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        if (self.labels == NOISE_LABEL).all():
            arrays = {name: _samples(each) for name, each in arrays.items()}
        looks = range(len(arrays["answers"]))
        return [replace(self, **{k: v[i : i + 1] for k, v in arrays.items()}) for i in looks]

    @property
    def single_confidences(self) -> list[float]:
        """The confidence in each of the first 32 images."""
        return [float(each) for each in self.confidence.ravel()[:SAMPLES]]

    @cached_property
    def label_counts(self) -> list[int]:
        """How often each class is answered, over all draws."""
        return metrics.counts(self.answers, self.classes)

    @property
    def true_counts(self) -> list[int]:
        """How often each class is the label, over all draws."""
        return metrics.counts(self.labels, self.classes)

    @property
    def mean_confidence(self) -> float:
        """The mean probability of the answered class."""
        return float(self.confidence.mean(dtype=np.float64))

    @property
    def sure(self) -> float:
        """The share of images answered with a confidence above 0.9."""
        return metrics.share(metrics.sure(self.confidence))

    @property
    def sure_when_wrong(self) -> float:
        """Among wrong answers, the share with a confidence above 0.9; 0 when none is wrong."""
        return self._sure_among(self.answers != self.labels)

    @property
    def label_gap(self) -> float:
        """The largest gap between the share of a class among answers and among labels."""
        return metrics.largest_gap(self.label_counts, self.true_counts)

    def label_share(self, label: int) -> float:
        """Return the share of images answered `label`."""
        return metrics.share(self.answers == label)

    def top_labels_share(self, k: int) -> float:
        """Return the share of images answered with one of the `k` most frequent answers."""
        return sum(sorted(self.label_counts)[-k:]) / self.n

    def sure_share(self, label: int) -> float:
        """Return the share of images answered `label` with a confidence above 0.9."""
        return metrics.share((self.answers == label) & metrics.sure(self.confidence))

    def sure_among(self, label: int) -> float:
        """Return the share above 0.9 among images answered `label`; 0 when none is."""
        return self._sure_among(self.answers == label)

    def _sure_among(self, mask: np.ndarray) -> float:
        return metrics.share(metrics.sure(self.confidence[mask])) if mask.any() else 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the figures that `mnistrobust measure --json` prints; null where undefined."""
        figures: dict[str, Any] = {
            "recipe": self.recipe,
            "view": self.view,
            "seed": self.seed,
            "dataset": self.dataset,
            "n": self.n,
            "accuracy": self.accuracy if self.has_truth else None,
            "loss": self.loss if self.has_truth else None,
            "label_counts": self.label_counts,
            "mean_confidence": self.mean_confidence,
            "share_above_0.9": self.sure,
            "wrong_share_above_0.9": self.sure_when_wrong,
        }
        if len(self.answers) > 1:
            figures["draws"] = self.draws
        return figures

    def to_entry(self) -> Entry:
        """Return the reading as the store keeps it."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        names = ("recipe", "view", "seed", "dataset", "classes")
        meta = {name: getattr(self, name) for name in names}
        return Entry(arrays, {**meta, "input_shape": list(self.input_shape)})

    @classmethod
    def from_entry(cls, entry: Entry) -> "Reading":
        """Return the reading that `to_entry` described."""
        meta = {name: value for name, value in entry.meta.items() if name != "key"}
        fields: dict[str, Any] = {**meta, **entry.tensors}
        return cls(**{**fields, "input_shape": tuple(meta["input_shape"])})


_ARRAYS = ("labels", "answers", "confidence", "losses")


def read(logits: Logits, draws: Draws, **facts: Any) -> Reading:
    """Read a model on the draws of a view.

    `logits` maps images (n, 784) to logits (n, classes); `facts` are the other fields of the
    Reading. The loss of an image whose label the model has no class for is 0.
    """
    rows: dict[str, list[np.ndarray]] = {name: [] for name in _ARRAYS}
    for images, labels in draws:
        log_probabilities = metrics.log_softmax(logits(images))
        answers = log_probabilities.argmax(axis=1)
        index = np.arange(len(labels))
        known = labels < log_probabilities.shape[1]
        losses = -log_probabilities[index, np.where(known, labels, 0)] * known
        rows["labels"].append(labels.astype(np.uint8))
        rows["answers"].append(answers.astype(np.uint8))
        rows["confidence"].append(np.exp(log_probabilities[index, answers]).astype(np.float32))
        rows["losses"].append(losses.astype(np.float32))
    arrays: dict[str, Any] = {name: np.stack(each) for name, each in rows.items()}
    return Reading(**arrays, **facts)


def _samples(array: np.ndarray) -> np.ndarray:
    """Return the first samples (samples, 100) of one draw (1, n)."""
    count = min(SAMPLES, array.shape[1] // SAMPLE_IMAGES)
    return array[0, : count * SAMPLE_IMAGES].reshape(count, SAMPLE_IMAGES)


def degenerate(reading: Reading, kind: str) -> Reading:
    """Return what a degenerate model answers where `reading` was taken.

    `constant` always answers 0 with certainty, `always-noise` 10; `always-certain` answers each
    digit in turn with certainty, `always-unsure` the same with a tenth; `perfect` is always
    right, and certain. A loss is at most that of the probability 1e-7, as in Keras. Raises
    KeyError for another kind.
    """
    in_turn = np.arange(reading.n, dtype=np.uint8).reshape(reading.answers.shape) % 10
    answers = {
        "constant": np.zeros_like(in_turn),
        "always-noise": np.full_like(in_turn, NOISE_LABEL),
        "always-certain": in_turn,
        "always-unsure": in_turn,
        "perfect": np.where(reading.labels < reading.classes, reading.labels, in_turn),
    }[kind]
    certainty = np.float32(0.1 if kind == "always-unsure" else 1.0)
    confidence = np.full(answers.shape, certainty)
    right = np.where(answers == reading.labels, certainty, (1 - certainty) / (reading.classes - 1))
    losses = -np.log(np.maximum(right, np.float32(1e-7)))
    return replace(reading, answers=answers, confidence=confidence, losses=losses)
