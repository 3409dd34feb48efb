"""A claim's worlds as a picture: a dot for each, and the document's figure."""

import numpy as np
import pytest
from synthetic import FAILS_ON_NOISY, WINS, evidence, measured, spread

from mnistrobust.claims import claim_named
from mnistrobust.errors import UsageError
from mnistrobust.strip_plots import strips

pytestmark = pytest.mark.slow  # seconds of matplotlib

LOOKS = tuple((0.1, 0.2 + 0.01 * k) for k in range(24))
FOUND = evidence(
    {
        FAILS_ON_NOISY: measured(
            spread(0.1, 0.05),
            accuracy=spread(0.3, 0.05),
            loss=spread(5, 1),
            draws={"accuracy": LOOKS},
        ),
        WINS: measured(spread(0.2, 0.01)),
    }
)


def drawn(ax, marker):
    return [line.get_xdata() for line in ax.lines if line.get_marker() == marker]


def test_each_world_is_a_dot_of_each_strip():
    """The margin first, with its bound; then each reported figure with the document's number."""
    margin, accuracy, loss = strips(claim_named(FAILS_ON_NOISY), FOUND).axes

    assert [ax.get_ylabel() for ax in (margin, accuracy, loss)] == ["margin", "accuracy", "loss"]
    worlds = FOUND.claims[FAILS_ON_NOISY]
    assert list(drawn(margin, "o")[0]) == list(worlds.margins["margin"])
    assert list(drawn(accuracy, "o")[0]) == list(worlds.figures["accuracy"])
    assert [list(drawn(ax, "D")[0]) for ax in (accuracy, loss)] == [[0.193], [7.8381]]
    assert drawn(margin, "D") == []
    assert list(drawn(accuracy, "|")[0]) == [value for world in LOOKS for value in world]
    assert drawn(loss, "|") == []


def test_equal_worlds_are_stacked():
    """No dot hides another."""
    found = evidence({WINS: measured([0.1] * 20 + [0.2])})
    (ax,) = strips(claim_named(WINS), found).axes
    (dots,) = [line for line in ax.lines if line.get_marker() == "o"]

    assert len(set(zip(*dots.get_data(), strict=True))) == 21
    assert ax.get_ylim()[1] > np.max(dots.get_ydata())


def test_the_title_has_the_verdict():
    """The picture says what it shows without a caption."""
    title = strips(claim_named(WINS), FOUND).get_suptitle()

    assert f"{WINS}, 24 worlds of mnist5k" in title
    assert "reproduced" in title


def test_a_claim_without_evidence_is_an_error():
    """The command that makes evidence is named."""
    with pytest.raises(UsageError, match="mnistrobust replicate"):
        strips(claim_named("cnn.handles_inversion"), FOUND)
