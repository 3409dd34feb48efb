"""Every public name says what it is."""

import ast

from specs.helpers import ROOT, tree_of

PACKAGE = ROOT / "mnistrobust"


def public_definitions():
    for file in sorted(PACKAGE.rglob("*.py")):
        tree = tree_of(file)
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


def test_public_names_have_a_docstring():
    """A module, class, function or method of the library has a docstring of at least a sentence."""
    texts = {
        name: ast.get_docstring(node, clean=False) or "" for name, node in public_definitions()
    }
    silent = [
        name
        for name, text in texts.items()
        if not text.split("\n\n")[0].rstrip().endswith((".", "?", ":", "`"))
    ]

    assert len(texts) > 100
    assert silent == []


def test_functions_of_arrays_state_their_shapes():
    """Where a public function takes an array, it or its module names shapes."""
    silent = []
    for file in ("transforms.py", "metrics.py", "evaluations.py", "training.py", "recipes.py"):
        tree = tree_of(PACKAGE / file)
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
