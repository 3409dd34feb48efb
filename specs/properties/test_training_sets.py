"""What each recipe trains on, how, and from which random streams."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnistrobust import data, transforms
from mnistrobust.conditions import CONDITIONS
from mnistrobust.fuzzing.strategies import seeds
from mnistrobust.recipes import RECIPES
from specs.properties.recorded import built, guesses, shown, trained
from specs.properties.uniformity import assert_all_floats, assert_other, assert_uniform

# An example is a training set of 1,500 images.
few = settings(max_examples=max(3, settings.default.max_examples // 10))
EACH = pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
RECIPE = st.sampled_from(list(RECIPES.values()))
WITH_OFFSET = st.sampled_from(
    [each for each in RECIPES.values() if each.transform == "offset_noise"]
)
MORE = st.integers(1, 2**32)  # what another seed has more

FIELDS = ("name", "architecture", "transform", "noise_class", "rows", "epochs", "batch_size")
TABLE = (
    ("ann", "ann", None, False, None, 10, 32),
    ("ann_1000", "ann", None, False, 1000, 10, 32),
    ("ann_threshold_1000", "ann", "threshold", False, 1000, 10, 32),
    ("ann_noisy", "ann", "offset_noise", False, None, 10, 32),
    ("ann_plusnoisy", "ann", None, True, None, 10, 32),
    ("ann_noisy_plusnoise", "ann", "offset_noise", True, None, 10, 32),
    ("rnn", "rnn", None, False, None, 10, 32),
    ("rnn_noisy", "rnn", "offset_noise", False, None, 10, 32),
    ("rnn_1000", "rnn", None, False, 1000, 10, 32),
    ("rnn_threshold_1000", "rnn", "threshold", False, 1000, 10, 32),
    ("cnn", "cnn", None, False, None, 2, 32),
    ("cnn_1000", "cnn", None, False, 1000, 10, 32),
    ("cnn_noisy", "cnn", "offset_noise", False, None, 2, 32),
)
DENSE = ("Dense", 128, "relu")
DROPOUT = ("Dropout", 0.2)
LAYERS = {
    "ann": [("Input", (784,)), *(DENSE, DROPOUT) * 3, ("Dense", 11, "softmax")],
    "rnn": [
        ("Input", (28, 28)),
        ("LSTM", 128, True, 0.2),
        ("GlobalMaxPooling1D",),
        ("Dense", 11, "softmax"),
    ],
    "cnn": [
        ("Input", (28, 28, 1)),
        ("Conv2D", 256, (3, 3), "relu"),
        DROPOUT,
        ("MaxPooling2D", (2, 2)),
        ("Flatten",),
        ("Dense", 64),
        DROPOUT,
        ("Dense", 11, "softmax"),
    ],
}
COMPILED = {
    "optimizer": "adam",
    "loss": "sparse_categorical_crossentropy",
    "metrics": ["accuracy"],
}


@pytest.fixture(scope="module")
def dataset(settings):
    """The first 1,500 training images and 300 held-out images of this run's data."""
    whole = data.load(settings.source)
    sizes = {"x_train": 1500, "y_train": 1500, "x_test": 300, "y_test": 300}
    return data.Dataset(whole.source, {name: whole.arrays[name][:n] for name, n in sizes.items()})


def raw(dataset, part):
    """Return images (n, 784), read without the library's own scaling, and labels."""
    pixels = dataset.arrays[f"x_{part}"].reshape(-1, 784).astype(np.float32) / np.float32(255)
    return pixels, dataset.arrays[f"y_{part}"]


def offset_of(note, dataset):
    """Return the offset (784,) that training images have."""
    return note.images[0] - raw(dataset, "train")[0][0]


def test_recipes_are_those_of_the_table():
    """Catches a changed recipe: architecture, transform, noise class, rows, epochs, batch size."""
    expected = [dict(zip(FIELDS, row, strict=True)) for row in TABLE]

    assert [RECIPES[row["name"]].to_json() for row in expected] == expected


@pytest.mark.parametrize("architecture", LAYERS)
def test_architectures_are_those_of_the_table(architecture):
    """Catches a changed layer, dropout rate, optimizer or loss."""
    assert built(architecture, 11) == (LAYERS[architecture], COMPILED)


@EACH
@few
@given(seed=seeds())
def test_network_is_fed_what_its_recipe_says(dataset, recipe, seed):
    """Catches other rows, another threshold, offsets on the noise class, labels out of step.

    Fails falsely in 1 run of 1e9; sees noise whose distribution differs by 0.05 anywhere.
    """
    pixels, labels = (part[: recipe.rows] for part in raw(dataset, "train"))
    note = trained(recipe, dataset, seed)
    digits, noise = np.split(note.images, [len(pixels)])

    if recipe.transform == "offset_noise":
        offset = offset_of(note, dataset)
        assert_all_floats(offset)
        assert_uniform(offset, sees=0.15)
        np.testing.assert_allclose(digits, pixels + offset, atol=1e-6)
    elif recipe.transform == "threshold":
        np.testing.assert_array_equal(digits, pixels >= np.float32(0.9))
    else:  # another transform has laws of its own
        transform = getattr(transforms, recipe.transform) if recipe.transform else np.asarray
        np.testing.assert_array_equal(digits, transform(pixels))
    assert len(noise) == (125 if recipe.noise_class else 0)  # one for twelve digits
    if recipe.noise_class:
        assert_all_floats(noise[:2])
        assert_uniform(noise, sees=0.025)
    np.testing.assert_array_equal(note.labels, [*labels, *[10] * len(noise)])
    assert note.options == {"epochs": recipe.epochs, "batch_size": recipe.batch_size}


@few
@given(recipe=WITH_OFFSET, seed=seeds(), more=MORE)
def test_training_offset_is_one_for_each_seed(dataset, recipe, seed, more):
    """Catches an offset that is the same for all seeds, or another one for each recipe."""
    offset = offset_of(trained(RECIPES["ann_noisy"], dataset, seed), dataset)

    np.testing.assert_array_equal(offset_of(trained(recipe, dataset, seed), dataset), offset)
    assert_other(offset_of(trained(recipe, dataset, seed + more), dataset), than=offset)


@few
@given(seed=seeds(), more=MORE)
def test_noise_class_is_one_for_each_recipe_and_seed(dataset, seed, more):
    """Catches noise images that two recipes or two seeds share."""
    one, other = RECIPES["ann_plusnoisy"], RECIPES["ann_noisy_plusnoise"]
    noise = trained(one, dataset, seed).images[-1]

    assert_other(trained(one, dataset, seed + more).images[-1], than=noise)
    assert_other(trained(other, dataset, seed).images[-1], than=noise)


@few
@given(one=RECIPE, other=RECIPE, seed=seeds(), more=MORE)
def test_trainings_draw_their_own_numbers(dataset, one, other, seed, more):
    """Catches initial weights, batch order or dropout that ignore the seed or the recipe."""
    note = trained(one, dataset, seed)
    another = trained(one, dataset, seed + more)
    elsewhere = trained(other, dataset, seed)

    assert note.order != note.dropout
    for name in ("initial", "order", "dropout"):
        assert getattr(note, name) != getattr(another, name)
        assert (getattr(note, name) == getattr(elsewhere, name)) == (one == other)


@few
@given(seed=seeds(), more=MORE)
def test_no_two_purposes_share_a_stream(dataset, settings, seed, more):
    """Catches a key that two purposes, recipes, seeds or conditions have in common."""
    keys = []
    for each in (seed, seed + more):
        keys += [key for recipe in RECIPES.values() for key in trained(recipe, dataset, each).keys]
        keys += [
            key for name in CONDITIONS for key in shown(name, settings.source, each, most=1).keys
        ]
    noise_classes = sum(recipe.noise_class for recipe in RECIPES.values())
    # weights, batch order and dropout of each recipe; one offset for all
    streams = 3 * len(RECIPES) + 1 + noise_classes + len(CONDITIONS)

    assert len(set(keys)) == 2 * streams


@few
@given(recipe=RECIPE, seed=seeds())
def test_learning_curve_has_the_accuracy_on_held_out_images(dataset, recipe, seed):
    """Catches `val_accuracy` of the training images, or of training itself."""
    pixels, labels = raw(dataset, "test")
    history = trained(recipe, dataset, seed).history

    assert history["val_accuracy"] == [np.mean(guesses(pixels) == labels)]
    assert history["accuracy"] == [0.25]
    assert history["loss"] == [0.5]
