"""The metrics of the checks against plain Python loops, and scikit-learn where it agrees."""

import math

import numpy as np
import pytest

from mnistrobust.checks import metrics

SEEDS = range(4)


def predictions(seed, n=97, classes=10):
    """Log-probabilities of sharp and of flat rows, a few of them equal, with labels."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, classes)) * rng.choice([0.1, 1, 4], (n, 1))
    logits[n // 2 : n // 2 + 9] = logits[0]
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return logs, rng.integers(0, classes, n)


def two_scores(seed, n=40, m=31):
    """Scores of digits and of others, with many ties within and between them."""
    rng = np.random.default_rng(seed)
    return rng.integers(2, 12, n) / 10, rng.integers(0, 10, m) / 10


@pytest.mark.parametrize("seed", SEEDS)
def test_nll_is_the_mean_logarithm_of_the_labels_probability(seed):
    """In nats, over images."""
    logs, labels = predictions(seed)
    loop = [-row[label] for row, label in zip(logs.tolist(), labels.tolist(), strict=True)]

    assert metrics.losses(logs, labels).mean() == pytest.approx(math.fsum(loop) / len(loop))


@pytest.mark.parametrize("seed", SEEDS)
def test_brier_is_summed_over_classes(seed):
    """A certain wrong prediction costs 2, not 2 / classes."""
    logs, labels = predictions(seed)
    loop = [
        sum((math.exp(row[k]) - (k == label)) ** 2 for k in range(10))
        for row, label in zip(logs.tolist(), labels.tolist(), strict=True)
    ]

    assert metrics.squared_errors(logs, labels).mean() == pytest.approx(math.fsum(loop) / len(loop))
    certain = np.log(np.array([[1e-300, 1.0]]))
    assert metrics.squared_errors(certain, np.array([0])) == pytest.approx(2)


@pytest.mark.parametrize("seed", SEEDS)
def test_labels_alone_are_scored_as_what_they_predict(seed):
    """The baseline is the NLL and Brier of probabilities of Laplace's estimate of the accuracy."""
    rng = np.random.default_rng(seed)
    labels, given = rng.integers(0, 10, 200), rng.integers(0, 10, 200)
    given[: 50 * seed] = labels[: 50 * seed]
    right = given == labels
    told = (right.sum() + 1) / 202
    made = np.full((200, 10), (1 - told) / 9)
    made[np.arange(200), given] = told

    found = metrics.labels_only(right, 10)
    assert found["nll"] == pytest.approx(metrics.losses(np.log(made), labels).mean())
    assert found["brier"] == pytest.approx(metrics.squared_errors(np.log(made), labels).mean())


def test_labels_alone_are_at_most_as_bad_as_equal_probabilities():
    """Labels that are never right tell nothing, and labels that are always right leave a doubt."""
    assert metrics.labels_only(np.zeros(3, bool), 10) == {"nll": np.log(10), "brier": 0.9}
    assert metrics.labels_only(np.arange(1000) < 100, 10) == {
        "nll": pytest.approx(np.log(10), abs=1e-12),
        "brier": pytest.approx(0.9, abs=1e-12),
    }
    found = metrics.labels_only(np.ones(1000, bool), 10)
    assert found["nll"] == pytest.approx(np.log(1002 / 1001))
    assert found["brier"] == pytest.approx((1 + 1 / 9) / 1002**2)


def ece_by_loop(confidence, right, bins):
    """The definition, bin by bin: `bins` are lists of image numbers."""
    return sum(
        abs(sum(confidence[i] for i in each) - sum(right[i] for i in each)) / len(confidence)
        for each in bins
        if each
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_equal_width_bins_are_open_below_and_closed_above(seed):
    """Every image is in one bin: 0 in the first, 1 in the last, an edge in the lower one."""
    rng = np.random.default_rng(seed)
    confidence = np.concatenate([rng.random(90), np.arange(16) / 15, [0.0, 1.0, 1.0]])
    right = rng.random(len(confidence)) < confidence
    edges = np.linspace(0, 1, 16)
    bins = [
        [
            i
            for i, each in enumerate(confidence)
            if edges[b] < each <= edges[b + 1] or (b == 0 and each == 0)
        ]
        for b in range(15)
    ]
    found = metrics.equal_width(confidence, right)

    assert sum(map(len, bins)) == len(confidence)
    assert found.count.tolist() == [len(each) for each in bins if each]
    assert found.error == pytest.approx(ece_by_loop(confidence, right, bins))
    assert (found.low < found.confidence + 1e-12).all()
    assert (found.confidence <= found.high).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_equal_mass_bins_are_consecutive_and_equally_large(seed):
    """Fifteen runs of the sorted confidences, the longer ones first."""
    rng = np.random.default_rng(seed)
    confidence = rng.random(100)
    right = rng.random(100) < confidence
    order = sorted(range(100), key=confidence.__getitem__)
    sizes = [7] * 10 + [6] * 5
    bins = [[order.pop(0) for _ in range(size)] for size in sizes]
    found = metrics.equal_mass(confidence, right)

    assert found.count.tolist() == sizes
    assert found.error == pytest.approx(ece_by_loop(confidence, right, bins))
    assert found.low.tolist() == [confidence[each[0]] for each in bins]
    assert found.high.tolist() == [confidence[each[-1]] for each in bins]


def test_equal_mass_does_not_depend_on_the_order_of_ties():
    """Images of one confidence count alike, wherever a bin's edge falls among them."""
    confidence = np.repeat([0.5, 0.9, 1.0], [20, 30, 50])
    right = np.random.default_rng(0).random(100) < 0.7
    mixed = np.random.default_rng(1).permutation(100)

    found, again = (metrics.equal_mass(confidence[each], right[each]) for each in (..., mixed))
    assert found.error == pytest.approx(again.error, abs=1e-12)
    np.testing.assert_allclose(found.accuracy, again.accuracy)


def test_both_calibration_errors_see_the_most_confident_predictions():
    """Certain predictions of which half are wrong are off by a half; few images fill few bins."""
    for binning in (metrics.equal_width, metrics.equal_mass):
        assert binning(np.ones(40), np.arange(40) % 2 == 0).error == pytest.approx(0.5)
        assert binning(np.array([0.25]), np.array([True])).error == pytest.approx(0.75)


@pytest.mark.parametrize("seed", SEEDS)
def test_scores_are_those_of_each_row(seed):
    """MSP, energy and entropy, row by row, for logits far from 0 as well."""
    logits = np.random.default_rng(seed).normal(size=(9, 10)) * 30 + 500
    for row, confident, log_sum, sharp in zip(
        logits.tolist(),
        metrics.msp(logits - metrics.energy(logits)[:, None]),
        metrics.energy(logits),
        metrics.negative_entropy(logits - metrics.energy(logits)[:, None]),
        strict=True,
    ):
        total = max(row) + math.log(sum(math.exp(each - max(row)) for each in row))
        shares = [math.exp(each - total) for each in row]
        assert log_sum == pytest.approx(total)
        assert confident == pytest.approx(max(shares))
        assert sharp == pytest.approx(sum(p * math.log(p) for p in shares if p), abs=1e-9)
    assert metrics.negative_entropy(np.array([[0.0, -np.inf]])).tolist() == [0]


@pytest.mark.parametrize("seed", SEEDS)
def test_fpr95_is_read_at_the_first_threshold_that_keeps_95_percent(seed):
    """For every threshold by hand, in both conventions, which differ."""
    digits, others = two_scores(seed)

    def by_hand(positive, negative):
        for bar in sorted({*positive, *negative}, reverse=True):
            if sum(each >= bar for each in positive) / len(positive) >= 0.95:
                return sum(each >= bar for each in negative) / len(negative)
        raise AssertionError

    figures = metrics.detection(digits, others)
    found = [figures["fpr95_digits_positive"], figures["fpr95_others_positive"]]
    assert found == [by_hand(digits, others), by_hand(-others, -digits)]
    assert found[0] != found[1]


def test_fpr95_keeps_exactly_95_percent():
    """19 of 20 are enough, and 18 are not: no rounding error adds one."""
    for n in (20, 60, 100, 2000):
        bar = n - n * 19 // 20
        scores = np.array([*range(n), bar - 0.5, bar + 0.5])
        assert metrics.fpr95(np.arange(n + 2) < n, scores) == 0.5


@pytest.mark.parametrize("seed", SEEDS)
def test_aupr_is_average_precision_with_ties_taken_together(seed):
    """Steps of recall times the precision at each distinct score."""
    digits, others = two_scores(seed)
    area, before = 0.0, 0.0
    for bar in sorted({*digits, *others}, reverse=True):
        hits, alarms = (sum(each >= bar for each in group) for group in (digits, others))
        area += (hits / len(digits) - before) * hits / (hits + alarms)
        before = hits / len(digits)

    assert metrics.detection(digits, others)["aupr_in"] == pytest.approx(area)


def test_log_of_probabilities_is_cut_and_scaled():
    """0 is cut where scikit-learn cuts it, and a row that sums to 2 counts as its half."""
    found = metrics.log_of(np.array([[0.0, 1.0], [0.5, 1.5], [0.0, 0.0]], np.float32))

    assert found.dtype == np.float64
    assert found[0, 0] == pytest.approx(math.log(np.finfo(float).eps))
    assert found[0, 1] < 0
    assert found[2].tolist() == [found[0, 0]] * 2
    assert np.exp(found[1]).tolist() == pytest.approx([0.25, 0.75])


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_auroc_counts_pairs(seed):
    """Every pair of a digit and another input, ties half."""
    digits, others = two_scores(seed)
    pairs = [(a > b) + (a == b) / 2 for a in digits for b in others]

    assert metrics.detection(digits, others)["auroc"] == pytest.approx(sum(pairs) / len(pairs))


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_scikit_learn_agrees(seed):
    """Where a docstring names scikit-learn's function, it gives the same figure."""
    from scipy.stats import entropy
    from sklearn import metrics as theirs
    from sklearn.calibration import calibration_curve

    logs, labels = predictions(seed)
    probabilities = np.exp(logs)
    classes = list(range(10))
    assert metrics.losses(logs, labels).mean() == pytest.approx(
        theirs.log_loss(labels, probabilities, labels=classes)
    )
    assert metrics.squared_errors(logs, labels).mean() == pytest.approx(
        theirs.brier_score_loss(labels, probabilities, labels=classes, scale_by_half=False)
    )
    assert metrics.negative_entropy(logs) == pytest.approx(-entropy(probabilities, axis=1))
    certain = np.eye(10)[[0, 1]]
    assert metrics.losses(metrics.log_of(certain), np.array([0, 2])).mean() == pytest.approx(
        theirs.log_loss([0, 2], certain, labels=classes)
    )

    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    accuracy, mean = calibration_curve(right, confidence, n_bins=15, strategy="uniform")
    bins = metrics.equal_width(confidence, right)
    np.testing.assert_allclose(bins.accuracy, accuracy)
    np.testing.assert_allclose(bins.confidence, mean)


@pytest.mark.slow
def test_interval_covers_a_known_mean():
    """Of 40 samples, the 95 % interval of the mean misses the true one in a few.

    The number of misses is binomial with p = 0.05: above 9 in 2 of 100,000 such sets of samples.
    """
    missed = 0
    for seed in range(40):
        sample = np.random.default_rng(seed).random(60)
        low, high = metrics.interval(
            lambda picked, sample=sample: float(sample[picked].mean()),
            60,
            np.random.default_rng(1000 + seed),
        )
        missed += not low <= 0.5 <= high

    assert 0 < missed <= 9


def test_an_interval_contains_its_value():
    """Also where all resamples of a small calibration error are larger."""
    confidence = np.repeat((np.arange(15) + 0.5) / 15, 40)
    right = np.tile(np.arange(40) / 40, 15) < confidence

    def error(picked):
        return metrics.equal_width(confidence[picked], right[picked]).error

    low, high = metrics.interval(error, 600, np.random.default_rng(0))
    assert low <= error(np.arange(600)) <= high


@pytest.mark.slow
def test_interval_does_not_add_the_surplus_of_resamples():
    """A calibration error is larger on resamples; the interval reaches below the estimate."""
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, 500)
    right = rng.random(500) < confidence

    def error(picked):
        return metrics.equal_width(confidence[picked], right[picked]).error

    low, high = metrics.interval(error, 500, np.random.default_rng(1))
    resampled = np.mean([error(rng.integers(0, 500, 500)) for _ in range(200)])
    estimate = error(np.arange(500))
    assert resampled > estimate
    assert 0 < low < estimate < high
    assert low + high < 2 * estimate


def test_the_order_of_the_classes_breaks_no_tie():
    """The same values of other digits are the same score, to the last bit."""
    logits = np.random.default_rng(3).normal(size=(1, 10))
    others = np.array([np.random.default_rng(n).permutation(logits[0]) for n in range(50)])

    for score in (
        metrics.energy,
        lambda z: metrics.negative_entropy(z - metrics.energy(z)[:, None]),
    ):
        assert len({*score(others)}) == 1
