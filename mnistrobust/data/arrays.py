"""An array of MNIST in a file: its head says which it is, its bytes whether it is MNIST's."""

import gzip
import hashlib
import io
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mnistrobust.errors import DataError
from mnistrobust.files import regular

_ROWS = {"mnist": (60_000, 60_000, 10_000, 10_000), "mnist5k": (4000, 4000, 1000, 1000)}
_PARTS = {  # the first letters of the SHA-256 of each array's bytes
    "mnist": ("741c988805d008ac", "1feba77c54802fa5", "6d87418db22cc802", "ddeff807876a9661"),
    "mnist5k": ("5bfa47937be046d2", "8689bf0931b4e3e4", "c19f4d8145a5c1a7", "fbadb27851d04666"),
}
WHAT = ("training images", "training labels", "held-out images", "held-out labels")
_IDX_TYPES = {
    b"\x08": "u1",
    b"\x09": "i1",
    b"\x0b": ">i2",
    b"\x0c": ">i4",
    b"\x0d": ">f4",
    b"\x0e": ">f8",
}
OTHER = "another data set of this shape, such as Fashion-MNIST, or a changed copy"
_HEAD = 1 << 14  # bytes
_CHUNK = 1 << 20
_DIMENSIONS = 8  # that a message lists
_LITTLE_ENDIAN = "is an IDX file in little-endian order: expected big-endian"
_BY_HEAD = (
    (rb"\s*<", "is a web page, not the file behind its link: download it again"),
    (rb"version https://git-lfs", "is a pointer of Git LFS: run 'git lfs pull'"),
    (rb"[\1-\4]\x08\0\0", _LITTLE_ENDIAN),
    (rb"\x80[\1-\5]|\(dp|\x80cnumpy", "is a pickle, which can run code: it is never loaded"),
    (rb"PK\x03\x04", "is a gzipped zip archive: unpack it with gunzip"),
    (rb"(?s:.{257}ustar)", "is a tar archive: unpack it, and name its folder"),
    (rb"\x1f\x8b", "is gzipped twice: unpack it with gunzip"),
    (
        rb"7z\xbc\xaf|\xfd7zXZ|BZh|Rar!|\x28\xb5\x2f\xfd",
        "is an archive of 7z, xz, bzip2, RAR or zstd: unpack it, and name its folder",
    ),
    (rb"\x89HDF|MATLAB", "is a file of HDF5 or MATLAB: save its arrays with numpy.savez"),
    (rb"PAR1", "is a file of Parquet: save its arrays with numpy.savez"),
    (rb"[\t\n\r -~]+\Z", "is a text: save its arrays with numpy.savez"),
    (rb"\0*\Z", "is empty: download it again"),
)
DAMAGED = (zlib.error, zipfile.BadZipFile, gzip.BadGzipFile)  # what archives raise then
# What files of any content make NumPy, zipfile, gzip and struct raise.
UNREADABLE = (
    *(OSError, ValueError, EOFError, KeyError, TypeError, MemoryError, RuntimeError),
    *(*DAMAGED, struct.error, OverflowError, SyntaxError),
)


@dataclass(frozen=True)
class Head:
    """What an array's first bytes say of it."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    start: int  # of its values, in bytes
    order: Literal["C", "F"] = "C"


@dataclass(frozen=True)
class Found:
    """An array of MNIST's size in a file or in a member of a zip archive."""

    file: Path
    member: str | None
    head: Head
    dataset: str
    index: int  # which array: training images and labels, held-out images and labels

    @property
    def place(self) -> Path:
        """The file, with the member's name."""
        return self.file / (self.member or "").removesuffix(".npy")

    def load(self) -> np.ndarray:
        """Return the array in MNIST's shape and bytes; DataError where it is not MNIST's."""
        expected = self.head.start + math.prod(self.head.shape) * self.head.dtype.itemsize
        with _opened(self.file, self.member) as stream:
            content = _read(stream, expected)
            packed = isinstance(stream, gzip.GzipFile) and self.member is None
            try:
                return self._verified(content, expected, packed=packed)
            except DataError:
                _read(stream, expected)  # of a damaged archive, the checksum at its end raises
                raise

    def _verified(self, content: bytearray, expected: int, *, packed: bool) -> np.ndarray:
        if len(content) < expected:
            size = f"{self.file.stat().st_size:,} bytes, unpacked " if packed else ""
            raise DataError(
                f"ends after {size}{len(content):,} bytes, expected {expected:,}: the download is "
                f"not complete, or damaged; get it again"
            )
        raw = np.frombuffer(content, self.head.dtype, offset=self.head.start)
        array = _canonical(raw.reshape(self.head.shape, order=self.head.order), self.index)
        if hashlib.sha256(array.data).hexdigest()[:16] != _PARTS[self.dataset][self.index]:
            raise DataError(f"holds {len(array):,} {WHAT[self.index]}, but not MNIST's: {OTHER}")
        return array


def found_in(file: Path, member: str | None = None) -> Found:
    """Read an array's head; DataError, without the place, where it is none of MNIST's."""
    with _opened(file, member) as stream:
        first = bytes(_read(stream, _HEAD))
    head = _numpy_head(first) or _idx_head(first)
    if head is None:
        said = (words for pattern, words in _BY_HEAD if re.match(pattern, first))
        raise DataError(next(said, "is neither an IDX file nor an array of NumPy"))
    role = _role(head.shape)
    if role is None:
        size = head.shape if len(head.shape) <= _DIMENSIONS else f"of {len(head.shape)} dimensions"
        raise DataError(f"holds an array {size}, which is none of MNIST's")
    if head.dtype.hasobject:
        raise DataError("holds Python objects, as a pickle does, which can run code: never loaded")
    if head.dtype.kind not in "biuf" or head.dtype.itemsize > 8:
        raise DataError(f"holds {head.dtype}: expected numbers")
    return Found(file, member, head, *role)


@contextmanager
def _opened(file: Path, member: str | None) -> Iterator[Any]:
    """Open a file, or a member of a zip archive, unpacked where it is gzipped."""
    with ExitStack() as stack:
        raw: Any = stack.enter_context(regular(file).open("rb"))
        if member is not None:
            raw = stack.enter_context(stack.enter_context(zipfile.ZipFile(raw)).open(member))
        if raw.peek(2)[:2] == b"\x1f\x8b":
            raw = stack.enter_context(gzip.GzipFile(fileobj=raw))
        yield raw


def _read(stream: Any, size: int) -> bytearray:
    """Read so many bytes, or what there is; one of DAMAGED where an archive is."""
    content = bytearray()
    with suppress(EOFError):  # an archive that was cut
        while chunk := stream.read1(min(_CHUNK, size - len(content))):
            content += chunk
    return content


def _numpy_head(first: bytes) -> Head | None:
    if not first.startswith(b"\x93NUMPY"):
        return None
    stream = io.BytesIO(first)
    try:
        version = np.lib.format.read_magic(stream)
        later = np.lib.format.read_array_header_2_0
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else later
        shape, fortran, dtype = read(stream)
    except UNREADABLE as error:  # NumPy's own words may advise to load a pickle
        raise DataError("has a damaged head of NumPy's format: download it again") from error
    return Head(shape, dtype, stream.tell(), "F" if fortran else "C")


def _idx_head(first: bytes) -> Head | None:
    if first[:2] != b"\0\0" or first[2:3] not in _IDX_TYPES or len(first) < 4:
        return None
    start = 4 + 4 * first[3]
    if len(first) < start:
        raise DataError(f"ends in its head, after {len(first)} bytes: download it again")
    shape, swapped = (struct.unpack_from(f"{order}{first[3]}I", first, 4) for order in "><")
    if _role(swapped):
        raise DataError(_LITTLE_ENDIAN)
    return Head(shape, np.dtype(_IDX_TYPES[first[2:3]]), start)


def _role(shape: tuple[int, ...]) -> tuple[str, int] | None:
    """Return the data set and the array's index that a shape stands for."""
    while len(shape) > 1 and shape[0] == 1:
        shape = shape[1:]
    for dataset, rows in _ROWS.items():
        for index, count in enumerate(rows):
            if shape[:1] == (count,) and math.prod(shape[1:]) in ((1, 10) if index % 2 else (784,)):
                return dataset, index
    return None


def _canonical(array: np.ndarray, index: int) -> np.ndarray:
    """Return an array in MNIST's shape and bytes: floats up to 1 are shares of full ink."""
    rows = max(array.shape)
    if index % 2:
        array = array.reshape(rows, -1)
        if array.shape[1] == 10:
            if not ((array != 0).sum(axis=1) == 1).all():
                raise DataError("holds ten values a label that are not one-hot")
            array = array.argmax(axis=1)
    array = array.reshape((rows,) if index % 2 else (rows, 28, 28))
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    low, high = array.min(), array.max()
    if not 0 <= low <= high <= 255:  # also where one is no number
        raise DataError(f"holds values from {low:g} to {high:g}: expected 0 to 255, or 0 to 1")
    scale = 255 if array.dtype.kind == "f" and high <= 1 and not index % 2 else 1
    canonical = np.empty(array.shape, np.uint8)
    for start in range(0, rows, 1000):  # as floats, all at once would take half a gigabyte
        part = array[start : start + 1000]
        canonical[start : start + 1000] = np.rint(part.astype(np.float64) * scale)
    return canonical
