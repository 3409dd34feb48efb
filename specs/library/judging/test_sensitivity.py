"""What the evidence allows is said with its figures, for people and for programs."""

import json
import re

import numpy as np
import pytest

from mnistrobust.evidence.results import Outcome
from mnistrobust.judging.regression import checks_of
from mnistrobust.judging.sensitivity import moved, sensitivity
from mnistrobust.registry import load_claims
from mnistrobust.report import markdown
from specs.helpers.synthetic import UNCONFIDENT, WINS, evidence, measured, spread, written

FOUND = evidence(
    {
        WINS: measured(spread(0.2, 0.01), noisy=spread(0.8, 0.01)),
        UNCONFIDENT: measured(spread(0.0, 0.02), confident=[0.1, 0.9] * 12),
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


def test_the_block_names_what_cannot_be_checked():
    """It is listed once, with its interval, and is not among the changes that are seen."""
    text = markdown.sensitivity(sensitivity(CHECKS))
    seen, unseen = text.split("<details>")[1:]

    assert f"reaches {CHECKS.reach:.2f} standard deviations" in text
    assert "with a chance of 1 / 25, 4%, however" in text
    assert "1 of the 4 are not checkable on one seed" in text
    assert "each of the 3 checks can detect" in seen
    assert f"| {WINS} | noisy: 0.79" in seen
    assert f"| {UNCONFIDENT} | margin: " in seen
    assert "the 1 that are not checkable" in unseen
    assert f"| {UNCONFIDENT} | confident: 0.00259 to 0.997 |" in unseen
    assert WINS not in unseen


def test_the_command_prints_figures(command, tmp_path):
    """A table, Markdown and JSON say the same; without evidence it says how to make it."""
    options = ["evidence", "--data", "mnist5k", "--evidence", written(FOUND, tmp_path)]

    assert json.loads(command(*options, "--json").out)["replicates"] == 24
    assert command(*options, "--markdown").out == markdown.sensitivity(sensitivity(CHECKS))
    shown = command(*options).out.splitlines()
    at = shown.index(UNCONFIDENT)  # a row of its own, whole
    assert any(re.fullmatch(r"  confident +\S+ +not checkable", line) for line in shown[at:])
    assert max(map(len, shown[shown.index(WINS) :])) <= 80
    table = {line.split()[0]: line.split()[1:] for line in shown if line.strip()}
    assert table["typical"] == ["fall", "rise"]
    noisy = sensitivity(CHECKS)["checks"][WINS]["noisy"]
    numbers = (noisy[each] for each in ("typical", "smallest_fall", "smallest_rise"))
    assert table["noisy"] == [f"{number:.3g}" for number in numbers]
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

    others = sum(claim.judged for claim in load_claims().values()) - 1
    assert sum(each.count(" | –") for each in tables) == others  # provisional, without evidence
    assert [f"`{WINS}` | {held}/24 |" in each for each in tables] == [
        each is table for each in tables
    ]


def outcome(claim, recipes, **figures):
    return Outcome(id=claim, seed=0, figures=figures, recipes=recipes)


def test_a_changed_recipe_says_how_far_its_figures_moved():
    """In standard deviations of the evidence's seeds, the largest first, and what one seed shows."""
    typical = CHECKS.intervals[WINS]["noisy"].centre
    outcomes = [
        outcome(WINS, ["ann", "ann_noisy"], noisy=typical - 0.02),
        outcome(UNCONFIDENT, ["ann"], confident=0.5),
    ]

    changed = ["condition clean", "recipe ann_noisy", "recipe cnn"]
    ann, cnn, known = moved(CHECKS, outcomes, changed)

    typical = "ann_noisy is trained anew; typical of the evidence → here: "
    assert ann.startswith(f"{typical}{WINS} noisy 0.79")
    away = float(re.search(r"\((-\d\.\d) sd\)$", ann)[1])
    assert away == pytest.approx(-0.02 / np.std(spread(0.8, 0.01), ddof=1), abs=0.2)
    assert cnn == "cnn is trained anew; no figure of this run moved"
    assert known.startswith("values outside their intervals: 0. One seed shows a move of ")
    assert [*moved(CHECKS, outcomes, ["condition clean"])] == []


def test_the_largest_moves_are_told_whichever_way_they_go():
    """Three of them; a fall of three deviations comes before a rise of two."""
    ways = {
        WINS: {"plain": 0.51}, UNCONFIDENT: {"confident": 0.52, "mean_confidence": 0.47},
        "rnn.matches_ann_accuracy": {"ann": 0.495},
    }  # fmt: skip
    claims = {
        claim: measured(spread(0.2, 0.01), **dict.fromkeys(values, spread(0.5, 0.01)))
        for claim, values in ways.items()
    }
    outcomes = [outcome(claim, ["ann"], **values) for claim, values in ways.items()]

    told, _ = moved(checks_of(evidence(claims)), outcomes, ["recipe ann"])

    assert re.findall(r" (\w+) 0\.\d+ →", told) == ["mean_confidence", "confident", "plain"]


def test_a_figure_outside_is_counted_in_what_is_known():
    """And the smallest move that one seed sees is the half-width of the intervals."""
    *_, known = moved(CHECKS, [outcome(WINS, ["ann"], noisy=0.5)], ["recipe ann"])

    assert known.startswith("values outside their intervals: 1.")
    interval, sd = CHECKS.intervals[WINS]["margin"], np.std(spread(0.2, 0.01), ddof=1)
    least = float(re.search(r"a move of (\d\.\d) standard", known)[1])
    assert least == pytest.approx(interval.smallest_change[1] / sd, abs=0.05)


@pytest.mark.parametrize(
    ("recipe", "named"), [("ann_noisy", {"noisy"}), ("ann", {"plain", "accuracy"}), ("cnn", set())]
)
def test_a_figure_is_blamed_on_its_own_network_alone(recipe, named):
    """And on no other that its claim evaluates."""
    figure = "ann.learns_standard_mnist"
    shared = evidence(
        {
            WINS: measured(spread(0.2, 0.01), plain=spread(0.5, 0.01), noisy=spread(0.8, 0.01)),
            figure: measured(spread(-0.01, 0.001), accuracy=spread(0.5, 0.01)),
            "rnn.matches_ann_accuracy": measured(spread(-0.01, 0.001), ann=spread(0.5, 0.01)),
        }
    )
    outcomes = [
        outcome(WINS, ["ann", "ann_noisy"], plain=0.53, noisy=0.81),
        outcome(figure, ["ann"], accuracy=0.54),
        outcome("rnn.matches_ann_accuracy", ["ann", "rnn"], ann=0.54, rnn=0.5),
    ]

    line, _ = told = [*moved(checks_of(shared), outcomes, [f"recipe {recipe}"])]
    assert told == [*moved(checks_of(shared), outcomes[::-1], [f"recipe {recipe}"])]
    assert {*re.findall(r" (\w+) 0\.\d+ →", line)} == named
