"""A copy of the package's source, and what is stored under which key when it changes."""

import functools
import shutil

import pytest

from mnistrobust import recipes
from mnistrobust.conditions import CONDITIONS, condition_named
from mnistrobust.replicates import Replicate, keys
from mnistrobust.store import Store, code

parse = code._parse.__wrapped__


@functools.cache
def parsed(module, _):
    """Parse each version of a file once for all specs."""
    return parse(module)


def forget():
    for cached in (code.digest, keys.model_key, keys.evaluation_code, keys.reader_code):
        cached.cache_clear()


class NotInSourceError(AssertionError):
    """A spec looks for a piece of source that is not there just once: adapt the spec."""


def check_once(text, old, name):
    """Raise NotInSourceError unless a piece of source is in a file's text just once."""
    if text.count(old) != 1:
        raise NotInSourceError(f"{old!r} is {text.count(old)} times in {name}")


DOSED = ("rotate:15", "stripes:1")


class Tree:
    """A copy of the package's source that keys are computed from."""

    def __init__(self, folder, source, before=None):
        self.folder = folder
        self.replicate = Replicate(0, source, Store(folder / "store"))
        self.texts = {}  # of changed files
        self.before = before or self.keys()

    def keys(self):
        """What each recipe's model and each condition's evaluations are stored under."""
        files = {path: path.read_bytes() for path in self.folder.rglob("*.py")}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(code, "_FOLDER", self.folder)
            texts = functools.cache(lambda name: parsed(name, files.get(code._file(name))))
            patch.setattr(code, "_parse", texts)
            forget()
            models = {
                name: keys.model_key(recipe, 0, self.replicate.source.digest).digest
                for name, recipe in recipes.RECIPES.items()
            }
            evaluations = {
                name: keys.evaluation_code(condition_named(name)) + keys.reader_code()
                for name in (*CONDITIONS, *DOSED)
            }
        forget()
        return models | evaluations

    def edit(self, name, old, new):
        """Change the source in one place; return which recipes and conditions become stale."""
        path = self.folder / name
        text = path.read_text("utf-8")
        check_once(text, old, name)
        return self._written(path, text.replace(old, new))

    def append(self, name, text):
        """Add a definition to a module; return which recipes and conditions become stale."""
        path = self.folder / name
        return self._written(path, path.read_text("utf-8") + text)

    def restore(self):
        """Undo all edits."""
        for path, text in self.texts.items():
            path.write_text(text, "utf-8")

    def _written(self, path, text):
        self.texts.setdefault(path, path.read_text("utf-8"))
        path.write_text(text, "utf-8")
        return self.stale()

    def stale(self):
        after = self.keys()
        return {name for name in after if after[name] != self.before.get(name)}


def copied(folder, *without):
    copy = folder / "mnistrobust"
    ignored = shutil.ignore_patterns("__pycache__", *without)
    shutil.copytree(code._FOLDER, copy, ignore=ignored)
    return copy
