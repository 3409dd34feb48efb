"""TensorFlow, imported late, quietly, and on one CPU thread."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from mnistrobust.errors import UsageError
from mnistrobust.files import regular

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
def standard_settings() -> Iterator[None]:
    """Let networks be those of the recipes in the block: TensorFlow, float32, channels last.

    What keras.json, variables, a notebook or a conftest say of Keras, numba and NumPy counts again
    afterwards. No key of the store knows these settings. Raises UsageError where Keras cannot be
    imported, or runs on another backend already.
    """
    with ExitStack() as stack:
        errors = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
        stack.enter_context(np.errstate(**errors))  # type: ignore[arg-type]
        stack.enter_context(_numba_defaults())
        if "keras" not in sys.modules:
            os.environ["KERAS_BACKEND"] = "tensorflow"
        try:
            home = os.environ.get("KERAS_HOME") or os.path.expanduser("~/.keras")  # noqa: PTH111 - Keras needs no home
            regular(Path(home, "keras.json"))  # Keras would wait for ever for a pipe
            keras = import_keras()
        except _BAD_SETTINGS as error:
            reason = getattr(error, "strerror", "") or str(error) or type(error).__name__
            raise UsageError(
                f"Keras cannot start ({reason}): mend or remove keras.json in KERAS_HOME or "
                f"~/.keras, and the variables that begin with KERAS_; where there are none, see what "
                f"'python -c \"import keras\"' says."
            ) from error
        if keras.config.backend() != "tensorflow":
            raise UsageError(
                f"Networks are trained with Keras on TensorFlow, and Keras runs on "
                f"{keras.config.backend()} already: set KERAS_BACKEND=tensorflow before its import."
            )
        for name, value in _KERAS_DEFAULTS.items():
            change = getattr(keras.config, f"set_{name}", None)  # older versions have fewer
            if change:
                stack.callback(change, getattr(keras.config, name)())
                change(value)
        functions = sys.modules["tensorflow"].config
        stack.callback(functions.run_functions_eagerly, functions.functions_run_eagerly())
        functions.run_functions_eagerly(False)
        yield


# What settings that Keras does not know make its import raise.
_BAD_SETTINGS = (ValueError, AssertionError, AttributeError, TypeError, OSError, ImportError)
_KERAS_DEFAULTS = {
    "floatx": "float32",
    "dtype_policy": "float32",
    "epsilon": 1e-7,
    "image_data_format": "channels_last",
    "max_epochs": None,
    "max_steps_per_epoch": None,
}


@contextmanager
def _numba_defaults() -> Iterator[None]:
    """Let numba compile as it does without its variables: with another level, it rounds differently."""
    kept = {name: os.environ.pop(name) for name in list(os.environ) if _changes_code(name)}

    def reload() -> None:
        with suppress(ImportError):
            from numba.core.config import reload_config

            reload_config()

    reload()
    try:
        yield
    finally:
        os.environ.update(kept)
        if kept:
            reload()


def _changes_code(name: str) -> bool:
    return name.startswith("NUMBA_") and name != "NUMBA_NUM_THREADS"  # cannot change after a start


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
