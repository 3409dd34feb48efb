"""A comparison of two sides on a terminal, as Markdown for a pull request, and as JUnit XML."""

from collections.abc import Iterator, Sequence
from xml.etree import ElementTree as ET

from rich.console import Console
from rich.text import Text

from mnistrobust.comparison.paired import LEVEL, POWER
from mnistrobust.comparison.replays import GONE, NEW, REMAINS, REPAIRED, Replay
from mnistrobust.comparison.sides import DIGITS, PERTURBED
from mnistrobust.comparison.verdict import (
    ACCURACY,
    BETTER,
    CALIBRATION,
    LOSS,
    RECALL,
    SAME,
    WORSE,
    Comparison,
    Row,
)
from mnistrobust.errors import inert
from mnistrobust.report import console as kit
from mnistrobust.report.markdown import cell, table

COLUMNS = ("figure", "old", "new", "change", "seen at", "", "images lost", "gained")
REPLAYED = ("counterexample", "old", "new", "")
_TERMINAL = 6  # columns that fit into 80
_COLOURS = {WORSE: "bold red", BETTER: "green", SAME: "dim"}
_DIFFERING = 10  # rows on one screen, besides the first
_ROWS = 14  # of the Markdown table: the whole has at most 30 lines
_NAMED = 3  # rows that a sentence names


def print_comparison(comparison: Comparison, *, verbose: bool = False) -> None:
    """Print both sides, the table of what changed (verbose: of every row), and the verdict."""
    console = Console(highlight=False)
    for line in sides(comparison):
        console.print(Text(inert(line)), soft_wrap=True)
    rows = comparison.rows if verbose else shown(comparison)
    cells = [
        [Text(value, _COLOURS[row.verdict]) for value in cells_of(row)[:_TERMINAL]] for row in rows
    ]
    columns = COLUMNS[:_TERMINAL]
    kit.table(columns, cells, right=columns[1:-1], whole=columns[1:], console=console)
    for line in notes(comparison, rows):
        console.print(Text(line, style="dim"))
    if comparison.replays:
        few = comparison.replays if verbose else comparison.replays[:_DIFFERING]
        kit.table(REPLAYED, map(replay_cells, few), whole=REPLAYED[1:], console=console)
        console.print(Text(replayed(comparison)))
    console.print(Text(inert(sentence(comparison)), style=_COLOURS[comparison.verdict]))


def markdown(comparison: Comparison) -> str:
    """Return the comparison as Markdown of at most 30 lines."""
    verdicts = [comparison.verdict, BETTER, SAME]
    rows = sorted(shown(comparison), key=lambda row: verdicts.index(row.verdict))[:_ROWS]
    parts = [
        f"### {cell(sentence(comparison))}\n",
        "".join(f"- {cell(line)}\n" for line in sides(comparison)),
        table(COLUMNS, [cells_of(row) for row in rows]),
        "".join(f"{cell(line)}\n" for line in notes(comparison, rows)),
        *([f"{replayed(comparison)}\n"] if comparison.replays else []),
    ]
    return "\n".join(parts)


def junit(comparison: Comparison, *, fail: frozenset[str]) -> bytes:
    """Return a JUnit test suite: a case for each row; the verdicts in `fail` are failures."""
    failed = [row for row in comparison.rows if row.verdict in fail]
    facts = {
        "name": "mnistrobust compare",
        "tests": str(len(comparison.rows)),
        "failures": str(len(failed)),
    }
    suite = ET.Element("testsuite", facts)
    for row in comparison.rows:
        case = ET.SubElement(suite, "testcase", classname="mnistrobust.compare", name=row.name)
        if row in failed:
            ET.SubElement(case, "failure", message=_told(row))
    document: bytes = ET.tostring(suite, "utf-8", xml_declaration=True)
    return document


def sides(comparison: Comparison) -> Iterator[str]:
    """Yield a line on each side, and one on the data."""
    for word, side in (("old", comparison.old), ("new", comparison.new)):
        seeds = f", {len(side.seeds)} seeds" if side.seeds else ""
        yield f"{word}: {side.name}{seeds}, predicted {side.made[:16].replace('T', ' ')}"
        if comparison.old.interface != comparison.new.interface:
            yield f"     {side.interface}"
    images = len(comparison.dataset.test_labels)
    yield f"data: {comparison.dataset.name}, {images:,} held-out digits"


def sentence(comparison: Comparison) -> str:
    """Return the verdict in one sentence; it names the most significant rows."""
    rows = comparison.of(comparison.verdict)
    if comparison.verdict == SAME:
        smallest = min(row.smallest for row in rows if row.figure == ACCURACY and row.on == "clean")
        if comparison.identical:
            return "No difference seen: the predictions are the same."
        doubtful = [row for row in rows if row.enough_seeds]
        if doubtful:
            row = min(doubtful, key=lambda row: row.paired.p)
            return (
                f"No difference seen, but {len(comparison.old.seeds)} seeds are too few to tell: "
                f"{row.name} differs by {cells_of(row)[3]}; about {row.enough_seeds} seeds would do."
            )
        if smallest >= 1:
            return "No difference seen, and none could be: these seeds differ too much; use more."
        return (
            f"No difference seen; a change of {smallest:.4f} in accuracy would most likely be seen."
        )
    first = "; ".join(map(_told, rows[:_NAMED]))
    more = len(rows) - _NAMED
    also = len(comparison.of(BETTER)) if comparison.verdict == WORSE else 0
    figures = "figure is" if more == 1 else "figures are"
    others = [f"{more} more {figures} {comparison.verdict}"] * (more > 0)
    others += [f"{also} better"] * (also > 0)
    return f"{comparison.verdict.capitalize()}: {first}." + (
        f" Besides, {' and '.join(others)}." if others else ""
    )


def replayed(comparison: Comparison) -> str:
    """Return in a sentence what became of the counterexamples, one of the models' or both."""
    words = [each.verdict for each in comparison.replays]
    counts = [
        f"{words.count(word)} {word}" for word in (REPAIRED, REMAINS, NEW, GONE) if word in words
    ]
    return (
        f"Counterexamples: {', '.join(counts)}. Each has about the smallest dose that breaks its own model; a "
        f"network of another seed withstands some of them, too."
    )


def replay_cells(replay: Replay) -> list[str]:
    """Return a counterexample's cells, in the order of REPLAYED."""
    return [*vars(replay).values()]


def notes(comparison: Comparison, rows: Sequence[Row]) -> Iterator[str]:
    """Yield what one needs to know to read a table of some rows."""
    count = len(comparison.rows)
    left_out = [row.verdict for row in comparison.rows if row not in rows]
    which = f"{left_out.count(WORSE)} worse, {left_out.count(BETTER)} better"
    hidden = f" Left out: {len(left_out)} rows ({which}); -v prints all." if left_out else ""
    yield (
        f"Change: with its own 95% interval. A row with a dose, such as rotate:15, is accuracy. Equal models "
        f"differ in at most {LEVEL:.0%} of comparisons (Holm, {count} tests). Seen at: the smallest "
        f"change seen with {POWER:.0%} power.{hidden}"
    )
    if comparison.old.seeds:
        yield f"It speaks of two ways to train, by {len(comparison.old.seeds)} seeds of each."
    else:
        yield (
            "It speaks of these two networks alone: other seeds may differ as much. Where both can be "
            "trained, --seeds K compares the ways to train."
        )


def shown(comparison: Comparison) -> list[Row]:
    """Return the rows for one screen: the document's and added conditions, then what differs most."""
    first = [
        row
        for row in comparison.rows
        if (row.figure == ACCURACY and row.on in DIGITS)
        or (row.on == "clean" and row.figure in {LOSS, CALIBRATION})
        or (":" in row.on and row.on not in PERTURBED)
    ]
    differing = [*comparison.of(WORSE), *comparison.of(BETTER)]
    return [*first, *[row for row in differing if row not in first][:_DIFFERING]]


def cells_of(row: Row) -> list[str]:
    """Return a row's cells, in the order of COLUMNS."""
    paired = row.paired
    change = f"{_short(paired.difference, '+')} ± {(paired.high - paired.low) / 2:.3f}"
    flips = ["" if count is None else str(count) for count in (paired.lost, paired.gained)]
    word = "" if row.verdict == SAME else row.verdict
    place = f"digit {row.on}" if row.figure == RECALL else row.on
    name = place if ":" in row.on else f"{row.figure}, {place}"
    return [
        name,
        _short(row.old),
        _short(row.new),
        change,
        _short(row.smallest) if row.smallest and (row.smallest < 1 or row.figure == LOSS) else "–",
        word,
        *flips,
    ]


def _short(value: float, sign: str = "") -> str:
    return f"{value:{sign}.{4 if abs(value) < 10 else 1}f}"


def _told(row: Row) -> str:
    images = (
        ""
        if row.paired.lost is None
        else f", {row.paired.lost} images lost, {row.paired.gained} gained"
    )
    return f"{row.name} {row.old:.4f} → {row.new:.4f}{images}"
