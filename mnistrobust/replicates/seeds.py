"""The seeds of a run: the suite's own, the evidence's, or fresh ones."""

import re

from mnistrobust.errors import UsageError

SUITE_SEED = 0  # evidence has seeds from 1
LIVE_SEEDS_FROM = 10001
MOST_SEEDS = 10_000  # a larger number is taken for a typing error


def seeds_of(text: str | None) -> tuple[int, ...]:
    """Return the seeds that `--seeds` asks for; without it, the suite's own.

    `N` means N fresh seeds, from 10001; `A-B` the seeds A to B. UsageError for anything else.
    """
    if text is None:
        return (SUITE_SEED,)
    found = re.fullmatch(r"(\d+)(?:-(\d+))?", text.strip(), re.ASCII)
    if found and found[2] is None:
        first, last = LIVE_SEEDS_FROM, LIVE_SEEDS_FROM + int(found[1]) - 1
    elif found:
        first, last = int(found[1]), int(found[2])
    if not found or not first <= last < first + MOST_SEEDS:
        raise UsageError(
            f"--seeds {text}: expected a number of fresh seeds from 1, such as 5, or a range of "
            f"seeds, such as 7-12."
        )
    return tuple(range(first, last + 1))
