"""Results that somebody else wrote: read whole, or one line."""

import json
import os

import pytest

from mnistrobust.data import Source
from mnistrobust.errors import UsageError
from mnistrobust.evidence.results import Outcome, Results
from mnistrobust.report.markdown import cell
from mnistrobust.suite import read_results
from specs.helpers.synthetic import WINS

SOURCE = Source(name="mnist5k", digest="0" * 64, path=None, why="as asked for")
OUTCOME = Outcome(id="ann.offset_noise_hurts", seed=0, figures={"clean": 0.98}, margin=0.1)
RESULTS = Results(source=SOURCE, seeds=(0,), outcomes=(OUTCOME,), versions={"numpy": "2"})
DEEP = "[" * 100_000


@pytest.fixture
def read(tmp_path):
    """Read the text of a results file, or of what stands in its place in JSON."""

    def reading(text):
        (tmp_path / "results.json").write_text(text, "utf-8")
        return read_results(tmp_path / "results.json")

    return reading


def test_results_survive_their_file(read):
    """What was written is read, also without the versions that earlier files lack."""
    assert read(RESULTS.to_json()) == RESULTS
    fields = json.loads(RESULTS.to_json())
    del fields["versions"]
    assert read(json.dumps(fields)).outcomes == RESULTS.outcomes


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_results_are_read_in_any_utf(encoding, tmp_path):
    """As a shell or an editor of Windows writes them."""
    (tmp_path / "results.json").write_text(RESULTS.to_json(), encoding)

    assert read_results(tmp_path / "results.json") == RESULTS


def test_bytes_that_are_no_text_are_told_in_our_words(tmp_path):
    """Python's own name the codec."""
    (tmp_path / "results.json").write_bytes(b'{"a": "\xff"}')
    with pytest.raises(UsageError, match=r"expected what verify wrote, which is text\.$"):
        read_results(tmp_path / "results.json")


@pytest.mark.parametrize(
    ("margin", "word"), [(1e-9, "holds"), (0.0, "does not hold"), (-1e-9, "does not hold")]
)
def test_a_claim_holds_above_its_bound(margin, word):
    """At the bound it does not."""
    assert Outcome(id=WINS, seed=0, margin=margin).word == word


WRONG = {
    ("claims", 0, "margin"): ["0.1", True, [], float("nan"), float("inf"), 1e308, 10**400],
    ("claims", 0, "figures"): [None, [], {"clean": None}, {"clean": "0.9"}, {"unknown": 0.9}],
    ("claims", 0, "draws"): [{"clean": 0.9}, {"clean": ["0.9"]}],
    ("claims", 0, "id"): [None, "ann.nothing", ["ann.offset_noise_hurts"]],
    ("claims", 0, "seed"): [1, None, 0.0],
    ("claims", 0, "more"): [1],
    ("claims", 0, "error"): [0, "\ud800"],
    ("claims", 0): [None, []],
    ("claims",): [None, {}, "text", [], [OUTCOME.to_json()] * 2],
    ("seeds",): [None, 0, ["0"], [-1], []],
    ("data",): [None, {}, []],
    ("data", "name"): ["../../etc", None],
    ("versions",): [[], {"numpy": 2}],
}


@pytest.mark.parametrize(
    ("place", "value"),
    [(place, value) for place, values in WRONG.items() for value in values],
    ids=map(str, range(sum(map(len, WRONG.values())))),
)
def test_a_value_of_another_kind_is_one_line(place, value, read):
    """Text, null, lists and numbers without end never reach the report."""
    fields = json.loads(RESULTS.to_json())
    holder = fields
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = value

    with pytest.raises(UsageError, match="expected what verify wrote") as caught:
        read(json.dumps(fields))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "null", "[]", DEEP, '{"a":' * 100_000], ids=list("abcde"))
def test_what_is_no_object_is_one_line(text, read):
    """Other JSON, also a hundred thousand brackets, is an error and no traceback."""
    with pytest.raises(UsageError, match="expected what verify wrote"):
        read(text)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_no_results_file(tmp_path):
    """A pipe is refused: reading it could wait for ever."""
    os.mkfifo(tmp_path / "results.json")
    with pytest.raises(UsageError, match=r"results\.json: not a regular file"):
        read_results(tmp_path / "results.json")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("![x](http://example.org)|`a`", r"!\[x\](http:\//example.org)\|\`a\`"),
        ("<b> ~~no~~ www.example.org", r"\<b\> \~\~no\~\~ www\.example.org"),
        ("\x1b[31mred\n\u202e", r"\\x1b\[31mred \\u202e"),
    ],
)
def test_text_is_inert_in_markdown(text, shown):
    """Links, pictures, tags and control characters are shown, not followed."""
    assert cell(text) == shown
