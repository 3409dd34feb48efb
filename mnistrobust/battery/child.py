"""Processes that handle what is not trusted: with limits, without a way back but plain bytes."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mnistrobust.battery.refusal import RefusedError

_KEPT = ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")  # to start Python at all
_SETTINGS = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "KERAS_BACKEND": "tensorflow",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "HDF5_PLUGIN_PRELOAD": "::",  # no filters from outside
}


class Child:
    """A process that runs one script beside this file; it ends, at the latest, with this object.

    It has an empty folder of its own as home and working folder, none of our environment, and no
    open file but its standard input and output. The script sets its own limits on memory and
    processor time before it touches what it is given; time on the clock is limited here.
    """

    def __init__(self, script: str, *arguments: str, files: dict[str, bytes] | None = None) -> None:
        """Start a script in a new folder that holds `files`."""
        folder = tempfile.TemporaryDirectory(prefix="mnistrobust-child-")
        for name, content in (files or {}).items():
            (Path(folder.name) / name).write_bytes(content)
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        home = {"HOME": folder.name, "USERPROFILE": folder.name, "TMPDIR": folder.name}
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-I", str(Path(__file__).parent / script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder.name,
            env={**kept, **_SETTINGS, **home},
            start_new_session=True,  # an interrupt is ours to handle
        )
        self._end = weakref.finalize(self, _end, self._process, folder)

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Kill the process where the block takes longer; RefusedError where it has ended."""
        late = threading.Event()

        def end() -> None:
            late.set()
            _kill(self._process)

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        except (EOFError, OSError) as error:
            reason = f"takes more than {seconds:.0f} s" if late.is_set() else _why(self._process)
            self.close()
            raise RefusedError(f"reading it {reason}", trustable=False) from error
        finally:
            timer.cancel()

    def send(self, data: bytes, *, last: bool = False) -> None:
        """Write bytes to the process, and end its input after the `last`."""
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        self._process.stdin.flush()
        if last:
            self._process.stdin.close()

    def receive(self, count: int) -> bytes:
        """Return exactly so many bytes; EOFError where the process gives fewer."""
        assert self._process.stdout is not None
        found = self._process.stdout.read(count)
        if len(found) != count:
            raise EOFError
        return found

    def close(self) -> None:
        """End the process and remove its folder."""
        self._end()


def _end(process: "subprocess.Popen[bytes]", folder: "tempfile.TemporaryDirectory[str]") -> None:
    _kill(process)
    for stream in (process.stdin, process.stdout):
        with suppress(OSError):  # what was not sent yet
            if stream:
                stream.close()
    process.wait()
    folder.cleanup()


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """Kill a process, and those that it has started, which hold its pipes open."""
    process.kill()
    if sys.platform != "win32":
        with suppress(OSError):  # none is left
            os.killpg(process.pid, signal.SIGKILL)


def _why(process: "subprocess.Popen[bytes]") -> str:
    with suppress(subprocess.TimeoutExpired):
        code = process.wait(5)
        return f"ends its process by signal {-code}" if code < 0 else "ends its process"
    return "breaks off"
