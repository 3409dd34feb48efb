"""Digests of source code: what a stored result depends on, by syntax tree.

A comment, a docstring, a blank line, another Python version, or another place for a definition
changes no digest. Files are read, not imported, so that a key needs no TensorFlow.
"""

import ast
import hashlib
import sysconfig
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

PACKAGE = "mnistrobust"
INSTALLED = "_suite"  # where the wheel has the specs and their plugins, inside the package
_FOLDER = Path(__file__).parents[1]
_PACKAGES = {"site-packages", "dist-packages"}
_NOT_OWN = (_FOLDER, *(Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")))
_IMPORTS = (ast.Import, ast.ImportFrom)
_NO_MEANING = frozenset({"ctx", "kind", "type_comment", "type_ignores"})  # for what code does
_INNER = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda)  # own scopes
_Imports = dict[str, tuple[str, str | None]]  # alias -> (module, name; None for the module)


@dataclass(frozen=True)
class _Module:
    name: str
    nodes: dict[str, list[ast.stmt]]
    imports: _Imports

    @cached_property
    def definitions(self) -> dict[str, "_Definition"]:
        return {name: _Definition(self, nodes) for name, nodes in self.nodes.items()}


@dataclass(frozen=True)
class _Definition:
    module: _Module
    nodes: list[ast.stmt]

    @cached_property
    def text(self) -> str:
        return "".join(_canonical(node, self.module.imports) for node in self.nodes)

    @cached_property
    def references(self) -> list[tuple[str, str]]:
        return [place for node in self.nodes for place in _references(node, self.module)]


@cache
def digest(*roots: str, skip: tuple[str, ...] = ()) -> str:
    """Return the SHA-256 of the definitions that the roots are or refer to, in hexadecimal.

    A root is `module:name`, or `module` for all of its definitions; a module may be the path of a
    `.py` file. References are followed through this package, but not into what `skip` names in
    the same two forms. Raises KeyError for a root that does not exist.
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
        elif name in _parse(module).imports:  # a package's door
            origin, inner = _parse(module).imports[name]
            pending += [(origin, inner)] if inner else []
    # by name and content alone: a definition may move to another module
    text = "\n".join(sorted(f"{key.rpartition(':')[2]} {seen[key]}" for key in seen))
    return hashlib.sha256(text.encode()).hexdigest()


def digest_of_file(path: Path) -> str:
    """Return the SHA-256 of one source file of any place, by the same rules, in hexadecimal."""
    tree = _tree(path)
    return hashlib.sha256(_canonical(tree, _imported(tree)).encode()).hexdigest()


def imported_by(path: Path) -> set[str]:
    """Return the top-level modules that a source file imports, wherever in it, by name."""
    names: set[str] = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def is_own(path: Path) -> bool:
    """Return whether a file or folder is the user's: not Python's, not installed, and not ours."""
    return not _PACKAGES & set(path.parts) and not any(map(path.is_relative_to, _NOT_OWN))


def suite_root() -> Path:
    """Return the folder that holds `specs` and `fixtures`: the clone, or a folder of the wheel."""
    clone = _FOLDER.parent
    return clone if (clone / "specs" / "claims").is_dir() else _FOLDER / INSTALLED


def _places(root: str) -> list[tuple[str, str]]:
    module, colon, name = root.rpartition(":")
    if not colon or name.endswith(".py"):  # no name: a drive letter has a colon too
        return [(root, each) for each in _parse(root).definitions]
    return [(module, name)]


def _file(module: str) -> Path | None:
    if module.endswith(".py"):
        return Path(module)
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
    return _Module(module, nodes, _imported(tree))


def _imported(tree: ast.Module) -> _Imports:
    """Return what each name that a file imports stands for, wherever in the file."""
    imports: _Imports = {}
    for part in ast.walk(tree):
        if isinstance(part, ast.ImportFrom):
            origin = "." * part.level + (part.module or "")
            for alias in part.names:
                inner = f"{origin}.{alias.name}"
                known = (inner, None) if _file(inner) else (origin, alias.name)
                imports[alias.asname or alias.name] = known
        elif isinstance(part, ast.Import):
            for alias in part.names:
                if alias.asname:
                    imports[alias.asname] = (alias.name, None)
    return imports


def _canonical(part: object, imports: _Imports) -> str:
    """Write a syntax tree as text that, unlike `ast.dump`'s, is the same in every Python version.

    Imports are left out: what they import is named where it is used, our own without a module.
    """
    if isinstance(part, list):
        kept = [_canonical(each, imports) for each in part if not isinstance(each, _IMPORTS)]
        return f"[{', '.join(kept)}]" if kept else ""
    if not isinstance(part, ast.AST):
        return repr(part)
    if isinstance(part, ast.Name):
        origin, name = imports.get(part.id, ("", part.id))
        own = not origin or _file(origin)
        return f"Name({name if own and name else '.'.join(filter(None, (origin, name)))})"
    if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
        origin, name = imports.get(part.value.id, ("", ""))
        if name is None and _file(origin):
            return f"Name({part.attr})"
    fields = [
        f"{name}={text}"
        for name, value in ast.iter_fields(part)
        if name not in _NO_MEANING and value is not None and (text := _canonical(value, imports))
    ]
    return f"{type(part).__name__}({', '.join(fields)})"


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
        if isinstance(part, ast.Name) and part.id in module.nodes:
            yield module.name, part.id
        elif isinstance(part, ast.Name):
            origin, name = module.imports.get(part.id, ("", None))
            if name is not None:
                yield origin, name
        elif isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
            origin, name = module.imports.get(part.value.id, ("", ""))
            if name is None:
                yield origin, part.attr


def _tree(file: Path) -> ast.Module:
    """Parse a file, and drop its docstrings."""
    tree = ast.parse(file.read_bytes())
    for node in ast.walk(tree):
        documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return tree
