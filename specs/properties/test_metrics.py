"""Metrics against plain Python loops."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mnistrobust import metrics
from mnistrobust.fuzzing.strategies import seeds
from specs.helpers.outputs import labels, logits, make_labels, probabilities

COUNTS = st.lists(st.integers(0, 50), min_size=1, max_size=11).map(lambda tail: [1, *tail])


@given(logits())
def test_log_softmax_is_that_of_each_row(values):
    """Catches a sum over images, an overflow, and arithmetic in float32."""
    for row, result in zip(values.tolist(), metrics.log_softmax(values), strict=True):
        top = max(row)
        log_sum = top + math.log(math.fsum(math.exp(each - top) for each in row))
        np.testing.assert_allclose(result, [each - log_sum for each in row], atol=1e-9)


@given(logits(), st.floats(-1e3, 1e3, width=16))
def test_log_softmax_ignores_a_constant(values, constant):
    """Catches logits taken for probabilities."""
    shifted = metrics.log_softmax(values.astype(np.float64) + constant)

    np.testing.assert_allclose(shifted, metrics.log_softmax(values), atol=1e-8)


@given(labels(), seeds())
def test_accuracy_is_the_share_of_right_predictions(truth, seed):
    """Catches a comparison that shifts or drops a row; without predictions it is NaN."""
    predictions = make_labels(len(truth), seed)
    right = sum(answer == label for answer, label in zip(predictions, truth, strict=True))

    measured = metrics.accuracy(predictions, truth)
    assert measured == right / len(truth) if len(truth) else math.isnan(measured)


@given(probabilities(), st.sampled_from([0.9, 0.5, 0.1]))
def test_confident_is_strictly_above_the_bar(values, bar):
    """Catches >= for >, and another bar than 0.9: an answer at the bar itself is not above it."""
    top = np.append(values.max(axis=1), (bar, 0.9))

    assert metrics.confident(top, bar).tolist() == [each > bar for each in top.tolist()]
    assert metrics.confident(top).tolist() == [each > 0.9 for each in top.tolist()]


@given(labels(classes=11, dtypes=("int64", "uint8")))
def test_counts_are_those_of_each_class(predictions):
    """Catches a class that is left out because nobody predictions it."""
    assert metrics.counts(predictions, 11) == [
        predictions.tolist().count(label) for label in range(11)
    ]


@given(labels(dtypes=("uint8", "int64")), seeds(), st.sampled_from(["uint8", "int64"]))
def test_confusion_counts_each_pair(truth, seed, dtype):
    """Catches rows and columns swapped, and uint8 products that wrap around."""
    predictions = make_labels(len(truth), seed, dtype=dtype)
    expected = [[0] * 10 for _ in range(10)]
    for label, answer in zip(truth, predictions, strict=True):
        expected[label][answer] += 1

    assert metrics.confusion(truth, predictions, 10).tolist() == expected


@given(COUNTS, COUNTS)
def test_largest_gap_is_that_of_the_shares(left, right):
    """Catches a gap between counts, a signed one, and classes that only one side has."""
    gaps = []
    for label in range(max(len(left), len(right))):
        one = left[label] / sum(left) if label < len(left) else 0.0
        other = right[label] / sum(right) if label < len(right) else 0.0
        gaps.append(abs(one - other))

    assert metrics.largest_gap(left, right) == max(gaps)
