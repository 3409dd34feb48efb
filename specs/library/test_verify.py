"""`mnistrobust verify`: pytest's run as one command, with a ledger and a report."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mnistrobust import data, verifying
from mnistrobust.claims import load_claims
from mnistrobust.errors import UsageError
from mnistrobust.ledger import Outcome, Results

ROOT = Path(data.__file__).parents[1]
ROW = [
    "id", "seed", "figures", "margin", "halved", "doubled", "draws", "controls", "alternatives",
    "models", "error", "outcome",
]  # fmt: skip

SPEC = '''
from mnistrobust import words


def test_intelligence_at_1000_rows(claim, world):
    """Of this spec only what it reports matters."""
    clean = world.read("ann_1000", on="clean")

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


def test_the_clone_is_found_from_any_folder_in_it(clone):
    """`verify` runs from the clone's folder or one below it."""
    assert verifying.find_clone(clone) == clone
    assert verifying.find_clone(clone / "specs" / "claims") == clone
    with pytest.raises(UsageError, match="not in one"):
        verifying.find_clone(clone.parent)


def test_a_report_that_cannot_be_written_is_named(tmp_path, mnist5k):
    """A file in the way of a report's file is an error, not a traceback."""
    results = Results(source=mnist5k.source, seeds=(0,), outcomes=())
    (tmp_path / "ledger.md").mkdir()

    with pytest.raises(UsageError, match="name another folder"):
        verifying.write_report(results, tmp_path)


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
    """Every claim has a row; what ran has figures; pytest's own words go to standard error."""
    ended = process("verify", "--results", clone / "all.json", *unjudged, cwd=clone)

    assert ended.code == 0, ended.err
    assert all(claim in "".join(ended.out.split()) for claim in load_claims())
    assert "1 passed" in ended.err
    assert "1 passed" not in ended.out
    results = json.loads((clone / "all.json").read_text("utf-8"))
    assert results == json.loads((clone / "report" / "results.json").read_text("utf-8"))
    assert [row["id"] for row in results["claims"]] == ["ann.intelligence_at_1000_rows"]
    assert "# Ledger" in (clone / "report" / "ledger.md").read_text("utf-8")


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


@pytest.mark.slow
def test_verify_ends_with_1_where_a_spec_fails(clone, here, process):
    """A figure that cannot be computed fails, and the ledger says why."""
    spec = clone / "specs" / "claims" / "test_ann.py"
    spec.write_text(SPEC.replace("claim.figures(", "claim.figures(nothing=float('nan'), "))

    ended = process("verify", "--json", *here, cwd=clone)

    assert ended.code == 1
    assert [row["outcome"] for row in json.loads(ended.out)["claims"]] == ["failed"]


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
        "import time\n\n\ndef test_x():\n    open('begun', 'w').close()\n    time.sleep(60)\n"
    )
    command = [sys.executable, "-m", "mnistrobust", "verify", "--data", "mnist5k"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=clone, start_new_session=True, **pipes) as running:
        until = time.monotonic() + 60
        while not (clone / "begun").exists() and time.monotonic() < until:
            time.sleep(0.1)
        if whole_group:
            os.killpg(running.pid, signal.SIGINT)
        else:
            running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=30)

    assert (running.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert err.splitlines()[-1].endswith("run the same command to go on.")
