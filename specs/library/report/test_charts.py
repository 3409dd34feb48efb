"""The report's charts: what stands where, and what they say in words."""

import re

import numpy as np
import pytest

from mnistrobust.judging.verdicts import Place, verdict_of
from mnistrobust.registry import claim_named
from mnistrobust.report import charts, dots, svg
from mnistrobust.report.dots import Marks
from specs.helpers.synthetic import WINS, curve, evidence, measured

SINGLE_DRAWS = Place(reported=0.9, percentile=100, low=0.1, median=0.2, high=0.3, single_draws=100)


def places(markup, kind):
    """The points of the dots of a kind."""
    (found,) = re.findall(rf'd="([^"]*)" class="dots {kind}"', markup)
    return [tuple(map(float, each.split())) for each in re.findall(r"M(\S+ \S+?)h0", found)]


def says(markup):
    """What is heard of a chart."""
    return re.search(r'aria-label="([^"]*)"', markup)[1]


def test_what_is_put_into_an_element_is_escaped():
    """Text and attributes are never markup."""
    found = svg.element("text", "<b>&", aria_label='"<')

    assert found == '<text aria-label="&#34;&lt;">&lt;b&gt;&amp;</text>'


def test_a_strip_has_a_dot_for_each_replicate():
    """From the smallest at the left to the largest at the right, with ends and words."""
    marks = Marks(replicates=(-0.2, 0.0, 0.2), runs=(0.1,))
    found = dots.strip("difference", marks, [marks])
    across = [x for x, _ in places(found, "replicate")]

    assert across == sorted(across)
    assert across[1] == pytest.approx((across[0] + across[2]) / 2)
    assert says(found) == "difference: 3 seeds from −0.2 to 0.2, median 0; this run 0.1"


def test_figures_of_one_scale_can_be_compared():
    """The same value has the same place in both strips, whose ends are the same numbers."""
    low, high = Marks(replicates=(0.2, 0.5)), Marks(replicates=(0.5, 0.9))
    one, other = (dots.strip("accuracy", each, [low, high]) for each in (low, high))

    assert places(one, "replicate")[1][0] == places(other, "replicate")[0][0]
    for found in (one, other):
        assert re.findall(r">([\d.]+)</text>", found) == ["0.2", "0.9"]


def test_margins_of_all_claims_have_one_scale():
    """0 is in the middle, the reach at both ends, and a hundredth of it a tenth of the way there."""
    across = [
        x for x, _ in places(dots.margins(Marks(replicates=(-2, 0, 0.02, 2)), 2), "replicate")
    ]

    assert across == pytest.approx([8, 132, 132 + 12.4, 256], abs=0.06)
    found = dots.margins(Marks(replicates=(-0.5, 0.5), runs=(-0.25,)), 1)
    assert says(found) == "margins: above 0 for 1 of 2 seeds; this run −0.25"
    assert says(dots.margins(Marks(runs=(0.25,)), 1)) == "margins: this run +0.25"


def test_a_strip_has_the_documents_number_and_its_single_draws():
    """The axis reaches as far as they do."""
    marks = Marks(replicates=(0.2, 0.25), reported=0.9, draws=SINGLE_DRAWS)
    found = dots.strip("confident", marks, [marks])

    assert 'class="document"' in found
    assert 'class="draws"' in found
    assert ">0.1</text>" in found
    assert ">0.9</text>" in found
    assert says(found).endswith("the document 0.9; single draws mostly 0.1 to 0.3")


def test_a_strip_of_single_draws_has_no_replicates():
    """A figure of the document may be one look at one image."""
    marks = Marks(replicates=(), reported=0.9, draws=SINGLE_DRAWS)
    found = dots.strip("confidence", marks, [marks])

    assert says(found) == "confidence: the document 0.9; single draws mostly 0.1 to 0.3"


@pytest.mark.parametrize("replicates", [24, 100])
def test_equal_replicates_do_not_hide_each_other(replicates):
    """They stand above each other, all within the picture."""
    marks = Marks(replicates=(0.0,) * replicates)
    found = places(dots.strip("confident", marks, [marks]), "replicate")

    assert len({y for _, y in found}) > replicates / 2
    assert min(y for _, y in found) > 0


def test_each_claim_is_a_dot_in_the_zone_of_its_verdict():
    """Across by its seeds; the zones meet between the numbers of seeds at which the verdict changes."""
    held = {
        0: "refuted",
        1: "refuted",
        12: "seed-dependent",
        22: "seed-dependent",
        24: "reproduced",
    }
    judged = [
        verdict_of(claim_named(WINS), evidence({WINS: measured([0.1] * n + [-0.1] * (24 - n))}))
        for n in held
    ]
    found = dots.verdicts(judged)
    seed = 332 / 24
    zones = re.findall(r'<rect x="([\d.]+)" y="0" width="([\d.]+)".*?class="zone (.+?)"', found)

    assert says(found).endswith("2 refuted, 2 seed-dependent, 1 reproduced")
    for word in set(held.values()):
        across = [x for x, _ in places(found, f"claims {word}")]
        assert across == pytest.approx([14 + n * seed for n in held if held[n] == word], abs=0.06)
    assert [word for *_, word in zones] == ["refuted", "seed-dependent", "reproduced"]
    ends = [float(start) + float(width) for start, width, _ in zones]
    assert ends == pytest.approx([14 + n * seed for n in (1.5, 22.5, 24.5)], abs=0.11)


def test_confidences_are_shares_of_their_group():
    """A few wrong predictions are as visible as many right ones; an empty group is left out."""
    groups = {"right": np.full(90, 0.95), "wrong": np.full(2, 0.5), "none": np.zeros(0)}

    assert says(charts.confidence(groups)) == (
        "right: 90 images, 100% above 0.9; wrong: 2 images, 0% above 0.9"
    )


def test_reliability_counts_each_image_once():
    """Also one of confidence 1."""
    confident, right = np.array([0.05, 0.95, 1.0, 1.0]), np.array([False, True, True, False])

    assert says(charts.reliability(confident, right)) == "0% right at 5%; 67% right at 98%"


def test_predictions_and_labels_are_told():
    """Shares are of the given total, so that confident predictions stay a part of all."""
    found = charts.class_shares({"all": [60, 40], "confident": [10, 0]}, 100)

    assert says(found) == "all: 0 60%, 1 40%; confident: 0 10%"


def test_bars_stand_side_by_side_on_the_axis():
    """Each as high as its share, those of a class beside each other, within its place."""
    found = charts.class_shares({"all": [60, 40], "confident": [10, 30]}, 100)
    bars = {
        name: [
            [float(value) for value in each]
            for each in re.findall(
                rf'<rect x="(\S+)" y="(\S+)" width="(\S+)" height="(\S+)" class="bars {name}"',
                found,
            )
        ]
        for name in ("all", "confident")
    }

    every = [*bars["all"], *bars["confident"]]
    heights = np.array([height for *_, height in every])
    np.testing.assert_allclose(heights / heights[0], [1, 4 / 6, 1 / 6, 3 / 6], atol=0.01)
    assert len({round(y + height) for _, y, _, height in every}) == 1
    (step,) = {round(second[0] - first[0], 1) for first, second in bars.values()}
    assert {round(width / step, 2) for *_, width, _ in every} == {0.4}
    for one, other in zip(*bars.values(), strict=True):
        assert other[0] == pytest.approx(one[0] + one[2], abs=0.11)


def test_a_learning_curve_of_one_epoch_is_drawn():
    """There is nothing to divide by."""
    found = charts.learning_curve({"accuracy": [0.5], "val_accuracy": [0.6]})

    assert "held-out: from 0.600 to 0.600 in 1 epoch" in says(found)


def test_reliability_has_ten_bins():
    """Confidences of 0.85 and 0.95 lie in two of them."""
    found = charts.reliability(np.array([0.85, 0.95]), np.array([False, True]))

    assert says(found) == "0% right at 85%; 100% right at 95%"


def test_a_curve_has_a_dot_for_each_dose_and_a_band_over_seeds():
    """The median at its place, from the lowest to the highest seed, with 0 and the document's dose."""
    found = charts.curve(curve([(-0.2, 0.1, 0.3), (-0.1, 0.2, 0.4), (-0.3, 0.3, 0.2)]))
    across, heights = zip(*places(found, "held-out"), strict=True)
    (band,) = re.findall(r'd="M([^"]*)" class="band"', found)
    corners = [tuple(map(float, each.split())) for each in band.split("L")]

    assert across[1] == pytest.approx((across[0] + across[2]) / 2)
    assert heights[0] > heights[1] > heights[2]
    assert [x for x, _ in corners] == [*across, *across[::-1]]
    assert all(corners[i][1] > heights[i] > corners[-1 - i][1] for i in range(3))
    (own,) = re.findall(r'd="M(\S+) [^"]*" class="own"', found)
    assert float(own) == across[2]
    assert says(found) == (
        "median margin, lowest and highest, by offset at test: 0: −0.200 (−0.300 to −0.100); "
        "0.5: +0.200 (+0.100 to +0.300); 1: +0.300 (+0.200 to +0.400)"
    )


def test_a_logarithmic_axis_puts_tenfold_doses_at_equal_distances():
    """100, 1,000 and 10,000 rows are as far from each other."""
    found = charts.curve(
        curve([(0.1, 0.2, 0.3)] * 2, axis="training rows", doses=(100, 1000, 10_000))
    )
    across = [x for x, _ in places(found, "held-out")]

    assert across[1] == pytest.approx((across[0] + across[2]) / 2, abs=0.1)
    assert ">10,000</text>" in found
    (own,) = re.findall(r'd="M(\S+) [^"]*" class="own"', found)
    assert float(own) == across[1], "the document's 1,000 rows"
