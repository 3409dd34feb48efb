"""Two runs of the suite at once on one store."""

import os
import subprocess
import sys

import pytest

from mnistrobust.store import Store
from specs.helpers import ROOT

pytestmark = pytest.mark.slow

COUNTING = """
import os
from mnistrobust import training

train = training.train


def counted(recipe, *rest):
    with open(os.environ["TRAINED"], "a") as file:
        file.write(recipe.name + "\\n")
    return train(recipe, *rest)


training.train = counted
"""
SELECTED = "test_ann and thresholding_adds_no_intelligence"


def test_two_suites_on_one_store_train_each_recipe_once(tmp_path, surroundings):
    """Both runs pass, and together they train no network twice."""
    (tmp_path / "counting.py").write_text(COUNTING)
    trained, store = tmp_path / "trained.txt", tmp_path / "store"
    surroundings.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(tmp_path)]))
    surroundings.setenv("TRAINED", str(trained))
    command = [sys.executable, "-m", "pytest", "specs/claims", "-k", SELECTED]
    # -n 1: the worker itself trains, under the plugin that counts
    command += ["-n", "1", "-p", "counting", "--data", "mnist5k", "--store", str(store)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}

    runs = [subprocess.Popen(command, cwd=ROOT, **pipes) for _ in range(2)]
    outputs = [run.communicate(timeout=900)[0] for run in runs]

    for run, output in zip(runs, outputs, strict=True):
        assert run.returncode == 0, output
        assert "1 passed" in output
    names = trained.read_text().split()
    assert sorted(names) == ["ann_1000", "ann_threshold_1000"]
    kept = Store(store)
    assert kept.facts().keys() == {*kept.entries()}
    assert not list(store.rglob("*.tmp"))
