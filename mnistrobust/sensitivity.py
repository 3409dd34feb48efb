"""What one world can show: false alarms, what it cannot check, and the smallest change seen."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mnistrobust.checking import Checks
from mnistrobust.intervals import FALSE_ALARMS
from mnistrobust.verdicts import rule


def sensitivity(checks: Checks) -> dict[str, Any]:
    """Return the figures behind a default run, as `mnistrobust evidence --json` prints them.

    `alarms_left_out` counts the worlds that would alarm against the evidence of all the others,
    were no interval `widened`; `checks` has for each claim and figure the interval of one world and the smallest
    fall and rise that half of all runs see.
    """
    evidence = checks.evidence
    return {
        "dataset": evidence.head.dataset,
        "worlds": evidence.worlds,
        "command": evidence.head.command,
        "versions": dict(evidence.head.versions),
        "machines": list(evidence.head.machines),
        "rule": rule(evidence.worlds),
        "false_alarms": checks.false_alarms,
        "widened": checks.widened,
        "alarms_left_out": checks.alarms_left_out,
        "uncheckable": checks.uncheckable,
        "checks": {
            claim: {
                name: {
                    "low": interval.low,
                    "typical": interval.centre,
                    "high": interval.high,
                    "checkable": interval.checkable,
                    "smallest_fall": interval.smallest_change[0],
                    "smallest_rise": interval.smallest_change[1],
                }
                for name, interval in named.items()
            }
            for claim, named in checks.intervals.items()
        },
    }


def markdown(checks: Checks) -> str:
    """Return the README's block on one data set."""
    found, worlds, count = sensitivity(checks), checks.evidence.worlds, len(checks.uncheckable)
    alarms = (
        f"On {found['dataset']}, {worlds} worlds give an interval to each of {checks.count} figures "
        f"and margins, at {FALSE_ALARMS:.0%} / {checks.count} each: at most {FALSE_ALARMS:.0%} of "
        f"runs without a fault fail, whatever the figures have in common. By these alone "
        f"{checks.alarms_left_out} of the {worlds} worlds would alarm against all the others; so "
        f"intervals are widened to hold them ({checks.widened} that check one world), which adds "
        f"at most 1 / {worlds + 1} each, {checks.false_alarms:.0%} in all. {count} of the {checks.count} are not checkable on one "
        f"world."
    )
    return (
        "\n".join(
            [
                alarms,
                *_folded(
                    f"{found['dataset']}: the smallest change that each of the {checks.count - count} "
                    f"checks sees",
                    "typical value, smallest fall, smallest rise",
                    found["checks"],
                    lambda each: (
                        f"{each['typical']:.3g}, −{each['smallest_fall']:.2g}, "
                        f"+{each['smallest_rise']:.2g}"
                        if each["checkable"]
                        else ""
                    ),
                ),
                *_folded(
                    f"{found['dataset']}: the {count} that are not checkable on one world",
                    "where one world may lie",
                    found["checks"],
                    lambda each: (
                        "" if each["checkable"] else f"{each['low']:.3g} to {each['high']:.3g}"
                    ),
                ),
            ]
        )
        + "\n"
    )


def _folded(
    summary: str, says: str, checks: Mapping[str, Any], say: Callable[[Mapping[str, Any]], str]
) -> Iterator[str]:
    """Yield a table that opens on demand: a row for each claim with figures to say something of."""
    yield from ("", f"<details><summary>{summary}</summary>", "")
    yield from (f"| claim | figure: {says} |", "|---|---|")
    for claim, named in checks.items():
        cells = [f"{name}: {said}" for name, each in named.items() if (said := say(each))]
        if cells:
            yield f"| {claim} | {'; '.join(cells)} |"
    yield from ("", "</details>")
