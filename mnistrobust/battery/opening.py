"""Open a file once, and take its bytes; all later work is on these bytes."""

import os
import stat
from pathlib import Path

from mnistrobust.battery.refusal import MAX_FILE, RefusedError

# A device or a pipe must not block, become the terminal, or reach a child.
_FLAGS = os.O_RDONLY | sum(
    getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_BINARY")
)
_PICKLE = 0x80  # the first byte of every binary pickle; the second is its protocol


def read_whole(path: Path) -> bytes:
    """Return a regular file's bytes; RefusedError for anything else, and beyond 256 MiB.

    The path may be a link to a file. It is looked at before it is opened, since opening a device
    may already do something, and again after, since it may have been exchanged in between.
    """
    try:
        _check(path.stat())
        handle = os.open(path, _FLAGS)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no path"
        raise RefusedError(f"cannot be opened ({reason})", trustable=False) from error
    with os.fdopen(handle, "rb") as file:
        size = _check(os.fstat(handle))
        try:
            data = file.read(MAX_FILE + 1)
        except OSError as error:
            raise RefusedError(f"cannot be read ({error.strerror})", trustable=False) from error
    if len(data) != size:
        raise RefusedError("its size changes while it is read", trustable=False)
    return data


def is_pickle(data: bytes) -> bool:
    """Return whether bytes begin as a binary pickle does, and not as a number of eight bytes."""
    return len(data) > 1 and data[0] == _PICKLE and data[1] <= 5 and data[2:8] != bytes(6)


def _check(status: os.stat_result) -> int:
    if not stat.S_ISREG(status.st_mode):
        raise RefusedError("expected a regular file", trustable=False)
    if status.st_size > MAX_FILE:
        raise RefusedError(
            f"it has {status.st_size / 2**20:,.0f} MiB, and at most {MAX_FILE >> 20} are read",
            trustable=False,
        )
    if not status.st_size:  # as are the files by which a system shows its state
        raise RefusedError("it is empty", trustable=False)
    return status.st_size
