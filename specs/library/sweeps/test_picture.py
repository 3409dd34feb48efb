"""The picture of a sweep: every model on the same axes, and what the digits look like."""

import numpy as np
import pytest

from mnistrobust.sweeps import picture
from mnistrobust.sweeps.curves import Curve, ladder
from mnistrobust.sweeps.picture import draw
from mnistrobust.sweeps.sweep import Sweep

MODELS = ("one", "two", "three")


def sweep(dataset, names):
    """Models that lose accuracy evenly, by a tenth more each."""
    ladders, curves = [ladder(name, fine=False) for name in names], {}
    for place, model in enumerate(MODELS):
        accuracies = np.linspace(1, 0.3 - place / 10, 6)
        right = (np.arange(100) / 100 < accuracies[:, None])[None]
        rest = {"confidence": accuracies[None] / 2, "nll": -np.log(accuracies)[None]}
        curves[model] = {
            each.name: Curve(ladder=each, right=right, failed=np.zeros((1, 6)), **rest)
            for each in ladders
        }
    return Sweep(
        source=dataset.source,
        ladders=tuple(ladders),
        curves=curves,
        seeds=dict.fromkeys(MODELS, ()),
    )


def drawn(figure):
    """The axes that are used."""
    return [ax for ax in figure.axes if ax.axison]


def test_one_perturbation_has_a_plot_for_each_figure(mnist5k):
    """With units, all models in colours and markers of their own, and a legend."""
    figure = draw(sweep(mnist5k, ["rotate:-60"]))
    plots = drawn(figure)

    assert [ax.get_ylabel() for ax in plots] == [
        "accuracy (share of images)",
        "confidence (mean probability)",
        "nll (nats)",
    ]
    assert {ax.get_xlabel() for ax in plots} == {"degrees counter-clockwise"}
    ticks = [label.get_text() for label in plots[0].get_xticklabels()]
    assert ticks == ["0", "-12", "-24", "-36", "-48", "-60"]
    lines = [line for line in plots[0].lines if len(line.get_xdata()) == 6]
    assert len({(line.get_color(), line.get_marker()) for line in lines}) == len(MODELS)
    assert [line.get_ydata()[-1] for line in lines] == pytest.approx([0.3, 0.2, 0.1])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [*MODELS]


@pytest.mark.parametrize("text", ["rotate:-60", "rotate:60"])
def test_doses_have_their_places_between_the_steps(text):
    """On either side of 0: of 11 doses, every second one is a step of the axis."""
    swept = ladder(text, fine=True)

    np.testing.assert_allclose(picture._places(swept, swept.doses), np.linspace(0, 5, 11))


def test_many_perturbations_fit_on_one_page(mnist5k):
    """A small plot for each, with accuracy solid and confidence dashed."""
    names = ["rotate", "shift", "blur", "inverted", "stripes"]
    plots = drawn(draw(sweep(mnist5k, names)))

    assert [ax.get_title() for ax in plots] == names
    for ax in plots:
        styles = [line.get_linestyle() for line in ax.lines if len(line.get_xdata()) == 6]
        assert styles == ["-", "--"] * len(MODELS)


def test_a_strip_shows_a_digit_at_each_step(mnist5k):
    """From unchanged to the last dose, each above its tick."""
    (accuracy, *_) = drawn(draw(sweep(mnist5k, ["inverted"])))
    (strip,) = accuracy.images
    ink = [part.mean() for part in np.split(np.asarray(strip.get_array()), 6, axis=1)]

    assert ink == sorted(ink)
    assert ink[5] == pytest.approx(1 - ink[0], abs=1e-6)
    left, right, *_ = strip.get_extent()
    assert ((left, right), [*accuracy.get_xticks()]) == ((-0.5, 5.5), [0, 1, 2, 3, 4, 5])


def test_a_bar_is_the_interval_of_the_half_dose(mnist5k):
    """At half of the accuracy, on the places of the doses; to the end where it has none."""
    result = sweep(mnist5k, ["rotate"])
    (accuracy, *_) = drawn(draw(result))
    bars = [line for line in accuracy.lines if len(line.get_xdata()) == 2]

    for bar, model in zip(bars, MODELS, strict=True):
        low, high = result.curves[model]["rotate"].half_dose_interval
        assert bar.get_xdata() == pytest.approx([low / 11.5, high / 11.5])
        assert [*bar.get_ydata()] == [0.5, 0.5]
