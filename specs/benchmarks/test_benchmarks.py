"""The benchmarks measure what they say, each contestant in processes of its own."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mnistrobust import transforms
from mnistrobust.errors import MnistRobustError
from mnistrobust.models import ARCHITECTURES
from mnistrobust.recipes import RECIPES
from specs.benchmarks import document, predict, race, replay, speed
from specs.benchmarks.teams import team

ROOT = Path(__file__).parents[2]
SPEED = ROOT / ".github" / "speed.json"


def measured(script, *more):
    """Run a script for a short time, as a user does; return its results."""
    command = [sys.executable, f"specs/benchmarks/{script}", "--data", "mnist5k", "--quick"]
    done = subprocess.run([*command, *more, "--json"], cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


@pytest.mark.slow
def test_outside_figures_are_measured():
    """A confident network on noise, and one that a rotation and larger and larger shifts confuse."""
    found = measured("outside.py", "--seeds", "1")
    moved = [*found["moved"]["1"].values()]

    assert 0.1 < found["noise"]["1"]["confidence on uniform noise"] <= 1
    assert found["noise"]["1"]["accuracy"] > 0.7
    assert moved == sorted(moved, reverse=True)
    assert len(moved) == 5


@pytest.mark.slow
def test_engine_and_fit_are_compared_figure_by_figure():
    """Networks of both learn digits; few of them are hardly told apart."""
    found = measured("equality.py", "ann")["figures"]

    for side in ("engine", "fit"):
        assert found["accuracy on clean"][side][0] > 0.9
    assert all(0.001 < each["p_welch"] <= 1 for each in found.values())


def test_results_of_several_runs_are_merged(tmp_path):
    """Every run's command and versions are kept."""
    for name in ("a", "b"):
        run = {"command": name, "versions": {name: "1"}, f"of {name}": 1}
        (tmp_path / name).write_text(json.dumps(run))
    found = speed.merged([tmp_path / "a", tmp_path / "b"])

    versions = {"a": "1", "b": "1"}
    assert found == {"command": "a; b", "versions": versions, "of a": 1, "of b": 1}


def test_ratios_are_taken_within_a_repeat():
    """A repeat in which the machine is slow changes no ratio; above 1, we are faster."""
    figures = race.compared({"ours": [1.0, 2.0, 1.0], "keras": [8.0, 18.0, 10.0]})

    assert figures["ratio_to_keras"] == 9.0
    assert figures["ratio_to_keras_spread"] == [8.0, 10.0]
    assert (figures["seconds_per_epoch"], figures["keras_seconds_per_epoch"]) == (1.0, 10.0)


@pytest.mark.parametrize(
    ("script", "argument", "message"),
    [
        (race, "rn", "invalid choice: 'rn'"),
        (replay, "--data=nowhere.npz", "mnistrobust: --data nowhere.npz"),
        (speed, "pyproject.toml", "expected files of what race.py and replay.py print"),
    ],
)
def test_wrong_arguments_end_in_one_line(script, argument, message, monkeypatch, capsys):
    """The last line says what is wrong."""
    monkeypatch.setattr(sys, "argv", [script.__file__, argument])

    with pytest.raises(SystemExit, match=r"[23]"):
        script.main()
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_threads_are_set_for_each_contestant(monkeypatch):
    """Single-threaded contestants get one thread; plain Keras its default, whatever ours is."""
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    single = race.OURS, race.TORCH, race.JAX

    assert "OMP_NUM_THREADS" not in race.KERAS.environment()
    assert {each.environment()["OMP_NUM_THREADS"] for each in single} == {"1"}


def test_the_documents_loops_compute_what_our_transforms_do():
    """The pandas loops that are timed give the values that the recipes train on."""
    frame = pd.DataFrame(np.random.default_rng(0).random((5, 784)))
    noisy = document.offset_noise(frame, np.random.default_rng(1)) - frame

    assert np.allclose(document.invert(frame), transforms.invert(frame))
    assert (document.threshold(frame) == transforms.threshold(frame)).all(axis=None)
    assert np.allclose(noisy, noisy.iloc[0])
    assert noisy.iloc[0].nunique() > 700


@pytest.mark.slow
def test_a_race_is_run_and_we_are_faster():
    """The figures of a short race agree with each other and with the layers of Keras's models."""
    results = measured("race.py", "ann")  # the others are raced by hand: it takes minutes

    for network, layers in race.LAYERS.items():
        weights = sum(inputs * outputs + outputs for inputs, outputs, _ in layers)
        assert weights == ARCHITECTURES[network].builder(10).count_params()
    figures = results["ann"]
    assert figures["ratio_to_keras"] > 1
    rate = race.flop("ann") * 60_000 / figures["seconds_per_epoch"] / 1e9
    assert figures["gflops"] == pytest.approx(rate)
    assert figures["share_of_peak"] == pytest.approx(rate / results["peak_gflops"])


@pytest.mark.slow
def test_predictions_are_raced_and_a_sweep_is_timed():
    """Keras has its fastest batch size, and the sweep every recipe at the doses of a perturbation."""
    results = measured("predict.py", "ann")["prediction"]
    figures = results["ann"]

    assert figures["keras_batch"] in predict.BATCHES
    assert figures["ratio_to_keras"] > 1
    assert figures["seconds"] * figures["ratio_to_keras"] == pytest.approx(figures["keras_seconds"])
    assert results["sweep"]["conditions"] == 5
    assert results["sweep"]["predictions"] == len(RECIPES) * 5 * 1000


@pytest.mark.slow
def test_a_contestant_that_fails_ends_the_race_with_its_reason():
    """The error names the contestant and what happened."""
    nobody = replace(race.PEAK, title="Nobody", prepare=len)

    with pytest.raises(MnistRobustError, match=r"Nobody ended .*NoneType"), team(nobody, None):
        pass


@pytest.mark.slow
def test_the_replay_has_the_cells_of_the_committed_figures():
    """The document's cells and repeated trainings are those that the README's ratios are of."""
    found, stored = measured("replay.py")["document"], speed.merged([SPEED])["document"]
    cells, expected = (
        [(cell["cell"], cell["repeats_a_training"]) for cell in each["cells"]]
        for each in (found, stored)
    )
    repeats = sum(cell["seconds"] for cell in found["cells"] if cell["repeats_a_training"])

    assert cells == expected
    assert found["ratio"] == pytest.approx(found["seconds"] / found["verify_seconds"])
    assert found["seconds_without_repeats"] == pytest.approx(found["seconds"] - repeats)
