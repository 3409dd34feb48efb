"""Places of ink: images that are moved, bent, blurred or made coarse.

The centre of an image lies between its four middle pixels; beyond its edges it is blank.
"""

import numpy as np

from mnistrobust.perturbations.definition import SIDE, perturbation

_DOWN, _RIGHT = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2  # of each pixel, from the centre
_STIFFNESS = 6.0  # pixels over which an elastic image bends
_ANGLE = 45.0  # degrees, the steepest motion
_ASIDE = np.array([(1, 0), (-1, 0), (0, 1), (0, -1)])[..., None, None]  # down, right


@perturbation(
    unit="degrees counter-clockwise",
    doses=(-180, 180),
    severities=(11.5, 23, 34.5, 46, 57.5),  # MNIST-C's rotate, 0.2 to 1 radian; its set has 23
    reads="nearly all digits to 34.5; 6 and 9 change roles near 180",
)
def rotate(images: np.ndarray, dose: float, _: np.random.Generator) -> np.ndarray:
    """Rotate about the centre."""
    angle = np.radians(dose)
    cos, sin = np.cos(angle), np.sin(angle)
    return _sampled(images, cos * _DOWN + sin * _RIGHT, cos * _RIGHT - sin * _DOWN)


@perturbation(
    unit="pixels",
    doses=(0, 14),
    severities=(1, 2, 3, 4, 5),  # MNIST-C's translate; its data set has 3
    reads="all digits to 4; parts of them leave the image from 5",
)
def shift(images: np.ndarray, dose: float, rng: np.random.Generator) -> np.ndarray:
    """Move each image by the dose both up or down and left or right, as drawn for it."""
    moves = dose * (2 * rng.integers(0, 2, (len(images), 2, 1, 1)) - 1)
    return _sampled(images, _DOWN - moves[:, 0], _RIGHT - moves[:, 1])


@perturbation(
    unit="pixels",
    doses=(0, 14),
    severities=(1, 2, 3, 4, 5),
    reads="all digits to 4; parts of them leave the image from 5",
)
def slide(images: np.ndarray, dose: float, rng: np.random.Generator) -> np.ndarray:
    """Move each image by the dose down, up, right or left, as drawn for it."""
    moves = dose * _ASIDE[rng.integers(0, len(_ASIDE), (len(images),))]
    return _sampled(images, _DOWN - moves[:, 0], _RIGHT - moves[:, 1])


@perturbation(
    unit="share of the size lost; below 0, gained",
    doses=(-1, 0.9),
    severities=(0.1, 0.2, 0.3, 0.4, 0.5),  # MNIST-C's scale; its data set has 0.3
    reads="all digits to 0.5; nothing from 0.8",
)
def scale(images: np.ndarray, dose: float, _: np.random.Generator) -> np.ndarray:
    """Make the image smaller about its centre."""
    return _sampled(images, _DOWN / (1 - dose), _RIGHT / (1 - dose))


@perturbation(
    unit="share of the width lost; below 0, of the height",
    doses=(-0.9, 0.9),
    severities=(0.1, 0.2, 0.3, 0.4, 0.5),
    reads="nearly all digits to 0.5; few from 0.8",
)
def squeeze(images: np.ndarray, dose: float, _: np.random.Generator) -> np.ndarray:
    """Make the image narrower or flatter about its centre."""
    high, wide = min(1, 1 + dose), min(1, 1 - dose)
    return _sampled(images, _DOWN / high, _RIGHT / wide)


@perturbation(
    unit="columns to the right for each row up",
    doses=(-2, 2),
    severities=(0.2, 0.4, 0.6, 0.8, 1),  # near MNIST-C's shear; its data set has 0.4
    reads="nearly all digits to 0.8",
)
def shear(images: np.ndarray, dose: float, _: np.random.Generator) -> np.ndarray:
    """Lean to the right; the middle rows stay."""
    return _sampled(images, _DOWN, _RIGHT + dose * _DOWN)


@perturbation(
    unit="pixels, root mean square along rows and columns each",
    doses=(0, 5),
    severities=(0.5, 1, 1.5, 2, 2.5),
    reads="nearly all digits to 2; few from 4",
)
def elastic(images: np.ndarray, dose: float, rng: np.random.Generator) -> np.ndarray:
    """Displace each pixel at random, near pixels alike."""
    places = np.arange(SIDE)
    weights = np.exp(-(((places[:, None] - places) / _STIFFNESS) ** 2))
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)  # smoothed, a variance stays 1
    moves = dose * (weights @ rng.standard_normal((len(images), 2, SIDE, SIDE)) @ weights.T)
    return _sampled(images, _DOWN + moves[:, 0], _RIGHT + moves[:, 1])


@perturbation(
    unit="pixels, standard deviation",
    doses=(0, 6),
    severities=(0.5, 1, 1.5, 2, 3),  # MNIST-C's gaussian_blur has 1, 2 and 3
    reads="nearly all digits to 2; few from 3",
)
def blur(images: np.ndarray, dose: float, _: np.random.Generator) -> np.ndarray:
    """Blur by a Gaussian."""
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(images, (0, dose, dose), mode="constant"))


@perturbation(
    unit="pixels, length of the motion",
    doses=(0, 16),
    severities=(2, 4, 6, 8, 10),
    reads="nearly all digits to 6; few from 10",
)
def motion_blur(images: np.ndarray, dose: float, rng: np.random.Generator) -> np.ndarray:
    """Blur along a line, at most 45 degrees steep, drawn for each image."""
    angles = np.radians(rng.uniform(-_ANGLE, _ANGLE, (len(images), 1, 1)))
    down, right = np.sin(angles), np.cos(angles)
    steps = int(np.ceil(dose)) + 1
    along = dose * (np.arange(steps) + 0.5 - steps / 2) / steps
    parts = (_sampled(images, _DOWN + at * down, _RIGHT + at * right) for at in along)
    return np.asarray(sum(parts) / steps)


@perturbation(
    unit="share of the rows and of the columns lost",
    doses=(0, 0.95),
    severities=(0.4, 0.5, 0.6, 0.7, 0.75),  # MNIST-C's pixelate
    reads="nearly all digits to 0.7; nothing from 0.9",
)
def pixelate(images: np.ndarray, dose: float, _: np.random.Generator) -> np.ndarray:
    """Average over larger pixels."""
    count = int(SIDE * (1 - dose) + 1e-9)  # rounding must not lose a row more
    edges = np.linspace(0, SIDE, count + 1)
    below, above = np.arange(SIDE), np.arange(1, SIDE + 1)
    overlap = np.minimum(edges[1:, None], above) - np.maximum(edges[:-1, None], below)
    shares = np.clip(overlap, 0, None)
    coarse = shares.T @ shares * count / SIDE
    return np.asarray(coarse @ images @ coarse)


def _sampled(images: np.ndarray, down: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return images (n, 28, 28) read bilinearly at places (28, 28) or (n, 28, 28) from the centre."""
    side = SIDE + 2  # with a blank edge
    padded = np.zeros((len(images), side, side), images.dtype)
    padded[:, 1:-1, 1:-1] = images
    places = [np.clip(each + (side - 1) / 2, 0, side - 1) for each in (down, right)]
    top, left = (np.minimum(each, side - 2).astype(np.intp) for each in places)
    lower, righter = (
        (place - corner).astype(images.dtype)
        for place, corner in zip(places, (top, left), strict=True)
    )
    corner = side**2 * np.arange(len(images))[:, None, None] + side * top + left
    above = (1 - righter) * padded.take(corner) + righter * padded.take(corner + 1)
    corner += side
    below = (1 - righter) * padded.take(corner) + righter * padded.take(corner + 1)
    return np.asarray((1 - lower) * above + lower * below)
