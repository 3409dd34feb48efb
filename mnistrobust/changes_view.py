"""What changed since a baseline, on a terminal and as Markdown."""

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mnistrobust.changes import SUSPICIOUS, Change, Changes
from mnistrobust.checking import BETTER, WORSE
from mnistrobust.errors import inert
from mnistrobust.flips import LEVEL, Flips
from mnistrobust.ledger_markdown import cell

_COLOURS = {WORSE: "red", BETTER: "green", SUSPICIOUS: "bold yellow"}
_FIGURES = 20  # lines of a table on a terminal; --json and --markdown have them all
_IMAGES = 6  # images named in a line
_WIDE = 110  # columns from which a terminal has room for them


def print_changes(changes: Changes, console: Console | None = None) -> None:
    """Print what changed: the verdict first, then claims, figures and images."""
    console = console or Console(highlight=False)
    for line in _head(changes):
        console.print(Text(inert(line), style="red" if line.startswith("WORSE") else ""))
    for line in _turns(changes):
        console.print(Text(inert(f"  {line}")))
    if changes.figures:
        _print_figures(changes, console)
    if changes.flips:
        _print_flips(changes, console)
    for line in _foot(changes):
        console.print(Text(inert(line), style="dim"))


def _print_figures(changes: Changes, console: Console) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("figure", overflow="fold")
    for name in ("before", "now", *_unit(changes)):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("change", no_wrap=changes.worlds is None)
    for each in changes.figures[:_FIGURES]:
        first, *others = _figure(each, changes)
        cells = [Text(inert(other)) for other in others[:-1]]
        table.add_row(Text(inert(first)), *cells, Text(each.word, _COLOURS.get(each.word, "")))
    console.print(table)
    _more(console, len(changes.figures))


def _print_flips(changes: Changes, console: Console) -> None:
    wide = console.width >= _WIDE
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("network and view", overflow="fold")
    for name in ("other answers", "lost", "gained", "p"):
        table.add_column(name, justify="right", no_wrap=True)
    if wide:
        table.add_column("images lost")
    for flip in _sorted(changes.flips)[:_FIGURES]:
        colour = _COLOURS.get(flip.direction, "") if flip.significant else ""
        first, *others = map(inert, _flip(flip))
        shown = others if wide else others[:-1]
        table.add_row(Text(first), *(Text(other, colour) for other in shown))
    console.print(table)
    _more(console, len(changes.flips))


def markdown(changes: Changes) -> str:
    """Return what changed as Markdown, with every figure."""
    lines = ["# Changes", "", *_listed(_head(changes)), *_listed(_turns(changes)), ""]
    if changes.figures:
        lines += _table(
            ("figure", "before", "now", *_unit(changes), "change"),
            [_figure(each, changes) for each in changes.figures],
        )
    if changes.flips:
        lines += _table(
            ("network and view", "other answers", "lost", "gained", "p", "images lost"),
            [_flip(each) for each in _sorted(changes.flips)],
        )
    lines += _listed(_foot(changes))
    return "\n".join(lines).rstrip() + "\n"


def rows(changes: Changes) -> list[dict[str, str]]:
    """Return the changes as the report's table: summary, claims, figures, then networks."""
    names = ("what", "before", "now", *_unit(changes), "change")
    found = [dict.fromkeys(names, "") | {"what": line} for line in _head(changes)]
    found += [
        dict.fromkeys(names, "") | {"what": each.claim, "before": each.before, "now": each.after}
        for each in changes.turns
    ]
    found += [dict(zip(names, _figure(each, changes), strict=True)) for each in changes.figures]
    for flip in _sorted(changes.flips):
        what, answers, lost, gained, p, _ = _flip(flip)
        told = {
            "now": f"{answers} answers changed",
            "change": f"lost {lost}, gained {gained}, p {p}",
        }
        found.append(dict.fromkeys(names, "") | {"what": what} | told)
    return found


def _head(changes: Changes) -> Iterator[str]:
    yield f"Since the baseline '{changes.baseline}' ({changes.made}, {changes.dataset}, seed 0):"
    if not (changes.figures or changes.flips or changes.turns):
        yield "nothing changed: every figure and every answer is the same."
    for line in changes.worse:
        yield f"WORSE: {line}"
    if changes.suspicious:
        yield (
            f"SUSPICIOUSLY BETTER: {len(changes.suspicious)} figures; before you are glad, look "
            f"for test images among the training images"
        )
    if changes.code:
        yield f"changed code: {', '.join(changes.code)}"
    for package, (before, after) in changes.versions.items():
        yield f"{package} {before or 'absent'} → {after or 'absent'}"
    if changes.unmatched:
        yield f"not compared, since one run lacks them: {', '.join(changes.unmatched)}"
    if changes.figures:
        yield f"{len(changes.figures)} of {changes.compared} figures and margins moved"


def _turns(changes: Changes) -> Iterator[str]:
    for turn in changes.turns:
        yield f"{turn.claim}: {turn.before} → {turn.after}"


def _foot(changes: Changes) -> Iterator[str]:
    if changes.figures and changes.bound is not None:
        yield (
            f"sd: standard deviations of {changes.worlds} worlds; two worlds of the same recipes "
            f"differ by more than {changes.bound:.1f} of them, in any figure, in fewer than 1 % of "
            f"comparisons, and only that is reported as worse."
        )
    elif changes.figures:
        yield (
            "No evidence of this data set says how much worlds differ: a network is reported as "
            "worse where its lost images outnumber those it gained by more than chance."
        )
    if changes.flips:
        yield (
            f"p: McNemar's exact test on images, after Holm's correction for {changes.tests} "
            f"tests; below {LEVEL:g}, chance is not to blame. An image with several draws counts "
            f"once. Two networks of different seeds may differ by as much. --json names every image."
        )


def _unit(changes: Changes) -> tuple[str, ...]:
    return ("sd",) if changes.worlds is not None else ("by",)


def _figure(each: Change, changes: Changes) -> tuple[str, ...]:
    moved = f"{each.difference:+.4f}"
    if changes.worlds is not None:
        moved = "–" if each.deviations is None else f"{each.deviations:+.1f}"
    values = (f"{each.before:.4f}", f"{each.after:.4f}")
    return (f"{each.claim} {each.name}", *values, moved, each.word)


def _flip(each: Flips) -> tuple[str, ...]:
    named = ", ".join(map(str, each.lost[:_IMAGES]))
    more = f" and {len(each.lost) - _IMAGES} more" if len(each.lost) > _IMAGES else ""
    tested = each.adjusted is not None
    return (
        f"{each.recipe} on {each.view}",
        f"{each.changed:,} of {each.n:,}",
        str(len(each.lost)) if tested else "–",
        str(len(each.gained)) if tested else "–",
        f"{each.adjusted:.1g}" if each.adjusted is not None else "–",
        named + more,
    )


def _sorted(found: Sequence[Flips]) -> list[Flips]:
    """Sort by what is least by chance."""
    return sorted(found, key=lambda each: (each.p is None, each.p or 0.0, -each.changed))


def _more(console: Console, count: int) -> None:
    if count > _FIGURES:
        console.print(Text(f"and {count - _FIGURES} more; --markdown or --json names them all"))


def _listed(lines: Iterator[str]) -> list[str]:
    return [f"- {cell(line)}" for line in lines]


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [heads, ["---"] * len(heads), *([cell(each) for each in row] for row in rows)]
    return [*(f"| {' | '.join(line)} |" for line in lines), ""]
