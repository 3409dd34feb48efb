"""Committed evidence is of the code that it is committed with."""

import pytest

from mnistrobust import curves, evidence
from mnistrobust.judging.regression import changed_since


@pytest.mark.parametrize("dataset", ["mnist", "mnist5k"])
def test_committed_evidence_is_of_this_code(dataset):
    """No recipe, condition, figure, word or claim's spec changed since: see `mnistrobust replicate`."""
    assert changed_since(evidence.load(dataset)) == []


def test_committed_curves_are_of_this_code():
    """They are of full MNIST, of at least 8 seeds; see `mnistrobust curves`."""
    found = curves.load()

    assert found.note == ""
    assert (found.head.dataset, len(found.seeds) >= 8) == ("mnist", True)


def test_committed_curves_meet_the_evidence_at_the_documents_dose():
    """There, the median margin lies among the margins of the evidence's seeds."""
    found, known = curves.load(), evidence.load("mnist")
    for each in found.curves:
        margins = known.claims[each.claim].margins["margin"]
        median = each.medians[each.doses.index(each.along.document)]

        assert min(margins) <= median <= max(margins), each
