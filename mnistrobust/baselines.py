"""Baselines: whole runs, kept by name, that later runs are compared with.

They lie beside the store, in a folder of the same form: clearing the store leaves them.
"""

import re
import warnings
from collections.abc import Sequence
from pathlib import Path

from mnistrobust.changes import Changes, compare
from mnistrobust.data import Source
from mnistrobust.errors import MnistRobustError, UsageError, inert, unknown
from mnistrobust.runs import Run
from mnistrobust.store import Key, Store, StoreWarning

__all__ = ("Changes", "check_name", "compare", "folder", "load", "names", "remove", "save")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_KIND = "baselines"


def folder(store: Store) -> Path:
    """Return the folder that holds, or would hold, the baselines of a store."""
    return store.root.with_name(f"{store.root.name}-baselines")


def check_name(name: str) -> None:
    """Raise UsageError for a name that is no plain word: it becomes a file's name."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"Baseline '{inert(name)}': expected at most 64 letters, digits, dots, dashes and "
            f"underscores, the first a letter or a digit."
        )


def names(store: Store) -> list[str]:
    """Return the names of a store's baselines, sorted; no file is read."""
    tail = len(Path(_key("x").name).name) - 1  # a dash and a digest
    return sorted(path.stem[:-tail] for path in _shelf(store).entries())


def save(run: Run, name: str, store: Store, *, replace: bool = False) -> Path:
    """Keep a run under a name, whole or not at all, and return its file.

    Raises UsageError for a name that is taken, unless `replace` is set, and MnistRobustError
    where the file cannot be written.
    """
    check_name(name)
    if not replace:
        check_free(name, store)
    shelf = _shelf(store)
    try:
        with warnings.catch_warnings():
            # A store would keep it in memory, and lose it with the process.
            warnings.simplefilter("error", StoreWarning)
            shelf.put(_key(name), run.to_entry())
    except StoreWarning as error:
        raise MnistRobustError(
            f"Cannot write the baseline '{name}' to {shelf.root}: free space, or name another "
            f"store with --store."
        ) from error
    return shelf.path(_key(name))


def check_free(name: str, store: Store) -> None:
    """Raise UsageError where there is a baseline of that name."""
    if _shelf(store).has(_key(name)):
        raise UsageError(
            f"There is a baseline '{name}' already: choose another name, or --replace it."
        )


def load(name: str, store: Store, source: Source | None = None) -> Run:
    """Return the baseline of that name.

    Raises UsageError where there is none, and where it is of other data than `source`;
    MnistRobustError where its file is damaged.
    """
    shelf = _shelf(store)
    if not shelf.has(_key(name)):
        raise _unknown(name, names(store))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", StoreWarning)
            entry = shelf.get(_key(name))
        if entry is None:
            raise ValueError("it cannot be read")
        run = Run.from_entry(entry)
    except (StoreWarning, ValueError) as error:
        raise MnistRobustError(
            f"The baseline '{name}' is damaged ({error}): save it anew, or name another."
        ) from error
    if source is not None and source.digest != run.source.digest:
        raise UsageError(
            f"The baseline '{name}' is of {run.source.name} (sha256 {run.source.digest[:12]}), and "
            f"the data set is {source.name} (sha256 {source.digest[:12]}): compare on the same "
            f"data with --data, or save a baseline of this set."
        )
    return run


def remove(name: str, store: Store) -> None:
    """Remove a baseline; UsageError where there is none, or where it cannot be removed."""
    shelf = _shelf(store)
    if not shelf.has(_key(name)):
        raise _unknown(name, names(store))
    try:
        shelf.path(_key(name)).unlink()
    except OSError as error:
        raise UsageError(
            f"Cannot remove {error.filename} ({error.strerror}): remove it by hand."
        ) from error


def _unknown(name: str, known: Sequence[str]) -> UsageError:
    if known:
        return unknown("baseline", name, known)
    return UsageError(
        f"Unknown baseline '{name}': there is none yet; 'mnistrobust baseline save NAME' makes one."
    )


def _shelf(store: Store) -> Store:
    return Store(folder(store))


def _key(name: str) -> Key:
    return Key(_KIND, name, {"baseline": name})
