"""What is made: `python -m specs.helpers.pages` writes the blocks of the README pages and `shown/` anew."""

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Callable

from typer.testing import CliRunner

from mnistrobust import curves
from mnistrobust.cli.app import app
from mnistrobust.conditions import CONDITIONS
from mnistrobust.evidence import load
from mnistrobust.fuzzing import LAWS
from mnistrobust.judging.ledger import ledger_of
from mnistrobust.report import markdown
from specs.benchmarks import speed
from specs.helpers import ROOT

COMMAND = "python -m specs.helpers.pages"
REWRITE = "MNISTROBUST_REWRITE"  # makes the specs of `shown/` write their files
PAGES = tuple(
    sorted(
        [
            ROOT / "README.md",
            ROOT / ".github" / "CONTRIBUTING.md",
            *(ROOT / "mnistrobust").rglob("README.md"),
            *(ROOT / "specs").rglob("README.md"),
        ]
    )
)
BLOCK = re.compile(r"(<!-- made: (.+?) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
SPEED = ROOT / ".github" / "speed.json"
VERDICTS = "mnistrobust claims --markdown"


def _printed(command: str) -> str:
    """Return what a command of ours prints, on full MNIST unless it names another set."""
    with contextlib.chdir(ROOT):
        ended = CliRunner().invoke(app, command.split()[1:], env={"MNISTROBUST_DATA": None})
    if not ended.stdout:
        raise RuntimeError(f"{command}: {ended.exception or ended.output}")
    return ended.stdout


def _outcome() -> str:
    """Return how many claims have which verdict, and the table of the refuted ones."""
    counts, _, rest = _printed(VERDICTS).partition(" Verdicts:")
    table = rest.partition("### Refuted\n\n")[2].partition("\n### ")[0]
    return f"{counts} These are refuted:\n\n{table}\n{_contradictions()}"


def _contradictions() -> str:
    """Return a sentence for each pair of claims that contradict each other."""
    ledger = ledger_of(evidence=load("mnist"))
    rows = [row for row in ledger.rows if row.claim.contradicts]
    pairs = [(row, ledger[row.claim.contradicts]) for row in rows]
    return "".join(
        f"The document contradicts itself: “{one.claim.statement}” ({one.word}, {one.rate}) and "
        f"“{other.claim.statement}” ({other.word}, {other.rate}).\n"
        for one, other in pairs
        if one.claim.cell < other.claim.cell
    )


def _conditions() -> str:
    """Return the table of conditions."""
    rows = [f"| `{each.name}` | {each.summary} |" for each in CONDITIONS.values()]
    return "\n".join(["| condition | the network sees |", "|---|---|", *rows]) + "\n"


def _laws() -> str:
    """Return the table of the laws that a transform may keep."""
    rows = [f"| `{name}` | {law.__doc__} |" for name, law in LAWS.items()]
    return "\n".join(["| law | says |", "|---|---|", *rows]) + "\n"


# what a command of ours does not print as it stands in a page
OTHERS: dict[str, Callable[[], str]] = {
    "conditions": _conditions,
    "laws": _laws,
    "curves": lambda: markdown.curves(curves.load()),
    f"{VERDICTS}, its beginning": _outcome,
    "python specs/benchmarks/speed.py": lambda: speed.markdown(speed.merged([SPEED])),
}


def made(name: str) -> str:
    """Return a block by the name in its marker: a command, or a key of OTHERS."""
    return OTHERS[name]() if name in OTHERS else _printed(name)


def fresh(text: str) -> str:
    """Return a page with every block made anew."""
    return BLOCK.sub(lambda found: f"{found[1]}{made(found[2])}{found[4]}", text)


def main() -> None:
    """Write every page with fresh blocks, and all that `shown/` compares."""
    for page in PAGES:
        page.write_text(fresh(page.read_text("utf-8")), "utf-8")
    specs = (sys.executable, "-m", "pytest", "specs/library/shown", "-q", "--data", "mnist5k")
    subprocess.run(specs, cwd=ROOT, env={**os.environ, REWRITE: "1"}, check=True)


if __name__ == "__main__":
    main()
