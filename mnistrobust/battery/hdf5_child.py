"""Read the arrays of an HDF5 file, given on standard input, in a process of its own.

The file is parsed by a library in C that was not written for hostile files: therefore from
memory, with limits, and unable to open any file. Only plain arrays are read: float or integer,
stored in one piece, each reached by one way. Run as a script, which imports nothing of this
package but `limits`, beside it.
"""

import importlib
import json
import math
import os
import re
import struct
import sys
from pathlib import Path
from typing import Any

MAX_DEPTH = 8
MAX_OBJECTS = 1024
MAX_ATTRIBUTES = 16
MAX_RANK = 4
_MEMORY = 2 * 2**30  # address space; libraries take half a GiB of it
_SECONDS = 30  # of processor time; the document's CNN takes 0.1
_NAME = re.compile(rb"[A-Za-z0-9_]{1,64}")


class _Refused(Exception):  # noqa: N818
    """What is no plain file of weights, and no file that Keras writes."""


class _Unusual(_Refused):
    """What Keras may have written all the same."""


def main() -> None:
    """Answer with a JSON header, its length before it, and the arrays' bytes behind it."""
    out = os.dup(1)
    sys.path.insert(0, str(Path(__file__).parent))
    limits = importlib.import_module("limits")  # beside this file, not in the package
    del sys.path[0]
    limits.limit(memory=_MEMORY, seconds=_SECONDS)
    data = sys.stdin.buffer.read()
    import h5py
    import numpy as np

    h5py._errors.silence_errors()  # noqa: SLF001
    limits.forbid_files()
    arrays: list[Any] = []
    try:
        head: dict[str, Any] = {"arrays": _read(data, arrays, h5py, np)}
    except _Refused as refused:
        unusual = isinstance(refused, _Unusual)
        head, arrays = {"refused": str(refused), "trustable": unusual}, []
    except (OSError, RuntimeError, ValueError, TypeError, KeyError, MemoryError) as error:
        reason = f"no sound HDF5 file ({type(error).__name__})"
        head, arrays = {"refused": reason, "trustable": False}, []
    text = json.dumps(head).encode()
    with os.fdopen(out, "wb") as answer:
        answer.write(struct.pack(">I", len(text)) + text)
        for array in arrays:
            answer.write(array.tobytes())


def _read(data: bytes, arrays: list[Any], h5py: Any, np: Any) -> list[Any]:
    types = {
        name: getattr(h5py.h5t, name)
        for name in ("IEEE_F32LE", "STD_I32LE", "STD_U32LE", "STD_I64LE", "STD_U64LE")
    }
    file = h5py.h5f.open_file_image(data)
    found: list[Any] = []
    seen: set[int] = set()
    left = len(data)
    pending = [(h5py.h5g.open(file, b"/"), "", 0)]
    while pending:
        node, path, depth = pending.pop()
        address = h5py.h5o.get_info(node).addr
        if address in seen:
            raise _Refused(f"{path or '/'} is reached in two ways")
        seen.add(address)
        _check_attributes(node, path, h5py)
        if isinstance(node, h5py.h5g.GroupID):
            names = _names(node, path, depth, len(seen) + len(pending), h5py)
            pending += [(h5py.h5o.open(node, n), f"{path}{n.decode()}/", depth + 1) for n in names]
        elif isinstance(node, h5py.h5d.DatasetID):
            array = _array(node, path[:-1], left, types, h5py, np)
            left -= array.nbytes
            found.append([path[:-1], array.dtype.str, list(array.shape)])
            arrays.append(array)
        else:
            raise _Refused(f"{path[:-1]} is a type of its own")
    return found


def _names(group: Any, path: str, depth: int, known: int, h5py: Any) -> list[bytes]:
    count = group.get_num_objs()
    if depth >= MAX_DEPTH or count + known > MAX_OBJECTS:
        raise _Unusual(f"{path or '/'} has {count} parts, {depth} deep: more than weights have")
    names = list(group)
    for name in names:
        if not _NAME.fullmatch(name):
            raise _Unusual(f"the name {name[:64]!r} in {path or '/'}")
        if group.links.get_info(name).type != h5py.h5l.TYPE_HARD:
            raise _Refused(f"{path}{name.decode()} is a link to somewhere else")
    return names


def _check_attributes(node: Any, path: str, h5py: Any) -> None:
    """Look at attributes, which are never used, only for what no plain file has."""
    count = h5py.h5a.get_num_attrs(node)
    if count > MAX_ATTRIBUTES:
        raise _Unusual(f"{path or '/'} has {count} attributes")
    for index in range(count):
        attribute = h5py.h5a.open(node, index=index)
        if attribute.name == b"model_config":
            raise _Unusual("a whole model in Keras's old format: save it as .keras")
        plain = {h5py.h5t.STRING, h5py.h5t.INTEGER, h5py.h5t.FLOAT}
        if attribute.get_type().get_class() not in plain:
            raise _Refused(f"{path or '/'} has an attribute that is no text and no number")


def _array(node: Any, path: str, left: int, types: dict[str, Any], h5py: Any, np: Any) -> Any:
    stored = node.get_create_plist()
    if stored.get_layout() not in {h5py.h5d.CONTIGUOUS, h5py.h5d.COMPACT} or stored.get_nfilters():
        raise _Refused(f"{path} is not stored in one plain piece")
    if stored.get_external_count():
        raise _Refused(f"{path} lies in another file")
    kind = node.get_type()
    names = [name for name, each in types.items() if kind.equal(each)]
    if not names:
        numbers = {h5py.h5t.FLOAT, h5py.h5t.INTEGER, h5py.h5t.ENUM}  # as h5py writes truths
        refused = _Unusual if kind.get_class() in numbers else _Refused
        raise refused(f"{path} is not float32, and no integer")
    space = node.get_space()
    if space.get_simple_extent_type() not in {h5py.h5s.SIMPLE, h5py.h5s.SCALAR}:
        raise _Refused(f"{path} has no shape")
    shape = space.shape
    size = math.prod(shape) * kind.get_size()
    if len(shape) > MAX_RANK or size > left or size != node.get_storage_size() or not size:
        raise _Refused(f"{path} claims the shape {shape}, which its file does not hold")
    letter = {"F": "f", "I": "i", "U": "u"}[names[0].split("_")[1][0]]
    array = np.empty(shape, f"<{letter}{kind.get_size()}")
    node.read(h5py.h5s.ALL, h5py.h5s.ALL, array)
    return array


if __name__ == "__main__":
    main()
