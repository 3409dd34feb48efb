"""What a search tries: perturbations on one side of 0, each way that a draw moves; and how it is told."""

from dataclasses import replace

import numpy as np
import pytest

from mnistrobust.fuzzing.cases import Half, halves_of
from mnistrobust.fuzzing.chain import perturb, perturb_each
from mnistrobust.perturbations import PERTURBATIONS


def test_random_are_the_perturbations_whose_draws_differ():
    """Of these, more than one draw is tried for each digit; of what moves a way, that way's own."""
    halves = halves_of([*PERTURBATIONS.values()], 3, seed=0)

    assert {half.perturbation.name for half in halves if half.is_random} == {
        "offset-noise", "elastic", "motion-blur", "gaussian-noise", "uniform-noise", "occlude",
        "salt-and-pepper", "missing-pixels", "shot-noise", "speckle-noise",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "most", "says"),
    [
        ("offset-noise", 1.5, "1.5"), ("contrast", 0.95, "95%"), ("contrast", 0.054, "5.4%"),
        ("rotate", -46, "46°"), ("shift", 4.04, "4 pixels"), ("gamma", -2.5, "2.5"),
    ],
)  # fmt: skip
def test_an_amount_has_its_unit(name, most, says):
    """Shares are percentages to 1, and times beyond."""
    assert Half(perturbation=PERTURBATIONS[name], most=most).amount(1) == says


@pytest.mark.parametrize(
    "each",
    [*PERTURBATIONS.values(), replace(PERTURBATIONS["brightness"], doses=(-0.1, 1))],
    ids=lambda each: f"{each.name} {each.doses}",
)
def test_the_largest_doses_of_a_search_are_in_range(each):
    """On both sides of 0, where the range has two, and where they are not as long."""
    for half in halves_of([each], 5, seed=0):
        assert each.checked(half.most) == half.most


@pytest.mark.parametrize(
    "half",
    [*halves_of([PERTURBATIONS["shift"], PERTURBATIONS["slide"]], 3, seed=5)],
    ids=lambda half: half.words,
)
def test_each_way_of_a_shift_has_a_draw_of_its_own(half):
    """What is said to move down and to the left does."""
    dot = np.zeros((1, 28, 28))
    dot[0, 14, 14] = 1
    row, column = np.argwhere(perturb(dot, (half.step(1),), half.draw)[0] > 0)[0]

    sides = {(17, 14): "down", (11, 14): "up", (14, 17): "to the right", (14, 11): "to the left"}
    moved = [
        word for (down, right), word in sides.items() if row == down != 14 or column == right != 14
    ]
    assert half.way == " and ".join(moved)


@pytest.mark.parametrize(
    "half", [*halves_of([PERTURBATIONS["bar"]], 1, seed=5)], ids=lambda half: half.words
)
def test_each_place_of_a_bar_has_a_draw_of_its_own(half):
    """What is said to cover the right does, and what is said to be blank is."""
    grey = np.full((1, 28, 28), 0.5)
    changed = perturb(grey, (half.step(1),), half.draw)[0] != 0.5
    rows, columns = changed.all(axis=1), changed.all(axis=0)

    places = {
        "at the top": rows[0], "at the bottom": rows[-1], "at the left": columns[0],
        "at the right": columns[-1], "across the middle": rows[13:15].all(),
        "down the middle": columns[13:15].all(), "across the upper half": rows[7],
        "across the lower half": rows[20], "down the left half": columns[7],
        "down the right half": columns[20],
    }  # fmt: skip
    assert [place for place in places if places[place]] == [half.way]


@pytest.mark.parametrize("half", [*halves_of([PERTURBATIONS["squeeze"]], 5, seed=0)])
def test_what_is_said_to_be_flatter_is(half):
    """And what is said to be narrower is as high as before."""
    after = perturb(np.ones((1, 28, 28)), (half.step(1),), 0)[0] > 0.5

    wide, high = (int(after.any(axis=axis).sum()) for axis in (0, 1))
    assert {28: "flatter digits", 14: "narrower digits"}[wide] == half.words
    assert wide + high == 42


@pytest.mark.parametrize(
    "half",
    [*halves_of([PERTURBATIONS["lines"], PERTURBATIONS["shade"]], 5, seed=5)],
    ids=lambda half: half.words,
)
def test_each_way_of_lines_and_shades_has_a_draw_of_its_own(half):
    """What is said to be in every third row is, and what is said to grow towards the top does."""
    grey = np.full((1, 28, 28), 0.5)
    changed = perturb(grey, (half.step(0.5),), half.draw)[0]
    distances = {"second": 2, "third": 3, "fourth": 4}
    if half.perturbation.name == "lines":
        ordinal, axis = half.way.split()[2:]
        line = changed[:, 1] if axis == "row" else changed[1]
        assert [*np.flatnonzero(line != 0.5)] == [*range(0, 28, distances[ordinal])]
    else:
        far = {"top": (0, 9), "bottom": (27, 9), "left": (9, 0), "right": (9, 27)}
        moved = {edge: abs(changed[at] - 0.5) for edge, at in far.items()}
        assert max(moved, key=moved.get) == half.way.rpartition(" ")[2]
        assert max(moved.values()) == 0.5
    assert (changed.mean() > 0.5) == (half.most > 0)


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_a_batch_has_the_draws_of_single_images(name, mnist5k):
    """An image of a batch is the one that a replay makes, twice perturbed."""
    images = mnist5k.test_images[:28]  # as many as an image has rows
    chain = (f"{name}:{PERTURBATIONS[name].severities[2]:g}",) * 2

    alone = [perturb(images[at : at + 1], chain, at)[0] for at in (0, 27)]

    np.testing.assert_allclose(perturb_each(images, chain, range(28))[[0, 27]], alone, atol=1e-6)
