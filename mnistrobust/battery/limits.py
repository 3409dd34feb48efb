"""Limits that a process sets on itself; imports nothing of this package, for it runs alone."""

from typing import Any


def limit(*, memory: int, seconds: int) -> None:
    """Limit this process's address space in bytes and its processor time.

    The system keeps such limits where it has them: not on Windows.
    """
    try:
        import resource
    except ImportError:
        return
    _set(resource, "RLIMIT_AS", memory)
    _set(resource, "RLIMIT_CPU", seconds)
    _set(resource, "RLIMIT_CORE", 0)


def forbid_files(*, reading: bool = False) -> None:
    """Let this process write to no file, and open none but for `reading`."""
    try:
        import resource
    except ImportError:
        return
    _set(resource, "RLIMIT_FSIZE", 0)
    if not reading:
        _set(resource, "RLIMIT_NOFILE", 0)


def _set(resource: Any, name: str, value: int) -> None:
    if hasattr(resource, name):
        number = getattr(resource, name)
        _, hard = resource.getrlimit(number)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(number, (value, value))
