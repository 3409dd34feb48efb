"""The stub for type checkers names what the package has."""

import ast
from pathlib import Path

import mnistrobust


def test_the_stub_has_the_table_of_homes():
    stub = ast.parse(Path(mnistrobust.__file__).with_suffix(".pyi").read_text("utf-8"))
    stated = {
        alias.asname: node.module
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }

    assert stated == {name: f"mnistrobust.{home}" for name, home in mnistrobust._HOMES.items()}
