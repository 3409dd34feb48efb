"""A counterexample: an image, a chain of perturbations, what a model does; and how it is replayed."""

import base64
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mnistrobust.data import decide, load
from mnistrobust.errors import inert
from mnistrobust.fuzzing.chain import Chain, perturb
from mnistrobust.fuzzing.outcomes import Subject
from mnistrobust.metrics import CONFIDENT
from mnistrobust.report.pictures import percent
from mnistrobust.transforms import NOISE_LABEL

Step = tuple[int, float]  # a prediction and its probability
NO_DIGIT = -1  # what is expected of an outlier: no confident digit


@dataclass(frozen=True, kw_only=True)
class Counterexample:
    """An image (784,), uint8, the held-out one of `index`, and the chain after which it breaks.

    `expected` is the prediction that is to stay, NO_DIGIT for an outlier, or None where any will do
    without a fault. `steps` are the predictions before and after each perturbation; a `fault` is what
    the model does in place of the last one.
    """

    image: np.ndarray
    index: int | None
    label: int | None
    expected: int | None
    chain: Chain = ()
    draw: int = 0
    steps: tuple[Step, ...] = ()
    fault: str = ""

    @property
    def case(self) -> dict[str, Any]:
        """What `replay` takes."""
        packed = base64.b85encode(zlib.compress(self.image.tobytes(), 9)).decode()
        facts = {"chain": self.chain, "draw": self.draw, "expected": self.expected}
        return {"image": packed, **facts}

    @property
    def says(self) -> str:
        """What happens, in words."""
        after = f" after {', '.join(self.chain)}" * bool(self.chain)
        if self.fault:
            return f"{self.fault}{after}"
        (before, sure), (top, now) = self.steps[0], self.steps[-1]
        if self.expected == NO_DIGIT:
            before_it = f" and {shown(before)} ({percent(sure)}) before" if self.chain else ""
            return f"an outlier is {shown(top)} ({percent(now)}){after}{before_it}"
        return f"{before} ({percent(sure)}) becomes {shown(top)} ({percent(now)}){after}"

    def to_json(self) -> dict[str, Any]:
        """Return the counterexample as JSON values."""
        steps = [{"prediction": top, "confidence": share} for top, share in self.steps]
        facts = {"index": self.index, "label": self.label, "fault": self.fault}
        return {**facts, **self.case, "steps": steps}


def shown(top: int) -> str:
    """Return a predicted class in words."""
    return "noise" if top == NOISE_LABEL else str(top)


def unpacked(image: str) -> np.ndarray:
    """Return the image (1, 784), float32 in [0, 1], that a case has as text."""
    pixels = np.frombuffer(zlib.decompress(base64.b85decode(image)), np.uint8)
    return np.divide(pixels[None], np.float32(255), dtype=np.float32)


def outcome(
    model: Subject, *, image: str, chain: Sequence[str], draw: int, expected: int | None
) -> tuple[int, str, bool]:
    """Return what a model predicts in a case, that in words, and whether the counterexample holds."""
    outcomes = model.outcomes(perturb(unpacked(image), tuple(chain), draw))
    top, fault = int(outcomes.top[0]), str(outcomes.fault[0])
    if top < 0:
        return top, fault or "is not asked, since it ended or hung too often", True
    confidence = float(outcomes.confidence[0])
    holds = expected not in {None, top}
    if expected == NO_DIGIT:
        holds = top != NOISE_LABEL and confidence > CONFIDENT
    return top, f"{shown(top)} ({percent(confidence)})", holds


def replay(model: Subject, **case: Any) -> int:
    """Return what a model predicts in a case; AssertionError where the counterexample still holds."""
    __tracebackhide__ = True
    top, says, holds = outcome(model, **case)
    after, expected = f" after {', '.join(case['chain'])}" * bool(case["chain"]), case["expected"]
    stays = {None: "", NO_DIGIT: ", an outlier"}.get(expected, f"; expected {expected}")
    assert not holds, f"it {'' if top < 0 else 'predicts '}{says}{after}{stays}"
    return top


def opened(file: str, *, model: str, folder: str, **how: Any) -> Subject:
    """Return the model that a file of counterexamples names; MnistRobustError, in one line.

    It is looked for in `folder`, from that of the file, then in all folders above the file, and last
    where Python looks. `how` is what `open_model` takes.
    """
    module = model.partition(":")[0].replace(".", "/")
    names = (f"{module}.py", f"{module}/__init__.py") if ":" in model else (model,)
    above = Path(file).absolute().parents
    folders = (
        each for each in (above[0] / folder, *above) if any((each / n).exists() for n in names)
    )
    return Subject(model, load(decide()), folder=next(folders, None), **how)


_TEST = '''"""Counterexamples that 'mnistrobust fuzz' found: each test fails until the model is repaired."""

import pytest

from mnistrobust.errors import MnistRobustError
from mnistrobust.fuzzing.counterexamples import opened, replay

REPAIRED = []  # names of cases that pass now, and stay as tests
MODEL = {model}
CASES = {{
{cases}
}}


@pytest.fixture(scope="module")
def model():
    try:
        return opened(__file__, **MODEL)
    except MnistRobustError as error:
        says = f"{{error}} (see MODEL in {{__file__}})"
    pytest.fail(says, pytrace=False)


BROKEN = pytest.mark.xfail(
    raises=AssertionError, strict=True, reason="if it is repaired, add its name to REPAIRED"
)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in REPAIRED else BROKEN) for name in CASES]
)
def test_counterexample(name, model):
    replay(model, **CASES[name])
'''


def test_file(model: str, how: Mapping[str, Any], named: Mapping[str, Counterexample]) -> str:
    """Return a pytest file that replays each counterexample on `model`, which `opened` finds by `how`."""
    cases = []
    for name, each in named.items():
        facts = "".join(f"        {key!r}: {value!r},\n" for key, value in each.case.items())
        cases.append(f"    # {inert(each.says)}\n    {name!r}: {{\n{facts}    }},")
    return _TEST.format(model=repr({"model": model, **how}), cases="\n".join(cases))
