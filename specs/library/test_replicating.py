"""Worlds add up, whatever ends a run, and the evidence is the same bytes."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import standin

from mnistrobust import making, replicating
from mnistrobust.errors import MnistRobustError, UsageError
from mnistrobust.making import WorldKilledError

pytestmark = pytest.mark.slow  # seconds of CPU, and nothing that a change of a model touches

ROOT = Path(making.__file__).parents[1]
COUNT = 8
PROGRAM = """
import sys
from pathlib import Path
import standin
from mnistrobust import replicating

folder, backend = Path(sys.argv[1]), sys.argv[2]
jobs = standin.jobs(folder, int(sys.argv[3]))
print("begun", flush=True)
replicating.replicate(jobs, workers=2, backend=backend, make=standin.slow)
(folder / "evidence.json").write_text(replicating.evidence_of(jobs, 1000).to_json())
"""


def evidence(folder, count=COUNT, **options):
    """Make the worlds that are missing and return the evidence as text."""
    jobs = standin.jobs(folder, count)
    options = {"make": standin.make, "workers": 2, **options}
    replicating.replicate(jobs, **options)
    return replicating.evidence_of(jobs, 1000).to_json()


@pytest.fixture
def started(surroundings, tmp_path):
    """Start a replication in a process of its own, once it has begun."""
    paths = [str(ROOT), str(Path(standin.__file__).parent)]
    surroundings.setenv("PYTHONPATH", os.pathsep.join(paths))

    def start(backend="threading", count=COUNT):
        command = [sys.executable, "-c", PROGRAM, str(tmp_path), backend, str(count)]
        running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert running.stdout.readline() == "begun\n"
        return running

    return start


def test_runs_add_up_to_the_same_bytes(tmp_path):
    """Three worlds, then eight, give the evidence of eight at once; none is made twice."""
    told = []
    evidence(tmp_path / "parts", 3)
    parts = evidence(tmp_path / "parts", finished=lambda *each: told.append(each[:2]))

    assert parts == evidence(tmp_path / "whole")
    assert told[0] == (3, COUNT)
    assert told[-1] == (COUNT, COUNT)
    assert not list((tmp_path / "parts" / "unfinished").iterdir())


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_a_killed_replication_resumes_to_the_same_bytes(backend, started, tmp_path):
    """Killed twenty times at random moments and run once more, it is as if never killed."""
    moments, kills = random.Random(backend), 0
    while kills < 20:
        running = started(backend, 40)
        time.sleep(moments.uniform(0, 0.6))
        family = psutil.Process(running.pid).children(recursive=True)
        running.kill()
        for each in family:  # joblib's own processes
            each.kill()
        running.communicate()
        kills += 1
    running = started(backend, 40)
    running.communicate(timeout=120)

    assert running.returncode == 0
    assert (tmp_path / "evidence.json").read_text() == evidence(tmp_path / "whole", 40)


def test_a_killed_worker_loses_its_own_world_only(started, tmp_path):
    """A worker of joblib's that is killed is replaced; the evidence is complete."""
    running = started("loky", 12)
    until = time.monotonic() + 30
    while not list(tmp_path.glob("world-*.json")) and time.monotonic() < until:
        time.sleep(0.02)
    workers = [
        each
        for each in psutil.Process(running.pid).children(recursive=True)
        if "popen_loky_posix" in " ".join(each.cmdline())
    ]
    os.kill(workers[0].pid, signal.SIGKILL)
    running.communicate(timeout=60)

    assert running.returncode == 0
    assert (tmp_path / "evidence.json").read_text() == evidence(tmp_path / "whole", 12)


def test_a_killed_world_is_made_again(tmp_path):
    """A world whose process is killed once costs one more attempt, and no other world."""

    def make(job):
        if job.seed == 2 and not (job.folder / "killed").exists():
            (job.folder / "killed").touch()
            raise WorldKilledError("World 2: pytest ended without results (signal 9).")
        return standin.results(job).to_json()

    assert evidence(tmp_path / "killed", make=make) == evidence(tmp_path / "whole")


def test_a_world_that_is_always_killed_ends_the_run(tmp_path):
    """After two attempts the error stands; the other worlds are kept."""

    def make(job):
        if job.seed == 2:
            raise WorldKilledError("World 2: pytest ended without results (signal 9).")
        return standin.results(job).to_json()

    with pytest.raises(WorldKilledError, match="World 2"):
        evidence(tmp_path, make=make)
    assert len(list(tmp_path.glob("world-*.json"))) == COUNT - 1


def test_a_failed_spec_names_world_and_claim(tmp_path):
    """A world with a failed spec is no evidence."""
    with pytest.raises(MnistRobustError, match=r"World 3: ann\.noise_training.*: the figure plain"):
        evidence(tmp_path, make=standin.failing, workers=1)
    assert sorted(path.stem for path in tmp_path.glob("*.json")) == ["world-0001", "world-0002"]


@pytest.mark.parametrize("damage", ["", "{}", "[1, 2", "another world", "no claim"])
def test_a_damaged_world_is_made_anew(damage, tmp_path):
    """A file that is not the whole world of its seed does not count."""
    whole = evidence(tmp_path)
    file = tmp_path / "world-0003.json"
    other = (tmp_path / "world-0004.json").read_text()
    empty = {**json.loads(file.read_text())["results"], "claims": []}
    damages = {"another world": other, "no claim": json.dumps({"results": empty})}
    file.write_text(damages.get(damage, damage))

    assert evidence(tmp_path) == whole
    assert json.loads(file.read_text())["results"]["seeds"] == [3]


def test_worlds_with_other_claims_are_no_evidence(tmp_path):
    """A world that lacks a claim of the first is named."""

    def make(job):
        found = standin.results(job)
        return replace(found, outcomes=found.outcomes[: 1 + (job.seed != 2)]).to_json()

    with pytest.raises(MnistRobustError, match="World 2 has other claims than world 1"):
        evidence(tmp_path, make=make)


def test_other_code_has_its_own_folder(tmp_path, monkeypatch, mnist5k):
    """Worlds that other code made are not counted."""
    before = replicating.worlds_folder(tmp_path, mnist5k.source, ROOT)
    assert before == replicating.worlds_folder(tmp_path, mnist5k.source, ROOT)
    assert before.name.startswith("mnist5k-")

    monkeypatch.setattr(replicating, "code_digests", lambda: {"recipe ann": "0"})
    assert replicating.worlds_folder(tmp_path, mnist5k.source, ROOT) != before


@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_an_engine_that_is_not_installed_is_named(backend, monkeypatch):
    """What to install is said before anything is made."""
    for name in ("distributed", "ray", "ray.util.joblib"):
        monkeypatch.setitem(sys.modules, name, None)

    with pytest.raises(UsageError, match="pip install"):
        replicating.start_backend(backend)


def test_the_machines_kind_names_no_machine():
    """Processor, cores and system; not the host's name."""
    kind = making.machine()

    assert f"{os.cpu_count()} cores" in kind
    assert not os.uname().nodename or os.uname().nodename not in kind


@pytest.fixture
def job(tmp_path, mnist5k):
    """The world of seed 1 of a clone whose only spec does as the world's folder says."""
    specs = tmp_path / "clone" / "specs" / "claims"
    specs.mkdir(parents=True)
    for name in ("conftest.py", "pyproject.toml"):
        (tmp_path / "clone" / name).write_text((ROOT / name).read_text("utf-8"))
    folder = tmp_path / "unfinished" / "world-0001"
    folder.mkdir(parents=True)
    return making.Job(seed=1, source=mnist5k.source, clone=tmp_path / "clone", folder=folder)


def write_spec(job, text):
    (job.clone / "specs" / "claims" / "test_ann.py").write_text(text)


def test_a_world_is_made_by_the_specs_of_the_clone(job, surroundings):
    """One process, one core, evidence `none`; the results are those of the seed."""
    surroundings.setenv("PYTHONPATH", str(ROOT))
    write_spec(
        job,
        "import joblib\n\n\ndef test_learns_standard_mnist(claim, world):\n"
        "    claim.figures(seed=world.seed, cores=joblib.cpu_count())\n",
    )

    found = json.loads(making.make_world(job))

    assert found["seeds"] == [1]
    assert found["claims"][0]["figures"] == {"seed": 1, "cores": 1}


def test_a_world_that_cannot_begin_says_why(job, surroundings):
    """A spec that cannot be imported fails the world; a killed process is told apart."""
    surroundings.setenv("PYTHONPATH", str(ROOT))
    write_spec(job, "import os\n\n\ndef test_x():\n    os.kill(os.getpid(), 9)\n")
    with pytest.raises(WorldKilledError, match=r"World 1: .*signal 9"):
        making.make_world(job)

    write_spec(job, "import nowhere\n")
    with pytest.raises(MnistRobustError, match=r"World 1: (no claim was read|.*1 error)"):
        replicating.replicate([job], workers=1)


def test_a_world_ends_with_the_process_that_makes_it(job, surroundings):
    """A replication that is killed leaves no pytest behind."""
    surroundings.setenv("PYTHONPATH", str(ROOT))
    mark = job.folder / "pid"
    write_spec(
        job,
        f"import os, time\n\n\ndef test_x():\n    with open({str(mark)!r}, 'w') as file:\n"
        "        file.write(str(os.getpid()))\n    time.sleep(60)\n",
    )
    program = (
        "import pickle, sys; from mnistrobust import making; "
        "making.make_world(pickle.loads(bytes.fromhex(sys.argv[1])))"
    )
    import pickle

    with subprocess.Popen([sys.executable, "-c", program, pickle.dumps(job).hex()]) as running:
        until = time.monotonic() + 60
        while not (mark.exists() and mark.read_text()) and time.monotonic() < until:
            time.sleep(0.1)
        running.kill()
    child = int(mark.read_text())
    until = time.monotonic() + 10
    while psutil.pid_exists(child) and time.monotonic() < until:
        time.sleep(0.1)

    assert not psutil.pid_exists(child)
