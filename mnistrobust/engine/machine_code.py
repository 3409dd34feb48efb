"""The compiler's settings, and machine code that is kept on disk: compiled once a machine."""

# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False

from __future__ import annotations

import functools
import hashlib
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numba
import platformdirs

if TYPE_CHECKING:
    from collections.abc import Callable

# Reassociation and contraction let loops be vectorised and use fused multiply-add.  `nnan` and
# `ninf` are left out: a diverging training has to give NaN, not undefined behaviour.
_FASTMATH = {"reassoc", "contract", "nsz", "arcp"}


@functools.cache
def _cache_folder() -> Path | None:
    """Return a writable folder for machine code that belongs to exactly these sources."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    folder = Path(platformdirs.user_cache_dir("mnistrobust")) / f"numba-{digest.hexdigest()[:16]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return None
    return folder


def mark_compiled(module: str) -> None:
    """Note that the machine code of an engine's module is on disk."""
    folder = _cache_folder()
    if folder is not None:
        with suppress(OSError):
            (folder / f"{module}.compiled").touch()


def marked_compiled(module: str) -> bool:
    """Return whether the machine code of an engine's module is on disk, or nothing can be."""
    folder = _cache_folder()
    return folder is None or (folder / f"{module}.compiled").exists()


def _keep_on_disk(dispatcher: Any) -> None:
    """Give `dispatcher` an on-disk cache in our own folder.

    numba's stock cache watches only the file a function is in, not the files of the functions it
    calls, so an edit there would be missed; our folder's name covers every file of the engine.
    The classes are numba's internals: where they have changed, functions compile each time.
    """
    found = _cache_folder()
    if found is None:
        return
    folder = found
    try:
        from numba.core import caching

        class Locator(caching._CacheLocator):  # type: ignore[misc]  # noqa: SLF001
            def __init__(self, function: Any, file: str) -> None:
                self._py_file = file
                self._line = function.__code__.co_firstlineno

            def get_cache_path(self) -> str:
                return str(folder)

            def get_source_stamp(self) -> str:
                return folder.name

            def get_disambiguator(self) -> str:
                return str(self._line)

            @classmethod
            def from_function(cls, function: Any, file: str) -> Any:
                return cls(function, file)

        class Impl(caching.CompileResultCacheImpl):  # type: ignore[misc]
            _locator_classes = (Locator,)

        class Cache(caching.Cache):  # type: ignore[misc]
            _impl_class = Impl

            def load_overload(self, sig: Any, target_context: Any) -> Any:
                try:
                    return super().load_overload(sig, target_context)
                except (OSError, EOFError, ValueError):
                    return None  # a damaged or vanished file: compile again

            def save_overload(self, sig: Any, data: Any) -> None:
                with suppress(OSError):  # a full disk costs the next start some seconds
                    super().save_overload(sig, data)

        dispatcher._cache = Cache(dispatcher.py_func)  # noqa: SLF001
    except (ImportError, AttributeError, RuntimeError):
        return


def compiled(function: Callable[..., Any]) -> Any:
    """Compile `function` with numba on first call, and keep the machine code on disk."""
    dispatcher = numba.njit(fastmath=_FASTMATH, error_model="numpy", nogil=True)(function)
    _keep_on_disk(dispatcher)
    return dispatcher


def inlined(function: Callable[..., Any]) -> Any:
    """Compile `function` into each compiled function that calls it.

    Inlining is forced, or else a process that compiles calls another copy of `function`, optimised
    on its own, than one that loads the caller from disk, and the two round differently.
    """
    return numba.njit(fastmath=_FASTMATH, error_model="numpy", forceinline=True)(function)
