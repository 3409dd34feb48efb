"""Errors that help to find a name."""

from mnistrobust.errors import unknown


def test_many_known_names_are_not_listed():
    """The nearest ones and the command that lists all are."""
    known = [f"ann.claim_number_{number}" for number in range(40)]

    said = str(unknown("claim", "noise", known))

    assert said.startswith("Unknown claim 'noise': nearest are: ann.claim_number_")
    assert said.endswith(" 'mnistrobust claims' lists them.")
    assert len(said) < 200


def test_an_unknown_perturbation_may_be_ones_own():
    """The error says how to name it, although a known name is near."""
    said = str(unknown("perturbation", "rotatee", ["rotate"]))

    assert "did you mean 'rotate'?" in said
    assert "package.module:function" in said
