"""A copy of the package's source, and what is stored under which key when it changes."""

import functools
import shutil

import pytest

from mnistrobust import code, keys, recipes
from mnistrobust.store import Store
from mnistrobust.views import VIEWS
from mnistrobust.world import World

parse = code._parse.__wrapped__


@functools.cache
def parsed(module, _):
    """Parse each version of a file once for all specs."""
    return parse(module)


def forget():
    for cached in (code.digest, keys.model_key, keys.reading_code, keys.reader_code):
        cached.cache_clear()


class NotInSourceError(AssertionError):
    """A spec looks for a piece of source that is not there just once: adapt the spec."""


def check_once(text, old, name):
    """Raise NotInSourceError unless a piece of source is in a file's text just once."""
    if text.count(old) != 1:
        raise NotInSourceError(f"{old!r} is {text.count(old)} times in {name}")


class Tree:
    """A copy of the package's source that keys are computed from."""

    def __init__(self, folder, source, before=None):
        self.folder = folder
        self.world = World(0, source, Store(folder / "store"))
        self.before = before or self.keys()

    def keys(self):
        """What each recipe's model and each view's readings are stored under."""
        files = {path: path.read_bytes() for path in self.folder.rglob("*.py")}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(code, "_FOLDER", self.folder)
            patch.setattr(code, "_parse", lambda name: parsed(name, files.get(code._file(name))))
            forget()
            models = {name: self.world.model_key(name).digest for name in recipes.RECIPES}
            readings = {view: keys.reading_code(view) + keys.reader_code() for view in VIEWS}
        forget()
        return models | readings

    def edit(self, name, old, new):
        """Change the source in one place; return which recipes and views become stale."""
        path = self.folder / name
        text = path.read_text("utf-8")
        check_once(text, old, name)
        path.write_text(text.replace(old, new), "utf-8")
        return self.stale()

    def append(self, name, text):
        """Add a definition to a module; return which recipes and views become stale."""
        path = self.folder / name
        path.write_text(path.read_text("utf-8") + text, "utf-8")
        return self.stale()

    def stale(self):
        after = self.keys()
        return {name for name in after if after[name] != self.before.get(name)}


def copied(folder, *without):
    copy = folder / "mnistrobust"
    ignored = shutil.ignore_patterns("__pycache__", *without)
    shutil.copytree(code._FOLDER, copy, ignore=ignored)
    return copy
