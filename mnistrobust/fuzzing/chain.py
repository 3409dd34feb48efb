"""Chains of perturbations: how they change images."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from mnistrobust.perturbations import Perturbation, dosed
from mnistrobust.randomness import stream
from mnistrobust.transforms import Images

Chain = tuple[str, ...]  # perturbations with doses, in order: ("rotate:15", "blur:1.2")


def perturb(images: Images, chain: Chain, seed: int) -> Images:
    """Return images after each perturbation of a chain in turn.

    Draws depend on the seed, the perturbation and how often it came before. Raises UsageError for
    an unknown name or a wrong dose.
    """
    for perturbation, dose, key in _steps(chain):
        images = perturbation(images, dose, stream(seed, *key))
    return images


def perturb_each(images: np.ndarray, chain: Chain, seeds: Sequence[int]) -> np.ndarray:
    """Return images (n, 784), each as `perturb` returns it alone with its own seed."""
    for perturbation, dose, key in _steps(chain):
        if perturbation.shared or ":" in perturbation.name:  # one of the user's may draw in any way
            pairs = zip(images, seeds, strict=True)
            single = [perturbation(image[None], dose, stream(at, *key)) for image, at in pairs]
            images = np.concatenate(single) if single else images
        else:
            images = perturbation(images, dose, _Each(seeds, key))  # type: ignore[arg-type]
    return images


def _steps(chain: Chain) -> Iterator[tuple[Perturbation, float, tuple[str, int]]]:
    """Yield each perturbation with its dose and the key of its draws."""
    names: list[str] = []
    for perturbation, dose in map(dosed, chain):
        yield perturbation, dose, (perturbation.name, names.count(perturbation.name))
        names.append(perturbation.name)


class _Each:
    """Draws for each image of a set as a generator of its own does for that image alone."""

    def __init__(self, seeds: Sequence[int], key: tuple[str, int]) -> None:
        self._seeds, self._key = seeds, key

    @cached_property
    def _generators(self) -> list[np.random.Generator]:
        return [stream(seed, *self._key) for seed in self._seeds]

    def __getattr__(self, method: str) -> Callable[..., np.ndarray]:
        def draw(*arguments: Any) -> np.ndarray:
            *others, (_, *size) = arguments
            draws = (getattr(each, method)(*others, (1, *size)) for each in self._generators)
            return np.concatenate([*draws])

        return draw
