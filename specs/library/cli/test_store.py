"""The commands on what is stored: list, prune and clear."""

import io
import json

import numpy as np
import pytest

from mnistrobust.comparison import seeds
from mnistrobust.curves.axes import AXES
from mnistrobust.replicates import Replicate
from mnistrobust.store import Entry, Key, Store


def test_store_lists_entries(command, rehearsal):
    """`store` prints each entry with its size, and --json the same as data."""
    root = rehearsal.store.root
    rows = json.loads(command("store", "--store", root, "--json").out)

    assert all(list(row) == ["entry", "bytes"] for row in rows)
    sizes = {row["entry"]: row["bytes"] for row in rows}
    model = rehearsal.store.path(rehearsal.model_key("ann_1000"))
    assert sizes[str(model.relative_to(root))] == model.stat().st_size
    ended = command("store", "--store", root)
    assert model.name in ended.out
    megabytes = sum(sizes.values()) / 1e6
    assert ended.out.splitlines()[-1] == f"{len(rows)} entries, {megabytes:,.1f} MB, in {root}"


@pytest.fixture
def small_store(tmp_path, rehearsal):
    """A store with one entry."""
    entry = rehearsal.store.path(rehearsal.evaluation_key("ann_1000", "clean"))
    copy = tmp_path / "store" / "evaluations" / entry.name
    copy.parent.mkdir(parents=True)
    copy.write_bytes(entry.read_bytes())
    return tmp_path / "store", copy


@pytest.mark.parametrize(
    ("answer", "removed"), [("", 0), ("\n", 0), ("no\n", 0), ("y", 1), ("Yes\n", 1)]
)
def test_store_clear_asks_first(answer, removed, command, small_store, surroundings):
    """`store clear` removes nothing without a yes; the question is not on standard output."""
    root, entry = small_store
    surroundings.setattr("sys.stdin", io.StringIO(answer))

    ended = command("store", "clear", "--store", root)

    asked = f"Remove 1 entries from {root}? [y/N] " + "\n" * (not answer.endswith("\n"))
    more = "" if removed else "mnistrobust: Aborted: nothing is changed.\n"
    assert ended.err == asked + more
    assert entry.exists() != bool(removed)
    if removed:
        assert (ended.code, ended.out) == (0, f"1 entries removed from {root}\n")
    else:
        assert (ended.code, ended.out) == (1, "")


def test_store_clear_reads_no_endless_answer(command, small_store, surroundings):
    """`store clear < /dev/zero` would fill the memory."""
    root, _ = small_store
    endless = io.StringIO("y" * 1_000_000)
    surroundings.setattr("sys.stdin", endless)

    assert command("store", "clear", "--store", root).code == 1
    assert endless.tell() < 100


def test_store_clear_takes_a_yes_beforehand(command, small_store):
    """With --yes nothing is asked."""
    root, entry = small_store

    ended = command("store", "--store", root, "clear", "--yes")

    assert (ended.code, ended.out, ended.err) == (0, f"1 entries removed from {root}\n", "")
    assert not entry.exists()


def test_store_prune_removes_what_no_code_looks_for(command, tmp_path, rehearsal):
    """A network of other code or versions goes, with its evaluations; what is looked for stays."""
    ours, store = rehearsal.store, Store(tmp_path)
    key, of = rehearsal.model_key("ann_1000"), rehearsal.evaluation_key("ann_1000", "clean")
    kept = [(key, ours.get(key)), (of, ours.get(of))]
    for name, entry in kept:
        store.put(name, entry)
    old = Key("models", "ann-old", {**key.facts, "code": ["0"]})
    newer = Key("models", "ann-newer", {**key.facts, "versions": {"numpy": "9"}})
    changed = {"model": old.digest}, {"code": "0"}, {"reader": "0"}, {"condition": "no-such"}
    evaluations = [
        Key("evaluations", f"e{i}", {**of.facts, **one}) for i, one in enumerate(changed)
    ]
    today = seeds._key("m:train", 1, rehearsal.source, ("rotate:15",)).facts
    side = Key("comparisons", "side", today)
    drawn = {**today["sets"], "clean": "0"}
    other = {"versions": {"numpy": "1"}}, {"code": "0"}, {"sets": drawn}, {"sets": {"no:1": "0"}}
    older = [Key("comparisons", f"s{i}", {**today, **one}) for i, one in enumerate(other)]
    for each in (old, newer, *evaluations, side, *older):
        store.put(each, Entry({"w": np.zeros(10**5)} if each is old else {}))

    assert {Key("", "", each).short for each in store.facts().values()} == {
        path.stem.rpartition("-")[2] for path in store.entries()
    }
    ended = command("store", "prune", "--store", tmp_path)

    assert ended.out == f"10 entries, 0.8 MB, removed from {tmp_path}; 3 kept\n"
    assert {path.name for path in store.entries()} == {store.path(k).name for k in (key, of, side)}
    store.path(key).write_bytes(b"another user's, or damaged")
    assert command("store", "prune", "--store", tmp_path).out.startswith("0 entries")
    assert store.path(of).exists(), "its network cannot be read, and may be today's"


def test_store_prune_keeps_what_curves_go_on_with(command, tmp_path, mnist5k):
    """Networks and evaluations at a dose of an axis stay; those at others go."""
    document, kept = Replicate(1, mnist5k.source, Store(tmp_path)), set()
    for name, dose, recipe, condition in (
        ("offset in training", 0.5, "ann_noisy", "clean"),
        ("training rows", 3000, "cnn_1000", "clean"),
        ("offset at test", 0.3, "ann", "offset-noise"),
        ("threshold", 0.9, "ann_threshold_1000", "threshold"),
    ):
        for each in (dose, dose + 0.01 if dose < 1 else 2000):
            at = AXES[name].at(each, document)
            document.store.put(model := at.model_key(recipe), Entry({}))
            document.store.put(of := at.evaluation_key(recipe, condition), Entry({}))
            kept |= {*map(document.store.path, (model, of))} if each == dose else set()

    ended = command("store", "prune", "--store", tmp_path)

    assert ended.out.startswith("7 entries"), "of an evaluation at a dose, the network stays"
    assert {*document.store.entries()} == kept
