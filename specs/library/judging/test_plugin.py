"""pytest and evidence: what fails, what is expected to fail, and what is only said."""

import errno
import json
import os
import re
import tempfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from fixtures import claims
from fixtures.claims import Report
from mnistrobust.evidence.results import Outcome
from mnistrobust.judging.ledger import ledger_of
from mnistrobust.registry import claim_named
from mnistrobust.words import WORDS, Margin
from specs.helpers import runs_by_hand
from specs.helpers.clones import FOUND, SPEC, Suite, clone, run_pytest
from specs.helpers.synthetic import FIVES, UNCONFIDENT, WINS, evidence, head, measured, spread
from specs.library.conftest import Ended

AGAIN = "again = claim.replicate.store.root / 'again'; assert again.exists() or again.mkdir(parents=True)"  # fails at first
OF_WINS = "def test_noise_training_wins_on_noisy("
OF_FIVES = "def test_noisy_plus_noise_predicts_five("
CONTROL = "@pytest.mark.control(ann='constant')\n"
# Each spec evaluates a network, and nothing is trained.
EVALUATING = SPEC.replace(
    "    claim.figures(", "    evaluate('ann', on='clean')\n    claim.figures("
)
EVALUATING += """

@pytest.fixture
def evaluate():
    return lambda recipe, on: None
"""
FILE = "specs/claims/test_ann.py"


@pytest.fixture
def suite(tmp_path, capfd):
    """A clone whose pytest runs in this process."""

    def start(arguments, folder):
        capfd.readouterr()
        code = run_pytest(arguments, folder)
        return Ended(code, *capfd.readouterr())

    return Suite(clone(tmp_path), start)


@pytest.fixture
def apart(tmp_path, process):
    """A clone whose pytest runs in a process of its own, with all plugins that are installed."""

    def start(arguments, folder):
        return process("-n", 0, *arguments, program=("-m", "pytest"), cwd=folder)

    return Suite(clone(tmp_path), start)


def test_a_replicate_like_the_evidence_passes(suite):
    """A refuted claim fails as expected, and what cannot be checked is counted."""
    ended = suite.run()

    assert ended.code == 0, ended.out
    assert "2 passed, 1 xfailed" in ended.out
    assert "checked against 24 other seeds: 6 figures and margins" in ended.out
    assert "2 of them are not checkable on one seed" in ended.out
    assert "'mnistrobust evidence --data mnist5k'" in ended.out
    assert "NOTE: the evidence predates" not in ended.out
    assert suite.results == {WINS: "holds", UNCONFIDENT: "holds", FIVES: "does not hold"}


@pytest.mark.parametrize("number", ["0.1", "np.float64(0.1)", "None"])
def test_a_plain_number_is_no_margin(number, suite):
    """A bound is a word's: the message says what to give instead."""
    ended = suite.run(old="margin(0.2)", new=number, spec=f"import numpy as np\n{SPEC}")

    assert ended.code == 1
    assert f"{WINS}: expected the margin of a word, such as words.most(0.6), received {number}" in (
        ended.out
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("noisy=0.8", "noisy=0.5", f"{WINS}: noisy 0.5, evidence of 24 seeds: 0.7"),
        ("margin(0.2)", "margin(-0.1)", f"{WINS}: margin -0.1, evidence of 24 seeds: 0.1"),
        ("margin(-0.4)", "margin(0.1)", f"{FIVES}: margin 0.1, evidence of 24 seeds: -0.4"),
        ("fives=0.1)", "fives=1 / 0)", "ZeroDivisionError"),
    ],
    ids=["figure", "margin", "refuted", "error"],
)
def test_a_replicate_unlike_the_evidence_fails(old, new, said, suite):
    """A figure or a margin outside, a refuted claim that holds, and any error."""
    ended = suite.run(old=old, new=new)

    assert ended.code == 1
    assert "1 failed" in ended.out
    assert said in ended.out
    assert "failed" in suite.results.values()


@pytest.fixture
def reported():
    """A report on a claim, of which nothing has been said yet."""
    return Report(claim_named(WINS), SimpleNamespace(seed=0))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_fails(value, reported):
    """As a figure, a draw or a margin, and whatever the evidence says."""
    most = WORDS["most"]
    for say, said in (
        (lambda: reported.figures(plain=0.1, noisy=value), "the figure noisy is"),
        (lambda: reported.draws(noisy=[0.1, value]), r"the draws of noisy are \[0.1, "),
        (lambda: reported.draws(noisy=[]), r"the draws of noisy are \[\]"),
        (lambda: reported.margin(Margin(most, 0.1, 0, 0), Margin(most, value, 0, 0)), "'most' is"),
    ):
        with pytest.raises(pytest.fail.Exception, match=f"{WINS}: .*{said}"):
            say()


def test_a_margin_is_the_smallest_of_its_words(reported):
    """All of them must hold, also at half and at twice the bound."""
    reported.margin(Margin(WORDS["most"], 0.3, 0.1, 0.2), Margin(WORDS["most"], 0.2, 0.4, -0.1))

    outcome = reported.outcome()
    assert (outcome.margin, outcome.halved, outcome.doubled) == (0.2, 0.1, -0.1)


@pytest.mark.parametrize(
    ("old", "said"),
    [("claim.figures(noisy=0.8)", "no figures"), ("claim.margin(margin(0.2))", "no margin")],
)
def test_a_spec_that_leaves_something_out_fails(old, said, suite):
    """Without figures there is nothing to compare, and without a margin nothing to judge."""
    ended = suite.run("--evidence", "none", old=old, new="pass")

    assert (ended.code, suite.results[WINS]) == (1, "failed")
    assert f"NOT AS EXPECTED (1):\n  {WINS}: the spec reported {said}\n" in ended.out


def test_a_degenerate_model_that_satisfies_its_claim_is_reported(suite):
    """Its spec would say the same of any model."""
    ended = suite.run("--evidence", "none", old=OF_WINS, new=f"{CONTROL}{OF_WINS}")

    assert (ended.code, suite.results[WINS]) == (1, "failed")
    assert f"{WINS}: a degenerate model satisfies it too (ann=constant)" in ended.out


def test_a_degenerate_model_that_fails_its_claim_is_kept(suite):
    """The margin that it gets is among the results; each of several is tried."""
    other = CONTROL.replace("ann='constant'", "ann='perfect', cnn='constant'")
    ended = suite.run(old=OF_FIVES, new=f"{CONTROL}{other}{OF_FIVES}")

    assert ended.code == 0, ended.out
    rows = json.loads((suite.folder / "results.json").read_text())["claims"]
    (controls,) = [row["controls"] for row in rows if row["id"] == FIVES]
    assert controls == {"ann=constant": -0.4, "ann=perfect, cnn=constant": -0.4}


def test_a_run_leaves_no_folder_behind(suite, tmp_path, monkeypatch):
    """Its processes share a board, which goes with it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made, really = [], tempfile.mkdtemp
    monkeypatch.setattr(tempfile, "mkdtemp", lambda **how: made.append(really(**how)) or made[-1])
    suite.run()

    assert any("mnistrobust-progress-" in folder for folder in made)
    assert not [folder for folder in made if Path(folder).exists()]


def test_a_failure_says_it_in_one_line(suite):
    """Margin, figures, what the word means, and the evidence; the results have the figures too."""
    ended = suite.run(old="margin(0.2)", new="much_better(0.05)")

    line = (
        f"{WINS}: margin −0.05: noisy 0.8; much better means more than 0.1 above "
        f"(evidence, 24 seeds: +0.2 ± 0.0"
    )
    assert line in ended.out
    assert re.search(rf"{WINS} +24/24 +! +-0.050  failed\n", ended.out)
    assert f"NOT AS EXPECTED (1):\n  {line}" in ended.out
    rows = json.loads((suite.folder / "results.json").read_text())["claims"]
    row = next(row for row in rows if row["id"] == WINS)
    assert (row["figures"], row["outcome"]) == ({"noisy": 0.8}, "failed")
    assert row["error"].startswith(line)


def test_a_failure_of_two_words_names_the_one_that_fails(suite):
    """The other holds."""
    ended = suite.run(old="margin(0.2)", new="margin(0.3), much_better(0.05)")

    assert f"{WINS}: margin −0.05: noisy 0.8; much better means " in ended.out


def test_a_failing_figure_says_so_first(suite):
    """Where the margin is as usual, its line would explain nothing."""
    ended = suite.run(
        old="noisy=0.8)\n    claim.margin(margin(0.2))",
        new="noisy=0.7)\n    claim.margin(much_better(0.3))",
    )

    assert f"NOT AS EXPECTED (1):\n  {WINS}: noisy 0.7, evidence of 24 seeds: 0." in ended.out
    assert f"{WINS}: margin +0.2: noisy 0.7; much better means more than 0.1 above" in ended.out


def test_the_summary_of_a_rehearsal_lists_what_its_evidence_expects(suite):
    """What this replicate says of each claim; verdicts come from full MNIST alone."""
    ended = suite.run()

    told = ended.out[ended.out.index("= claims =") :]
    assert "\nas the evidence expects (3)\n" in told
    assert "\nAS EXPECTED: " in told
    assert re.search(rf"{WINS} +24/24 +✓ +\+0.200\n", told)
    assert re.search(rf"{FIVES} +0/24 +✗ +-0.400\n", told)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "ran"),
    [
        (("-k", "wins_on_noisy"), {WINS}),
        (("-x",), {WINS}),
        (("-n", "2"), {WINS, FIVES, UNCONFIDENT}),
        (("--deselect", f"{FILE}::test_noisy_plus_noise_predicts_five"), {WINS, UNCONFIDENT}),
        (("-o", "addopts="), {WINS, FIVES, UNCONFIDENT}),
    ],
    ids=["-k", "-x", "xdist", "deselect", "addopts"],
)
def test_pytests_own_options_choose_specs(arguments, ran, apart):
    """What ran is listed, and nothing else."""
    ended = apart.run(*arguments, old="noisy=0.8", new="noisy=0.5")

    assert ended.code == 1
    assert set(apart.results) == ran
    assert all(each in ended.out for each in ran)


@pytest.mark.slow
def test_the_last_failure_runs_alone(apart):
    """`--lf` after a failed run."""
    for arguments in ((), ("--lf",)):
        apart.run(*arguments, old="noisy=0.8", new="noisy=0.5")

    assert apart.results == {WINS: "failed"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("plugin", "arguments", "runs"),
    [
        ("pytest_asyncio", (), 1),
        ("pytest_repeat", ("--count", 3), 3),
        ("pytest_rerunfailures", ("--reruns", 2), 3),
        ("xdist", ("-n", 2, "--dist", "each"), 2),
        ("xdist", ("--rootdir", "specs"), 1),
    ],
    ids=["asyncio", "repeat", "rerunfailures", "dist each", "rootdir"],
)
def test_a_plugin_beside_ours_lists_each_claim_once(plugin, arguments, runs, apart):
    """A spec that runs several times is one row, and says so; its failure is one failure."""
    pytest.importorskip(plugin, reason=f"{plugin} is missing: pip install -e '.[dev]'")

    ended = apart.run(*arguments, old="noisy=0.8", new="noisy=0.5")

    assert ended.code == 1, ended.out + ended.err
    rows = json.loads((apart.folder / "results.json").read_text())["claims"]
    found = [(row["id"], row["outcome"], row["runs"]) for row in rows if row["id"] == WINS]
    assert found == [(WINS, "failed", runs)]
    assert len(rows) == 3
    assert "NOT AS EXPECTED (1):\n" in ended.out
    assert ("NOTE: specs that a pytest plugin " in ended.out) is (runs > 1)


@pytest.mark.slow
def test_a_rerun_that_passes_is_said_to_be_one(apart):
    """The failure that was repeated is no failure any more; the ledger counts the runs."""
    pytest.importorskip("pytest_rerunfailures", reason="it is missing: pip install -e '.[dev]'")
    ended = apart.run(
        "--reruns", 2, old="claim.figures(noisy", new=f"{AGAIN}\n    claim.figures(noisy"
    )

    assert ended.code == 0, ended.out
    assert apart.results == {WINS: "holds", UNCONFIDENT: "holds", FIVES: "does not hold"}
    assert (
        f"NOTE: specs that a pytest plugin tried again after a failure: 1, such as {WINS}"
        in ended.out
    )


def test_what_failed_and_was_tried_again_is_told_from_what_ran_twice():
    """One is a claim that does not always come out alike, the other is what was asked for."""
    collector = claims._Collector(SimpleNamespace(stash={}))
    told = json.dumps(Outcome(id=WINS, seed=0, margin=0.1).to_json())

    def report(name, when, outcome, *, reported=False):
        properties = [(claims._PROPERTY, told)] if reported else []
        crash = SimpleNamespace(reprcrash=SimpleNamespace(message="it broke"))
        node = f"specs/claims/test_ann.py::test_{name.partition('.')[2]}[seed0]"
        collector.pytest_runtest_logreport(
            SimpleNamespace(
                nodeid=node,
                when=when,
                outcome=outcome,
                user_properties=properties,
                longrepr=crash,
                failed=outcome == "failed",
                skipped=False,
            )
        )

    for outcome in ("rerun", "passed"):
        report(WINS, "setup", "passed")
        report(WINS, "call", outcome, reported=True)
    for _ in range(2):
        report(UNCONFIDENT, "setup", "passed")
        report(UNCONFIDENT, "call", "failed")
    first, second = collector.outcomes

    assert (first.id, first.runs, first.reruns, first.error) == (WINS, 2, 1, None)
    assert (second.id, second.runs, second.reruns, second.error) == (UNCONFIDENT, 2, 0, "it broke")
    notes = [*ledger_of(replace(runs_by_hand.run().results, outcomes=(first, second))).notes()]
    assert (
        f"NOTE: specs that a pytest plugin tried again after a failure: 1, such as {WINS}" in notes
    )
    assert f"NOTE: specs that a pytest plugin ran more than once: 1, such as {UNCONFIDENT}" in notes


def test_a_failure_among_several_runs_stays(suite):
    """pytest fails too; the claim is one row, with the number of its runs."""
    old = "claim.figures(noisy"
    ended = suite.run("--keep-duplicates", FILE, old=old, new=f"{AGAIN}\n    {old}")

    assert ended.code == 1
    assert "1 failed, 3 passed, 2 xfailed" in ended.out
    assert suite.results == {WINS: "failed", UNCONFIDENT: "holds", FIVES: "does not hold"}
    assert f"NOTE: specs that a pytest plugin ran more than once: 3, such as {WINS}" in ended.out


@pytest.mark.parametrize("old", ["claim.figures(fives=0.1)", "claim.figures(noisy=0.8)"])
def test_a_spec_that_reports_nothing_is_no_success(old, suite):
    """A skipped spec has measured nothing, whether its claim is refuted or not."""
    ended = suite.run(old=old, new="pytest.skip('no time')")

    assert ended.code == 1
    assert "skipped, and reported nothing" in ended.out
    assert "failed" in suite.results.values()


def test_a_collection_judges_nothing(suite):
    """`--collect-only` names the specs, and has no section on claims."""
    ended = suite.run("--collect-only", "-q")

    assert ended.code == 0
    assert "test_noise_training_wins_on_noisy" in ended.out
    assert "judged claims hold" not in ended.out


@pytest.mark.slow
def test_a_page_of_pytest_html_has_the_failure(apart):
    """The plugin, where installed, changes no outcome, and shows our line."""
    pytest.importorskip(
        "pytest_html", reason="pytest-html is not installed: pip install -e '.[dev]'"
    )

    ended = apart.run("--html", "page.html", old="noisy=0.8", new="noisy=0.5")

    assert (ended.code, "1 failed" in ended.out) == (1, True), ended.out
    assert f"{WINS}: noisy 0.5" in (apart.folder / "page.html").read_text("utf-8")


def test_a_changed_recipe_is_judged_by_the_old_evidence(suite):
    """Inside the intervals it passes with a notice; outside, how to accept it is said."""
    older = evidence(dict(FOUND.claims), code={**head().code, "recipe ann_noisy": "0"})
    notice = "the evidence predates a change of recipe ann_noisy; to accept it, make new"

    inside = suite.run(found=older)
    outside = suite.run(old="noisy=0.8", new="noisy=0.9", found=older)

    assert (inside.code, outside.code) == (0, 1)
    assert notice in inside.out
    assert "\nann_noisy is trained anew; typical of the evidence → here: " in inside.out
    assert "\nvalues outside their intervals: 0." in inside.out
    assert "\nvalues outside their intervals: 1." in outside.out
    assert notice in outside.out
    assert "mnistrobust replicate --seeds 24 --data mnist5k" in outside.out
    assert "(better by 0.1 than the typical 0.79" in outside.out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--seeds", "1"), 1),
        (("--seeds", "7-7"), 0),
        (("--evidence", "none"), 0),
    ],
    ids=["fresh", "of the evidence", "none"],
)
def test_only_a_fresh_replicate_is_checked(arguments, code, suite):
    """A single fresh replicate is; a replicate that the evidence has, or without evidence, is not."""
    ended = suite.run(*arguments, old="noisy=0.8", new="noisy=0.5")

    assert ended.code == code
    assert ("checked against" in ended.out) is bool(code)


@pytest.mark.parametrize(
    ("margin", "code", "here"), [("0.3", 0, "holds"), ("-0.1", 1, "does not hold")]
)
def test_an_architecture_of_ones_own_is_held_to_what_is_reproduced(
    margin, code, here, suite, monkeypatch
):
    """No interval is of it: only a reproduced claim that does not hold fails."""
    monkeypatch.setattr("fixtures.settings.check", lambda _: None)  # builds it, for seconds
    monkeypatch.setattr("fixtures.replicates.prepare", lambda *_: None)  # trains it
    (suite.folder / "mine.py").write_text("def create(classes):\n    pass\n")
    spec = EVALUATING.replace("margin(0.2)", f"margin({margin})").replace("(-0.4)", "(-0.1)")
    ended = suite.run("--model", "ann=mine:create", spec=spec)

    assert ended.code == code, ended.out
    assert suite.results == {WINS: here, UNCONFIDENT: "holds", FIVES: "does not hold"}
    said = f"{WINS}: does not hold for ann=mine:create: margin -0.1000 (reproduced with the"
    assert (said in ended.out) is bool(code)


def test_few_replicates_of_evidence_fail_nothing(suite):
    """Under 20 replicates everything is provisional."""
    few = evidence({WINS: measured(spread(0.2, 0.01, 19), noisy=spread(0.8, 0.01, 19))})

    ended = suite.run(old="noisy=0.8", new="noisy=0.5", found=few)

    assert ended.code == 0, ended.out
    assert "\nprovisional (3)\n" in ended.out
    assert "AS EXPECTED" not in ended.out


@pytest.mark.parametrize(
    ("seeds", "margin", "code", "said"),
    [
        ("10", "0.2", 0, rf"{WINS} +24/24 +✓ +10/10\n"),
        ("10", "0.2 - 0.4 * (claim.replicate.seed % 2)", 1, rf"{WINS} +24/24 +≈ +5/10\n"),
        ("10", "-0.2", 1, f"  {WINS}: not reproduced, by the evidence reproduced"),
        ("2", "0.2", 1, "too few to conclude anything"),
    ],
    ids=["reproduced", "inconclusive", "not reproduced", "too few"],
)
def test_fresh_replicates_judge_by_their_wins(seeds, margin, code, said, suite):
    """The rule's errors are printed; what the evidence does not expect ends with 1."""
    ended = suite.run("--seeds", seeds, old="margin(0.2)", new=f"margin({margin})")

    assert ended.code == code, ended.out
    assert re.search(said, ended.out)
    assert re.search(rf"{FIVES} +0/24 +✗ +0/{seeds}\n", ended.out) or seeds == "2"
    assert ("NOT AS EXPECTED" in ended.out) is bool(code)
    assert ("alpha 0.0035" in ended.out) == (seeds == "10")
    assert "xfailed" not in ended.out


def test_fresh_replicates_fail_by_a_figure_that_shifted(suite):
    """The claim still holds for each seed, and each value may be one that the evidence allows."""
    ended = suite.run("--seeds", "8", old="noisy=0.8", new="noisy=0.78")

    assert ended.code == 1, ended.out
    assert re.search(rf"NOT AS EXPECTED \(1\):\n  {WINS}: noisy 0.79\d+ → 0.78 \(-", ended.out)
    assert re.search(rf"{WINS} +24/24 +✓ +8/8\n", ended.out)


def test_fresh_replicates_alone_confirm_nothing_and_fail_nothing(suite):
    """Without evidence, live outcomes are only said."""
    ended = suite.run("--seeds", "10", "--evidence", "none")

    assert ended.code == 0, ended.out
    assert re.search(rf"{FIVES} +✗ +0/10\n", ended.out)
    assert "live on 10 fresh seeds: 2 reproduced, 1 not reproduced" in ended.out
    assert "AS EXPECTED" not in ended.out


def test_other_seeds_are_refused(suite):
    """What is neither a number nor a range is wrong usage, before anything runs."""
    ended = suite.run("--seeds=5-4")

    assert ended.code == 4
    assert "--seeds 5-4: expected a number of fresh seeds" in ended.out + ended.err


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("target", ["/dev/null", "pipe", "x" * 300])
def test_results_go_into_a_file(target, suite):
    """A device, a pipe or a name that no file can have is wrong usage, before anything runs."""
    os.mkfifo(suite.folder / "pipe")
    ended = suite.run("--results", suite.folder / target)

    assert ended.code == 4
    assert "name another file" in ended.out + ended.err


def test_results_that_cannot_be_written_fail_the_run_in_one_line(suite, monkeypatch):
    """As on a full disk, where all claims were judged."""
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr("mnistrobust.files.os.fsync", Mock(side_effect=full))
    ended = suite.run()

    assert ended.code == 1
    assert re.search(r"mnistrobust: --results .*: No space left on device; nothing", ended.out)
    assert "Traceback" not in ended.out + ended.err
