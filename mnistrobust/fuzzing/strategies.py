"""Hypothesis strategies for images and their perturbations, for laws of transforms, your own included.

Hypothesis draws a few small parameters, and NumPy makes the values from them. A failing example is
therefore a short call to paste, such as `make_images(n=1, ink=1, seed=0, …)`, and shrinks to few images
with few pixels that are not 0. No global generator is touched. Full ink is 1.0.
"""

import inspect
import tempfile
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from mnistrobust.data import decide, load
from mnistrobust.fuzzing.chain import Chain, perturb
from mnistrobust.perturbations import PERTURBATIONS, Perturbation
from mnistrobust.transforms import PIXELS, THRESHOLD

Shape = tuple[int, ...]

SHAPES = ((PIXELS,), (28, 28), (28, 28, 1))
DTYPES = ("float32", "float64")
CONTENTS = ("grey", "uniform", "ties", "full ink")
LAYOUTS = ("contiguous", "strided", "fortran", "read-only", "memory-mapped")
ROWS = range(7)  # empty sets and single images among them


def seeds() -> st.SearchStrategy[int]:
    """Draw seeds: whole numbers in [0, 2**32)."""
    return st.integers(0, 2**32 - 1)


def images(**values: Sequence[Any]) -> st.SearchStrategy[np.ndarray]:
    """Draw sets of images (n, *shape) from `make_images`; `values` are as in `parameters`."""
    return st.builds(make_images, **parameters(make_images, **values))


def frames(**values: Sequence[Any]) -> st.SearchStrategy[pd.DataFrame]:
    """Draw sets of images as pandas frames (n, 784) from `make_frame`, `values` as in `parameters`."""
    return st.builds(make_frame, **parameters(make_frame, **values))


def parameters(
    make: Callable[..., Any],
    *,
    rows: Sequence[int] = ROWS,
    shapes: Sequence[Shape] = SHAPES,
    dtypes: Sequence[str] = DTYPES,
    contents: Sequence[str] = CONTENTS,
    layouts: Sequence[str] = LAYOUTS,
) -> dict[str, st.SearchStrategy[Any]]:
    """Return a strategy for each parameter of `make_images` or `make_frame`; `rows` are the n."""
    known = {
        "n": st.sampled_from(rows),
        "ink": st.integers(0, PIXELS),
        "seed": seeds(),
        "content": st.sampled_from(contents),
        "dtype": st.sampled_from(dtypes),
        "shape": st.sampled_from(shapes),
        "layout": st.sampled_from(layouts),
        "index": st.sampled_from(list(_INDEXES)),
        "named_columns": st.booleans(),
    }
    taken = inspect.signature(make).parameters
    return {name: each for name, each in known.items() if name in taken}


def make_images(
    n: int,
    seed: int,
    content: str = "grey",
    ink: int = PIXELS,
    shape: Shape = (PIXELS,),
    dtype: str = "float32",
    layout: str = "contiguous",
) -> np.ndarray:
    """Return `n` images (n, *shape) with pixels in [0, 1].

    In each image, all but `ink` pixels, at random places, are 0; `content`, one of CONTENTS, is what
    these are: k / 255, any, 0, 1, 0.9 and its neighbours, or 1. `layout`, one of LAYOUTS, is how the
    array lies in memory.
    """
    rng = np.random.default_rng(seed)
    pixels = _pixels(rng, content, (n, PIXELS), np.dtype(dtype))
    pixels[rng.permuted(np.tile(np.arange(PIXELS), (n, 1)), axis=1) >= ink] = 0
    pixels = pixels.reshape(n, *shape)
    if layout == "strided":
        return np.repeat(pixels, 2, axis=0)[::2]
    if layout == "fortran":
        return np.asfortranarray(pixels)
    if layout == "memory-mapped" and n:  # no file can be mapped at no length
        with tempfile.TemporaryFile() as file:
            file.write(pixels.tobytes())
            file.flush()
            return np.memmap(file, pixels.dtype, "r", shape=pixels.shape)
    pixels.flags.writeable = layout != "read-only"
    return pixels


def _pixels(
    rng: np.random.Generator, content: str, shape: Shape, dtype: np.dtype[Any]
) -> np.ndarray:
    if content == "grey":
        return np.asarray(rng.integers(1, 256, shape).astype(dtype) / dtype.type(255))
    if content == "uniform":
        return rng.random(shape).astype(dtype)
    if content == "ties":
        tie = dtype.type(THRESHOLD)
        near = [0, np.nextafter(tie, dtype.type(0)), tie, np.nextafter(tie, dtype.type(1)), 1]
        return np.array(near, dtype)[rng.integers(len(near), size=shape)]
    return np.ones(shape, dtype)


def make_frame(
    n: int,
    seed: int,
    content: str = "grey",
    ink: int = PIXELS,
    dtype: str = "float32",
    index: str = "range",
    named_columns: bool = False,
) -> pd.DataFrame:
    """Return `n` images as a pandas frame (n, 784) with pixels in [0, 1].

    `ink` and `content` are as in `make_images`. `index` is "range", "unordered", "text" or "duplicates";
    columns are numbers, or text where they are named.
    """
    columns = [f"pixel{i}" for i in range(PIXELS)] if named_columns else None
    values = make_images(n, seed, content, ink, dtype=dtype)
    return pd.DataFrame(values, _INDEXES[index](n), columns)


_INDEXES: MappingProxyType[str, Callable[[int], pd.Index]] = MappingProxyType(
    {
        "range": pd.RangeIndex,
        "unordered": lambda n: pd.RangeIndex(3 * n, 0, -3),
        "text": lambda n: pd.Index([f"image {i}" for i in range(n)], name="image"),
        "duplicates": lambda n: pd.Index(np.zeros(n, np.int64)),
    }
)


def doses(perturbation: Perturbation, limit: float | None = None) -> st.SearchStrategy[float]:
    """Draw doses of a perturbation: hundredths of its range, or to a limit, on either side of 0."""
    low, high = perturbation.doses
    if limit is not None:
        low, high = max(low, -limit), min(high, limit)
    hundredths = st.integers(-100 if low else 0, 100)  # Hypothesis takes 1.0 for simpler than 0.5
    return hundredths.map(lambda k: round((high if k > 0 else -low) * k / 100, 10))


class Changed(NamedTuple):
    """A held-out digit before and after a chain, images (784,), float32 in [0, 1], and its label."""

    before: np.ndarray
    after: np.ndarray
    label: int
    chain: Chain

    def __repr__(self) -> str:
        """Say what was changed, and not all pixels."""
        return f"a {self.label} after {', '.join(self.chain) or 'no change'}"


def changed_digits(
    *, max_severity: int = 2, over: Sequence[str] = tuple(PERTURBATIONS)
) -> st.SearchStrategy[Changed]:
    """Draw held-out digits after chains that keep them readable: doses to a severity from 1 to 5.

    The digits are of the data set that `mnistrobust.data.decide` chooses. Examples shrink to fewer
    perturbations and smaller doses.
    """
    limits = {name: PERTURBATIONS[name].severities[max_severity - 1] for name in over}
    return st.builds(make_changed_digit, st.integers(0, 9999), chains(limits=limits), seeds())


def make_changed_digit(place: int, chain: Chain, seed: int) -> Changed:
    """Return the held-out digit of that number, counted round, after a chain drawn from a seed."""
    digits = load(decide())
    at = place % len(digits.test_labels)
    before = digits.test_images[at]
    return Changed(
        before, perturb(before[None], chain, seed)[0], int(digits.test_labels[at]), chain
    )


def chains(
    *, most: int = 3, limits: Mapping[str, float | None] | None = None
) -> st.SearchStrategy[Chain]:
    """Draw up to `most` different perturbations with doses, such as `("rotate:15", "blur:1.2")`.

    `limits` are the perturbations to draw from (default: all) and their largest doses, None for that
    of the range. Examples shrink to fewer perturbations and to smaller doses.
    """
    limits = limits or dict.fromkeys(PERTURBATIONS)

    def dosed_by(name: str) -> st.SearchStrategy[str]:
        return doses(PERTURBATIONS[name], limits[name]).map(lambda dose: f"{name}:{dose:.10g}")

    def named(dosed: str) -> str:
        return dosed.rpartition(":")[0]  # two doses of one would shrink to neither

    drawn = st.sampled_from([*limits]).flatmap(dosed_by)
    return st.lists(drawn, max_size=most, unique_by=named).map(tuple)
