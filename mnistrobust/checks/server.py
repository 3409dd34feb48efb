"""Serve the predictions of a model: the script of `child.py`, in a process of its own."""

import os
import select
import signal
import sys
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

MEMORY = 2 << 30  # bytes of address space for data, and for a framework, which takes 2 of them idle
FRAMEWORK_MEMORY = 8 << 30


def main() -> None:
    """Load what the caller names, then reply to each request with a value or a ModelError's text."""
    caller = Connection(int(sys.argv[1]))
    _end_with(caller)
    given = caller.recv()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # what a model prints is no data
    sys.path[:] = dict.fromkeys(
        [*given["first"], *sys.path, *given["then"], str(Path(__file__).parents[2])]
    )
    try:
        from mnistrobust.checks.model import framework_versions
        from mnistrobust.checks.outputs import naming

        if not given["module"]:
            limit_memory(MEMORY)
        with naming(given["name"], ": it cannot be loaded:"):
            file = opened(given)
        reply: Any = (file.predict is None, file.input_shape, framework_versions()), None
    except Exception as error:  # noqa: BLE001 - of the environment, if not the model's
        reply = None, str(error)
    except KeyboardInterrupt:
        reply = None, f"{given['name']}: it cannot be loaded: KeyboardInterrupt"
    with suppress(EOFError, OSError):  # our caller has ended, or the model has closed all files
        while True:
            caller.send(reply)
            method, *request = caller.recv()
            try:
                with naming(given["name"]):
                    reply = getattr(file, method)(*request), None
            except Exception as error:  # noqa: BLE001 - a line, whatever it is
                reply = None, str(error)
            except KeyboardInterrupt:  # of the model: Ctrl-C does not reach this session
                reply = None, f"{given['name']} raised KeyboardInterrupt"


def opened(given: dict[str, Any]) -> Any:
    """Load a module's object, or a model file: the frameworks are imported here, within limits."""
    from mnistrobust.checks import formats
    from mnistrobust.checks.model import callable_of, imported, stated_shape

    if given["module"]:
        found = imported(given["target"])
        return formats.File(callable_of(found), stated_shape(found))
    path, framework = Path(given["target"]), lambda: limit_memory(FRAMEWORK_MEMORY)
    return formats.load(path, given["arch"], trust=given["trust"], framework=framework)


def limit_memory(size: int) -> None:
    """Limit this process's address space, where the system keeps such a limit."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    soft = size if hard == resource.RLIM_INFINITY else min(size, hard)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _end_with(caller: Connection) -> None:
    """Fork a watcher that ends this group of processes once our caller has closed our input."""
    if os.fork():
        return
    caller.close()
    ours = select.poll()
    ours.register(0, 0)  # no event but the end of the pipe
    ours.poll()
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
