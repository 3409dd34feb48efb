"""The images of the strategies are what their parameters say."""

import numpy as np
import pytest
from hypothesis import Phase, find, settings

from mnistrobust.fuzzing import strategies
from mnistrobust.fuzzing.strategies import LAYOUTS, make_frame, make_images
from mnistrobust.perturbations import PERTURBATIONS


@pytest.mark.parametrize(
    ("content", "blank", "ink", "kinds"),
    [
        ("grey", 0, 1 / 255, 255),
        ("uniform", 0, 0, 39_000),
        ("ties", 0.2, 0.2, 5),
        ("full ink", 0, 1, 1),
    ],
)
def test_content_is_as_it_is_called(content, blank, ink, kinds):
    """Shares of pixels of 0 and of 1, and the number of different ones; all lie in [0, 1]."""
    pixels = make_images(50, 0, content)

    assert (pixels.shape, pixels.dtype) == ((50, 784), np.float32)
    assert 0 <= pixels.min() <= pixels.max() <= 1
    assert ((pixels == 0).mean(), (pixels == 1).mean()) == pytest.approx((blank, ink), abs=0.02)
    assert len(np.unique(pixels)) == pytest.approx(kinds, rel=0.02)


def test_grey_is_a_level_of_a_file():
    """One of 255 that are not 0, as in the images of MNIST."""
    levels = 255 * np.unique(make_images(50, 0, "grey", dtype="float64"))

    np.testing.assert_allclose(levels, np.arange(1, 256), atol=1e-9)


def test_ties_have_both_neighbours_of_the_threshold():
    """A comparison that is off by one float is found."""
    tie = np.float32(0.9)
    pixels = make_images(50, 0, "ties")

    assert {*np.unique(pixels)} == {0, np.nextafter(tie, 0), tie, np.nextafter(tie, 1), 1}


@pytest.mark.parametrize("ink", [0, 1, 7, 784])
def test_all_but_some_pixels_are_0(ink):
    """As many in each image, and not at the same places."""
    pixels = make_images(3, 0, "full ink", ink)

    assert pixels.sum(axis=1).tolist() == [ink] * 3
    assert (len(np.unique(pixels, axis=0)) == 3) is (ink not in {0, 784})
    assert make_frame(3, 0, "full ink", ink).to_numpy().sum() == 3 * ink


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_changes_no_pixel(layout):
    """The array lies otherwise in memory, and has the same pixels."""
    images, plain = (make_images(5, 3, "uniform", layout=each) for each in (layout, "contiguous"))

    np.testing.assert_array_equal(images, plain)
    assert images.flags.c_contiguous == (layout not in {"strided", "fortran"})
    assert images.flags.writeable == (layout not in {"read-only", "memory-mapped"})


def test_another_seed_gives_other_images():
    """Or else a law would see one example only."""
    assert not np.array_equal(make_images(2, 0), make_images(2, 1))
    assert make_frame(3, 0, index="duplicates").index.tolist() == [0, 0, 0]


def test_a_chain_may_have_two_perturbations_of_one_module(monkeypatch):
    """They are two by their whole names; of one perturbation there is one dose."""
    names = ("mine:tear", "mine:fold")
    known = dict.fromkeys(names, PERTURBATIONS["fade"])
    monkeypatch.setattr(strategies, "PERTURBATIONS", known)

    drawn = strategies.chains(limits=dict.fromkeys(names))
    longest = find(drawn, lambda chain: len(chain) > 1, settings=settings(phases=[Phase.generate]))

    assert sorted(step.rpartition(":")[0] for step in longest) == sorted(names)
