"""Curves against dose: what they say where the truth is known."""

import numpy as np
import pytest

from mnistrobust.checks.bounds import reference
from mnistrobust.conditions import condition_named
from mnistrobust.errors import DoseError, UsageError
from mnistrobust.perturbations import PERTURBATIONS, definition, perturbation
from mnistrobust.sweeps.curves import Curve, by_severity, ladder, relative_error

IMAGES = 1000


def curve(right, over="contrast"):
    """A curve of scores (networks, doses, n)."""
    right = np.asarray(right, float)
    zeros = np.zeros(right.shape[:2])
    return Curve(
        ladder=ladder(over, fine=False), right=right, confidence=zeros, nll=zeros, failed=zeros
    )


def falling(accuracies, networks=1, over="contrast"):
    """A curve of images of which these shares are right, always the same ones first."""
    places = (np.arange(IMAGES) + 0.5) / IMAGES
    return curve([[places < each for each in accuracies]] * networks, over)


@pytest.mark.parametrize(
    ("text", "fine", "doses"),
    [
        ("rotate", False, (0, 11.5, 23, 34.5, 46, 57.5)),
        ("rotate", True, (0, 5.75, 11.5, 17.25, 23, 28.75, 34.5, 40.25, 46, 51.75, 57.5)),
        ("rotate:-60", True, (0, -6, -12, -18, -24, -30, -36, -42, -48, -54, -60)),
        ("inverted:0.1", False, (0, 0.02, 0.04, 0.06, 0.08, 0.1)),
        ("shot-noise", False, (0, 0.0166667, 0.04, 0.0833333, 0.2, 0.333333)),
    ],
)
def test_a_ladder_leads_from_0_to_its_last_dose(text, fine, doses):
    """By the severities where none is named, else evenly; finer ones lie halfway between."""
    found = ladder(text, fine=fine)

    assert found.doses == doses
    assert (found.steps[0], found.steps[-1], len(found.steps)) == (0, doses[-1], 6)
    assert found.conditions[0] == "clean"
    assert found.conditions[-1] == f"{found.perturbation.name}:{doses[-1]:g}"


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_every_severity_is_a_step(name):
    """A fine ladder passes through the doses of the coarse one, within the range."""
    fine, coarse = ladder(name), ladder(name, fine=False)

    assert fine.steps == coarse.doses == coarse.steps
    assert np.allclose(coarse.doses[1:], fine.perturbation.severities, rtol=1e-5)
    assert max(fine.doses) <= fine.perturbation.doses[1]


def test_a_rounded_dose_stays_in_range(monkeypatch):
    """A range may end at a dose that its name does not spell out."""
    monkeypatch.setattr(definition, "_registered", {})

    @perturbation(unit="share", doses=(0, 2 / 3), severities=(0.1, 0.2, 0.3, 0.4, 2 / 3), reads="")
    def fade(images, dose, _):
        return (1 - dose) * images

    found = ladder(fade.name)
    assert found.doses[-1] == 2 / 3
    assert condition_named(found.conditions[-1]).name == found.conditions[-1]


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("rotat", UsageError, "did you mean 'rotate'"),
        ("rotate:999", DoseError, "expected a dose from -180 to 180"),
        ("rotate:0", DoseError, "other than 0"),
        ("rotate:nan", DoseError, "expected a dose"),
        ("rotate:abc", DoseError, "expected a dose from -180 to 180"),
        ("nowhere:tear", UsageError, "importing 'nowhere'"),
    ],
)
def test_what_is_no_ladder_is_an_error(text, error, said):
    """It says what was expected."""
    with pytest.raises(error, match=said):
        ladder(text)


@pytest.mark.parametrize(
    ("accuracies", "over", "half"),
    [
        ((1, 0.9, 0.7, 0.6, 0.4, 0.1), "rotate", 40.25),  # halfway between 34.5 and 46
        ((0.8, 0.8, 0.8, 0.5, 0.1, 0), "rotate", 34.5 + 11.5 / 4),
        ((0.8, 0.8, 0.8, 0.4, 0.1, 0), "rotate", 34.5),
        ((1, 0.9, 0.3, 0.9, 0.2, 0.9), "rotate", 11.5 + 11.5 * 4 / 6),  # the first fall
        ((1, 0.9, 0.7, 0.6, 0.4, 0.1), "rotate:-10", -7),
        ((1, 0.9, 0.8, 0.7, 0.6, 0.51), "rotate", None),
        ((0, 0, 0, 0, 0, 0), "rotate", 0),
    ],
)
def test_the_half_dose_lies_on_the_line_between_two_doses(accuracies, over, half):
    """It is the first one at which accuracy is half of that at dose 0; None beyond the last."""
    assert falling(accuracies, over=over).half_dose == pytest.approx(half)


def test_an_interval_may_reach_beyond_the_last_dose():
    """Its other end is a dose."""
    low, high = falling((1, 0.9, 0.8, 0.7, 0.6, 0.49), over="rotate").half_dose_interval

    assert 46 < low < 57.5
    assert high is None


@pytest.mark.parametrize("networks", [1, 4])
def test_the_interval_covers_the_true_dose(networks):
    """In about 95 of 100 samples of images and networks: at most 10% miss in 200, not none."""
    rng, missed = np.random.default_rng(3), 0
    doses = np.array(ladder("inverted", fine=False).doses)  # 0 to 1
    for _ in range(200):
        limits = rng.random((1, 1, 60)) + rng.normal(0, 0.15, (networks, 1, 1)) * (networks > 1)
        right = limits > doses[None, :, None]
        right[:, 0] = True
        low, high = curve(right, "inverted").half_dose_interval
        missed += not low <= 0.5 <= (1 if high is None else high)

    assert 1 <= missed <= 20


def test_networks_that_differ_widen_the_interval():
    """Copies of one network only cost degrees of freedom; others say how much seeds differ."""
    one = (1, 0.8, 0.6, 0.4, 0.2, 0)
    less, more = (1, 0.7, 0.5, 0.3, 0.1, 0), (1, 0.9, 0.7, 0.5, 0.3, 0.1)
    widths = []
    for networks in ([one], [one, one, one], [less, one, more]):
        right = np.concatenate([falling(each, over="rotate").right for each in networks])
        low, high = curve(right, "rotate").half_dose_interval
        widths.append((high or 60) - low)

    assert widths[1] == pytest.approx(widths[0] * 2.776 / 1.962, rel=0.02)  # Student's, 4 for 999
    assert widths[2] > 3 * widths[1]


def test_an_interval_is_of_differences_on_the_same_images():
    """By hand: of 1,000 images 600, then half of these are right; the error is that of r - clean / 2."""
    low, high = falling((0.6, 0.6, 0.6, 0.3, 0, 0), over="rotate").half_dose_interval
    here, beside = (1.9623 * np.sqrt(variance / 999) for variance in (0.15, 0.06))
    share = here / (0.3 - beside + here)

    assert low == pytest.approx(34.5 - 11.5 * share, abs=1e-3)
    assert high == pytest.approx(34.5 + 11.5 * share, abs=1e-3)


def test_json_has_what_the_curve_says():
    """The accuracy lies in its interval; a dose beyond the last is null."""
    found = falling((1, 0.9, 0.8, 0.7, 0.6, 0.51)).to_json()

    assert found["accuracy"] == pytest.approx([1, 0.9, 0.8, 0.7, 0.6, 0.51])
    assert found["accuracy_interval"][5] == pytest.approx([0.479, 0.541], abs=1e-3)
    assert found["half_dose"] is None


def test_an_interval_of_accuracies_ends_at_0_and_1():
    """One of 1,000 images is right, or wrong; half of the accuracy is found without that bound."""
    found = falling((0.999, 0.001, 0.001, 0.001, 0.001, 0.001))

    low, high = found.interval
    assert (high[0], low[1]) == (1, 0)
    assert 0.996 < low[0] < 0.999
    assert found._interval(found.right)[1][0] == pytest.approx(1.00096, abs=1e-5)


def test_severities_are_means_over_perturbations():
    """Of those swept by their severities; of no others."""
    curves = [
        falling((1, 0.9, 0.8, 0.7, 0.6, 0.5), over="contrast"),
        falling((1, 0.5, 0.4, 0.3, 0.2, 0.1), over="rotate"),
        falling((1, 0, 0, 0, 0, 0), over="rotate:90"),
    ]

    assert by_severity(curves) == pytest.approx([1, 0.7, 0.6, 0.5, 0.4, 0.3])
    assert by_severity(curves[2:]) is None


@pytest.mark.parametrize(
    ("factors", "dataset", "relative"),
    [((1, 1), "mnist5k", 1), ((0.5, 0.5), "mnist5k", 0.5), ((0.5, 1), "mnist", 0.75)],
)
def test_errors_are_relative_to_those_of_the_reference(factors, dataset, relative):
    """ImageNet-C's mean of ratios, in which each perturbation weighs as much as another."""
    curves = []
    for name, factor in zip(("rotate", "gamma"), factors, strict=True):
        known = ladder(name, fine=False).conditions[1:]
        right = [1.0, *(1 - factor * (1 - reference(each, dataset)) for each in known)]
        curves.append(curve([[[each] * 2 for each in right]], name))

    assert relative_error(curves, dataset) == pytest.approx(relative)
    assert relative_error(curves, "another set") is None
