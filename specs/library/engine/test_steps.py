"""The engines take the same steps as Keras, with dropout off."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mnistrobust.backend import import_keras
from mnistrobust.engine import engine_for
from specs.helpers.networks import (
    BATCH,
    NAMES,
    ONE_STEP,
    build,
    initial,
    largest_difference,
    pictures,
    quiet,
    stepped,
    trained,
    without_dropout,
)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", NAMES)
def test_one_step_equals_keras(name: str) -> None:
    """After one step without dropout, weights and loss are those of `train_on_batch`."""
    model = build(name, without_dropout)
    weights, (images, labels) = initial(model), pictures(model, BATCH)
    seen: list[float] = []

    engine = engine_for(model)
    ours = trained(engine, weights, images, labels, on_epoch=lambda *told: seen.extend(told[:3]))

    model.set_weights(weights)
    loss, accuracy = model.train_on_batch(images, labels)
    assert largest_difference(ours, model.get_weights()) <= ONE_STEP
    assert seen == [1, pytest.approx(loss, rel=1e-5), pytest.approx(accuracy, abs=1e-6)]


@pytest.mark.parametrize("name", NAMES)
def test_a_last_small_batch_is_a_step_of_its_own_size(name: str) -> None:
    """Of 37 images the last 5 are one step, with the mean taken over 5."""
    model = build(name, without_dropout)
    weights, (images, labels) = initial(model), pictures(model, BATCH + 5)

    ours = trained(engine_for(model), weights, images, labels)

    # twice the bound of one step, for two
    assert largest_difference(ours, stepped(model, weights, images, labels)) <= 2 * ONE_STEP


@pytest.mark.parametrize("n", [1, 151])
@pytest.mark.parametrize("kind", ["clean", "noise", "inverted"])
@pytest.mark.parametrize("name", NAMES)
def test_logits_equal_keras(name: str, kind: str, n: int) -> None:
    """Logits are what the last layer hands to the softmax, with dropout off and any biases."""
    keras, rng = import_keras(), np.random.default_rng(2)
    model = build(name)
    model.set_weights(
        [rng.normal(0, 0.1, each.shape) if each.ndim == 1 else each for each in initial(model)]
    )
    ink, _ = pictures(model, n)
    shown = {"clean": ink, "noise": rng.random(ink.shape, np.float32), "inverted": 1 - ink}
    images = shown[kind]

    before = keras.Model(model.inputs[0], model.layers[-2].output)(images).numpy()
    kernel, bias = model.layers[-1].get_weights()

    ours = engine_for(model).logits(model.get_weights(), images)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, before @ kernel + bias, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_a_hundred_steps_stay_as_near_as_keras_to_itself(name: str, tmp_path: Path) -> None:
    """After 100 steps no weight is further off than 10 times what threads change in Keras."""
    model = build(name, without_dropout)
    weights, (images, labels) = initial(model), pictures(model, 100 * BATCH)
    model.set_weights(weights)
    model.save(tmp_path / "model.keras")
    order = np.random.default_rng(3).permutation(len(images))
    np.savez(tmp_path / "batches.npz", images=images[order], labels=labels[order])

    ours = trained(engine_for(model), weights, images, labels)

    one, two = (keras_after(tmp_path, threads) for threads in (1, 2))
    allowed = max(1e-5, 10 * largest_difference(one, two))
    assert largest_difference(ours, one) <= allowed


_STEPS_OF_KERAS = """
import sys
import numpy as np
import tensorflow as tf
folder, threads = sys.argv[1], int(sys.argv[2])
tf.config.threading.set_intra_op_parallelism_threads(threads)
tf.config.threading.set_inter_op_parallelism_threads(threads)
import keras
model = keras.models.load_model(f"{folder}/model.keras")
given = np.load(f"{folder}/batches.npz")
model.fit(given["images"], given["labels"], batch_size=32, shuffle=False, verbose=0)
np.savez(f"{folder}/{threads}.npz", *model.get_weights())
"""


def keras_after(folder: Path, threads: int) -> list[np.ndarray]:
    """Return the weights of `folder`'s model after its batches, in a process of `threads`."""
    child = [sys.executable, "-c", _STEPS_OF_KERAS, str(folder), str(threads)]
    subprocess.run(child, check=True, capture_output=True, env=quiet())
    with np.load(folder / f"{threads}.npz") as saved:
        return [saved[key] for key in saved.files]
