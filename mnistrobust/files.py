"""Files that appear whole or not at all, files that cannot block, and JSON of the right types."""

import contextlib
import errno
import json
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, BinaryIO, get_args, get_origin, get_type_hints

_LEFTOVER = re.compile(r".+\.[0-9a-f]{16}\.tmp")
_OLD = 3600.0  # seconds; no file takes longer to write
_LARGEST = 1e100  # of a number, so that sums and squares of some are numbers too


def regular(path: Path) -> Path:
    """Return a path where there is a file, a folder or nothing.

    Raises OSError for a pipe, a socket or a device: reading or writing one can wait for ever.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        mode = path.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
    return path


def parsed(text: str | bytes) -> Any:
    """Return the value that JSON text stands for; ValueError for any other text."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def typed(kind: Any, value: Any, where: str) -> Any:
    """Return a value of JSON as one of a type, such as a dataclass or `dict[str, float]`.

    Numbers are finite. Raises ValueError, which says where another value is.
    """
    inner, arguments = get_origin(kind) or kind, get_args(kind)
    if inner is UnionType:  # such as `float | None`
        return None if value is None else typed(arguments[0], value, where)
    if is_dataclass(kind):
        value = typed(dict[str, Any], value, where)
        types, needed = _fields(inner)
        if odd := (needed - value.keys()) | (value.keys() - types.keys()):
            raise ValueError(f"{where} lacks, or has unknown, {', '.join(sorted(odd))}")
        return inner(
            **{name: typed(types[name], value[name], f"{where}, {name}") for name in value}
        )
    if inner in {dict, Mapping} and isinstance(value, dict):
        return {name: typed(arguments[1], each, f"{where}, {name}") for name, each in value.items()}
    if inner in {list, tuple} and isinstance(value, list):
        return inner(typed(arguments[0], each, f"{where} {i}") for i, each in enumerate(value, 1))
    right = inner is Any or type(value) is inner
    if inner is float:
        right = type(value) in {int, float} and -_LARGEST < value < _LARGEST
    if not right:
        name = getattr(inner, "__name__", inner)
        raise ValueError(f"{where}: expected a {name}, received {str(value)[:40]!r}")
    return value


@cache
def _fields(kind: Any) -> tuple[dict[str, Any], set[str]]:
    """Return the types of a dataclass's fields by name, and the names of those without a default."""
    needed = {f.name for f in fields(kind) if {f.default, f.default_factory} == {MISSING}}
    return get_type_hints(kind), needed


def absolute(path: str | Path) -> Path:
    """Return a path that holds in whatever folder the process works later; ~ is the home folder."""
    return Path(os.path.expanduser(path)).absolute()  # noqa: PTH111 - leaves ~ where there is no home


@contextlib.contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """Open a file for bytes that appears whole, by a rename, or not at all; OSError where it cannot be.

    What killed writers left in its folder an hour ago or earlier is removed.
    """
    regular(path).parent.mkdir(parents=True, exist_ok=True)
    for each in path.parent.glob("*.tmp"):
        with contextlib.suppress(OSError):
            if _LEFTOVER.fullmatch(each.name) and time.time() - each.stat().st_mtime > _OLD:
                each.unlink()
    # a name may take 255 bytes, of which a character takes up to four
    temporary = path.with_name(f"{path.name[:50]}.{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole, or not at all; OSError where it cannot be."""
    with whole(path) as file:
        file.write(content)
