"""Outcomes become rows, a summary, JSON and Markdown."""

import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from mnistrobust.data import Source
from mnistrobust.errors import UsageError
from mnistrobust.evidence import load
from mnistrobust.evidence.results import Outcome, Results
from mnistrobust.judging.ledger import ledger_of
from mnistrobust.judging.row import claim_json
from mnistrobust.judging.statistics import live_rule, unconfirmed
from mnistrobust.judging.verdicts import FULL, instead_of
from mnistrobust.registry import load_claims
from mnistrobust.report import terminal
from mnistrobust.report.markdown import ledger as markdown
from specs.helpers.synthetic import evidence, measured, spread

SOURCE = Source(name="mnist5k", digest="0" * 64, path=None, why="as asked for")
JUDGED = "ann.noise_training_wins_on_noisy"
FIGURE = "ann.learns_standard_mnist"


def results(*outcomes, seeds=(0,)):
    return Results(source=SOURCE, seeds=seeds, outcomes=outcomes)


def of_the_document(found):
    """The results as if they were of full MNIST."""
    return replace(found, source=replace(SOURCE, name="mnist"))


def source_of(found):
    """A data set that evidence is of."""
    return replace(SOURCE, digest=found.head.digest)


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
    ledger = ledger_of(results(found))

    assert found.word == "does not hold"
    assert results(found).models == own
    assert "In place of ann: my_models:create_mlp." in markdown(ledger)
    (row,) = ledger.listed
    assert row.measured == "does not hold for ann=my_models:create_mlp"  # the row has the name
    assert "in place of ann: my_models:create_mlp" in "\n".join(terminal.summary(ledger))


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
    ledger = ledger_of(results(Outcome(id=JUDGED, seed=0, margin=0.1)))

    assert [row.claim.id for row in ledger.rows] == list(load_claims())
    assert {row.outcome for row in ledger.rows} == {"holds", "not run"}
    assert [row.claim.id for row in ledger.listed] == [JUDGED]


def test_several_replicates_are_counted_and_averaged():
    """With several seeds, a row says in how many the claim holds, and the mean of the figures."""
    replicates = [
        Outcome(id=JUDGED, seed=1, figures={"plain": 0.2}, margin=0.1),
        Outcome(id=JUDGED, seed=2, figures={"plain": 0.4}, margin=-0.1),
    ]

    (row,) = ledger_of(results(*replicates, seeds=(1, 2))).listed

    assert row.outcome == "holds in 1 of 2"
    assert row.measured == "plain 0.3"
    assert row.margin == -0.1, "the smallest"


def test_a_claim_that_fails_in_the_run_is_wrong():
    """Without evidence it is so by this run; a figure is not counted."""
    ledger = ledger_of(
        results(
            Outcome(id=JUDGED, seed=0, figures={"plain": 0.5}, margin=-0.07),
            Outcome(id=FIGURE, seed=0, margin=-0.1),
        )
    )

    assert ledger.headline == "0 of 1 judged claims hold on mnist5k, seed 0"
    assert ledger.wrong == {"does not hold": [ledger[JUDGED]]}
    assert ledger.unexpected == {}


@pytest.mark.parametrize(
    ("name", "where"), [("mnist", ""), ("mnist5k", "On full MNIST: refuted. ")]
)
def test_wrong_claims_come_in_order_with_what_is_true(name, where):
    """What failed comes first; then what the evidence refutes, also where it holds here."""
    refuted, reproduced = "ann.noise_training_keeps_clean_accuracy", JUDGED
    drop = {"plain": [0.9] * 24, "noisy": [0.7] * 24}
    known = evidence(
        {refuted: measured(spread(-0.2, 0.01), **drop), reproduced: measured(spread(0.2, 0.01))},
        dataset=name,
    )
    outcomes = (
        Outcome(id=refuted, seed=0, margin=0.1),
        Outcome(id=reproduced, seed=0, margin=-0.1, figures={"plain": 0.5}),
        Outcome(id=FIGURE, seed=0, error="no figure"),
    )
    ledger = ledger_of(replace(results(*outcomes), source=replace(SOURCE, name=name)), known)

    assert {word: [row.claim.id for row in rows] for word, rows in ledger.wrong.items()} == {
        "failed": [FIGURE], "does not hold": [reproduced], "refuted": [refuted],
    }  # fmt: skip
    assert ledger.counts == "over 24 seeds: 1 reproduced, 1 refuted"
    full = load(FULL) if where else known
    assert ledger[refuted].truth == f"{where}{instead_of(load_claims()[refuted], full)}"
    assert ledger.unexpected == {FIGURE: "no figure"}


@pytest.mark.parametrize("width", [80, 140, 200])
def test_the_ledger_is_one_screen(width, capsys):
    """One line for each claim, with its whole id, hold-rate and margin, under its verdict."""
    outcomes = [
        Outcome(id=name, seed=0, figures={"accuracy": 0.5}, margin=-0.1) for name in load_claims()
    ]
    known = evidence({JUDGED: measured(spread(0.2, 0.01))})

    terminal.print_ledger(
        ledger_of(of_the_document(results(*outcomes)), known),
        Console(width=width, force_terminal=True, color_system=None),
    )

    lines = capsys.readouterr().out.splitlines()
    judged = sum(claim.judged for claim in load_claims().values())
    assert max(map(len, lines)) <= width
    assert len(lines) <= len(load_claims()) + 13
    assert lines[0].split() == ["claim", "evidence", "this", "run"]
    assert "✓ holds  ✗ does not  · not judged  ≈ depends on the seed" in lines
    for name, claim in load_claims().items():
        (line,) = [line.split() for line in lines if f" {name} " in f"{line} "]
        told = ["✗", "-0.100"] if claim.judged else ["·"]
        told = ["24/24"] * (name == JUDGED) + told  # the mark stands beside what this run measured
        assert line[: 1 + len(told)] == [name, *told]
        assert ("statement" if claim.statement.split()[0] in line else "") == (
            "statement" if width > 80 else ""
        )
    assert lines.index(f"provisional ({judged - 1})") < lines.index("reproduced (1)")


def test_a_pipe_gets_each_failure_in_one_line(capsys):
    """A search finds it whole; after five, the rest is counted."""
    names = list(load_claims())[:7]
    story = "a long story " * 20
    found = results(*(Outcome(id=name, seed=0, error=story) for name in names))

    terminal.print_ledger(ledger_of(found), Console(width=80))

    told = capsys.readouterr().out
    assert f"\ndata set: {SOURCE.name}, a rehearsal: only full MNIST judges the document\n" in told
    assert "NOT AS EXPECTED (7):\n" in told
    assert f"  {names[0]}: {story}\n" in told
    assert "  and 2 more\n" in told


def test_verbose_prints_each_claim_in_full(capsys):
    """Statement, the document's figures, ours, the outcome and the verdict."""
    found = results(Outcome(id=JUDGED, seed=0, figures={"plain": 0.1234}, margin=-0.1))

    terminal.print_ledger(ledger_of(found), verbose=True)

    told = " ".join(capsys.readouterr().out.split())
    for text in (load_claims()[JUDGED].statement, "plain 0.123", "does not hold", "provisional"):
        assert text in told


def test_markdown_is_inert():
    """Markup in an error message stays text."""
    text = markdown(ledger_of(results(Outcome(id=JUDGED, seed=0, error="<b>|x|</b> `y`\n_z_ a_b"))))

    assert "\\<b\\>\\|x\\|\\</b\\> \\`y\\` \\_z\\_ a_b" in text
    assert all(line.count("|") >= 7 for line in text.splitlines() if line.startswith("| "))


@pytest.mark.parametrize("claim", load_claims().values(), ids=lambda claim: claim.id)
def test_claim_json_keeps_the_contract(claim):
    """A verdict exists where the document asserts something, and nowhere else."""
    fields = claim_json(ledger_of(only=claim.id).rows[0])

    assert list(fields) == [
        "id", "family", "kind", "statement", "quote", "reported", "verdict", "instead", "spec",
        "replication", "single_draws",
    ]  # fmt: skip
    assert (fields["verdict"] == "provisional") == (claim.kind in {"claim", "owner"})
    assert json.loads(json.dumps(fields)) == fields


def test_a_rows_margin_is_the_smallest_of_its_seeds():
    """A claim that fails for one seed is not hidden by another."""
    replicates = [
        Outcome(id=JUDGED, seed=seed, margin=margin)
        for seed, margin in ((1, 0.1), (2, -0.1), (3, 0.3))
    ]

    (row,) = ledger_of(results(*replicates, seeds=(1, 2, 3))).listed

    assert row.margin == -0.1
    (nothing,) = ledger_of(results(replace(replicates[1], margin=0.0), replicates[2])).listed
    assert (nothing.margin, nothing.held) == (0.0, 1), "a margin of 0 fails, too"
    ledger = ledger_of(results(replicates[0]))
    assert any(
        f"{JUDGED}" in line.plain and "+0.100" in line.plain for line in terminal.lines(ledger)
    )
    assert (row.held, row.here) == (2, "does not hold")


def test_the_summary_counts_what_holds_here_and_the_verdicts():
    """The two lines that a reader of a run looks for come first."""
    found = evidence({JUDGED: measured(spread(0.2, 0.01)), FIGURE: measured(spread(0.2, 0.01))})
    run = results(Outcome(id=JUDGED, seed=0, margin=0.1))
    ledger = ledger_of(of_the_document(run), found)

    assert list(terminal.summary(ledger))[:2] == [
        "1 of 1 judged claims hold on mnist, seed 0",
        "over 24 seeds: 1 reproduced",
    ]


REFUTED_HERE = "cnn.handles_inversion"  # in a rehearsal; seed-dependent on full MNIST


@pytest.mark.parametrize(
    ("error", "said"), [(None, "AS EXPECTED: "), ("broken", "NOT AS EXPECTED")]
)
def test_a_rehearsal_is_held_to_its_evidence_and_gives_no_verdict(error, said):
    """The document's verdicts are those of full MNIST, once, and named so."""
    found = evidence({REFUTED_HERE: measured(spread(-0.4, 0.01))})
    outcome = Outcome(id=REFUTED_HERE, seed=0, margin=-0.4, error=error)
    ledger = ledger_of(replace(results(outcome), source=source_of(found)), found)

    lines = [line.plain for line in terminal.lines(ledger)]

    assert sum(line.startswith(said) for line in lines) == (1 if error is None else 2)
    assert ("as the evidence expects (1)" in lines) is (error is None)
    of_verdicts = [line for line in lines if "refuted" in line or "reproduced" in line]
    counts = ledger_of(evidence=load("mnist")).counts
    assert of_verdicts == [
        f"the document's verdicts, by full MNIST {counts}; 'mnistrobust claims' lists them"
    ]
    (row,) = ledger.listed
    assert "refuted" not in " ".join(row.judged)
    least = min(load("mnist").claims[REFUTED_HERE].figures["inverted"])
    assert row.truth.startswith(
        f"On full MNIST: seed-dependent. Its accuracy ranges from {least:.2f}"
    )


def test_a_run_with_refuted_claims_says_why_it_passes():
    """One line, and only where the evidence predicts the run."""
    found = evidence({JUDGED: measured(spread(-0.2, 0.01))})
    run = replace(results(Outcome(id=JUDGED, seed=0, margin=-0.2)), source=source_of(found))

    def passes(ledger):
        return any(text.startswith("AS EXPECTED") for text in terminal.summary(ledger))

    assert passes(ledger_of(run, found))
    assert not passes(ledger_of(run))
    assert not passes(ledger_of(replace(run, seeds=(1,)), found)), "a seed of the evidence"
    seeds = (30, 31, 32, 33)
    fresh = [Outcome(id=JUDGED, seed=seed, margin=-0.2) for seed in seeds]
    run = replace(run, outcomes=tuple(fresh), seeds=seeds)
    assert passes(ledger_of(run, found))
    assert not passes(ledger_of(run)), "fresh seeds alone confirm nothing"


def test_a_claim_without_evidence_is_counted_beside_the_others():
    """One claim that is still provisional leaves the counts of the verdicts."""
    found = evidence({JUDGED: measured(spread(0.2, 0.01))})
    ledger = ledger_of(evidence=found)
    others = len(ledger.judged) - 1

    assert ledger.counts == f"over 24 seeds: 1 reproduced, {others} provisional"
    assert ledger_of().counts == "provisional: too few seeds for a verdict"


def test_markdown_says_that_a_rehearsal_is_one():
    """Above the table, with the data set and the seeds."""
    found = results(Outcome(id=JUDGED, seed=0, margin=0.1))

    head = markdown(ledger_of(found)).partition("|")[0]

    assert found.source.notice in head
    assert "Seeds: 0." in head


def test_the_outcome_in_a_results_file_is_that_of_the_margin():
    """Whoever reads the file needs no rule of ours; the summary says how many claims did not run."""
    outcomes = (
        Outcome(id=JUDGED, seed=0, margin=0.1),
        Outcome(id="ann.is_not_confident_on_pure_noise", seed=0, margin=-0.1),
        Outcome(id=FIGURE, seed=0, margin=0.1),
    )
    rows = json.loads(results(*outcomes).to_json())["claims"]

    assert {row["id"]: row["outcome"] for row in rows} == {
        JUDGED: "holds",
        "ann.is_not_confident_on_pure_noise": "does not hold",
        FIGURE: "reported",
    }
    ledger = ledger_of(results(*outcomes[:2]))
    assert f"{len(load_claims()) - 2} claims did not run" in [*terminal.summary(ledger)]


WIN = measured(spread(0.2, 0.01), plain=spread(0.5, 0.01))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"figures": {"plain": 0.8}}, "plain 0.8, evidence of 24 seeds: 0.4"),
        ({"margin": 0.9}, "margin 0.9, evidence of 24 seeds: 0.1"),
        ({"figures": {"plain": 0.8}, "error": "it broke"}, "it broke"),
        ({"figures": {"plain": 0.8}, "models": {"ann": "mine:create"}}, None),
        ({}, None),
    ],
)
def test_results_are_held_to_the_evidence_that_is_named(changes, said):
    """Also those of a run that had other evidence, or none: `report` judges them anew."""
    facts = {"figures": {"plain": 0.5}, "margin": 0.2, **changes}
    found = evidence({JUDGED: WIN})
    run = replace(results(Outcome(id=JUDGED, seed=0, **facts)), source=source_of(found))

    told = ledger_of(run, found).unexpected.get(JUDGED)

    assert told is None if said is None else told.startswith(said)


def test_a_claim_that_the_evidence_refutes_is_not_expected_to_hold():
    """The run's own check would have failed, too."""
    found = evidence({JUDGED: measured(spread(-0.2, 0.2))})
    refuted = evidence({JUDGED: measured(spread(-0.2, 0.01))})
    run = replace(results(Outcome(id=JUDGED, seed=0, margin=0.001)), source=source_of(found))

    assert ledger_of(run, found).as_expected
    (why,) = ledger_of(run, refuted).unexpected.values()
    assert why.startswith("margin 0.001, evidence of 24 seeds")


def test_only_what_ran_on_the_documents_networks_was_checked():
    """The count is of these figures, and of a network of the reader's own nothing is as expected."""
    found = evidence({JUDGED: WIN, FIGURE: measured(spread(0.2, 0.01), accuracy=[0.9] * 24)})
    theirs = Outcome(id=JUDGED, seed=0, figures={"plain": 0.1}, margin=0.2, models={"ann": "my:f"})
    ours = Outcome(id=FIGURE, seed=0, figures={"accuracy": 0.9}, margin=0.2)

    def told(*outcomes):
        return ledger_of(replace(results(*outcomes), source=source_of(found)), found)

    assert "checked against 24 other seeds: 2 figures" in "\n".join(told(theirs, ours).notes())
    assert told(theirs, ours).as_expected
    assert told(theirs).checks is None
    assert told(Outcome(id=JUDGED, seed=0)).checks is None, "it measured nothing"
    assert not told(theirs).as_expected


def test_the_evidences_own_seeds_confirm_nothing():
    """They are no fresh seeds, however many there are."""
    found = evidence({JUDGED: WIN})

    def told(*seeds):
        outcomes = (Outcome(id=JUDGED, seed=seed, margin=0.2) for seed in seeds)
        run = replace(results(*outcomes, seeds=seeds), source=source_of(found))
        return ledger_of(run, found)

    fresh, mixed, one = told(*range(31, 39)), told(*range(24, 32)), told(24)
    assert (fresh.as_expected, mixed.as_expected, one.as_expected) == (True, False, False)
    assert (fresh[JUDGED].live, mixed[JUDGED].live) == ("reproduced", None)
    said = "NOTE: seed 24 is the evidence's own, and cannot confirm it"
    assert [any(said in line for line in each.notes()) for each in (fresh, mixed, one)] == [
        False, True, True,
    ]  # fmt: skip
    other = results(Outcome(id=JUDGED, seed=24, margin=0.2), seeds=(24,))
    assert not any("the evidence's own" in line for line in ledger_of(other, found).notes())
    assert "NOTE: 8 seeds are the evidence's own" in "\n".join(told(*range(1, 9)).notes())


def test_a_live_run_says_how_often_it_fails_without_a_change():
    """A claim that holds for 90 of 100 seeds is often inconclusive on eight of them."""
    often = measured([0.1] * 90 + [-0.1] * 10)

    def told(claim):
        found = evidence({JUDGED: claim})
        seeds = tuple(range(131, 139))
        outcomes = (Outcome(id=JUDGED, seed=seed, margin=0.2) for seed in seeds)
        run = replace(results(*outcomes, seeds=seeds), source=source_of(found))
        return "\n".join(ledger_of(run, found).notes())

    share = unconfirmed(np.arange(100)[None] < 90, live_rule(8))
    assert share > 0.02
    assert f"{share:.0%} of runs on 8 seeds without a change fail" in told(often)
    assert "0% of runs on 8 seeds without a change fail" in told(measured([-0.1] * 24))
    assert "without a change" not in told(measured([0.1] * 18 + [-0.1] * 6))


def test_a_claim_without_a_row_is_an_error_of_ours():
    """A ledger of one claim, asked for another that the document has."""
    ledger = ledger_of(only=JUDGED)

    assert ledger[JUDGED].claim.id == JUDGED
    with pytest.raises(UsageError, match=f"This ledger has no claim '{FIGURE}'"):
        ledger[FIGURE]
