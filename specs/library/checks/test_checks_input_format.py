"""How a model's images are laid out, and which values no ink and full ink have: found out by trying."""

import numpy as np
import pytest

from mnistrobust.checks.input_format import shapes_of
from mnistrobust.checks.model import stated_shape
from mnistrobust.checks.opening import open_model
from mnistrobust.checks.outputs import ModelError
from mnistrobust.checks.run import run

STANDARDISED = (-0.1307 / 0.3081, (1 - 0.1307) / 0.3081)


def with_pixels(predict, none, full):
    """A model for images whose pixels are `none` without ink and `full` with ink."""
    return lambda images: predict((images - none) / (full - none))


@pytest.mark.parametrize(
    ("stated", "names"),
    [
        ((1, 28, 28), ["28x28", "1x28x28"]),
        ((None, 28, 28), ["28x28"]),
        ((28, 28, 1), ["28x28x1"]),
        ((None, 784), ["784"]),
        ((784,), ["784"]),
        ((None, None), ["784"]),
        ((None, 32, 32, 3), []),
        ("784", ["784", "28x28", "28x28x1", "1x28x28"]),
    ],
)
def test_a_stated_shape_is_with_or_without_a_batch(stated, names):
    """Keras counts the images, many PyTorch modules state those of one."""
    given = type("Model", (), {"input_shape": stated})

    assert shapes_of(stated_shape(given)) == names


@pytest.mark.parametrize("shape", ["784", "28x28", "28x28x1", "1x28x28"])
def test_the_input_shape_is_found_out(shape, nearest, mnist5k):
    """A model that takes one shape only is asked with it."""
    wanted = tuple(map(int, shape.split("x")))

    def picky(images):
        if images.shape[1:] != wanted:
            raise ValueError(f"expected {wanted}")
        return nearest(images)

    assert open_model(picky, mnist5k).input_shape == shape


@pytest.mark.parametrize(
    "pixels", [(0, 1), (0, 255), (-1, 1), STANDARDISED, (1, 0), (255, 0), (1, -1)], ids=str
)
def test_the_pixels_are_found_out(pixels, nearest, mnist5k):
    """Scale and polarity are what makes a model accurate, and images in [0, 1] become these."""
    model = open_model(with_pixels(nearest, *pixels), mnist5k)

    assert model.pixels == pytest.approx(pixels)
    images = mnist5k.test_images[:50]
    np.testing.assert_allclose(model.predict(images), nearest(images), atol=1e-3)


def test_pixels_that_are_no_clearly_better_change_nothing(nearest, mnist5k):
    """One digit in 50 more is no reason to leave [0, 1], nor is any gain of a useless model."""

    def brighter_is_better(images):
        right = nearest(images / images.max())
        right[:: 50 if images.max() == 1 else 10**6] = np.eye(10)[0]
        return right

    def useless(images):
        return np.roll(nearest(images / images.max()), 1 if images.max() == 1 else 2, axis=1)

    assert open_model(brighter_is_better, mnist5k).pixels == (0, 1)
    assert open_model(useless, mnist5k).pixels == (0, 1)


@pytest.mark.parametrize("pixels", [(0, 1), (-1, 1), STANDARDISED], ids=str)
def test_of_pixels_that_are_as_accurate_the_likelier_ones_count(pixels, nearest, mnist5k):
    """A network of ReLUs predicts the same labels for large pixels, and is wrong with confidence 1."""

    def predict(images):
        none, full = images.min(), images.max()
        logits = nearest((images - none) / (full - none)) / 4
        known = np.allclose((none, full), pixels)
        return logits if known else 30 * np.eye(10)[logits.argmax(axis=1)]

    model = open_model(predict, mnist5k)
    assert model.pixels == pytest.approx(pixels)
    assert "--pixels" not in model.interface


def test_a_lower_loss_by_another_scale_of_the_logits_alone_changes_no_pixels(nearest, mnist5k):
    """The pixels in [0, 1] stay, and what the model reads tells of the others."""

    def unsure(images):
        none, full = images.min(), images.max()
        return nearest((images - none) / (full - none)) / (100 if full == 1 else 4)

    model = open_model(unsure, mnist5k, outputs="logits")
    assert (model.pixels, model.alike[:1]) == ((0, 1), ("0..255",))
    assert run(model, mnist5k, only=["nll"]).to_json()["as_accurate_with"] == list(model.alike)
    assert "classes; it is as accurate with 0..255, " in model.interface


@pytest.mark.parametrize("fails", ["raises", "NaN"])
def test_an_image_that_fails_changes_no_pixels(fails, nearest, mnist5k):
    """The model is read by the others, and a check tells of the failure."""

    def predict(images):
        light = images.reshape(len(images), 784).sum(axis=1) < 55
        if fails == "raises" and light.any():
            raise ValueError("too little ink")
        logits = nearest(images / images.max()) if images.max() > 1 else nearest(images)
        return np.where(light[:, None], np.nan, logits)

    model = open_model(predict, mnist5k)
    found = run(model, mnist5k, only=["finite_output", "clean_accuracy"])

    assert model.pixels == (0, 1)
    assert [each.status for each in found.results] == ["failed", "failed"]
    reason = {"raises": "too little ink", "NaN": "NaN or infinity for "}[fails]
    assert reason in found.results[1].reason


def test_pixels_that_cannot_be_told_apart_are_an_error(nearest, mnist5k):
    """The line shows the accuracies tried; naming the pixels settles it."""

    def either(images):
        none, full = images.min(), images.max()
        if (none, full) == (0, 1):
            return np.zeros((len(images), 10))
        noise = np.random.default_rng(int(full)).normal(0, 3, (len(images), 10))
        return nearest((images - none) / (full - none)) + noise

    line = r"as accurate on several kinds of pixels \(0.093 with 0..1, .* with -1..1"
    with pytest.raises(ModelError, match=line):
        open_model(either, mnist5k)
    assert open_model(either, mnist5k, pixels=(-1, 1)).pixels == (-1, 1)
