"""Errors that say what was expected, what came, and what to do.

Each carries the exit code that the command line gives it.
"""

import difflib
from collections.abc import Iterable


class MnistRobustError(Exception):
    """Base of the library's errors; its text is one line for the user."""

    exit_code = 1


class UsageError(MnistRobustError):
    """A name, an option or a value that does not exist."""

    exit_code = 2


class DataError(MnistRobustError):
    """No usable data: a missing, damaged or foreign file."""

    exit_code = 3


class ImageError(UsageError, ValueError):
    """An array that cannot be a set of images, labels or probabilities."""


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """Make the error for a name that is not among the known ones, with the nearest of them."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"known are: {', '.join(names)}."
    return UsageError(f"Unknown {kind} '{name}': {hint}")
