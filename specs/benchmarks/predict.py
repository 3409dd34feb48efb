"""Our prediction against `model.predict` with its best batch size, and the time of a whole sweep.

Both predict the held-out images with the same trained network, in turns: ours in one process a
core, Keras in one with its own threads. Processor time is told as well, because other work on the
machine changes it least. The sweep evaluates every recipe under every perturbation
at its five severities. What the store lacks is trained first.
"""

import os
import statistics
import tempfile
import time
import timeit
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np

from mnistrobust import training
from mnistrobust.backend import standard_settings
from mnistrobust.conditions import condition_named
from mnistrobust.data import load
from mnistrobust.errors import say
from mnistrobust.perturbations import PERTURBATIONS
from mnistrobust.recipes import RECIPES
from mnistrobust.replicates import Replicate, schedule
from mnistrobust.store import Store, open_store
from specs.benchmarks import command, contestants
from specs.benchmarks.race import LAYERS, compared
from specs.benchmarks.teams import Contestant, team

IMAGES = 10_000
BATCHES = 32, 250, 1000, 2500, 10_000  # of Keras: the fastest counts


def images_of(job):
    """Return a job's images (n, 784), float32, repeated where there are fewer."""
    replicate = job["replicate"]
    on = "offset-noise" if job["noisy"] else "clean"
    draw = condition_named(on).drawn(load(replicate.source), replicate.seed)
    images, _ = next(draw)
    return np.resize(images, (job["images"], images.shape[1]))


def prepare_ours(job):
    """Predict as an evaluation does: one thread each process."""
    images = images_of(job)
    with standard_settings():
        read = training.reader(job["replicate"].model(job["network"]))

    def run(times):
        for _ in range(times):
            read(images)

    return run


def prepare_keras(job):
    """Predict by `model.predict`, without a progress bar, with the batch size that is fastest here."""
    contestants.default_threads()
    model = job["replicate"].model(job["network"])
    images = training.shaped(model, images_of(job))

    def predict(batch):
        model.predict(images, batch_size=batch, verbose=0)

    def fastest(batch):
        predict(batch)  # includes what is done only once
        return min(timeit.repeat(lambda: predict(batch), number=1, repeat=3))

    best = min(BATCHES, key=fastest)

    def run(times):
        for _ in range(times):
            predict(best)
        return {"batch": best}

    return run


OURS = Contestant("ours", "mnistrobust", prepare_ours, needs="numba")
OURS_NOISY = replace(OURS, name="ours-noisy", title="mnistrobust, on offset noise")
KERAS = Contestant("keras", "model.predict", prepare_keras, needs="keras", whole_machine=True)


def measure(arguments, source):
    """Return each network's figures, and those of the sweep."""
    # a dict, because this goes to other processes
    replicate = Replicate(0, source, open_store(None), recipes=dict(RECIPES))
    schedule.prepare(replicate, [replicate.task(name) for name in RECIPES])
    repeats, images = (1, 500) if arguments.quick else (5, IMAGES)
    found = {"images": images, "repeats": repeats}
    for network in arguments.networks or LAYERS:
        job = {"network": network, "replicate": replicate, "images": images}
        found[network] = raced(job, repeats, 0.2 if arguments.quick else 1.0)
    found["sweep"] = swept(replicate, 1 if arguments.quick else None)
    return {"prediction": found}


def raced(job, repeats, turn_seconds):
    """Return the seconds in which the whole machine predicts a set of images, and the ratios of turns."""
    with ExitStack() as stack:
        teams = [
            stack.enter_context(team(each, job | {"noisy": each is OURS_NOISY}))
            for each in (OURS, KERAS, OURS_NOISY)
        ]
        times = [each.epochs_for(turn_seconds) for each in teams]
        turns = []
        for repeat in range(1, repeats + 1):
            say(f"{job['network']}: repeat {repeat} of {repeats}")
            turns.append([each.run(count) for each, count in zip(teams, times, strict=True)])
    seconds, used = {}, {}
    for each, count, own in zip(teams, times, zip(*turns, strict=True), strict=True):
        name, sets = each.contestant.name, count * each.size
        seconds[name] = [turn["seconds"] / sets for turn in own]
        used[name] = statistics.median(turn["seconds"] * turn["cores_used"] / sets for turn in own)
    figures = {name.replace("_per_epoch", ""): value for name, value in compared(seconds).items()}
    batch = turns[0][1]["batch"]
    return figures | {"keras_batch": batch, "processor_seconds": used}


def swept(trained, count):
    """Return the seconds of all evaluations of a sweep, or of its first perturbations; nothing is trained."""
    conditions = [
        f"{each.name}:{dose}"
        for each in list(PERTURBATIONS.values())[:count]
        for dose in each.severities
    ]
    with tempfile.TemporaryDirectory() as folder:
        replicate = Replicate(trained.seed, trained.source, Store(Path(folder)))
        for name in RECIPES:
            key = trained.model_key(name)
            replicate.store.put(key, trained.store.get(key))
        tasks = [replicate.task(name, conditions) for name in RECIPES]
        say(f"sweep: {len(tasks)} recipes under {len(conditions)} conditions")
        before = time.perf_counter(), sum(os.times()[:4])
        schedule.prepare(replicate, tasks)
        seconds, processor = time.perf_counter() - before[0], sum(os.times()[:4]) - before[1]
        predicted = sum(
            replicate.evaluate(name, on=condition).n for name in RECIPES for condition in conditions
        )
    return {
        "seconds": seconds,
        "processor_seconds": processor,
        "recipes": len(RECIPES),
        "conditions": len(conditions),
        "predictions": predicted,
    }


def main():
    options = command.parser(__doc__)
    options.add_argument("networks", nargs="*", choices=[*LAYERS, []], help="default: all three")
    command.run(options, measure)


if __name__ == "__main__":
    main()
