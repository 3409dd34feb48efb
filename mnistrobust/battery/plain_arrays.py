"""Arrays out of bytes that anybody may have made: plain numbers, of a shape that they fill."""

import io
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib import format as npy

from mnistrobust.battery import archive
from mnistrobust.battery.layers import several, whole
from mnistrobust.battery.refusal import MAX_FILE, RefusedError, quoted

_RANK = 4
_LONGEST = 1000  # characters of an array's header
_SIZES = several(whole(1, MAX_FILE), 0, _RANK)


def array_of(
    data: bytes, kind: np.dtype, shape: Any, name: str, *, by_column: bool = False
) -> np.ndarray:
    """Return bytes as an array; RefusedError where they are not as many as its shape says."""
    if not _SIZES(shape) or len(data) != kind.itemsize * math.prod(shape):
        raise RefusedError(f"{quoted(name)} claims a shape that its bytes do not fill")
    return np.frombuffer(data, kind).reshape(shape, order="F" if by_column else "C")


def of_npz(data: bytes, allowed: Callable[[str], bool]) -> dict[str, np.ndarray]:
    """Return the arrays of an `.npz` file by name; RefusedError for a name that is not `allowed`."""
    if not archive.is_zip(data):
        raise RefusedError("no .npz file: expected a zip archive")

    def is_array(name: str) -> bool:
        return name.endswith(".npy") and allowed(name.removesuffix(".npy"))

    parts = archive.members(data, is_array)
    return {name.removesuffix(".npy"): _of_npy(part, name) for name, part in parts.items()}


def _of_npy(data: bytes, name: str) -> np.ndarray:
    file = io.BytesIO(data)
    try:
        version = npy.read_magic(file)
        if version != (1, 0):
            raise RefusedError(f"{quoted(name)} is of another version of the format")
        with warnings.catch_warnings(action="error"):  # of a header as Python 2 wrote it
            shape, by_column, kind = npy.read_array_header_1_0(file, max_header_size=_LONGEST)
    except RefusedError:
        raise
    except Exception as error:  # a boundary: NumPy parses a header as Python does
        raise RefusedError(f"{quoted(name)}: expected the header of an array") from error
    if kind.hasobject:
        raise RefusedError(f"{quoted(name)} holds pickled objects", trustable=False)
    if kind.kind not in "fiu":
        raise RefusedError(f"{quoted(name)} is {quoted(kind)}: expected numbers")
    return array_of(data[file.tell() :], kind, list(shape), name, by_column=by_column)
