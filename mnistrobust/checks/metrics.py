"""Every metric of the checks, each by a named convention.

`outputs` are logits (n, classes), `log_probabilities` natural logarithms (n, classes), `labels` (n,),
`confidence` (n,) in [0, 1], `right` (n,) booleans or shares; a score (n,) is higher for digits. Only
intervals are random, by a generator. No set is empty.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import entr, logsumexp, xlogy

from mnistrobust.metrics import log_softmax

BINS = 15  # Guo et al. (2017)
RESAMPLES = 1000
LEVEL = 0.95  # of an interval
RECALL = 0.95  # at which FPR95 is read
_DECIMALS = 12  # of a sum over classes: their order, or the processor, breaks no tie


def losses(log_probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the negative log-likelihoods (n,), in nats; their mean is scikit-learn's `log_loss`."""
    return np.asarray(-log_probabilities[np.arange(len(labels)), labels])


def tempered(log_probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return `log_probabilities` at the temperature, of 61, with the lowest loss: Guo et al. (2017)."""
    return min(
        (log_softmax(log_probabilities / each) for each in np.geomspace(1e-3, 1e3, 61)),
        key=lambda logs: float(losses(logs, labels).mean()),
    )


def squared_errors(log_probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the *sums* over classes of squared errors (n,), in [0, 2]: Brier (1950), equation 2."""
    errors = np.exp(log_probabilities)
    errors[np.arange(len(labels)), labels] -= 1
    return np.asarray((errors**2).sum(axis=1))


def labels_only(right: np.ndarray, classes: int) -> dict[str, float]:
    """Return `nll` and `brier` of a predictor that knows only predicted labels and their accuracy.

    The label has Laplace's estimate of the accuracy as its probability, (hits + 1) / (n + 2), the other classes
    equal parts of the rest (Murphy, 1973). It is at most as bad as equal probabilities.
    """
    n, hits, others = len(right), float(right.sum()), classes - 1
    told = (hits + 1) / (n + 2)
    accuracy, rest = hits / n, (1 - told) / others
    loss = -(xlogy(accuracy, told) + xlogy(1 - accuracy, rest))
    error = told**2 + others * rest**2 + 1 - 2 * (accuracy * told + (1 - accuracy) * rest)
    return {"nll": min(float(loss), float(np.log(classes))), "brier": min(error, 1 - 1 / classes)}


@dataclass(frozen=True, kw_only=True)
class Bins:
    """A reliability diagram's data, arrays (bins,); bins without an image are left out."""

    count: np.ndarray
    confidence: np.ndarray  # means
    accuracy: np.ndarray
    low: np.ndarray  # the confidences that a bin takes
    high: np.ndarray

    @property
    def error(self) -> float:
        """The expected calibration error: the gaps' mean, weighted by the bins' sizes."""
        gaps = np.abs(self.confidence - self.accuracy)
        return float((self.count * gaps).sum() / self.count.sum())


def equal_width(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> Bins:
    """Return bins of equal width, ((i - 1)/bins, i/bins], the first with 0: Guo et al. (2017)."""
    edges = np.arange(bins + 1) / bins
    return _binned(bins_of(confidence, bins), confidence, right, edges[:-1], edges[1:])


def bins_of(confidence: np.ndarray, bins: int = BINS) -> np.ndarray:
    """Return the number of the bin of equal width, from 0, that each confidence lies in."""
    return np.searchsorted(np.arange(1, bins) / bins, confidence)


def equal_mass(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> Bins:
    """Return bins of equally many images, by confidence; the first may have one more.

    The adaptive bins of Nguyen and O'Connor (2015). Ties count with their mean accuracy.
    """
    order = np.argsort(confidence, kind="stable")
    _, group = np.unique(confidence, return_inverse=True)
    shared = (np.bincount(group, right) / np.bincount(group))[group]
    parts = [part for part in np.array_split(order, bins) if len(part)]
    index = np.empty(len(confidence), np.int64)
    index[order] = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    low, high = (confidence[[part[end] for part in parts]] for end in (0, -1))
    return _binned(index, confidence, shared, low, high)


def interval(
    statistic: Callable[[np.ndarray], float], n: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Return the 95% bootstrap interval of a statistic of image numbers (n,), cut at 0.

    SciPy's basic interval (Davison and Hinkley, 1997, 5.2): a calibration error is larger on
    resamples than on the images, and this takes the surplus off, where percentiles add it. Extended
    to the value of the images, where that lies outside.
    """
    from scipy.stats import bootstrap

    value = float(statistic(np.arange(n)))
    bounds = bootstrap(
        (np.arange(n),),
        statistic,
        vectorized=False,
        n_resamples=RESAMPLES,
        confidence_level=LEVEL,
        method="basic",
        rng=rng,
    ).confidence_interval
    return max(0.0, min(value, float(bounds.low))), max(value, float(bounds.high))


def msp(log_probabilities: np.ndarray) -> np.ndarray:
    """Return the maximum softmax probability, in [0, 1]: Hendrycks and Gimpel (2017)."""
    return np.asarray(np.exp(log_probabilities.max(axis=1)))


def energy(logits: np.ndarray) -> np.ndarray:
    """Return the negative free energy, log sum exp of logits: Liu et al. (2020), equation 4."""
    return np.asarray(np.round(logsumexp(logits.astype(np.float64), axis=1), _DECIMALS))


def negative_entropy(log_probabilities: np.ndarray) -> np.ndarray:
    """Return the sum of p log p in nats, in [-log classes, 0]; 0 log 0 is 0."""
    return np.asarray(np.round(-entr(np.exp(log_probabilities)).sum(axis=1), _DECIMALS))


def detection(digits: np.ndarray, others: np.ndarray) -> dict[str, float]:
    """Return how well a score tells digits (n,) from other inputs (m,), each figure in [0, 1].

    `aupr_in` is average precision with digits as positives, `aupr_out` with the others. FPR95 at 95% of digits
    is Liang et al.'s (2018, "ODIN"); at 95% of the others, Hendrycks et al.'s (2019).
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    scores = np.concatenate([digits, others])
    inside = np.repeat([True, False], [len(digits), len(others)])
    return {
        "auroc": float(roc_auc_score(inside, scores)),
        "aupr_in": float(average_precision_score(inside, scores)),
        "aupr_out": float(average_precision_score(~inside, -scores)),
        "fpr95_digits_positive": fpr95(inside, scores),
        "fpr95_others_positive": fpr95(~inside, -scores),
    }


def fpr95(positive: np.ndarray, scores: np.ndarray) -> float:
    """Return the share of negatives at or above the highest score that keeps 95% of positives."""
    from sklearn.metrics import roc_curve

    alarms, hits, _ = roc_curve(positive, scores, drop_intermediate=False)
    return float(alarms[np.argmax(hits >= RECALL)])


def log_of(probabilities: np.ndarray) -> np.ndarray:
    """Return logarithms (n, classes), float64, of probabilities, cut and scaled as by scikit-learn."""
    values = np.asarray(probabilities, np.float64)
    total = values.sum(axis=1, keepdims=True)
    values = np.divide(values, total, out=values.copy(), where=total > 0)
    tiny = np.finfo(np.float64).eps
    return np.asarray(np.log(np.clip(values, tiny, 1 - tiny)))


def _binned(
    index: np.ndarray, confidence: np.ndarray, right: np.ndarray, low: np.ndarray, high: np.ndarray
) -> Bins:
    sums = [np.bincount(index, weights, len(low)) for weights in (None, confidence, right)]
    filled = sums[0] > 0
    count, *totals = (each[filled] for each in sums)
    mean, accuracy = (total / count for total in totals)
    return Bins(count=count, confidence=mean, accuracy=accuracy, low=low[filled], high=high[filled])
