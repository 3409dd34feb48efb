"""Probabilities without TensorFlow: those of the networks, or none."""

import numpy as np
import pytest

from mnistrobust import training
from mnistrobust.models import ARCHITECTURES
from mnistrobust.recipes import RECIPES
from mnistrobust.report import forward

pytestmark = pytest.mark.slow  # Keras says what the networks are

IMAGES = np.random.default_rng(3).random((3, 784), dtype=np.float32)


@pytest.fixture(scope="module", params=ARCHITECTURES)
def network(request):
    """An architecture, its initial weights, and what Keras predicts with them."""
    model = training.build(RECIPES[request.param], 0)
    predicted = model.predict(training.shaped(model, IMAGES), verbose=0)
    return request.param, model.get_weights(), predicted


def test_probabilities_are_those_of_keras(network):
    """For each of the document's architectures."""
    name, weights, predicted = network
    found = forward.probabilities(name, weights, IMAGES, predicted.max(axis=1))

    np.testing.assert_allclose(found, predicted, atol=1e-5)


def test_a_network_that_is_another_has_none(network):
    """Where the answers were read with another confidence, or the weights do not fit."""
    name, weights, predicted = network
    sure = predicted.max(axis=1)

    assert forward.probabilities(name, weights, IMAGES, sure + 0.01) is None
    assert forward.probabilities(name, weights[1:], IMAGES, sure) is None
    assert forward.probabilities("mlp", weights, IMAGES, sure) is None
    assert forward.probabilities(name, weights, IMAGES[:0], sure[:0]) is None
