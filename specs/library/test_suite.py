"""What a claim's spec evaluates, before anything is trained; and how a run of the specs ends."""

from itertools import pairwise
from pathlib import Path

import pytest

from mnistrobust import suite
from mnistrobust.errors import MnistRobustError
from mnistrobust.registry import load_claims
from mnistrobust.suite import evaluated_by
from specs.claims import test_ann, test_cnn, test_rnn
from specs.helpers.reports import run

MODULES = {"ann": test_ann, "rnn": test_rnn, "cnn": test_cnn}


def of_two(claim, evaluate):
    clean = evaluate("ann", on="clean")
    claim.figures(accuracy=clean.accuracy)
    evaluate("cnn", on="inverted"), evaluate("ann", on="inverted"), evaluate("ann", on="clean")


def of_none(evaluate):
    evaluate("ann", on="clean")


def of_a_curve(claim, history):
    claim.figures(last=history("rnn")["val_accuracy"][9])


def that_fails(claim, evaluate):
    evaluate("ann", on="clean")
    claim.no_such_method()


@pytest.mark.parametrize(
    ("spec", "needed"),
    [
        (of_two, {"ann": ("clean", "inverted"), "cnn": ("inverted",)}),
        (of_none, {}),
        (of_a_curve, {"rnn": ()}),
        (that_fails, {"ann": ("clean",)}),
    ],
)
def test_a_spec_says_what_it_evaluates(spec, needed):
    """Recipes and conditions come in the order of the calls, each once; nothing is trained."""
    assert evaluated_by(spec) == needed


def test_every_claims_spec_evaluates_something():
    """No spec of the suite breaks off at its stand-ins before it has named a recipe."""
    for claim in load_claims().values():
        spec = getattr(MODULES[claim.family], f"test_{claim.name}")
        assert evaluated_by(spec), claim.id


def verified(ended, monkeypatch, *, outcomes=None, **options):
    """Verify with pytest noted, which ends with a code; return results, code, arguments."""
    noted = []

    def run_pytest(arguments, *_, **__):
        noted.extend(arguments)
        found = run() if outcomes is None else run(outcomes=outcomes)
        Path(arguments[arguments.index("--results") + 1]).write_text(found.to_json(), "utf-8")
        return ended

    monkeypatch.setattr(suite, "run_pytest", run_pytest)
    return (*suite.verify({"--data": "mnist5k", "--seeds": None}, **options), noted)


@pytest.mark.parametrize(
    ("ended", "code"), [(0, 0), (1, 1), (2, 2), (3, 3), (4, 2), (5, 2), (-9, 2)]
)
def test_a_run_ends_with_the_code_of_the_contract(ended, code, monkeypatch):
    """A failed claim is 1, no usable data 3, and whatever else pytest says is wrong usage."""
    results, found, _ = verified(ended, monkeypatch, offline=False)

    assert found == code
    assert {each.id for each in results.outcomes} == {*load_claims()}


def test_a_run_without_an_outcome_has_no_results(monkeypatch):
    """Where no claim's spec ran, there is nothing to report on."""
    with pytest.raises(MnistRobustError, match="No claim was judged"):
        verified(0, monkeypatch, outcomes=(), offline=False)


def test_a_run_passes_on_what_it_is_asked(monkeypatch):
    """Options with a value, `--offline` where it is given, and models."""
    *_, arguments = verified(0, monkeypatch, offline=False)
    assert arguments[0] == str(Path("specs") / "claims")
    assert ("--data", "mnist5k") in pairwise(arguments)
    assert not {"--offline", "--seeds", "--model"} & {*arguments}

    *_, arguments = verified(0, monkeypatch, offline=True, models=["ann=my:ann"])
    assert ("--model", "ann=my:ann") in pairwise(arguments)
    assert "--offline" in arguments
