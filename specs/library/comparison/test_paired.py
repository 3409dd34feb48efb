"""Differences on the same images: p-values, intervals, corrections and power."""

from dataclasses import replace

import numpy as np
import pytest

from mnistrobust.comparison.paired import LEVEL, Paired, agresti_min, holm, mcnemar, paired

RNG = np.random.default_rng


@pytest.mark.parametrize(
    ("lost", "gained", "p"),
    [(0, 0, 1.0), (5, 5, 1.0), (10, 0, 1 / 1024), (0, 1, 0.5), (1, 7, (2 * 9 - 8) / 256)],
)
def test_mcnemar_is_mid_p(lost, gained, p):
    """Twice the binomial tail less the probability of what came, by hand; 1 for equal counts."""
    assert mcnemar(lost, gained) == pytest.approx(p)
    assert mcnemar(gained, lost) == mcnemar(lost, gained)


def test_mcnemar_takes_large_counts():
    """The normal limit."""
    assert mcnemar(50_000, 50_700) == pytest.approx(2 * 0.01368, rel=0.01)


def test_the_interval_is_agresti_and_mins():
    """By hand: many discordant pairs, and one alone."""
    assert agresti_min(86, 150, 1600) == pytest.approx((0.021217, 0.058683), abs=5e-6)
    assert agresti_min(1, 0, 20) == pytest.approx((-0.170006, 0.079097), abs=5e-6)


def test_holm_steps_down():
    """Three p-values by hand; weights give a test its share of the level."""
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.01, 0.01, 0.9], [0.5, 0.25, 0.25]) == pytest.approx([0.02, 0.02, 0.9])
    assert holm([0.012, 0.01], [0.8, 0.2]) == pytest.approx([0.015, 0.015]), "by p over share"
    assert holm([]) == []


def test_one_network_a_side_is_mcnemar():
    """Ten images lost of a hundred: the counts, the difference, and the sign."""
    old = np.ones((1, 100), bool)
    new = old.copy()
    new[0, :10] = False

    found = paired(old, new)

    assert (found.lost, found.gained, found.difference) == (10, 0, -0.1)
    assert found.p == mcnemar(10, 0)
    assert found.low < -0.1 < found.high < 0


def test_images_are_counted_for_one_network_whose_scores_are_right_or_wrong_alone():
    """A share of draws, or several networks, have Student's t with the degrees of freedom of images."""
    right, shares = np.ones((1, 4)), np.array([[1, 0.5, 0.5, 1]])
    for old, new in ((right, shares), (shares, right), (right.repeat(2, 0), np.eye(2, 4))):
        found = paired(old, new)

        assert (found.lost, found.gained) == (None, None)
    found = paired(right, shares)
    assert (found.difference, found.freedom) == (-0.25, 3)
    assert found.error == pytest.approx(np.sqrt(1 / 12 / 4))
    assert found.high == pytest.approx(-0.25 + 3.182446 * np.sqrt(1 / 48))


def test_equal_sides_do_not_differ():
    """Also where no score varies."""
    scores = RNG(0).random((1, 50))

    assert paired(scores, scores).p == 1
    assert paired(np.zeros((1, 50)), np.ones((1, 50)), tolerance=1.0).p == 1
    assert paired(np.zeros((3, 50)), np.ones((3, 50))).p == 0


def test_a_tolerance_is_ready_to_lose_that_much():
    """A loss of 10% is none to who accepts 10%, and is one to who accepts 1%."""
    old = np.ones((1, 100), bool)
    new = old.copy()
    new[0, :10] = False

    assert paired(old, new, tolerance=0.1).p == 1
    assert paired(old, new, tolerance=0.01).p < LEVEL
    same = paired(np.full((1, 2), 0.4), np.full((1, 2), 0.3), tolerance=0.1)
    assert -same.difference > 0.1, "by rounding"
    assert same.p == 1


@pytest.mark.parametrize("seeds", [1, 3, 8])
@pytest.mark.parametrize(("of_seeds", "of_images"), [(0.05, 0.0), (0.0, 0.5), (0.05, 0.5)])
def test_crossed_effects_keep_the_level(seeds, of_seeds, of_images):
    """Of 1,000 comparisons without a difference, at most 2.6% have p < 0.01 (five deviations)."""
    rng, p = RNG(seeds), []
    for _ in range(1000):
        shared = rng.normal(0, of_seeds * (seeds > 1), (seeds, 1))
        scores = shared + rng.normal(0, of_images, (1, 60)) + rng.normal(0, 0.5, (seeds, 60))
        p.append(paired(np.zeros_like(scores), scores).p)

    assert np.mean(np.array(p) < LEVEL) <= 0.026


def test_seeds_that_happen_to_agree_do_not_count_as_images():
    """Two equal seeds have at most two degrees of freedom, however many images there are."""
    scores = RNG(0).normal(0.1, 0.5, (1, 500)).repeat(2, axis=0)

    assert paired(np.zeros_like(scores), scores).freedom == pytest.approx(2)


def test_a_difference_between_seeds_is_not_hidden_by_many_images():
    """Three seeds that differ by more than their mean: images alone would be certain."""
    scores = np.array([[0.3], [-0.1], [0.1]]) + np.zeros((1, 10_000))

    assert paired(np.zeros_like(scores), scores).p > 0.1


@pytest.mark.parametrize("churn", [0, 5, 60])
def test_the_smallest_difference_is_seen_with_80_percent_power(churn):
    """Of 2,000 pairs of networks that differ by it, 75 to 90% have a small enough p."""
    n, share = 1000, 1 / 28
    old = np.ones((1, n), bool)
    new = old.copy()
    old[0, :churn] = False
    new[0, churn : 2 * churn] = False
    smallest = paired(old, new).smallest(share)

    rng = RNG(churn)
    lost = rng.poisson(churn + smallest * n, 2000)
    gained = rng.poisson(churn, 2000)
    seen = [mcnemar(*pair) < LEVEL * share for pair in zip(lost, gained, strict=True)]

    assert 0.75 < np.mean(seen) < 0.9


def test_enough_seeds_have_the_degrees_of_freedom_of_so_many():
    """As many as make the smallest difference that is seen as small as the one that was found."""
    few = Paired(difference=0.02, low=0, high=0, error=0.01, freedom=2, p=0.2, n=1000)

    enough, share = few.enough(3, 0.1), 0.1
    smallest = [
        replace(few, error=0.01 * np.sqrt(3 / k), freedom=k - 1).smallest(share)
        for k in (enough - 1, enough)
    ]

    assert smallest[1] <= 0.02 < smallest[0]
