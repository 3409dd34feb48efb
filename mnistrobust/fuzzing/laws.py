"""The catalogue of laws that a transform of images may keep, and a check of any transform.

A law takes a transform of images alone and a set of images (n, *shape) or a frame. It returns what
is wrong, or nothing.
"""

import inspect
import random
from collections.abc import Callable, Sequence
from textwrap import indent
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from mnistrobust.errors import unknown
from mnistrobust.fuzzing.strategies import (
    LAYOUTS,
    ROWS,
    SHAPES,
    Shape,
    make_frame,
    make_images,
    parameters,
    seeds,
)
from mnistrobust.transforms import PIXELS

Transform = Callable[..., Any]
_SHOWN = 3  # pixels


def shape(transform: Transform, images: np.ndarray) -> str:
    """The result has the shape of the images, for empty sets too."""
    after = np.shape(transform(images))
    return f"{images.shape} becomes {after}" if after != images.shape else ""


def dtype(transform: Transform, images: np.ndarray) -> str:
    """The result is an array of the images' type."""
    after = getattr(transform(images), "dtype", None)
    return f"{images.dtype} becomes {after}" if after != images.dtype else ""


def input_(transform: Transform, images: np.ndarray) -> str:
    """The images are not changed, now or later through a result that shares their memory."""
    before = np.array(images)
    after = transform(images)
    if problem := _differ(images, before):
        return f"of its input, {problem}"
    shared = np.shares_memory(np.asarray(after), np.asarray(images))
    return "the result shares its input's memory" if shared else ""


def range_(transform: Transform, images: np.ndarray) -> str:
    """Pixels in [0, 1] stay in [0, 1]."""
    pixels = np.asarray(transform(images))
    outside = pixels[~((pixels >= 0) & (pixels <= 1))]
    return f"a pixel becomes {outside[0]:.6g}" if outside.size else ""


def alone(transform: Transform, images: np.ndarray) -> str:
    """An image's result does not depend on its place in the set, or on the other images."""
    parts = [transform(images[i : i + 1]) for i in range(len(images))]
    return _differ(np.concatenate(parts), transform(images), 1e-6) if parts else ""


def layout(transform: Transform, images: np.ndarray) -> str:
    """Strided, transposed, read-only and memory-mapped arrays give what plain ones give."""
    return _differ(transform(images), transform(np.array(images, order="C")))


def repeatable(transform: Transform, images: np.ndarray) -> str:
    """The same images, and a generator of the same seed, give the same result."""
    return _differ(transform(images), transform(images))


def generators(transform: Transform, images: np.ndarray) -> str:
    """The global generators of NumPy and Python are left alone."""
    before = _global_states()
    transform(images)
    return "a global generator is drawn from or seeded" if _global_states() != before else ""


def shapes(transform: Transform, images: np.ndarray) -> str:
    """Sets of shape (n, 784), (n, 28, 28) and (n, 28, 28, 1) give the same pixels."""
    flat = np.asarray(transform(images.reshape(-1, PIXELS)))
    others = (np.asarray(transform(images.reshape(-1, *other))) for other in SHAPES)
    return next(filter(None, (_differ(each.reshape(flat.shape), flat) for each in others)), "")


def frames(transform: Transform, frame: pd.DataFrame) -> str:
    """A pandas frame becomes one with its index and columns, and the pixels of the plain array."""
    after = transform(frame)
    if not isinstance(after, pd.DataFrame):
        return f"a frame becomes {type(after).__name__}"
    if not (after.index.equals(frame.index) and after.columns.equals(frame.columns)):
        return "index or columns change"
    plain = transform(frame.to_numpy())
    same_types = {*after.dtypes} <= {plain.dtype}
    return _differ(after.to_numpy(), plain) if same_types else "the type of the columns changes"


def half_turn(transform: Transform, images: np.ndarray) -> str:
    """Images turned by 180 degrees give results turned by 180 degrees: nothing drifts."""
    turned = transform(_turned(images))
    return _differ(turned, _turned(transform(images)), 1e-5)


LAWS = MappingProxyType(
    {
        each.__name__.rstrip("_"): each
        for each in (
            shape, dtype, input_, range_, alone, layout, repeatable, generators,
            shapes, frames, half_turn,
        )
    }
)  # fmt: skip
KEPT = tuple(LAWS)[:8]  # the laws that most transforms of arrays keep


def check_transform(
    transform: Transform, keeps: Sequence[str] = KEPT, *, shape: Shape = (28, 28)
) -> None:
    """Check that a transform keeps laws of the catalogue, each on new random images.

    `transform` takes images (n, *shape), floats in [0, 1], and perhaps a NumPy generator as a
    second argument; `keeps` are names of `LAWS`. Hypothesis's settings apply. Raises AssertionError
    with the law, and with a smallest example as code to paste; UsageError for an unknown law.
    """
    __tracebackhide__ = True
    for name in keeps:
        if name not in LAWS:
            raise unknown("law", name, LAWS)
        if problem := _failure(transform, name, shape):  # what shrinks may stay at two images
            raise AssertionError(_failure(transform, name, shape, ROWS[:2]) or problem)


def _failure(transform: Transform, name: str, shape: Shape, rows: Sequence[int] = ROWS) -> str:
    """Return the message on the smallest example found that breaks a law; empty if there is none."""
    make: Callable[..., Any] = make_frame if name == "frames" else make_images
    layouts = LAYOUTS[1:] if name == "layout" else LAYOUTS[:1]
    drawn = st.fixed_dictionaries(parameters(make, rows=rows, shapes=[shape], layouts=layouts))
    given_to = inspect.signature(transform).parameters.values()
    positional = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    needed = [each for each in given_to if each.kind in positional and each.default is each.empty]
    takes_generator = len(needed) > 1
    message = ""

    @settings(database=None, deadline=None, print_blob=False, report_multiple_bugs=False)
    @given(drawn, seeds() if takes_generator else st.none())
    def holds(arguments: dict[str, Any], seed: int | None) -> None:
        nonlocal message
        after: Any = make(**arguments)

        def seeded(images: Any) -> Any:
            nonlocal after
            after = transform(images, *([] if seed is None else [np.random.default_rng(seed)]))
            return after

        try:
            problem = LAWS[name](seeded, after)
        except Exception as error:  # noqa: BLE001 - whatever the transform raises
            problem = f"it raises {type(error).__name__}: {error}"
        if problem and not hasattr(after, "shape"):
            problem = f"it returns {'None' if after is None else f'a {type(after).__name__}'}"
        if problem:
            code = _code(transform, make, arguments, seed)
            law = f"the law '{name}' ({LAWS[name].__doc__})"
            message = f"{_named(transform) or 'Your transform'} breaks {law}: {problem}.\n\n{code}"
            raise AssertionError

    try:
        holds()
    except Exception:
        if not message:
            raise
    return message


def _code(
    transform: Transform, make: Callable[..., Any], arguments: dict[str, Any], seed: int | None
) -> str:
    """Return an example as code to paste, with its first pixels that are not 0."""
    usual = inspect.signature(make).parameters
    text = ", ".join(f"{k}={v!r}" for k, v in arguments.items() if v != usual[k].default)
    images = np.asarray(make(**arguments))
    ink = np.argwhere(images)
    pixels = ", ".join(f"{place.tolist()} = {images[*place]:.3g}" for place in ink[:_SHOWN])
    told = f"# 0, but {pixels}{' …' * (len(ink) > _SHOWN)}" if len(ink) else "# all 0"
    call = _named(transform) or "transform"
    whose = "" if _named(transform) else "  # your transform"
    numpy, generator = "", ""
    if seed is not None:
        numpy, generator = "import numpy as np\n", f", np.random.default_rng({seed})"
    lines = (
        f"{numpy}from mnistrobust.fuzzing import {make.__name__}\n",
        f"images = {make.__name__}({text})  {told}",
        f"{call}(images{generator}){whose}",
    )
    return indent("\n".join(lines), "    ")


def _named(transform: Transform) -> str:
    """Return the name that a reader can call; empty where it has none, as a lambda."""
    name: str = getattr(transform, "__name__", "")
    return name if name.isidentifier() else ""


def _differ(one: Any, other: Any, atol: float = 0.0) -> str:
    """Return where two results differ; empty if they are equal."""
    one, other = np.asarray(one), np.asarray(other)
    if one.shape != other.shape:
        return f"the shape is {one.shape} and {other.shape}"
    places = np.argwhere(~np.isclose(one, other, rtol=0, atol=atol, equal_nan=True))
    if not len(places):
        return ""
    place = tuple(places[0].tolist())
    return f"pixel {list(place)} is {one[place]:.6g} and {other[place]:.6g}"


def _turned(images: Any) -> np.ndarray:
    pixels = np.asarray(images)
    return pixels.reshape(-1, PIXELS)[:, ::-1].reshape(pixels.shape)


def _global_states() -> tuple[Any, ...]:
    _, numbers, *rest = np.random.get_state()  # noqa: NPY002
    return random.getstate(), np.asarray(numbers).tobytes(), rest
