"""Which changes of code make a stored result stale."""

import tempfile
from functools import cache
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnistrobust.store import code

NUMBERS = st.integers(0, 9)
ROOT = "mnistrobust.sample:root"


def program(*, scale=1, helper=2, distant=3, unused=4, note="", blank=""):
    """Return two modules: `root` refers to a constant, a helper, and a function elsewhere."""
    document = f'    """{note}"""\n' if note else ""
    comment = f"# {note}\n" if note else ""
    sample = (
        f'"""{note}"""\n{blank}from mnistrobust import other\n{comment}SCALE = {scale}\n'
        f"def helper(x):\n{document}    return x + {helper}\n{blank}"
        f"def root(x):\n{document}    {comment or '#'}\n    return other.far(helper(x)) * SCALE\n"
        f"def unused(x):\n    return x - {unused}\n"
    )
    other = f"{comment}def far(x):\n{document}    return x ** {distant}\n"
    return {"sample.py": sample, "other.py": other}


def digest(files, root=ROOT, **options):
    """Return the digest of a root in a package of these files."""
    parse = cache(code._parse.__wrapped__)  # the library's own files stay parsed
    with (
        tempfile.TemporaryDirectory() as folder,
        patch.multiple(code, _FOLDER=Path(folder), _parse=parse),
    ):
        for name, text in files.items():
            Path(folder, name).write_text(text)
        return code.digest.__wrapped__(root, **options)


@given(st.sampled_from(["", "A note", "x = 1"]), st.sampled_from(["", "\n", "\n\n\n"]))
def test_comments_docstrings_and_blank_lines_change_no_digest(note, blank):
    """Catches a corrected spelling that throws away a day of training."""
    assert digest(program(note=note, blank=blank)) == digest(program())


@given(NUMBERS, st.sampled_from(["scale", "helper", "distant"]), NUMBERS)
def test_every_definition_in_use_changes_the_digest(number, place, other):
    """Catches a stale result: a constant, helper or other module that is not followed."""
    equal = digest(program(**{place: number})) == digest(program(**{place: other}))

    assert equal == (number == other)


def test_values_that_count_as_nothing_are_different_values():
    """Catches `axis=0` in place of `axis=None`: results would be stale."""
    values = ("0", "None", "False", "''", "b''", "0.0", "()", "[]", "{}")
    digests = {digest({"sample.py": f"def root():\n    return {value}\n"}) for value in values}

    assert len(digests) == len(values)


@given(NUMBERS, NUMBERS)
def test_unused_definitions_change_no_digest(number, other):
    """Catches a digest of the whole file: adding a condition would make every other one stale."""
    assert digest(program(unused=number)) == digest(program(unused=other))


@given(NUMBERS, NUMBERS, st.sampled_from(["mnistrobust.other", "mnistrobust.other:far"]))
def test_skipped_code_changes_no_digest(number, other, skip):
    """Catches a skipped module or function that is followed all the same."""
    first, second = (digest(program(distant=each), skip=(skip,)) for each in (number, other))

    assert first == second


@given(st.text("abcdef", min_size=1, max_size=8).map(lambda name: f"no_{name}"))
def test_unknown_root_is_an_error(name):
    """Catches a misspelt root, whose digest would never change."""
    with pytest.raises(KeyError, match=name):
        digest(program(), f"mnistrobust.sample:{name}")
