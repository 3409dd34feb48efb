"""Runs and evidence for reports, made by formula: every claim has an outcome and a verdict."""

import shutil
from functools import cache
from html.parser import HTMLParser

from mnistrobust.data import Source
from mnistrobust.data.files import DIGESTS
from mnistrobust.evidence.results import Outcome, Results
from mnistrobust.registry import load_claims
from mnistrobust.replicates import Replicate
from mnistrobust.store import Store
from specs.helpers.synthetic import evidence, measured, spread

SOURCE = Source(name="mnist5k", digest=DIGESTS["mnist5k"], path=None, why="as asked for")
CENTRES = (0.2, -0.2, 0.0)  # of the margins: reproduced, refuted and seed-dependent in turn


def figures(claim):
    """Each declared figure: nine tenths of the document's, or a half where it prints none."""
    return {name: 0.9 * claim.reported.get(name, 5 / 9) for name in claim.figures}


def run(**changes):
    """A run in which every third claim does not hold."""
    outcomes = tuple(
        Outcome(id=claim.id, seed=0, figures=figures(claim), margin=CENTRES[i % 3] + 0.01)
        for i, claim in enumerate(load_claims().values())
    )
    facts = {"source": SOURCE, "seeds": (0,), "outcomes": outcomes, "versions": {"numpy": "2"}}
    return Results(**{**facts, **changes})


@cache
def known(**changes):
    """Evidence of 24 replicates that has a verdict of each kind.

    By default of other images than the run's: it gives no intervals.
    """
    found = {}
    for i, claim in enumerate(load_claims().values()):
        values = {name: spread(value, 0.05) for name, value in figures(claim).items()}
        found[claim.id] = measured(spread(CENTRES[i % 3], 0.02), **values)
    return evidence(found, **{"digest": "f" * 64, **changes})


def alone(replicate, folder):
    """The same replicate in a store that has nothing but `ann_1000` and three evaluations of it."""
    store = Store(folder / "store")
    keys = [
        replicate.evaluation_key("ann_1000", condition)
        for condition in ("clean", "offset-noise", "pure-noise")
    ]
    for key in (replicate.model_key("ann_1000"), *keys):
        store.path(key).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(replicate.store.path(key), store.path(key))
    return Replicate(replicate.seed, replicate.source, store)


class Page(HTMLParser):
    """What a page has: its elements with their attributes in order, and its text."""

    def __init__(self, text):
        super().__init__()
        self.elements = []
        self.text = ""
        self.inside = {}
        self._open = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._open = tag

    def handle_data(self, data):
        if self._open in {"style", "script"}:
            self.inside[self._open] = self.inside.get(self._open, "") + data
        else:
            self.text += data

    def handle_endtag(self, _):
        self._open = None

    def all(self, tag):
        """The attributes of all elements of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]

    def with_class(self, name):
        """The attributes of all elements of a class."""
        return [each for _, each in self.elements if name in each.get("class", "").split()]
