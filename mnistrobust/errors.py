"""Errors that say what was expected, what came, and what to do.

Each carries the exit code that the command line gives it.
"""

import difflib
import sys
import warnings
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


def inert(text: object) -> str:
    """Return text as one line in which control characters are spelled out, for a terminal."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape", "surrogatepass").decode()
        for each in str(text)
    )


def say(text: object) -> None:
    """Write one line to standard error."""
    sys.stderr.write(f"mnistrobust: {inert(text)}\n")


def say_warnings() -> None:
    """Let this process show each warning as one line, without the line of code it comes from."""
    warnings.showwarning = lambda message, *_, **__: say(message)


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """Make the error for a name that is not among the known ones, with the nearest of them."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"known are: {', '.join(names)}."
    return UsageError(f"Unknown {kind} '{name}': {hint}")
