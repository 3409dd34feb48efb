"""Evidence is read as it was written, or refused with a reason."""

import json

import pytest
from synthetic import FAILS_ON_NOISY, UNSURE, WINS, evidence, measured, spread, written

from mnistrobust import evidence as reading
from mnistrobust.errors import UsageError
from mnistrobust.evidence import Evidence

LOOKS = {"accuracy": tuple((0.1 * k, 0.05 * k) for k in range(24))}
FOUND = evidence(
    {
        WINS: measured(spread(0.2, 0.01), plain=spread(0.5, 0.01), noisy=spread(0.8, 0.01)),
        FAILS_ON_NOISY: measured(
            spread(0.1, 0.1),
            accuracy=spread(0.4, 0.1),
            draws=LOOKS,
            alternatives={"ann_plusnoisy": measured(spread(0.2, 0.1), draws=LOOKS)},
        ),
    }
)


def test_evidence_survives_its_file(tmp_path):
    """What is read back equals what was written, to six digits; written again, it is equal."""
    path = written(FOUND, tmp_path)
    found = reading.load("mnist5k", str(path))

    assert (found.head, found.seeds) == (FOUND.head, FOUND.seeds)
    drawn = found.claims[FAILS_ON_NOISY].looks("accuracy")
    assert drawn == pytest.approx(FOUND.claims[FAILS_ON_NOISY].looks("accuracy"), rel=1e-5)
    for claim, each in found.claims.items():
        for name, values in each.margins.items():
            assert values == pytest.approx(FOUND.claims[claim].margins[name], rel=1e-5)
    other = found.claims[FAILS_ON_NOISY].alternatives["ann_plusnoisy"]
    assert other.margins["margin"] == pytest.approx(spread(0.2, 0.1), rel=1e-5)
    assert other.looks("accuracy") == drawn
    assert found.to_json() == path.read_text("utf-8")


def test_a_world_is_a_line_of_each_table():
    """One more world adds lines and changes, but for the head, none."""
    more = evidence(
        {
            WINS: measured(spread(0.2, 0.01, 25), plain=spread(0.5, 0.01, 25)),
        }
    )
    fewer = evidence({WINS: measured(spread(0.2, 0.01), plain=spread(0.5, 0.01))})
    lines = [each.to_json().replace("]]", "]").splitlines() for each in (fewer, more)]
    table = [[line.strip(",}") for line in each if line.startswith("[")] for each in lines]

    assert table[1][:24] == table[0]
    assert len(table[1]) == 25


def test_a_margin_keeps_its_sign():
    """A margin as small as rounding leaves it is written with its sign."""
    tiny = evidence({WINS: measured([1e-17, -1e-17, 0.0])})

    assert Evidence.from_json(tiny.to_json()).claims[WINS].margins["margin"] == (1e-17, -1e-17, 0)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{", "["),
        ('"worlds": 24', '"worlds": 23'),
        ('"seed",', ""),
        ('"digest"', '"digests"'),
        (WINS, "ann.nothing"),
        ("\n[24,", "\n["),
        ("\n[24,", "\n[23,"),
        ('"claims": {', '"claims": {"x": 1,'),
        ("\n[2,0", '\n[2,"0"'),
    ],
)
def test_a_damaged_file_is_refused(old, new, tmp_path):
    """A file that was changed by hand names itself and the command that makes it anew."""
    path = written(FOUND, tmp_path)
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")

    with pytest.raises(UsageError, match=r"damaged .*mnistrobust replicate"):
        reading.load("mnist5k", str(path))


def test_evidence_of_another_set_judges_nothing(tmp_path):
    """Evidence of mnist5k is refused for mnist; a missing file is an error, `none` is none."""
    path = written(FOUND, tmp_path)

    with pytest.raises(UsageError, match="holds evidence of mnist5k"):
        reading.load("mnist", str(path))
    with pytest.raises(UsageError, match="No such file"):
        reading.load("mnist5k", str(tmp_path / "nothing.json"))
    assert reading.load("mnist5k", "none") is None
    assert reading.load("fashion") is None


def test_single_looks_are_draws_or_whole_worlds():
    """Where a figure has no draws, one look is one world."""
    assert len(FOUND.claims[FAILS_ON_NOISY].looks("accuracy")) == 48
    assert len(FOUND.claims[WINS].looks("plain")) == 24
    assert FOUND.claims[WINS].looks("nothing") == ()


@pytest.mark.parametrize("dataset", ["mnist", "mnist5k"])
def test_committed_evidence_is_sound(dataset):
    """What is committed can be read, and is what this code would write."""
    path = reading.committed(dataset)
    found = reading.load(dataset)
    if found is None:
        assert not path.exists()
        return

    assert found.to_json() == path.read_text("utf-8")
    assert json.loads(path.read_text("utf-8"))["worlds"] == found.worlds


def test_the_claim_of_one_image_is_not_mixed_with_others():
    """Looks belong to the claim they were reported for."""
    both = evidence({UNSURE: measured([0.1, 0.2], sure=[0.3, 0.4]), WINS: measured([0.1, 0.2])})

    assert both.claims[UNSURE].looks("sure") == (0.3, 0.4)
    assert both.claims[WINS].looks("sure") == ()
