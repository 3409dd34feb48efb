"""The report of a run, from a ledger and what the store has: a page, JSON, Markdown and a picture."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mnistrobust.errors import UsageError
from mnistrobust.files import parsed, regular
from mnistrobust.judging.ledger import Ledger

if TYPE_CHECKING:
    from mnistrobust.replicates import Replicate
    from mnistrobust.report.page import Changed

PAGE = "index.html"
FILES = ("results.json", "ledger.md", "ledger.svg")  # beside it
_CHANGES = frozenset(
    {"baseline", "compared", "turns", "unmatched"}
)  # some fields of our changes.json


def write(
    ledger: Ledger,
    folder: Path,
    *,
    replicate: "Replicate | None" = None,
    changes: "Changed | None" = None,
) -> None:
    """Write the page, `results.json`, `ledger.md`, `ledger.svg` and `changes.json` into a folder.

    The page shows the networks of the `replicate` that its store has. Each file is written whole or not at
    all. Raises UsageError where a file cannot be written.
    """
    from mnistrobust import curves
    from mnistrobust.report import markdown, networks, page, terminal
    from mnistrobust.store import write_whole

    gallery = networks.gallery(replicate) if replicate else None
    texts = {
        "results.json": ledger.run.to_json(),
        "ledger.md": markdown.ledger(ledger),
        "ledger.svg": terminal.picture(ledger),
        PAGE: page.html(
            ledger, gallery=gallery, changes=changes, curves=curves.load(), files=FILES
        ),
    }
    if changes:
        texts["changes.json"] = changes.json
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not changes and _is_ours(folder / "changes.json"):  # an earlier run's
            (folder / "changes.json").unlink(missing_ok=True)
        for name, text in texts.items():
            write_whole(folder / name, text.encode())
    except OSError as error:
        raise UsageError(f"--report {folder}: {error.strerror}; name another folder.") from error


def _is_ours(changes: Path) -> bool:
    """Return whether a file is a `changes.json` that we wrote, not one of the user's."""
    with suppress(OSError, ValueError):
        found = parsed(regular(changes).read_text("utf-8"))
        return isinstance(found, dict) and found.keys() >= _CHANGES
    return False
