"""Evaluations against plain Python loops over their predictions."""

import math
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mnistrobust.evaluations import Evaluation, degenerate, evaluate
from mnistrobust.fuzzing.strategies import seeds
from mnistrobust.store import Entry
from specs.helpers.outputs import logits, make_labels

FACTS = {
    "recipe": "ann",
    "condition": "clean",
    "seed": 0,
    "dataset": "mnist5k",
    "input_shape": (784,),
}
BAR = 0.9


def evaluations(
    *,
    rows=range(1, 21),
    classes=(10, 11),
    noise=(False, True),
):
    """Draw evaluations of one to three noise draws, from `make_evaluation`."""
    return st.builds(
        make_evaluation,
        n=st.sampled_from(rows),
        seed=seeds(),
        draws=st.integers(1, 3),
        right=st.sampled_from([0.0, 0.5, 1.0]),
        classes=st.sampled_from(classes),
        noise=st.sampled_from(noise),
    )


def make_evaluation(n, seed, draws=1, right=0.5, classes=10, noise=False):
    """Return an evaluation of `n` images for each noise draw, about a share `right` of them right.

    Confidence lies in (0, 1], and is often exactly float32's 0.9, the document's bar. The labels
    are among the classes, or all 10 where the condition is pure noise.
    """
    rng = np.random.default_rng(seed)
    shape = (draws, n)
    truth = np.full(shape, 10) if noise else rng.integers(classes, size=shape)
    guesses = rng.integers(classes, size=shape)
    levels = np.array([0.05, 0.5, 0.9, 0.95, 1.0], np.float32)
    return Evaluation(
        recipe="ann",
        condition="clean",
        seed=seed,
        dataset="mnist5k",
        classes=classes,
        input_shape=(784,),
        labels=truth.astype(np.uint8),
        predictions=np.where(rng.random(shape) < right, truth % classes, guesses).astype(np.uint8),
        confidence=levels[rng.integers(len(levels), size=shape)],
        losses=rng.exponential(size=shape).astype(np.float32),
    )


def predictions_of(evaluation):
    """Return label, answer and confidence of each image, as Python values."""
    columns = (evaluation.labels, evaluation.predictions, evaluation.confidence)
    return list(zip(*(column.ravel().tolist() for column in columns), strict=True))


def share(part, whole):
    """Return the share that a part has of a whole; 0 where there is none."""
    return len(part) / len(whole) if whole else 0.0


@given(logits(rows=range(1, 21)), seeds(), st.booleans())
def test_read_predictions_with_the_largest_logit(values, seed, is_noise):
    """Catches another class than the top one, a loss of the answer, and rows out of step."""
    n = len(values)
    truth = np.full(n, 10) if is_noise else make_labels(n, seed)
    evaluation = evaluate(
        lambda _: values, iter([(np.zeros((n, 784)), truth)]), classes=10, **FACTS
    )

    for i, row in enumerate(values.tolist()):
        total = math.fsum(math.exp(each - max(row)) for each in row)
        assert evaluation.predictions[0, i] == row.index(max(row))
        assert math.isclose(evaluation.confidence[0, i], 1 / total, rel_tol=1e-6)
        if not is_noise:
            loss = math.log(total) + max(row) - row[truth[i]]
            assert math.isclose(evaluation.losses[0, i], loss, rel_tol=1e-6, abs_tol=1e-7)
    assert math.isnan(evaluation.accuracy) == is_noise


@given(evaluations(classes=(11,)))
def test_accuracy_is_the_mean_of_the_draws(evaluation):
    """Catches draws that are weighted, dropped or mixed."""
    rows = predictions_of(evaluation)
    right = [row for row in rows if row[0] == row[1]]

    assert evaluation.accuracy == share(right, rows)
    assert math.isclose(math.fsum(evaluation.draws) / len(evaluation.draws), evaluation.accuracy)


@given(evaluations(), st.integers(0, 10))
def test_shares_are_of_all_images_and_confident_among_of_that_label(evaluation, label):
    """Catches one denominator taken for the other, and an answer at 0.9 that counts as above."""
    rows = predictions_of(evaluation)
    bar = float(np.float32(BAR))
    meant = [row for row in rows if row[1] == label]
    confident = [row for row in meant if row[2] > bar]

    assert evaluation.label_share(label) == share(meant, rows)
    assert evaluation.confident_share(label) == share(confident, rows)
    assert evaluation.confident_among(label) == share(confident, meant)


@given(evaluations())
def test_confident_when_wrong_is_of_the_wrong_predictions(evaluation):
    """Catches right predictions among the wrong ones, and NaN where none is wrong."""
    rows = predictions_of(evaluation)
    wrong = [row for row in rows if row[0] != row[1]]
    bar = float(np.float32(BAR))

    assert evaluation.confident_when_wrong == share([row for row in wrong if row[2] > bar], wrong)
    assert evaluation.confident == share([row for row in rows if row[2] > bar], rows)
    told = evaluation.to_json()
    assert (told["share_above_0.9"], told["wrong_share_above_0.9"]) == (
        evaluation.confident, evaluation.confident_when_wrong,
    )  # fmt: skip


@given(evaluations(), st.integers(1, 11))
def test_top_labels_are_the_most_frequent_predictions(evaluation, k):
    """Catches the first or the rarest labels in place of the most frequent."""
    predictions = [row[1] for row in predictions_of(evaluation)]
    counts = sorted((predictions.count(label) for label in range(11)), reverse=True)

    assert math.isclose(evaluation.top_labels_share(k), sum(counts[:k]) / len(predictions))


@given(evaluations(), seeds())
def test_figures_do_not_depend_on_the_order_of_images(evaluation, seed):
    """Catches a figure that pairs predictions with the labels of other images."""
    order = np.random.default_rng(seed).permutation(evaluation.predictions.shape[1])
    names = ("labels", "predictions", "confidence", "losses")
    parts = {name: getattr(evaluation, name)[:, order] for name in names}
    other = Evaluation(**{**vars(evaluation), **parts})

    mine, its = evaluation.to_json(), other.to_json()
    for name in ("loss", "mean_confidence"):  # sums, which may differ in the last digit
        assert np.allclose(mine.pop(name) or 0, its.pop(name) or 0)
    assert mine == its


@given(evaluations())
def test_stored_evaluation_is_the_same(evaluation):
    """Catches a field that is not kept, or is kept under another name or type."""
    entry = Entry.from_bytes(evaluation.to_entry().to_bytes())
    again = Evaluation.from_entry(entry)

    assert again.to_json() == evaluation.to_json()
    assert again.input_shape == evaluation.input_shape
    for name in ("labels", "predictions", "confidence", "losses"):
        np.testing.assert_array_equal(getattr(again, name), getattr(evaluation, name))
        assert getattr(again, name).dtype == getattr(evaluation, name).dtype


@given(evaluations(classes=(11,)))
def test_degenerate_models_answer_as_they_are_called(evaluation):
    """Catches a control that is no control, and figures left over from the real model."""
    made = {
        kind: degenerate(evaluation, kind)
        for kind in ("constant", "always-noise", "always-certain", "always-unsure", "perfect")
    }

    assert made["constant"].label_share(0) == 1
    assert made["always-noise"].confident_share(10) == 1
    assert made["always-certain"].confident == 1
    assert made["always-unsure"].confident == 0
    assert (made["perfect"].accuracy, made["perfect"].loss) == (1, 0)
    for kind in ("constant", "always-noise", "always-certain"):
        right = made[kind].predictions == made[kind].labels
        np.testing.assert_array_equal(made[kind].losses == 0, right)
    unsure = made["always-unsure"]  # ten other classes share 0.9
    shares = np.where(unsure.predictions == unsure.labels, 0.1, 0.09)
    np.testing.assert_allclose(unsure.losses, -np.log(shares), rtol=1e-5)


@given(evaluations(classes=(10,), noise=(False,)))
def test_singles_are_the_draws_one_by_one(evaluation):
    """Catches draws that are mixed, and a loss over all of them."""
    singles = evaluation.singles

    assert [each.accuracy for each in singles] == evaluation.draws
    assert all(each.n * len(singles) == evaluation.n for each in singles)
    assert math.isclose(math.fsum(each.loss for each in singles) / len(singles), evaluation.loss)


@given(seeds(), st.integers(100, 5000))
def test_singles_of_pure_noise_are_samples_of_the_documents_size(seed, images):
    """Catches samples that overlap, or of another size than the 100 images of the document."""
    values = np.random.default_rng(seed).normal(size=(images, 10)) * 8
    noise = iter([(np.zeros((images, 784)), np.full(images, 10))])
    evaluation = evaluate(lambda _: values, noise, classes=10, **FACTS)

    singles = evaluation.singles
    confidence = evaluation.confidence[0].tolist()
    expected = [confidence[i : i + 100] for i in range(0, images - 99, 100)][:32]

    assert [each.confidence[0].tolist() for each in singles] == expected
    assert evaluation.single_confidences == confidence[:32]
    mixed = replace(evaluation, labels=np.where(np.arange(images) == 9, 3, evaluation.labels))
    assert [each.n for each in mixed.singles] == [images]  # noise among digits is a draw
