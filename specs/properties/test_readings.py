"""Readings against plain Python loops over their answers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnistrobust.readings import Reading, degenerate, read
from mnistrobust.store import Entry
from mnistrobust.strategies import labels, logits, readings, seeds

pytestmark = pytest.mark.slow  # seconds of CPU, and nothing that a change of a model touches

FACTS = {"recipe": "ann", "view": "clean", "seed": 0, "dataset": "mnist5k", "input_shape": (784,)}
BAR = 0.9


def answers_of(reading):
    """Return label, answer and confidence of each image, as Python values."""
    columns = (reading.labels, reading.answers, reading.confidence)
    return list(zip(*(column.ravel().tolist() for column in columns), strict=True))


def share(part, whole):
    """Return the share that a part has of a whole; 0 where there is none."""
    return len(part) / len(whole) if whole else 0.0


@given(st.data(), logits(rows=range(1, 21)), st.booleans())
def test_read_answers_with_the_largest_logit(data, values, is_noise):
    """Catches another class than the top one, a loss of the answer, and rows out of step."""
    n = len(values)
    truth = np.full(n, 10) if is_noise else data.draw(labels(n=n))
    reading = read(lambda _: values, iter([(np.zeros((n, 784)), truth)]), classes=10, **FACTS)

    for i, row in enumerate(values.tolist()):
        total = math.fsum(math.exp(each - max(row)) for each in row)
        assert reading.answers[0, i] == row.index(max(row))
        assert math.isclose(reading.confidence[0, i], 1 / total, rel_tol=1e-6)
        if not is_noise:
            loss = math.log(total) + max(row) - row[truth[i]]
            assert math.isclose(reading.losses[0, i], loss, rel_tol=1e-6, abs_tol=1e-7)
    assert math.isnan(reading.accuracy) == is_noise


@given(readings(classes=(11,)))
def test_accuracy_is_the_mean_of_the_draws(reading):
    """Catches draws that are weighted, dropped or mixed."""
    rows = answers_of(reading)
    right = [row for row in rows if row[0] == row[1]]

    assert reading.accuracy == share(right, rows)
    assert math.isclose(math.fsum(reading.draws) / len(reading.draws), reading.accuracy)


@given(readings(), st.integers(0, 10))
def test_shares_are_of_all_images_and_sure_among_of_that_label(reading, label):
    """Catches one denominator taken for the other, and an answer at 0.9 that counts as above."""
    rows = answers_of(reading)
    bar = float(np.float32(BAR))
    meant = [row for row in rows if row[1] == label]
    sure = [row for row in meant if row[2] > bar]

    assert reading.label_share(label) == share(meant, rows)
    assert reading.sure_share(label) == share(sure, rows)
    assert reading.sure_among(label) == share(sure, meant)


@given(readings())
def test_sure_when_wrong_is_of_the_wrong_answers(reading):
    """Catches right answers among the wrong ones, and NaN where none is wrong."""
    rows = answers_of(reading)
    wrong = [row for row in rows if row[0] != row[1]]
    bar = float(np.float32(BAR))

    assert reading.sure_when_wrong == share([row for row in wrong if row[2] > bar], wrong)
    assert reading.sure == share([row for row in rows if row[2] > bar], rows)


@given(readings(), st.integers(1, 11))
def test_top_labels_are_the_most_frequent_answers(reading, k):
    """Catches the first or the rarest labels in place of the most frequent."""
    answers = [row[1] for row in answers_of(reading)]
    counts = sorted((answers.count(label) for label in range(11)), reverse=True)

    assert math.isclose(reading.top_labels_share(k), sum(counts[:k]) / len(answers))


@given(readings(), seeds())
def test_figures_do_not_depend_on_the_order_of_images(reading, seed):
    """Catches a figure that pairs answers with the labels of other images."""
    order = np.random.default_rng(seed).permutation(reading.answers.shape[1])
    names = ("labels", "answers", "confidence", "losses")
    parts = {name: getattr(reading, name)[:, order] for name in names}
    other = Reading(**{**vars(reading), **parts})

    mine, its = reading.to_json(), other.to_json()
    for name in ("loss", "mean_confidence"):  # sums, which may differ in the last digit
        assert np.allclose(mine.pop(name) or 0, its.pop(name) or 0)
    assert mine == its


@given(readings())
def test_stored_reading_is_the_same(reading):
    """Catches a field that is not kept, or is kept under another name or type."""
    entry = Entry.from_bytes(reading.to_entry().to_bytes())
    again = Reading.from_entry(entry)

    assert again.to_json() == reading.to_json()
    assert again.input_shape == reading.input_shape
    for name in ("labels", "answers", "confidence", "losses"):
        np.testing.assert_array_equal(getattr(again, name), getattr(reading, name))
        assert getattr(again, name).dtype == getattr(reading, name).dtype


@given(readings(classes=(11,)))
def test_degenerate_models_answer_as_they_are_called(reading):
    """Catches a control that is no control, and figures left over from the real model."""
    made = {
        kind: degenerate(reading, kind)
        for kind in ("constant", "always-noise", "always-certain", "always-unsure", "perfect")
    }

    assert made["constant"].label_share(0) == 1
    assert made["always-noise"].sure_share(10) == 1
    assert made["always-certain"].sure == 1
    assert made["always-unsure"].sure == 0
    assert (made["perfect"].accuracy, made["perfect"].loss) == (1, 0)
    for kind in ("constant", "always-noise", "always-certain"):
        right = made[kind].answers == made[kind].labels
        np.testing.assert_array_equal(made[kind].losses == 0, right)
    assert math.isclose(made["always-unsure"].losses.max(), math.log(10), abs_tol=0.11)


@given(readings(classes=(10,), noise=(False,)))
def test_singles_are_the_draws_one_by_one(reading):
    """Catches draws that are mixed, and a loss over all of them."""
    singles = reading.singles

    assert [each.accuracy for each in singles] == reading.draws
    assert all(each.n * len(singles) == reading.n for each in singles)
    assert math.isclose(math.fsum(each.loss for each in singles) / len(singles), reading.loss)


@given(seeds(), st.integers(100, 5000))
def test_singles_of_pure_noise_are_samples_of_the_documents_size(seed, images):
    """Catches samples that overlap, or of another size than the 100 images of the document."""
    values = np.random.default_rng(seed).normal(size=(images, 10)) * 8
    noise = iter([(np.zeros((images, 784)), np.full(images, 10))])
    reading = read(lambda _: values, noise, classes=10, **FACTS)

    singles = reading.singles
    confidence = reading.confidence[0].tolist()
    expected = [confidence[i : i + 100] for i in range(0, images - 99, 100)][:32]

    assert [each.confidence[0].tolist() for each in singles] == expected
    assert reading.single_confidences == confidence[:32]
