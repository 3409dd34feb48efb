"""The built wheel in an environment of its own, away from any clone."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from specs.helpers import ROOT

pytestmark = pytest.mark.slow

HOSTILE = {
    "pytest.ini": "[pytest]\naddopts = --no-such-option\n",
    "conftest.py": "raise RuntimeError('not a conftest of the suite')\n",
    "fixtures.py": "raise RuntimeError('not the fixtures of the suite')\n",
}
TEST = """
def test_accuracy(evaluate):
    assert evaluate("ann_1000", on="clean").accuracy > 0.5
"""


@pytest.fixture(scope="session")
def python(tmp_path_factory):
    """The interpreter of an environment with the wheel, and with this one's other packages."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "-q"]
    wheel = ["wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(ROOT)]
    subprocess.run([*pip, *wheel], check=True)
    venv.create(folder / "venv")
    scripts = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    (python,) = scripts.glob("python.exe" if os.name == "nt" else "python")
    (built,) = folder.glob("*.whl")
    install = ["--python", str(python), "install", "--no-deps", str(built)]
    subprocess.run([*pip, *install], check=True)
    (installed,) = (folder / "venv").rglob("site-packages")
    (installed / "others.pth").write_text(sysconfig.get_path("purelib"))
    return python


@pytest.fixture
def run(python, tmp_path, rehearsal, surroundings):
    """Run the wheel's Python in a folder, which is not empty where a project is in the way."""
    surroundings.delenv("PYTHONPATH", raising=False)
    surroundings.setenv("MNISTROBUST_DATA", "mnist5k")
    surroundings.setenv("MNISTROBUST_STORE", str(rehearsal.store.root))
    folder = tmp_path / "specs"
    folder.mkdir()

    def run(*arguments):
        return subprocess.run(
            [python, "-m", *map(str, arguments)],
            cwd=folder,
            check=False,
            capture_output=True,
            encoding="utf-8",
            timeout=900,
        )

    run.folder = folder
    return run


def suite_files(python):
    """Return the files of the installed suite, without bytecode."""
    (suite,) = Path(python).parents[1].rglob("_suite")
    return {path for path in suite.rglob("*") if "__pycache__" not in path.parts}


def test_verify_needs_no_clone(run, python):
    """It runs the wheel's specs whatever project is around, and writes only the report."""
    for name, text in HOSTILE.items():
        (run.folder / name).write_text(text)
    before = suite_files(python)

    ended = run("mnistrobust", "verify", "--json")

    assert ended.returncode == 0, ended.stderr
    assert len(json.loads(ended.stdout)["claims"]) > 10
    assert {path.name for path in run.folder.iterdir()} - {"__pycache__"} == {*HOSTILE, "report"}
    assert suite_files(python) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("claims",),
        ("claims", "ann.offset_noise_hurts"),
        ("evaluate", "ann_1000", "--on", "clean"),
        ("store",),
        ("data",),
        ("baseline", "list"),  # says on standard error that there is none
        ("mutants", "--list"),
    ],
    ids=" ".join,
)
def test_a_command_needs_no_clone(arguments, run):
    """Commands that run no specs work as they do in a clone."""
    ended = run("mnistrobust", *arguments)

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout or "0 baselines" in ended.stderr


def test_mutants_say_that_they_need_a_clone(run):
    """Mistakes go into a copy of a clone."""
    ended = run("mnistrobust", "mutants")

    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "mutants needs a clone" in ended.stderr


def test_replicates_need_no_clone_but_an_output(run, tmp_path):
    """Seeds are made by the wheel's specs, and their evidence goes where it is asked to."""
    made = ["--seeds", 2, "--output", run.folder / "evidence.json"]
    ended = run("mnistrobust", "replicate", *made, "--replicates", tmp_path / "replicates")

    assert ended.returncode == 0, ended.stderr
    assert (run.folder / "evidence.json").is_file()


def test_a_suite_gets_the_fixtures_from_the_wheel(run):
    """One line in its conftest is enough."""
    (run.folder / "conftest.py").write_text('pytest_plugins = ["mnistrobust.testing"]\n')
    (run.folder / "test_digits.py").write_text(TEST)

    ended = run("pytest", "-q")

    assert ended.returncode == 0, ended.stdout + ended.stderr
