"""Hundreds of the engine's networks against as many of Keras's `fit`: figure by figure.

Both train a recipe from the same initial weights in the same order of images. Dropout is drawn by
each in its own way.

    python specs/benchmarks/equality.py ann --trainings 400 --data mnist5k
"""

import json
import sys

import numpy as np

from mnistrobust import metrics, training
from mnistrobust.backend import standard_settings
from mnistrobust.conditions import condition_named
from mnistrobust.data import decide, load
from mnistrobust.errors import say
from mnistrobust.randomness import stream
from mnistrobust.recipes import RECIPES, training_set
from mnistrobust.replicates.many import machine
from specs.benchmarks.command import command_line, parser

CONDITIONS = "clean", "offset-noise", "inverted"


def main():
    """Print means, standard deviations and p-values of each figure as JSON."""
    options = parser(__doc__.partition("\n")[0])
    options.add_argument("recipe", choices=RECIPES)
    options.add_argument("--trainings", type=int, default=400, help="of each")
    given = options.parse_args()
    source = decide(given.data, offline=given.offline)
    facts = {"command": command_line(sys.argv), "data": source.name, "machine": machine()}
    found = measure(given, source)
    sys.stdout.write(json.dumps({**facts, **found}, indent=1) + "\n")


def measure(given, source):
    """Return for each figure what both reach, and how likely so large a difference is by chance."""
    recipe, dataset = RECIPES[given.recipe], load(source)
    ours, theirs = [], []
    with standard_settings():
        model = training.build(recipe, 0)
        model.compile(
            optimizer="adam", loss="sparse_categorical_crossentropy", steps_per_execution=25
        )
        for seed in range(1, 1 + (4 if given.quick else given.trainings)):
            for found, weights in (
                (ours, training.train(recipe, dataset, seed).weights),
                (theirs, fitted(model, recipe, dataset, seed)),
            ):
                found.append(figures_of(training.rebuilt(recipe, seed, weights), dataset, seed))
            if seed % 20 == 0:
                say(f"{seed} trainings of each")
    return {"recipe": recipe.name, "trainings": len(ours), "figures": compared(ours, theirs)}


def fitted(model, recipe, dataset, seed):
    """Return the weights after Keras's `fit`; the optimizer starts afresh."""
    images, labels = training_set(recipe, dataset, seed)
    model.set_weights(training.build(recipe, seed).get_weights())
    for variable in model.optimizer.variables:
        if "learning_rate" not in variable.path:
            variable.assign(np.zeros(variable.shape, variable.dtype))
    order = stream(seed, recipe.name, "order")
    for _ in range(recipe.epochs):
        shuffled = order.permutation(len(labels))
        images_shaped = training.shaped(model, images[shuffled])
        model.fit(
            images_shaped, labels[shuffled], batch_size=recipe.batch_size, shuffle=False, verbose=0
        )
    return model.get_weights()


def figures_of(model, dataset, seed):
    """Return accuracy, loss and confidence of a network, on digits and on pure noise."""
    read, figures = training.reader(model), {}
    for name in CONDITIONS:
        images, labels = next(condition_named(name).drawn(dataset, seed))
        logs = metrics.log_softmax(read(images))
        figures[f"accuracy on {name}"] = metrics.accuracy(logs.argmax(axis=1), labels)
        figures[f"loss on {name}"] = -logs[np.arange(len(labels)), labels].mean()
    noise, _ = next(condition_named("pure-noise").drawn(dataset, seed))
    confidence = np.exp(metrics.log_softmax(read(noise))).max(axis=1)
    figures["confidence on pure noise"] = confidence.mean()
    figures["confident on pure noise"] = (confidence > 0.9).mean()
    return figures


def compared(ours, theirs):
    """Return for each figure both means and deviations, and the p-values of two tests."""
    from scipy.stats import ks_2samp, ttest_ind  # late: a second of import for all other specs

    found = {}
    for name in ours[0]:
        both = [np.array([each[name] for each in side]) for side in (ours, theirs)]
        (mean, fit_mean), (sd, fit_sd) = ([f(side) for side in both] for f in (np.mean, np.std))
        found[name] = {
            "engine": [float(mean), float(sd)],
            "fit": [float(fit_mean), float(fit_sd)],
            "p_welch": float(ttest_ind(*both, equal_var=False).pvalue),
            "p_kolmogorov_smirnov": float(ks_2samp(*both).pvalue),
        }
    return found


if __name__ == "__main__":
    main()
