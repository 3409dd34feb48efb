"""Chains of perturbations: what Hypothesis draws, and what it shrinks a failure to."""

import numpy as np
import pytest
from hypothesis import find, given, settings

from mnistrobust.errors import DoseError
from mnistrobust.fuzzing.chain import perturb
from mnistrobust.fuzzing.strategies import chains, doses, make_images
from mnistrobust.perturbations import PERTURBATIONS, dosed

few = settings(max_examples=20)


@few
@given(chains(most=4))
def test_chains_name_different_perturbations_and_doses_in_range(chain):
    """Each part is a text that the command line takes as well."""
    assert len(chain) <= 4
    names = [each.name for each, _ in map(dosed, chain)]
    assert len({*names}) == len(names)


def test_a_failure_shrinks_to_one_perturbation_at_a_small_dose():
    """What is left is the part that matters, at a dose hardly above the bound."""

    def blurs(chain):
        return any(each.name == "blur" and dose > 1.5 for each, dose in map(dosed, chain))

    found = find(chains(), blurs, settings=settings(max_examples=5000, database=None))

    assert found == ("blur:1.56",)


@pytest.mark.parametrize("name", ["rotate", "scale", "blur"])
def test_doses_reach_both_ends(name):
    """The whole range is drawn from, not only its marked part."""
    low, high = PERTURBATIONS[name].doses

    def drawn(bound, limit=None):
        return find(
            doses(PERTURBATIONS[name], limit),
            lambda dose: dose == bound,
            settings=settings(max_examples=5000, database=None),
        )

    assert (drawn(low), drawn(high), drawn(0)) == (low, high, 0)
    limit = high / 4
    assert {drawn(bound, limit) for bound in (limit, max(low, -limit))} == {limit, max(low, -limit)}


def test_a_chain_applies_in_order():
    """The last is applied to what the first makes of an image."""
    images = make_images(2, 1, "uniform")
    rotate, shear = PERTURBATIONS["rotate"], PERTURBATIONS["shear"]
    rng = np.random.default_rng(0)

    after = perturb(images, ("rotate:90", "shear:0.5"), seed=0)

    np.testing.assert_array_equal(after, shear(rotate(images, 90, rng), 0.5, rng))
    assert (after != perturb(images, ("shear:0.5", "rotate:90"), seed=0)).any()


def test_a_shorter_chain_keeps_the_draws_of_what_is_left():
    """Shrinking does not change the noise; a repeated perturbation draws anew."""
    blank = np.zeros((1, 784))
    once = perturb(blank, ("gaussian-noise:0.1",), seed=3)
    twice = perturb(blank, ("gaussian-noise:0.1", "gaussian-noise:0.1"), seed=3)

    np.testing.assert_array_equal(perturb(blank, ("blur:1", "gaussian-noise:0.1"), seed=3), once)
    assert 0.2 < ((twice > 0) & (once == 0)).mean() < 0.3
    with pytest.raises(DoseError, match="expected a dose from 0 to 6"):
        perturb(blank, ("blur:7",), seed=0)
