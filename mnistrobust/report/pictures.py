"""Images as small PNGs inside the page: what the views do, and what networks get wrong."""

import base64
import io
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from mnistrobust import data
from mnistrobust.randomness import stream
from mnistrobust.report import charts, forward
from mnistrobust.transforms import NOISE_LABEL
from mnistrobust.views import VIEWS, view_named

if TYPE_CHECKING:
    from markupsafe import Markup

    from mnistrobust.readings import Reading
    from mnistrobust.training import Trained

MISTAKES = 6  # of a network on a view, the most confident
_SIDE = 28


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An image: a PNG as a `data:` address, what it shows in words, and what stands below it."""

    address: str
    says: str
    caption: str
    bars: "Markup | None" = None


@dataclass(frozen=True, kw_only=True)
class Strip:
    """The same few digits on one view; `summary` says what the view does."""

    view: str
    summary: str
    pictures: tuple[Picture, ...]


@cache
def first_draw(source: data.Source, seed: int, view: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the images (n, 784) and labels (n,) of a view's first draw in a world.

    Raises DataError where the data set is gone.
    """
    return next(view_named(view).draws(data.load(source), stream(seed, "view", view)))


def strips(source: data.Source, seed: int) -> list[Strip]:
    """Return one image of each digit on each view; pure noise has no digit."""
    found = []
    for view in VIEWS.values():
        images, labels = first_draw(source, seed, view.name)
        places = [int(np.argmax(labels == digit)) for digit in range(10)]
        if (labels == NOISE_LABEL).all():
            places = list(range(10))
        pictures = tuple(
            Picture(
                address=address(images[place]),
                says="noise" if labels[place] == NOISE_LABEL else f"a {labels[place]}",
                caption="",
            )
            for place in places
        )
        found.append(Strip(view=view.name, summary=view.summary, pictures=pictures))
    return found


def mistakes(
    source: data.Source, reading: "Reading", architecture: str, trained: "Trained"
) -> list[Picture]:
    """Return a network's most confident mistakes on the first draw of a view, surest first.

    Each has the probabilities of all classes below it, where they follow from the weights.
    """
    answers, labels, sure = reading.answers[0], reading.labels[0], reading.confidence[0]
    wrong = np.flatnonzero(answers != labels)
    places = wrong[np.argsort(-sure[wrong], kind="stable")][:MISTAKES]
    images = first_draw(source, reading.seed, reading.view)[0][places]
    known = forward.probabilities(architecture, trained.weights, images, sure[places])
    found = []
    for i, place in enumerate(places):
        answer, label = int(answers[place]), int(labels[place])
        truth = "noise" if label == NOISE_LABEL else f"a {label}"
        said = "noise" if answer == NOISE_LABEL else f"{answer}"
        bars = None if known is None else charts.probabilities(list(known[i]), answer, label)
        found.append(
            Picture(
                address=address(images[i]),
                says=f"{truth}, answered {said}",
                caption=f"{truth}, says {said} ({_percent(float(sure[place]))})",
                bars=bars,
            )
        )
    return found


def address(pixels: np.ndarray) -> str:
    """Return an image of 784 pixels as the `data:` address of a PNG, white ink on black.

    White is 1, or the brightest pixel where that is brighter, as after offset noise.
    """
    from PIL import Image

    grey = pixels.reshape(_SIDE, _SIDE) * (255 / max(1.0, float(pixels.max())))
    written = io.BytesIO()
    Image.fromarray(np.rint(grey).astype(np.uint8)).save(written, "png")
    return f"data:image/png;base64,{base64.b64encode(written.getvalue()).decode()}"


def _percent(share: float) -> str:
    """Write a share so that only certainty is 100 %."""
    told = "100%" if share > 0.99995 else f"{share:.2%}"
    return told.replace("%", "\N{NO-BREAK SPACE}%")
