"""What every perturbation keeps, and what each does at its dose.

The laws of all are `mnistrobust.fuzzing.perturbations`, which a perturbation of one's own is held to as well.
"""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import affine_transform

from mnistrobust import transforms
from mnistrobust.fuzzing.perturbations import check_perturbation
from mnistrobust.fuzzing.strategies import doses, images, seeds
from mnistrobust.perturbations import PERTURBATIONS, geometry, noise, strokes, tone
from specs.properties.uniformity import assert_uniform

few = settings(max_examples=max(3, settings.default.max_examples // 10))
squares = images(rows=(3,), shapes=((28, 28),), contents=("uniform",), dtypes=("float64",))
MIDDLE = slice(8, 20)

# What MNIST-C's code has under that name, and the severity of its data set.
MNIST_C = {
    "gaussian-noise": (0.08, 0.12, 0.18, 0.26, 0.38),
    "shot-noise": (1 / 60, 1 / 25, 1 / 12, 1 / 5, 1 / 3),
    "salt-and-pepper": (0.03, 0.06, 0.09, 0.17, 0.27),
    "speckle-noise": (0.15, 0.2, 0.35, 0.45, 0.6),
    "pixelate": (1 - 0.6, 1 - 0.5, 1 - 0.4, 1 - 0.3, 1 - 0.25),
    "contrast": (1 - 0.4, 1 - 0.3, 1 - 0.2, 1 - 0.1, 1 - 0.05),
    "brightness": (0.1, 0.2, 0.3, 0.4, 0.5),
    "quantise": (8 - 5, 8 - 4, 8 - 3, 8 - 2, 8 - 1),
    "rotate": tuple(np.degrees([0.2, 0.4, 0.6, 0.8, 1.0])),
    "scale": (1 - 0.9, 1 - 0.8, 1 - 0.7, 1 - 0.6, 1 - 0.5),
    "shift": (1, 2, 3, 4, 5),
    "shear": (0.2, 0.4, 0.6, 0.8, 1.0),
}


def rng(seed):
    return np.random.default_rng(seed)


def dotted():
    """Return 64 images with one dot of full ink, off the centre."""
    dots = np.zeros((64, 28, 28))
    dots[:, 12, 17] = 1
    return dots


def moments(pixels):
    """Return the mass of each image, and the mean and the covariance of its ink's place."""
    mass = pixels.sum(axis=(1, 2))
    down, right = (
        (pixels * each).sum(axis=(1, 2)) / mass for each in np.mgrid[:28, :28].astype(float)
    )
    away = [
        np.mgrid[:28, :28][axis] - mean[:, None, None] for axis, mean in enumerate((down, right))
    ]
    spread = [
        (pixels * one * two).sum(axis=(1, 2)) / mass
        for one, two in ((away[0], away[0]), (away[1], away[1]), (away[0], away[1]))
    ]
    return mass, down, right, *spread


@pytest.mark.parametrize("perturbation", PERTURBATIONS.values(), ids=PERTURBATIONS)
def test_perturbation_keeps_every_law(perturbation):
    """Catches what breaks identity at 0, kind, input, seed, range, independence or growth."""
    check_perturbation(perturbation)


@pytest.mark.parametrize("name", MNIST_C)
def test_severities_are_mnist_c_s(name):
    """Catches a severity that is no longer MNIST-C's; a rotation's are rounded degrees."""
    np.testing.assert_allclose(PERTURBATIONS[name].severities, MNIST_C[name], rtol=0.005)


@pytest.mark.parametrize(
    ("perturbation", "whole"),
    [
        (noise.offset_noise, transforms.offset_noise),
        (tone.inverted, lambda each, _: transforms.invert(each)),
        (tone.threshold, lambda each, _: transforms.threshold(each)),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
@few
@given(images(), seeds())
def test_dose_1_is_the_documents_transform(perturbation, whole, before, seed):
    """Catches another end of a blend than the condition of the same name, and a blend that bends."""
    after, half = (perturbation(before, dose, rng(seed)) for dose in (1, 0.5))

    np.testing.assert_array_equal(after, whole(before, rng(seed)))
    np.testing.assert_allclose(half, before / 2 + after / 2, atol=1e-6)


FORMULAS = {
    "contrast": lambda x, d: x * (1 - d) + d * x.mean(axis=(1, 2), keepdims=True),
    "brightness": lambda x, d: np.clip(x + d, 0, 1),
    "fade": lambda x, d: x - d * x,
    "gamma": lambda x, d: x ** np.exp2(d),
    "quantise": lambda x, d: np.rint(x * (2.0 ** (8 - d) - 1)) / (2.0 ** (8 - d) - 1),
    "stripes": lambda x, d: np.where(
        np.isin(np.arange(28), [*range(7), *range(21, 28)]), x + d - 2 * d * x, x
    ),
}


@pytest.mark.parametrize("name", FORMULAS)
@few
@given(before=squares, data=st.data())
def test_tone_is_its_formula(name, before, data):
    """Catches a wrong sign, unit or level, a mean over all images, and other columns."""
    dose = data.draw(doses(PERTURBATIONS[name]))
    dose = max(1, round(dose)) if name == "quantise" else dose
    after = PERTURBATIONS[name](before, dose, rng(0))

    np.testing.assert_allclose(after, FORMULAS[name](before, dose), atol=1e-9)


@few
@given(squares, st.sampled_from([1, 2, -1]))
def test_quarter_turns_are_counter_clockwise_and_about_the_centre(before, quarters):
    """Catches another direction, radians, and a centre that is a pixel or a corner."""
    after = geometry.rotate(before, 90 * quarters, rng(0))

    np.testing.assert_allclose(after, np.rot90(before, quarters, axes=(1, 2)), atol=1e-9)


def turned(degrees):
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return [[cos, sin], [-sin, cos]]


MAPS = {
    "rotate": turned,
    "scale": lambda dose: np.eye(2) / (1 - dose),
    "squeeze": lambda dose: np.diag([1 / (1 - max(-dose, 0)), 1 / (1 - max(dose, 0))]),
    "shear": lambda dose: [[1, 0], [dose, 1]],
}


@pytest.mark.parametrize("name", MAPS)
@few
@given(before=squares, data=st.data())
def test_places_are_those_of_the_linear_map(name, before, data):
    """Catches a drift, ink that wraps around, nearest pixels, and a dose in another unit."""
    dose = data.draw(doses(PERTURBATIONS[name]))
    matrix, centre = np.array(MAPS[name](dose)), np.array([13.5, 13.5])
    mapped = [
        affine_transform(each, matrix, centre - matrix @ centre, order=1, mode="grid-constant")
        for each in before
    ]

    np.testing.assert_allclose(PERTURBATIONS[name](before, dose, rng(0)), mapped, atol=1e-9)


@pytest.mark.parametrize(
    ("move", "ways"),
    [
        (geometry.shift, [(0, 0), (0, 2), (2, 0), (2, 2)]),
        (geometry.slide, [(0, 1), (1, 0), (1, 2), (2, 1)]),
    ],
    ids=["shift", "slide"],
)
@few
@given(before=squares, seed=seeds(), dose=st.integers(1, 14))
def test_a_shift_is_by_the_dose_in_one_of_four_directions(move, ways, before, seed, dose):
    """Catches ink that wraps around, a direction that is missing or another, and a drift."""
    many = np.repeat(before[:1], 64, axis=0)
    after = move(many, dose, rng(seed))
    padded = np.pad(before[0], dose)
    moved = [padded[dose * d : dose * d + 28, dose * r : dose * r + 28] for d, r in ways]

    np.testing.assert_array_equal(np.unique(after, axis=0), np.unique(moved, axis=0))
    mass, down, right, *_ = moments(move(dotted(), dose / 4, rng(seed)))
    np.testing.assert_allclose(mass, 1)
    far = np.abs([down - 12, right - 17])
    np.testing.assert_allclose(far.max(axis=0), dose / 4)
    np.testing.assert_allclose(
        far.min(axis=0), dose / 4 if move is geometry.shift else 0, atol=1e-9
    )


@few
@given(seeds(), st.sampled_from([0.5, 1.0, 1.5]))
def test_elastic_moves_by_its_dose_and_smoothly(seed, dose):
    """Catches another size, a mean, moves that are not smooth, and one move for rows and columns.

    A ramp shows how far each pixel is displaced. Fails falsely in 1 run of 1e9.
    """
    ramps = np.broadcast_to(np.mgrid[:28, :28][:, None] / 27, (2, 400, 28, 28))
    down, right = (27 * (geometry.elastic(ramp, dose, rng(seed)) - ramp) for ramp in ramps)
    down, right = down[:, MIDDLE, MIDDLE], right[:, MIDDLE, MIDDLE]

    for moves in (down, right):
        assert np.sqrt((moves**2).mean()) == pytest.approx(dose, rel=0.15)
        assert abs(moves.mean()) < 0.25 * dose
        for axis in (1, 2):
            assert np.sqrt((np.diff(moves, axis=axis) ** 2).mean()) < 0.25 * dose
    assert abs(np.corrcoef(down.ravel(), right.ravel())[0, 1]) < 0.3


@few
@given(st.floats(0.7, 2))
def test_blur_is_a_gaussian_of_its_dose(dose):
    """Catches a blur across images, a drift, ink that is lost, and another width."""
    dots = dotted()
    dots[1] = 0
    after = geometry.blur(dots, dose, rng(0))
    mass, down, right, tall, wide, both = (each[0] for each in moments(after[:1]))

    assert not after[1].any()
    assert (mass, down, right) == pytest.approx((1, 12, 17), abs=0.01)
    assert (tall, wide, both) == pytest.approx((dose**2, dose**2, 0), abs=0.05 * dose**2)


@pytest.mark.parametrize(
    ("perturbation", "dose"),
    [(geometry.blur, 1.2), (geometry.motion_blur, 6), (strokes.thicken, 3)],
    ids=["blur", "motion-blur", "thicken"],
)
def test_ink_leaves_at_the_edges(perturbation, dose):
    """Catches ink that comes back on the other side, and edges that mirror or repeat."""
    dots = np.zeros((5, 28, 28))
    corners = (0, 0), (0, 27), (27, 0), (27, 27)
    for dot, place in zip(dots, [*corners, (14, 14)], strict=True):
        dot[place] = 1
    alike = [perturbation(dot[None], dose, rng(0))[0] for dot in dots]
    wide = np.pad(alike[4], 14)

    for after, (down, right) in zip(alike, corners, strict=False):
        top, left = 28 - down, 28 - right
        np.testing.assert_allclose(after, wide[top : top + 28, left : left + 28], atol=1e-9)


def test_beyond_the_edges_is_blank():
    """Catches an edge of ink that thinning spares."""
    after = strokes.thin(np.ones((1, 28, 28)), 1, rng(0))[0]

    np.testing.assert_array_equal(after, np.pad(np.ones((26, 26)), 1))


@few
@given(seeds(), st.floats(4, 10))
def test_motion_blur_is_a_centred_line_of_its_dose(seed, dose):
    """Catches a drift, another length, steeper lines, and lines that all lean one way."""
    mass, down, right, tall, wide, both = moments(geometry.motion_blur(dotted(), dose, rng(seed)))

    np.testing.assert_allclose(mass, 1)
    np.testing.assert_allclose(down, 12, atol=1e-9)
    np.testing.assert_allclose(right, 17, atol=1e-9)
    steps = np.ceil(dose) + 1
    line = dose**2 / 12 * (1 - 1 / steps**2)
    assert (np.abs(tall + wide - line - 0.25) < 0.26).all()  # between pixels, up to a half more
    steep = tall / wide
    assert (steep < 1.6).all()
    assert (steep > 0.35).any()
    assert (both > 0.1 * line).any()
    assert (both < -0.1 * line).any()


@few
@given(squares, st.sampled_from(geometry.pixelate.severities))
def test_pixelate_averages_over_equal_areas(before, dose):
    """Catches blocks of other sizes or places, and blocks that are sampled."""
    count = round(28 * (1 - dose) - 0.4)
    fine = np.kron(before, np.ones((count, count)))
    coarse = fine.reshape(-1, count, 28, count, 28).mean(axis=(2, 4))
    again = np.kron(coarse, np.ones((28, 28))).reshape(-1, 28, count, 28, count)

    np.testing.assert_allclose(
        geometry.pixelate(before, dose, rng(0)), again.mean(axis=(2, 4)), atol=1e-9
    )


GREY = 0.5
NOISES = {  # what a pixel of grey gets: mean and standard deviation
    "gaussian-noise": (0.1, 0, 0.1),
    "uniform-noise": (0.4, 0, 0.4 / np.sqrt(12)),
    "salt-and-pepper": (0.2, 0, 0.5 * np.sqrt(0.2)),
    "missing-pixels": (0.2, -0.2 * GREY, GREY * np.sqrt(0.2 * 0.8)),
    "shot-noise": (0.02, 0, np.sqrt(GREY * 0.02)),
    "speckle-noise": (0.2, 0, GREY * 0.2),
    "offset-noise": (0.3, 0.15, 0.3 / np.sqrt(12)),
}


@pytest.mark.parametrize("name", NOISES)
@few
@given(seed=seeds())
def test_noise_has_its_moments_and_is_independent(name, seed):
    """Catches another size, a drift, and noise that pixels or images share.

    Fails falsely in 1 run of 1e9: the tolerances are six standard errors and more.
    """
    dose, mean, deviation = NOISES[name]
    count = 1 if PERTURBATIONS[name].shared else 40
    grey = np.full((count, 28, 28), GREY)
    seen = np.concatenate(
        [PERTURBATIONS[name](grey, dose, rng(seed + more)) - GREY for more in range(40 // count)]
    )

    assert seen.mean() == pytest.approx(mean, abs=0.05 * deviation)
    assert seen.std() == pytest.approx(deviation, rel=0.05)
    for axis in range(3):
        beside = np.moveaxis(seen, axis, 0)
        assert abs(np.corrcoef(beside[1:].ravel(), beside[:-1].ravel())[0, 1]) < 0.05


@few
@given(seeds())
def test_noise_is_of_its_kind(seed):
    """Catches levels that no photon gives, salt without pepper, another blend, and ink from none."""
    grey, blank = np.full((40, 28, 28), GREY), np.zeros((1, 28, 28))
    photons = noise.shot_noise(grey, 0.1, rng(seed)) / 0.1
    salted = noise.salt_and_pepper(grey, 0.3, rng(seed))
    blended = noise.uniform_noise(grey, 0.25, rng(seed))

    np.testing.assert_allclose(photons, np.rint(photons), atol=1e-9)
    assert (salted == 0).mean() == pytest.approx(0.15, abs=0.015)
    assert (salted == 1).mean() == pytest.approx(0.15, abs=0.015)
    assert ((salted == GREY) | (salted == 0) | (salted == 1)).all()
    assert_uniform((blended - 0.75 * GREY) / 0.25, sees=0.05)
    for of_ink in (noise.shot_noise, noise.speckle_noise):
        assert not of_ink(blank, 1, rng(seed)).any()


@few
@given(seeds(), st.sampled_from([0.5, 3.0, 4.5, 12.0, 28.0]))
def test_occlude_blanks_one_square_anywhere(seed, dose):
    """Catches another area, a square beyond the edge or at a fixed place, and one of ink that differs."""
    inked = np.ones((1000, 28, 28))
    hidden = 1 - strokes.occlude(inked, dose, rng(seed))
    np.testing.assert_allclose(strokes.occlude(1 - inked, -dose, rng(seed)), hidden)
    mass, down, right, tall, wide, _ = moments(hidden)

    np.testing.assert_allclose(mass, dose**2)
    np.testing.assert_allclose([tall, wide], dose**2 / 12, atol=0.26)
    edges = [(centre + 0.5 - dose / 2) / max(28 - dose, 1e-9) for centre in (down, right)]
    assert dose == 28 or all(abs(edge.mean() - 0.5) < 0.1 for edge in edges)
    assert dose == 28 or all(edge.min() < 0.1 and edge.max() > 0.9 for edge in edges)


@few
@given(seeds(), st.sampled_from([1, 2, 3, 6]))
def test_bar_lies_in_one_of_five_places_across_or_down(seed, dose):
    """Catches another width, a place that is missing or rare, and a blank bar that differs from an inked one."""
    blank = np.zeros((1000, 28, 28))
    inked = strokes.bar(blank, dose, rng(seed))
    mass, down, right, tall, wide, _ = moments(inked)
    bars = np.round([down - 13.5, right - 13.5, tall < wide, tall, wide], 6).T
    shown, counts = np.unique(bars, axis=0, return_counts=True)

    np.testing.assert_allclose(1 - strokes.bar(1 - blank, -dose, rng(seed)), inked)
    np.testing.assert_allclose(mass, 28 * dose)
    far = 14 - dose / 2
    along = np.linspace(-far, far, 5)
    places = sorted([*((at, 0, 1) for at in along), *((0, at, 0) for at in along)])
    np.testing.assert_allclose(shown[:, :3], places)
    assert counts.min() > 60


@few
@given(squares, st.integers(1, 13))
def test_frame_is_as_wide_as_its_dose(before, dose):
    """Catches another width, an edge that is missing, and a frame that is not of ink."""
    inside = before[:, dose:-dose, dose:-dose]
    framed = np.pad(inside, ((0, 0), (dose, dose), (dose, dose)), constant_values=1)

    np.testing.assert_allclose(strokes.frame(before, dose, rng(0)), framed)


PATTERNS = {  # all that a perturbation of dose 1 makes of an image without ink
    "lines": [
        np.broadcast_to(lined, (28, 28))
        for each in (2, 3, 4)
        for lined in (np.arange(28) % each == 0, (np.arange(28) % each == 0)[:, None])
    ],
    "shade": [np.rot90(np.mgrid[:28, :28][0] / 27, quarters) for quarters in range(4)],
}


@pytest.mark.parametrize("name", PATTERNS)
@few
@given(seed=seeds(), dose=st.floats(0.1, 1))
def test_each_pattern_is_drawn_as_often(name, seed, dose):
    """Catches a pattern that is missing, rare or another, and one below 0 that differs.

    Fails falsely in 1 run of 1e9: the rarest is six standard errors below the mean.
    """
    drawn = PERTURBATIONS[name](np.zeros((900, 28, 28)), dose, rng(seed))
    below = PERTURBATIONS[name](np.ones((900, 28, 28)), -dose, rng(seed))
    same = [abs(drawn - dose * each).max(axis=(1, 2)) < 1e-9 for each in PATTERNS[name]]

    np.testing.assert_allclose(1 - below, drawn)
    assert (np.sum(same, axis=0) == 1).all()
    assert np.sum(same, axis=1).min() > 75


@few
@given(st.sampled_from([1, 1.5, 2, 3, 4]))
def test_thicken_grows_a_dot_into_a_disk_and_thin_takes_it_back(dose):
    """Catches a square, another radius, growth across images or to one side, and thin that differs."""
    dots = dotted()
    dots[1] = 0
    away = np.hypot(*(np.mgrid[:28, :28] - np.array([12, 17])[:, None, None]))
    part = dose % 1
    disk = (1 - part) * (away <= dose - part) + part * (away <= dose - part + 1)
    after = strokes.thicken(dots, dose, rng(0))

    np.testing.assert_allclose(after[0], disk)
    assert not after[1].any()
    hole = strokes.thin(1 - dots, min(dose, 3), rng(0))[:, 5:-5, 5:-5]
    grown = strokes.thicken(dots, min(dose, 3), rng(0))[:, 5:-5, 5:-5]
    np.testing.assert_allclose(hole, 1 - grown)


ORDERED = {
    "thicken": 1,
    "bar": 1,
    "frame": 1,
    "lines": 1,
    "shade": 1,
    "brightness": 1,
    "offset-noise": 1,
    "thin": -1,
    "fade": -1,
    "missing-pixels": -1,
    "occlude": -1,
    "gamma": -1,
}


@pytest.mark.parametrize("name", ORDERED)
@few
@given(before=squares, seed=seeds(), data=st.data())
def test_more_of_it_adds_or_takes_more_ink(name, before, seed, data):
    """Catches a dose that adds ink here and takes it there, in a chain of three doses."""
    chain = sorted(data.draw(st.lists(doses(PERTURBATIONS[name]), min_size=3, max_size=3)))
    results = [PERTURBATIONS[name](before, dose, rng(seed)) for dose in chain]

    for less, more in pairwise(results):
        assert (ORDERED[name] * (more - less) >= -1e-12).all()
