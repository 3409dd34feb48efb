"""Files: whole or not at all, never a pipe, and JSON of the right types."""

import errno
import os
import pathlib
import re
import time
from dataclasses import dataclass, field

import pytest

from mnistrobust import files
from specs.helpers import ROOT


@pytest.fixture
def failing_replace(monkeypatch):
    """A disk on which the last step of writing fails."""

    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pathlib.Path, "replace", fail)


@pytest.mark.usefixtures("failing_replace")
def test_a_file_that_cannot_be_written_keeps_its_old_content(tmp_path):
    """The old file stays, and nothing half-written is left beside it."""
    (tmp_path / "index.html").write_text("old")

    with pytest.raises(OSError, match="No space left"):
        files.write_whole(tmp_path / "index.html", b"new")
    with pytest.raises(TypeError):
        files.write_whole(tmp_path / "index.html", "no bytes")

    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]
    assert (tmp_path / "index.html").read_text() == "old"


@pytest.mark.parametrize("name", ["x" * 255, "é" * 127])
def test_a_file_may_have_the_longest_name(name, tmp_path):
    """The name of the file that it is at first is no longer."""
    files.write_whole(tmp_path / name, b"whole")

    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_what_killed_writers_left_is_removed_an_hour_later(tmp_path):
    """Old leftovers of ours go; young ones, which may be in use, and files of others stay."""
    old, young, other = (
        tmp_path / name for name in (f"x.{'0' * 16}.tmp", f"x.{'1' * 16}.tmp", "notes-of-mine.tmp")
    )
    for each in (old, young, other):
        each.write_text("half")
    for each in (old, other):
        os.utime(each, (time.time() - 4000,) * 2)

    files.write_whole(tmp_path / "y", b"whole")

    assert not old.exists()
    assert young.exists()
    assert other.exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipes_and_devices_are_refused(tmp_path):
    """What can block for ever is neither read nor replaced; nothing, a file and a folder pass."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", pathlib.Path(os.devnull)):
        with pytest.raises(OSError, match="not a regular file"):
            files.regular(path)
        with pytest.raises(OSError, match="not a regular file"):
            files.write_whole(path, b"")
    (tmp_path / "file").touch()
    for name in ("file", "nothing", "."):
        assert files.regular(tmp_path / name) == tmp_path / name


@dataclass(frozen=True)
class Point:
    """What the types of a value are taken from."""

    x: float
    name: str | None = None
    more: dict[str, tuple[int, ...]] = field(default_factory=dict)


def test_json_becomes_a_value_of_its_type():
    """Objects become dataclasses and lists tuples; an integer is a number too."""
    value = {"x": 1, "more": {"a": [1, 2]}}
    assert files.typed(Point, value, "p") == Point(1, None, {"a": (1, 2)})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "p: expected a dict"),
        ({}, "p lacks, or has unknown, x"),
        ({"x": 1, "y": 2}, "p lacks, or has unknown, y"),
        ({"x": "1"}, "p, x: expected a float, received '1'"),
        ({"x": True}, "p, x: expected a float"),
        ({"x": float("nan")}, "p, x: expected a float"),
        ({"x": 1, "name": 2}, "p, name: expected a str"),
        ({"x": 1, "more": {"a": [1, 2.0]}}, "p, more, a 2: expected a int"),
    ],
    ids=str,
)
def test_json_of_another_type_is_an_error_that_says_where(value, message):
    """The message names the place, the type and what came."""
    with pytest.raises(ValueError, match=message):
        files.typed(Point, value, "p")


# What is no result: logs, copies, locks, marks of progress, and standard output that was closed.
UNFINISHED = {
    "backend.py", "cli/app.py", "mutants/faults.py", "mutants/trial.py",
    "replicates/many.py", "replicates/progress.py", "report/terminal.py", "store/store.py",
}  # fmt: skip


def test_every_result_is_written_whole():
    """No other file of the library writes to a path itself."""
    writes = re.compile(r"\.write_(text|bytes)\(|\.open\(\"[wax]")
    package = ROOT / "mnistrobust"
    found = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if writes.search(path.read_text("utf-8"))
    }

    assert found == UNFINISHED | {"files.py"}
