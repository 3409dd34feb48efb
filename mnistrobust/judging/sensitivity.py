"""What one replicate can show: false alarms, uncheckable figures, and the smallest changes."""

from collections.abc import Iterable, Iterator
from typing import Any

from mnistrobust.evidence.results import Outcome
from mnistrobust.judging.intervals import Interval, deviations
from mnistrobust.judging.regression import Checks
from mnistrobust.judging.verdicts import rule
from mnistrobust.suite import measured_on, spec_of

_LISTED = 3  # figures of a recipe
_SMALLEST = 0.05  # standard deviations: a smaller move would be shown as 0
_OF_ALL = ("false_alarms", "reach", "uncheckable")


def sensitivity(checks: Checks) -> dict[str, Any]:
    """Return the figures behind a default run, as `mnistrobust evidence --json` prints them.

    `checks` has for each claim and figure the interval of one replicate, and the smallest fall and
    rise that half of all runs detect; for the others see `Checks`.
    """
    evidence = checks.evidence
    return {
        "dataset": evidence.head.dataset,
        "replicates": evidence.replicates,
        "command": evidence.head.command,
        "versions": dict(evidence.head.versions),
        "machines": list(evidence.head.machines),
        "rule": rule(evidence.replicates),
        **{name: getattr(checks, name) for name in _OF_ALL},
        "checks": {
            claim: {name: _check(interval) for name, interval in named.items()}
            for claim, named in checks.intervals.items()
        },
    }


def _check(interval: Interval) -> dict[str, Any]:
    fall, rise = interval.smallest_change
    ends = {"low": interval.low, "typical": interval.centre, "high": interval.high}
    return {**ends, "checkable": interval.checkable, "smallest_fall": fall, "smallest_rise": rise}


def moved(checks: Checks, outcomes: Iterable[Outcome], changed: Iterable[str]) -> Iterator[str]:
    """Yield a line for each changed recipe: which of its figures moved; last, what that shows.

    `changed` are names of `code_digests`; others than recipes are passed over. A figure's move is
    that from the evidence's typical value, in standard deviations of its seeds.
    """
    outcomes = sorted((each for each in outcomes if not each.models), key=lambda each: each.id)
    recipes = [name.removeprefix("recipe ") for name in changed if name.startswith("recipe ")]
    for recipe in recipes:
        moves: dict[tuple[float, float], tuple[float, str]] = {}
        for each in outcomes:
            own = measured_on(spec_of(each.id))
            for name, place, size, text in _moves(checks, each):
                if recipe in own.get(name, each.recipes):  # told of the first claim that has it
                    moves.setdefault(place, (size, text))
        largest = sorted(moves.values(), key=lambda move: -abs(move[0]))[:_LISTED]
        told = ", ".join(text for _, text in largest)
        told = f"typical of the evidence → here: {told}" if told else "no figure of this run moved"
        yield f"{recipe} is trained anew; {told}"
    if recipes:
        outside = sum(len(checks.problems(each)) for each in outcomes)
        yield (
            f"values outside their intervals: {outside}. One seed shows a move of {checks.reach:.1f} "
            f"standard deviations (sd) in half of all runs, and hardly a smaller one. 8 seeds show far "
            f"smaller ones: 'pytest specs/claims -n auto --seeds 8'"
        )


def _moves(
    checks: Checks, outcome: Outcome
) -> Iterator[tuple[str, tuple[float, float], float, str]]:
    """Yield each figure that moved, its typical and measured value, its standard deviations, a phrase."""
    known = checks.intervals.get(outcome.id, {})
    for name, after in outcome.figures.items():
        if name not in known:
            continue
        before = known[name].centre
        values = checks.evidence.claims[outcome.id].figures[name]
        size = deviations(before, after, values, known[name].scale)
        if abs(size) < _SMALLEST:
            continue
        text = f"{outcome.id} {name} {before:.3g} → {after:.3g} ({size:+.1f} sd)"
        yield name, (round(before, 6), after), size, text
