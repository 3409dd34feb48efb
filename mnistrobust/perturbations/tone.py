"""Levels of ink: each pixel changes where it is."""

import numpy as np

from mnistrobust import transforms
from mnistrobust.perturbations.definition import SIDE, perturbation

_WHITE = 255
_SLOPES = (np.mgrid[:SIDE, :SIDE] / (SIDE - 1))[[0, 0, 1, 1]]  # (4, 28, 28): down, up, right, left
_SLOPES[1::2] = 1 - _SLOPES[1::2]


@perturbation(
    unit="share of contrast lost",
    doses=(0, 1),
    severities=(0.6, 0.7, 0.8, 0.9, 0.95),  # MNIST-C's contrast
    reads="all digits to 0.9, on a screen; nothing at 1",
)
def contrast(images: np.ndarray, dose: float, _: np.random.Generator) -> np.ndarray:
    """Move each pixel towards the mean of its image."""
    means = images.mean(axis=(1, 2), keepdims=True)
    return np.asarray(means + (1 - dose) * (images - means))


@perturbation(
    unit="share of ink lost",
    doses=(0, 1),
    severities=(0.5, 0.7, 0.8, 0.9, 0.95),
    reads="all digits to 0.9, on a screen; nothing at 1",
)
def fade(images: np.ndarray, dose: float, _: np.random.Generator) -> np.ndarray:
    """Multiply every pixel by 1 minus the dose."""
    return (1 - dose) * images


@perturbation(
    unit="ink; below 0, ink is taken off",
    doses=(-1, 1),
    severities=(0.1, 0.2, 0.3, 0.4, 0.5),  # MNIST-C's brightness; its data set has 0.5
    reads="all digits to 0.5; nothing at 1 and at -1",
)
def brightness(images: np.ndarray, dose: float, _: np.random.Generator) -> np.ndarray:
    """Add the same ink to every pixel."""
    return images + dose


@perturbation(
    unit="ink at the far edge; below 0, ink is taken off",
    doses=(-1, 1),
    severities=(0.2, 0.4, 0.6, 0.8, 1),
    reads="all digits to 0.8; parts of them are hidden at 1",
)
def shade(images: np.ndarray, dose: float, rng: np.random.Generator) -> np.ndarray:
    """Add ink that grows from edge to edge: down, up, right or left, as drawn for each image."""
    return images + dose * _SLOPES[rng.integers(0, len(_SLOPES), (len(images),))]


@perturbation(
    unit="doublings of the exponent",
    doses=(-4, 4),
    severities=(0.5, 1, 1.5, 2, 3),
    reads="all digits; strokes are fainter above 0, and bolder below",
)
def gamma(images: np.ndarray, dose: float, _: np.random.Generator) -> np.ndarray:
    """Raise each pixel to the power of 2 ** dose."""
    return np.asarray(images ** (2**dose))


@perturbation(
    unit="share of the inverted image",
    doses=(0, 1),
    severities=(0.2, 0.4, 0.6, 0.8, 1),
    reads="all digits, except near 0.5, where every pixel is grey",
)
def inverted(images: np.ndarray, dose: float, _: np.random.Generator) -> np.ndarray:
    """Blend with 1 - x; 1 is the document's inversion."""
    return (1 - dose) * images + dose * (1 - images)


@perturbation(
    unit="share of the black and white image",
    doses=(0, 1),
    severities=(0.2, 0.4, 0.6, 0.8, 1),
    reads="all digits; thin strokes break from 0.8",
)
def threshold(images: np.ndarray, dose: float, _: np.random.Generator) -> np.ndarray:
    """Blend with black and white, cut at 0.9; 1 is the document's threshold."""
    return (1 - dose) * images + dose * transforms.threshold(images)


@perturbation(
    unit="bits lost of 8",
    doses=(0, 7),
    severities=(3, 4, 5, 6, 7),  # MNIST-C's quantize
    reads="all digits",
)
def quantise(images: np.ndarray, dose: float, _: np.random.Generator) -> np.ndarray:
    """Round to fewer levels of ink."""
    steps = round((_WHITE + 1) / 2**dose - 1)
    return np.asarray(np.rint(steps * images) / steps)


@perturbation(
    unit="share of the inverted columns",
    doses=(0, 1),
    severities=(0.2, 0.4, 0.6, 0.8, 1),
    reads="all digits",
)
def stripes(images: np.ndarray, dose: float, rng: np.random.Generator) -> np.ndarray:
    """Invert the outer quarters of the columns, as a blend; 1 is MNIST-C's stripe."""
    inner = slice(SIDE // 4, -SIDE // 4)
    changed: np.ndarray = inverted.function(images, dose, rng)
    changed[:, :, inner] = images[:, :, inner]
    return changed
