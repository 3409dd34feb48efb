"""A Keras file that may run code, loaded by Keras in a process with limits."""

import struct
import threading
from collections.abc import Callable

import numpy as np

from mnistrobust.battery.child import Child
from mnistrobust.battery.keras_config import CLASSES
from mnistrobust.battery.refusal import RefusedError, quoted

LOADING = 300.0  # seconds on the clock
ANSWERING = 300.0
_CHUNK = 2000
_LONGEST = 4096


def load(data: bytes, suffix: str) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function of images (n, 784) to the answers (n, classes) of a Keras file.

    Whatever the file does, it does in a process with limits on memory and time that writes to no
    file and gives back plain numbers only; it can still read and delete files and open connections
    as you can.
    The process ends with the function. RefusedError where it breaks off or breaks a limit.
    """
    name = f"model{suffix}"
    child = Child("trusted_child.py", name, files={name: data})
    lock = threading.Lock()
    with child.within(LOADING):
        try:
            _heard(child, b"ready")
        except RefusedError as error:
            hint = "for layers of your own, load it in a module and name my_module:model"
            raise RefusedError(f"{error}; {hint}", trustable=False) from error

    def predict(images: np.ndarray) -> np.ndarray:
        with lock:
            parts = range(0, max(len(images), 1), _CHUNK)
            return np.concatenate([_asked(child, images[i : i + _CHUNK]) for i in parts])

    return predict


def _asked(child: Child, images: np.ndarray) -> np.ndarray:
    n = len(images)
    with child.within(ANSWERING):
        child.send(struct.pack(">I", n) + np.asarray(images, "<f4").tobytes())
        data = _heard(child, b"answer", 4 + 4 * n * max(CLASSES))
        (classes,) = struct.unpack(">I", data[:4])
        if classes not in CLASSES or len(data) != 4 + 4 * n * classes:
            raise RefusedError("the answer of its process is damaged", trustable=False)
        return np.frombuffer(data[4:], "<f4").reshape(n, classes)


def _heard(child: Child, kind: bytes, longest: int = _LONGEST) -> bytes:
    said, length = struct.unpack(">8sI", child.receive(12))
    said = said.rstrip(b"\0")
    if said not in {kind, b"error"} or length > max(longest, _LONGEST):
        raise RefusedError("the answer of its process is damaged", trustable=False)
    data = child.receive(length)
    if said == b"error":
        raise RefusedError(f"it raised {quoted(data.decode(errors='replace'))}", trustable=False)
    return data
