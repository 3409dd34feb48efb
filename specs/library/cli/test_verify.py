"""`mnistrobust verify`: pytest's run as one command, with a ledger and a report."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from xml.etree import ElementTree as ET

import pytest

from mnistrobust import report, suite
from mnistrobust.comparison import baselines, runs, tables
from mnistrobust.comparison.changes import compare
from mnistrobust.errors import UsageError
from mnistrobust.evidence.results import Outcome, Results
from mnistrobust.judging.ledger import ledger_of
from mnistrobust.registry import load_claims
from mnistrobust.report import page
from mnistrobust.store import Store
from specs.helpers import ROOT, clones, processes
from specs.helpers.runs_by_hand import run
from specs.helpers.synthetic import WINS, written

ROW = [
    "id", "seed", "figures", "margin", "halved", "doubled", "draws", "controls", "recipes",
    "models", "runs", "reruns", "error", "outcome",
]  # fmt: skip

SPEC = '''
from mnistrobust import words


def test_intelligence_at_1000_rows(claim, replicate):
    """Of this spec only what it reports matters."""
    clean = replicate.evaluate("ann_1000", on="clean")

    claim.figures(rows_1000=clean.accuracy)
    claim.margin(words.worse(clean.accuracy, than=1.0))
'''


@pytest.fixture
def unjudged(here):
    """The embedded data and the warm store, and no evidence: this spec's margin is made up."""
    return (*here, "--evidence", "none")


@pytest.fixture
def clone(tmp_path):
    """A folder like a clone, with one spec that needs one small network."""
    folder = tmp_path / "clone"
    (folder / "specs" / "claims").mkdir(parents=True)
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    (folder / "specs" / "claims" / "test_ann.py").write_text(SPEC)
    return folder


def test_the_suite_is_that_of_the_clone_around_or_of_the_package(clone):
    """`verify` runs from any folder; one whose own project has `specs/claims` is no clone."""
    assert suite.find_suite(clone / "specs" / "claims") == clone
    assert suite.find_suite(clone.parent) == ROOT
    for text in (b'[project]\nname = "theirs"\n', b"\xff"):
        (clone / "pyproject.toml").write_bytes(text)
        assert suite.find_suite(clone) == ROOT
    (clone / "pyproject.toml").unlink()
    assert suite.find_suite(clone) == ROOT


def test_a_clone_whose_package_does_not_run_is_refused(clone):
    """Its code would run, and results would name the digests of another's."""
    package = clone / "mnistrobust"
    package.mkdir()
    assert suite.find_suite(clone) == clone
    (package / "__init__.py").touch()

    for find in (suite.find_suite, partial(suite.find_clone, "replicate")):
        with pytest.raises(UsageError, match=r"is not the one that runs, .* 'pip install -e \.'"):
            find(start=clone / "specs")


def test_a_report_that_cannot_be_written_is_named(tmp_path, mnist5k):
    """A file in the way of a report's file is an error, not a traceback."""
    results = Results(source=mnist5k.source, seeds=(0,), outcomes=())
    (tmp_path / "ledger.md").mkdir()

    with pytest.raises(UsageError, match="name another folder"):
        report.write(ledger_of(results), tmp_path)


def test_a_report_keeps_no_changes_of_an_earlier_run(tmp_path, mnist5k, monkeypatch):
    """They would be taken for this run's."""
    results = Results(source=mnist5k.source, seeds=(0,), outcomes=())
    monkeypatch.setattr(page, "html", lambda *_, **__: "")
    for given in (tables.changed(compare(run(), run(noisy=0.7), name="before")), None):
        report.write(ledger_of(results), tmp_path, changes=given)
        assert (tmp_path / "changes.json").exists() == bool(given)


@pytest.mark.parametrize("content", [b'{"baseline": "v2"}', b"[1]", b"\xff"])
def test_a_report_keeps_a_users_own_changes(content, tmp_path, mnist5k, monkeypatch):
    """Its folder may have a file of that name that no run wrote."""
    results = Results(source=mnist5k.source, seeds=(0,), outcomes=())
    monkeypatch.setattr(page, "html", lambda *_, **__: "")
    (tmp_path / "changes.json").write_bytes(content)

    report.write(ledger_of(results), tmp_path)

    assert (tmp_path / "changes.json").read_bytes() == content


def test_results_survive_their_file(mnist5k):
    """What a run wrote is read back as it was."""
    outcomes = (
        Outcome(id="ann.offset_noise_hurts", seed=0, figures={"clean": 0.9}, margin=0.1),
        Outcome(id="ann.inverting_hurts", seed=0, error="it broke"),
    )
    results = Results(source=mnist5k.source, seeds=(0,), outcomes=outcomes)

    found = Results.from_json(results.to_json())

    assert sorted(found.outcomes, key=str) == sorted(outcomes, key=str)
    assert (found.source, found.seeds) == (results.source, results.seeds)


@pytest.mark.slow
def test_verify_prints_the_ledger_and_writes_the_report(clone, unjudged, process):
    """What ran has a line, the rest is counted; pytest's own words go to standard error."""
    ended = process("verify", "--results", clone / "all.json", *unjudged, cwd=clone)

    assert ended.code == 0, ended.err
    assert re.search(r"ann\.intelligence_at_1000_rows +·\n", ended.out)
    assert f"{len(load_claims()) - 1} claims did not run" in ended.out
    assert "= claims =" not in ended.err  # the ledger is printed once
    assert "1 passed" in ended.err
    assert "1 passed" not in ended.out
    results = json.loads((clone / "all.json").read_text("utf-8"))
    assert results == json.loads((clone / "report" / "results.json").read_text("utf-8"))
    assert [row["id"] for row in results["claims"]] == ["ann.intelligence_at_1000_rows"]
    assert "# Ledger" in (clone / "report" / "ledger.md").read_text("utf-8")
    cases = ET.parse(clone / "report" / "junit.xml").iter("testcase")  # noqa: S314 - pytest's
    assert [case.get("name") for case in cases] == ["test_intelligence_at_1000_rows"]


@pytest.mark.slow
def test_verify_json_is_the_results(clone, unjudged, process):
    """--json prints the results alone; --report and --seeds are followed."""
    arguments = ("--json", "--report", "elsewhere/deep", "--seeds", 1, "--offline")
    ended = process("verify", *arguments, *unjudged, cwd=clone)

    assert ended.code == 0, ended.err
    results = json.loads(ended.out)
    assert list(results) == ["data", "seeds", "versions", "claims"]
    assert (results["data"]["name"], results["seeds"]) == ("mnist5k", [10001])
    assert [list(row) for row in results["claims"]] == [ROW]
    assert results == json.loads((clone / "elsewhere/deep/results.json").read_text("utf-8"))
    assert not (clone / "report").exists()


@pytest.fixture
def verify(tmp_path, command, monkeypatch):
    """The command on a clone with made-up specs, and pytest in this process."""
    folder = clones.clone(tmp_path)
    monkeypatch.setattr(suite, "run_pytest", clones.run_pytest)
    monkeypatch.chdir(folder)
    store = Store(folder / "store")

    def run(*arguments, old="", new=""):
        assert old in clones.SPEC
        (folder / "specs" / "claims" / "test_ann.py").write_text(clones.SPEC.replace(old, new))
        return command("verify", "--data", "mnist5k", "--store", store.root, *arguments)

    run.store, run.folder = store, folder
    return run


@pytest.mark.parametrize(
    ("new", "code"), [("noisy=0.8", 0), ("noisy=float('nan')", 1), ("noisy=0.5", 1)]
)
def test_verify_ends_with_1_where_a_spec_fails(new, code, verify):
    """A figure that cannot be computed, or that the evidence does not allow."""
    judged = ("--evidence", written(clones.FOUND, verify.folder)) if "5" in new else ()
    ended = verify("--evidence", "none", *judged, old="noisy=0.8", new=new)

    assert ended.code == code, ended.out
    assert ("NOT AS EXPECTED (1):" in ended.out) is bool(code)


@pytest.mark.parametrize(("new", "code"), [("noisy=0.79", 0), ("noisy=0.7", 1)])
def test_verify_ends_with_1_where_a_figure_is_worse_than_the_baselines(
    new, code, verify, monkeypatch
):
    """The evidence has this seed, and therefore no interval for it: only the baseline fails."""
    monkeypatch.setattr(runs, "run_of", lambda found: replace(run(), results=found))
    baselines.save(run(noisy=0.8), "before", verify.store)
    found = written(replace(clones.FOUND, seeds=tuple(range(24))), verify.folder)

    ended = verify("--baseline", "before", "--evidence", found, old="noisy=0.8", new=new)

    assert ended.code == code, ended.out
    assert (f"WORSE: {WINS} noisy" in ended.out) is bool(code)
    assert "NOT AS EXPECTED" not in ended.out


@pytest.mark.parametrize("option", ["--collect-only", "--deselect=specs"])
def test_a_verify_without_a_claim_is_no_success(option, verify, monkeypatch):
    """pytest's own options may leave nothing to judge; one line says so."""
    monkeypatch.setenv("PYTEST_ADDOPTS", option)
    ended = verify("--evidence", "none")

    assert ended.code > 0
    assert "No claim was judged" in ended.error


@pytest.mark.slow
def test_verify_does_not_pass_where_pytest_cannot_run(clone, here, process):
    """A clone whose specs cannot be collected gives no ledger, and an exit code above 0."""
    (clone / "specs" / "claims" / "test_ann.py").write_text("import nowhere")

    ended = process("verify", "--json", *here, cwd=clone)

    assert (ended.code, ended.out) == (1, "")
    assert "No module named 'nowhere'" in ended.err


@pytest.mark.usefixtures("interruptible")
@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="interrupts are sent in another way on Windows")
@pytest.mark.parametrize("whole_group", [True, False], ids=["terminal", "command-only"])
def test_an_interrupted_verify_ends_and_says_how_to_go_on(whole_group, clone, surroundings):
    """Ctrl-C ends pytest and the command within seconds."""
    surroundings.setenv("PYTHONPATH", str(ROOT))
    spec = clone / "specs" / "claims" / "test_ann.py"
    spec.write_text(
        "import time\n\n\ndef test_x():\n    open('begun', 'w').close()\n    time.sleep(900)\n"
    )
    command = [sys.executable, "-m", "mnistrobust", "verify", "--data", "mnist5k"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=clone, start_new_session=True, **pipes) as running:
        processes.wait_for((clone / "begun").exists)
        if whole_group:
            os.killpg(running.pid, signal.SIGINT)
        else:
            running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)

    assert (running.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert err.splitlines()[-1].endswith("run the same command to go on.")


def verify_in(folder):
    """Return the command that verifies on mnist5k, with store and report in a folder."""
    where = ("--store", str(folder / "store"), "--report", str(folder / "report"))
    return [sys.executable, "-m", "mnistrobust", "verify", "--data", "mnist5k", *where]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is of POSIX systems")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_a_command_that_is_killed(number, surroundings, tmp_path):
    """When only verify is killed, no worker trains on."""
    psutil = processes.psutil()
    surroundings.setenv("PYTHONPATH", str(ROOT))
    command = verify_in(tmp_path)
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as verify:
        workers = []
        while not (len(workers) > 1 and list((tmp_path / "store").glob("locks/models-*.lock"))):
            assert verify.poll() is None
            time.sleep(0.2)
            workers = processes.children_of(verify.pid)
        verify.send_signal(number)

    _, alive = psutil.wait_procs(workers, timeout=20)
    assert alive == []


@pytest.mark.usefixtures("interruptible")
@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="process groups are of POSIX systems")
@pytest.mark.parametrize("seconds", [0.2, 0.5, 2.0, 4.0, 7.0])
def test_an_early_interrupt_is_one_line(seconds, surroundings, tmp_path):
    """Ctrl-C in the first seconds, while libraries load and workers start, shows no traceback.

    Seconds count from the command's first line of Python: what comes before is not ours.
    """
    surroundings.setenv("PYTHONPATH", str(ROOT))
    begin = "from mnistrobust import cli; print(flush=True); cli.main()"
    command = [sys.executable, "-c", begin, *verify_in(tmp_path)[3:]]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, start_new_session=True, **pipes) as verify:
        assert verify.stdout.readline() == "\n"
        time.sleep(seconds)
        os.killpg(verify.pid, signal.SIGINT)
        _, said = verify.communicate(timeout=60)

    assert verify.returncode == 130
    assert "Traceback" not in said
