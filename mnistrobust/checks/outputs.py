"""What a model returns for a batch: logits or probabilities of digits, as an array in their order."""

import re
import sysconfig
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from mnistrobust.errors import UsageError

PROBABILITIES, LOGITS, LOG_PROBABILITIES = "probabilities", "logits", "log-probabilities"
CLASSES = (10, 11)
SUM_TOLERANCE = 1e-3  # sums of ten probabilities in float16 are off by less
_ROUNDING = 10  # that ten whole numbers lose at most
_WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "noise"]
_LONGEST = 300  # characters of an error that is not ours
_CODES = re.compile(r"\x1b\[[\d;]*m")  # colours of a terminal
_NOT_THEIRS = ("<", str(Path(__file__).parents[1]), *sysconfig.get_paths().values())
_PREAMBLE = "Exception encountered when calling"  # Keras names the layer; the cause follows


class ModelError(UsageError):
    """A model that cannot be found, called or understood."""


@contextmanager
def naming(name: str, how: str = " raised") -> Iterator[None]:
    """Turn whatever a model's code raises, but an interrupt, into a ModelError with the model's name."""
    try:
        yield
    except KeyboardInterrupt:
        raise
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from error
    except BaseException as error:
        raise ModelError(f"{name}{how} {said(error)}") from error


def said(error: BaseException) -> str:
    """Return the kind and the text of an error that is not ours, in one line."""
    text = ""
    with suppress(Exception):  # a text may raise, too
        lines = _CODES.sub("", str(error)).splitlines()
        text = " ".join(" ".join(line for line in lines if not line.startswith(_PREAMBLE)).split())
    line = f"{type(error).__name__}: {text}".removesuffix(": ")
    line = line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
    return f"{line}{_place(error)}"


def _place(error: BaseException) -> str:
    """Return the last line of the user's own code that an error passed, or nothing."""
    own = ""
    for frame, line in traceback.walk_tb(error.__traceback__):  # its source is not read
        file = frame.f_code.co_filename
        own = own if file.startswith(_NOT_THEIRS) else f" ({Path(file).name}:{line})"
    return own


def checked_outputs(given: Any, n: int) -> np.ndarray:
    """Return a model's outputs for `n` images as a new float array (n, classes), or raise ModelError.

    A container of one array is that array; axes of length 1 are dropped; named columns are put in the order of
    the digits; what is masked is NaN; float64 stays.
    """
    given = _unpacked(given, n)
    several = isinstance(given, tuple | list) and n != len(given) > 0 and _dimensions(given[0]) > 1
    if isinstance(given, Mapping) or several:
        raise ModelError(f"expected an array, received {_kind(given)}: return one of them")
    columns = getattr(given, "columns", None)
    try:
        if isinstance(given, tuple | list) and any(hasattr(row, "detach") for row in given):
            given = [_array(row) for row in given]
        values = np.asanyarray(_array(given))
        if values.dtype == object and values.size and isinstance(values.flat[0], str):
            values = values.astype(str)
        if values.dtype == object or values.dtype.name == "bfloat16":
            values = values.astype(np.float64)
    except (ValueError, TypeError) as error:
        raise ModelError(f"expected an array, received {_kind(given)} ({said(error)})") from error
    if values.ndim > 2:
        values = values.reshape(*values.shape[:1], *(size for size in values.shape[1:] if size > 1))
    numbers = values.dtype.kind in "biuf"
    if not numbers or values.shape not in {(n, classes) for classes in CLASSES}:
        single = values.shape in {(n,), (n, 1)}
        hint = (
            "; these look like labels: name what gives scores"
            if single and values.dtype.kind in "biufSU"
            else ""
        )
        if numbers and values.size in CLASSES:
            hint = "; these look like one image's: name a function that calls it for each"
        received = f"{values.shape} of {values.dtype}" if values.shape else _kind(given)
        raise ModelError(
            f"expected logits or probabilities of shape ({n}, 10) or ({n}, 11), received "
            f"{received}{hint}"
        )
    values = np.array(values, np.float32 if values.dtype.itemsize < 8 else np.float64, subok=True)
    # a plain array: columns of a matrix, as of `todense`, have two axes
    values = values.filled(np.nan) if np.ma.isMaskedArray(values) else np.asarray(values)
    return values if columns is None else values[:, digit_order(columns, "columns")]


def digit_order(labels: Iterable[Any], what: str) -> list[int]:
    """Return where the columns of the digits 0, 1, … are, by their labels: 3, "3.0", "p_3", "three"."""
    given = list(labels)
    digits = [_digit(label) for label in given]
    if sorted(digits) != list(range(len(digits))) or len(digits) not in CLASSES:
        found = " ".join(map(str, given))[:_LONGEST]
        raise ModelError(f"it has the {what} {found}: expected 0 to 9, and 10 for noise")
    return [digits.index(digit) for digit in range(len(digits))]


def outputs_of(raw: np.ndarray, stated: str | None = None) -> str:
    """Return what outputs (n, classes) are, by their values where it is not stated.

    Values in [0, 1] are probabilities, whatever their sums: a check judges those.
    """
    values = raw[~np.isnan(raw).any(axis=1)].astype(np.float64)
    highest = values <= 1 + SUM_TOLERANCE
    if stated == PROBABILITIES or (
        stated is None and (values >= -SUM_TOLERANCE).all() and highest.all()
    ):
        return PROBABILITIES
    with np.errstate(over="ignore", under="ignore"):
        sums = np.exp(values).sum(axis=1)
        ones = (np.abs(sums - 1) < SUM_TOLERANCE).all()
    return LOG_PROBABILITIES if ones and len(values) else LOGITS


def check_scale(raw: np.ndarray) -> None:
    """Raise ModelError for rows of outputs that are percentages, or probabilities of 255 steps."""
    values = raw[~np.isnan(raw).any(axis=1)].astype(np.float64)
    rounding = _ROUNDING * bool((values == np.rint(values)).all())
    for whole in (100, 255):
        with np.errstate(over="ignore", invalid="ignore"):
            gaps = np.abs(values.sum(axis=1) - whole)
        if len(values) and (values >= 0).all() and (gaps <= rounding + whole * SUM_TOLERANCE).all():
            raise ModelError(
                f"its scores of each image sum to {whole}: divide them by {whole}, which makes them "
                f"probabilities, or say --logits"
            )


def _array(given: Any) -> Any:
    if not hasattr(given, "detach"):
        return given
    tensor = given.detach().cpu()  # PyTorch's; NumPy has no bfloat16
    return (tensor.float() if tensor.dtype.itemsize == 2 else tensor).numpy()


def _unpacked(given: Any, n: int) -> Any:
    while isinstance(given, Mapping | tuple | list) and len(given) == 1:
        (inner,) = given.values() if isinstance(given, Mapping) else given
        row = _dimensions(inner) < 2 if isinstance(given, list) else n == _dimensions(inner) == 1
        if row and not isinstance(given, Mapping):  # of one image
            break
        given = inner
    return given


def _dimensions(given: Any) -> int:
    return len(getattr(given, "shape", ()))  # of what is an array already


def _kind(given: Any) -> str:
    kind = type(given).__name__
    if isinstance(given, Mapping):
        return f"a {kind} of {', '.join(map(str, given))}"[:_LONGEST]
    return f"a {kind} of {len(given)}" if isinstance(given, tuple | list) else kind


def _digit(label: Any) -> int:
    text = (label.decode("utf-8", "replace") if isinstance(label, bytes) else str(label)).lower()
    numbers = re.findall(
        r"(?:(?<!\w)-)?\d+(?:\.0+)?(?!\d)", text
    )  # the hyphen of digit-3 is no sign
    words = [_WORDS.index(word) for word in re.findall("[a-z]+", text) if word in _WORDS]
    found = [int(float(number)) for number in numbers] or words
    return found[0] if len(found) == 1 else -1
