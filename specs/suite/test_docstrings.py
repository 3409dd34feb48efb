"""Every public name says what it is."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "mnistrobust"


def public_definitions():
    for file in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(file.read_text("utf-8"))
        yield f"{file.relative_to(PACKAGE)}", tree
        for node in tree.body:
            yield from named(node, file)
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                for member in node.body:
                    yield from named(member, file, node.name + ".")


def named(node, file, prefix=""):
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    if isinstance(node, kinds) and not node.name.startswith("_"):
        yield f"{file.relative_to(PACKAGE)}:{prefix}{node.name}", node


DEFINITIONS = list(public_definitions())


@pytest.mark.parametrize(("name", "node"), DEFINITIONS, ids=[name for name, _ in DEFINITIONS])
def test_public_names_have_a_docstring(name, node):
    """A module, class, function or method of the library has a docstring of at least a sentence."""
    text = ast.get_docstring(node)

    assert text, f"{name} has no docstring"
    assert text.split("\n\n")[0].rstrip().endswith((".", "?", ":", "`")), (
        f"{name}: no full sentence"
    )


def test_functions_of_arrays_state_their_shapes():
    """Where a public function takes an array, it or its module names shapes."""
    silent = []
    for file in ("transforms.py", "metrics.py", "readings.py", "training.py", "recipes.py"):
        tree = ast.parse((PACKAGE / file).read_text("utf-8"))
        module = ast.get_docstring(tree) or ""
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                takes = [ast.unparse(each.annotation or ast.Name("")) for each in node.args.args]
                text = module + (ast.get_docstring(node) or "")
                if (
                    any("ndarray" in each or "Images" in each for each in takes)
                    and "(n" not in text
                ):
                    silent.append(f"{file}:{node.name}")

    assert silent == []
