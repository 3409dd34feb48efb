"""A sweep as a picture: small multiples, with strips of what a digit looks like at six doses."""

from itertools import cycle
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from mnistrobust import plots
from mnistrobust.data import load
from mnistrobust.randomness import stream
from mnistrobust.sweeps.curves import Curve, Ladder
from mnistrobust.sweeps.sweep import Sweep

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FIGURES = ("accuracy", "confidence", "nll")
_UNITS = {"accuracy": "share of images", "confidence": "mean probability", "nll": "nats"}
_COLOURS = (plots.BLUE, plots.ORANGE, "#009E73", "#CC79A7", "#56B4E9", "black")  # Okabe and Ito's
_MARKERS = "os^Dvx"
_LARGE = 4  # perturbations, each with a row of three plots
_ACROSS = 4  # small ones
_TOP = 1.36  # of an axis to 1, with the strip above
_DIGIT = 4
_SMALL: dict[str, Any] = {"fontsize": "small", "title_fontsize": "small"}
_LINE: dict[str, Any] = {"markersize": 3, "lw": 1.2}
_STRIP: dict[str, Any] = {
    "cmap": "gray", "vmin": 0, "vmax": 1, "extent": (-0.5, 5.5, 1.04, _TOP),
    "aspect": "auto", "interpolation": "nearest", "zorder": 3,
}  # fmt: skip


def draw(sweep: Sweep) -> "Figure":
    """Draw accuracy and confidence against dose; of at most four perturbations also the loss.

    All models share the axes. Bands are 95% intervals of the accuracy, a bar is that of the
    half-dose. Doses are spaced evenly from one severity to the next.
    """
    from matplotlib.figure import Figure

    large = len(sweep.ladders) <= _LARGE
    panels = [(each,) for each in FIGURES] if large else [FIGURES[:2]]
    across = len(panels) if large else _ACROSS
    down = -(-len(sweep.ladders) * len(panels) // across)
    width, height = (4.2, 3.4) if large else (2.9, 2.5)
    figure = Figure((across * width, down * height + 0.6), dpi=110, layout="constrained")
    grid = figure.subplots(down, across, squeeze=False)
    dataset = load(sweep.source)
    digit = dataset.test_images[dataset.test_labels == _DIGIT][:1]
    places = ((ladder, figures) for ladder in sweep.ladders for figures in panels)
    for ax, (ladder, figures) in zip(grid.flat, places, strict=False):
        _panel(ax, sweep, ladder, figures, digit)
        if large or ax in grid[:, 0]:
            words = ", ".join(f"{each} ({_UNITS[each]})" for each in figures)
            ax.set_ylabel(fill(words, 30), fontsize="small")
    for ax in grid.flat[len(sweep.ladders) * len(panels) :]:
        ax.set_axis_off()
    handles, labels = grid[0, 0].get_legend_handles_labels()
    title = "bands: 95% of the accuracy; bars: 95% of the dose that halves it"
    figure.legend(handles, labels, title=title, loc="outside upper center", ncols=4, **_SMALL)
    return figure


def _panel(
    ax: "Axes", sweep: Sweep, ladder: Ladder, figures: tuple[str, ...], digit: np.ndarray
) -> None:
    styles = zip(cycle(_COLOURS), cycle(_MARKERS), strict=False)
    for (name, curves), (colour, marker) in zip(sweep.curves.items(), styles, strict=False):
        curve, places = curves[ladder.name], _places(ladder, ladder.doses)
        for figure, line in zip(figures, ("-", "--"), strict=False):
            label = f"{name}, {figure}" if len(figures) > 1 else name
            values = curve.accuracy if figure == "accuracy" else getattr(curve, figure).mean(axis=0)
            ax.plot(places, values, line, color=colour, marker=marker, label=label, **_LINE)
        if "accuracy" in figures:
            ax.fill_between(places, *curve.interval, color=colour, alpha=0.2, lw=0)
            _half_dose(ax, curve, colour)
    ax.set_xticks(range(6), [f"{dose:.3g}" for dose in ladder.steps], fontsize="x-small")
    ax.set_xlabel(fill(ladder.perturbation.unit, 34), fontsize="small")
    ax.set_title(ladder.perturbation.name, fontsize="medium")
    ax.grid(alpha=0.3)
    ax.set_xlim(-0.5, 5.5)
    if "nll" in figures:
        ax.set_ylim(bottom=0)
        return
    ax.set_yticks(np.linspace(0, 1, 6))
    ax.set_ylim(0, _TOP)
    seen = [ladder.perturbation(digit, dose, stream(0, "picture")) for dose in ladder.steps]
    strip = np.hstack([image.reshape(28, 28) / max(1, image.max()) for image in seen])
    ax.imshow(strip, **_STRIP)


def _half_dose(ax: "Axes", curve: Curve, colour: str) -> None:
    """Draw the interval of the half-dose at half of the accuracy, to the end where it has none."""
    last, half = curve.ladder.doses[-1], curve.accuracy[0] / 2
    low, high = (last if dose is None else dose for dose in curve.half_dose_interval)
    if low != last:
        ax.plot(_places(curve.ladder, (low, high)), [half, half], color=colour, lw=4, alpha=0.6)


def _places(ladder: Ladder, doses: tuple[float, ...]) -> np.ndarray:
    return np.interp(np.abs(doses), np.abs(ladder.steps), range(6))
