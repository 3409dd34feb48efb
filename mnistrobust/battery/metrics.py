"""Every metric of the battery, each by a named convention.

`outputs` are logits (n, classes) or log-probabilities, `log_probabilities` natural logarithms
(n, classes), `labels` (n,) in 0…classes-1, `confidence` (n,) in [0, 1], `right` (n,) booleans or
shares in [0, 1]; a score (n,) is higher for what looks like a digit. Nothing is random but the
intervals, which take a generator. Empty sets raise ValueError.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

BINS = 15  # Guo et al. (2017)
RESAMPLES = 1000
LEVEL = 0.95  # of an interval
RECALL = 0.95  # at which FPR95 is read


def nll(log_probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean negative log-likelihood in nats; 0 at best.

    Convention: `sklearn.metrics.log_loss` with `normalize=True`. Probabilities are cut as there
    before their logarithm is taken (`log_of`), which bounds a loss by 36; logits are not cut.
    """
    return float(losses(log_probabilities, labels).mean())


def brier(log_probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean over images of the *sum* over classes of squared errors, in [0, 2].

    Convention: Brier (1950), equation 2; `sklearn.metrics.brier_score_loss` with
    `scale_by_half=False`. Libraries that average over the classes give a tenth of it.
    """
    return float(squared_errors(log_probabilities, labels).mean())


def losses(log_probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the negative log-likelihood of each image (n,), in nats: `nll` is their mean."""
    return np.asarray(-log_probabilities[np.arange(len(_filled(labels))), labels])


def squared_errors(log_probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the squared error of each image (n,), summed over classes: `brier` is their mean."""
    errors = np.exp(log_probabilities)
    errors[np.arange(len(_filled(labels))), labels] -= 1
    return np.asarray((errors**2).sum(axis=1))


def answers_only(right: np.ndarray, classes: int) -> dict[str, float]:
    """Return `nll` and `brier` of the best predictor that knows only the answers and their accuracy.

    It gives each answer the probability `accuracy`, and the other classes equal parts of the
    rest: the reference forecast of a skill score (Murphy, 1973), here for answers.
    """
    accuracy = float(_filled(right).mean())
    wrong, others = 1 - accuracy, classes - 1
    loss = -sum(
        share * np.log(probability)
        for share, probability in ((accuracy, accuracy), (wrong, wrong / others))
        if share
    )
    hit = wrong**2 + others * (wrong / others) ** 2
    miss = accuracy**2 + (1 - wrong / others) ** 2 + (others - 1) * (wrong / others) ** 2
    return {"nll": float(loss), "brier": float(accuracy * hit + wrong * miss)}


@dataclass(frozen=True, kw_only=True)
class Bins:
    """A reliability diagram's data: of each bin its size, mean confidence and accuracy.

    `low` and `high` are the smallest and largest confidence that the bin takes, arrays (bins,);
    bins without an image are left out.
    """

    count: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def error(self) -> float:
        """The expected calibration error: the gaps' mean, weighted by the bins' sizes."""
        gaps = np.abs(self.confidence - self.accuracy)
        return float((self.count * gaps).sum() / self.count.sum())


def equal_width(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> Bins:
    """Return bins of equal width: ((i - 1)/bins, i/bins], the first with 0.

    Convention: Guo et al. (2017), "On calibration of modern neural networks", equations 2 and 3,
    for the answered class alone; as `sklearn.calibration.calibration_curve` with
    `strategy="uniform"`. The last, most confident bin counts.
    """
    edges = np.linspace(0, 1, bins + 1)
    index = np.searchsorted(edges[1:-1], _filled(confidence))
    return _binned(index, confidence, right, bins, edges[:-1], edges[1:])


def equal_mass(confidence: np.ndarray, right: np.ndarray, bins: int = BINS) -> Bins:
    """Return bins of equally many images, in the order of confidence; the first may have one more.

    Convention: Nguyen and O'Connor (2015), "Posterior calibration and exploratory analysis for
    natural language processing models", adaptive bins, for the answered class alone. Images of
    the same confidence count with their mean accuracy, so that their order changes nothing.
    """
    confidence = _filled(confidence)
    order = np.argsort(confidence, kind="stable")
    _, group = np.unique(confidence, return_inverse=True)
    shared = (np.bincount(group, right) / np.bincount(group))[group]
    parts = [part for part in np.array_split(order, bins) if len(part)]
    index = np.empty(len(confidence), np.int64)
    for number, part in enumerate(parts):
        index[part] = number
    low = np.array([confidence[part[0]] for part in parts])
    high = np.array([confidence[part[-1]] for part in parts])
    return _binned(index, confidence, shared, len(parts), low, high)


def interval(
    statistic: Callable[[np.ndarray], float], n: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a statistic of image numbers (n,), cut at 0.

    Convention: the basic interval of `scipy.stats.bootstrap`, 1,000 resamples (Davison and
    Hinkley, 1997, 5.2): twice the estimate less the quantiles. A calibration error is larger on
    resamples than on the images, and this takes the surplus off, where percentiles add it.
    """
    from scipy.stats import bootstrap

    found = bootstrap(
        (np.arange(n),),
        statistic,
        vectorized=False,
        n_resamples=RESAMPLES,
        confidence_level=LEVEL,
        method="basic",
        rng=rng,
    ).confidence_interval
    return max(0.0, float(found.low)), max(0.0, float(found.high))


def msp(log_probabilities: np.ndarray) -> np.ndarray:
    """Return the maximum softmax probability, in [0, 1].

    Convention: Hendrycks and Gimpel (2017), "A baseline for detecting misclassified and
    out-of-distribution examples"; the baseline that other scores are compared with.
    """
    top: np.ndarray = np.exp(log_probabilities.max(axis=1))
    return top


def energy(logits: np.ndarray) -> np.ndarray:
    """Return the negative free energy, log sum exp of logits, at temperature 1.

    Convention: Liu et al. (2020), "Energy-based out-of-distribution detection", equation 4, with
    its sign turned: higher for digits. Of log-probabilities it is 0 throughout, and says nothing.
    """
    top = logits.max(axis=1, keepdims=True).astype(np.float64)
    found: np.ndarray = top[:, 0] + np.log(np.exp(logits - top).sum(axis=1))
    return found


def negative_entropy(log_probabilities: np.ndarray) -> np.ndarray:
    """Return the sum of p log p in nats, in [-log classes, 0]: the entropy with its sign turned.

    Convention: Shannon's entropy, as `scipy.stats.entropy`; 0 log 0 is 0.
    """
    finite = np.where(np.isneginf(log_probabilities), 0.0, log_probabilities)
    return np.asarray((np.exp(log_probabilities) * finite).sum(axis=1))


def auroc(digits: np.ndarray, others: np.ndarray) -> float:
    """Return the probability that a digit scores above another input, ties counted half.

    Convention: the Mann-Whitney statistic (Hanley and McNeil, 1982);
    `sklearn.metrics.roc_auc_score`. 0.5 is chance.
    """
    from scipy.stats import rankdata

    n, m = len(_filled(digits)), len(_filled(others))
    ranks = rankdata(np.concatenate([digits, others]))[:n]
    return float((ranks.sum() - n * (n + 1) / 2) / (n * m))


def aupr(positive: np.ndarray, negative: np.ndarray) -> float:
    """Return the area under the precision-recall curve, positives being those that score high.

    Convention: average precision, steps without interpolation, equal scores taken together;
    `sklearn.metrics.average_precision_score`. Chance is the share of positives. AUPR-in takes
    digits as positives; AUPR-out the other inputs, with all scores negated.
    """
    hits, alarms = _curve(positive, negative)
    gained = np.diff(hits, prepend=0) / len(positive)
    return float((gained * hits / (hits + alarms)).sum())


def fpr95(positive: np.ndarray, negative: np.ndarray) -> float:
    """Return the share of negatives at or above the highest threshold that keeps 95 % of positives.

    Convention: a threshold is one of the scores and keeps what is at or above it; no
    interpolation. Two opposite uses circulate: `fpr95_digits_positive`, with digits as positives
    (Liang et al., 2018, "ODIN"), is the share of other inputs accepted where 95 % of the digits
    are; `fpr95_others_positive`, with all scores negated (Hendrycks et al., 2019, "Outlier
    exposure"), the share of digits refused where 95 % of the other inputs are.
    """
    hits, alarms = _curve(positive, negative)
    first = int(np.argmax(hits / len(positive) >= RECALL))
    return float(alarms[first] / len(negative))


def detection(digits: np.ndarray, others: np.ndarray) -> dict[str, float]:
    """Return how well a score tells digits from other inputs, by the names of its conventions."""
    return {
        "auroc": auroc(digits, others),
        "aupr_in": aupr(digits, others),
        "aupr_out": aupr(-others, -digits),
        "fpr95_digits_positive": fpr95(digits, others),
        "fpr95_others_positive": fpr95(-others, -digits),
    }


def log_of(probabilities: np.ndarray) -> np.ndarray:
    """Return logarithms (n, classes), float64, of probabilities, which are cut and scaled first.

    Convention: `sklearn.metrics.log_loss` on float64: cut to [2.2e-16, 1 - 2.2e-16]. Rows are
    scaled to sum to one, as a model in float32 does not quite.
    """
    values = np.asarray(probabilities, np.float64)
    total = values.sum(axis=1, keepdims=True)
    values = np.divide(values, total, out=values.copy(), where=total > 0)
    tiny = np.finfo(np.float64).eps
    return np.asarray(np.log(np.clip(values, tiny, 1 - tiny)))


def _binned(
    index: np.ndarray,
    confidence: np.ndarray,
    right: np.ndarray,
    bins: int,
    low: np.ndarray,
    high: np.ndarray,
) -> Bins:
    count = np.bincount(index, minlength=bins)
    filled = count > 0
    means = [
        np.bincount(index, values, minlength=bins)[filled] / count[filled]
        for values in (confidence, right)
    ]
    return Bins(
        count=count[filled],
        confidence=means[0],
        accuracy=means[1],
        low=low[filled],
        high=high[filled],
    )


def _curve(positive: np.ndarray, negative: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how many of each lie at or above every distinct score, from the highest down."""
    scores = np.unique(np.concatenate([_filled(positive), _filled(negative)]))[::-1]
    kept = [len(each) - np.searchsorted(np.sort(each), scores) for each in (positive, negative)]
    return kept[0], kept[1]


def _filled(values: np.ndarray) -> np.ndarray:
    if not len(values):
        raise ValueError("Expected at least one value, received none.")
    return values
