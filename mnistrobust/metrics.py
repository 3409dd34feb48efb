"""Metrics: arrays in, figures out. Labels and predictions are (n,), confidence (n,) in [0, 1]."""

import numpy as np

from mnistrobust.errors import ImageError

CONFIDENT = 0.9  # the document's bar: "a confidence above 90.0%"


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Return the log-probabilities (n, classes), float64, for logits (n, classes)."""
    shifted: np.ndarray = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    log_probabilities: np.ndarray = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return log_probabilities


def accuracy(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of predictions that equal their label; NaN without predictions."""
    return share(predictions == labels)


def share(mask: np.ndarray) -> float:
    """Return the share of true values in a boolean array; NaN if it is empty."""
    return float(mask.mean()) if mask.size else float("nan")


def confident(confidence: np.ndarray, above: float = CONFIDENT) -> np.ndarray:
    """Return a mask of the predictions with a confidence strictly above 0.9, as in the document."""
    return confidence > above


def counts(predictions: np.ndarray, classes: int) -> list[int]:
    """Return how often each of the labels 0…classes-1 is predicted."""
    return [int(count) for count in np.bincount(predictions.ravel(), minlength=classes)]


def confusion(labels: np.ndarray, predictions: np.ndarray, classes: int) -> np.ndarray:
    """Return the confusion matrix (classes, classes): rows are labels, columns predictions.

    Raises ImageError for a label or a prediction that is not in 0…classes-1.
    """
    for kind, values in (("labels", labels), ("predictions", predictions)):
        if values.size and not 0 <= values.min() <= values.max() < classes:
            raise ImageError(
                f"Expected {kind} in 0…{classes - 1}, received {values.min()}…{values.max()}; "
                f"pass the number of classes that the model and the labels have."
            )
    pairs = labels.ravel().astype(np.int64) * classes + predictions.ravel()
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def largest_gap(left: list[int], right: list[int]) -> float:
    """Return the largest difference between two label distributions, given as counts."""
    size = max(len(left), len(right))
    one = np.array(left + [0] * (size - len(left))) / sum(left)
    other = np.array(right + [0] * (size - len(right))) / sum(right)
    return float(np.abs(one - other).max())
