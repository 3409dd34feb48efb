"""Outcomes become rows, a summary, JSON and Markdown."""

import json
from dataclasses import replace

import pytest
from rich.console import Console
from synthetic import evidence, measured, spread

from mnistrobust.claims import load_claims
from mnistrobust.data import Source
from mnistrobust.ledger import Outcome, Results, claim_json, rows
from mnistrobust.ledger_markdown import markdown
from mnistrobust.ledger_view import print_ledger
from mnistrobust.summary import summary

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


def test_an_architecture_of_the_readers_own_fails_by_its_margin():
    """The run fails, and the ledger says what a reader asks: it does not hold."""
    own = {"ann": "my_models:create_mlp"}
    error = f"{JUDGED}: does not hold for ann=my_models:create_mlp"
    found = Outcome(id=JUDGED, seed=0, margin=-0.1, models=own, error=error)

    assert found.word == "does not hold"
    assert results(found).models == own
    assert "In place of ann: my\\_models:create\\_mlp." in markdown(results(found))
    (row,) = [each for each in rows(results(found)) if each.outcomes]
    assert row.measured == "does not hold for ann=my_models:create_mlp"  # the row has the name
    assert "in place of ann: my_models:create_mlp" in "\n".join(summary(results(found)))


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
    assert lines[1:] == ["does not hold (1):", f"  {JUDGED} (margin -0.070): plain 0.5"]


@pytest.mark.parametrize(("name", "where"), [("mnist", ""), ("mnist5k", "on full MNIST: ")])
def test_summary_says_which_claims_are_wrong_and_why(name, where):
    """What failed comes first; then what the evidence refutes, also where it holds here."""
    refuted, reproduced = "ann.noise_training_keeps_clean_accuracy", JUDGED
    known = evidence(
        {refuted: measured(spread(-0.2, 0.01)), reproduced: measured(spread(0.2, 0.01))}
    )
    found = replace(
        results(
            Outcome(id=refuted, seed=0, margin=0.1),
            Outcome(id=reproduced, seed=0, margin=-0.1, figures={"plain": 0.5}),
            Outcome(id=FIGURE, seed=0, error="no figure"),
        ),
        source=replace(SOURCE, name=name),
    )

    assert list(summary(found, known))[1:] == [
        "failed (1):",
        f"  {FIGURE}: no figure",
        "does not hold (1):",
        f"  {reproduced} (margin -0.100): plain 0.5",
        "refuted (1):",
        f"  {refuted} (holds in 0/24): {where}{load_claims()[refuted].instead}",
    ]


@pytest.mark.parametrize("width", [80, 140, 200])
def test_the_ledger_fits_and_keeps_names_whole(width, capsys):
    """Each claim's id stands in one line, at any width."""
    outcomes = [
        Outcome(id=name, seed=0, figures={"accuracy": 0.5}, margin=-0.1) for name in load_claims()
    ]

    print_ledger(
        results(*outcomes), console=Console(width=width, force_terminal=True, color_system=None)
    )

    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    for name in load_claims():
        assert [line.split()[:1] == [name] for line in lines].count(True) == 1 + load_claims()[
            name
        ].judged


def test_a_pipe_gets_each_wrong_claim_in_one_line(capsys):
    """So that grep finds it whole."""
    found = results(Outcome(id=JUDGED, seed=0, error="a long story " * 20))

    print_ledger(found, console=Console(width=80))

    assert f"  {JUDGED}: {'a long story ' * 20}\n" in capsys.readouterr().out


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
