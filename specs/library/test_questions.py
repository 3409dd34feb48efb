"""The document's open questions are answered by the places of its figures."""

import json

import pytest
from synthetic import FAILS_ON_NOISY, evidence, measured, written

from mnistrobust.claims import load_questions
from mnistrobust.questions import candidates, markdown, question_json

QUESTION = load_questions()["which_training_set"]


def looks(low, high):
    """Single looks of 24 worlds, spread evenly from one value to another."""
    return {"accuracy": tuple((low + (high - low) * k / 23,) for k in range(24))}


FOUND = evidence(
    {
        FAILS_ON_NOISY: measured(
            [0.1] * 24,
            draws=looks(0.5, 0.9),
            alternatives={"ann_plusnoisy": measured([0.1] * 9 + [-0.1] * 15, draws=looks(0, 0.4))},
        )
    }
)


def test_each_network_has_its_wins_and_places():
    """The document's 0.193 is usual for the second network, and below all looks at the first."""
    described, other = candidates(QUESTION, FOUND)

    assert (described.recipe, described.held, described.fits) == ("ann_noisy_plusnoise", 24, False)
    assert (other.recipe, other.held, other.fits) == ("ann_plusnoisy", 9, True)
    assert described.places["accuracy"].percentile == 0
    assert other.places["accuracy"].percentile == pytest.approx(50, abs=5)


def test_a_claim_without_figures_fits_nothing_in_particular():
    """Where the document shows a plot there is nothing to fit."""
    five = "ann.noisy_plus_noise_answers_five"
    (found,) = candidates(QUESTION, evidence({five: measured([0.1] * 24)}))

    assert (found.fits, found.places) == (None, {})


def test_without_evidence_the_question_stands_alone():
    """The text is there, and no table."""
    assert candidates(QUESTION, None) == []
    assert QUESTION.question in markdown(None)
    assert "|" not in markdown(None)


def test_the_ledger_has_a_row_for_each_network():
    """Claim, network, wins and places are cells of one line."""
    rows = [line for line in markdown(FOUND).splitlines() if FAILS_ON_NOISY in line]

    assert [row.split(" | ")[1:3] for row in rows] == [
        ["ann_noisy_plusnoise", "24/24"],
        ["ann_plusnoisy", "9/24"],
    ]
    assert "accuracy 0.193 is percentile 0" in rows[0]


def test_questions_as_json():
    """The registry's fields, and the candidates' figures."""
    found = json.loads(json.dumps(question_json(QUESTION, FOUND)))

    assert found["recipe"] == "ann_noisy_plusnoise"
    assert [each["fits"] for each in found["candidates"]] == [False, True]


def test_the_command_prints_what_is_known(command, tmp_path):
    """With evidence a line for each network, as text or as JSON."""
    options = ["questions", "--data", "mnist5k", "--evidence", str(written(FOUND, tmp_path))]

    assert "9/24" in command(*options).out
    assert len(json.loads(command(*options, "--json").out)) == len(load_questions())
