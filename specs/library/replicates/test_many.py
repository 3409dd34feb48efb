"""Replicates add up, whatever ends a run, and the evidence is the same bytes."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mnistrobust.errors import MnistRobustError, UsageError
from mnistrobust.replicates import cluster, keys, many
from mnistrobust.replicates.many import ReplicateKilledError
from specs.helpers import ROOT, standin
from specs.helpers.processes import PATIENCE, psutil, wait_for
from specs.helpers.synthetic import WINS

COUNT = 8
PROGRAM = """
import sys
from pathlib import Path
from specs.helpers import standin
from mnistrobust.replicates import cluster, many

folder = Path(sys.argv[1])
jobs = standin.jobs(folder, int(sys.argv[2]))
print("begun", flush=True)
many.replicate(jobs, workers=2, make=standin.slow)
(folder / "evidence.json").write_text(many.evidence_of(jobs, 1000).to_json())
"""


def evidence(folder, count=COUNT, **options):
    """Make the replicates that are missing and return the evidence as text."""
    jobs = standin.jobs(folder, count)
    options = {"make": standin.make, "workers": 2, **options}
    many.replicate(jobs, **options)
    return many.evidence_of(jobs, 1000).to_json()


@pytest.fixture
def started(surroundings, tmp_path):
    """Start a replication in a process of its own, once it has begun."""
    paths = [str(ROOT), str(Path(standin.__file__).parent)]
    surroundings.setenv("PYTHONPATH", os.pathsep.join(paths))

    def start(count=COUNT):
        command = [sys.executable, "-c", PROGRAM, str(tmp_path), str(count)]
        pipe = subprocess.PIPE
        running = subprocess.Popen(
            command, cwd=ROOT, stdout=pipe, text=True, start_new_session=True
        )
        assert running.stdout.readline() == "begun\n"
        return running

    return start


def test_runs_add_up_to_the_same_bytes(tmp_path):
    """Three replicates, then eight, give the evidence of eight at once; none is made twice."""
    told = []
    evidence(tmp_path / "parts", 3)
    parts = evidence(tmp_path / "parts", finished=lambda *each: told.append(each[:2]))

    assert parts == evidence(tmp_path / "whole")
    assert told == [(done, COUNT) for done in (3, 4, 5, 6, 7, 8, 8)]
    assert not list((tmp_path / "parts" / "unfinished").iterdir())


@pytest.mark.slow
def test_a_killed_replication_resumes_to_the_same_bytes(started, tmp_path):
    """Killed twenty times at random moments and run once more, it is as if never killed."""
    moments, kills = random.Random("threading"), 0
    while kills < 20:
        running = started(40)
        time.sleep(moments.uniform(0, 0.6))
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
        kills += 1
    running = started(40)
    running.communicate(timeout=PATIENCE)

    assert running.returncode == 0
    assert (tmp_path / "evidence.json").read_text() == evidence(tmp_path / "whole", 40)


def test_a_killed_replicate_is_made_again(tmp_path):
    """A replicate whose process is killed once costs one more attempt, and no other replicate."""

    def make(job):
        if job.seed == 2 and not (job.folder / "killed").exists():
            (job.folder / "killed").touch()
            raise ReplicateKilledError("Seed 2: pytest ended without results (signal 9).")
        return standin.results(job).to_json()

    assert evidence(tmp_path / "killed", make=make) == evidence(tmp_path / "whole")


def test_a_replicate_that_is_always_killed_ends_the_run(tmp_path):
    """After two attempts the error stands; the other replicates are kept."""

    def make(job):
        if job.seed == 2:
            raise ReplicateKilledError("Seed 2: pytest ended without results (signal 9).")
        return standin.results(job).to_json()

    with pytest.raises(ReplicateKilledError, match="Seed 2"):
        evidence(tmp_path, make=make)
    assert len(list(tmp_path.glob("seed-*.json"))) == COUNT - 1


def test_a_failed_spec_names_replicate_and_claim(tmp_path):
    """A replicate with a failed spec is no evidence."""
    with pytest.raises(MnistRobustError, match=r"Seed 3: ann\.noise_training.*: the figure plain"):
        evidence(tmp_path, make=standin.failing, workers=1)
    assert sorted(path.stem for path in tmp_path.glob("*.json")) == ["seed-0001", "seed-0002"]


@pytest.mark.parametrize(
    "damage",
    ["", "{}", "[1, 2", "another seed", "another set", "no claim", "a claim too few"],
)
def test_a_damaged_replicate_is_made_anew(damage, tmp_path):
    """A file that is not the whole replicate of its seed does not count."""
    whole = evidence(tmp_path)
    file = tmp_path / "seed-0003.json"
    other = (tmp_path / "seed-0004.json").read_text()
    found = json.loads(file.read_text())
    data, claims = found["results"]["data"], found["results"]["claims"]
    damages = {"another seed": other}
    for name, changed in (
        ("another set", {"data": {**data, "digest": "f" * 64}, "claims": claims}),
        ("no claim", {"data": data, "claims": []}),
        ("a claim too few", {"data": data, "claims": claims[:-1]}),
    ):
        damages[name] = json.dumps({**found, "results": {**found["results"], **changed}})
    file.write_text(damages.get(damage, damage))

    assert evidence(tmp_path) == whole
    again = json.loads(file.read_text())["results"]
    assert (again["seeds"], again["data"]) == ([3], data)


def test_a_replicate_without_a_claim_is_no_evidence(tmp_path):
    """Even where every replicate lacks it."""

    def make(job):
        found = standin.results(job)
        return replace(found, outcomes=found.outcomes[1:]).to_json()

    with pytest.raises(MnistRobustError, match=f"Seed 1: some claims did not run, such as {WINS}"):
        evidence(tmp_path, make=make, workers=1)
    assert not list(tmp_path.glob("*.json"))


@pytest.mark.parametrize("what", ["code_digests", "versions", "surroundings"])
def test_what_other_code_made_has_its_own_folder(what, tmp_path, monkeypatch, mnist5k):
    """Nor are replicates counted that were made with other versions or variables."""
    before = many.replicates_folder(tmp_path, mnist5k.source)
    assert before == many.replicates_folder(tmp_path, mnist5k.source)
    assert before.name.startswith("mnist5k-")

    monkeypatch.setattr(many, what, lambda: {"numpy": "0"})
    assert many.replicates_folder(tmp_path, mnist5k.source) != before


def test_few_variables_and_numbas_file_are_part_of_what_a_result_depends_on(monkeypatch, tmp_path):
    """Those that change how libraries round; others would make every machine another."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NPY_DISABLE_CPU_FEATURES", "AVX2")
    monkeypatch.setenv("EDITOR", "vi")
    (tmp_path / ".numba_config.yaml").write_text("fastmath: 1")

    found = keys.surroundings.__wrapped__()

    assert found["NPY_DISABLE_CPU_FEATURES"] == "AVX2"
    assert found["numba"] == "fastmath: 1"
    assert "EDITOR" not in found


@pytest.mark.parametrize("what", ["code_digests", "versions", "surroundings"])
def test_workers_elsewhere_need_the_same_code_versions_and_variables(what, monkeypatch, mnist5k):
    """One that differs in any of them is refused."""
    ours = cluster.facts(mnist5k.source)

    monkeypatch.setattr(cluster, what, lambda: {"numpy": "0"})

    assert cluster.facts(mnist5k.source) != ours


def test_an_engine_that_is_not_installed_is_named(monkeypatch):
    """What to install is said before anything is made."""
    monkeypatch.setitem(sys.modules, "distributed", None)

    with pytest.raises(UsageError, match=r"pip install 'mnistrobust\[dask"):
        cluster.connect("tcp://127.0.0.1:1")


def test_the_machines_kind_names_no_machine():
    """Processor, cores and system; not the host's name."""
    kind = many.machine()

    assert f"{os.cpu_count()} cores" in kind
    assert not os.uname().nodename or os.uname().nodename not in kind


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ({"avx2": True, "avx512f": True}, ", AVX-512, "),
        ({"avx2": True, "avx512f": False}, ", AVX2, "),
        ({"neon": True}, ", NEON, "),
    ],
)
def test_the_machines_kind_names_its_widest_vectors(features, said, monkeypatch):
    """AVX-512 implies AVX2, and the wider one is named."""
    monkeypatch.setattr("llvmlite.binding.get_host_cpu_features", lambda: features)

    assert said in many.machine()


@pytest.fixture
def job(tmp_path, mnist5k):
    """The replicate of seed 1 of a clone whose only spec does as the replicate's folder says."""
    specs = tmp_path / "clone" / "specs" / "claims"
    specs.mkdir(parents=True)
    for name in ("conftest.py", "pyproject.toml"):
        (tmp_path / "clone" / name).write_text((ROOT / name).read_text("utf-8"))
    folder = tmp_path / "unfinished" / "seed-0001"
    folder.mkdir(parents=True)
    return many.Job(seed=1, source=mnist5k.source, clone=tmp_path / "clone", folder=folder)


def write_spec(job, text):
    (job.clone / "specs" / "claims" / "test_ann.py").write_text(text)


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        (0, MnistRobustError, "exit code 0"),
        (1, MnistRobustError, "exit code 1"),
        (-9, ReplicateKilledError, "signal 9"),
    ],
)
def test_results_that_a_killed_attempt_left_are_not_read(code, kind, reason, job, monkeypatch):
    """An attempt that writes none has none; whether it was killed is told apart."""
    (job.folder / "results.json").write_text(standin.make(job))
    monkeypatch.setattr(many, "run_pytest", lambda *_, **__: code)

    said = rf"Seed 1: pytest ended without results \({reason}\)"
    with pytest.raises(MnistRobustError, match=said) as caught:
        many.make_replicate(job)
    assert caught.type is kind


@pytest.mark.slow
def test_a_replicate_is_made_by_the_specs_of_the_clone(job, surroundings):
    """One process, one core, evidence `none`; declared figures carry its seed and cores."""
    surroundings.setenv("PYTHONPATH", str(ROOT))
    write_spec(
        job,
        "import joblib\n\n\ndef test_learns_standard_mnist(claim, replicate):\n"
        "    claim.figures(accuracy=replicate.seed, loss=joblib.cpu_count())\n",
    )

    found = json.loads(many.make_replicate(job))

    assert found["seeds"] == [1]
    assert found["claims"][0]["figures"] == {"accuracy": 1, "loss": 1}


@pytest.mark.slow
def test_a_replicate_that_cannot_begin_says_why(job, surroundings):
    """A spec that cannot be imported fails the replicate; a killed process is told apart."""
    surroundings.setenv("PYTHONPATH", str(ROOT))
    write_spec(job, "import os\n\n\ndef test_x():\n    os.kill(os.getpid(), 9)\n")
    with pytest.raises(ReplicateKilledError, match=r"Seed 1: .*signal 9"):
        many.make_replicate(job)

    write_spec(job, "import nowhere\n")
    with pytest.raises(MnistRobustError, match=r"Seed 1: .*1 error"):
        many.replicate([job], workers=1)


@pytest.mark.slow
def test_a_replicate_ends_with_the_process_that_makes_it(job, surroundings):
    """A replication that is killed leaves no pytest behind."""
    surroundings.setenv("PYTHONPATH", str(ROOT))
    mark = job.folder / "pid"
    write_spec(
        job,
        f"import os, time\n\n\ndef test_x():\n    with open({str(mark)!r}, 'w') as file:\n"
        "        file.write(str(os.getpid()))\n    time.sleep(900)\n",
    )
    program = (
        "import pickle, sys; from mnistrobust.replicates import many; "
        "many.make_replicate(pickle.loads(bytes.fromhex(sys.argv[1])))"
    )
    import pickle

    with subprocess.Popen([sys.executable, "-c", program, pickle.dumps(job).hex()]) as running:
        child = int(wait_for(lambda: mark.exists() and mark.read_text()))
        running.kill()

    wait_for(lambda: not psutil().pid_exists(child))
