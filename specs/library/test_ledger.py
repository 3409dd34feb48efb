"""Outcomes become rows, a summary, JSON and Markdown."""

import json

import pytest

from mnistrobust.claims import load_claims
from mnistrobust.data import Source
from mnistrobust.ledger import Outcome, Results, claim_json, markdown, rows, summary

SOURCE = Source(name="mnist5k", digest="0" * 64, path=None, why="as asked for")
JUDGED = "ann.noise_training_wins_on_noisy"
FIGURE = "ann.learns_standard_mnist"


def results(*outcomes, seeds=(0,)):
    return Results(source=SOURCE, seeds=seeds, outcomes=outcomes)


@pytest.mark.parametrize(
    ("claim", "margin", "error", "word"),
    [
        (JUDGED, 0.1, None, "holds"),
        (JUDGED, 0.0, None, "does not hold"),
        (JUDGED, -0.1, None, "does not hold"),
        (FIGURE, -0.1, None, "reported"),
        (FIGURE, None, "no figure", "failed"),
    ],
)
def test_outcome_is_the_sign_of_the_margin(claim, margin, error, word):
    """Only what the document asserts holds or does not; an error is neither."""
    assert Outcome(id=claim, seed=0, margin=margin, error=error).word == word


def test_results_survive_json():
    """What is written is read back equal."""
    before = results(
        Outcome(id=JUDGED, seed=0, figures={"plain": 0.5}, margin=0.1, controls={"a=b": -1.0}),
        Outcome(id=FIGURE, seed=0, error="no figure"),
    )

    after = Results.from_json(before.to_json())

    assert set(map(repr, after.outcomes)) == set(map(repr, before.outcomes))
    assert (after.source, after.seeds) == (before.source, before.seeds)


def test_results_do_not_depend_on_the_order_of_the_run():
    """Workers finish in any order; the file is the same."""
    one, other = Outcome(id=JUDGED, seed=0, margin=0.1), Outcome(id=FIGURE, seed=0, margin=0.2)

    assert results(one, other).to_json() == results(other, one).to_json()


def test_every_claim_has_one_row():
    """The ledger lists what was not run, too."""
    ledger = rows(results(Outcome(id=JUDGED, seed=0, margin=0.1)))

    assert [row.claim.id for row in ledger] == list(load_claims())
    assert {row.outcome for row in ledger} == {"holds", "not run"}


def test_several_worlds_are_counted_and_averaged():
    """With several seeds, a row says in how many the claim holds, and the mean of the figures."""
    worlds = [
        Outcome(id=JUDGED, seed=1, figures={"plain": 0.2}, margin=0.1),
        Outcome(id=JUDGED, seed=2, figures={"plain": 0.4}, margin=-0.1),
    ]

    row = next(each for each in rows(results(*worlds, seeds=(1, 2))) if each.outcomes)

    assert row.outcome == "holds in 1 of 2"
    assert row.measured == "plain 0.3"


def test_summary_names_what_does_not_hold():
    """A failing claim is listed with its margin and figures; figures are not counted."""
    lines = list(
        summary(
            results(
                Outcome(id=JUDGED, seed=0, figures={"plain": 0.5}, margin=-0.07),
                Outcome(id=FIGURE, seed=0, margin=-0.1),
            )
        )
    )

    assert lines[0].startswith("0 of 1 judged claims hold on mnist5k, seed 0")
    assert lines[1:] == [f"  does not hold: {JUDGED} (margin -0.070): plain 0.5"]


def test_markdown_is_inert():
    """Markup in an error message stays text."""
    text = markdown(results(Outcome(id=JUDGED, seed=0, error="<b>|x|</b> `y`\nz")))

    assert "\\<b\\>\\|x\\|\\</b\\> \\`y\\` z" in text
    assert all(line.count("|") >= 7 for line in text.splitlines() if line.startswith("| "))


@pytest.mark.parametrize("claim", load_claims().values(), ids=lambda claim: claim.id)
def test_claim_json_keeps_the_contract(claim):
    """A verdict exists where the document asserts something, and nowhere else."""
    fields = claim_json(claim)

    assert list(fields) == [
        "id", "family", "kind", "statement", "quote", "reported", "verdict", "instead", "spec",
        "replication", "looks",
    ]  # fmt: skip
    assert (fields["verdict"] == "provisional") == (claim.kind in {"claim", "owner"})
    assert json.loads(json.dumps(fields)) == fields
