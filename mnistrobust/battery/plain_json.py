"""JSON with plain values only: no duplicates, no NaN, nothing deep or large."""

import json
import math
from typing import Any, NoReturn

from mnistrobust.battery.refusal import RefusedError, quoted

MAX_BYTES = 256 * 1024  # thirty times what the document's networks take
MAX_DEPTH = 24
MAX_DIGITS = 20


def parse(data: bytes, what: str) -> Any:
    """Return the value of JSON in UTF-8; RefusedError, naming `what`, for anything unusual."""
    if len(data) > MAX_BYTES:
        raise RefusedError(f"{what} has {len(data):,} bytes: expected at most {MAX_BYTES:,}")
    try:
        text = data.decode("utf-8")
        if _depth(text) > MAX_DEPTH:
            raise RefusedError(f"{what} is nested deeper than {MAX_DEPTH}")
        return json.loads(
            text,
            object_pairs_hook=_mapping,
            parse_constant=_constant,
            parse_int=_integer,
            parse_float=_number,
        )
    except (ValueError, RecursionError) as error:
        raise RefusedError(f"{what} is no JSON ({type(error).__name__})") from error
    except RefusedError as error:
        reason = str(error)
        raise RefusedError(reason if what in reason else f"{what} {reason}") from error


def _depth(text: str) -> int:
    """Return the deepest nesting, found without recursion."""
    deepest = depth = 0
    inside = escaped = False
    for each in text:
        if inside:
            if escaped:
                escaped = False
            elif each == "\\":
                escaped = True
            elif each == '"':
                inside = False
        elif each == '"':
            inside = True
        elif each in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif each in "]}":
            depth -= 1
    return deepest


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise RefusedError("has a key twice")
    return found


def _constant(text: str) -> NoReturn:
    raise RefusedError(f"has the value {quoted(text)}")


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise RefusedError(f"has an integer of {len(text)} digits")
    return int(text)


def _number(text: str) -> float:
    value = float(text)
    if len(text) > 2 * MAX_DIGITS or not math.isfinite(value):
        raise RefusedError(f"has the number {quoted(text)}")
    return value
