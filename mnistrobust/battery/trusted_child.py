"""Serve the answers of a Keras model that `--trust` loads, in a process of its own.

Loading may run the file's code, so this process has limits, and what it says is read as plain
bytes. Run as a script with the file's name and the input's sizes; see `trusted.py`.
"""

import importlib
import os
import struct
import sys
from pathlib import Path
from typing import Any

_MEMORY = 12 * 2**30  # address space; TensorFlow takes 3 GiB of it before any model
_SECONDS = 3600  # of processor time
_LONGEST = 300


def main() -> None:
    """Load the file, then answer each batch of images, float32 (n, 784), with float32 (n, k)."""
    images, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1):  # a model that prints must not answer
        os.dup2(nowhere, standard)
    sys.path.insert(0, str(Path(__file__).parent))
    limits = importlib.import_module("limits")  # beside this file, not in the package
    del sys.path[0]
    limits.limit(memory=_MEMORY, seconds=_SECONDS)
    try:
        import keras

        limits.forbid_files(reading=True)
        predict = _load(sys.argv[1], keras)
        _say(answers, b"ready")
        while head := images.read(4):
            (n,) = struct.unpack(">I", head)
            _say(answers, b"answer", predict(n, images.read(4 * 784 * n)))
    except Exception as error:  # noqa: BLE001 - the model is anybody's: it may raise anything
        lines = str(error).strip().splitlines() or [""]
        _say(answers, b"error", f"{type(error).__name__}: {lines[0]}"[:_LONGEST].encode())


def _load(file: str, keras: Any) -> Any:
    import numpy as np

    model = keras.models.load_model(file, compile=False, safe_mode=False)
    shape = tuple(model.input_shape[1:])
    if shape not in {(784,), (28, 28), (28, 28, 1)}:
        raise ValueError(f"it takes {shape}: expected 784, 28 x 28 or 28 x 28 x 1")

    def predict(n: int, data: bytes) -> bytes:
        given = np.frombuffer(data, "<f4").reshape(n, *shape)
        found = np.asarray(model.predict(given, batch_size=256, verbose=0), "<f4")
        if found.shape not in {(n, 10), (n, 11)}:
            raise ValueError(f"it answers {n} images with {found.shape}: expected 10 or 11 classes")
        return struct.pack(">I", found.shape[1]) + found.tobytes()

    return predict


def _say(answers: Any, kind: bytes, data: bytes = b"") -> None:
    answers.write(struct.pack(">8sI", kind, len(data)) + data)
    answers.flush()


if __name__ == "__main__":
    main()
