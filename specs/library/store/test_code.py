"""What a stored result depends on: a change makes stale what it concerns, and nothing else."""

import ast
import dataclasses
from types import MappingProxyType

import pytest

from mnistrobust import recipes
from mnistrobust.conditions import CONDITIONS
from mnistrobust.recipes import RECIPES
from mnistrobust.replicates import Replicate, keys
from mnistrobust.store import code
from specs.helpers.source_tree import DOSED, Tree, copied, forget

SHOWN = {*CONDITIONS, *DOSED}
ALL = {*RECIPES, *SHOWN}
OF = {
    kind: {r.name for r in RECIPES.values() if r.architecture.name == kind}
    for kind in ("ann", "rnn", "cnn")
}
OFFSET = {r.name for r in RECIPES.values() if r.transform == "offset_noise"}
THRESHOLD = {r.name for r in RECIPES.values() if r.transform == "threshold"}
# Packages that no key reaches: keys of the whole package are the same without them.
UNREACHED = ("checks", "cli", "evidence", "mutants", "report")
NOISE_CLASS = {r.name for r in RECIPES.values() if r.noise_class}


@pytest.fixture(scope="session")
def original(mnist5k):
    """The package itself."""
    return Tree(code._FOLDER, mnist5k.source)


@pytest.fixture
def whole_tree(tmp_path, original):
    """A copy of the whole package."""
    return Tree(copied(tmp_path), original.replicate.source, original.before)


@pytest.fixture(scope="session")
def light_source(tmp_path_factory, mnist5k):
    """A copy of the modules whose engines are one line each: they take long to digest."""
    copy = copied(tmp_path_factory.mktemp("source"), *UNREACHED)
    for path in (copy / "engine").glob("[!_]*.py"):
        path.write_text("FAST = True\n")
    return Tree(copy, mnist5k.source)


@pytest.fixture
def tree(light_source):
    """A copy of the modules without the bulk of the engines, as it was before after each spec."""
    yield light_source
    light_source.restore()


def test_place_of_the_package_changes_nothing(whole_tree):
    """The same source in another folder gives the same keys."""
    assert whole_tree.stale() == set()


@pytest.mark.slow
def test_comments_docstrings_and_layout_change_nothing(whole_tree):
    """Every file rewritten without comments, with other docstrings, gives the same keys."""
    for path in whole_tree.folder.rglob("*.py"):
        parsed = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(parsed):
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module):
                if ast.get_docstring(node) is not None:
                    node.body[0] = ast.Expr(ast.Constant("Something else."))
                elif isinstance(node, ast.FunctionDef):
                    node.body.insert(0, ast.Expr(ast.Constant("Something new.")))
        path.write_text(f"# a comment\n\n\n{ast.unparse(ast.fix_missing_locations(parsed))}\n")

    assert whole_tree.stale() == set()


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ('layers.Input((784,)),\n        layers.Dense(128, activation="relu")',
         'layers.Input((784,)),\n        layers.Dense(127, activation="relu")', "ann"),
        ("layers.LSTM(128", "layers.LSTM(127", "rnn"),
        ("layers.Conv2D(256", "layers.Conv2D(255", "cnn"),
    ],
)  # fmt: skip
def test_a_changed_builder_concerns_its_own_recipes(old, new, kind, tree):
    """Of one architecture's change the others' models stay valid."""
    assert tree.edit("models.py", old, new) == OF[kind]


def test_a_changed_optimizer_concerns_every_recipe(tree):
    """What all builders share is part of every model's key."""
    assert tree.edit("models.py", 'optimizer="adam"', 'optimizer="sgd"') == set(RECIPES)


def test_another_place_of_a_definition_changes_nothing(whole_tree):
    """A function that moves to another module, and is imported from there, gives the same keys."""
    models = whole_tree.folder / "models.py"
    head, shared, rest = models.read_text("utf-8").partition("def _compiled(")
    body, _, after = rest.partition("\n\n\n")
    imports = head[: head.index("def ")]
    (whole_tree.folder / "elsewhere.py").write_text(f"{imports}{shared}{body}\n", "utf-8")
    models.write_text(f"{head}from mnistrobust.elsewhere import _compiled\n\n\n{after}", "utf-8")

    assert whole_tree.stale() == set()


def test_a_new_architecture_concerns_no_recipe(tree):
    """Adding a builder retrains nothing."""
    assert tree.append("models.py", "\ndef create_new(op=10):\n    return None\n") == set()


@pytest.mark.parametrize(
    ("old", "new", "concerned"),
    [
        ("rng.random(PIXELS).reshape", "rng.random(2 * PIXELS)[::2].reshape",
         OFFSET | {"offset-noise"}),
        ("values >= t", "values > t", THRESHOLD | {"threshold"}),
        ("THRESHOLD = 0.9", "THRESHOLD = 0.8", THRESHOLD | {"threshold"}),
        ("_like(images, 1 - values)", "_like(images, 2 - values)", {"inverted"}),
        ("rng.random((n, PIXELS), dtype=np.float32)", "rng.random((n, PIXELS)) / 2",
         NOISE_CLASS | {"pure-noise"}),
        ("noise = pure_noise(n, rng)", "noise = 1 - pure_noise(n, rng)", NOISE_CLASS),
    ],
)  # fmt: skip
def test_a_changed_transform_concerns_what_uses_it(old, new, concerned, tree):
    """A transform is part of the keys of the recipes and conditions that go through it."""
    assert tree.edit("transforms.py", old, new) == concerned


@pytest.mark.parametrize("module", ["dense", "recurrent", "convolution"])
def test_a_changed_engine_concerns_its_architectures(module, whole_tree):
    """The code that trains an architecture is part of its models' keys alone."""
    trained = {r.name for r in RECIPES.values() if r.architecture.engine == module}

    assert whole_tree.append(f"engine/{module}.py", "\n_SOMETHING_NEW = 1\n") == trained


def test_a_changed_condition_concerns_its_own_evaluations(tree):
    """The number of draws is part of the evaluations that have draws."""
    stale = tree.edit("conditions.py", "OFFSET_DRAWS = 32", "OFFSET_DRAWS = 31")

    assert stale == {"offset-noise"}


@pytest.mark.parametrize(
    ("module", "old", "new", "concerned"),
    [
        ("geometry", "cos * _DOWN", "-cos * _DOWN", {"rotate:15"}),
        ("geometry", "doses=(-180, 180)", "doses=(-90, 90)", {"rotate:15"}),
        ("geometry", "_STIFFNESS = 6.0", "_STIFFNESS = 5.0", set()),
        ("tone", "dose * (1 - images)", "dose * (2 - images)", {"stripes:1"}),
        ("definition", "changed, 0, self.ceiling", "changed, 0, 2", set(DOSED)),
    ],
)
def test_a_changed_perturbation_concerns_its_own_evaluations(module, old, new, concerned, tree):
    """Function, definition, what it calls, and what all share: no other, no condition without dose."""
    assert tree.edit(f"perturbations/{module}.py", old, new) == concerned


def test_a_changed_softmax_concerns_every_evaluation(tree):
    """Confidence, loss and predictions come from `log_softmax`: nothing read before stays valid."""
    assert tree.edit("metrics.py", "np.exp(shifted)", "np.exp(2 * shifted)") >= SHOWN


def test_a_changed_reader_concerns_every_evaluation(tree):
    """What turns logits into predictions is part of every evaluation's key."""
    assert tree.edit("evaluations.py", "log_probabilities.argmax(axis=1)", "0") == SHOWN


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("model.set_weights(weights)\n    return model", "return model"),
        ("lambda images: predict(weights, shaped(model, images))",
         "lambda images: predict(weights, shaped(model, 1 - images))"),
    ],
)  # fmt: skip
def test_how_a_model_is_asked_concerns_every_evaluation(old, new, tree):
    """What takes stored weights to logits is part of every evaluation's key, and of no model's."""
    assert tree.edit("training.py", old, new) == SHOWN


def test_a_changed_figure_concerns_nothing_stored(tree):
    """Evaluations store predictions, and today's code computes every figure from them."""
    assert tree.edit("metrics.py", "confidence > above", "confidence >= above") == set()
    assert tree.edit("evaluations.py", "sorted(self.label_counts)[-k:]", "[]") == set()


@pytest.mark.parametrize(
    "module",
    [
        "suite",
        "comparison/changes",
        "judging/ledger",
        "words",
        "replicates/schedule",
        "store/store",
    ],
)
def test_what_no_result_depends_on_concerns_nothing(module, tree):
    """Commands, tables, words and the store itself are in no key."""
    assert tree.append(f"{module}.py", "\n_SOMETHING_NEW = 1\n") == set()


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("training", "order=stream(seed, recipe.name", "order=stream(seed + 1, recipe.name"),
        ("randomness", "digest[:16]", "digest[16:]"),
        ("recipes", "images[: recipe.rows]", "images[-recipe.rows :]"),
        ("backend", "THREADS = 1", "THREADS = 2"),
    ],
)
def test_changed_training_concerns_every_recipe(module, old, new, tree):
    """Batch order, streams, rows and threads are part of every model's key."""
    assert tree.edit(f"{module}.py", old, new) >= set(RECIPES)


def test_changed_pixels_concern_everything(tree):
    """How a byte becomes a float is part of every key."""
    assert tree.edit("data/dataset.py", "pixels, np.float32(255)", "pixels, np.float32(256)") == ALL


@pytest.mark.parametrize("change", [{"epochs": 11}, {"rows": 999}, {"batch_size": 16}])
def test_a_changed_recipe_concerns_itself(change, tree, monkeypatch):
    """Of one recipe's change all others stay valid."""
    changed = dataclasses.replace(RECIPES["ann_1000"], **change)
    monkeypatch.setattr(recipes, "RECIPES", MappingProxyType({**RECIPES, "ann_1000": changed}))

    assert tree.stale() == {"ann_1000"}


def test_a_new_recipe_concerns_no_other(tree, monkeypatch):
    """Adding a recipe retrains nothing, neither as a value nor by its line of code."""
    added = dataclasses.replace(RECIPES["ann_1000"], name="ann_2000", rows=2000)
    monkeypatch.setattr(recipes, "RECIPES", MappingProxyType({**RECIPES, "ann_2000": added}))

    line = '    Recipe(name="ann_2000", architecture=ANN, rows=2000),\n'
    assert tree.edit("recipes.py", "_ALL = (\n", f"_ALL = (\n{line}") == {"ann_2000"}


def test_seed_data_and_versions_are_in_the_key(tree, mnist5k, monkeypatch):
    """Another seed, other images or another TensorFlow name another model."""
    forget()
    key = tree.replicate.model_key("ann")
    other_data = dataclasses.replace(mnist5k.source, digest="0" * 64)

    others = {
        Replicate(1, mnist5k.source, tree.replicate.store).model_key("ann").digest,
        Replicate(0, other_data, tree.replicate.store).model_key("ann").digest,
    }
    monkeypatch.setattr(keys, "versions", lambda: {"tensorflow": "0"})
    forget()
    others.add(tree.replicate.model_key("ann").digest)
    forget()

    assert len({*others, key.digest}) == 4


@pytest.mark.parametrize(
    ("text", "same", "other"),
    [
        ("import numpy as np\nx = np.pi", "import numpy as n\nx = n.pi", "import math as np\nx = np.pi"),
        ("from numpy import pi\nx = pi", "from numpy import pi as p\nx = p", "from math import pi\nx = pi"),
        (
            "from mnistrobust import words\nx = words.MOST",
            "from mnistrobust.words import MOST\nx = MOST",
            "from mnistrobust import words\nx = words.EVERY",
        ),
    ],
    ids=["module", "name", "ours"],
)  # fmt: skip
def test_a_file_of_the_users_depends_on_what_it_imports(text, same, other, tmp_path):
    """Under whatever name; of ours the definition counts, not the module it lies in."""
    file, digests = tmp_path / "mine.py", []
    for each in (text, same, other):
        file.write_text(f"{each}\n", "utf-8")
        digests.append(code.digest_of_file(file))

    assert [each == digests[0] for each in digests] == [True, True, False]


@pytest.mark.parametrize("root", ["mnistrobust.models:create_ant", "mnistrobust.model:create_ann"])
def test_a_root_that_does_not_exist_is_an_error(root):
    """A misspelled root never digests to nothing."""
    with pytest.raises(KeyError, match=root):
        code.digest(root)
