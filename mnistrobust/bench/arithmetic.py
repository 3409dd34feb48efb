"""The layers' matrices: what an image costs, and initial weights for the others' networks."""

from types import MappingProxyType

import numpy as np

FULL_EPOCH = 60_000  # images; every rate is scaled to it

# Each layer's matrix (inputs, outputs), and how often an image is multiplied by it: the LSTM's
# four gates once for each of 28 rows, the convolution's 256 filters once for each of 26 x 26.
LAYERS = MappingProxyType(
    {
        "ann": ((784, 128, 1), (128, 128, 1), (128, 128, 1), (128, 10, 1)),
        "rnn": ((28 + 128, 4 * 128, 28), (128, 10, 1)),
        "cnn": ((3 * 3, 256, 26 * 26), (13 * 13 * 256, 64, 1), (64, 10, 1)),
    }
)


def flop(architecture: str) -> int:
    """Return the arithmetic that an image takes in training, by the usual count.

    A multiplication and an addition for each weight and use, three times: forward, for the
    gradient of the weights and for that of the inputs. Multiplications by 0 count, though our
    engine leaves some of them out.
    """
    return 6 * sum(inputs * outputs * uses for inputs, outputs, uses in LAYERS[architecture])


def glorot(inputs: int, outputs: int, rng: np.random.Generator) -> np.ndarray:
    """Return a matrix (inputs, outputs), float32, as Keras draws it by default.

    Glorot and Bengio (2010), uniform.
    """
    bound = np.sqrt(6 / (inputs + outputs))
    return rng.uniform(-bound, bound, (inputs, outputs)).astype(np.float32)
