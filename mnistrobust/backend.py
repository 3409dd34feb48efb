"""TensorFlow, imported late, quietly, and on one CPU thread."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# One thread for each process: several processes side by side beat several threads in one for
# networks of this size, and the bytes of a result cannot depend on how many threads there were.
THREADS = 1
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def limit_threads() -> None:
    """Ask the numerical libraries of this process, and of those it starts, for one thread."""
    for name in _THREAD_VARIABLES:
        os.environ[name] = str(THREADS)


def import_keras() -> Any:
    """Return the `keras` package on TensorFlow, on the CPU with one thread.

    A GPU changes the bytes of a result; where TensorFlow runs already, its settings stay.
    """
    if "tensorflow" not in sys.modules:
        os.environ.setdefault("KERAS_BACKEND", "tensorflow")
        with _quiet():
            import tensorflow as tf

            tf.config.threading.set_intra_op_parallelism_threads(THREADS)
            tf.config.threading.set_inter_op_parallelism_threads(THREADS)
            tf.config.set_visible_devices([], "GPU")
            tf.constant(0)  # the first operation is what prints
    import keras

    return keras


@contextmanager
def _quiet() -> Iterator[None]:
    """Redirect file descriptor 2: TensorFlow writes start-up notes there, whatever its log level.

    An import that fails still raises.
    """
    try:
        kept = os.dup(2)
    except OSError:  # no standard error at all
        yield
        return
    with Path(os.devnull).open("w") as nowhere:
        sys.stderr.flush()
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
