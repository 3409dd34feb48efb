"""Axes: what a dose changes, what it leaves alone, and which claims depend on it."""

import numpy as np
import pytest

from mnistrobust import metrics, recipes, transforms
from mnistrobust.conditions import CONDITIONS
from mnistrobust.curves.axes import AXES, Dosed, training_set
from mnistrobust.evaluations import evaluate
from mnistrobust.evidence import load
from mnistrobust.randomness import stream
from mnistrobust.recipes import RECIPES
from mnistrobust.registry import load_claims
from mnistrobust.replicates import Replicate
from mnistrobust.store import Store, code

SEED = 3


@pytest.fixture
def document(mnist5k, tmp_path):
    """A replicate of the document, over an empty store."""
    return Replicate(SEED, mnist5k.source, Store(tmp_path))


def at(document, axis, dose):
    return AXES[axis].at(dose, document)


def trained_on(replicate, recipe):
    """What a replicate trains a recipe on."""
    made = replicate.recipes[recipe]
    return recipes.training_set(made, replicate.training_data(made), SEED)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_the_documents_doses_make_its_training_set(recipe, mnist5k):
    """At its doses, images and labels are the document's, to the last bit."""
    made, expected = (make(recipe, mnist5k, SEED) for make in (training_set, recipes.training_set))

    assert made[0].tobytes() == expected[0].tobytes()
    assert made[1].tolist() == expected[1].tolist()


def test_networks_at_a_dose_are_of_the_code_that_makes_their_digits(monkeypatch):
    """After a change of it, they are trained anew."""
    dosed = Dosed.of(RECIPES["ann_noisy"], "offset", 0.5)
    before = dosed.to_json()

    monkeypatch.setattr(code, "digest", lambda name: f"another {name}")

    changed = {name for name, value in dosed.to_json().items() if value != before[name]}
    assert changed == {"training_set"}
    assert (before["offset"], before["name"]) == (0.5, "ann_noisy")


def test_a_smaller_offset_in_training_is_a_share_of_the_documents(document, mnist5k):
    """Each pixel gets its dose of the same offset; digits and the noise class stay."""
    images, labels = trained_on(at(document, "offset in training", 0.25), "ann_noisy_plusnoise")
    whole, _ = trained_on(document, "ann_noisy_plusnoise")
    plain = mnist5k.train_images

    offsets = stream(SEED, "train-offset").random(784)
    np.testing.assert_allclose(images[:4000] - plain, np.tile(0.25 * offsets, (4000, 1)), atol=1e-6)
    assert images[4000:].tobytes() == whole[4000:].tobytes()
    assert labels.tolist() == [*mnist5k.train_labels.tolist(), *[10] * 333]


def test_another_threshold_counts_in_training_and_at_test(document, mnist5k):
    """A pixel of at least the dose is ink, in both."""
    dosed = at(document, "threshold", 0.3)
    images, _ = trained_on(dosed, "ann_threshold_1000")
    ((shown, labels),) = dosed.condition("threshold").drawn(mnist5k, SEED)
    assert dosed.condition("threshold").name == "threshold at 0.3", "it is another for the store"

    assert images.tolist() == (mnist5k.train_images[:1000] >= 0.3).tolist()
    assert shown.tolist() == (mnist5k.test_images >= 0.3).tolist()
    assert labels.tolist() == mnist5k.test_labels.tolist()


def test_more_noise_images_begin_with_the_documents(document):
    """The dose is the noise images per digit; all are labelled 10."""
    images, labels = trained_on(at(document, "noise images in training", 0.5), "ann_plusnoisy")
    whole, _ = trained_on(document, "ann_plusnoisy")

    assert (len(images), labels[4000:].tolist()) == (6000, [10] * 2000)
    assert images[4000:4333].tobytes() == whole[4000:].tobytes()
    assert images[4000:].max() <= 1


def test_a_dose_of_rows_counts_where_the_document_has_1000(document):
    """Recipes of all rows keep theirs."""
    dosed = at(document, "training rows", 300)

    assert len(trained_on(dosed, "ann_threshold_1000")[0]) == 300
    assert dosed.recipes["ann"] == RECIPES["ann"]


def test_offsets_at_test_are_the_documents_draws(document, mnist5k):
    """All 32 draws of the document, each offset at the dose."""
    condition = at(document, "offset at test", 0.5).condition("offset-noise")
    plain = mnist5k.test_images
    dosed, whole = (
        [images[:50] - plain[:50] for images, _ in each.drawn(mnist5k, SEED)]
        for each in (condition, CONDITIONS["offset-noise"])
    )

    np.testing.assert_allclose(2 * np.array(dosed), np.array(whole), atol=1e-6)
    assert len(dosed) == 32


def test_another_bar_counts_the_confidences_above_it():
    """A confidence at the bar is not above it; predictions and losses stay."""
    logits = np.log([[0.5, 0.5], [0.7, 0.3], [0.96, 0.04]])
    evaluation = evaluate(
        lambda _: logits,
        iter([(np.zeros((3, 784), np.float32), np.array([0, 1, 0]))]),
        recipe="ann",
        condition="clean",
        seed=SEED,
        dataset="mnist5k",
        classes=2,
        input_shape=(784,),
    )

    shares = {
        bar: AXES["bar of confidence"].evaluation(evaluation, bar).confident
        for bar in (0.4, 0.5, metrics.CONFIDENT, 0.97)
    }
    assert shares == pytest.approx({0.4: 1, 0.5: 2 / 3, 0.9: 1 / 3, 0.97: 0})
    dosed = AXES["bar of confidence"].evaluation(evaluation, 0.5)
    assert dosed.confident_when_wrong == 1
    assert (dosed.accuracy, dosed.loss) == (evaluation.accuracy, evaluation.loss)


@pytest.mark.parametrize("axis", AXES.values(), ids=AXES)
def test_the_document_is_on_each_axis(axis, document):
    """Its dose is among those tried, which ascend; there, the document's replicate is measured."""
    assert axis.document in axis.doses
    assert list(axis.doses) == sorted(set(axis.doses))
    assert axis.at(axis.document, document) is document


def test_networks_at_different_doses_have_different_keys(document):
    """Only recipes with what has the dose are trained anew; their streams keep their names."""
    doses = [at(document, "offset in training", dose) for dose in (0.1, 0.2, 1)]
    noisy = {each.model_key("cnn_noisy").digest for each in doses}
    plain = {each.model_key("cnn").digest for each in doses}

    assert (len(noisy), len(plain)) == (3, 1)
    assert isinstance(doses[0].recipes["ann_noisy_plusnoise"], Dosed)
    made = doses[0].recipes["ann_noisy_plusnoise"]
    assert (made.name, made.classes) == ("ann_noisy_plusnoise", 11)


def test_claims_depend_on_what_their_specs_evaluate():
    """Claims of the threshold, of 1,000 rows and of confidence are found without a list of them."""
    found = {
        name: {claim for claim in load("mnist").claims if axis.doses_for(claim)}
        for name, axis in AXES.items()
    }

    thresholds = {"ann.thresholding_adds_no_intelligence", "rnn.threshold_intelligence_is_similar"}
    assert found["threshold"] == thresholds
    assert found["training rows"] == thresholds | {
        "ann.intelligence_at_1000_rows",
        "rnn.intelligence_is_comparable",
    }
    assert {claim for claim in load_claims() if "confiden" in claim} - found[
        "bar of confidence"
    ] == {
        "rnn.confident_share_on_pure_noise"  # it has no margin
    }
    assert "ann.noisy_plus_noise_predicts_five" not in found["bar of confidence"]
    assert "ann.noise_training_keeps_clean_accuracy" not in found["offset at test"]
    assert "ann.noise_class_catches_pure_noise" not in found["offset in training"]


def test_fewer_doses_where_training_takes_minutes():
    """An RNN or a CNN of all rows is trained at every second dose, other networks at each."""
    training, test = AXES["offset in training"], AXES["offset at test"]

    assert training.doses_for("ann.noise_training_wins_on_noisy") == (0, 0.25, 0.5, 0.75, 1)
    assert training.doses_for("cnn.noise_training_hurts_inversion") == (0, 0.5, 1)
    assert test.doses_for("cnn.handles_inversion") == test.doses
    assert AXES["threshold"].doses_for("rnn.threshold_intelligence_is_similar")[1] == 0.3


def test_thresholds_of_the_document_are_its_own():
    """The axes' own doses are those in the code of the document's transforms."""
    assert AXES["threshold"].document == transforms.THRESHOLD
    share = AXES["noise images in training"].document
    assert [round(share * rows) for rows in (60_000, 4_000)] == [5_000, 333]


def test_a_replicate_at_a_bar_evaluates_the_same_network(rehearsal):
    """Nothing is trained or evaluated for another bar: kept confidences are counted again."""
    document = rehearsal.evaluate("ann_1000", on="clean")
    at_half = at(rehearsal, "bar of confidence", 0.5).evaluate("ann_1000", on="clean")

    assert at_half.confident == metrics.share(document.confidence > 0.5)
    assert at_half.confident > document.confident
    assert at_half.predictions.tolist() == document.predictions.tolist()
