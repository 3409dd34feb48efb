"""One word for each thing: the words of earlier drafts are gone."""

import re

from specs.helpers import ROOT
from specs.helpers.pages import PAGES

OLD = re.compile(
    r"(?<![a-z])(worlds?|readings|views?|battery|sure of|unsure|surely|surest)(?![a-z])",
    re.IGNORECASE,
)
# a fragment in which an old word stays, and why
ALLOWED = {
    '"view", ': "a key of random streams: another would draw other noise",
    "always-unsure": "a degenerate model, named in code that evidence is keyed by",
}


def files():
    """Return the pages, the package's texts but for the engine, and the plugins."""
    package = ROOT / "mnistrobust"
    texts = [
        each
        for suffix in ("py", "toml", "html", "ipynb")
        for each in package.rglob(f"*.{suffix}")
        if not each.is_relative_to(package / "engine")  # NumPy's views of arrays
    ]
    return [*PAGES, *texts, *(ROOT / "fixtures").glob("*.py")]


def test_old_words_are_gone():
    """Pages, messages, identifiers and comments use the words of the README's table."""
    left, used = [], set()
    for file in files():
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
            used |= {fragment for fragment in ALLOWED if fragment in line}
            rest = re.sub("|".join(map(re.escape, ALLOWED)), "", line)
            left += [
                f"{file.relative_to(ROOT)}:{number}: {found[0]}" for found in OLD.finditer(rest)
            ]

    assert left == []
    assert used == set(ALLOWED)
