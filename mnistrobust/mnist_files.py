"""MNIST in files: NPZ archives and folders of IDX files, read and verified by content."""

import gzip
import hashlib
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np

from mnistrobust.errors import DataError

Arrays = dict[str, np.ndarray]

ARRAYS = ("x_train", "y_train", "x_test", "y_test")

# SHA-256 over the arrays (see `content_digest`), never over a container.
DIGESTS = {
    "mnist": "e5ea4841dd6fde90b155843179ce5756a4864227194eec7fb09d7cfc4cf702a5",
    "mnist5k": "074e63a09349ef26ab290216cb44843344a7e370f98204afbece357926523cc3",
}

_IDX_NAMES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
# What files of any content make NumPy, zipfile, gzip and struct raise.
_UNREADABLE = (
    *(OSError, ValueError, EOFError, KeyError, TypeError, MemoryError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, struct.error),
)
_EXPECTED = (
    "expected an .npz with x_train, y_train, x_test and y_test, or a folder with the four IDX files"
)


def content_digest(arrays: Arrays) -> str:
    """Return the SHA-256 of the arrays' names, types, shapes and bytes, in hexadecimal."""
    digest = hashlib.sha256()
    for name in ARRAYS:
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.data)
    return digest.hexdigest()


def read(path: Path) -> Arrays:
    """Read MNIST from an `.npz` file or a folder of IDX files, gzipped or not.

    Returns `x_train` and `x_test` (n, 28, 28) and `y_train` and `y_test` (n,), all uint8.
    Raises DataError when the file is missing, unreadable or of another kind.
    """
    try:
        if not path.exists():
            raise DataError(f"No such file or folder: {path}; {_EXPECTED}.")
        arrays = _read_idx_folder(path) if path.is_dir() else _read_npz(path)
    except _UNREADABLE as error:
        raise DataError(f"Cannot read {path} ({error}); {_EXPECTED}.") from error
    for name, array in arrays.items():
        if array.dtype != np.uint8:
            raise DataError(
                f"Cannot use {path}: {name} holds {array.dtype}, expected MNIST's bytes (uint8)."
            )
    return arrays


def identify(arrays: Arrays) -> tuple[str, str]:
    """Return the data set's name and content digest; DataError when it is not MNIST."""
    digest = content_digest(arrays)
    for name, known in DIGESTS.items():
        if digest == known:
            return name, digest
    shapes = ", ".join(f"{name} {arrays[name].shape}" for name in ARRAYS)
    raise DataError(
        f"the arrays are not MNIST's: expected content {DIGESTS['mnist'][:12]}…, "
        f"received {digest[:12]}… ({shapes})"
    )


def _read_npz(path: Path) -> Arrays:
    with path.open("rb") as file:  # NumPy leaves a damaged file open
        archive = np.load(file, allow_pickle=False)
        if isinstance(archive, np.ndarray):
            raise TypeError("a single array")
        with archive:
            return {name: np.asarray(archive[name]) for name in ARRAYS}


def _read_idx_folder(folder: Path) -> Arrays:
    return {name: _read_idx(_idx_file(folder, stem)) for name, stem in _IDX_NAMES.items()}


def _idx_file(folder: Path, stem: str) -> Path:
    # Both spellings circulate: train-images-idx3-ubyte and train-images.idx3-ubyte.
    for name in (stem, stem.replace("-idx", ".idx")):
        for candidate in (folder / name, folder / f"{name}.gz"):
            if candidate.is_file():
                return candidate
    raise DataError(f"No {stem} or {stem}.gz in {folder}; {_EXPECTED}.")


def _read_idx(path: Path) -> np.ndarray:
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    if len(content) < 4 or content[:3] != b"\x00\x00\x08":
        raise ValueError(f"{path.name} is no IDX file of unsigned bytes")
    dimensions = content[3]
    header = 4 + 4 * dimensions
    shape = struct.unpack(f">{dimensions}I", content[4:header])
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)
