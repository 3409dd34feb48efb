"""The store: what is put in comes out, or is found damaged and made anew."""

import hashlib
import json
import os

import numpy as np
import pytest
import safetensors.numpy

from mnistrobust.errors import UsageError
from mnistrobust.store import Entry, Key, Store, StoreWarning, open_store
from mnistrobust.store import store as stores

KEY = Key("models", "x-seed0", {"recipe": "x", "seed": 0})


def entry(value=1.0):
    tensors = {
        "weight00": np.full((3, 4), value, np.float32),
        "labels": np.arange(5, dtype=np.uint8).reshape(1, 5),
    }
    return Entry(tensors, {"history": {"loss": [0.5, 0.25]}})


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def test_an_entry_comes_out_as_it_went_in(store):
    """Names, types, shapes, values and JSON survive, for another process too."""
    store.put(KEY, entry())

    found = Store(store.root).get(KEY)

    assert found.tensors.keys() == {"weight00", "labels"}
    for name, tensor in entry().tensors.items():
        assert found.tensors[name].dtype == tensor.dtype
        assert np.array_equal(found.tensors[name], tensor)
    assert found.meta["history"] == {"loss": [0.5, 0.25]}


def test_an_absent_entry_is_none(store):
    """An empty store predictions, and makes no folder."""
    assert store.get(KEY) is None
    assert store.digest(KEY) is None
    assert not store.has(KEY)
    assert store.entries() == []
    assert not store.root.exists()


def test_equal_entries_have_equal_bytes(store, tmp_path):
    """The file depends on the content alone: not on order, time, layout or folder."""
    other = Store(tmp_path / "other")
    turned = Entry(dict(reversed(entry().tensors.items())), entry().meta)
    turned.tensors["weight00"] = np.asfortranarray(turned.tensors["weight00"])

    store.put(KEY, entry())
    other.put(KEY, turned)

    assert store.path(KEY).read_bytes() == other.path(KEY).read_bytes()


def test_digest_states_the_content(store):
    """The first line's digest is that of the entry, and another content has another."""
    kept = store.put(KEY, entry())

    assert store.digest(KEY) == kept.digest == Store(store.root).get(KEY).digest
    assert kept.digest != store.put(KEY, entry(2.0)).digest


@pytest.mark.parametrize("facts", [{"recipe": "x", "seed": 1}, {"recipe": "x"}, {}])
def test_other_facts_are_another_entry(facts, store):
    """An entry is found under its own facts only."""
    store.put(KEY, entry())

    assert store.get(Key(KEY.kind, KEY.label, facts)) is None


def test_order_of_facts_means_nothing():
    """A key is its facts, however they were listed."""
    assert KEY.name == Key(KEY.kind, KEY.label, dict(reversed(KEY.facts.items()))).name


def test_an_entry_of_another_key_is_set_aside(store):
    """A file under a wrong name is not taken for what the name says."""
    other = Key(KEY.kind, KEY.label, {"recipe": "y"})
    store.put(KEY, entry())
    store.path(KEY).rename(store.path(other))

    with pytest.warns(StoreWarning, match="it belongs to another key"):
        assert store.get(other) is None


def sound(content):
    return stores._MAGIC + stores.hashlib.sha256(content).hexdigest().encode() + b"\n" + content


def safetensors_of(metadata):
    header = json.dumps({"__metadata__": metadata}).encode()
    return sound(len(header).to_bytes(8, "little") + header)


DAMAGES = {
    "empty": lambda _: b"",
    "half": lambda content: content[: len(content) // 2],
    "last byte missing": lambda content: content[:-1],
    "a byte too many": lambda content: content + b"\0",
    "head only": lambda content: content[: stores._HEAD],
    "text": lambda _: b"not an entry\n",
    "no newline": lambda content: content.replace(b"\n", b" "),
    "magic": lambda content: b"M" + content[1:],
    "digest": lambda content: content.replace(content[20:30], b"0000000000"),
    "payload": lambda content: content[:-7] + bytes([content[-7] ^ 1]) + content[-6:],
    "well-signed rubbish": lambda _: sound(b"rubbish"),
    "well-signed nothing": lambda _: sound(b""),
    "well-signed without JSON": lambda _: safetensors_of({"other": "1"}),
    "well-signed wrong JSON": lambda _: safetensors_of({"json": "[1]"}),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_entry_is_set_aside_and_made_anew(damage, store):
    """A reader gets None with a warning; the file is kept apart, and the name is free again."""
    store.put(KEY, entry())
    whole = store.path(KEY).read_bytes()
    store.path(KEY).write_bytes(damage(whole))

    with pytest.warns(StoreWarning, match="Set aside a damaged entry"):
        assert store.get(KEY) is None

    aside = list((store.root / "broken").iterdir())
    assert [path.read_bytes() for path in aside] == [damage(whole)]
    assert not store.has(KEY)
    store.put(KEY, entry())
    assert store.path(KEY).read_bytes() == whole

    store.path(KEY).write_bytes(damage(whole))
    with pytest.warns(StoreWarning, match="Set aside a damaged entry"):
        assert Store(store.root).get(KEY) is None
    assert len(list((store.root / "broken").iterdir())) == 2


def test_a_damaged_entry_has_no_facts_and_stays_where_it_is(store):
    """Whoever lists what is stored passes it over; reading it sets it aside."""
    keys = [Key("evaluations", f"x{i}", {"i": i}) for i in range(3)]
    for key in keys:
        store.put(key, entry())
    store.path(keys[1]).write_bytes(store.path(keys[1]).read_bytes()[:-1])

    assert {*store.entries()} - store.facts().keys() == {store.path(keys[1])}
    assert len(store.entries()) == 3


def test_clear_removes_entries_and_what_was_set_aside(store):
    """After `clear` nothing is stored, in memory or on disk; foreign files stay."""
    store.put(KEY, entry())
    store.path(KEY).write_bytes(b"damaged")
    with pytest.warns(StoreWarning):
        store.get(KEY)
    store.put(KEY, entry())
    left = store.path(KEY).with_suffix(".entry.0123.tmp")
    left.write_bytes(b"from a killed process")
    names = (
        *("models/notes.txt", "models/draft.tmp", "broken/notes", "letters/my.entry"),
        *("broken/draft-0123.entry.99", "notes/my.entry.0123.tmp"),
    )
    for name in names:
        (store.root / name).parent.mkdir(exist_ok=True)
        (store.root / name).write_text("mine")

    assert store.clear() == 1

    kept = {path.relative_to(store.root) for path in store.root.rglob("*") if path.is_file()}
    assert {path.as_posix() for path in kept} == {*names}
    assert store.get(KEY) is None


def test_clear_says_what_it_cannot_remove(store):
    """A folder among what was set aside is an error with its name."""
    folder = f"{store.path(KEY).name}.0123abcd"
    (store.root / "broken" / folder).mkdir(parents=True)

    with pytest.raises(UsageError, match=folder):
        store.clear()


def a_folder_in_place_of_the_entry(store):
    store.path(KEY).mkdir(parents=True)


def a_file_in_place_of_a_folder(store):
    store.root.mkdir()
    (store.root / "models").write_text("mine")


def a_file_in_place_of_the_store(store):
    store.root.write_text("mine")


def a_dangling_link_in_place_of_the_store(store):
    store.root.symlink_to(store.root.parent / "nowhere" / "store")


@pytest.mark.parametrize(
    "foreign",
    [
        a_folder_in_place_of_the_entry,
        a_file_in_place_of_a_folder,
        a_file_in_place_of_the_store,
        pytest.param(
            a_dangling_link_in_place_of_the_store,
            marks=pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows"),
        ),
    ],
)
def test_a_store_that_cannot_be_written_keeps_results_in_memory(foreign, store):
    """One warning names the folder and the remedy; the process goes on with its result."""
    foreign(store)

    with pytest.warns(StoreWarning, match="Cannot write to the store") as warned:
        kept = store.put(KEY, entry())

    assert len(warned) == 1
    assert str(store.root) in str(warned[0].message)
    assert "--store" in str(warned[0].message)
    assert store.has(KEY)
    assert store.get(KEY) is kept
    assert store.digest(KEY) == kept.digest
    assert Store(store.root).get(KEY) is None
    assert not list(store.root.parent.rglob("*.tmp"))


def test_clear_forgets_what_could_not_be_written(store):
    """What was kept in memory alone is gone, too."""
    a_file_in_place_of_the_store(store)
    with pytest.warns(StoreWarning):
        store.put(KEY, entry())

    store.clear()

    assert store.get(KEY) is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_forged_entry_that_is_nested_too_deeply_is_set_aside(store):
    """JSON of a hundred thousand brackets under a digest that matches is no entry."""
    payload = safetensors.numpy.save({}, {"json": "[" * 100_000})
    digest = hashlib.sha256(payload).hexdigest().encode()
    store.put(KEY, entry())
    store.path(KEY).write_bytes(stores._MAGIC + digest + b"\n" + payload)

    with pytest.warns(StoreWarning, match="nested too deeply"):
        assert store.get(KEY) is None


def test_a_named_pipe_in_place_of_an_entry_blocks_nobody(store):
    """What is no file is no entry, and is replaced."""
    store.path(KEY).parent.mkdir(parents=True)
    os.mkfifo(store.path(KEY))

    assert store.get(KEY) is None
    assert store.digest(KEY) is None
    with pytest.warns(StoreWarning, match="Set aside"):
        store.put(KEY, entry())
    assert Store(store.root).get(KEY) is not None


def test_the_store_is_named_by_option_then_environment_then_cache(surroundings, tmp_path):
    """A folder is used as given; it is made when the first entry is written."""
    surroundings.setenv("MNISTROBUST_CACHE", str(tmp_path / "cache"))
    assert open_store().root == tmp_path / "cache" / "store"
    surroundings.setenv("MNISTROBUST_STORE", str(tmp_path / "variable"))
    assert open_store().root == tmp_path / "variable"
    assert open_store(tmp_path / "option").root == tmp_path / "option"
    surroundings.setenv("HOME", str(tmp_path))
    surroundings.setenv("MNISTROBUST_STORE", "~/of/home")
    assert open_store().root == open_store("~/of/home").root == tmp_path / "of" / "home"
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_store(tmp_path):
    """A path that is a file is an error before any work."""
    (tmp_path / "file").write_text("mine")

    with pytest.raises(UsageError, match="expected a folder, found a file"):
        open_store(tmp_path / "file")


@pytest.mark.parametrize(
    "place", ["x" * 300, "file/store"], ids=["a name that is too long", "under a file"]
)
def test_a_folder_that_cannot_exist_is_no_store(place, tmp_path):
    """A path that no folder can have is wrong usage, with the remedy."""
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="name another folder"):
        open_store(tmp_path / place)
