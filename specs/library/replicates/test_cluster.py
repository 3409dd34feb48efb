"""Replicates on a Dask scheduler and workers: separate processes on TCP, with folders of their own."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys

import pytest

from mnistrobust.errors import UsageError
from mnistrobust.registry import FAMILIES, load_claims
from mnistrobust.replicates import cluster, many
from specs.helpers import ROOT, standin
from specs.helpers.processes import PATIENCE, children_of, kill_all, wait_for

pytestmark = pytest.mark.slow  # clusters

SEEDS = 3
SPEC = """
def test_intelligence_at_1000_rows(claim, replicate):
    clean = replicate.evaluate("ann_1000", on="clean")
    claim.figures(rows_1000=clean.accuracy, rows_all=clean.loss)
    claim.margin(replicate_margin(clean.accuracy))


def replicate_margin(accuracy):
    from mnistrobust import words

    return words.worse(accuracy, than=1.0)
"""

OTHER = """
def test_{}(claim):
    from mnistrobust import words

    claim.figures(**dict.fromkeys({}, claim.replicate.seed / 10))
    claim.margin(words.most(0.9))
"""
TRAINS = "ann.intelligence_at_1000_rows"


@pytest.fixture
def clone(tmp_path):
    """A folder like a clone, of whose specs one trains a small network, and the others nothing."""
    (tmp_path / "clone" / "specs" / "claims").mkdir(parents=True)
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / "clone")
    for family in FAMILIES:
        others = [each for each in load_claims().values() if each.family == family]
        texts = [
            OTHER.format(each.name, list(each.figures)) for each in others if each.id != TRAINS
        ]
        own = SPEC * (family == "ann")
        file = tmp_path / "clone" / "specs" / "claims" / f"test_{family}.py"
        file.write_text("\n".join([own, *texts]))
    return tmp_path / "clone"


@pytest.fixture
def start(clone, tmp_path, surroundings):
    """Start a process of Dask's; all end with the spec."""
    surroundings.setenv("PYTHONPATH", str(ROOT))
    surroundings.setenv("DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL", "8 s")
    started = []

    def run(*arguments, name, **variables):
        folder = tmp_path / name
        folder.mkdir()
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *map(str, arguments)],
                cwd=clone,
                env={**os.environ, "DASK_TEMPORARY_DIRECTORY": str(folder), **variables},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started.append(process)
        return process

    yield run
    for process in started:
        kill_all([*children_of(process.pid), process])
        process.wait(PATIENCE)


@pytest.fixture
def scheduler(start):
    """The address of a scheduler without workers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start("scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard", name="scheduler")
    return f"tcp://127.0.0.1:{port}"


def worker(start, scheduler, name, **variables):
    """Start a worker that makes one seed at a time."""
    options = ("--nthreads", "1", "--no-nanny", "--no-dashboard", "--name", name)
    return start("worker", scheduler, *options, name=name, **variables)


def replicate(scheduler, clone, tmp_path, *more, seeds=SEEDS):
    """Start the command that makes evidence of some seeds."""
    command = [
        sys.executable, "-m", "mnistrobust", "replicate", "--seeds", str(seeds), "--data", "mnist5k",
        "--replicates", str(tmp_path / f"replicates{more}"), "--output", str(tmp_path / f"{len(more)}.json"),
        *more, *(("--backend", "dask", "--scheduler", scheduler) if scheduler else ()),
    ]  # fmt: skip
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=clone, start_new_session=True, **pipes)


def test_evidence_is_that_of_one_machine_whatever_becomes_of_workers(
    scheduler, start, clone, tmp_path
):
    """One worker is killed in a training, one stopped; one has other data, and is refused by name."""
    made = replicate(scheduler, clone, tmp_path)
    workers = [worker(start, scheduler, name) for name in ("one", "two", "three")]
    other = tmp_path / "other"
    other.mkdir()
    worker(start, scheduler, "four", NUMBA_CPU_NAME="generic")
    for victim, number in ((workers[0], signal.SIGKILL), (workers[1], signal.SIGSTOP)):
        in_training(victim)
        os.kill(victim.pid, number)
    _, said = made.communicate(timeout=900)
    alone = replicate(None, clone, tmp_path, "--workers", "2")
    _, said_alone = alone.communicate(timeout=900)

    assert made.returncode == 0, said
    assert alone.returncode == 0, said_alone
    figures = [json.loads((tmp_path / name).read_text())["claims"] for name in ("0.json", "2.json")]
    assert figures[0] == figures[1]
    assert said.count("is gone: another makes seed") >= 2
    assert "is refused: settings " in said
    assert f"{SEEDS} of {SEEDS} seeds done" in said


def in_training(process, word="specs/claims"):
    """Wait until a worker's pytest, or another command with the word, runs."""
    wait_for(lambda: children_of(process.pid, word))


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_what_workers_do(scheduler, start, clone, tmp_path):
    """Ctrl-C ends the command in one line, and the trainings on the workers soon after."""
    (clone / "specs/claims/test_ann.py").write_text(
        "import time\n\ndef test_x():\n    time.sleep(900)\n"
    )
    one = worker(start, scheduler, "one")
    made = replicate(scheduler, clone, tmp_path)
    in_training(one)
    os.killpg(made.pid, signal.SIGINT)
    _, said = made.communicate(timeout=30)
    wait_for(lambda: not children_of(one.pid))

    assert made.returncode == 130
    assert "Traceback" not in said
    assert one.poll() is None


@pytest.mark.parametrize("words", [("sweep", "--over", "rotate:20"), ("compare",)], ids=" ".join)
def test_networks_that_workers_train_are_those_of_one_machine(
    words, scheduler, start, clone, tmp_path
):
    """One worker is killed meanwhile; what was trained is kept, and not trained again."""
    command = [
        sys.executable, "-m", "mnistrobust", *words, "ann_1000", "ann_threshold_1000", "--seeds", "2",
        "--data", "mnist5k", "--json", "--store",
    ]  # fmt: skip
    there = (tmp_path / "a", "--backend", "dask", "--scheduler", scheduler)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    made = subprocess.Popen([*command, *there], cwd=clone, **pipes)
    workers = [worker(start, scheduler, name) for name in ("one", "two")]
    in_training(workers[0], "train")
    workers[0].kill()
    told, said = made.communicate(timeout=600)
    alone = subprocess.run([*command, tmp_path / "b"], cwd=clone, **pipes, check=False)
    workers[1].kill()
    again = subprocess.run([*command, *there], cwd=clone, **pipes, check=False)
    texts = (told, alone.stdout, again.stdout)
    results = [json.loads(re.sub(r'"made": "[^"]*"', '"made": ""', each)) for each in texts]

    assert "is gone: another makes seed" in said
    assert "seeds to train by tcp://" in said
    assert results[0] == results[1] == results[2]
    assert "seeds to train" not in again.stderr


def test_a_scheduler_that_is_not_there_is_one_line(tmp_path, monkeypatch):
    """Its address, and how to start one."""
    monkeypatch.setattr(cluster, "_ANSWER_SECONDS", 1)
    jobs = standin.jobs(tmp_path, 2)

    with pytest.raises(UsageError, match=r"tcp://127\.0\.0\.1:9: no Dask scheduler answers"):
        many.replicate(jobs, workers=1, backend="dask", scheduler="tcp://127.0.0.1:9")
    with pytest.raises(UsageError, match="name the scheduler with --scheduler"):
        many.replicate(jobs, workers=1, backend="dask")
    with pytest.raises(UsageError, match="it is for --backend dask"):
        many.replicate(jobs, workers=1, scheduler="tcp://127.0.0.1:9")


def test_without_workers_the_run_ends(scheduler, tmp_path, monkeypatch):
    """It says how to start some."""
    monkeypatch.setattr(cluster, "_NO_WORKER_SECONDS", 1)

    with pytest.raises(UsageError, match="no worker for 1 s; start some with"):
        many.replicate(standin.jobs(tmp_path, 2), workers=1, backend="dask", scheduler=scheduler)
