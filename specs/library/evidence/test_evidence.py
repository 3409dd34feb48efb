"""Evidence is read as it was written, or refused with a reason."""

import json

import pytest

from mnistrobust import evidence as evaluation
from mnistrobust.errors import UsageError
from mnistrobust.evidence import Evidence
from specs.helpers.synthetic import (
    FAILS_ON_NOISY,
    UNCONFIDENT,
    WINS,
    evidence,
    measured,
    spread,
    written,
)

SINGLE_DRAWS = {"accuracy": tuple((0.1 * k, 0.05 * k) for k in range(24))}
FOUND = evidence(
    {
        WINS: measured(spread(0.2, 0.01), plain=spread(0.5, 0.01), noisy=spread(0.8, 0.01)),
        FAILS_ON_NOISY: measured(
            spread(0.1, 0.1),
            accuracy=spread(0.4, 0.1),
            draws=SINGLE_DRAWS,
        ),
    }
)


def test_evidence_survives_its_file(tmp_path):
    """What is read back equals what was written, to six digits; written again, it is equal."""
    path = written(FOUND, tmp_path)
    found = evaluation.load("mnist5k", str(path))

    assert (found.head, found.seeds) == (FOUND.head, FOUND.seeds)
    drawn = found.claims[FAILS_ON_NOISY].single_draws("accuracy")
    assert drawn == pytest.approx(FOUND.claims[FAILS_ON_NOISY].single_draws("accuracy"), rel=1e-5)
    for claim, each in found.claims.items():
        for name, values in each.margins.items():
            assert values == pytest.approx(FOUND.claims[claim].margins[name], rel=1e-5)
    assert found.to_json() == path.read_text("utf-8")


def test_a_replicate_is_a_line_of_each_table():
    """One more replicate adds lines and changes, but for the head, none."""
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
        ('"replicates": 24', '"replicates": 23'),
        ('"seed",', ""),
        ('"digest"', '"digests"'),
        (WINS, "ann.nothing"),
        ("\n[24,", "\n["),
        ("\n[24,", "\n[23,"),
        ('"claims": {', '"claims": {"x": 1,'),
        ("\n[2,0", '\n[2,"0"'),
        ("\n[2,0", "\n[2,NaN"),
        ("{", '{"x":' + "[" * 100_000),
        ('"versions": {', '"versions": {"other": 2,'),
    ],
)
def test_a_damaged_file_is_refused(old, new, tmp_path):
    """A file that was changed by hand names itself and the command that makes it anew."""
    path = written(FOUND, tmp_path)
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")

    with pytest.raises(UsageError, match=r"damaged .*mnistrobust replicate"):
        evaluation.load("mnist5k", str(path))


@pytest.mark.parametrize("value", ["NaN", '"0"', "true", "null"])
def test_draws_are_numbers(value, tmp_path):
    """As all other figures are."""
    tables = json.loads(FOUND.to_json())
    (name,) = (each for each in tables["claims"][FAILS_ON_NOISY] if "accuracy" in each)
    tables["claims"][FAILS_ON_NOISY][name][3][1] = "HERE"
    path = tmp_path / "evidence.json"
    path.write_text(json.dumps(tables).replace('"HERE"', value), "utf-8")

    with pytest.raises(UsageError, match="a figure is no number"):
        evaluation.load("mnist5k", str(path))


def test_evidence_of_another_set_judges_nothing(tmp_path):
    """Evidence of mnist5k is refused for mnist; a missing file is an error, `none` is none."""
    path = written(FOUND, tmp_path)

    with pytest.raises(UsageError, match="holds evidence of mnist5k"):
        evaluation.load("mnist", str(path))
    with pytest.raises(UsageError, match="No such file"):
        evaluation.load("mnist5k", str(tmp_path / "nothing.json"))
    assert evaluation.load("mnist5k", "none") is None
    assert evaluation.load("fashion") is None


def test_a_chosen_file_is_read_again_after_it_was_written_anew(tmp_path):
    """A notebook's process lives longer than the file."""
    path = written(FOUND, tmp_path)
    assert evaluation.load("mnist5k", str(path)).replicates == 24

    written(evidence({WINS: measured([0.1, 0.2, 0.3])}), tmp_path)

    assert evaluation.load("mnist5k", str(path)).replicates == 3


def test_a_chosen_file_is_that_of_the_current_folder_or_of_the_home(tmp_path, monkeypatch):
    """The same relative name is another file after a change of folder."""
    for name, margins in (("one", [0.1, 0.2]), ("two", [0.1, 0.2, 0.3])):
        (tmp_path / name).mkdir()
        file = written(evidence({WINS: measured(margins)}), tmp_path / name).name
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))

    found = []
    for name in ("one", "two"):
        monkeypatch.chdir(tmp_path / name)
        found.append(evaluation.load("mnist5k", file).replicates)

    assert found == [2, 3]
    assert evaluation.load("mnist5k", f"~/one/{file}").replicates == 2


def test_single_draws_are_draws_or_whole_replicates():
    """Where a figure has no draws, one look is one replicate."""
    assert len(FOUND.claims[FAILS_ON_NOISY].single_draws("accuracy")) == 48
    assert len(FOUND.claims[WINS].single_draws("plain")) == 24
    assert FOUND.claims[WINS].single_draws("nothing") == ()


@pytest.mark.parametrize("dataset", ["mnist", "mnist5k"])
def test_committed_evidence_is_sound(dataset):
    """What is committed can be read, and is what this code would write."""
    path = evaluation.committed(dataset)
    found = evaluation.load(dataset)
    if found is None:
        assert not path.exists()
        return

    assert found.to_json() == path.read_text("utf-8")
    assert json.loads(path.read_text("utf-8"))["replicates"] == found.replicates


def test_the_claim_of_one_image_is_not_mixed_with_others():
    """Looks belong to the claim they were reported for."""
    both = evidence(
        {UNCONFIDENT: measured([0.1, 0.2], confident=[0.3, 0.4]), WINS: measured([0.1, 0.2])}
    )

    assert both.claims[UNCONFIDENT].single_draws("confident") == (0.3, 0.4)
    assert both.claims[WINS].single_draws("confident") == ()


def test_a_seed_without_draws_is_refused(tmp_path):
    """As is one without a figure: seeds and values would be matched wrongly."""
    tables = json.loads(FOUND.to_json())
    (name,) = (each for each in tables["claims"][FAILS_ON_NOISY] if "accuracy" in each)
    tables["claims"][FAILS_ON_NOISY][name].pop()
    path = tmp_path / "evidence.json"
    path.write_text(json.dumps(tables))

    with pytest.raises(UsageError, match="a seed has no draws"):
        evaluation.load("mnist5k", str(path))
