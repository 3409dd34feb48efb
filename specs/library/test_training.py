"""Training in Keras, for a network that no engine trains: the order of images, and the curve."""

import numpy as np

from mnistrobust import training


class Network:
    """A network that notes what it is fitted to, and gains 1 in each epoch."""

    def __init__(self):
        self.weights, self.noted = None, []

    def set_weights(self, weights):
        self.weights = weights

    def get_weights(self):
        return self.weights

    def fit(self, images, labels, **options):
        self.noted.append((images, labels, options))
        self.weights = [self.weights[0] + 1]
        losses = {"loss": [0.5 / len(self.noted)], "accuracy": [0.25 * len(self.noted)]}
        return type("History", (), {"history": losses})


def test_keras_trains_from_the_given_weights_in_our_order():
    """Each epoch has its own order, images and labels stay together, and Keras shuffles nothing."""
    network, told = Network(), []
    images, labels = np.arange(6)[:, None], np.arange(6) + 10

    ended = training._KerasFit(network)(
        [np.array(7.0)], images, labels, epochs=2, batch_size=4, order=np.random.default_rng(3),
        dropout=np.random.default_rng(4), on_epoch=lambda *each: told.append(each),
    )  # fmt: skip

    rng = np.random.default_rng(3)
    for shown, truth, options in network.noted:
        np.testing.assert_array_equal(shown[:, 0], rng.permutation(6))
        np.testing.assert_array_equal(truth, shown[:, 0] + 10)
        assert (options["batch_size"], options["shuffle"]) == (4, False)
    assert ended == [9.0]
    assert told == [(1, 0.5, 0.25, [8.0]), (2, 0.25, 0.5, [9.0])]
