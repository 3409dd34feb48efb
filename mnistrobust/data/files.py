"""MNIST in files: IDX, NumPy or zip, packed or not, brought to MNIST's bytes and verified by them.

What an array is, its shape decides; its name may only contradict. No more is read than MNIST has.
"""

import hashlib
import os
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import platformdirs

from mnistrobust.data.arrays import DAMAGED, OTHER, UNREADABLE, WHAT, Found, found_in
from mnistrobust.errors import DataError, cause
from mnistrobust.files import absolute, regular

Arrays = dict[str, np.ndarray]

ARRAYS = ("x_train", "y_train", "x_test", "y_test")
# SHA-256 over the arrays (see `content_digest`), never over a container.
DIGESTS = {
    "mnist": "e5ea4841dd6fde90b155843179ce5756a4864227194eec7fb09d7cfc4cf702a5",
    "mnist5k": "074e63a09349ef26ab290216cb44843344a7e370f98204afbece357926523cc3",
}
_NAMES = (  # what a file's name says of the array that it may hold, by indices of ARRAYS
    ((r"(?<![a-z])train", {0, 1}), (r"t10k|(?<![a-z])test|(?<![a-z])valid", {2, 3})),
    ((r"image|idx3|^x(?![a-z])", {0, 2}), (r"label|idx1|^y(?![a-z])", {1, 3})),
)
_MARK = "|".join(pattern for pair in _NAMES for pattern, _ in pair)
_HOLDS = re.compile(rf"(?i){_MARK}|idx|mnist|\.np[yz]$|\.zip$").search
_UNRELATED = re.compile(r"(^|/)(\.|__MACOSX)|/$")  # a folder, or what a Mac adds
_MEMBERS = 100  # of an archive: finding each takes as long as it has members
_DEPTH = 3  # folders below the one that is named: torchvision has MNIST/raw
_EXPECTED = (
    "expected an .npz with x_train, y_train, x_test and y_test, or a folder with the four IDX files"
)


def cache_folder() -> Path:
    """Return the folder for downloads and the default store (`MNISTROBUST_CACHE` overrides)."""
    override = os.environ.get("MNISTROBUST_CACHE")
    return absolute(override or platformdirs.user_cache_dir("mnistrobust", False))


def content_digest(arrays: Arrays) -> str:
    """Return the SHA-256 of the arrays' names, types, shapes and bytes, in hexadecimal."""
    digest = hashlib.sha256()
    for name in ARRAYS:
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.data)
    return digest.hexdigest()


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


def read(path: Path) -> Arrays:
    """Read MNIST from a file or a folder, and verify it: images (n, 28, 28) and labels (n,), uint8.

    Raises DataError, which names the file that is missing, unreadable or of other content.
    """
    found: list[Found] = []
    wrong: dict[str, str] = {}  # the reason by the place
    for file in _files(path):
        with _blaming(file, wrong):
            found += _arrays_in(file, wrong)
    if len(found) == 1 and found[0].place == path:
        raise DataError(f"{path} has {WHAT[found[0].index]} alone: name its folder; {_EXPECTED}.")
    held = {(each.dataset, each.index) for each in found}
    dataset = max(DIGESTS, key=lambda name: sum(each == name for each, _ in held))
    arrays = {}
    for index, name in enumerate(ARRAYS):
        for each in found:
            if (each.dataset, each.index) == (dataset, index) and name not in arrays:
                with _blaming(each.place, wrong):
                    arrays[name] = each.load()
        if name not in arrays:
            raise _missing(path, index, wrong)
    return arrays


@contextmanager
def _blaming(place: object, wrong: dict[str, str]) -> Iterator[None]:
    """Note what is wrong with a place, in our words, and go on."""
    try:
        yield
    except DataError as error:
        wrong[str(place)] = str(error)
    except DAMAGED:
        wrong[str(place)] = "is damaged: download it again"
    except UNREADABLE as error:
        wrong[str(place)] = f"cannot be read ({cause(error)})"


def _missing(path: Path, index: int, wrong: dict[str, str]) -> DataError:
    """Make the error for an array that is nowhere: what is wrong with the file that should hold it."""

    def order(place: str) -> tuple[bool, bool]:  # another data set may lie beside MNIST
        is_its = _named(Path(place)) == [index] or WHAT[index] in wrong[place]
        return not is_its, wrong[place].endswith(OTHER)

    for place in sorted(wrong, key=order):
        if path.is_dir() and len(_named(Path(place))) == 1 and order(place)[0]:
            continue
        return DataError(f"{place} {wrong[place]}; {_EXPECTED}.")
    name = f"{ARRAYS[index]}, as in train-images-idx3-ubyte" if not index else ARRAYS[index]
    return DataError(
        f"{path} has no file or array with MNIST's {WHAT[index]} ({name}); {_EXPECTED}."
    )


def _files(path: Path) -> Iterator[Path]:
    """Yield a file itself, or what a folder has that may hold MNIST, by name."""
    try:
        if not path.exists():
            raise DataError(f"No such file or folder: {path}; {_EXPECTED}.")
        if not path.is_dir():
            yield path
            return
        os.scandir(path).close()
    except OSError as error:
        raise DataError(f"Cannot read {path} ({error.strerror}); {_EXPECTED}.") from error
    for folder, folders, names in os.walk(path, followlinks=True):
        within = Path(folder).relative_to(path).parts
        folders[:] = sorted(folders) if len(within) < _DEPTH else []
        for name in sorted(names):
            if not name.startswith(".") and _HOLDS(name):
                yield Path(folder, name)


def _named(place: Path) -> list[int]:
    """Return which arrays a file may hold by its name; where it contradicts itself, it says nothing."""
    name, indices = place.name.lower(), {0, 1, 2, 3}
    for pair in _NAMES:
        said = [each for pattern, each in pair if re.search(pattern, name)]
        indices &= said[0] if len(said) == 1 else indices
    return sorted(indices)


def _arrays_in(file: Path, wrong: dict[str, str]) -> Iterator[Found]:
    members: list[str | None] = [None]
    with regular(file).open("rb") as raw:
        zipped = raw.read(4) == b"PK\3\4"
    if zipped:
        try:
            with zipfile.ZipFile(file) as archive:
                members = [each for each in archive.namelist() if not _UNRELATED.search(each)]
        except zipfile.BadZipFile as error:
            raise DataError(
                f"is a zip archive that ends after {file.stat().st_size:,} bytes, before its list "
                f"of files (Keras's mnist.npz has 11,490,434 bytes): download it again"
            ) from error
    if len(members) > _MEMBERS:
        raise DataError(f"is a zip archive of {len(members):,} files, where MNIST has four")
    for member in members:
        place = file / (member or "").removesuffix(".npy")
        with _blaming(place, wrong):
            found = found_in(file, member)
            if found.index not in _named(place):
                raise DataError(
                    f"holds {found.head.shape[0]:,} {WHAT[found.index]}, against its name: "
                    f"train and test, or images and labels, are exchanged"
                )
            yield found
