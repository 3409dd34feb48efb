"""Killed processes, and many at once: no wrong entry, no hang, and no training in vain."""

import json
import os
import subprocess
import sys

import pytest

from specs.helpers import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="victims are forked from a warm process"),
]

FAULTS = ROOT / "specs" / "helpers" / "faults.py"
KILLS = 300


@pytest.fixture
def scenario(surroundings, tmp_path):
    """Run a scenario of `faults.py` in a process of its own; what it found."""
    surroundings.setenv("PYTHONPATH", str(ROOT))

    def run(name, number=0, seconds=1500):
        command = [sys.executable, "-W", "ignore::DeprecationWarning", str(FAULTS), name]
        command += [str(tmp_path / "store"), str(number)]
        ended = subprocess.run(
            command, capture_output=True, check=False, text=True, timeout=seconds
        )
        assert ended.returncode == 0, ended.stderr
        assert "Traceback" not in ended.stderr
        return json.loads(ended.stdout)

    return run


def test_a_process_that_is_killed_at_any_moment_leaves_no_wrong_entry(scenario):
    """After each of 300 random kills every entry is whole, the lock is free, and work goes on."""
    found = scenario("kills", KILLS)

    assert found["killed"] == KILLS
    assert found["left"] > 5, "no kill met a process that was writing"
    assert found["wrong"] == []
    assert found["held"] == found["hangs"] == 0
    assert found["after"] == 0


def test_a_process_that_is_killed_at_any_step_of_writing_leaves_no_wrong_entry(scenario):
    """Killed before any line of the store's code, a writer leaves a whole entry or none."""
    found = scenario("steps")

    assert found["steps"] > 40
    assert found["wrong"] == []
    assert found["held"] == 0
    assert set(found["afterwards"]) == {0}
    assert found["last"] == 0


def test_eight_processes_that_need_one_network_train_it_once(scenario):
    """Whoever comes first trains; the others wait and read."""
    found = scenario("same", 8)

    assert found["codes"] == ["0"]
    assert found["trained"] == [["ann_1000"]] * 5
    assert found["wrong"] == []


def test_processes_with_several_tasks_train_each_once(scenario):
    """Processes that share a list of tasks train every recipe, and none twice."""
    found = scenario("tasks", 4)

    assert found["codes"] == ["0"]
    assert found["trained"] == [["ann_1000", "ann_threshold_1000"]] * 5
    assert found["wrong"] == []


@pytest.mark.parametrize("locks", ["without_locks", "unsupported_locks"])
def test_locks_that_do_nothing_cost_work_and_nothing_else(locks, scenario):
    """Where locks have no effect, networks are trained in vain, to the same bytes."""
    found = scenario(locks, 4)

    assert found["codes"] == ["0"]
    assert found["entries"] == [2, 2]
    assert found["wrong"] == []
    assert any(len(names) > 2 for names in found["trained"]), "the locks had an effect"
