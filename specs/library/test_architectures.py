"""The reader's own architecture in place of a named one: what it may be, and what is said of it."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest

from mnistrobust import architectures
from mnistrobust.errors import UsageError
from mnistrobust.evidence.results import Outcome, Results
from mnistrobust.recipes import RECIPES
from mnistrobust.replicates import keys
from specs.helpers import ROOT
from specs.helpers.clones import clone
from specs.helpers.synthetic import FIVES, WINS, evidence, measured, spread, written

README = (ROOT / "specs" / "README.md").read_text("utf-8")
BUILDERS = re.search(r"<!-- example: my_models -->\n```python\n(.*?)```", README, re.DOTALL)[1]
SPEC = """
from mnistrobust.words import WORDS, Margin


def test_noise_training_wins_on_noisy(claim, evaluate):
    evaluate("ann_1000", on="clean")
    claim.figures(noisy=0.1)
    claim.margin(Margin(WORDS["most"], 0.2, 0.2, 0.2))


def test_noisy_plus_noise_predicts_five(claim, evaluate):
    evaluate("ann_1000", on="clean")
    claim.figures(fives=0.1)
    claim.margin(Margin(WORDS["most"], -0.4, -0.4, -0.4))
"""


@pytest.fixture
def builders(tmp_path, monkeypatch):
    """A module of one's own in the working folder."""
    file = tmp_path / "my_models.py"
    file.write_text(BUILDERS, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return file


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["ann"], "expected FAMILY=package.module:function"),
        (["ann=my_models"], "expected FAMILY=package.module:function"),
        (["ann=my_models:create mlp"], "expected FAMILY=package.module:function"),
        (["am=my_models:create_mlp"], "Unknown architecture 'am': known are"),
        (["ann=no_such_module:f"], "no module 'no_such_module'"),
        (["ann=sys:exit"], "no module 'sys' with a source"),
        (["ann=my_models:f", "ann=my_models:g"], "ann is replaced twice"),
    ],
)
@pytest.mark.usefixtures("builders")
def test_wrong_replacements_are_one_line(texts, said):
    """Found before anything is imported or trained."""
    with pytest.raises(UsageError, match=said):
        architectures.replaced_by(texts)


def test_a_replaced_family_has_keys_of_its_own(builders):
    """They follow the builder's code, not its comments; other families keep theirs."""

    def keys_of(recipes):
        return {name: keys.model_key(each, 0, "data").digest for name, each in recipes.items()}

    def replaced(text):
        builders.write_text(text, "utf-8")
        found = architectures.replaced_by(["ann=my_models:create_mlp"])
        return keys_of(architectures.recipes_with(found))

    named, first = keys_of(RECIPES), replaced(BUILDERS)
    comment, other = replaced(f"# why\n{BUILDERS}"), replaced(BUILDERS.replace("28, 28", "784"))

    family = {name for name, each in RECIPES.items() if each.architecture.name == "ann"}
    assert {name for name in RECIPES if first[name] != named[name]} == family
    assert {name for name in RECIPES if first[name] != other[name]} == family
    assert first == comment


@pytest.mark.usefixtures("builders")
def test_the_source_of_a_package_is_all_of_it(tmp_path):
    """A builder may use its neighbours."""
    package = tmp_path / "mine" / "inner"
    package.mkdir(parents=True)
    (package / "a.py").write_text("X = 1\n")
    (package.parent / "b.py").write_text("Y = 1\n")
    before = architectures.source_digest("mine.inner.a")
    (package.parent / "b.py").write_text("Y = 2\n")

    assert architectures.source_digest("mine.inner.a") != before


@pytest.mark.usefixtures("builders")
def test_the_source_of_a_module_has_the_users_files_that_it_imports(tmp_path):
    """One after the other, where they are on Python's path; not those that it does not import."""
    (tmp_path / "lib" / "parts_package").mkdir(parents=True)
    sys.path.append(str(tmp_path / "lib"))
    files = {
        "my_builders.py": "import json, numpy\nfrom my_parts import N\n",
        "my_parts.py": "def f():\n    import parts_package.inner\nimport my_builders\nN = 1\n",
        "lib/parts_package/__init__.py": "",
        "lib/parts_package/inner.py": "M = 1\n",
        "unrelated.py": "N = 1\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    digest, changes = architectures.source_digest("my_builders"), {}
    for name, text in files.items():
        (tmp_path / name).write_text(f"{text}O = 2\n")
        changes[name] = architectures.source_digest("my_builders") != digest
        (tmp_path / name).write_text(text)

    assert changes == {name: name != "unrelated.py" for name in files}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return 1", "expected a Keras model, received int"),
        ("raise ValueError('no\\nmore')", "raised ValueError: no$"),
        ("raise SystemExit(3)", "raised SystemExit: 3$"),
        (
            "return keras.Sequential([L.Input((784,)), L.Lambda(lambda x: x[:2]), L.Dense(n)])",
            r"expected a row for each image, received \(2, 10\)",
        ),
        (
            "return keras.Sequential([L.Input((32, 32)), L.Flatten(), L.Dense(n)])",
            "expected input of",
        ),
        (
            "return keras.Sequential([L.Dense(n)])",
            "received none; begin the model with a keras.Input",
        ),
        ("return keras.Sequential([L.Input((784,)), L.Dense(10)])", "expected an output of 11"),
        (
            "return keras.Sequential([L.Input((784,)), L.Dense(n, 'sigmoid')])",
            "expected a softmax or logits",
        ),
    ],
    ids=["no model", "error", "exit", "rows", "input", "no input", "outputs", "sigmoid"],
)
def test_what_does_not_fit_is_one_line_before_training(body, said, builders):
    """The input is 784, 28 x 28 or 28 x 28 x 1; the output 10, and 11 with the noise class."""
    source = f"import keras\nL = keras.layers\n\n\ndef create(n):\n    {body}\n"
    builders.with_name(f"mine_{abs(hash(body))}.py").write_text(source, "utf-8")
    found = architectures.replaced_by([f"ann=mine_{abs(hash(body))}:create"])

    with pytest.raises(UsageError, match=said):
        architectures.check(architectures.recipes_with(found))


@pytest.mark.parametrize("file", ["__init__.py", "a.py", "inner/b.py"])
def test_any_file_of_a_package_changes_its_architectures(file, tmp_path, monkeypatch):
    """Networks of other source are other entries of the store."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    package = tmp_path / "mine_of_many_files"
    (package / "inner").mkdir(parents=True)
    for name in ("__init__.py", "a.py", "inner/b.py"):
        (package / name).write_text("one = 1\n")
    before = architectures.source_digest("mine_of_many_files.inner.b")
    (package / file).write_text("one = 2\n")

    assert architectures.source_digest("mine_of_many_files.inner.b") != before


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([0.1] * 10, True),
        ([5.0, *[-1.0] * 9], False),
        ([1.5] * 10, False),
        ([0.9] * 10, None),
        ([np.nan] * 10, None),
    ],
    ids=["probabilities", "logits", "positive logits", "sigmoid", "nan"],
)
def test_outputs_are_probabilities_or_logits(values, found):
    """Others, as those of a sigmoid, are an error: a softmax over them would mean nothing."""

    def model(images, training):
        assert (training, images.dtype) == (False, np.float32)
        return np.tile(values, (len(images), 1))

    if found is None:
        with pytest.raises(
            UsageError, match="mine: expected a softmax or logits, received neither"
        ):
            architectures._gives_probabilities(model, (784,), "mine")
    else:
        assert architectures._gives_probabilities(model, (784,), "mine") is found


@pytest.mark.slow
@pytest.mark.usefixtures("builders")
def test_logits_get_a_softmax():
    """So that what is trained and read are probabilities."""
    architectures.replaced_by(["ann=my_models:create_mlp"])  # finds modules in the working folder
    model = architectures.built("my_models:create_mlp", 11)

    assert model.input_shape == (None, 28, 28)
    assert type(model.layers[-1]).__name__ == "Softmax"
    assert model.output_shape == (None, 11)


@pytest.mark.slow
@pytest.mark.parametrize(("margin", "code", "mark"), [("0.2", 0, "✓"), ("-0.1", 1, "✗")])
def test_a_reproduced_claim_that_does_not_hold_fails(margin, code, mark, tmp_path, process):
    """The rest is reported: another figure than the evidence's, and a refuted claim."""
    found = evidence(
        {
            WINS: measured(spread(0.2, 0.01), noisy=spread(0.8, 0.01)),
            FIVES: measured(spread(-0.4, 0.01), fives=spread(0.1, 0.01)),
        }
    )
    clone(tmp_path, SPEC.replace('"], 0.2', f'"], {margin}'))
    (tmp_path / "my_models.py").write_text(BUILDERS, "utf-8")
    results = tmp_path / "results.json"
    ended = process(
        "specs/claims", "-n", 0, "--data", "mnist5k", "--store", tmp_path / "store",
        "--evidence", written(found, tmp_path), "--results", results,
        "--model", "ann=my_models:create_mlp",
        program=("-m", "pytest"), cwd=tmp_path,
    )  # fmt: skip

    assert ended.code == code, ended.out
    assert "in place of ann: my_models:create_mlp" in ended.out
    ledger = [line.split() for line in ended.out.splitlines()]
    assert [WINS, "24/24", mark, f"{float(margin):+.3f}"] in ledger
    assert [FIVES, "0/24", "✗", "-0.400"] in ledger
    assert ("does not hold for ann=my_models:create_mlp: margin -0.1" in ended.out) is bool(code)
    rows = {row["id"]: row for row in json.loads(results.read_text())["claims"]}
    assert rows[FIVES]["models"] == {"ann": "my_models:create_mlp"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "shown"),
    [("my_models", "Not in the store: ann"), ("gone", "No network of this run is in the store")],
)
@pytest.mark.usefixtures("builders")
def test_a_report_shows_no_network_in_place_of_the_readers(
    module, shown, rehearsal, command, tmp_path
):
    """The store has one of the document's, which is another; without the source, none is shown."""
    outcome = Outcome(id=WINS, seed=0, margin=0.1, models={"ann": f"{module}:create_mlp"})
    results = tmp_path / "results.json"
    found = Results(source=rehearsal.source, seeds=(0,), outcomes=(outcome,))
    results.write_text(found.to_json(), "utf-8")
    keys.model_key.cache_clear()

    ended = command(
        "report", "--results", results, "--report", tmp_path / "new",
        "--store", rehearsal.store.root, "--evidence", "none", "--json",
    )  # fmt: skip

    assert ended.code == 0, ended.err
    text = (tmp_path / "new" / "index.html").read_text("utf-8")
    assert shown in text
    assert 'id="network-ann_1000"' not in text


@pytest.mark.slow
def test_verify_takes_the_option_and_refuses_before_it_runs():
    """A module that does not exist is wrong usage."""
    done = subprocess.run(
        [sys.executable, "-m", "mnistrobust", "verify", "--model", "ann=no_such_module:f"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 2
    assert "no module 'no_such_module'" in done.stderr
