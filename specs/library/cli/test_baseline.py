"""`mnistrobust baseline`: save a run or a model's predictions, list, remove."""

import io
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from mnistrobust.comparison import baselines, opening
from mnistrobust.data import Source
from mnistrobust.store import Store
from specs.helpers import ROOT
from specs.helpers.runs_by_hand import run
from specs.helpers.sides import side
from specs.helpers.synthetic import evidence, measured, spread, written

CLAIM = "ann.intelligence_at_1000_rows"
SPEC = """
from mnistrobust import words


def test_intelligence_at_1000_rows(claim, replicate):
    clean = replicate.evaluate("ann_1000", on="clean")

    claim.figures(rows_1000=clean.accuracy)
    claim.margin(words.worse(clean.accuracy, than=1.0))
"""


def archive(**arrays):
    """Return the bytes of an .npz file."""
    written = io.BytesIO()
    np.savez(written, **arrays)
    return written.getvalue()


@pytest.fixture
def clone(tmp_path, surroundings):
    """A folder like a clone, with one spec that needs one small network."""
    folder = tmp_path / "clone"
    (folder / "specs" / "claims").mkdir(parents=True)
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    (folder / "specs" / "claims" / "test_ann.py").write_text(SPEC)
    surroundings.chdir(folder)
    return folder


@pytest.fixture
def shelf(tmp_path):
    """A store's folder with two baselines beside it."""
    store = Store(tmp_path / "store")
    for name in ("one", "two"):
        baselines.save(run(), name, store)
    return store


def test_baselines_are_listed(command, shelf):
    """Name, time, data and number of claims; --json has the same."""
    ended = command("baseline", "list", "--store", shelf.root)
    rows = json.loads(command("baseline", "list", "--store", shelf.root, "--json").out)

    assert ended.code == 0
    assert [row["name"] for row in rows] == ["one", "two"]
    assert all(row["made"] in ended.out and row["dataset"] == "mnist5k" for row in rows)
    assert json.loads(command("baseline", "list", "--store", shelf.root / "x", "--json").out) == []


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("three.json", b"{}", "mnistrobust: The baseline 'three' is damaged ("),
        (
            "three.npz",
            archive(meta='{"format": "mnistrobust of old"}'),
            "three.npz: these predictions are damaged (",
        ),
        ("three.npz", archive(x=1), "three.npz: these predictions are damaged ("),
    ],
    ids=["a run", "predictions", "another program's"],
)
def test_a_damaged_baseline_is_named_beside_the_others(file, content, said, command, shelf):
    """They are listed all the same."""
    (baselines.folder(shelf) / file).write_bytes(content)

    ended = command("baseline", "list", "--store", shelf.root, "--json")

    assert ended.code == 0
    assert [row["name"] for row in json.loads(ended.out)] == ["one", "two"]
    assert said in ended.err
    assert ended.err.count("\n") == 1


def test_without_a_command_the_help_is_printed(command):
    """`mnistrobust baseline` names the three."""
    ended = command("baseline")

    assert (ended.code, ended.err) == (0, "")
    assert all(f"\n  {name} " in ended.out for name in ("save", "list", "remove"))


def test_a_baseline_is_removed(command, shelf):
    """By its name, and nothing else is."""
    ended = command("baseline", "remove", "one", "--store", shelf.root)

    assert (ended.code, ended.out) == (0, "Baseline 'one' removed.\n")
    assert baselines.names(shelf) == ["two"]


def test_predictions_take_the_place_of_a_run(command, shelf, mnist5k, monkeypatch):
    """A name is one thing: what is compared is what was saved last."""
    monkeypatch.setattr(opening, "open_side", lambda *_, **__: side(mnist5k))
    here = "--store", shelf.root, "--data", "mnist5k"

    assert command("baseline", "save", "one", "ann", "--replace", *here).code == 0
    assert (baselines.names(shelf), baselines.names(shelf, "npz")) == (["two"], ["one"])


@pytest.mark.usefixtures("clone")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("remove", "on"), "Unknown baseline 'on': did you mean 'one'?"),
        (("remove", "three"), "Unknown baseline 'three': known are: one, two."),
        (("save", "one"), "There is a baseline 'one' already"),
        (("save", "one", "a:b"), "There is a baseline 'one' already"),
        (("save", "ann", "a:b"), "Baseline 'ann': that is a recipe"),
        (("save", "=cmd"), "Baseline '=cmd': expected at most 64 letters"),
        (("save", "\x1b[31m"), "Baseline '\\x1b[31m': expected"),
    ],
    ids=lambda value: ascii(" ".join(value)) if isinstance(value, tuple) else "",
)
def test_a_wrong_call_is_one_line(arguments, said, command, shelf):
    """Before anything runs."""
    ended = command("baseline", *arguments, "--store", shelf.root)

    assert (ended.code, ended.out) == (2, "")
    assert len(ended.err.splitlines()) == 1
    assert said in ended.error


@pytest.mark.usefixtures("clone")
def test_a_baseline_of_other_data_is_refused(command, shelf):
    """Both sets are named, and the remedy."""
    other = Source(name="mnist", digest="f" * 64, path=None, why="as asked for")
    whole = run()
    baselines.save(replace(whole, results=replace(whole.results, source=other)), "full", shelf)
    ended = command("verify", "--baseline", "full", "--data", "mnist5k", "--store", shelf.root)

    assert (ended.code, ended.out) == (2, "")
    assert "is of mnist (sha256 ffffffffffff)" in ended.error
    assert "--data" in ended.error


@pytest.mark.usefixtures("clone")
def test_a_baseline_is_of_one_replicate(command, shelf):
    """Fresh replicates have other noise: their images do not pair."""
    ended = command("verify", "--baseline", "one", "--seeds", "5", "--store", shelf.root)

    assert ended.code == 2
    assert "--baseline compares seed 0: leave out --seeds." in ended.error


@pytest.mark.slow
def test_a_change_is_found_where_there_is_one(clone, process, rehearsal, tmp_path):
    """Saved, compared as it is, and compared after a figure fell: codes 0, 0 and 1."""
    store = tmp_path / "store"
    shutil.copytree(rehearsal.store.root, store)
    here = ("--data", "mnist5k", "--store", store)
    accuracy = rehearsal.evaluate("ann_1000", on="clean").accuracy
    found = evidence({CLAIM: measured(spread(0.1, 0.01), rows_1000=spread(accuracy, 0.01))})

    saved = process("baseline", "save", "before", "--json", *here, cwd=clone)
    same = process("verify", "--baseline", "before", "--evidence", "none", *here, cwd=clone)
    spec = clone / "specs" / "claims" / "test_ann.py"
    spec.write_text(SPEC.replace("rows_1000=clean.accuracy", "rows_1000=clean.accuracy / 2"))
    judged = ("--evidence", written(found, tmp_path), *here)
    worse = process("verify", "--baseline", "before", "--json", *judged, cwd=clone)
    again = process("verify", "--baseline", "before", *judged, cwd=clone)

    assert (saved.code, same.code, worse.code) == (0, 0, 1), saved.err + same.err + worse.err
    assert json.loads(saved.out)["claims"] == 1
    assert "nothing changed" in same.out
    fields = json.loads(worse.out)["changes"]
    assert [(each["name"], each["word"]) for each in fields["figures"]] == [("rows_1000", "worse")]
    assert fields["worse"][0].startswith(f"{CLAIM} rows_1000")
    assert again.code == 1
    assert f"WORSE: {CLAIM} rows_1000" in again.out
    written_too = json.loads((clone / "report" / "changes.json").read_text("utf-8"))
    assert written_too["figures"] == fields["figures"]
    alone = process("verify", "--evidence", "none", *here, cwd=clone)
    assert alone.code == 0
    assert not (clone / "report" / "changes.json").exists(), "it belongs to an earlier run"
