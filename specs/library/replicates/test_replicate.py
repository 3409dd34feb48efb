"""A replicate: the same bytes wherever it is made, and nothing made in vain."""

import random

import numpy as np
import pytest

from mnistrobust import backend, engine, models, training
from mnistrobust.errors import UsageError
from mnistrobust.recipes import Recipe, recipe_named
from mnistrobust.replicates import Replicate, cluster
from mnistrobust.replicates.schedule import work
from mnistrobust.store import Store

RECIPE = "ann_1000"


@pytest.fixture
def elsewhere(rehearsal, tmp_path):
    """The same replicate over an empty store."""
    return Replicate(rehearsal.seed, rehearsal.source, Store(tmp_path / "store"))


@pytest.mark.slow
def test_training_again_gives_the_same_bytes(rehearsal, elsewhere):
    """A recipe trained anew gives the stored bytes, and leaves the global generators alone."""
    key = rehearsal.model_key(RECIPE)
    backend.import_keras()  # the import draws: rich, which Keras imports, numbers its styles
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002 - the global generator is what is watched
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002

    elsewhere.trained(RECIPE)
    elsewhere.evaluate(RECIPE, on="offset-noise")

    assert elsewhere.store.path(key).read_bytes() == rehearsal.store.path(key).read_bytes()
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002
    evaluations = [each.evaluation_key(RECIPE, "offset-noise") for each in (rehearsal, elsewhere)]
    assert evaluations[0] == evaluations[1]
    stored = [each.store.path(evaluations[0]).read_bytes() for each in (rehearsal, elsewhere)]
    assert stored[0] == stored[1]


@pytest.mark.slow
def test_another_seed_gives_another_network(rehearsal, elsewhere):
    """Weights depend on the seed."""
    other = Replicate(1, elsewhere.source, elsewhere.store)

    assert not np.array_equal(
        other.trained(RECIPE).weights[0], rehearsal.trained(RECIPE).weights[0]
    )


@pytest.mark.slow
def test_the_model_has_the_stored_weights(rehearsal):
    """`model` is a Keras model that holds what was trained."""
    pairs = zip(
        rehearsal.model(RECIPE).get_weights(), rehearsal.trained(RECIPE).weights, strict=True
    )

    assert all(np.array_equal(built, stored) for built, stored in pairs)


@pytest.mark.slow
def test_learning_curve_has_a_value_for_each_epoch(rehearsal):
    """The curve of every recipe is stored with its weights."""
    history = rehearsal.trained(RECIPE).history

    assert {name: len(values) for name, values in history.items()} == dict.fromkeys(
        training.CURVES, recipe_named(RECIPE).epochs
    )


@pytest.mark.parametrize(
    ("recipe", "condition", "message"),
    [
        ("ann_1001", "clean", "Unknown recipe 'ann_1001': did you mean 'ann_1000'"),
        ("ann_1000", "claen", "Unknown condition 'claen': did you mean 'clean'"),
    ],
)
def test_a_wrong_name_fails_before_training(recipe, condition, message, elsewhere):
    """A misspelled recipe or condition costs no training."""
    with pytest.raises(UsageError, match=message):
        elsewhere.evaluate(recipe, on=condition)
    if condition == "clean":
        with pytest.raises(UsageError, match=message):
            work(elsewhere, [elsewhere.task(recipe, [condition])])

    assert not elsewhere.store.root.exists()


def test_a_evaluation_has_a_name_only_once_its_model_is_trained(elsewhere):
    """An evaluation's key covers the weights, so that it cannot be asked for before them."""
    assert elsewhere.evaluation_key(RECIPE, "clean") is None
    assert not elsewhere.complete(elsewhere.task(RECIPE))


def test_a_complete_task_is_recognised(rehearsal):
    """What is stored is not worked on again; what is missing is seen."""
    assert rehearsal.complete(rehearsal.task(RECIPE, ["clean", "offset-noise"]))
    other = Replicate(10**9, rehearsal.source, rehearsal.store)
    assert not other.complete(other.task(RECIPE))


class VanishingStore(Store):
    """A store that someone clears whenever a model was written."""

    def put(self, key, entry):
        kept = super().put(key, entry)
        if key.kind == "models":
            self.clear()
        return kept


@pytest.mark.slow
def test_a_store_that_is_cleared_meanwhile_stops_nobody(rehearsal, tmp_path):
    """A task whose model vanishes goes on with the one in hand, without waiting for itself."""
    replicate = Replicate(0, rehearsal.source, VanishingStore(tmp_path / "store"))

    work(replicate, [replicate.task(RECIPE, ["clean"])])

    evaluation = replicate.evaluate(RECIPE, on="clean")
    assert np.array_equal(
        evaluation.predictions, rehearsal.evaluate(RECIPE, on="clean").predictions
    )


WARM = """
import sys
from pathlib import Path
from mnistrobust import data
from mnistrobust.store import Store
from mnistrobust.replicates import Replicate, cluster
from mnistrobust.replicates.schedule import work
replicate = Replicate(0, data.decide("mnist5k"), Store(Path(sys.argv[1])))
work(replicate, [replicate.task("ann_1000", ["clean", "offset-noise"])])
print(replicate.evaluate("ann_1000", on="clean").accuracy, replicate.trained("ann_1000").history["loss"][-1])
print(sorted({"tensorflow", "keras", "numba"} & sys.modules.keys()))
"""


def test_a_warm_replicate_is_read_without_tensorflow(rehearsal, process):
    """Evaluations and learning curves that are stored need no TensorFlow, Keras or numba."""
    ended = process(rehearsal.store.root, program=("-c", WARM))

    accuracy = rehearsal.evaluate(RECIPE, on="clean").accuracy
    loss = rehearsal.trained(RECIPE).history["loss"][-1]
    assert ended.out.splitlines() == [f"{accuracy} {loss}", "[]"]


def create_tanh(op=10):
    """A network that no engine trains."""
    layers = models.import_keras().layers
    return models._compiled(
        layers.Input((28, 28)),
        layers.Flatten(),
        layers.Dense(8, activation="tanh"),
        layers.Dropout(0.5),
        layers.Dense(op, activation="softmax"),
    )


@pytest.fixture
def tanh():
    """A recipe of an architecture without an engine, of another input shape."""
    added = models.Architecture(name="tanh", builder=create_tanh, engine="dense", cost=0.1)
    return Recipe(name="tanh", architecture=added, rows=256, epochs=2)


@pytest.mark.slow
def test_an_architecture_without_an_engine_trains_in_keras(tanh, mnist5k):
    """Plain Keras training learns, and gives equal bytes for equal seeds."""
    assert engine.engine_for(training.build(tanh, 0)) is None

    first, again = (training.train(tanh, mnist5k, seed=0) for _ in range(2))

    assert [each.tobytes() for each in first.weights] == [each.tobytes() for each in again.weights]
    assert first.history == again.history
    assert first.history["val_loss"][1] < first.history["val_loss"][0] < 3


@pytest.mark.slow
def test_logits_without_an_engine_give_kerass_probabilities(tanh, mnist5k):
    """The logits of plain Keras are right up to a constant, which a softmax drops."""
    model = training.build(tanh, 0)
    images = training.shaped(model, mnist5k.test_images[:32])

    logits = training.predictor(model)(model.get_weights(), images)

    expected = model.predict(images, verbose=0)
    exponentials = np.exp(logits)
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    assert np.abs(probabilities - expected).max() < 1e-6


def test_a_stored_learning_curve_is_that_of_the_training(rehearsal):
    """The curve comes from the store, an entry for each epoch."""
    curve = rehearsal.history(RECIPE)

    assert curve == rehearsal.trained(RECIPE).history
    assert len(curve["val_accuracy"]) == 10


def test_what_the_store_has_is_trained_on_no_other_machine(rehearsal):
    """No scheduler is asked, so that none has to be there."""
    where = (rehearsal.source, rehearsal.store, "tcp://127.0.0.1:9")
    told = []
    cluster.networks(["ann_1000"], [rehearsal.seed], *where, lambda *said: told.append(said))

    assert told == []
