"""Checks against a baseline, and networks of a training function."""

import sys
from dataclasses import replace
from itertools import starmap
from types import ModuleType

import numpy as np
import pytest

from mnistrobust.checks.check import FAILED, PASSED
from mnistrobust.checks.model import Model
from mnistrobust.checks.outputs import PROBABILITIES, ModelError
from mnistrobust.checks.session import Session
from mnistrobust.comparison import opening, seeds, sides
from mnistrobust.comparison.against import checks_against
from mnistrobust.comparison.opening import open_side
from mnistrobust.data import Dataset
from mnistrobust.errors import UsageError
from mnistrobust.replicates import Replicate
from mnistrobust.store import Entry, Key, Store
from specs.library.conftest import RECIPE

TRAIN = """
import numpy as np


def train(images, labels, seed):
    weights = np.random.default_rng(seed).normal(size=(784, 10))
    return lambda given: given @ weights
"""


@pytest.fixture
def few(mnist5k, monkeypatch):
    """Twenty held-out images, which are the whole data set here."""
    rows = np.concatenate([np.flatnonzero(mnist5k.test_labels == digit)[:2] for digit in range(10)])
    picked = {name: mnist5k.arrays[name][rows] for name in ("x_test", "y_test")}
    dataset = Dataset(mnist5k.source, {**mnist5k.arrays, **picked})
    for place in (opening, seeds):
        monkeypatch.setattr(place, "load", lambda _: dataset)
    return dataset


@pytest.fixture
def one_process(monkeypatch):
    """Train in this process: those of `compare --seeds` are started by its slow specs.

    Returns the numbers of workers that were asked for.
    """
    asked = []

    def here(call, calls, workers):
        asked.append(workers)
        return starmap(call, calls)

    monkeypatch.setattr(seeds, "in_processes", here)
    return asked


def session(few, label):
    """A model that is certain of the right digit in clean images, or of one label everywhere."""
    known = {
        image.tobytes(): digit
        for image, digit in zip(few.test_images, few.test_labels, strict=True)
    }

    def predict(images):
        labels = [known.get(image.tobytes(), 0) if label is None else label for image in images]
        return np.eye(10, dtype=np.float32)[labels] * 0.9 + 0.01

    return Session(Model(name="m", outputs=PROBABILITIES, classes=10, predict=predict), few)


def test_a_model_is_held_to_its_baseline(few, tmp_path):
    """It passes against itself; what predicts one digit for every image fails by its accuracy."""
    good = session(few, None)
    sides.save(sides.side_of(good), tmp_path / "baseline.npz")
    checks = checks_against(str(tmp_path / "baseline.npz"))

    assert {*checks} == {
        f"no_worse_{name}" for name in ("accuracy", "recall", "nll", "calibration", "confidence")
    }
    assert {check.run(good).status for check in checks.values()} == {PASSED}
    worse = checks["no_worse_accuracy"].run(session(few, 0))
    assert worse.status == FAILED
    assert "accuracy on clean 1.0000 → 0.1000" in worse.reason
    assert worse.figures["clean"] == pytest.approx(0.1), "the model's own"


@pytest.mark.parametrize(
    ("train", "why"),
    [
        ("def train(images, labels): ...", "too many positional arguments"),
        ("train = 3", "3 is not a callable object"),
    ],
)
@pytest.mark.usefixtures("one_process")
def test_what_does_not_train_is_one_line(train, why, few, tmp_path, surroundings):
    """It says which arguments are expected, and names the function once."""
    surroundings.chdir(tmp_path)
    surroundings.delitem(seeds.sys.modules, "no_training", raising=False)
    (tmp_path / "no_training.py").write_text(train)

    with pytest.raises(ModelError) as raised:
        open_side("no_training:train", few.source, Store(tmp_path), networks=2, workers=1)
    says = "expected a function train(images, labels, seed)"
    assert str(raised.value) == f"no_training:train: {says}: {why}."


def test_networks_are_kept_until_their_code_changes(few, tmp_path, surroundings, one_process):
    """Seeds 1 to K, each its own network; the second time, and after a comment, none is trained."""
    surroundings.chdir(tmp_path)
    surroundings.setattr(seeds.code, "is_own", lambda path: path.parent == tmp_path)  # no spec is
    file, store, told = tmp_path / "my_training_code.py", Store(tmp_path / "store"), []

    def opened(networks):
        told.clear()
        surroundings.delitem(seeds.sys.modules, "my_training_code", raising=False)
        given, tell = "my_training_code:train", lambda _, done: told.append(done)
        how = {"networks": networks, "workers": 7, "on": ("rotate:15",)}
        return open_side(given, few.source, store, tell=tell, **how)

    file.write_text(TRAIN)
    side, trained = opened(2), [*told]
    again, kept = opened(2), len(told)
    file.write_text(f"# a comment\n{TRAIN}")
    opened(2)
    commented = len(told)
    file.write_text(TRAIN.replace("rng(seed)", "rng(seed + 1)"))
    other = opened(1)

    assert (side.seeds, trained, kept, commented, len(told)) == ((1, 2), [0, 0.5, 1], 0, 0, 2)
    assert one_process == [2, 1], "no more than networks"
    assert {"rotate:15"} < {*side.sets} == {*again.sets}
    first, second = side.sets["uniform"].prediction
    assert (first != second).any()
    assert np.array_equal(again.sets["uniform"].prediction, side.sets["uniform"].prediction)
    assert np.array_equal(other.sets["uniform"].prediction[0], second)


def test_a_recipe_is_opened_with_the_conditions_that_were_asked_for(few, tmp_path):
    """By the network of the suite's seed; what the store has is not predicted again."""
    store, on = Store(tmp_path), ("rotate:15",)
    kept = sides.side_of(session(few, 0), on)
    entry = Entry(sides.arrays_of(kept), {**sides.meta_of(kept), "uses": {}})
    store.put(seeds._key(RECIPE, 0, few.source, on), entry)

    found = open_side(RECIPE, few.source, store, on=on)

    assert (found.name, [*found.sets]) == (RECIPE, [*kept.sets])
    assert "rotate:15" in found.sets


def test_what_is_no_side_is_said_before_a_module_is_run(few, tmp_path):
    """Also to `checks_against`, which opens a side at once."""
    with pytest.raises(UsageError, match="Unknown recipe or baseline 'ann_nosy': did you mean"):
        open_side("ann_nosy", few.source, Store(tmp_path))


def test_networks_depend_on_data_seed_sets_and_function(mnist5k):
    """Another of any is another entry of the store."""
    source, other = mnist5k.source, replace(mnist5k.source, digest="0" * 64)
    asked = [
        ("m:train", 1, source, ()), ("m:train", 1, other, ()), ("m:train", 2, source, ()),
        ("m:train", 1, source, ("rotate:15",)), ("m:other", 1, source, ()), ("ann", 1, source, ()),
    ]  # fmt: skip

    assert len({seeds._key(*each).digest for each in asked}) == len(asked)


def test_a_functions_networks_are_those_of_its_folder_and_a_recipes_are_not(
    mnist5k, tmp_path, monkeypatch
):
    """Where the function is another in another folder, a recipe is the same, until its code changes."""

    def digests():
        keys = (seeds._key(given, 1, mnist5k.source, ()) for given in ("ann", "m:train"))
        return [key.digest for key in keys]

    (recipe, function), _ = digests(), monkeypatch.chdir(tmp_path)
    assert [digest == same for digest, same in zip(digests(), (recipe, function), strict=True)] == [
        True,
        False,
    ]
    monkeypatch.setattr(Replicate, "model_key", lambda *_: Key("models", "x", {}))
    changed = digests()
    assert changed[0] != recipe
    monkeypatch.setattr(seeds.code, "digest", lambda *_, **__: "0")
    assert not {*digests()} & {*changed}


def test_networks_depend_on_the_versions_of_frameworks(monkeypatch):
    """Those that the training function has loaded, and no others."""
    monkeypatch.setattr(seeds.code, "is_own", lambda _: False)  # as if it had no files
    monkeypatch.setattr(seeds, "version", lambda name: f"{name} 1")
    for name in seeds.FRAMEWORKS:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "torch", ModuleType("torch"))
    monkeypatch.setitem(sys.modules, "sklearn", ModuleType("sklearn"))

    assert seeds._used() == {"torch": "torch 1", "sklearn": "scikit-learn 1"}


def test_networks_depend_on_own_files_in_any_folder(monkeypatch, tmp_path):
    """Those of the working folder are named without it; installed ones, Python's and ours are none."""
    here, library = tmp_path / "work", tmp_path / "lib"
    for name, file in {
        "own_train": here / "own_train.py",
        "own_parts": library / "parts.py",
    }.items():
        file.parent.mkdir()
        file.write_text("N = 1\n")
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
        monkeypatch.setattr(sys.modules[name], "__file__", str(file), raising=False)
    monkeypatch.chdir(here)

    names, parts = {*seeds._names()}, str(library / "parts.py")
    before = seeds._now(parts)
    (library / "parts.py").write_text("N = 2\n")

    assert {"own_train.py", parts} <= names
    assert "gone" != before != seeds._now(parts)
    assert not {np.__file__, sys.modules["ast"].__file__, seeds.__file__} & names
