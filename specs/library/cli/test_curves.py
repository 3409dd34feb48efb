"""`mnistrobust curves`: what is measured, and where it goes."""

import json
from types import SimpleNamespace

import pytest

from mnistrobust.curves import jobs


def test_curves_are_of_the_seeds_from_1(command, monkeypatch, tmp_path):
    """The suite's own seed, 0, is in none; the file and the command have what was asked for."""
    asked = {}

    def curves(listed, _, store, **options):
        asked.update(options, seeds={job.seed for job in listed}, root=store.root)
        return SimpleNamespace(to_json=lambda: "{}", curves=[1, 2])

    monkeypatch.setattr(jobs, "curves", curves)
    where = ("--store", tmp_path / "store", "--output", tmp_path / "curves.json")
    ended = command(
        "curves", "--seeds", "3", "--workers", "2", "--data", "mnist5k", "--json", *where
    )

    assert (asked["seeds"], asked["workers"]) == ({1, 2, 3}, 2)
    assert asked["root"] == tmp_path / "store"
    assert asked["command"] == "mnistrobust curves --seeds 3 --data mnist5k"
    assert json.loads(ended.out) == {
        "curves": str(tmp_path / "curves.json"), "dataset": "mnist5k", "seeds": 3, "drawn": 2,
    }  # fmt: skip
    assert (tmp_path / "curves.json").read_text("utf-8") == "{}"
    assert ended.err.startswith("data: mnist5k (sha256 074e63a09349")
    asked["finished"](1, 2, 30.0)
    command("curves", "--data", "mnist5k", *where)
    assert asked["workers"] >= 1
    assert asked["seeds"] == {*range(1, 9)}


def test_the_clones_curves_are_of_full_mnist(command, monkeypatch):
    """A rehearsal needs a file of its own; it is refused before anything is measured."""
    monkeypatch.setattr(jobs, "curves", lambda *_, **__: pytest.fail("it measures"))

    ended = command("curves", "--data", "mnist5k")

    assert ended.code == 2
    assert "curves on mnist5k: the clone's own are of full MNIST; name another" in ended.err
