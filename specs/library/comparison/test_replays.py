"""Counterexamples replayed on both models of a comparison."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from mnistrobust.comparison import page, replays, text
from mnistrobust.comparison.verdict import compare
from mnistrobust.errors import UsageError
from mnistrobust.fuzzing.counterexamples import Counterexample
from mnistrobust.store import Store
from specs.helpers.sides import side


def counterexample(row, expected, fault=""):
    image = np.zeros(784, np.uint8)
    image[row] = 255
    fields = Counterexample(
        image=image, index=row, label=3, expected=expected, fault=fault
    ).to_json()
    return fields | {"chain": ["invert:0"] if fault else ["contrast:0"]}


def model(wrong, images):
    """Predict 3 but for images whose pixel of full ink is among `wrong`."""
    return np.eye(10)[np.where(np.isin(images.argmax(axis=1), wrong), 5, 3)]


SMALL = Counterexample(
    image=np.zeros(25, np.uint8), index=0, label=3, expected=None, fault="ends"
).to_json()


@pytest.fixture
def file(tmp_path):
    """Four counterexamples, by the place of their one pixel, and a fault that no replay shows."""
    found = {
        "weaknesses": [{"counterexample": counterexample(row, 3)} for row in range(4)],
        "faults": [counterexample(0, None, "predicts another probability when it comes again")],
    }
    (tmp_path / "fuzz.json").write_text(json.dumps(found))
    return tmp_path / "fuzz.json"


@pytest.fixture
def replayed(file, mnist5k, tmp_path):
    """Of 0 to 3, the old model is wrong for 0 and 1, the new one for 1 and 2."""
    sides = [partial(model, wrong) for wrong in ([0, 1], [1, 2])]
    how = {"name": "model", "input_shape": "784", "pixels": (0, 1)}
    asked = [(given, how) for given in sides]
    return replays.replays(replays.read([file]), asked, mnist5k.source, Store(tmp_path))


def test_a_side_is_opened_as_it_is_for_the_comparison(monkeypatch, mnist5k, tmp_path):
    """With the options that it needs, such as `--trust`."""
    opened = []
    monkeypatch.setattr(replays, "Subject", lambda given, _, **how: opened.append((given, how)))

    replays._subject("a.keras", mnist5k.source, Store(tmp_path), trust=True, arch=None)

    assert opened == [("a.keras", {"trust": True, "arch": None})]


def test_each_counterexample_is_new_remaining_repaired_or_neither(replayed):
    """By what both models predict, the new ones first."""
    assert [(each.old, each.new, each.verdict) for each in replayed] == [
        ("3 (100%)", "5 (100%)", "new"),
        ("5 (100%)", "5 (100%)", "remaining"),
        ("5 (100%)", "3 (100%)", "repaired"),
        ("3 (100%)", "3 (100%)", "breaks neither"),
    ]
    assert replayed[0].counterexample == "a 3, contrast:0"


def test_a_comparison_says_what_became_of_the_counterexamples(replayed, mnist5k, capsys):
    """On a terminal, in JSON and Markdown, and on the page."""
    found = replace(compare(side(mnist5k), side(mnist5k), mnist5k), replays=replayed)

    says = "Counterexamples: 1 repaired, 1 remaining, 1 new, 1 breaks neither."
    text.print_comparison(found)
    printed = " ".join(capsys.readouterr().out.split())
    assert says in printed
    assert printed.count(" a 3, contrast:0 ") == 4
    assert says in text.markdown(found)
    assert len(text.markdown(found).splitlines()) <= 30
    assert found.to_json()["counterexamples"][0]["verdict"] == "new"
    assert "Counterexamples" not in text.markdown(replace(found, replays=()))


@pytest.mark.slow
def test_the_page_lists_the_counterexamples(replayed, mnist5k):
    """Each with what both models predict."""
    found = replace(compare(side(mnist5k), side(mnist5k), mnist5k), replays=replayed)

    assert page.html(found).count("a 3, contrast:0") == len(replayed)


def test_a_folder_of_a_report_is_a_file_of_counterexamples(file):
    """The fault that no replay shows is left out."""
    assert replays.read([file.parent]) == replays.read([file])
    assert len(replays.read([file, file])) == 8


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (json.dumps({"weaknesses": [], "faults": [SMALL]}), "it is something else"),
        ("no JSON", "it is something else"),
        ("{}", "it is something else"),
        ('{"weaknesses": [{"counterexample": {"label": 3}}], "faults": []}', "something else"),
    ],
)
def test_another_file_is_one_line(content, says, tmp_path):
    """It says what is expected."""
    (tmp_path / "other.json").write_text(content)

    with pytest.raises(UsageError, match=f"other.json: .*{says}; expected fuzz.json"):
        replays.read([tmp_path / "other.json"])
    with pytest.raises(UsageError, match=r"none: No such file or directory; expected fuzz\.json"):
        replays.read([tmp_path / "none"])
