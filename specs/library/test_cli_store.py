"""The commands on what is stored: list, verify and clear."""

import io
import json

import pytest


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
    assert str(root) in ended.out.splitlines()[-1]


@pytest.fixture
def small_store(tmp_path, rehearsal):
    """A store with one entry."""
    entry = rehearsal.store.path(rehearsal.reading_key("ann_1000", "clean"))
    copy = tmp_path / "store" / "readings" / entry.name
    copy.parent.mkdir(parents=True)
    copy.write_bytes(entry.read_bytes())
    return tmp_path / "store", copy


@pytest.mark.parametrize("before", [True, False], ids=["before", "behind"])
def test_store_verify_finds_damage(before, command, small_store):
    """`store verify` ends with 0 on a sound store, and with 1 and the entry's name on damage."""
    root, entry = small_store
    arguments = (
        ("store", "--store", root, "verify") if before else ("store", "verify", "--store", root)
    )

    sound, sound_json = command(*arguments), command(*arguments, "--json")
    entry.write_bytes(entry.read_bytes()[:-1])
    damaged, damaged_json = command(*arguments), command(*arguments, "--json")

    assert (sound.code, sound.out) == (0, "1 entries, 0 damaged\n")
    assert (sound_json.code, json.loads(sound_json.out)) == (0, [])
    assert (damaged.code, damaged_json.code) == (1, 1)
    assert str(entry) in damaged.out
    assert [row["entry"] for row in json.loads(damaged_json.out)] == [str(entry)]
    assert entry.exists()


@pytest.mark.parametrize(
    ("answer", "removed"), [("", 0), ("\n", 0), ("no\n", 0), ("y", 1), ("Yes\n", 1)]
)
def test_store_clear_asks_first(answer, removed, command, small_store, surroundings):
    """`store clear` removes nothing without a yes; the question is not on standard output."""
    root, entry = small_store
    surroundings.setattr("sys.stdin", io.StringIO(answer))

    ended = command("store", "clear", "--store", root)

    assert ended.err.startswith(f"Remove 1 entries from {root}? [y/N] ")
    assert entry.exists() != bool(removed)
    if removed:
        assert (ended.code, ended.out) == (0, f"1 entries removed from {root}\n")
    else:
        assert (ended.code, ended.out) == (1, "")
        assert ended.error.endswith("mnistrobust: Aborted: nothing is changed.")


def test_store_clear_takes_a_yes_beforehand(command, small_store):
    """With --yes nothing is asked."""
    root, entry = small_store

    ended = command("store", "--store", root, "clear", "--yes")

    assert (ended.code, ended.out, ended.err) == (0, f"1 entries removed from {root}\n", "")
    assert not entry.exists()
