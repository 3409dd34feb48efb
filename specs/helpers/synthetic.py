"""Evidence made by formula, with any margins and figures."""

import numpy as np

from mnistrobust.curves import Curve
from mnistrobust.data.files import DIGESTS
from mnistrobust.evidence import Evidence, Head, Measured
from mnistrobust.replicates.keys import code_digests

WINS = "ann.noise_training_wins_on_noisy"
FIVES = "ann.noisy_plus_noise_predicts_five"
FAILS_ON_NOISY = "ann.noisy_plus_noise_fails_on_noisy"
UNCONFIDENT = "ann.is_not_confident_on_pure_noise"


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


def measured(margins, *, halved=None, doubled=None, draws=None, **figures):
    """What replicates say of a claim whose margins are given."""
    columns = {"margin": margins, "halved": halved or margins, "doubled": doubled or margins}
    return Measured(
        figures={name: tuple(values) for name, values in figures.items()},
        margins={name: tuple(map(float, each)) for name, each in columns.items()},
        draws=draws or {},
    )


def spread(centre, sd, replicates=24):
    """Values of replicates around a centre, the same in every run."""
    return [float(v) for v in centre + sd * np.random.default_rng(7).normal(size=replicates)]


def evidence(claims, **changes):
    """Evidence of the replicates 1…N."""
    replicates = len(next(iter(next(iter(claims.values())).margins.values())))
    return Evidence(head=head(**changes), seeds=tuple(range(1, replicates + 1)), claims=claims)


def written(found, folder):
    """The evidence as a file, and the evidence that is read from it."""
    path = folder / f"evidence-{found.head.dataset}.json"
    path.write_text(found.to_json(), "utf-8")
    return path


def curve(margins, *, claim=WINS, axis="offset at test", doses=(0, 0.5, 1)):
    """A claim's curve with a row of margins for each seed."""
    return Curve(claim=claim, axis=axis, doses=doses, margins=tuple(map(tuple, margins)))
