"""Curves: at which doses a claim holds, in a sentence, and the file that keeps them."""

import re
from dataclasses import replace

import pytest

from mnistrobust import curves
from mnistrobust.curves import Curve, Curves
from mnistrobust.errors import MnistRobustError
from mnistrobust.judging.ledger import ledger_of
from mnistrobust.report import terminal
from specs.helpers.synthetic import WINS, curve, head


@pytest.mark.parametrize(
    ("seeds", "where", "margin"),
    [
        (  # the median's edge is interpolated, and so is each seed's
            [(-0.1, -0.1, 0.1), (-0.1, 0.1, 0.2), (-0.1, -0.05, 0.2)],
            "from test offsets of 0.6 on (0.25 to 0.75 for 3 of 3 seeds)",
            "+0.2",
        ),
        (
            [(0.2, 0.1, -0.1), (0.2, 0.1, -0.1), (0.1, -0.1, 0.1)],
            "up to test offsets of 0.75 (0.75 to 0.75 for 2 of 3 seeds)",
            "-0.1",
        ),
        (
            [(0.1, 0.2, 0.3), (0.1, 0.2, 0.3), (0.1, -0.1, 0.3)],
            "at all of the doses tried (test offsets of 0 to 1), for 2 of 3 seeds",
            "+0.3",
        ),
        (  # a margin of 0 does not hold
            [(-0.1, 0.0, -0.1)] * 3,
            "at none of the doses tried (test offsets of 0 to 1), for 3 of 3 seeds",
            "-0.1",
        ),
        (
            [(0.0, -0.1, 0.1)] * 3,
            "from test offsets of 0.75 on (0.75 to 0.75 for 3 of 3 seeds)",
            "+0.1",
        ),
        ([(-0.1, 0.1, -0.3)] * 3, "for test offsets of 0.25 to 0.62", "-0.3"),
        (
            [(0.1, -0.1, 0.1)] * 3,
            "up to test offsets of 0.25 and from test offsets of 0.75 on",
            "+0.1",
        ),
    ],
)
def test_a_sentence_says_where_the_claim_holds(seeds, where, margin):
    """By the median margin, with single seeds that have such an edge; above 0 is what holds."""
    documents = f"At the document's 1, the median margin is {margin}."
    assert curve(seeds).sentence == f"It holds {where}. {documents}"


def test_edges_are_interpolated_on_the_axis_own_scale():
    """Between 1,000 and 100,000 rows, the middle is 10,000; so it is with counts of noise images."""
    rows = curve([(0.1, 0.1, -0.1)], axis="training rows", doses=(10, 1000, 100_000))

    assert rows.sentence == (
        "It holds up to 10,000 training rows (10,000 to 10,000 for 1 of 1 seeds). "
        "At the document's 1,000, the median margin is +0.1."
    )
    scales = {
        "training rows": 200.0,
        "noise images in training": 200.0,
        "offset in training": 5002.0,
    }
    for axis, middle in scales.items():
        falling = curve([(0.1, -0.1, -0.2)], axis=axis, doses=(4, 10_000, 20_000))
        assert falling._holds(falling.medians) == [(None, pytest.approx(middle))], axis


def test_a_bar_near_1_is_not_written_as_1():
    """Confidences are told with three digits."""
    bars = curve([(0.1, 0.1, -0.1)], axis="bar of confidence", doses=(0.5, 0.9, 0.999))

    assert "up to a bar of 0.95 (" in bars.sentence
    assert bars.along.written(0.999) == "0.999"


def made(*shown, **changes):
    return Curves(head=head(code=curves.curve_code(), **changes), seeds=(1, 2), curves=shown)


def test_the_file_keeps_the_curves():
    """What is read is what was written, with four digits of each margin."""
    found = made(curve([(-0.123456, 0.1, 0.2), (1e-7, 0.0, 1)]))
    read = Curves.from_json(found.to_json())

    assert read.curves[0].margins == ((-0.1235, 0.1, 0.2), (1e-7, 0, 1))
    assert (read.head, read.seeds) == (replace(found.head, machines=read.head.machines), (1, 2))
    assert read.to_json() == found.to_json()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"margins": ((0.1, 0.2, 0.3),)}, "expected a margin for each seed and dose"),
        ({"margins": ((0.1, 0.2), (0.1, 0.2))}, "expected a margin for each seed and dose"),
        ({"axis": "offset"}, "expected a known axis, with the document's dose"),
        ({"doses": (0, 0.5, 0.6)}, "expected a known axis, with the document's dose"),
        ({"claim": "ann.no_such_claim"}, "Unknown claim"),
        ({"margins": ((float("nan"), 1, 1), (1, 1, 1))}, "expected a float"),
    ],
)
def test_a_damaged_file_is_said_to_be_so(wrong, says, tmp_path):
    """One line names the file, what is wrong, and the command that makes it anew."""
    path = tmp_path / "curves.json"
    broken = replace(curve([(0.1, 0.2, 0.3)] * 2), **wrong)
    path.write_text(made(broken).to_json(), "utf-8")

    with pytest.raises(MnistRobustError, match=says) as ended:
        curves.load(path)
    assert str(path) in str(ended.value)
    assert "mnistrobust curves" in str(ended.value)


def test_no_file_is_no_curves(tmp_path):
    """A library without curves works as before."""
    assert curves.load(tmp_path / "none.json") is None


def test_curves_of_other_code_are_said_to_be_stale():
    """The note names what changed and the command; curves of this code have none."""
    fresh = made(curve([(0.1, 0.2, 0.3)] * 2), command="mnistrobust curves --seeds 2")
    code = {**curves.curve_code(), "recipe ann": "another", "doses": "others"}
    stale = replace(fresh, head=replace(fresh.head, code=code))

    assert fresh.note == ""
    assert stale.note == (
        "The curves predate a change of doses, recipe ann: run mnistrobust curves --seeds 2."
    )


def test_curves_say_nothing_of_what_was_added_since():
    """As evidence does: an added claim or recipe makes no curve stale."""
    code = dict(curves.curve_code())
    code.pop(next(iter(code)))
    found = curves.load()

    assert replace(found, head=replace(found.head, code=code)).note == ""


def test_a_curve_has_the_median_of_its_seeds():
    """One median for each dose."""
    found = Curve(
        claim=WINS,
        axis="offset at test",
        doses=(0, 0.5, 1),
        margins=((1, 5, 0), (2, 1, 0), (6, 3, 9)),
    )

    assert found.medians == (2, 3, 0)


@pytest.mark.parametrize(
    ("dataset", "told"),
    [("mnist", []), ("mnist5k", ["The curves are of mnist5k, not of full MNIST"])],
)
def test_a_claim_says_of_which_data_set_its_curves_are(dataset, told, monkeypatch, capsys):
    """Only those of full MNIST are of the document's claim, and need no word."""
    found = made(curve([(0.1, 0.2, 0.3)] * 2), dataset=dataset)
    monkeypatch.setattr(curves, "load", lambda: found)
    ledger = ledger_of()

    terminal.print_claim(ledger[WINS], ledger)

    shown = " ".join(capsys.readouterr().out.split())
    assert "by offset at test It holds at all" in shown
    assert re.findall("The curves are of [^.]*", shown) == told
