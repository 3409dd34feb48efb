"""Jobs: the margins of one seed at one dose; many of them, in several processes, make curves.

Networks and evaluations stay in the store, so a later run makes only the missing ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from mnistrobust import data
from mnistrobust.conditions import CONDITIONS, Condition
from mnistrobust.curves import Curve, Curves, curve_code
from mnistrobust.curves.axes import AXES, Axis
from mnistrobust.evidence import Head
from mnistrobust.recipes import RECIPES, Recipe
from mnistrobust.registry import FAMILIES, load_claims
from mnistrobust.replicates import Replicate
from mnistrobust.replicates.keys import versions
from mnistrobust.replicates.many import Finished, machine
from mnistrobust.replicates.schedule import in_processes
from mnistrobust.store import Store
from mnistrobust.suite import margins, spec_of


@dataclass(frozen=True, kw_only=True)
class Job:
    """What to measure for one seed at one dose: the margins of the claims that depend on it."""

    axis: str
    dose: float
    seed: int
    claims: tuple[str, ...]

    def margins(self, source: data.Source, store: Store) -> dict[str, float]:
        """Return the margin of each claim; what is missing is trained and evaluated."""
        at = AXES[self.axis].at(self.dose, Replicate(self.seed, source, store))
        found = {claim: margins(spec_of(claim), at.evaluate, at.history) for claim in self.claims}
        return {claim: min(map(float, each)) for claim, each in found.items()}


def jobs(seeds: Sequence[int], images: int) -> list[Job]:
    """Return the jobs of all claims, doses and seeds: those of fast networks first.

    Doses for which there are too few training `images` are left out. Neighbours have different
    seeds, so that processes seldom wait for each other's networks.
    """
    found = []
    for family, axis in product(FAMILIES, AXES.values()):
        ids = [claim for claim, each in load_claims().items() if each.family == family]
        doses_for = {claim: axis.doses_for(claim) for claim in ids}
        possible = [dose for dose in axis.doses if _rows(axis, dose) <= images]
        for dose, seed in product(possible, seeds):
            claims = tuple(claim for claim, doses in doses_for.items() if dose in doses)
            found += [Job(axis=axis.name, dose=dose, seed=seed, claims=claims)] if claims else []
    return found


def at_doses() -> tuple[frozenset[Recipe], frozenset[Condition]]:
    """Return the document's recipes and conditions at each other dose of each axis."""
    places = [
        (axis, dose) for axis in AXES.values() for dose in axis.doses if dose != axis.document
    ]
    recipes = (axis.recipe(each, dose) for axis, dose in places for each in RECIPES.values())
    conditions = (
        axis.condition(each, dose) for axis, dose in places for each in CONDITIONS.values()
    )
    return frozenset(recipes), frozenset(conditions)


def _rows(axis: Axis, dose: float) -> int:
    """Return the most training images that a dose asks of a recipe which the document has with fewer."""
    at = ((axis.recipe(each, dose).rows or 0, each.rows or 0) for each in RECIPES.values())
    return max(rows * (rows > own) for rows, own in at)


def curves(
    found: Sequence[Job],
    source: data.Source,
    store: Store,
    *,
    workers: int,
    command: str,
    finished: Finished = lambda *_: None,
) -> Curves:
    """Do the jobs, and return their margins as curves.

    `finished` takes how many jobs are done, and all of them. Raises MnistRobustError if a process is
    killed.
    """
    measured: dict[tuple[str, str], dict[tuple[int, float], float]] = {}
    calls = [(job, source, store) for job in found]
    for done, (job, values) in enumerate(in_processes(_margins, calls, workers), 1):
        for claim, margin in values.items():
            measured.setdefault((job.axis, claim), {})[job.seed, job.dose] = margin
        finished(done, len(found), None)
    head = Head(
        dataset=source.name,
        digest=source.digest,
        images=len(data.load(source).test_labels),
        command=command,
        versions=versions(),
        machines=(machine(),),
        code=curve_code(),
    )
    seeds, drawn = sorted({job.seed for job in found}), []
    for axis, claim in filter(measured.__contains__, product(AXES, load_claims())):
        at = measured[axis, claim]
        doses = tuple(sorted({dose for _, dose in at}))
        rows = tuple(tuple(at[seed, dose] for dose in doses) for seed in seeds)
        drawn.append(Curve(claim=claim, axis=axis, doses=doses, margins=rows))
    return Curves(head=head, seeds=tuple(seeds), curves=tuple(drawn))


def _margins(job: Job, source: data.Source, store: Store) -> tuple[Job, dict[str, float]]:
    return job, job.margins(source, store)
