"""The report of a run: a page for people, and the same as JSON, Markdown and JUnit XML.

Made from results, evidence and what the store has; without TensorFlow.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from mnistrobust.errors import UsageError
from mnistrobust.evidence import Evidence
from mnistrobust.ledger import Results
from mnistrobust.report import junit, page
from mnistrobust.verifying import write_report

if TYPE_CHECKING:
    from mnistrobust.store import Store

PAGE, JUNIT = "index.html", "junit.xml"
FILES = page.FILES  # beside it; `ledger.svg` is drawn by the command


def write(
    results: Results,
    folder: Path,
    evidence: Evidence | None = None,
    *,
    store: "Store | None" = None,
    changes: page.Rows | None = None,
) -> None:
    """Write `index.html`, `results.json`, `ledger.md` and `junit.xml` into a folder.

    The page shows the networks of the run's first seed that `store` has. `changes` is a table of
    what changed against a baseline: mappings of column to text. Raises UsageError where a file
    cannot be written.
    """
    write_report(results, folder, evidence)
    gallery = None
    if store and results.seeds:
        from threadpoolctl import threadpool_limits

        from mnistrobust.report import networks
        from mnistrobust.world import World

        with threadpool_limits(1, "blas"):  # on a busy machine, threads wait for each other
            gallery = networks.gallery(World(results.seeds[0], results.source, store))
    try:
        text = page.html(results, evidence, gallery=gallery, changes=changes)
        (folder / PAGE).write_text(text, "utf-8")
        junit.write(results, folder / JUNIT)
    except OSError as error:
        raise UsageError(f"--report {folder}: {error.strerror}; name another folder.") from error
