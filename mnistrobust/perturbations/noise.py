"""Noise of pixels. Each image has its own, but for offset noise."""

import numpy as np

from mnistrobust.perturbations.definition import SIDE, perturbation

_LEAST = 1e-6  # ink per photon: noise of 0.001, a quarter of a level. SciPy takes long for less


@perturbation(
    unit="share of the document's offsets",
    doses=(0, 1),
    severities=(0.2, 0.4, 0.6, 0.8, 1),
    reads="all digits, also at 1",
    shared=True,
    ceiling=2.0,
)
def offset_noise(images: np.ndarray, dose: float, rng: np.random.Generator) -> np.ndarray:
    """Add one offset in [0, dose) to each pixel, the same to every image; 1 is the document's."""
    return np.asarray(images + (dose * rng.random((SIDE, SIDE))).astype(images.dtype))


@perturbation(
    unit="standard deviation, in ink",
    doses=(0, 1),
    severities=(0.08, 0.12, 0.18, 0.26, 0.38),  # MNIST-C's gaussian_noise
    reads="all digits to 0.38; most to 1",
)
def gaussian_noise(images: np.ndarray, dose: float, rng: np.random.Generator) -> np.ndarray:
    """Add normal noise to each pixel."""
    return images + dose * rng.standard_normal(images.shape)


@perturbation(
    unit="share of noise",
    doses=(0, 1),
    severities=(0.2, 0.35, 0.5, 0.6, 0.7),
    reads="all digits to 0.5; nothing at 1, which is pure noise",
)
def uniform_noise(images: np.ndarray, dose: float, rng: np.random.Generator) -> np.ndarray:
    """Blend with uniform noise."""
    return (1 - dose) * images + dose * rng.random(images.shape)


@perturbation(
    unit="share of pixels",
    doses=(0, 1),
    severities=(0.03, 0.06, 0.09, 0.17, 0.27),  # MNIST-C's impulse_noise; its data set has 0.17
    reads="all digits to 0.27; nothing from 0.8",
)
def salt_and_pepper(images: np.ndarray, dose: float, rng: np.random.Generator) -> np.ndarray:
    """Set pixels to full ink or to none, half of them each."""
    draws = rng.random(images.shape)
    salted = np.where(draws >= 1 - dose / 2, 1, images)
    return np.where(draws < dose / 2, 0, salted)


@perturbation(
    unit="share of pixels",
    doses=(0, 1),
    severities=(0.1, 0.2, 0.3, 0.4, 0.5),
    reads="nearly all digits to 0.4; nothing at 1",
)
def missing_pixels(images: np.ndarray, dose: float, rng: np.random.Generator) -> np.ndarray:
    """Set pixels to no ink."""
    return np.where(rng.random(images.shape) < dose, 0, images)


@perturbation(
    unit="ink per photon",
    doses=(0, 1),
    severities=(1 / 60, 1 / 25, 1 / 12, 1 / 5, 1 / 3),  # MNIST-C's shot_noise; its data set has 1/3
    reads="all digits to 1/3; most to 1",
)
def shot_noise(images: np.ndarray, dose: float, rng: np.random.Generator) -> np.ndarray:
    """Count photons: a Poisson number of steps of that much ink."""
    from scipy.special import pdtrik

    draws = rng.random(images.shape)  # by inversion: the draws do not depend on other pixels
    if dose < _LEAST:
        return images
    photons = np.zeros_like(draws)
    inked = images > 0
    photons[inked] = np.ceil(pdtrik(draws[inked], images[inked] / dose))
    return dose * photons


@perturbation(
    unit="standard deviation, in a pixel's own ink",
    doses=(0, 2),
    severities=(0.15, 0.2, 0.35, 0.45, 0.6),  # MNIST-C's speckle_noise
    reads="all digits to 0.6; most to 2",
)
def speckle_noise(images: np.ndarray, dose: float, rng: np.random.Generator) -> np.ndarray:
    """Multiply each pixel by normal noise around 1."""
    return images * (1 + dose * rng.standard_normal(images.shape))
