"""Properties of models: digits before and after a change, drawn and shrunk by Hypothesis."""

import pytest
from hypothesis import find, given, settings

from mnistrobust.fuzzing import strategies
from mnistrobust.fuzzing.strategies import changed_digits
from mnistrobust.perturbations import dosed


@settings(max_examples=20)
@given(changed_digits(max_severity=2))
def test_changed_digits_keep_their_doses(changed):
    """No dose is beyond the severity, on either side of 0."""
    for perturbation, dose in map(dosed, changed.chain):
        assert abs(dose) <= perturbation.severities[1]
    assert changed.after.shape == (784,)


def test_a_changed_digit_is_printed_as_a_call_that_makes_it():
    """Its name is public: pasted into other code, the line gives the same images."""

    @settings(max_examples=50, database=None)
    @given(changed=changed_digits())
    def fails(changed):
        assert not changed.chain, changed

    with pytest.raises(AssertionError) as raised:
        fails()
    printed = " ".join(raised.value.__notes__).split("changed=")[1].split("),\n)")[0]
    made = eval(printed + ")", vars(strategies))  # noqa: S307 - what a reader pastes
    assert str(raised.value).startswith(repr(made))


@pytest.mark.slow
def test_a_property_of_a_model_shrinks_to_a_small_change():
    """Hypothesis reports the one perturbation that matters; no other here makes all pixels lighter."""

    def breaks(changed):
        return changed.label == 7 and changed.after.min() > 0.2 and changed.before.min() == 0

    strategy = changed_digits(max_severity=4, over=("brightness", "rotate", "shift"))
    found = find(strategy, breaks, settings=settings(max_examples=5000, database=None))

    assert repr(found) == "a 7 after brightness:0.204"
