"""What several specs use: stand-ins, synthetic networks, faults."""

import ast
import functools
from pathlib import Path

ROOT = Path(__file__).parents[2]


@functools.cache
def tree_of(file):
    """Return a source file's syntax tree, parsed once for all specs."""
    return ast.parse(file.read_text("utf-8"))
