"""The benchmark measures what it says, each contestant in processes of its own."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mnistrobust import transforms
from mnistrobust.bench import (
    against_document,
    arithmetic,
    contestants,
    document,
    measuring,
    notebook,
    running,
    tables,
    world_ours,
)
from mnistrobust.bench.contestants import Contestant
from mnistrobust.bench.race import race, teams
from mnistrobust.claims import load_questions
from mnistrobust.errors import MnistRobustError, UsageError
from mnistrobust.models import ARCHITECTURES
from mnistrobust.recipes import RECIPES

SPECS = Path(__file__).parents[1]

# Three repeats: the machine was half as fast in the second.
SECONDS = {"ours": [1.0, 2.0, 1.0], "keras": [8.0, 18.0, 10.0], "ours-noisy": [2.0, 2.0, 3.0]}


def silent(_text):
    """Take a note."""


@pytest.fixture(scope="module")
def results():
    """What `bench --json` prints, of made-up measurements."""
    each = {"title": "x", "processes": 2, "cores_used": 2.0, "epochs_per_turn": 1}
    each |= {"start_seconds": 5.0, "compile_seconds": 1.0}
    ann = measuring.compare(SECONDS, "_seconds_per_epoch")
    ann |= {"gflops": 100.0, "share_of_peak": 0.5, "images_per_epoch": 3200}
    ann["contestants"] = {
        name: {**each, "seconds_per_epoch": values} for name, values in SECONDS.items()
    }
    world = measuring.compare({"ours": [10.0], "keras": [35.0]}, "_seconds")
    world |= {"models": 13, "readings": 39, "processes": 2, "data": "mnist5k", "repeats": 1}
    return {
        "command": "mnistrobust bench --json",
        "data": "mnist5k",
        "machine": "two cores",
        "versions": {"python": "3.11"},
        "repeats": 3,
        "peak_gflops": 200.0,
        "ann": ann,
        "world": world,
    }


def test_ratios_are_taken_within_a_repeat():
    """A repeat in which the machine is slow changes no ratio; above 1 is faster than they are."""
    figures = measuring.compare(SECONDS, "_seconds_per_epoch")

    assert figures["ratio_to_keras"] == 9.0
    assert figures["ratio_to_keras_spread"] == [8.0, 10.0]
    assert figures["seconds_per_epoch"] == 1.0
    assert figures["keras_seconds_per_epoch"] == 10.0
    assert figures["offset_noise_seconds_per_epoch"] == 2.0


@pytest.mark.slow
@pytest.mark.parametrize(("name", "mflop"), [("ann", 0.8), ("rnn", 13), ("cnn", 26)])
def test_arithmetic_follows_the_layers(name, mflop):
    """The layers' matrices and biases are all the weights that the Keras model has."""
    weights = sum(inputs * outputs + outputs for inputs, outputs, _ in arithmetic.LAYERS[name])

    assert weights == ARCHITECTURES[name].builder(10).count_params()
    assert arithmetic.flop(name) / 1e6 == pytest.approx(mflop, rel=0.05)


@pytest.mark.slow
def test_a_team_is_one_process_for_each_core():
    """All processes of a contestant train at once, with what they need to be ready measured."""
    with teams([contestants.PEAK], {}, 2, silent) as (team,):
        found = list(race([team], [2], 2, silent))

        assert team.size == 2
        assert {"start_seconds", "compile_seconds", "epoch_seconds"} <= team.start[1].keys()
        assert team.epochs_for(10 * team.start[0]["epoch_seconds"]) >= 1
    assert [list(each) for each in found] == [["peak"], ["peak"]]
    assert all(each["peak"]["seconds"] > 0 for each in found)
    assert all(process.returncode == 0 for process in team._processes)


def test_threads_are_set_before_anything_is_imported(monkeypatch):
    """Single-threaded contestants get one thread; plain Keras its default, whatever ours is."""
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    variables = {
        each.name: each.environment()
        for each in (contestants.OURS, contestants.KERAS, contestants.TORCH, contestants.JAX)
    }

    assert "OMP_NUM_THREADS" not in variables["keras"]
    assert {variables[name]["OMP_NUM_THREADS"] for name in ("ours", "torch", "jax")} == {"1"}
    assert "intra_op_parallelism_threads=1" in variables["jax"]["XLA_FLAGS"]


def test_a_contestant_that_dies_ends_the_run_with_its_last_words():
    """The error names the contestant and what it said."""
    absent = Contestant(name="x", title="Nobody", module="mnistrobust.bench.nobody", needs="numpy")

    with (
        pytest.raises(MnistRobustError, match=r"Nobody ended in the benchmark: .*nobody"),
        teams([absent], {}, 1, silent),
    ):
        pass


def test_unknown_names_are_told():
    """A wrong benchmark or rival is wrong usage, with the nearest name."""
    with pytest.raises(UsageError, match="did you mean 'keras'"):
        contestants.rivals(["kears"])
    with pytest.raises(UsageError, match="did you mean 'world'"):
        running.bench(None, ["wold"], command="", note=silent)


def test_what_is_not_installed_is_told(monkeypatch):
    """A rival that is not installed is left out, or told where it was asked for."""
    monkeypatch.setattr(contestants.importlib.util, "find_spec", lambda _: None)

    assert contestants.rivals() == []
    with pytest.raises(UsageError, match="pip install torch"):
        contestants.rivals(["torch"])


def test_a_world_reads_what_the_claims_read():
    """The document's 13 recipes are trained, and read on each view that a spec of the claims names."""
    tasks = {task.recipe: set(task.views) for task in world_ours.needed()}
    text = "".join(file.read_text("utf-8") for file in (SPECS / "claims").glob("*.py"))
    read = set(re.findall(r'world\.read\("([^"]+)", on="([^"]+)"\)', text))

    alternatives = {name for each in load_questions().values() for name in each.alternatives}
    assert len(tasks) == 13
    assert RECIPES.keys() - tasks <= alternatives
    assert {(recipe, view) for recipe, views in tasks.items() for view in views} == read
    assert text.count("world.read(") == len(re.findall(r'world\.read\("[^"]+", on="[^"]+"\)', text))


def test_repeats_of_trainings_are_subtracted():
    """The second ratio leaves out the cells that repeat a training, and nothing else."""
    cells = [
        {"cell": name, "seconds": seconds, "repeats_a_training": repeats}
        for name, seconds, repeats in (("a", 60.0, False), ("b", 30.0, True), ("c", 10.0, False))
    ]
    figures = against_document.document_figures(100.0, cells, 20.0, "mnist5k")

    assert (figures["ratio"], figures["ratio_without_repeats"]) == (5.0, 3.5)


def test_the_documents_loops_compute_what_our_transforms_do():
    """The pandas loops that are timed give the values that the recipes train on."""
    frame = pd.DataFrame(np.random.default_rng(0).random((5, 784)))
    noisy = notebook.offset_noise(frame, np.random.default_rng(1)) - frame

    assert np.allclose(notebook.invert(frame), transforms.invert(frame))
    assert (notebook.threshold(frame, 0.9) == transforms.threshold(frame)).all(axis=None)
    assert np.allclose(noisy, noisy.iloc[0])
    assert noisy.iloc[0].nunique() > 700


def test_tables_show_ratios_and_how_they_were_taken(results):
    """The README's section has a row for each network and world, the machine and the command."""
    section = tables.markdown(results)

    assert "| ANN | 1.00 s | **9.0 ×** (8.0–10.0), 10 s | 100, 50% of peak |" in section
    assert "| one world, mnist5k | 10 s | **3.5 ×**, 35 s | – |" in section
    assert "we need 2.00 s (ANN)" in section
    assert section.endswith("Made by `mnistrobust bench --json`.\n")


def test_terminal_tables_name_every_contestant(results, capsys):
    """The table on the terminal has each contestant's median and range."""
    tables.print_results(results)
    out = " ".join(capsys.readouterr().out.split())

    assert "9.0 × (8.0–10.0)" in out
    assert "35.0" in out


def test_results_of_several_runs_are_shown_together(results, tmp_path):
    """`--from` merges what `--json` printed, and names every command; anything else is told."""
    document_run = {
        "command": "mnistrobust bench --document --json",
        "data": "mnist",
        "machine": "two cores",
        "versions": {"keras": "3"},
        "document": against_document.document_figures(100.0, [], 10.0, "mnist"),
    }
    files = [tmp_path / "a.json", tmp_path / "b.json"]
    for file, each in zip(files, (results, document_run), strict=True):
        file.write_text(json.dumps(each))
    merged = running.from_files(files)

    assert {"ann", "world", "document"} <= merged.keys()
    assert merged["versions"] == {"python": "3.11", "keras": "3"}
    assert "| as it was run | 100 | **10.0 ×** |" in tables.markdown(merged)
    files[0].write_text("[]")
    with pytest.raises(UsageError, match=r"--from .*a\.json: expected what"):
        running.from_files(files)


def test_the_command_shows_no_path():
    """The command that is printed with the figures names no folder of this machine."""
    shown = running.command_line(["bench", "ann", "--data", str(Path.cwd()), "--json"])

    assert shown == "mnistrobust bench ann --data PATH --json"


def test_nothing_else_of_the_library_imports_the_benchmark():
    """The benchmark rests on the library, and only the command on it."""
    package = Path(running.__file__).parents[1]
    users = [
        file.name
        for file in package.glob("**/*.py")
        if file.parent.name != "bench" and "mnistrobust.bench" in file.read_text("utf-8")
    ]

    assert set(users) <= {"cli.py"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ann", "rnn", "cnn"])
def test_an_architecture_is_measured_against_plain_keras(mnist5k, name):
    """A quick run gives positive figures that agree with each other, and we are faster."""
    found = running.bench(
        mnist5k.source, [name], against=["keras"], quick=True, command="x", note=silent
    )
    figures = found[name]

    assert figures["ratio_to_keras"] > 1
    rate = figures["mflop_per_image"] * 60 / figures["seconds_per_epoch"]
    assert figures["gflops"] == pytest.approx(rate)
    assert figures["share_of_peak"] == pytest.approx(rate / found["peak_gflops"])
    assert figures["contestants"]["ours"]["cores_used"] < measuring.joblib.cpu_count() + 0.1
    json.dumps(found)


@pytest.mark.slow
def test_a_world_is_measured_against_plain_keras(mnist5k, monkeypatch):
    """One world is 13 networks and all readings, and faster than plain Keras."""
    monkeypatch.chdir(SPECS.parent)
    found = running.bench(mnist5k.source, ["world"], quick=True, command="x", note=silent)["world"]

    assert found["models"] == len(world_ours.needed())
    assert found["readings"] == sum(len(task.views) for task in world_ours.needed())
    assert found["ratio_to_keras"] > 1


@pytest.mark.slow
def test_the_document_trains_each_recipe_once_and_repeats_five(mnist5k, monkeypatch, tmp_path):
    """Without the cells marked as repeats, the document's trainings are as many as the recipes."""
    fits, fit = [], document._fit
    monkeypatch.setattr(document, "EPOCHS", 1)
    monkeypatch.setattr(document, "ROWS", 32)
    monkeypatch.setattr(notebook, "NOISE_IMAGES", 2)
    few = {name: array[:64] for name, array in mnist5k.arrays.items()}
    monkeypatch.setattr(document, "_fit", lambda *args: fits.append(args) or fit(*args[:3], 1))
    cells = document.Cells(silent)
    frames = document.Frames(type(mnist5k)(mnist5k.source, few))
    document._ann_cells(cells, frames, tmp_path)
    document._noise_class_cells(cells, frames, tmp_path)
    document._rnn_cells(cells, frames)
    document._cnn_cells(cells, frames)

    assert sum(cell["repeats_a_training"] for cell in cells.done) == 5
    assert len(fits) - 5 == len(world_ours.needed())
    assert all(cell["seconds"] >= 0 for cell in cells.done)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["ann", "rnn", "cnn"])
@pytest.mark.parametrize("rival", [contestants.TORCH, contestants.JAX], ids=lambda each: each.name)
def test_rivals_train(mnist5k, rival, architecture, tmp_path):
    """The others' networks run on the same images, where they are installed."""
    if not rival.installed:
        pytest.skip(f"{rival.needs} is not installed: it is no dependency")
    job = {"architecture": architecture, **measuring._saved(mnist5k, 64, tmp_path)}

    with teams([rival], job, 1, silent) as (team,):
        assert team.run(1)["seconds"] > 0


def test_rivals_are_not_imported_by_the_library():
    """PyTorch and JAX are loaded in their own processes only."""
    assert not {"torch", "jax"} & set(sys.modules)
