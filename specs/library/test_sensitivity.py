"""What the evidence allows is said with its figures, for people and for programs."""

import json

import pytest
from synthetic import UNSURE, WINS, evidence, measured, spread, written

from mnistrobust.checking import checks_of
from mnistrobust.sensitivity import markdown, sensitivity

FOUND = evidence(
    {
        WINS: measured(spread(0.2, 0.01), noisy=spread(0.8, 0.01)),
        UNSURE: measured(spread(0.0, 0.02), sure=[0.1, 0.9] * 12),
    }
)
CHECKS = checks_of(FOUND)


def test_each_check_has_its_smallest_change():
    """A figure at its typical value, moved by a little more than that, is outside."""
    found = sensitivity(CHECKS)["checks"][WINS]["noisy"]
    interval = CHECKS.intervals[WINS]["noisy"]

    assert found["checkable"]
    assert found["typical"] - 0.999 * found["smallest_fall"] in interval
    assert found["typical"] - 1.001 * found["smallest_fall"] not in interval
    assert found["typical"] + 1.001 * found["smallest_rise"] not in interval


def test_worlds_left_out_are_counted():
    """A world far from all others raises an alarm; it is one of 24."""
    assert sensitivity(CHECKS)["alarms_left_out"] == 0
    outlier = [0.26, *spread(0.2, 0.01)[1:]]
    other = sensitivity(checks_of(evidence({WINS: measured(outlier)})))
    assert (other["alarms_left_out"], other["widened"]) == (1, 1)
    assert other["false_alarms"] == pytest.approx(0.01 + 1 / 25)


def test_the_block_names_what_cannot_be_checked():
    """It is listed once, with its interval, and is not among the changes that are seen."""
    text = markdown(CHECKS)
    seen, unseen = text.split("<details>")[1:]

    assert "1% / 4 each" in text
    assert "1 of the 4 are not checkable on one world" in text
    assert "each of the 3 checks sees" in seen
    assert f"| {WINS} | noisy: 0.79" in seen
    assert f"| {UNSURE} | margin: " in seen
    assert "the 1 that are not checkable" in unseen
    assert f"| {UNSURE} | sure: 0 to 1 |" in unseen
    assert WINS not in unseen


def test_the_command_prints_figures(command, tmp_path):
    """A table, Markdown and JSON say the same; without evidence it says how to make it."""
    options = ["evidence", "--data", "mnist5k", "--evidence", written(FOUND, tmp_path)]

    assert json.loads(command(*options, "--json").out)["worlds"] == 24
    assert command(*options, "--markdown").out == markdown(CHECKS)
    assert "not   checkable" in command(*options).out
    ended = command("evidence", "--data", "mnist5k", "--evidence", "none")
    assert (ended.code, "mnistrobust replicate" in ended.error) == (2, True)


def test_what_is_true_on_full_mnist_is_labelled_so_elsewhere(command):
    """The sentences' figures are of full MNIST: on another data set each says that."""
    here, there = (
        [row.split("|")[-2].strip() for row in command("claims", "--markdown", *data).out.splitlines()
         if row.startswith("|") and row.count("|") == 4][2:]
        for data in ((), ("--data", "mnist5k"))
    )  # fmt: skip
    said = [each for each in there if each and "---" not in each and "instead" not in each]

    assert not any("On full MNIST" in each for each in here)
    assert said
    assert all(each.startswith("On full MNIST: ") for each in said)


@pytest.mark.parametrize(("held", "word"), [(24, "Reproduced"), (0, "Refuted")])
def test_verdicts_as_markdown(held, word, command, tmp_path):
    """Each judged claim is a row with its count, under its verdict."""
    found = evidence({WINS: measured([0.1] * held + [-0.1] * (24 - held))})
    options = ["--data", "mnist5k", "--evidence", written(found, tmp_path), "--markdown"]
    tables = command("claims", *options).out.split("### ")[1:]
    (table,) = [each for each in tables if each.startswith(word)]

    assert sum(each.count(" | –") for each in tables) == 28  # provisional, without evidence
    assert [f"`{WINS}` | {held}/24 |" in each for each in tables] == [
        each is table for each in tables
    ]
