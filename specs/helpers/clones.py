"""A clone's claims, and pytest that runs them: in this process, or in one of its own."""

import importlib.metadata
import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from specs.helpers import ROOT
from specs.helpers.synthetic import FIVES, UNCONFIDENT, WINS, evidence, measured, spread, written

FOUND = evidence(
    {
        WINS: measured(spread(0.2, 0.01), noisy=spread(0.8, 0.01)),
        FIVES: measured(spread(-0.4, 0.01), fives=spread(0.1, 0.01)),
        UNCONFIDENT: measured(spread(0.0, 0.1), confident=[0.1, 0.9] * 12),
    }
)
SPEC = """
import pytest

from mnistrobust.words import WORDS, Margin
from mnistrobust.words import much_better as better


def test_noise_training_wins_on_noisy(claim, evaluate):
    claim.figures(noisy=0.8)
    claim.margin(margin(0.2))


def test_is_not_confident_on_pure_noise(claim, evaluate):
    claim.figures(confident=0.5)
    claim.margin(margin(0.001))


def test_noisy_plus_noise_predicts_five(claim, evaluate):
    claim.figures(fives=0.1)
    claim.margin(margin(-0.4))


def margin(value):
    return Margin(WORDS["most"], value, value, value)


def much_better(value):
    return better(value, than=0)
"""
# What other plugins, collections of all garbage and sources of tracebacks cost is not worth it here.
_WITHOUT = (
    *("unraisableexception", "threadexception", "cacheprovider", "unittest", "doctest", "pastebin"),
    *("stepwise", "legacypath", "setuponly", "setupplan", "faulthandler", "logging", "debugging"),
)
_QUICK = ("--tb=line", *(f"-pno:{each}" for each in _WITHOUT))


def clone(folder, spec=SPEC):
    """Make a folder like a clone, with one file of specs, and return it."""
    (folder / "specs" / "claims").mkdir(parents=True)
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    (folder / "specs" / "claims" / "test_ann.py").write_text(spec)
    return folder


def run_pytest(arguments, folder, **_):
    """Run pytest in this process, without workers or other plugins, and return its exit code."""
    arguments = [each for each in map(str, arguments) if each not in {"-n", "auto"}]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        # pytest looks through every installed distribution for each plugin of ours
        patch.setattr(importlib.metadata, "distributions", lambda **_: ())
        words = os.environ.get(
            "PYTEST_ADDOPTS", ""
        ).split()  # but those of a plugin that is left out
        kept = [word for word in words if not word.startswith("--hypothesis")]
        patch.setenv("PYTEST_ADDOPTS", " ".join(kept))
        patch.setattr(sys, "path", [*sys.path])
        patch.delitem(sys.modules, "conftest", raising=False)
        sys.modules.pop("test_ann", None)  # an earlier clone's
        return int(pytest.main([*arguments, *_QUICK]))


@dataclass
class Suite:
    """A clone, and pytest on its claims.

    `start` runs pytest with arguments in a folder, and returns exit code and output.
    """

    folder: Path
    start: Callable
    results: dict = field(default_factory=dict)

    def run(self, *arguments, old="", new="", spec=SPEC, found=FOUND):
        assert old in spec
        (self.folder / "specs" / "claims" / "test_ann.py").write_text(spec.replace(old, new))
        results = self.folder / "results.json"
        ended = self.start(
            [
                "specs/claims", "--data", "mnist5k", "--store", self.folder / "store",
                "--evidence", written(found, self.folder), "--results", results, *arguments,
            ],
            self.folder,
        )  # fmt: skip
        if results.exists():
            rows = json.loads(results.read_text())["claims"]
            self.results = {row["id"]: row["outcome"] for row in rows}
        return ended
