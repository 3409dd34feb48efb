"""What one world can show: false alarms, what it cannot check, and the smallest change seen."""

from typing import Any

from mnistrobust.checking import Checks, left_out_alarms
from mnistrobust.statistics import FALSE_ALARMS
from mnistrobust.verdicts import rule


def sensitivity(checks: Checks) -> dict[str, Any]:
    """Return the figures behind a default run, as `mnistrobust evidence --json` prints them.

    `alarms_left_out` counts the worlds that raise an alarm against the evidence of all the
    others; `checks` has for each claim and figure the interval of one world and the smallest
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
        "false_alarms": FALSE_ALARMS,
        "alarms_left_out": sum(map(bool, left_out_alarms(evidence))),
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
    found, worlds = sensitivity(checks), checks.evidence.worlds
    seen = checks.count - len(checks.uncheckable)
    alarms = (
        f"On {found['dataset']}, {worlds} worlds give an interval to each of {checks.count} figures "
        f"and margins, at {FALSE_ALARMS:.0%} / {checks.count} each: whatever they have in common, at "
        f"most {FALSE_ALARMS:.0%} of runs without a fault fail. An alarm against "
        f"all the others is raised by {found['alarms_left_out']} of the {worlds} worlds."
    )
    uncheckable = (
        f"Not checkable on one world, {len(checks.uncheckable)} of {checks.count}: "
        f"{'; '.join(checks.uncheckable) or 'none'}."
    )
    summary = f"<summary>The smallest change that each of the other {seen} sees</summary>"
    lines = [alarms, "", uncheckable, "", f"<details>{summary}", ""]
    lines += ["| claim | figure: typical value, smallest fall, smallest rise |", "|---|---|"]
    for claim, named in found["checks"].items():
        cells = [
            f"{name}: {each['typical']:.3g}, −{each['smallest_fall']:.2g}, +{each['smallest_rise']:.2g}"
            for name, each in named.items()
            if each["checkable"]
        ]
        if cells:
            lines.append(f"| {claim} | {'; '.join(cells)} |")
    return "\n".join([*lines, "", "</details>"]) + "\n"
