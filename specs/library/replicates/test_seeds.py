"""Which replicates `--seeds` asks for."""

import pytest

from mnistrobust.errors import UsageError
from mnistrobust.replicates.seeds import seeds_of


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        (None, (0,)),
        ("1", (10001,)),
        ("3", (10001, 10002, 10003)),
        ("7-9", (7, 8, 9)),
        ("0-0", (0,)),
        (" 5-5 ", (5,)),
    ],
)
def test_seeds_are_fresh_ones_or_a_range(text, seeds):
    """A number counts fresh replicates from 10001; a range names replicates."""
    assert seeds_of(text) == seeds


@pytest.mark.parametrize(
    "text", ["", "0", "x", "5-4", "-3", "1-2-3", "1.5", "2-", "99999999", "²", "1 2"]
)
def test_anything_else_is_refused(text):
    """The error says what was expected."""
    with pytest.raises(UsageError, match="expected a number of fresh seeds from 1, such as 5"):
        seeds_of(text)
