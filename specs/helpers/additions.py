"""One of each: what `.github/CONTRIBUTING.md` says to write, as edits of a copy of the project."""

import os
import shutil
import subprocess
import sys
from typing import NamedTuple

from specs.helpers import ROOT

GENERATED = ("__pycache__", ".git", ".venv", ".hypothesis", ".*_cache", "*.egg-info")


class Edit(NamedTuple):
    """A text that is written before another one, or at the end of a file."""

    file: str
    text: str
    before: str = ""


ADDITIONS = {
    "transform": [
        Edit(
            "mnistrobust/transforms.py",
            'def square(images: Images) -> Images:\n    """Return x * x for each pixel; ImageError for '
            'other images."""\n    values = checked(images)\n    return _like(images, values * values)\n\n\n',
            before="def threshold(",
        ),
        Edit(
            "specs/properties/test_transforms.py",
            '    "square": transforms.square,\n',
            before='    "threshold": transforms.threshold,\n',
        ),
    ],
    "condition": [
        Edit(
            "mnistrobust/conditions.py",
            "def squared(dataset: Dataset, _: np.random.Generator) -> Iterator[Draw]:\n"
            '    """Yield the held-out images as x * x."""\n'
            "    yield transforms.square(dataset.test_images), dataset.test_labels\n\n\n",
            before="def perturbed(",
        ),
        Edit(
            "mnistrobust/conditions.py",
            '    Condition(name="squared", summary="x * x", draws=squared),\n',
            before=")\nCONDITIONS",
        ),
        Edit(
            "specs/properties/test_conditions.py",
            '    "squared": lambda pixels: pixels * pixels,\n',
            before='    "threshold": lambda pixels:',
        ),
    ],
    "architecture": [
        Edit(
            "mnistrobust/models.py",
            "def create_linear(op: int = 10) -> Any:\n"
            '    """Return a linear model for (n, 784)."""\n'
            "    layers = import_keras().layers\n"
            '    return _compiled(layers.Input((784,)), layers.Dense(op, activation="softmax"))\n\n\n',
            before="def _compiled(",
        ),
        Edit(
            "mnistrobust/models.py",
            'LINEAR = Architecture(name="linear", builder=create_linear, engine="dense", cost=0.002)\n',
            before="\nARCHITECTURES = ",
        ),
        Edit("mnistrobust/models.py", ", LINEAR", before=")})\n\n\ndef architecture_named"),
    ],
    "recipe": [
        Edit("mnistrobust/recipes.py", ", LINEAR", before=", RNN, Architecture"),
        Edit(
            "mnistrobust/recipes.py",
            '    Recipe(name="linear_1000", architecture=LINEAR, rows=1000),\n'
            '    Recipe(name="ann_squared_1000", architecture=ANN, rows=1000, transform="square"),\n',
            before=")\n\nRECIPES",
        ),
    ],
    "claim": [
        Edit(
            "mnistrobust/claims/ann.toml",
            "\n[squaring_hurts]\n"
            'kind = "owner"\n'
            'statement = "On squared digits, the linear model does not do well."\n'
            'quote = ""\n'
            "cell = 0\n"
            'words = ["does not do well"]\n'
            'figures = { linear = "accuracy", ann = "accuracy" }\n'
            'labels.linear = "accuracy on squared digits, linear model"\n'
            'labels.ann = "accuracy on squared digits, ANN trained on squared digits"\n',
        ),
        Edit(
            "specs/claims/test_ann.py",
            '\n\n@control(linear_1000="perfect")\n'
            "def test_squaring_hurts(claim, evaluate):\n"
            '    linear = evaluate("linear_1000", on="squared")\n'
            '    ann = evaluate("ann_squared_1000", on="squared")\n\n'
            "    claim.figures(linear=linear.accuracy, ann=ann.accuracy)\n"
            "    claim.margin(words.does_not_do_well(linear.accuracy))\n",
        ),
    ],
    "perturbation": [
        Edit(
            "mnistrobust/perturbations/tone.py",
            '\n\n@perturbation(\n    unit="share of the square",\n    doses=(0, 1),\n'
            '    severities=(0.2, 0.4, 0.6, 0.8, 1),\n    reads="all digits",\n)\n'
            "def squared(images: np.ndarray, dose: float, _: np.random.Generator) -> np.ndarray:\n"
            '    """Blend with x * x."""\n'
            "    return (1 - dose) * images + dose * images**2\n",
        ),
        Edit(
            "specs/properties/test_perturbations.py",
            '    "squared": lambda x, d: x - d * x * (1 - x),\n',
            before='    "quantise": lambda x, d: np.rint',
        ),
    ],
    "check": [
        Edit(
            "mnistrobust/checks/interface.py",
            '@check(INTERFACE, MINIMUM, "some output differs from 0", "zeros say nothing")\n'
            "def some_output(session: Session) -> Finding:\n"
            '    """Some output is not 0."""\n'
            '    return bool(session.raw("clean").raw.any()), "all outputs are 0", {}\n\n\n',
            before="@check(INTERFACE, MINIMUM, _FINITE, _WHY_FINITE, remedy=_NO_OVERFLOW)",
        ),
        Edit(
            "specs/library/checks/test_checks_edges.py",
            '    "some_output": ({"clean": right(0)}, {"clean": 0 * right(0)}),\n',
            before='    "finite_output": (',
        ),
        Edit(
            "specs/helpers/digit_models.py",
            "def zeros(good):\n    return lambda images: 0 * good(images)\n\n\n",
            before="# how it is broken",
        ),
        Edit(
            "specs/helpers/digit_models.py",
            '    zeros: ("some_output",),\n',
            before="    swapped_labels: (",
        ),
    ],
}


def copied(folder):
    """Copy the project, without what is generated, and return the copy."""
    copy = folder / "project"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*GENERATED))
    return copy


def add(copy, *kinds):
    """Make the edits of these kinds in a copy, and write its pages anew."""
    for edit in (edit for kind in kinds for edit in ADDITIONS[kind]):
        path = copy / edit.file
        text = path.read_text("utf-8")
        if edit.before:
            assert text.count(edit.before) == 1, edit
            path.write_text(text.replace(edit.before, edit.text + edit.before), "utf-8")
        else:
            path.write_text(text + edit.text, "utf-8")
    run(copy, "-m", "specs.helpers.pages")


def run(copy, *arguments):
    """Run Python in a copy; return what ended."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        capture_output=True,
        text=True,
        check=False,
    )
