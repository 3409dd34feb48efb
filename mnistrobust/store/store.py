"""Content-addressed results on disk: crash-safe, shared by processes, plain formats only.

An entry is one file that appears whole: a line with the SHA-256 of what follows, then tensors and
JSON in the safetensors format. The lock saves work; no result depends on it.
"""

import contextlib
import hashlib
import json
import os
import re
import secrets
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import safetensors.numpy

from mnistrobust.data import cache_folder
from mnistrobust.errors import UsageError, say
from mnistrobust.files import absolute, parsed, regular, write_whole

_MAGIC = b"mnistrobust 1 "
SHORT = 20  # digits of a digest, in a name
_NAME = rf"(?s:.+)-[0-9a-f]{{{SHORT}}}\.entry"
_LEFT = rf"{_NAME}\.[0-9a-f]+(\.tmp)?"  # by a killed writer, or set aside
_PATIENCE = 5.0  # seconds until a process says that it waits
_HEAD = len(_MAGIC) + 65  # with the digest and a newline


class StoreWarning(UserWarning):
    """A stored entry that was set aside, or one that could not be written."""


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
    def short(self) -> str:
        """The digest's first digits, which end the entry's name."""
        return self.digest[:SHORT]

    @property
    def name(self) -> str:
        """The entry's path in the store, without suffix."""
        return f"{self.kind}/{self.label}-{self.short}"


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
            header = parsed(content[8 : 8 + int.from_bytes(content[:8], "little")])
            meta = parsed(header["__metadata__"]["json"])
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
            entry = Entry.from_bytes(_verified(path.read_bytes()))
            if entry.meta.get("key") != key.facts:
                raise ValueError("it belongs to another key")
        except OSError:
            return None
        except ValueError as error:
            self._set_aside(path, str(error))
            return None
        return entry

    def put(self, key: Key, entry: Entry) -> Entry:
        """Keep an entry, in memory with a StoreWarning where disk fails; return what is kept."""
        kept = Entry(entry.tensors, {**entry.meta, "key": key.facts})
        payload = kept.to_bytes()
        head = _MAGIC + hashlib.sha256(payload).hexdigest().encode()
        path = self.path(key)
        try:
            if os.path.lexists(path) and not (path.is_file() or path.is_dir()):
                self._set_aside(path, "it is no file")
            write_whole(path, head + b"\n" + payload)
        except OSError as error:
            if not self._memory:  # said once
                warnings.warn(
                    f"Cannot write to the store {self.root} ({error.strerror or error}): results "
                    f"are kept in memory only; free space or name another folder with --store.",
                    StoreWarning,
                    stacklevel=2,
                )
            self._memory[key.name] = kept
        return kept

    def digest(self, key: Key) -> str | None:
        """Return the digest of a key's entry as its first line states it, or None without one."""
        if key.name in self._memory:
            return self._memory[key.name].digest
        try:
            with regular(self.path(key)).open("rb") as file:
                head = file.readline(_HEAD).removeprefix(_MAGIC)
        except OSError:
            return None
        return head.strip().decode("ascii", "replace")

    @contextlib.contextmanager
    def lock(
        self, key: Key, *, wait: bool = True, waiting: Callable[[str], None] = say
    ) -> Iterator[bool]:
        """Hold the key's lock for the block; yields False when `wait` is off and it is taken.

        A process that ends releases its locks. After some seconds, `waiting` is told for what and
        for whom this one waits. Where no lock can be made, the block runs without.
        """
        path = self.root / "locks" / f"{key.name.replace('/', '-')}.lock"
        lock, holder, free = filelock.FileLock(path), path.with_suffix(".pid"), True
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with warnings.catch_warnings():
                # Without flock, filelock would warn and turn to files that outlive their process.
                warnings.filterwarnings("error", "flock not supported")
                try:
                    lock.acquire(timeout=_PATIENCE if wait else 0)
                except filelock.Timeout:
                    if not wait:
                        raise
                    waiting(f"waiting for {key.label}, which process {_said(holder)} works on")
                    lock.acquire()
                regular(holder).write_text(str(os.getpid()), "ascii")
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
        return self.root / f"{key.name}.entry"

    def entries(self) -> list[Path]:
        """Return the files of all entries, sorted by name; a file of another name is none of ours."""
        found = (path for path in self.root.glob("*/*.entry") if re.fullmatch(_NAME, path.name))
        return sorted(path for path in found if path.is_file())

    def facts(self) -> dict[Path, dict[str, Any]]:
        """Return the facts that each entry's key depends on; none for a damaged entry."""
        facts: dict[Path, dict[str, Any]] = {}
        for path in self.entries():
            with contextlib.suppress(OSError, ValueError):
                facts[path] = Entry.from_bytes(_verified(path.read_bytes())).meta["key"]
        return facts

    def clear(self) -> int:
        """Remove all entries, also those set aside; return their number, UsageError on failure.

        Files of other names stay: the folder may be the user's own.
        """
        files = self.entries()
        left = [*self.root.glob("broken/*"), *self.root.glob("*/*.tmp")]
        self.remove([*files, *(path for path in left if re.fullmatch(_LEFT, path.name))])
        self._memory.clear()
        return len(files)

    def remove(self, files: Sequence[Path]) -> None:
        """Remove files of this store; raise UsageError where one cannot be removed."""
        try:
            for path in files:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise UsageError(
                f"Cannot remove {error.filename} ({error.strerror}): remove it by hand."
            ) from error

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


def _said(holder: Path) -> str:
    with contextlib.suppress(OSError):
        return regular(holder).read_text("ascii", "replace")
    return "of another machine or user"


def open_store(folder: str | Path | None = None) -> Store:
    """Return the store in a folder, `MNISTROBUST_STORE` or the cache.

    Raises UsageError for a file, and for a folder that cannot be read or cannot exist.
    """
    chosen = folder or os.environ.get("MNISTROBUST_STORE") or cache_folder() / "store"
    root = absolute(chosen)
    if os.path.lexists(root) and not root.is_dir():
        raise UsageError(f"--store {root}: expected a folder, found a file; name another path.")
    try:
        os.scandir(root).close()
    except FileNotFoundError:  # it is made when the first entry is written
        pass
    except OSError as error:
        raise UsageError(f"--store {root}: {error.strerror}; name another folder.") from error
    return Store(root)


def _verified(content: bytes) -> bytes:
    """Return an entry's payload; ValueError where it is not what was written."""
    head, newline, payload = content.partition(b"\n")
    if not newline or not head.startswith(_MAGIC):
        raise ValueError("it is no entry of this store")
    if hashlib.sha256(payload).hexdigest().encode() != head.removeprefix(_MAGIC):
        raise ValueError("its content does not match its digest")
    return payload


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
