"""Disks that are full, read-only or failing: one clear line, and the same results."""

import errno
import json
import os
import pathlib
import shutil
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest

from mnistrobust.data import Source
from mnistrobust.evidence.results import Outcome, Results
from mnistrobust.replicates import Replicate
from mnistrobust.store import Entry, Key, Store, StoreWarning

KEY = Key("models", "x-seed0", {"seed": 0})
ENTRY = Entry({"weight00": np.arange(100_000, dtype=np.float32)}, {"history": {}})


def fail(error, part=0):
    """Return a function that fails, after writing part of what it was given."""

    def failing(file, *arguments, **_):
        if part and arguments:
            file.raw.write(bytes(arguments[0])[:part])
        raise OSError(error, os.strerror(error))

    return failing


class FailingFile:
    """An open file of which one operation fails."""

    def __init__(self, file, name, failing):
        self._file = file
        setattr(self, name, lambda *arguments: failing(file, *arguments))

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()


STEPS = ["mkdir", "open", "write", "partial write", "flush", "fsync", "replace", "replace+unlink"]
ERRORS = [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES, errno.ENAMETOOLONG]


@contextmanager
def failing_at(step, error):
    """Let one step of writing a file fail, as the system call under it would."""
    with pytest.MonkeyPatch.context() as patch:
        if step in {"mkdir", "open"}:
            patch.setattr(pathlib.Path, step, fail(error))
        elif step == "fsync":
            patch.setattr(os, "fsync", fail(error))
        elif step.startswith("replace"):
            patch.setattr(pathlib.Path, "replace", fail(error))
            if step.endswith("unlink"):
                patch.setattr(pathlib.Path, "unlink", fail(error))
        else:
            failing = fail(error, part=1000 if step == "partial write" else 0)
            name = step.split()[-1]
            opened = pathlib.Path.open
            patch.setattr(
                pathlib.Path, "open", lambda *args: FailingFile(opened(*args), name, failing)
            )
        yield


@pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.get)
@pytest.mark.parametrize("step", STEPS)
def test_a_step_of_writing_that_fails_costs_nothing_but_the_file(step, error, tmp_path):
    """The process keeps its result, others see no entry, and nothing half-written is left."""
    store = Store(tmp_path / "store")
    with failing_at(step, error), pytest.warns(StoreWarning, match=os.strerror(error)) as warned:
        store.put(KEY, ENTRY)

    assert len(warned) == 1
    assert np.array_equal(store.get(KEY).tensors["weight00"], ENTRY.tensors["weight00"])
    assert Store(store.root).get(KEY) is None
    assert store.facts().keys() == {*store.entries()}
    if step != "replace+unlink":
        assert not list(tmp_path.rglob("*.tmp"))
    Store(store.root).put(KEY, ENTRY)
    assert Store(store.root).get(KEY) is not None


@pytest.mark.parametrize("step", ["mkdir", "open"])
def test_an_entry_that_cannot_be_set_aside_is_reported_and_not_used(step, tmp_path):
    """A damaged entry is no entry, also where it cannot be moved."""
    store = Store(tmp_path / "store")
    store.put(KEY, ENTRY)
    store.path(KEY).write_bytes(b"damaged")

    step = "replace" if step == "open" else step
    with failing_at(step, errno.EROFS), pytest.warns(StoreWarning, match="Set aside"):
        assert store.get(KEY) is None


def test_a_disk_that_stays_full_is_said_once(tmp_path):
    """A run keeps all its results in memory, with one warning."""
    store = Store(tmp_path / "store")
    with failing_at("open", errno.ENOSPC), pytest.warns(StoreWarning, match="Cannot") as warned:
        [store.put(Key("models", f"x-seed{seed}", {"seed": seed}), ENTRY) for seed in range(3)]

    assert len(warned) == 1


def test_an_entry_that_cannot_be_read_is_no_entry(tmp_path, monkeypatch):
    """A failing disk costs a training, not the run."""
    store = Store(tmp_path / "store")
    store.put(KEY, ENTRY)
    monkeypatch.setattr(pathlib.Path, "read_bytes", fail(errno.EIO))
    monkeypatch.setattr(pathlib.Path, "open", fail(errno.EIO))

    assert store.get(KEY) is None
    assert store.digest(KEY) is None
    assert len({*store.entries()} - store.facts().keys()) == 1


@contextmanager
def mounted(folder, options):
    """Mount a file system of its own on a folder, or skip."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("mounting needs Linux and root")
    folder.mkdir()
    mount = [shutil.which("mount") or "mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine does not allow a mount")
    try:
        yield
    finally:
        subprocess.run([shutil.which("umount"), "-l", str(folder)], check=True)


def remount_read_only(folder):
    subprocess.run([shutil.which("mount"), "-o", "remount,ro", str(folder)], check=True)


def fill(folder):
    """Write until nothing fits any more."""
    with (folder / "ballast").open("wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError as error:
                assert error.errno == errno.ENOSPC  # noqa: PT017 - it ends each loop


FILE_SYSTEMS = {
    "full": ("size=64k", fill),
    "full of files": ("nr_inodes=1", lambda _: None),
    "nearly full": ("size=200k", lambda _: None),
    "read-only": ("size=64k", remount_read_only),
}


@pytest.fixture(params=FILE_SYSTEMS)
def bad_disk(request, tmp_path):
    """A real file system on which no entry can be written."""
    options, spoil = FILE_SYSTEMS[request.param]
    with mounted(tmp_path / "disk", options):
        spoil(tmp_path / "disk")
        yield tmp_path / "disk"


@pytest.mark.slow
def test_a_store_on_a_bad_disk_keeps_results_in_memory(bad_disk):
    """A disk that is full, out of files or read-only costs one warning."""
    store = Store(bad_disk / "store")

    with store.lock(KEY) as held, pytest.warns(StoreWarning, match="Cannot write") as warned:
        store.put(KEY, ENTRY)

    assert held
    assert len(warned) == 1
    assert np.array_equal(store.get(KEY).tensors["weight00"], ENTRY.tensors["weight00"])
    assert Store(store.root).get(KEY) is None
    assert not list(bad_disk.rglob("*.tmp"))


@pytest.mark.slow
@pytest.mark.parametrize("bad_disk", ["full", "read-only"], indirect=True)
def test_a_command_on_a_bad_disk_gives_the_same_evaluation(
    bad_disk, rehearsal, process, surroundings
):
    """Store and cache on a bad disk: the evaluation is the same, without a traceback."""
    surroundings.setenv("MNISTROBUST_CACHE", str(bad_disk / "cache"))

    arguments = ("evaluate", "ann_1000", "--on", "clean", "--data", "mnist5k", "--json")
    ended = process(*arguments, "--store", bad_disk / "store")

    assert ended.code == 0, ended.err
    assert json.loads(ended.out) == rehearsal.evaluate("ann_1000", on="clean").to_json()
    assert "Traceback" not in ended.err
    assert "Cannot write to the store" in ended.err


@pytest.mark.slow
def test_a_warm_store_on_a_read_only_disk_is_read(rehearsal, tmp_path):
    """A store that others filled is used where it cannot be written."""
    with mounted(tmp_path / "disk", "size=8m"):
        store = Store(tmp_path / "disk" / "store")
        keys = [rehearsal.model_key("ann_1000"), rehearsal.evaluation_key("ann_1000", "clean")]
        for key in keys:
            store.path(key).parent.mkdir(parents=True)
            store.path(key).write_bytes(rehearsal.store.path(key).read_bytes())
        remount_read_only(tmp_path / "disk")

        evaluation = Replicate(0, rehearsal.source, store).evaluate("ann_1000", on="clean")

        assert evaluation.to_json() == rehearsal.evaluate("ann_1000", on="clean").to_json()


@pytest.mark.slow
def test_a_report_on_a_full_disk_is_an_error_and_keeps_the_old_one(process, tmp_path):
    """Each file of a report is written whole or not at all: exit code 2, in one line."""
    outcome = Outcome(id="ann.offset_noise_hurts", seed=0, figures={"clean": 0.9}, margin=0.1)
    source = Source(name="mnist5k", digest="0" * 64, path=None, why="as asked for")
    results = Results(source=source, seeds=(0,), outcomes=(outcome,))
    (tmp_path / "results.json").write_text(results.to_json(), "utf-8")
    with mounted(tmp_path / "disk", "size=64k"):
        (tmp_path / "disk" / "index.html").write_text("old")
        fill(tmp_path / "disk")

        ended = process(
            *("report", "--results", tmp_path / "results.json", "--report", tmp_path / "disk"),
            *("--store", tmp_path / "store"),
        )

        assert ended.code == 2
        assert "No space left on device; name another folder" in ended.error
        assert (tmp_path / "disk" / "index.html").read_text() == "old"
        assert not list((tmp_path / "disk").glob("*.tmp"))
