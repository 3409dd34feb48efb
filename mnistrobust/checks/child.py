"""A model in a process of its own, against accidents: memory, time, prints, crashes, exits."""

import subprocess
import sys
import time
import weakref
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from mnistrobust.checks import server
from mnistrobust.checks.outputs import ModelError

SECONDS = 120.0  # on one clock, for all predictions of a model
SECONDS_PER_IMAGE = 0.02  # that the clock gets besides


class Child:
    """A model, loaded in a process that runs `server.py` and ends, at the latest, with ours."""

    def __init__(
        self,
        target: str,
        *,
        module: bool = False,
        arch: str | None = None,
        trust: bool = False,
        seconds: float | None = None,
        call_seconds: float | None = None,
    ) -> None:
        """Start the process and load a file, or what a module has; ModelError, in one line.

        A file's loading takes time from the clock; a module may train while it is imported. With `call_seconds`
        each call has that many seconds. What a module prints goes to standard error, what a file prints nowhere.
        """
        self.name = target if module else Path(target).name or target
        self._failure: ModelError | None = None
        self._used = 0.0
        self._allowed = SECONDS if seconds is None else seconds
        self._per_image = SECONDS_PER_IMAGE if seconds is None else 0.0
        self._call = call_seconds
        here = str(Path.cwd())
        folders = [folder for folder in sys.path if folder not in {"", here}]
        own_code = module or trust  # finds what we find
        given = {
            "name": self.name,
            "target": target if module else str(Path(target).absolute()),
            "module": module,
            "arch": arch,
            "trust": trust,
            "first": [here, *folders] if own_code else [],
            "then": folders,
        }
        self._pipe, theirs = Pipe()
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-P", server.__file__, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.PIPE,  # its end ends the process
            stdout=subprocess.DEVNULL,
            stderr=None if module else subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        self.close = weakref.finalize(self, _end, self._process, self._pipe)
        try:
            self.holds_predictions, self.input_shape, self.versions = self._said(
                given, timed=not module
            )
        except BaseException:
            self.close()
            raise

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return the outputs (n, classes) for images of one of the known shapes."""
        self._allowed += self._per_image * len(images)
        if self._call is not None:
            self._allowed, self._used = self._call, 0.0
        return np.asarray(self._said(("outputs", images)))

    def recorded(self, name: str, n: int) -> np.ndarray:
        """Return the predictions (n, classes) that the file holds for a set of `n` images."""
        return np.asarray(self._said(("recorded_for", name, n)))

    def _said(self, request: Any, *, timed: bool = True) -> Any:
        """Send a request and return what the process says, within the time that is left."""
        if self._failure:
            raise self._failure
        start = time.monotonic()
        try:
            self._pipe.send(request)
            if not self._pipe.poll(max(self._allowed - self._used, 0) if timed else None):
                raise TimeoutError
            value, error = self._pipe.recv()
        except (EOFError, OSError) as broken:
            self._failure = ModelError(f"{self.name}: {self._why(broken)}")
            self.close()
            raise self._failure from broken
        except BaseException:  # of a signal, as Ctrl-C: a late reply would answer the next request
            self._failure = ModelError(f"{self.name}: a call was interrupted; open the model anew")
            self.close()
            raise
        if timed:
            self._used += time.monotonic() - start
        if error is not None:
            raise ModelError(error)
        return value

    def _why(self, broken: Exception) -> str:
        if isinstance(broken, TimeoutError) and self._call is not None:
            return f"it takes more than {self._call:.0f} s for one call"
        if isinstance(broken, TimeoutError):
            return f"it takes more than {self._allowed:.0f} s; allow more with --seconds"
        with suppress(subprocess.TimeoutExpired):
            code = self._process.wait(5)
            how = f"by signal {-code}" if code < 0 else f"with code {code}"
            return f"it ends its process {how}: an exit, a crash, or more memory than it may take"
        return "it breaks off"


def _end(process: "subprocess.Popen[bytes]", pipe: Connection) -> None:
    """End the process, and by the end of its input all that it has started."""
    pipe.close()
    with process:
        process.kill()
