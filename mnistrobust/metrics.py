"""Arrays in, floats out. Labels and answers (n,), confidence (n,) in [0, 1]."""

import numpy as np

from mnistrobust.errors import ImageError

SURE = 0.9  # the document's bar: "a confidence above 90.0%"


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Return log-probabilities (n, classes), float64, of logits (n, classes)."""
    shifted: np.ndarray = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    log_probabilities: np.ndarray = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return log_probabilities


def accuracy(answers: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of answers that equal their label; NaN without answers."""
    return share(answers == labels)


def share(mask: np.ndarray) -> float:
    """Return the share of true values of a boolean array; NaN when it is empty."""
    return float(mask.mean()) if mask.size else float("nan")


def sure(confidence: np.ndarray, above: float = SURE) -> np.ndarray:
    """Return which answers have a confidence above 0.9, strictly, as in the document."""
    return confidence > above


def counts(answers: np.ndarray, classes: int) -> list[int]:
    """Return how often each of the labels 0…classes-1 is answered."""
    return [int(count) for count in np.bincount(answers.ravel(), minlength=classes)]


def confusion(labels: np.ndarray, answers: np.ndarray, classes: int) -> np.ndarray:
    """Return the matrix (classes, classes) of how often a label (row) got an answer (column).

    Raises ImageError for a label or an answer that is not in 0…classes-1.
    """
    for kind, values in (("labels", labels), ("answers", answers)):
        if values.size and not 0 <= values.min() <= values.max() < classes:
            raise ImageError(
                f"Expected {kind} in 0…{classes - 1}, received {values.min()}…{values.max()}; "
                f"pass the number of classes that the model and the labels have."
            )
    pairs = labels.ravel().astype(np.int64) * classes + answers.ravel()
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def largest_gap(left: list[int], right: list[int]) -> float:
    """Return the largest difference between two label distributions, given as counts."""
    size = max(len(left), len(right))
    one = np.array(left + [0] * (size - len(left))) / sum(left)
    other = np.array(right + [0] * (size - len(right))) / sum(right)
    return float(np.abs(one - other).max())
