"""`mnistrobust compare`: from files, names and functions, to a verdict and an exit code."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest

from mnistrobust.checks.inputs import FAMILIES
from mnistrobust.comparison import baselines, opening, replays, sides
from mnistrobust.errors import UsageError
from mnistrobust.replicates import cluster
from mnistrobust.store import Store
from specs.helpers.sides import side

MODELS = """
import numpy as np


def constant(images):
    return np.full((len(images), 10), 0.1) + 0.5 * np.eye(10)[0]


def train(images, labels, seed):
    '''A model by the mean image of each digit, of some of the rows.'''
    rows = np.random.default_rng(seed).permutation(len(labels))[: int({rows})]
    means = np.stack([images[rows][labels[rows] == digit].mean(axis=0) for digit in range(10)])
    return lambda given: -((given[:, None] - means) ** 2).sum(axis=2)
"""

NEAREST = """
from mnistrobust import data

digits = data.load(data.decide("mnist5k"))
nearest = train(digits.train_images, digits.train_labels, 0)
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory, mnist5k):
    """Predictions of a good and of a bad model."""
    folder = tmp_path_factory.mktemp("files")
    sides.save(side(mnist5k, "good"), folder / "good.npz")
    sides.save(side(mnist5k, "bad", wrong={"threshold": 200}), folder / "bad.npz")
    sides.save(side(mnist5k, "kept"), folder / "kept.npz")
    other = replace(side(mnist5k, "other"), dataset=("mnist5k", "f" * 64))
    sides.save(other, folder / "other.npz")
    return folder


@pytest.fixture
def folder(tmp_path, files, surroundings):
    """Two files of predictions, and a store with a baseline beside it."""
    surroundings.setenv("MNISTROBUST_DATA", "mnist5k")
    surroundings.setenv("MNISTROBUST_STORE", str(tmp_path / "store"))
    surroundings.chdir(tmp_path)
    for name in ("good", "bad", "other"):
        shutil.copy(files / f"{name}.npz", tmp_path)
    (tmp_path / "fuzz.json").write_text('{"weaknesses": [], "faults": []}', "utf-8")
    (tmp_path / "leaves_a_mark.py").write_text("open('mark', 'w').close()", "utf-8")
    kept = baselines.model_file("kept", Store(tmp_path / "store"))
    kept.parent.mkdir()
    shutil.copy(files / "kept.npz", kept)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("good.npz", "bad.npz"), 1),
        (("bad.npz", "good.npz"), 0),
        (("bad.npz", "good.npz", "--fail-on", "any"), 1),
        (("good.npz", "bad.npz", "--fail-on", "never"), 0),
        (("kept", "good.npz", "--fail-on", "any"), 0),
        (("kept", "bad.npz"), 1),
        (("good.npz", "bad.npz", "--tolerance", "accuracy=0.3", "--tolerance", "nll=0.99"), 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
@pytest.mark.usefixtures("folder")
def test_the_exit_code_is_the_verdict(arguments, code, command):
    """1 for worse, with `any` for better, too; a tolerance accepts a loss."""
    more = ("--tolerance", "calibration=0.99") if code == 0 else ()
    assert command("compare", *arguments, *more).code == code


@pytest.mark.usefixtures("folder")
def test_the_terminal_shows_both_sides_and_the_verdict(command, surroundings):
    """In 80 columns and on one screen, the verdict last."""
    surroundings.setenv("COLUMNS", "80")
    ended = command("compare", "good.npz", "bad.npz")

    lines = ended.out.splitlines()
    assert lines[0].startswith("old: good")
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 80
    assert "Worse: accuracy on threshold 1.0000 → 0.8000, 200 images lost" in " ".join(lines)
    assert "these two networks alone" in " ".join(lines)


@pytest.mark.usefixtures("folder")
def test_every_cell_is_whole_where_every_row_is_shown(command, surroundings):
    """In 80 columns, a number or a verdict is never cut; a long name may break."""
    surroundings.setenv("COLUMNS", "80")
    rows = json.loads(command("compare", "good.npz", "bad.npz", "--json").out)["rows"]
    shown = command("compare", "good.npz", "bad.npz", "--verbose").out

    words = [line.split()[-1] for line in shown.splitlines() if "±" in line]
    assert words.count("worse") == sum(row["verdict"] == "worse" for row in rows) > 0
    assert all(re.search(r"± \d\.\d{3} ", line) for line in shown.splitlines() if "±" in line)


def test_results_can_be_piped_on(folder, command):
    """JSON, Markdown and JUnit say the same."""
    found = json.loads(command("compare", "kept", "bad.npz", "--json").out)
    shown = command("compare", "kept", "bad.npz", "--markdown").out
    command("compare", "kept", "bad.npz", "--junit", "junit.xml")

    worse = [row for row in found["rows"] if row["verdict"] == "worse"]
    assert found["verdict"] == "worse"
    assert shown.startswith("### Worse: accuracy on threshold")
    assert (folder / "junit.xml").read_text("utf-8").count("<failure") == len(worse)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("good.npz", "nothing.npz"), "nothing.npz: no such file"),
        (("good.npz", "nothing"), "Unknown recipe or baseline 'nothing'"),
        (("good.npz", "nothing:predict"), "no module 'nothing'"),
        (("good.npz", "nothing.onnx", "--data", "/nowhere.npz"), "nothing.onnx: no such file"),
        (("leaves_a_mark:predict", "nothing.onnx"), "nothing.onnx: no such file"),
        (
            ("good.npz", "bad.npz", "--fail-on", "x"),
            "--fail-on x: expected one of worse, any, never",
        ),
        (("good.npz", "bad.npz", "--tolerance", "accuracy"), "expected FIGURE=X"),
        (("leaves_a_mark:predict", "bad.npz", "--tolerance", "x=0.1"), "Unknown figure 'x'"),
        (("kept", "ann", "--seeds", "2"), "kept: it has the predictions of one given network"),
        (("good.npz", "ann", "--on", "rotate:3"), "baseline save good.npz MODEL --on rotate:3."),
        (("kept", "ann", "--on", "rotate:3"), "save kept MODEL --on rotate:3 --replace."),
        (
            ("ann", "kept", "--counterexamples", "none.json"),
            "--counterexamples none.json: No such file or directory; expected fuzz.json",
        ),
        (
            ("ann", "kept", "--counterexamples", "fuzz.json"),
            "kept: it holds predictions and no model",
        ),
        (("bad.npz", "ann", "--counterexamples", "fuzz.json"), "bad.npz: it holds predictions and"),
        (("ann", "ann", "--seeds", "2", "--counterexamples", "fuzz.json"), "leave --seeds out"),
        (("good.npz", "kep"), "did you mean 'kept'"),
        (
            ("good.npz", "other.npz"),
            "other.npz: its predictions are on mnist5k (sha256 ffffffffffff)",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_wrong_call_is_one_line(arguments, said, command, folder):
    """It says what is wrong, before a module is run."""
    ended = command("compare", *arguments)

    assert (ended.code, ended.out) == (2, "")
    assert said in ended.error
    assert not (folder / "mark").exists()


@pytest.mark.slow
def test_a_saved_baseline_equals_its_model(folder, process):
    """`baseline save NAME MODEL`, then no difference; another model is worse."""
    (folder / "models.py").write_text(MODELS.format(rows=4000) + NEAREST)

    saved = process("baseline", "save", "mine.npz", "models:constant", "--json", cwd=folder)
    same = process("compare", "mine.npz", "models:constant", "--json", cwd=folder)
    other = process("compare", "models:nearest", "models:constant", cwd=folder)

    assert saved.code == 0, saved.err
    assert json.loads(saved.out)["bytes"] < 300_000
    assert {row["difference"] for row in json.loads(same.out)["rows"]} == {0}
    assert (other.code, "Traceback" in other.err) == (1, False), other.err
    assert "Worse: accuracy on clean" in other.out


@pytest.mark.slow
def test_ways_to_train_are_compared_over_seeds(folder, process):
    """All rows against a hundred; the second run trains nothing, a change of the code trains again."""
    (folder / "all.py").write_text(MODELS.format(rows=4000))
    (folder / "few.py").write_text(MODELS.format(rows=100))

    first = process("compare", "all:train", "few:train", "--seeds", "4", cwd=folder)
    second = process("compare", "all:train", "few:train", "--seeds", "4", "--json", cwd=folder)
    (folder / "few.py").write_text(MODELS.format(rows=4000))
    third = process("compare", "all:train", "few:train", "--seeds", "4", "--json", cwd=folder)

    assert first.code == 1, first.err
    assert "4 of 4 networks trained" in first.err
    assert "two ways to train, by 4 seeds of each" in " ".join(first.out.split())
    assert "networks trained" not in second.err
    assert json.loads(second.out)["old"]["seeds"] == [1, 2, 3, 4]
    assert "few:train: 4 of 4 networks trained" in third.err
    assert json.loads(third.out)["verdict"] == "no difference seen"


@pytest.mark.slow
def test_a_recipe_is_a_side(rehearsal, process, surroundings):
    """By its network of seed 0, which the store has."""
    surroundings.setenv("MNISTROBUST_DATA", "mnist5k")
    ended = process("compare", "ann", "ann_1000", "--store", rehearsal.store.root)

    assert ended.code == 1, ended.err
    assert "accuracy on clean" in " ".join(ended.out.split())


@pytest.mark.usefixtures("folder")
def test_rows_that_are_left_out_are_counted_by_verdict(command):
    """One screen cannot hide that others are better."""
    every = json.loads(command("compare", "bad.npz", "good.npz", "--json").out)["rows"]
    out = command("compare", "bad.npz", "good.npz").out
    shown = [line.split()[-1] for line in out.splitlines() if "±" in line]
    left_out, worse, better = map(
        int,
        re.search(
            r"Left out: (\d+) rows \((\d+) worse, (\d+) better\)", " ".join(out.split())
        ).groups(),
    )

    verdicts = [row["verdict"] for row in every]
    assert left_out + len(shown) == len(every)
    assert better + shown.count("better") == verdicts.count("better") > 0
    assert worse + shown.count("worse") == verdicts.count("worse")


def test_a_module_beside_a_file_is_not_asked_to_be_trusted(command, monkeypatch, mnist5k, tmp_path):
    """--trust is for the side that is a file, also in a replay; two modules refuse it."""
    asked, replayed = [], []

    def noted(given, *_, trust=False, arch=None, **__):
        asked.append((given, trust, arch))
        return side(mnist5k, given)

    monkeypatch.setattr(opening, "open_side", noted)
    told = replays.Replay(counterexample="a 7", old="7", new="1", verdict=replays.NEW)
    monkeypatch.setattr(replays, "replays", lambda _, sides, *__: replayed.extend(sides) or (told,))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits.keras").write_bytes(b"x")
    (tmp_path / "mine.py").touch()
    for new in ("digits.keras", "mine:other"):
        words = ("mine:model", new, "--trust", "--arch", "ann", "--data", "mnist5k", "--json")
        ended = command("compare", *words)

    assert json.loads(ended.out)["counterexamples"] == [vars(told)]
    assert asked[:2] == [("mine:model", False, None), ("digits.keras", True, "ann")]
    assert replayed[:2] == [("mine:model", {}), ("digits.keras", {"arch": "ann", "trust": True})]
    assert asked[2:] == [("mine:model", True, "ann"), ("mine:other", True, "ann")]


def test_recorded_predictions_have_no_condition_of_ones_own(command, monkeypatch, tmp_path):
    """They were made of the exported images alone."""
    monkeypatch.chdir(tmp_path)
    sizes = {"reordered": 500, "offset-noise": 8000, "uniform": 10_000}
    sets = {name: np.eye(10)[[0] * sizes.get(name, 1000)] for name in FAMILIES}
    np.savez("predictions.npz", **sets)
    ended = command("compare", "predictions.npz", "ann", "--on", "rotate:15", "--data", "mnist5k")

    assert (ended.code, ended.out) == (2, "")
    assert "predictions.npz: it holds predictions, none of rotate:15; name the model" in ended.error


def test_a_scheduler_is_asked_for_each_recipe(command, monkeypatch, tmp_path):
    """With the seeds that the store lacks."""

    def asked(recipes, seeds, _, __, scheduler, ___):
        raise UsageError(f"{scheduler} trains {recipes} with {seeds}")

    monkeypatch.setattr(cluster, "networks", asked)
    words = ("ann_1000", "rnn_1000", "--seeds", "2", "--data", "mnist5k", "--store", tmp_path)
    ended = command("compare", *words, "--backend", "dask", "--scheduler", "tcp://a:1")

    assert ended.code == 2
    assert "tcp://a:1 trains ['ann_1000'] with [1, 2]" in ended.error
