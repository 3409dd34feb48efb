"""The report's charts: what stands where, and what they say in words."""

import re

import numpy as np
import pytest
from synthetic import WINS, evidence, measured

from mnistrobust.claims import claim_named
from mnistrobust.report import charts, dots, svg
from mnistrobust.verdicts import Place, verdict_of

LOOKS = Place(reported=0.9, percentile=100, low=0.1, median=0.2, high=0.3, looks=100)


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


def test_a_strip_has_a_dot_for_each_world():
    """From the smallest at the left to the largest at the right, with ends and words."""
    found = dots.strip("margin", [-0.2, 0.0, 0.2], runs=[0.1])
    across = [x for x, _ in places(found, "world")]

    assert across == sorted(across)
    assert across[1] == pytest.approx((across[0] + across[2]) / 2)
    assert 'class="bound"' in found
    assert says(found) == "margin: 3 worlds from -0.2 to 0.2, median 0; this run 0.1"


def test_a_strip_has_the_documents_number_and_its_looks():
    """The axis reaches as far as they do; the margin's bound is no part of it."""
    found = dots.strip("sure", [0.2, 0.25], reported=0.9, looks=LOOKS)

    assert 'class="document"' in found
    assert 'class="looks"' in found
    assert 'class="bound"' not in found
    assert ">0.1</text>" in found
    assert ">0.9</text>" in found
    assert says(found).endswith("the document 0.9; single looks mostly 0.1 to 0.3")


def test_a_strip_of_single_looks_has_no_worlds():
    """A figure of the document may be one look at one image."""
    found = dots.strip("confidence", [], reported=0.9, looks=LOOKS)

    assert says(found) == "confidence: the document 0.9; single looks mostly 0.1 to 0.3"


@pytest.mark.parametrize("worlds", [24, 100])
def test_equal_worlds_do_not_hide_each_other(worlds):
    """They stand above each other, all within the picture."""
    found = places(dots.strip("sure", [0.0] * worlds), "world")

    assert len({y for _, y in found}) > worlds / 2
    assert min(y for _, y in found) > 0


def test_a_hold_rate_lies_in_its_interval():
    """The dot is the share of worlds that hold."""
    margins = [0.1] * 20 + [-0.1] * 4
    verdict = verdict_of(claim_named(WINS), evidence({WINS: measured(margins)}))
    found = dots.hold_rate(verdict)
    ((x, _),) = places(found, "rate")

    assert x == pytest.approx(6 + 188 * 20 / 24, abs=0.1)
    assert says(found) == verdict.rate


def test_shares_fill_the_whole_bar():
    """Each word takes its share."""
    found = dots.shares({"reproduced": 3, "refuted": 1})
    widths = [float(each) for each in re.findall(r' width="([\d.]+)" height="14" class', found)]

    assert widths == [450, 150]
    assert says(found) == "3 reproduced, 1 refuted"


def test_confidences_are_shares_of_their_group():
    """A few wrong answers are as visible as many right ones; an empty group is left out."""
    groups = {"right": np.full(90, 0.95), "wrong": np.full(2, 0.5), "none": np.zeros(0)}

    assert says(charts.confidence(groups)) == (
        "right: 90 images, 100% above 0.9; wrong: 2 images, 0% above 0.9"
    )


def test_reliability_counts_each_image_once():
    """Also one of confidence 1."""
    sure, right = np.array([0.05, 0.95, 1.0, 1.0]), np.array([False, True, True, False])

    assert says(charts.reliability(sure, right)) == "0% right at 5%; 67% right at 98%"


def test_answers_and_labels_are_told():
    """Shares are of the given total, so that sure answers stay a part of all."""
    found = charts.class_shares({"all": [60, 40], "sure": [10, 0]}, 100)

    assert says(found) == "all: 0 60%, 1 40%; sure: 0 10%"


def test_a_learning_curve_of_one_epoch_is_drawn():
    """There is nothing to divide by."""
    found = charts.learning_curve({"accuracy": [0.5], "val_accuracy": [0.6]})

    assert "held-out: from 0.600 to 0.600 in 1 epoch" in says(found)
