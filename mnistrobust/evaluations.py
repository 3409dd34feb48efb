"""Evaluations of one model under one condition: prediction, confidence and loss of each image.

The store keeps these arrays. Figures are computed from them: a changed metric counts at once.
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

SAMPLES = 32  # single draws at pure noise
SAMPLE_IMAGES = 100  # pure-noise images that the document looks at


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation:
    """The predictions of one model under one condition.

    `labels`, `predictions` (uint8), `confidence` and `losses` (float32) have shape (draws, n):
    a row for each draw of the condition.
    """

    recipe: str
    condition: str
    seed: int
    dataset: str
    classes: int
    input_shape: tuple[int, ...]  # of one image as the model takes it
    labels: np.ndarray
    predictions: np.ndarray
    confidence: np.ndarray
    losses: np.ndarray  # cross-entropy in nats, from the logits

    def __repr__(self) -> str:
        """Name the network and the condition, with the accuracy where there is one."""
        told = f", accuracy {self.accuracy:.4f}" if self.has_truth else ""
        return f"<Evaluation: {self.recipe} on {self.condition}, seed {self.seed}, {self.dataset}{told}>"

    @property
    def n(self) -> int:
        """The number of predictions, over all draws."""
        return int(self.predictions.size)

    @property
    def has_truth(self) -> bool:
        """Whether the model has a class for every label; without a noise class, it has none for noise."""
        return int(self.labels.max(initial=0)) < self.classes

    @property
    def accuracy(self) -> float:
        """The share of right predictions; NaN if there is no right answer."""
        return metrics.accuracy(self.predictions, self.labels) if self.has_truth else float("nan")

    @property
    def loss(self) -> float:
        """The mean cross-entropy in nats; NaN if there is no right answer."""
        return float(self.losses.mean(dtype=np.float64)) if self.has_truth else float("nan")

    @property
    def draws(self) -> list[float]:
        """The accuracy of each draw."""
        pairs = zip(self.predictions, self.labels, strict=True)
        return [metrics.accuracy(predictions, labels) for predictions, labels in pairs]

    @property
    def singles(self) -> list["Evaluation"]:
        """The evaluation split into single draws like the document's; noise into 32 samples."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        if (self.labels == NOISE_LABEL).all():
            arrays = {name: _samples(each) for name, each in arrays.items()}
        single_draws = range(len(arrays["predictions"]))
        return [replace(self, **{k: v[i : i + 1] for k, v in arrays.items()}) for i in single_draws]

    @property
    def single_confidences(self) -> list[float]:
        """The confidence of the predictions for the first 32 images."""
        return [float(each) for each in self.confidence.ravel()[:SAMPLES]]

    @cached_property
    def label_counts(self) -> list[int]:
        """How often each class is predicted, over all draws."""
        return metrics.counts(self.predictions, self.classes)

    @property
    def true_counts(self) -> list[int]:
        """How often each class is the true label, over all draws."""
        return metrics.counts(self.labels, self.classes)

    @property
    def mean_confidence(self) -> float:
        """The mean probability of the predicted class."""
        return float(self.confidence.mean(dtype=np.float64))

    @property
    def confident(self) -> float:
        """The share of images predicted with a confidence above 0.9."""
        return metrics.share(metrics.confident(self.confidence))

    @property
    def confident_when_wrong(self) -> float:
        """The share of wrong predictions with a confidence above 0.9; 0 if none is wrong."""
        return self._confident_among(self.predictions != self.labels)

    @property
    def label_gap(self) -> float:
        """The largest difference between a class's share of predictions and its share of labels."""
        return metrics.largest_gap(self.label_counts, self.true_counts)

    def label_share(self, label: int) -> float:
        """Return the share of images predicted as `label`."""
        return metrics.share(self.predictions == label)

    def top_labels_share(self, k: int) -> float:
        """Return the share of images whose prediction is among the `k` most frequent ones."""
        return sum(sorted(self.label_counts)[-k:]) / self.n

    def confident_share(self, label: int) -> float:
        """Return the share of all images predicted as `label` with a confidence above 0.9."""
        return metrics.share((self.predictions == label) & metrics.confident(self.confidence))

    def confident_among(self, label: int) -> float:
        """Return the share with a confidence above 0.9 among images predicted as `label`; 0 if none is."""
        return self._confident_among(self.predictions == label)

    def _confident_among(self, mask: np.ndarray) -> float:
        return metrics.share(metrics.confident(self.confidence[mask])) if mask.any() else 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the figures that `mnistrobust evaluate --json` prints; null where undefined."""
        figures: dict[str, Any] = {
            "recipe": self.recipe,
            "condition": self.condition,
            "seed": self.seed,
            "dataset": self.dataset,
            "n": self.n,
            "accuracy": self.accuracy if self.has_truth else None,
            "loss": self.loss if self.has_truth else None,
            "label_counts": self.label_counts,
            "mean_confidence": self.mean_confidence,
            "share_above_0.9": self.confident,
            "wrong_share_above_0.9": self.confident_when_wrong,
        }
        if len(self.predictions) > 1:
            figures["draws"] = self.draws
        return figures

    def to_entry(self) -> Entry:
        """Return the evaluation as an entry of the store."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        names = ("recipe", "condition", "seed", "dataset", "classes")
        meta = {name: getattr(self, name) for name in names}
        return Entry(arrays, {**meta, "input_shape": list(self.input_shape)})

    @classmethod
    def from_entry(cls, entry: Entry) -> "Evaluation":
        """Return the evaluation from an entry that `to_entry` made."""
        meta = {name: value for name, value in entry.meta.items() if name != "key"}
        fields: dict[str, Any] = {**meta, **entry.tensors}
        return cls(**{**fields, "input_shape": tuple(meta["input_shape"])})


_ARRAYS = ("labels", "predictions", "confidence", "losses")


def evaluate(logits: Logits, draws: Draws, **facts: Any) -> Evaluation:
    """Evaluate a model, images (n, 784) to logits (n, classes), on the draws of a condition.

    `facts` are the other fields. A loss is 0 if the model has no class for the label.
    """
    rows: dict[str, list[np.ndarray]] = {name: [] for name in _ARRAYS}
    for images, labels in draws:
        log_probabilities = metrics.log_softmax(logits(images))
        predictions = log_probabilities.argmax(axis=1)
        index = np.arange(len(labels))
        known = labels < log_probabilities.shape[1]
        losses = -log_probabilities[index, np.where(known, labels, 0)] * known
        rows["labels"].append(labels.astype(np.uint8))
        rows["predictions"].append(predictions.astype(np.uint8))
        rows["confidence"].append(np.exp(log_probabilities[index, predictions]).astype(np.float32))
        rows["losses"].append(losses.astype(np.float32))
    arrays: dict[str, Any] = {name: np.stack(each) for name, each in rows.items()}
    return Evaluation(**arrays, **facts)


def _samples(array: np.ndarray) -> np.ndarray:
    """Return the first samples of one draw: (1, n) becomes (samples, 100)."""
    count = min(SAMPLES, array.shape[1] // SAMPLE_IMAGES)
    return array[0, : count * SAMPLE_IMAGES].reshape(count, SAMPLE_IMAGES)


def degenerate(evaluation: Evaluation, kind: str) -> Evaluation:
    """Return what a degenerate model predicts for the images of `evaluation`.

    `constant` always predicts 0, `always-noise` 10, `always-certain` the digits in turn, `perfect`
    the label, all with confidence 1; `always-unsure` the digits in turn with 0.1. As in Keras, a
    loss uses a probability of at least 1e-7. Raises KeyError for another kind.
    """
    in_turn = np.arange(evaluation.n, dtype=np.uint8).reshape(evaluation.predictions.shape) % 10
    predictions = {
        "constant": np.zeros_like(in_turn),
        "always-noise": np.full_like(in_turn, NOISE_LABEL),
        "always-certain": in_turn,
        "always-unsure": in_turn,
        "perfect": np.where(evaluation.labels < evaluation.classes, evaluation.labels, in_turn),
    }[kind]
    certainty = np.float32(0.1 if kind == "always-unsure" else 1.0)
    confidence = np.full(predictions.shape, certainty)
    right = np.where(
        predictions == evaluation.labels, certainty, (1 - certainty) / (evaluation.classes - 1)
    )
    losses = -np.log(np.maximum(right, np.float32(1e-7)))
    return replace(evaluation, predictions=predictions, confidence=confidence, losses=losses)
