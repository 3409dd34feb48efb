"""Digests of source code: what a stored result depends on, by syntax tree.

A comment, a docstring or a blank line changes no digest. Files are read, not imported, so that a
key can be computed without TensorFlow.
"""

import ast
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

PACKAGE = "mnistrobust"
_FOLDER = Path(__file__).parent
_INNER = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda)  # own scopes


@dataclass(frozen=True)
class _Module:
    name: str
    nodes: dict[str, list[ast.stmt]]
    imports: dict[str, tuple[str, str | None]]  # alias -> (module, name; None for the module)

    @cached_property
    def definitions(self) -> dict[str, "_Definition"]:
        return {name: _Definition(self, nodes) for name, nodes in self.nodes.items()}


@dataclass(frozen=True)
class _Definition:
    module: _Module
    nodes: list[ast.stmt]

    @cached_property
    def text(self) -> str:
        return "".join(ast.dump(node) for node in self.nodes)

    @cached_property
    def references(self) -> list[tuple[str, str]]:
        return [place for node in self.nodes for place in _references(node, self.module)]


@cache
def digest(*roots: str, skip: tuple[str, ...] = ()) -> str:
    """Return the SHA-256 of the definitions that the roots are or refer to, in hexadecimal.

    A root is `module:name`, or `module` for all of its definitions. References are followed
    through this package, not into other packages, and not into what `skip` names in the same
    two forms. Raises KeyError for a root that does not exist.
    """
    seen: dict[str, str] = {}
    pending = [place for root in roots for place in _places(root)]
    for module, name in pending:
        if name not in _parse(module).definitions:
            raise KeyError(f"{module}:{name}")
    while pending:
        module, name = pending.pop()
        key = f"{module}:{name}"
        if key in seen or key in skip or module in skip:
            continue
        definition = _parse(module).definitions.get(name)
        if definition is not None:
            seen[key] = definition.text
            pending += definition.references
    text = "\n".join(f"{key} {seen[key]}" for key in sorted(seen))
    return hashlib.sha256(text.encode()).hexdigest()


def digest_of_file(path: Path) -> str:
    """Return the SHA-256 of one source file of any place, by the same rules, in hexadecimal."""
    return hashlib.sha256(ast.dump(_tree(path)).encode()).hexdigest()


def _places(root: str) -> list[tuple[str, str]]:
    module, _, name = root.partition(":")
    return [(module, name)] if name else [(module, each) for each in _parse(module).definitions]


def _file(module: str) -> Path | None:
    if module != PACKAGE and not module.startswith(f"{PACKAGE}."):
        return None
    path = _FOLDER.joinpath(*module.split(".")[1:])
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


@cache
def _parse(module: str) -> _Module:
    file = _file(module)
    if file is None:
        return _Module(module, {}, {})
    tree = _tree(file)
    nodes: dict[str, list[ast.stmt]] = {}
    for node in tree.body:
        for name in set(_defined(node)):
            nodes.setdefault(name, []).append(node)
    imports: dict[str, tuple[str, str | None]] = {}
    for part in ast.walk(tree):
        if isinstance(part, ast.ImportFrom) and part.module and not part.level:
            for alias in part.names:
                inner = f"{part.module}.{alias.name}"
                known = (inner, None) if _file(inner) else (part.module, alias.name)
                imports[alias.asname or alias.name] = known
        elif isinstance(part, ast.Import):
            for alias in part.names:
                if alias.asname:
                    imports[alias.asname] = (alias.name, None)
    return _Module(module, nodes, imports)


def _defined(node: ast.AST) -> Iterable[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif not isinstance(node, _INNER):
        for child in ast.iter_child_nodes(node):
            yield from _defined(child)


def _references(node: ast.stmt, module: _Module) -> Iterable[tuple[str, str]]:
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            if part.id in module.nodes:
                yield module.name, part.id
            elif part.id in module.imports:
                origin, name = module.imports[part.id]
                if name is not None:
                    yield origin, name
        elif isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
            origin, name = module.imports.get(part.value.id, ("", ""))
            if name is None:
                yield origin, part.attr


def _tree(file: Path) -> ast.Module:
    tree = ast.parse(file.read_bytes())
    _drop_docstrings(tree)
    return tree


def _drop_docstrings(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:] or [ast.Pass()]
