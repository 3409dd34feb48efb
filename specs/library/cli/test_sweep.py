"""`mnistrobust sweep`: from names to a table, a picture, JSON and CSV."""

import csv
import json

import pytest

from mnistrobust.errors import UsageError
from mnistrobust.perturbations import PERTURBATIONS
from specs.library.conftest import RECIPE

OWN = """
import numpy as np
from mnistrobust.data import decide, load
from mnistrobust.perturbations import perturbation


@perturbation(unit="share", doses=(0, 1), severities=(0.1, 0.2, 0.3, 0.4, 2 / 3), reads="all")
def fade(images, dose, _):
    '''Take ink off everywhere.'''
    return (1 - dose) * images


digits = load(decide())
means = [digits.train_images[digits.train_labels == each].mean(axis=0) for each in range(10)]


def nearest(images):
    '''The digit whose mean image is nearest; of faint ones, that with the least ink.'''
    return -((images[:, None] - np.stack(means)) ** 2).sum(axis=2)
"""


@pytest.fixture
def sweep(command, here, surroundings):
    """Run the command on the embedded data and the warm store, in a terminal of 80 columns."""
    surroundings.setenv("COLUMNS", "80")
    return lambda *arguments: command("sweep", *arguments, *here, "--workers", 1)


def test_a_sweep_gets_every_option(command, surroundings, tmp_path):
    """Those of model files too."""
    asked = {}

    def swept(models, ladders, _source, store, **how):
        asked.update(how, models=[*models], doses=len(ladders), root=store.root)
        raise UsageError("enough.")

    surroundings.setattr("mnistrobust.sweeps.sweep.sweep", swept)
    words = ["m.onnx", "--over", "blur", "--arch", "cnn", "--trust", "--seconds", 9, "--seed", 3]
    words += ["--seeds", 4, "--workers", 2, "--backend", "dask", "--scheduler", "tcp://a:1"]
    assert command("sweep", *words, "--data", "mnist5k", "--store", tmp_path / "s").code == 2

    assert asked == {
        "models": ["m.onnx"], "doses": 1, "root": tmp_path / "s", "seed": 3, "networks": 4,
        "workers": 2, "arch": "cnn", "trust": True, "seconds": 9, "scheduler": "tcp://a:1",
    }  # fmt: skip


def test_one_perturbation_is_a_table_of_doses(sweep, tmp_path):
    """With the half-dose above; a picture and a row for each network and dose beside it."""
    files = ("--csv", tmp_path / "rotate.csv", "--picture", tmp_path / "rotate.png")
    ended = sweep(RECIPE, "--over", "rotate", *files)
    rows = list(csv.DictReader((tmp_path / "rotate.csv").read_text("utf-8").splitlines()))

    assert ended.code == 0, ended.err
    lines = ended.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith(f"{RECIPE}, rotate: half of its accuracy at ")
    told = ended.err.splitlines()
    assert told[0] == "data: mnist5k, no test of models trained on MNIST; see 'mnistrobust data'"
    assert told[-2:] == [f"Table: {files[1]}", f"Picture: {files[3]}"]
    assert sum(line.startswith((" 5.75 ", " 57.5 ")) for line in lines) == 2
    assert "at severity" in ended.out
    assert [float(row["dose"]) for row in rows] == [5.75 * step for step in range(11)]
    assert {(row["model"], row["seed"], row["unit"]) for row in rows} == {
        (RECIPE, "0", "degrees counter-clockwise")
    }
    (third,) = (line for line in lines if line.startswith(" 17.2 "))
    assert f" {float(rows[3]['accuracy']):.4f} " in third
    assert (tmp_path / "rotate.png").read_bytes().startswith(b"\x89PNG")


def test_several_perturbations_have_a_row_each(sweep):
    """With an interval; those that never halve the accuracy share a line, with the lowest accuracy."""
    names = ("rotate", "gamma", "scale:-0.5")
    over = [word for name in names for word in ("--over", name)]
    out = sweep(RECIPE, *over).out
    found = json.loads(sweep(RECIPE, *over, "--json").out)["models"][RECIPE]

    curves = found["curves"]
    low, high = curves["rotate"]["half_dose_interval"]
    words = {line.split()[0]: " ".join(line.split()) for line in out.splitlines() if line.split()}
    assert words["rotate"] == (
        f"rotate {curves['rotate']['half_dose']:.3g} ({low:.3g} to {high:.3g})"
    )
    assert all(f"{RECIPE}, {name}: half of its accuracy at " in out for name in curves)
    assert (
        f"{RECIPE}, gamma: half of its accuracy at > 3: still {curves['gamma']['accuracy'][-1]:.3f}\n"
        in out
    )
    assert f"No half-dose; lowest accuracy: gamma {min(curves['gamma']['accuracy']):.2f}\n" in out
    assert "gamma" not in words
    assert found["seeds"] == [0]
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ann", "--over", "rotat"), "Unknown perturbation 'rotat': did you mean 'rotate'?"),
        (("ann", "--over", "rotate:500"), "expected a dose from -180 to 180"),
        (("ann_nosy",), "Unknown recipe 'ann_nosy': did you mean 'ann_noisy'?"),
        (("nowhere:predict",), "no module 'nowhere'"),
        (("nowhere:predict", "--trust", "--arch", "ann"), "no module 'nowhere'"),
        (("nowhere:predict", "--seeds", "2"), "--seeds 2: expected a recipe"),
        (("ann", "--picture", "x.txt"), "--picture x.txt: expected a picture, as x.png"),
        (("ann", "--csv", "nowhere/sweep.csv"), "--csv nowhere/sweep.csv: expected a file in"),
        (("ann", "--seeds", "1"), "Invalid value for '--seeds'"),
        ((), "Missing argument 'MODEL"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_wrong_call_is_one_line(arguments, said, sweep):
    """It says what is wrong, before anything is trained."""
    ended = sweep(*arguments)

    assert (ended.code, ended.out) == (2, "")
    assert said in ended.error


@pytest.mark.slow
def test_models_recipes_and_perturbations_of_ones_own(process, here, tmp_path):
    """A recipe is trained with each seed, in processes; a model of one's own sees the same doses."""
    (tmp_path / "mine.py").write_text(OWN)
    arguments = ("sweep", "ann_1000", "mine:nearest", "--over", "mine:fade", "--over", "rotate:20")
    ended = process(*arguments, "--seeds", 3, *here, "--json", cwd=tmp_path)

    assert ended.code == 0, ended.err
    found = json.loads(ended.out)["models"]
    assert found["ann_1000"]["seeds"] == [1, 2, 3]
    faded = found["mine:nearest"]["curves"]["mine:fade"]
    assert faded["doses"][-1] == pytest.approx(2 / 3)
    assert faded["accuracy"][0] > 0.7
    assert faded["accuracy"][-1] < 0.5
    assert found["mine:nearest"]["relative_error"] is None


@pytest.mark.slow
def test_all_perturbations_fit_on_a_screen(process, here, tmp_path):
    """By default, at the five severities, with the errors relative to the document's ANN."""
    where = ("--picture", tmp_path / "all.png")
    ended = process("sweep", "ann_1000", *where, *here, cwd=tmp_path)

    lines = ended.out.splitlines()
    assert ended.code == 0, ended.err
    assert len(lines) <= 40
    assert all(ended.out.count(name) for name in PERTURBATIONS)
    relative = int(next(line for line in lines if line.startswith(" ann_1000 ")).split()[-1][:-1])
    assert 105 < relative < 200  # the ANN with a quarter of the digits
    assert (tmp_path / "all.png").stat().st_size > 50_000
