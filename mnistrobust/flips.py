"""Which test images two runs answer differently, and whether more were lost than gained.

The test is McNemar's, exact: of the images that only one of two networks answers rightly, half
are lost by chance. It takes the images as a sample, and both networks as given.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

LEVEL = 0.01  # of all tests together


@dataclass(frozen=True, kw_only=True)
class Flips:
    """What one recipe answers otherwise on one view.

    `changed` counts other answers among `n`, over all draws. `lost` and `gained` are the positions
    of images, from 0, that were right and are wrong, and the reverse; an image with several draws
    is one of them where more of its draws went that way. `p` is the two-sided exact p-value, and
    `adjusted` the same after Holm's correction for all tests of the comparison; both are None
    where there is no right answer: a digit classifier has none on pure noise.
    """

    recipe: str
    view: str
    n: int
    changed: int
    lost: tuple[int, ...] = ()
    gained: tuple[int, ...] = ()
    p: float | None = None
    adjusted: float | None = None

    @property
    def direction(self) -> str:
        """`worse` where more images were lost than gained, `better`, or `neutral`."""
        if len(self.lost) == len(self.gained):
            return "neutral"
        return "worse" if len(self.lost) > len(self.gained) else "better"

    @property
    def significant(self) -> bool:
        """Whether chance explains the difference in fewer than 1 % of comparisons."""
        return self.adjusted is not None and self.adjusted <= LEVEL


def flips(
    recipe: str, view: str, before: np.ndarray, after: np.ndarray, labels: np.ndarray, classes: int
) -> Flips:
    """Compare two sets of answers to the same images, all of shape (draws, n).

    `classes` is the number of the model's classes: labels from there on have no right answer.
    """
    changed = int((before != after).sum())
    found = Flips(recipe=recipe, view=view, n=int(before.size), changed=changed)
    if int(labels.max(initial=0)) >= classes:
        return found
    right = (after == labels).astype(int) - (before == labels)
    net = right.sum(axis=0)
    lost, gained = (tuple(map(int, np.flatnonzero(side))) for side in (net < 0, net > 0))
    return replace(found, lost=lost, gained=gained, p=mcnemar(len(lost), len(gained)))


def mcnemar(lost: int, gained: int) -> float:
    """Return the exact two-sided p-value of `lost` against `gained` images, in [0, 1]."""
    if lost == gained:
        return 1.0
    from scipy.special import bdtr  # late, and not scipy.stats: a second of import

    return min(1.0, 2 * float(bdtr(min(lost, gained), lost + gained, 0.5)))


def adjusted(found: Sequence[Flips]) -> tuple[Flips, ...]:
    """Return the comparisons with p-values after Holm (1979), for all that have one."""
    tested = sorted((each for each in found if each.p is not None), key=lambda each: each.p or 0.0)
    largest, by_place = 0.0, {}
    for rank, each in enumerate(tested):
        largest = max(largest, min(1.0, (each.p or 0.0) * (len(tested) - rank)))
        by_place[each.recipe, each.view] = largest
    return tuple(replace(each, adjusted=by_place.get((each.recipe, each.view))) for each in found)
