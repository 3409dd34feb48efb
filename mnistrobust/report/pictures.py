"""Pages as one file: templates filled in, and pictures inside them as PNGs."""

import base64
import io
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mnistrobust import data
from mnistrobust.conditions import CONDITIONS, condition_named
from mnistrobust.errors import UsageError, cause, inert
from mnistrobust.files import write_whole
from mnistrobust.transforms import NOISE_LABEL

if TYPE_CHECKING:
    from jinja2 import Environment
    from matplotlib.figure import Figure

    from mnistrobust.evaluations import Evaluation
    from mnistrobust.replicates import Replicate

MISTAKES = 6  # of a network on a condition, the most confident
_SIDE = 28


@cache
def first_draw(source: data.Source, seed: int, condition: str) -> tuple[np.ndarray, np.ndarray]:
    """Return images (n, 784) and labels (n,) of a condition's first draw.

    Raises DataError where the data set is gone.
    """
    return next(condition_named(condition).drawn(data.load(source), seed))


def strips(source: data.Source, seed: int) -> list[dict[str, Any]]:
    """Return each condition with its `pictures` of one image of each digit; pure noise has none."""
    dataset, strips = data.load(source), []
    for condition in CONDITIONS.values():
        images, labels = first_draw(source, seed, condition.name)
        # a condition of several draws has the subset alone: the same digits are in all
        every = len(labels) == len(dataset.test_labels)
        shared = dataset.subset if every else np.arange(len(labels))
        places = [int(shared[np.argmax(labels[shared] == digit)]) for digit in range(10)]
        if (labels == NOISE_LABEL).all():
            places = list(range(10))
        pictures = [
            {"address": address(images[place]), "says": _named(labels[place])} for place in places
        ]
        strips.append(
            {"condition": condition.name, "summary": condition.summary, "pictures": pictures}
        )
    return strips


def mistakes(source: data.Source, evaluation: "Evaluation") -> list[dict[str, str]]:
    """Return a network's most confident mistakes on a first draw, as `address`, what it `says`, `confidence`."""
    predictions, labels = evaluation.predictions[0], evaluation.labels[0]
    confident = evaluation.confidence[0]
    wrong = np.flatnonzero(predictions != labels)
    places = wrong[np.argsort(-confident[wrong], kind="stable")][:MISTAKES]
    images, _ = first_draw(source, evaluation.seed, evaluation.condition)
    return [
        {
            "address": address(images[place]),
            "says": f"{_named(labels[place])}, predicted {_named(predictions[place])}",
            "confidence": _percent(float(confident[place])),
        }
        for place in places
    ]


def _named(label: int) -> str:
    return "noise" if label == NOISE_LABEL else f"a {label}"


def overview(replicate: "Replicate", recipe: str, condition: str) -> "Figure":
    """Draw a recipe's pictures on a condition, with images of its first draw."""
    from mnistrobust import plots

    images, _ = first_draw(replicate.source, replicate.seed, condition)
    history = replicate.trained(recipe).history
    return plots.overview(replicate.evaluate(recipe, on=condition), history, images[: plots.STRIP])


def figure(width: float, height: float, rows: int = 1, columns: int = 1) -> "tuple[Figure, Any]":
    """Return an empty figure of so many inches, and its axes (rows · columns,)."""
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), layout="constrained")
    return made, made.subplots(rows, columns, squeeze=False).ravel()


def digits(
    width: float, row: float, across: int, groups: Iterable[tuple[np.ndarray, Iterable[str], str]]
) -> "Figure":
    """Return a figure of images (n, 784) in groups, each with small titles in its colour.

    It is `width` inches wide, its rows of `across` images are `row` inches high, and each group begins
    a row. All stand on one Axes: one for each image would take longer than all that is drawn.
    """
    drawn, (ax,) = figure(width, row)
    size = row / 1.25  # inches of an image, which has a title above it
    step, rows = width / across / size, 0
    for images, titles, colour in groups:
        for place, (pixels, title) in enumerate(zip(images, titles, strict=True)):
            left, top = step * (place % across), 1.25 * (rows + place // across)
            white, span = max(1.0, float(pixels.max())), (left, left + 1, top + 1, top)
            image = pixels.reshape(_SIDE, _SIDE)
            ax.imshow(image, cmap="gray", vmin=0, vmax=white, extent=span)
            ax.text(left + 0.5, top - 0.04, title, fontsize=8, color=colour, ha="center")
        rows += -(-len(images) // across)
    rows = max(1, rows)
    drawn.set_figheight(row * rows)
    ax.set(xlim=(0.5 - step / 2, step * (across - 0.5) + 0.5), ylim=(1.25 * rows - 0.25, -0.25))
    ax.axis("off")
    return drawn


def rendered(package: str, template: str, values: Mapping[str, Any], **options: Any) -> str:
    """Return a package's template with its values; `options` are of jinja2's environment."""
    return _environment(package, **options).get_template(template).render(values)


@cache
def _environment(package: str, **options: Any) -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader(package)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, **options)
    environment.filters["inert"] = inert
    return environment


def save(figure: "Figure", option: str, target: Path) -> None:
    """Write a figure whole, in the format of its file's name; UsageError names the option."""
    try:
        write_whole(target, _drawn(figure, format=target.suffix[1:] or "png"))
    except (OSError, ValueError) as error:  # ValueError: a format that matplotlib lacks
        raise UsageError(f"{option} {target}: {cause(error)}; name another file.") from error


def picture(figure: "Figure") -> str:
    """Return a figure as the `data:` address of a PNG."""
    written = _drawn(figure, format="png", dpi=110, bbox_inches="tight")
    return f"data:image/png;base64,{base64.b64encode(written).decode()}"


def _drawn(figure: "Figure", **how: Any) -> bytes:
    """Return a figure's file, without LaTeX: it would read a per cent sign as its own."""
    from matplotlib import rc_context
    from matplotlib.text import Text

    written = io.BytesIO()
    with rc_context({"text.usetex": False}):
        for text in figure.findobj(Text):
            text.set_usetex(False)
        figure.savefig(written, **how)
    return written.getvalue()


def address(pixels: np.ndarray) -> str:
    """Return an image of 784 pixels as the `data:` address of a PNG, white ink on black."""
    from PIL import Image

    grey = pixels.reshape(_SIDE, _SIDE) * (255 / max(1.0, float(pixels.max())))
    written = io.BytesIO()
    Image.fromarray(np.rint(grey).astype(np.uint8)).save(written, "png")
    return f"data:image/png;base64,{base64.b64encode(written.getvalue()).decode()}"


def percent(share: float, decimals: int = 0) -> str:
    """Write a share so that only certainty is 100%, with more decimals, up to two, where it would be."""
    while decimals < 2 and round(share, 2 + decimals) >= 1:
        decimals += 1
    return "100%" if share > 0.99995 else f"{share:.{decimals}%}"


def _percent(share: float) -> str:
    return percent(share, 2).replace("%", "\N{NO-BREAK SPACE}%")
