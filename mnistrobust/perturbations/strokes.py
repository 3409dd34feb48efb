"""Strokes: thicker, thinner, or hidden in part."""

from collections.abc import Callable

import numpy as np

from mnistrobust.perturbations.definition import SIDE, perturbation


@perturbation(
    unit="pixels on each side",
    doses=(0, 5),
    severities=(0.5, 1, 1.5, 2, 3),
    reads="all digits to 1.5; loops close from 2",
)
def thicken(images: np.ndarray, dose: float, _: np.random.Generator) -> np.ndarray:
    """Let ink grow by a disk."""
    from scipy.ndimage import grey_dilation

    return _by_disks(grey_dilation, images, dose)


@perturbation(
    unit="pixels on each side",
    doses=(0, 3),
    severities=(0.2, 0.4, 0.6, 0.8, 1),
    reads="all digits to 0.6; thin strokes are gone from 1",
)
def thin(images: np.ndarray, dose: float, _: np.random.Generator) -> np.ndarray:
    """Let ink shrink by a disk."""
    from scipy.ndimage import grey_erosion

    return _by_disks(grey_erosion, images, dose)


@perturbation(
    unit="pixels, side of the square; below 0, it is of ink",
    doses=(-28, 28),
    severities=(4, 6, 8, 10, 12),
    reads="nearly all digits to 8; half of them at 12",
)
def occlude(images: np.ndarray, dose: float, rng: np.random.Generator) -> np.ndarray:
    """Blank a square inside the image, its place drawn for each image."""
    start = (SIDE - abs(dose)) * rng.random((len(images), 2, 1))
    hidden = _overlap(start, abs(dose))
    return _covered(images, hidden[:, 0, :, None] * hidden[:, 1, None, :], ink=dose < 0)


@perturbation(
    unit="pixels, width of the bar; below 0, it is blank",
    doses=(-28, 28),
    severities=(1, 2, 3, 4, 6),
    reads="nearly all digits to 4; few from 10",
)
def bar(images: np.ndarray, dose: float, rng: np.random.Generator) -> np.ndarray:
    """Draw a bar of ink from edge to edge: across or down, in one of five places, as drawn for each."""
    down, at = divmod(rng.integers(0, 10, (len(images), 1)), 5)
    width = abs(dose)
    share = _overlap((SIDE - width) * at / 4, width)
    covered = np.where(down[..., None], share[:, None, :], share[:, :, None])
    return _covered(images, covered, ink=dose > 0)


@perturbation(
    unit="pixels, width of the frame",
    doses=(0, 14),
    severities=(0.5, 1, 2, 3, 4),
    reads="all digits to 4; parts of them are hidden from 5",
)
def frame(images: np.ndarray, dose: float, _: np.random.Generator) -> np.ndarray:
    """Draw a frame of ink along the four edges."""
    inside = _overlap(np.array([dose]), SIDE - 2 * dose)
    return _covered(images, 1 - inside[:, None] * inside, ink=True)


@perturbation(
    unit="share of ink; below 0, of blank",
    doses=(-1, 1),
    severities=(0.2, 0.4, 0.6, 0.8, 1),
    reads="nearly all digits to 0.8; few through lines in every second row at 1",
)
def lines(images: np.ndarray, dose: float, rng: np.random.Generator) -> np.ndarray:
    """Draw lines of ink: every second, third or fourth row or column, as drawn for each image."""
    down, distance = divmod(rng.integers(0, 6, (len(images), 1)), 3)
    share = abs(dose) * (np.arange(SIDE) % (distance + 2) == 0)
    covered = np.where(down[..., None], share[:, None, :], share[:, :, None])
    return _covered(images, covered, ink=dose > 0)


def _overlap(start: np.ndarray, width: float) -> np.ndarray:
    """Return the share of each pixel along a side between `start` (…, 1) and `width` pixels later."""
    below, above = np.arange(SIDE), np.arange(1, SIDE + 1)
    overlap = np.minimum(above, start + width) - np.maximum(below, start)
    return np.asarray(np.clip(overlap, 0, 1))


def _covered(images: np.ndarray, share: np.ndarray, *, ink: bool) -> np.ndarray:
    """Return images with a share of each pixel blank, or full of ink."""
    return np.asarray(images * (1 - share) + share * ink)


def _by_disks(filtered: Callable[..., np.ndarray], images: np.ndarray, radius: float) -> np.ndarray:
    """Return images filtered by a disk; between two whole radii, a blend of both."""
    whole, part = divmod(radius, 1)
    inner, outer = (
        filtered(images, footprint=_disk(int(whole) + more), mode="constant") for more in (0, 1)
    )
    return np.asarray((1 - part) * inner + part * outer)


def _disk(radius: int) -> np.ndarray:
    down, right = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    return np.asarray(down**2 + right**2 <= radius**2)[None]
