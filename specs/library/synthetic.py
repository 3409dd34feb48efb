"""Evidence made by formula, with any margins and figures."""

import numpy as np

from mnistrobust.evidence import Evidence, Head, Measured
from mnistrobust.keys import code_digests
from mnistrobust.mnist_files import DIGESTS

WINS = "ann.noise_training_wins_on_noisy"
FIVES = "ann.noisy_plus_noise_answers_five"
FAILS_ON_NOISY = "ann.noisy_plus_noise_fails_on_noisy"
UNSURE = "ann.is_unsure_about_pure_noise"


def head(**changes):
    """The head of evidence that this code made on mnist5k."""
    facts = {
        "dataset": "mnist5k",
        "digest": DIGESTS["mnist5k"],
        "images": 1000,
        "command": "mnistrobust replicate --seeds 24 --data mnist5k",
        "versions": {"numpy": "2"},
        "machines": ("a chip, 2 cores, Linux",),
        "code": code_digests(),
    }
    return Head(**{**facts, **changes})


def measured(margins, *, halved=None, doubled=None, draws=None, alternatives=None, **figures):
    """What worlds say of a claim whose margins are given."""
    columns = {"margin": margins, "halved": halved or margins, "doubled": doubled or margins}
    return Measured(
        figures={name: tuple(values) for name, values in figures.items()},
        margins={name: tuple(map(float, each)) for name, each in columns.items()},
        draws=draws or {},
        alternatives=alternatives or {},
    )


def spread(centre, sd, worlds=24):
    """Values of worlds around a centre, the same in every run."""
    return [float(v) for v in centre + sd * np.random.default_rng(7).normal(size=worlds)]


def evidence(claims, **changes):
    """Evidence of the worlds 1…N."""
    worlds = len(next(iter(next(iter(claims.values())).margins.values())))
    return Evidence(head=head(**changes), seeds=tuple(range(1, worlds + 1)), claims=claims)


def written(found, folder):
    """The evidence as a file, and the evidence that is read from it."""
    path = folder / f"evidence-{found.head.dataset}.json"
    path.write_text(found.to_json(), "utf-8")
    return path
