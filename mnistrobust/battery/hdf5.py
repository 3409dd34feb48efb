"""The plain arrays of an HDF5 file, read by a process with limits."""

import math
import struct

import numpy as np

from mnistrobust.battery import plain_json
from mnistrobust.battery.child import Child
from mnistrobust.battery.refusal import RefusedError

SECONDS = 120.0  # on the clock; a busy machine takes 10 to start a process
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_TYPES = ("<f4", "<i4", "<u4", "<i8", "<u8")


def is_hdf5(data: bytes) -> bool:
    """Return whether bytes begin as an HDF5 file does; one with a foreword does not."""
    return data.startswith(_SIGNATURE)


def arrays_of(data: bytes) -> dict[str, np.ndarray]:
    """Return the arrays of an HDF5 file by path; RefusedError for anything but plain arrays.

    Refused are links, arrays reached in two ways, in pieces, packed, virtual or in other files,
    references, types of its own, and shapes that the file does not hold: for good, where Keras
    writes no such file.
    """
    child = Child("hdf5_child.py")
    try:
        with child.within(SECONDS):
            child.send(data, last=True)
            (length,) = struct.unpack(">I", child.receive(4))
            head = plain_json.parse(
                child.receive(min(length, plain_json.MAX_BYTES)), "its list of arrays"
            )
            if "refused" in head:
                raise RefusedError(str(head["refused"]), trustable=head["trustable"] is True)
            left, found = len(data), {}
            for path, kind, sizes in head["arrays"]:
                array_bytes = math.prod(sizes) * int(kind[2:])
                if kind not in _TYPES or not 0 < array_bytes <= left:
                    raise RefusedError("its list of arrays is damaged", trustable=False)
                left -= array_bytes
                found[path] = np.frombuffer(child.receive(array_bytes), kind).reshape(sizes)
            return found
    finally:
        child.close()
