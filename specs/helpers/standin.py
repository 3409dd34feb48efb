"""Replicates that cost nothing: what a replication needs of one, made by formula."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from mnistrobust import data
from mnistrobust.evidence.results import Outcome, Results
from mnistrobust.registry import load_claims
from mnistrobust.replicates.many import Job
from specs.helpers.synthetic import FAILS_ON_NOISY, WINS

SECONDS = 0.2


def jobs(folder, count):
    """The replicates 1…count, in a folder."""
    source = data.decide("mnist5k")
    scratch = Path(folder) / "unfinished"
    return [
        Job(seed=n, source=source, clone=Path.cwd(), folder=scratch / f"seed-{n:04}")
        for n in range(1, count + 1)
    ]


def results(job):
    """What the replicate of a seed measures: figures of two claims, and of the others none."""
    values = [float(v) for v in np.random.default_rng(job.seed).normal(0.3, 0.1, 37)]
    margins = {"margin": values[0], "halved": values[1], "doubled": values[2]}
    noisy = Outcome(
        id=FAILS_ON_NOISY,
        seed=job.seed,
        figures={"accuracy": values[4]},
        draws={"accuracy": values[5:37]},
        **margins,
    )
    wins = Outcome(id=WINS, seed=job.seed, figures={"plain": values[3]}, **margins)
    others = load_claims().keys() - {WINS, FAILS_ON_NOISY}
    outcomes = (wins, noisy, *(Outcome(id=claim, seed=job.seed) for claim in sorted(others)))
    return Results(source=job.source, seeds=(job.seed,), outcomes=outcomes)


def make(job):
    """Make a replicate at once."""
    return results(job).to_json()


def slow(job):
    """Make a replicate in a while, with a trace of the attempt, so that it can be killed."""
    (job.folder / "attempt").touch()
    time.sleep(SECONDS)
    return make(job)


def failing(job):
    """Make a replicate of which, for the seed 3, a spec fails."""
    found = results(job)
    if job.seed == 3:
        broken = replace(found.outcomes[0], error="the figure plain is nan")
        found = replace(found, outcomes=(broken, *found.outcomes[1:]))
    return found.to_json()
