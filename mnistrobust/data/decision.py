"""The one decision of a run: which data set, and why."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mnistrobust.data import download, files
from mnistrobust.data.dataset import Source
from mnistrobust.data.files import cache_folder
from mnistrobust.errors import DataError
from mnistrobust.files import absolute

_VARIABLE = "MNISTROBUST_DATA"


def decide(data: str | None = None, *, offline: bool = False, retry: bool = False) -> Source:
    """Choose the data set, verify its content and say why it was chosen.

    `data` is `auto`, `mnist5k` or the path of an `.npz` or a folder of IDX files; by default what
    `MNISTROBUST_DATA` says, or `auto`. `auto` tries our cache, Keras's (read only), a download
    and the embedded mnist5k. Raises DataError when a path holds no MNIST, or is empty.
    """
    if data == "":  # as from a variable of the shell that is not set
        raise DataError("--data is empty: name auto, mnist5k or a path, or leave it out.")
    data = data or os.environ.get(_VARIABLE) or "auto"
    if data == "mnist5k":
        return _embedded("as asked for")
    if data == "auto":
        return _automatic(offline=offline, retry=retry)
    if "://" in data:
        raise DataError(f"--data {data} is an address: download it first, and name the file.")
    try:
        return _verified(Path(data).expanduser().absolute(), "as asked for")
    except (DataError, RuntimeError) as error:  # RuntimeError: no home folder for ~
        hint = " Full MNIST is 'auto'." if data.lower() == "mnist" else ""
        raise DataError(f"--data {data}: {error}{hint}") from error


@contextmanager
def standing(source: Source) -> Iterator[None]:
    """Let `decide()` choose this source in the block, also in processes that the block starts."""
    before = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = source.path or source.name
    try:
        yield
    finally:
        os.environ.pop(_VARIABLE)
        os.environ.update({} if before is None else {_VARIABLE: before})


def _automatic(*, offline: bool, retry: bool) -> Source:
    own = cache_folder() / "data" / "mnist.npz"
    keras = absolute(os.environ.get("KERAS_HOME") or "~/.keras") / "datasets" / "mnist.npz"
    passed_over = []
    for path, why in ((own, "downloaded before"), (keras, "found in Keras's cache")):
        if os.path.exists(path):  # noqa: PTH110 - Path.exists raises where a folder is closed to us
            try:
                return _verified(path, why)
            except DataError as error:
                passed_over.append(f"{path}: {error}")
    try:
        download.fetch(own, offline=offline, retry=retry)
        return _verified(own, "downloaded now")
    except DataError as error:
        passed_over.append(str(error))
    return _embedded("; ".join(passed_over))


def _verified(path: Path, why: str) -> Source:
    name, digest = files.identify(files.read(path))
    return Source(name=name, digest=digest, path=str(path), why=why)


def _embedded(why: str) -> Source:
    return Source(name="mnist5k", digest=files.DIGESTS["mnist5k"], path=None, why=why)
