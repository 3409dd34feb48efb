"""Content-addressed results on disk: crash-safe, shared by processes, plain formats only.

An entry is one file: a line with the SHA-256 of what follows, then tensors and JSON in the
safetensors format. It appears whole, by a rename, or not at all. The lock saves work; no result
depends on it.
"""

import contextlib
import hashlib
import json
import os
import secrets
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import safetensors.numpy

from mnistrobust.data import cache_folder
from mnistrobust.errors import UsageError

_MAGIC = b"mnistrobust 1 "
_SUFFIX = ".entry"
_HEAD = len(_MAGIC) + 65  # with the digest and a newline


class StoreWarning(UserWarning):
    """A stored entry that was set aside, or one that could not be written."""


class _DamagedError(Exception):
    """The bytes of an entry are not what was written."""


@dataclass(frozen=True)
class Key:
    """What an entry is called: a kind, a readable label and the facts it depends on."""

    kind: str
    label: str
    facts: dict[str, Any]

    @property
    def digest(self) -> str:
        """SHA-256 of the facts, in hexadecimal."""
        return hashlib.sha256(_json(self.facts)).hexdigest()

    @property
    def name(self) -> str:
        """The entry's path in the store, without suffix."""
        return f"{self.kind}/{self.label}-{self.digest[:20]}"


@dataclass(frozen=True, eq=False)
class Entry:
    """Named tensors and a JSON object."""

    tensors: dict[str, np.ndarray]
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 of the entry's bytes, in hexadecimal."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def to_bytes(self) -> bytes:
        """Return the entry in the safetensors format; equal entries give equal bytes."""
        # One metadata key only: the format keeps no order among several.
        tensors = {name: np.ascontiguousarray(each) for name, each in self.tensors.items()}
        content: bytes = safetensors.numpy.save(tensors, {"json": _json(self.meta).decode()})
        return content

    @classmethod
    def from_bytes(cls, content: bytes) -> "Entry":
        """Parse what `to_bytes` returned; ValueError for other bytes."""
        try:
            size = int.from_bytes(content[:8], "little")
            header = json.loads(content[8 : 8 + size])
            meta = json.loads(header["__metadata__"]["json"])
            return cls(safetensors.numpy.load(content), dict(meta))
        except (KeyError, TypeError, safetensors.SafetensorError) as error:
            raise ValueError(f"no tensors with JSON: {error}") from error


class Store:
    """A folder of entries. Where it cannot be written, this process keeps them in memory."""

    def __init__(self, root: Path) -> None:
        """Use a folder, which is made when the first entry is written."""
        self.root = root
        self._memory: dict[str, Entry] = {}

    def has(self, key: Key) -> bool:
        """Return whether there is an entry, sound or not, without reading it."""
        return key.name in self._memory or self.path(key).is_file()

    def get(self, key: Key) -> Entry | None:
        """Return the entry, or None. A damaged one is set aside, with a StoreWarning."""
        if key.name in self._memory:
            return self._memory[key.name]
        path = self.path(key)
        if not path.is_file():  # a named pipe would block
            return None
        try:
            content = path.read_bytes()
        except OSError:
            return None
        try:
            entry = Entry.from_bytes(_verified(content))
            if entry.meta.get("key") != key.facts:
                raise _DamagedError("it belongs to another key")
        except (_DamagedError, ValueError) as error:
            self._set_aside(path, str(error))
            return None
        return entry

    def put(self, key: Key, entry: Entry) -> Entry:
        """Keep an entry under a key and return it as a reader will see it.

        A full disk or a read-only folder gives one StoreWarning; the entry is then kept in
        memory, for this process.
        """
        kept = Entry(entry.tensors, {**entry.meta, "key": key.facts})
        payload = kept.to_bytes()
        path = self.path(key)
        try:
            write_whole(
                path, _MAGIC + hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload
            )
        except OSError as error:
            self._memory[key.name] = kept
            warnings.warn(
                f"Cannot write to the store {self.root} ({error.strerror or error}): results are "
                f"kept in memory only; free space or name another folder with --store.",
                StoreWarning,
                stacklevel=2,
            )
        return kept

    def digest(self, key: Key) -> str | None:
        """Return the digest of a key's entry as its first line states it, or None without one."""
        if key.name in self._memory:
            return self._memory[key.name].digest
        try:
            with self.path(key).open("rb") as file:
                head = file.readline(_HEAD)
        except OSError:
            return None
        return head.removeprefix(_MAGIC).strip().decode("ascii", "replace")

    @contextlib.contextmanager
    def lock(self, key: Key, *, wait: bool = True) -> Iterator[bool]:
        """Hold the key's lock for the block; yields False when `wait` is off and it is taken.

        A process that ends, however it ends, releases its locks. Where locks cannot be made, the
        block runs without one: the rename alone keeps entries whole.
        """
        path = self.root / "locks" / f"{key.name.replace('/', '-')}.lock"
        lock = filelock.FileLock(path)
        free = True
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with warnings.catch_warnings():
                # Without flock, filelock would warn and turn to files that outlive their process.
                warnings.filterwarnings("error", "flock not supported")
                lock.acquire(timeout=-1 if wait else 0)
        except filelock.Timeout:
            free = False
        except (OSError, NotImplementedError, UserWarning):
            pass  # read-only, full, or a file system without locks
        try:
            yield free
        finally:
            lock.release()

    def path(self, key: Key) -> Path:
        """Return the file that holds, or would hold, a key's entry."""
        return self.root / f"{key.name}{_SUFFIX}"

    def entries(self) -> list[Path]:
        """Return the files of all entries, sorted by name."""
        return sorted(path for path in self.root.glob(f"*/*{_SUFFIX}") if path.is_file())

    def damaged(self) -> list[tuple[Path, str]]:
        """Check every entry's digest; return the damaged ones with the reason."""
        found = []
        for path in self.entries():
            try:
                _verified(path.read_bytes())
            except (OSError, _DamagedError) as error:
                found.append((path, str(error)))
        return found

    def clear(self) -> int:
        """Remove all entries, also those set aside, and return how many there were.

        Raises UsageError where a file cannot be removed.
        """
        files = self.entries()
        try:
            for path in [*files, *self.root.glob("broken/*"), *self.root.glob("*/*.tmp")]:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise UsageError(
                f"Cannot remove {error.filename} ({error.strerror}): remove it by hand."
            ) from error
        self._memory.clear()
        return len(files)

    def _set_aside(self, path: Path, reason: str) -> None:
        target = self.root / "broken" / f"{path.name}.{secrets.token_hex(4)}"
        with contextlib.suppress(OSError):  # another process may have been faster
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
        warnings.warn(
            f"Set aside a damaged entry, {path.name} ({reason}): it is made anew.",
            StoreWarning,
            stacklevel=3,
        )


def open_store(folder: str | Path | None = None) -> Store:
    """Return the store in a folder: the given one, `MNISTROBUST_STORE`, or the user's cache.

    Raises UsageError when the path is a file.
    """
    chosen = folder or os.environ.get("MNISTROBUST_STORE") or cache_folder() / "store"
    root = Path(os.path.expanduser(chosen)).absolute()  # noqa: PTH111 - leaves an unknown ~name
    if os.path.lexists(root) and not root.is_dir():
        raise UsageError(f"--store {root}: expected a folder, found a file; name another path.")
    return Store(root)


def _verified(content: bytes) -> bytes:
    head, newline, payload = content.partition(b"\n")
    if not newline or not head.startswith(_MAGIC):
        raise _DamagedError("it is no entry of this store")
    if hashlib.sha256(payload).hexdigest().encode() != head.removeprefix(_MAGIC):
        raise _DamagedError("its content does not match its digest")
    return payload


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that appears whole, by a rename, or not at all; OSError where it cannot be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
