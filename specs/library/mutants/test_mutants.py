"""Mistakes are put into copies of the library, and the suite's answer is counted."""

import ast
import dataclasses
import json
import shutil

import pytest

from mnistrobust.errors import MnistRobustError, UsageError
from mnistrobust.evidence import load
from mnistrobust.judging.regression import checks_of
from mnistrobust.mutants import matrix
from mnistrobust.mutants import trial as running
from mnistrobust.mutants.faults import FAULTS, Edit, Fault, fault_named
from mnistrobust.mutants.matrix import Matrix, Trial
from mnistrobust.mutants.tables import known
from specs.helpers import ROOT
from specs.helpers.source_tree import check_once
from specs.helpers.synthetic import WINS

README = (ROOT / "README.md").read_text("utf-8")
SPEC = f"specs/claims/test_ann.py::test_{WINS.partition('.')[2]}"
LAW = "specs/properties/test_noise.py::test_pure_noise_is_uniform"
HEAD = {"command": "mnistrobust mutants", "machine": "a chip, 2 cores, Linux", "versions": {}}
SHUFFLED = FAULTS["labels-shuffled"]


def trial(fault="always-zero", size="", failed=(), *, whole=True):
    return Trial(
        fault=fault,
        size=size,
        whole=whole,
        mistake=fault_named(fault).described(size),
        failed=tuple(failed),
        passed=9,
        seconds=1.0,
    )


def found(*trials):
    return Matrix(head=HEAD, trials=trials)


def test_every_fault_fits_todays_code():
    """Each text that an edit replaces is there once."""
    edits = [(fault.name, edit) for fault in FAULTS.values() for edit in fault.edits]
    texts = {e.file: (ROOT / "mnistrobust" / e.file).read_text("utf-8") for _, e in edits}

    for name, edit in edits:
        check_once(texts[edit.file], edit.before, f"{edit.file}, for {name}")


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_every_fault_is_another_program(fault, tmp_path):
    """The edited files are Python, at every size, and not what they were."""
    for size in fault.sizes:
        for name in {edit.file for edit in fault.edits}:
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / "mnistrobust" / name, path)
        before = {path: path.read_text("utf-8") for path in tmp_path.rglob("*.py")}
        fault.put_into(tmp_path, size)

        for path, text in before.items():
            assert ast.dump(ast.parse(path.read_text("utf-8"))) != ast.dump(ast.parse(text))
            assert "{size}" not in path.read_text("utf-8")


def test_faults_are_named_once_and_have_sizes_where_they_use_them():
    """At least 25, each with its own name and mistake; a size that is not used is none."""
    assert len(FAULTS) >= 25
    assert len({fault.mistake for fault in FAULTS.values()}) == len(FAULTS)
    for fault in FAULTS.values():
        used = any("{size}" in edit.after for edit in fault.edits)
        assert used == ("{size}" in fault.mistake) == (fault.sizes != ("",)), fault.name


def test_an_edit_that_fits_nothing_is_an_error(tmp_path):
    """A fault whose text has gone is told, not run."""
    (tmp_path / "x.py").write_text("a = 1\na = 1\n")
    fault = Fault(name="f", mistake="m", edits=(Edit("x.py", "a = 1", "a = 2"),))

    with pytest.raises(MnistRobustError, match="found 2 times"):
        fault.put_into(tmp_path, "")


def test_several_edits_of_a_file_stand_where_each_was_meant(tmp_path):
    """Whatever their order and their lengths, and in each of several files."""
    edits = (
        Edit("x.py", "b = 2", "b = 20"),
        Edit("y.py", "c = 3", "c = {size}"),
        Edit("x.py", "a = 1", "a = 1000"),
    )
    (tmp_path / "x.py").write_text("a = 1\nb = 2\n")
    (tmp_path / "y.py").write_text("c = 3\n")

    Fault(name="f", mistake="m", edits=edits).put_into(tmp_path, "0.5")

    assert (tmp_path / "x.py").read_text() == "a = 1000\nb = 20\n"
    assert (tmp_path / "y.py").read_text() == "c = 0.5\n"


def test_an_unknown_fault_is_told_the_nearest():
    """The error names one."""
    with pytest.raises(UsageError, match="always-zero"):
        fault_named("always-zeros")


def test_the_matrix_counts_faults_at_their_first_size():
    """A fault that is only seen when it is larger survives, and says from which size it is seen."""
    small, large = trial(SHUFFLED.name, "0.01"), trial(SHUFFLED.name, "0.05", [LAW])
    largest = trial(SHUFFLED.name, "0.2", [SPEC], whole=False)
    whole = found(trial("inversion-dropped", failed=[SPEC, LAW]), trial(), small, large, largest)

    assert whole.survivors == (trial(), small)
    assert whole.seen_from(SHUFFLED.name) == "0.05"
    assert whole.seen_from(SHUFFLED.name, claims=True) == "0.2"
    assert whole.seen_from("always-zero") is None
    assert whole.kills(WINS) == ["labels-shuffled", "inversion-dropped"]
    assert whole.summary == (
        "1 of 3 faults are seen at their smallest size, 1 more when they are larger; 2 are seen by the "
        "claims alone, at some size"
    )
    lines = matrix.markdown(whole).splitlines()
    assert "| N of the training labels are shuffled | 0.01 0.05 0.2 | 0.05 | 0.2 |" in lines
    assert "| 0.01 of the training labels are shuffled |  |" in lines
    assert not any("inverted" in line for line in lines)  # it has no sizes, and is seen


def test_the_matrix_survives_its_file(tmp_path):
    """What is written is read back; another file is refused."""
    whole = found(trial(failed=[SPEC]), trial("never-shuffled", whole=False))
    path = tmp_path / "matrix.json"
    path.write_text(whole.to_json(), "utf-8")

    assert known(path) == whole
    for text in ("", "{}", '{"head": {}, "trials": [{}]}', "[]", "[" * 100_000):
        path.write_text(text)
        with pytest.raises(UsageError, match=r"no kill matrix|Expecting value|nested too deeply"):
            known(path)


SUITE = """
from mnistrobust.transforms import NOISE_LABEL

def test_NAME(): assert NOISE_LABEL < 12
def test_other(): assert True
""".replace("test_NAME", SPEC.partition("::")[2])
LABEL_SPEC = """
from mnistrobust.transforms import NOISE_LABEL

def test_label(): assert NOISE_LABEL == 10
"""


SINGLE_DRAWS_FOR_TEXT = f"""
import sys
sys.path.insert(0, {str(ROOT / "specs" / "library")!r})

from pathlib import Path
from mnistrobust import transforms
from specs.helpers.source_tree import check_once

def test_text(): check_once(Path(transforms.__file__).read_text(), "NOISE_LABEL = 10", "x")
def test_other(): assert True
"""


@pytest.fixture
def clone(tmp_path):
    """A clone of this library with a suite of three specs, one of them of a claim."""
    folder = tmp_path / "clone"
    shutil.copytree(
        ROOT / "mnistrobust", folder / "mnistrobust", ignore=shutil.ignore_patterns("__pycache__")
    )
    (folder / "specs" / "claims").mkdir(parents=True)
    (folder / "specs" / "claims" / "test_ann.py").write_text(SUITE)
    (folder / "specs" / "suite").mkdir()
    (folder / "specs" / "suite" / "test_label.py").write_text(LABEL_SPEC)
    (folder / "conftest.py").write_text("def pytest_addoption(parser):\n" + OPTIONS)
    (folder / "pyproject.toml").write_text("[tool.pytest]\npythonpath = ['.']\n")
    return folder


OPTIONS = "".join(
    f"    parser.addoption('{name}', **{options})\n"
    for name, options in (
        ("--data", {}),
        ("--store", {}),
        ("--offline", {"action": "store_true"}),
    )
)
LABEL = Fault(
    name="always-zero",
    mistake="the label is {size}",
    sizes=("10", "11", "12", "13"),
    edits=(Edit("transforms.py", "NOISE_LABEL = 10", "NOISE_LABEL = {size}"),),
)


@pytest.mark.slow
def test_a_fault_grows_until_a_claim_sees_it(clone, tmp_path):
    """First it changes nothing; then the suite sees it; then a claim, run without the rest; no further."""
    told = []
    trials = running.trials([LABEL], clone, tmp_path / "trials", "0", told.append)

    assert [(each.fault, each.size, each.whole, each.failed, each.passed) for each in trials] == [
        ("sound", "", True, (), 3),
        (LABEL.name, "10", True, (), 3),
        (LABEL.name, "11", True, ("specs/suite/test_label.py::test_label",), 2),
        (LABEL.name, "12", False, (SPEC,), 1),
    ]
    assert told == trials
    seen = dataclasses.replace(LABEL, sizes=("12",))
    (_, trial) = running.trials([seen], clone, tmp_path / "trials", "0", told.append)
    assert (trial.whole, trial.failed, trial.passed) == (True, (SPEC,), 1)  # the rest was not run
    assert "NOISE_LABEL = 10" in (clone / "mnistrobust" / "transforms.py").read_text("utf-8")


@pytest.mark.slow
def test_a_spec_that_misses_its_text_in_the_source_has_seen_nothing(clone, tmp_path):
    """A fault replaces text that specs edit too: their failure says nothing about the mistake."""
    (clone / "specs" / "claims" / "test_ann.py").write_text(SINGLE_DRAWS_FOR_TEXT)
    (clone / "specs" / "suite" / "test_label.py").write_text("def test_x(): assert True\n")
    trials = running.trials([LABEL], clone, tmp_path / "trials", "0", lambda _: None)

    assert [(each.size, each.failed, each.passed) for each in trials[1:]] == [
        ("10", (), 3),
        ("11", (), 2),
        ("12", (), 2),
        ("13", (), 2),
    ]


@pytest.mark.parametrize(
    ("part", "other"),
    [
        *((f"{folder}/a.py", True) for folder in ("mnistrobust", "fixtures", "specs/suite")),
        ("conftest.py", True), ("pyproject.toml", True), ("mnistrobust/claims/ann.toml", True),
        ("mnistrobust/checks/reference.json", True), ("mnistrobust/evidence/curves.json", True),
        ("specs/README.md", False), ("mnistrobust/evidence/mutants.json", False),
    ],
)  # fmt: skip
def test_trials_of_other_code_or_data_are_others(part, other, tmp_path):
    """Of the library, the fixtures or the specs; not of a page, or of an earlier matrix."""
    file = tmp_path / part
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("one = 1\n")
    before = running.trials_folder(tmp_path, tmp_path)
    file.write_text("one = 2\n")

    assert (running.trials_folder(tmp_path, tmp_path) != before) is other


def test_a_failure_without_a_fault_is_not_kept(monkeypatch, tmp_path):
    """Once the suite is repaired, it is run again; what sees a fault is kept."""
    answers = iter([([LAW], 3), ([], 4), ([], 4), ([LAW], 0)])
    monkeypatch.setattr(running, "_run", lambda *_: next(answers))
    monkeypatch.setattr(Fault, "put_into", lambda *_: None)

    first, repaired, *seen = (
        running._trial(fault, "", True, tmp_path / "clone", tmp_path / "trials", "0")
        for fault in (running.SOUND, running.SOUND, SHUFFLED, SHUFFLED)
    )

    assert (first.failed, repaired.failed) == ((LAW,), ())
    assert [each.failed for each in seen] == [(LAW,), (LAW,)]


@pytest.mark.slow
def test_what_is_finished_is_kept(clone, tmp_path):
    """A second run tries nothing again, but a fault with other edits; another clone everything."""
    first = running.trials([LABEL], clone, tmp_path / "trials", "0", lambda _: None)
    folder = running.trials_folder(tmp_path, clone)
    with (clone / "mnistrobust" / "mutants" / "faults.toml").open("a") as file:
        file.write("more = 1\n")
    assert running.trials_folder(tmp_path, clone) == folder
    (clone / "specs" / "claims" / "test_ann.py").write_text("def test_x(): assert False\n")
    edits = (Edit("transforms.py", "PIXELS = 784", "PIXELS = 9"),)
    other = dataclasses.replace(LABEL, edits=edits, sizes=("",))

    assert running.trials([LABEL], clone, tmp_path / "trials", "0", lambda _: None) == first
    sound, changed = running.trials([other], clone, tmp_path / "trials", "0", lambda _: None)
    assert (sound, changed.failed) == (first[0], ("specs/claims/test_ann.py::test_x",))
    assert running.trials_folder(tmp_path, clone) != folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("suite", "said"),
    [
        ("def test_x(): assert False\n", "test_ann.py::test_x"),
        ("import nowhere\n", "test_ann"),
        ("import os; os.kill(os.getpid(), 9)\n", "does not start"),
    ],
)
def test_a_suite_that_fails_without_a_fault_ends_the_run(suite, said, clone, tmp_path):
    """Nothing would follow from it."""
    (clone / "specs" / "claims" / "test_ann.py").write_text(suite)

    with pytest.raises(MnistRobustError, match=rf"fails without a fault \(.*{said}"):
        running.trials([LABEL], clone, tmp_path / "trials", "0", lambda _: None)


@pytest.mark.slow  # as the default suite runs in each trial, which cannot wait for its own outcome
def test_the_committed_matrix_shows_that_the_suite_can_fail():
    """It is of today's faults; nothing sound fails, and each claim that can be checked sees some."""
    whole = known(ROOT / "mnistrobust" / "evidence" / "mutants.json")
    sound = [each for each in whole.trials if each.fault == running.SOUND.name]
    checkable = [
        claim
        for claim, named in checks_of(load("mnist5k")).intervals.items()
        if any(interval.checkable for interval in named.values())
    ]

    assert [each.fault for each in whole.first] == list(FAULTS)
    assert [each.size for each in whole.first] == [fault.sizes[0] for fault in FAULTS.values()]
    assert [each.failed for each in sound] == [()]
    seen = len(whole.first) - len(whole.survivors)
    assert f"; {seen} of {len(FAULTS)} mistakes are seen at their smallest size |" in README
    assert len([name for name in FAULTS if whole.seen_from(name) is None]) <= 3
    assert [claim for claim in checkable if not whole.kills(claim)] == []
    assert {each.fault for each in whole.survivors} == {
        fault.name for fault in FAULTS.values() if fault.unseen
    }


def test_faults_and_a_known_matrix_are_shown(command, tmp_path):
    """The list and an earlier run's matrix are printed; a survivor means exit code 1."""
    path = tmp_path / "matrix.json"
    path.write_text(found(trial(failed=[SPEC]), trial("never-shuffled")).to_json(), "utf-8")

    assert len(json.loads(command("mutants", "--list", "--json").out)) == len(FAULTS)
    listed = command("mutants", "--list").out
    assert ("never-shuffled" in listed, "{size}" in listed) == (True, False)
    shown = command("mutants", "--from", path)
    assert (shown.code, "1 of 2 faults are seen" in shown.out) == (1, True)
    assert json.loads(command("mutants", "--from", path, "--json").out)["trials"][0]["failed"] == [
        SPEC
    ]
    path.write_text(found(trial(failed=[SPEC])).to_json(), "utf-8")
    shown = command("mutants", "--from", path, "--markdown")
    assert shown.code == 0
    assert "**1 of 1 faults are seen at their smallest size; 1 are seen by the claims" in shown.out


def test_a_survivor_with_a_reason_is_as_expected(command, tmp_path):
    """Only a fault that is not seen, and of which nobody has said why, ends with exit code 1."""
    reasons = {bool(fault.unseen): fault.name for fault in FAULTS.values()}
    path = tmp_path / "matrix.json"
    for explained, name in reasons.items():
        path.write_text(found(trial(name, FAULTS[name].sizes[0])).to_json(), "utf-8")

        assert command("mutants", "--from", path).code == (0 if explained else 1)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("always-zeros",), "always-zero"),
        (("--from", "nowhere.json"), "--from nowhere.json: No such file"),
        (("--from", "x", "--output", "no/folder/x.json"), "a file in an existing folder"),
    ],
)
def test_wrong_words_are_one_line(arguments, said, command):
    """Each names what is wrong, before anything runs."""
    ended = command("mutants", *arguments)

    assert ended.code == 2
    assert said in ended.error


JUNIT = """<testsuites><testsuite>
<testcase classname="specs.suite.test_a" name="test_good"/>
<testcase classname="specs.suite.test_a" name="test_bad[1]"><failure message="assert 1"/></testcase>
<testcase classname="specs.suite.test_a" name="test_text"><failure message="NotInSourceError: x"/></testcase>
</testsuite></testsuites>"""


def test_failed_specs_are_those_of_pytests_report(tmp_path, monkeypatch):
    """A spec that fails has seen the mistake; one that misses its text in the source has not."""

    def run_pytest(arguments, folder, **_):
        assert "--data=mnist5k" in arguments
        (folder / "junit.xml").write_text(JUNIT)
        return 1

    monkeypatch.setattr(running, "run_pytest", run_pytest)

    found = running._run(["specs"], tmp_path, tmp_path / "store", "0")

    assert found == (["specs/suite/test_a.py::test_bad"], 1)


def test_sizes_are_tried_until_a_claim_sees_one(monkeypatch, tmp_path):
    """The sound library first; once the suite sees a size, only the claims meet larger ones."""
    seen = {"11": (LAW,), "12": (SPEC,)}

    def tried(fault, size, whole, *_):
        return Trial(
            fault=fault.name, size=size, whole=whole, mistake="m", failed=seen.get(size, ()),
            passed=9, seconds=1.0,
        )  # fmt: skip

    monkeypatch.setattr(running, "_trial", tried)

    told = running.trials([LABEL], tmp_path, tmp_path, "0", lambda _: None)

    assert [(each.fault, each.size, each.whole) for each in told] == [
        ("sound", "", True),
        (LABEL.name, "10", True),
        (LABEL.name, "11", True),
        (LABEL.name, "12", False),
    ]


def test_a_kept_trial_of_the_claims_alone_is_none_of_the_whole_suite(monkeypatch, tmp_path):
    """The rest is run where it is asked for, and then kept, too."""
    ran = []
    monkeypatch.setattr(running, "_run", lambda specs, *_: ran.append(specs[0]) or ([], 4))

    told = [
        running._trial(running.SOUND, "", whole, tmp_path / "clone", tmp_path / "trials", "0")
        for whole in (False, True, True, False)
    ]

    assert ran == ["specs/claims", "specs/claims", "specs"]
    assert [(each.whole, each.passed) for each in told] == [
        (False, 4),
        (True, 8),
        (True, 8),
        (False, 4),
    ]


def test_an_edit_goes_into_its_place_at_its_size(tmp_path):
    """Several edits of one file do not disturb each other, and nothing else changes."""
    (tmp_path / "x.py").write_text("a = 1\nb = 2\nc = 3\n")
    edits = (Edit("x.py", "a = 1", "a = {size}"), Edit("x.py", "c = 3", "long = '{size}'"))

    Fault(name="f", mistake="m", edits=edits).put_into(tmp_path, "7")

    assert (tmp_path / "x.py").read_text() == "a = 7\nb = 2\nlong = '7'\n"
