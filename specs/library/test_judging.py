"""pytest and evidence: what fails, what is expected to fail, and what is only said."""

import json
import shutil
from pathlib import Path

import pytest
from synthetic import FIVES, UNSURE, WINS, evidence, head, measured, spread, written

from mnistrobust import data

pytestmark = pytest.mark.slow  # each runs a suite of its own

ROOT = Path(data.__file__).parents[1]
FOUND = evidence(
    {
        WINS: measured(spread(0.2, 0.01), noisy=spread(0.8, 0.01)),
        FIVES: measured(spread(-0.4, 0.01), fives=spread(0.1, 0.01)),
        UNSURE: measured(spread(0.0, 0.1), sure=[0.1, 0.9] * 12),
    }
)
SPEC = """
from mnistrobust.words import Margin


def test_noise_training_wins_on_noisy(claim, world):
    claim.figures(noisy=0.8)
    claim.margin(margin(0.2))


def test_is_unsure_about_pure_noise(claim, world):
    claim.figures(sure=0.5)
    claim.margin(margin(0.001))


def test_noisy_plus_noise_answers_five(claim, world):
    claim.figures(fives=0.1)
    claim.margin(margin(-0.4))


def margin(value):
    return Margin("a word", value, value, value)


def much_better(value):
    return Margin("much better", value - 0.1, value - 0.05, value - 0.2)
"""


class Suite:
    """A clone's claims, and pytest in a process of its own."""

    def __init__(self, folder, process):
        self.folder = folder
        self.process = process
        self.file = folder / "specs" / "claims" / "test_ann.py"
        self.results = {}
        self.file.parent.mkdir(parents=True)
        for name in ("conftest.py", "pyproject.toml"):
            shutil.copy(ROOT / name, folder)

    def run(self, *arguments, old="", new="", found=FOUND):
        assert old in SPEC
        self.file.write_text(SPEC.replace(old, new))
        results = self.folder / "results.json"
        ended = self.process(
            "specs/claims", "-n", 0, "--data", "mnist5k", "--store", self.folder / "store",
            "--evidence", written(found, self.folder), "--results", results, *arguments,
            program=("-m", "pytest"), cwd=self.folder,
        )  # fmt: skip
        if results.exists():
            rows = json.loads(results.read_text())["claims"]
            self.results = {row["id"]: row["outcome"] for row in rows}
        return ended


@pytest.fixture
def suite(tmp_path, process):
    return Suite(tmp_path, process)


def test_a_world_like_the_evidence_passes(suite):
    """A refuted claim fails as expected, and what cannot be checked is counted."""
    ended = suite.run()

    assert ended.code == 0, ended.out
    assert "2 passed, 1 xfailed" in ended.out
    assert "checked against 24 other worlds: 6 figures and margins" in ended.out
    assert "2 of them are not checkable on one world" in ended.out
    assert "see 'mnistrobust evidence --data mnist5k'" in ended.out
    assert "NOTE: the evidence predates" not in ended.out
    assert suite.results == {WINS: "holds", UNSURE: "holds", FIVES: "does not hold"}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("noisy=0.8", "noisy=0.5", f"{WINS}: noisy 0.5, evidence of 24 worlds: 0.7"),
        ("margin(0.2)", "margin(-0.1)", f"{WINS}: margin -0.1, evidence of 24 worlds: 0.1"),
        ("margin(-0.4)", "margin(0.1)", f"{FIVES}: margin 0.1, evidence of 24 worlds: -0.4"),
        ("fives=0.1)", "fives=1 / 0)", "ZeroDivisionError"),
        ("margin(-0.4)", "margin(float('nan'))", "is nan"),
    ],
    ids=["figure", "margin", "refuted", "error", "nan"],
)
def test_a_world_unlike_the_evidence_fails(old, new, said, suite):
    """A figure or a margin outside, a refuted claim that holds, and any error."""
    ended = suite.run(old=old, new=new)

    assert ended.code == 1
    assert "1 failed" in ended.out
    assert said in ended.out
    assert "failed" in suite.results.values()


def test_a_failure_says_it_in_one_line(suite):
    """Margin, figures, what the word means, and the evidence; the results have the figures too."""
    ended = suite.run(old="margin(0.2)", new="much_better(0.05)")

    line = (
        f"{WINS}: margin −0.05: noisy 0.8; much better means more than +0.1 "
        f"(evidence, 24 worlds: +0.2 ± 0.0"
    )
    assert line in ended.out
    assert f"  failed            -0.050  {line[:60]}" in ended.out
    rows = json.loads((suite.folder / "results.json").read_text())["claims"]
    row = next(row for row in rows if row["id"] == WINS)
    assert (row["figures"], row["outcome"]) == ({"noisy": 0.8}, "failed")
    assert row["error"].startswith(line)


def test_a_failing_figure_says_so_first(suite):
    """Where the margin is as usual, its line would explain nothing."""
    ended = suite.run(
        old="noisy=0.8)\n    claim.margin(margin(0.2))",
        new="noisy=0.7)\n    claim.margin(much_better(0.3))",
    )

    assert f"  failed            +0.200  {WINS}: noisy 0.7, evidence of 24 worlds: 0." in ended.out
    assert f"{WINS}: margin +0.2: noisy 0.7; much better means more than +0.1" in ended.out


def test_the_summary_lists_claims_by_verdict(suite):
    """Under each verdict of the evidence, what this world says."""
    ended = suite.run()

    told = ended.out[ended.out.index("= claims =") :]
    places = [
        told.index(word) for word in ("reproduced (1):", "refuted (1):", "seed-dependent (1):")
    ]
    assert places == sorted(places)
    assert f"  holds             +0.200  {WINS}" in told
    assert f"  does not hold     -0.400  {FIVES}" in told


@pytest.mark.parametrize(
    ("arguments", "ran"),
    [
        (("-k", "wins_on_noisy"), {WINS}),
        (("-x",), {WINS}),
        (("-n", "2"), {WINS, FIVES, UNSURE}),
    ],
    ids=["-k", "-x", "xdist"],
)
def test_pytests_own_options_choose_specs(arguments, ran, suite):
    """What ran is listed, and nothing else."""
    ended = suite.run(*arguments, old="noisy=0.8", new="noisy=0.5")

    assert ended.code == 1
    assert set(suite.results) == ran
    assert all(each in ended.out for each in ran)


def test_the_last_failure_runs_alone(suite):
    """`--lf` after a failed run."""
    for arguments in ((), ("--lf",)):
        suite.run(*arguments, old="noisy=0.8", new="noisy=0.5")

    assert suite.results == {WINS: "failed"}


def test_a_collection_judges_nothing(suite):
    """`--collect-only` names the specs, and has no section on claims."""
    ended = suite.run("--collect-only", "-q")

    assert ended.code == 0
    assert "test_noise_training_wins_on_noisy" in ended.out
    assert "judged claims hold" not in ended.out


def test_a_page_of_pytest_html_has_the_failure(suite):
    """The plugin, where installed, changes no outcome, and shows our line."""
    pytest.importorskip(
        "pytest_html", reason="pytest-html is not installed: pip install -e '.[dev]'"
    )

    ended = suite.run("--html", "page.html", old="noisy=0.8", new="noisy=0.5")

    assert (ended.code, "1 failed" in ended.out) == (1, True), ended.out
    assert f"{WINS}: noisy 0.5" in (suite.folder / "page.html").read_text("utf-8")


def test_a_changed_recipe_is_judged_by_the_old_evidence(suite):
    """Inside the intervals it passes with a notice; outside, how to accept it is said."""
    older = evidence(dict(FOUND.claims), code={**head().code, "recipe ann_noisy": "0"})
    notice = "the evidence predates a change of recipe ann_noisy; to accept it, make new"

    inside = suite.run(found=older)
    outside = suite.run(old="noisy=0.8", new="noisy=0.9", found=older)

    assert (inside.code, outside.code) == (0, 1)
    assert notice in inside.out
    assert notice in outside.out
    assert "mnistrobust replicate --seeds 24 --data mnist5k" in outside.out
    assert "(better by 0.1 than their typical 0.79" in outside.out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--seeds", "1"), 1),
        (("--seeds", "7-7"), 0),
        (("--evidence", "none"), 0),
    ],
    ids=["fresh", "of the evidence", "none"],
)
def test_only_a_fresh_world_is_checked(arguments, code, suite):
    """A single fresh world is; a world that the evidence has, or without evidence, is not."""
    ended = suite.run(*arguments, old="noisy=0.8", new="noisy=0.5")

    assert ended.code == code
    assert ("checked against" in ended.out) is bool(code)


def test_few_worlds_of_evidence_fail_nothing(suite):
    """Under 20 worlds everything is provisional."""
    few = evidence({WINS: measured(spread(0.2, 0.01, 19), noisy=spread(0.8, 0.01, 19))})

    ended = suite.run(old="noisy=0.8", new="noisy=0.5", found=few)

    assert ended.code == 0, ended.out
    assert "provisional: too few worlds" in ended.out


@pytest.mark.parametrize(
    ("seeds", "margin", "code", "said"),
    [
        ("10", "0.2", 0, f"{WINS}: reproduced, holds in 10 of 10"),
        ("10", "0.2 - 0.4 * (world.seed % 2)", 1, f"{WINS}: inconclusive, holds in 5 of 10"),
        ("10", "-0.2", 1, f"NOT AS EXPECTED: {WINS}: not reproduced, by the evidence reproduced"),
        ("2", "0.2", 1, "too few to conclude anything"),
    ],
    ids=["reproduced", "inconclusive", "not reproduced", "too few"],
)
def test_fresh_worlds_judge_by_their_wins(seeds, margin, code, said, suite):
    """The rule's errors are printed; what the evidence does not expect ends with 1."""
    ended = suite.run("--seeds", seeds, old="margin(0.2)", new=f"margin({margin})")

    assert ended.code == code, ended.out
    assert said in ended.out
    assert f"{FIVES}: not reproduced, holds in 0 of {seeds}" in ended.out or seeds == "2"
    assert ("alpha 0.0035" in ended.out) == (seeds == "10")
    assert "xfailed" not in ended.out


def test_fresh_worlds_alone_confirm_nothing_and_fail_nothing(suite):
    """Without evidence, live outcomes are only said."""
    ended = suite.run("--seeds", "10", "--evidence", "none")

    assert ended.code == 0, ended.out
    assert f"{FIVES}: not reproduced, holds in 0 of 10; verdict: provisional" in ended.out


def test_other_seeds_are_refused(suite):
    """What is neither a number nor a range is wrong usage, before anything runs."""
    ended = suite.run("--seeds=5-4")

    assert ended.code == 4
    assert "--seeds 5-4: expected a number of fresh worlds" in ended.out + ended.err
