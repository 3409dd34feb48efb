"""Errors that say what was expected, what came, and what to do.

Each carries the exit code that the command line gives it.
"""

import difflib
import sys
import warnings
from collections.abc import Iterable

_MOST = 150  # characters of known names that an error lists whole
_OWN = "One of your own is package.module:function, with @perturbation."
_WHERE = {  # by the kind of an unknown name
    "check": " 'mnistrobust check --checks' lists them.",
    "claim": " 'mnistrobust claims' lists them.",
    "condition": f" 'mnistrobust recipes' and 'mnistrobust perturbations' list them. {_OWN}",
    "fault": " 'mnistrobust mutants --list' lists them.",
    "perturbation": f" 'mnistrobust perturbations' lists them. {_OWN}",
    "recipe": " 'mnistrobust recipes' lists them.",
    "recipe or baseline": " 'mnistrobust recipes' and 'mnistrobust baseline list' list them.",
}


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


class DoseError(UsageError, ValueError):
    """A dose of a perturbation that is missing, no number, or out of range."""


def inert(text: object) -> str:
    """Return text as one line in which control characters are spelled out, for a terminal."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape", "surrogatepass").decode()
        for each in str(text)
    )


def cause(error: BaseException) -> str:
    """Return why something failed, in words; of an operating system's error without its number."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def say(text: object) -> None:
    """Write one line to standard error."""
    sys.stderr.write(f"mnistrobust: {inert(text)}\n")


def say_warnings() -> None:
    """Let this process show each warning as one line, without the line of code it comes from."""
    warnings.showwarning = lambda message, *_, **__: say(" ".join(str(message).split()))


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """Make the error for a name that is not among the known ones, with the nearest of them."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    if near:
        hint = f"did you mean '{near[0]}'?"
    elif len(listed := ", ".join(names)) <= _MOST:
        hint = f"known are: {listed}."
    else:
        hint = f"nearest are: {', '.join(difflib.get_close_matches(name, names, cutoff=0))}."
    return UsageError(f"Unknown {kind} '{name}': {hint}{_WHERE.get(kind, '')}")
