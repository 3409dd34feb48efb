"""Baselines: runs of the claims (.json) and models' predictions (.npz), in a folder beside the store."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from mnistrobust.comparison import sides
from mnistrobust.comparison.runs import Run
from mnistrobust.data import Source
from mnistrobust.errors import MnistRobustError, UsageError, inert, unknown
from mnistrobust.files import write_whole
from mnistrobust.recipes import RECIPES
from mnistrobust.store import Store

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def folder(store: Store) -> Path:
    """Return the folder that holds, or would hold, the baselines of a store."""
    return store.root.with_name(f"{store.root.name}-baselines")


def model_file(name: str, store: Store) -> Path:
    """Return the file of a model's baseline; a path that ends in .npz is that file."""
    return Path(name) if name.endswith(".npz") else _file(name, "npz", store)


def run_file(name: str, store: Store) -> Path:
    """Return the file that holds, or would hold, a run's baseline."""
    return _file(name, "json", store)


def _file(name: str, kind: str, store: Store) -> Path:
    known = name if _NAME.fullmatch(name) else "-"  # no baseline is called so
    return folder(store) / f"{known}.{kind}"


def check_name(name: str) -> None:
    """Raise UsageError for a name that is no valid file name on every system, and for a path."""
    if name.endswith(".npz"):
        raise UsageError(
            f"Baseline '{inert(name)}': that is for a model's predictions; name a MODEL."
        )
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"Baseline '{inert(name)}': expected at most 64 letters, digits, dots, dashes and "
            f"underscores, the first a letter or a digit."
        )


def names(store: Store, kind: str = "json") -> list[str]:
    """Return the names of the runs, or of the models ("npz"), that are kept, sorted."""
    return sorted(path.stem for path in folder(store).glob(f"*.{kind}") if path.is_file())


def save(run: Run, name: str, store: Store) -> Path:
    """Write a run whole or not at all, in place of one of that name; MnistRobustError on failure."""
    file = run_file(name, store)
    try:
        write_whole(file, run.to_json().encode())
    except OSError as error:
        raise MnistRobustError(
            f"Cannot write the baseline '{name}' to {file.parent}: free space, or name another "
            f"store with --store."
        ) from error
    return file


def check_free(name: str, store: Store) -> None:
    """Raise UsageError if there is already a baseline of that name, or a recipe."""
    if name in RECIPES:
        raise UsageError(f"Baseline '{name}': that is a recipe; choose another name.")
    if any(os.path.lexists(of(name, store)) for of in (run_file, model_file)):
        raise UsageError(
            f"There is a baseline '{name}' already: choose another name, or --replace it."
        )


def load(name: str, store: Store, source: Source | None = None) -> Run:
    """Return a saved run.

    Raises UsageError where there is none or it is on other data, MnistRobustError where it is damaged.
    """
    file = run_file(name, store)
    if not file.is_file():
        raise _unknown(name, names(store))
    try:
        run = Run.from_json(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        advice = "save it again, or name another."
        raise MnistRobustError(f"The baseline '{name}' is damaged ({error}): {advice}") from error
    own = run.results.source
    if source is not None and source.digest != own.digest:
        raise UsageError(
            f"The baseline '{name}' is of {own.name} (sha256 {own.digest[:12]}), and "
            f"the data set is {source.name} (sha256 {source.digest[:12]}): compare on the same "
            f"data with --data, or save a baseline of this set."
        )
    return run


def remove(name: str, store: Store, *, but: Path | None = None) -> None:
    """Remove a baseline, all files of it `but` one.

    Raises UsageError if there is none, if a path is no file of predictions, or if it cannot be removed.
    """
    kept = model_file(name, store), run_file(name, store)
    files = [file for file in kept if os.path.lexists(file)]
    if not files:
        raise _unknown(name, [*names(store), *names(store, "npz")])
    if files[0] == Path(name) and not (files[0].is_file() and sides.load(files[0])):
        raise UsageError(f"{name}: it is no file of predictions; nothing is removed.")
    try:
        for file in files:
            if file != but:
                file.unlink()
    except OSError as error:
        problem = f"Cannot remove {error.filename} ({error.strerror})"
        raise UsageError(f"{problem}: remove it by hand.") from error


def check_predicts(given: str, store: Store, what: str) -> None:
    """Raise UsageError for a baseline or saved predictions, where `what` needs a model that predicts."""
    kept = given.endswith(".npz") or model_file(given, store).is_file()
    if kept and given not in RECIPES:
        raise UsageError(
            f"{given}: it holds predictions and no model; {what} needs the model itself."
        )


def _unknown(name: str, known: Sequence[str]) -> UsageError:
    if known:
        return unknown("baseline", name, known)
    return UsageError(
        f"Unknown baseline '{name}': there is none yet; 'mnistrobust baseline save NAME' makes one."
    )
