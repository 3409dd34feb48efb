"""What the search tries: an image, by its place, and a chain of perturbations; how it is told, and shrunk.

Doses are shares of the largest one that is searched, on one side of 0.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from types import MappingProxyType
from typing import Any

import numpy as np

from mnistrobust.fuzzing.chain import Chain, perturb
from mnistrobust.perturbations import Perturbation

MOST = 3  # perturbations in a chain
_WORDS = MappingProxyType(
    {  # above 0, and below
        "rotate": ("rotation to the left", "rotation to the right"),
        "slide": ("shift",),
        "scale": ("shrinking", "enlarging"),
        "squeeze": ("narrower digits", "flatter digits"),
        "shear": ("leaning to the right", "leaning to the left"),
        "brightness": ("ink added everywhere", "ink taken off everywhere"),
        "gamma": ("fainter strokes", "bolder strokes"),
        "elastic": ("elastic distortion",),
        "thicken": ("thicker strokes",),
        "thin": ("thinner strokes",),
        "occlude": ("a blank square", "a square of ink"),
        "bar": ("a bar of ink", "a blank bar"),
        "frame": ("a frame of ink",),
        "lines": ("lines of ink", "blank lines"),
        "shade": ("ink added", "ink taken off"),
        "contrast": ("lost contrast",),
        "fade": ("faded ink",),
        "inverted": ("inversion",),
        "quantise": ("fewer grey levels",),
        "pixelate": ("coarse pixels",),
    }
)


@dataclass(frozen=True, kw_only=True)
class Half:
    """The doses of a perturbation on one side of 0, to `most`; where a draw decides, one `way` to move."""

    perturbation: Perturbation
    most: float
    way: str = ""
    draw: int | None = None  # which moves images that way

    @property
    def words(self) -> str:
        """What it does, in words."""
        name = self.perturbation.name
        words = _WORDS.get(name, (name.replace("-", " "),))[0 if self.most > 0 else -1]
        return f"{words} {self.way}".rstrip()

    def dose(self, share: float) -> float:
        """Return a share of the largest dose."""
        return float(f"{share * self.most:.6g}")

    def step(self, share: float) -> str:
        """Return the perturbation with a share of the largest dose, as `rotate:15`."""
        return f"{self.perturbation.name}:{self.dose(share):.10g}"

    def amount(self, share: float) -> str:
        """Return a share of the largest dose in words, without its sign."""
        dose, unit = abs(share * self.most), self.perturbation.unit
        if unit.startswith("share"):
            return f"{dose:.2g}" if dose > 1 else f"{dose:.0%}" if dose >= 0.1 else f"{dose:.1%}"
        mark = {"degrees": "°", "pixels": " pixels", "pixels,": " pixels"}.get(unit.split()[0], "")
        return f"{dose:.2g}{mark}"

    @cached_property
    def is_random(self) -> bool:
        """Whether two draws differ."""
        ramp = np.linspace(0, 1, 784, dtype=np.float32)[None]
        first, other = (perturb(ramp, (self.step(1),), draw) for draw in (0, 1))
        return self.draw is None and bool((np.asarray(first) != other).any())


@dataclass(frozen=True, kw_only=True)
class Case:
    """An image, by its place, and a chain: halves with shares of their largest doses, and the draw."""

    place: int
    halves: tuple[Half, ...] = ()
    shares: tuple[float, ...] = ()
    draw: int = 0

    @property
    def chain(self) -> Chain:
        """The perturbations with their doses."""
        return tuple(half.step(share) for half, share in zip(self.halves, self.shares, strict=True))

    @property
    def size(self) -> tuple[int, float]:
        """How large the change is: perturbations, then doses."""
        return len(self.halves), sum(self.shares)

    def scaled(self, by: float, position: int | None = None) -> "Case":
        """Return the case with all doses, or the one at a position, multiplied."""
        shares = [each * float(by) if position in (None, at) else each
                  for at, each in enumerate(self.shares)]  # fmt: skip
        return replace(self, shares=tuple(shares))

    def parts(self, n: int) -> Iterator["Case"]:
        """Yield the case with `n` of its perturbations."""
        for kept in combinations(range(len(self.halves)), n):
            halves = tuple(self.halves[i] for i in kept)
            yield replace(self, halves=halves, shares=tuple(self.shares[i] for i in kept))


def shrunk(cases: Sequence[Case], holds: Callable[[Sequence[Case]], Any]) -> list[Case]:
    """Return cases with fewer perturbations and smaller doses for which `holds` still does."""
    best = list(cases)
    for n in reversed(range(MOST)):
        larger = [(at, case) for at, case in enumerate(cases) if len(case.halves) > n]
        parts = [(at, part) for at, case in larger for part in case.parts(n)]
        held = holds([part for _, part in parts])
        for (at, part), kept in zip(parts, held, strict=True):
            best[at] = part if kept else best[at]
    for position in (None, *range(MOST)):  # all doses together, then each
        low, high = np.zeros(len(best)), np.ones(len(best))
        for _ in range(6 if position is None else 4):
            middle = (low + high) / 2
            tried = [case.scaled(by, position) for case, by in zip(best, middle, strict=True)]
            smaller = np.asarray(holds(tried), bool)
            high, low = np.where(smaller, middle, high), np.where(smaller, low, middle)
        best = [case.scaled(by, position) for case, by in zip(best, high, strict=True)]
    return best


def halves_of(over: Sequence[Perturbation], severity: int, seed: int) -> Iterator[Half]:
    """Yield both sides of 0 of each perturbation to a severity, for each way in which some draw."""
    for each in over:
        most, ways = each.severities[severity - 1], dict[str, int | None]({"": None})
        if way := _WAYS.get(each.name):
            ways = {way(draw): draw for draw in reversed(range(seed, seed + 128))}
        for dose in (most, max(-most, each.doses[0]))[: 1 + bool(each.doses[0])]:
            yield from (
                Half(perturbation=each, most=dose, way=way, draw=ways[way]) for way in sorted(ways)
            )


def _drawn(step: str, draw: int, ink: int = 0) -> np.ndarray:
    """Return what a perturbation makes of an image (28, 28) with `ink` in a pixel of the middle."""
    image = np.zeros((1, 28, 28), np.float32)
    image[0, 14, 14] = ink
    changed: np.ndarray = np.asarray(perturb(image, (step,), draw))[0]
    return changed


def _moved(draw: int) -> str:
    down, right = divmod(int(np.argmax(_drawn("shift:5", draw, ink=1))), 28)
    return f"{'down' if down > 14 else 'up'} and to the {'right' if right > 14 else 'left'}"


def _slid(draw: int) -> str:
    down, right = divmod(int(np.argmax(_drawn("slide:5", draw, ink=1))), 28)
    return {19: "down", 9: "up"}.get(down, f"to the {'right' if right > 14 else 'left'}")


def _covered(draw: int) -> str:
    image = _drawn("bar:2", draw)
    across = image[:, 0].sum() == 2
    start = np.average(np.arange(28), weights=image[:, 14] if across else image[14]) - 0.5
    ways = (
        ("at the top", "across the upper half", "across the middle", "across the lower half",
         "at the bottom")
        if across else
        ("at the left", "down the left half", "down the middle", "down the right half",
         "at the right")
    )  # fmt: skip
    return ways[round(start * (len(ways) - 1) / 26)]


def _lined(draw: int) -> str:
    image = _drawn("lines:1", draw)
    row, column = (int(np.flatnonzero(each)[1]) for each in (image[:, 0], image[0]))
    ordinal = ("second", "third", "fourth")[max(row, column) - 2]
    return f"in every {ordinal} {'row' if row > 1 else 'column'}"


def _shaded(draw: int) -> str:
    image = _drawn("shade:1", draw)
    edges = {
        "top": image[0, 14],
        "bottom": image[-1, 14],
        "left": image[14, 0],
        "right": image[14, -1],
    }
    return f"towards the {max(edges, key=edges.__getitem__)}"


_WAYS = MappingProxyType(
    {"shift": _moved, "slide": _slid, "bar": _covered, "lines": _lined, "shade": _shaded}
)
