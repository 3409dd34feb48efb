"""Write `mnistrobust/checks/reference.json`: the figures of the document's ANN, seed 0, by check.

Under perturbations, they are accuracies at the five severities, by condition.

python -m specs.helpers.ann_figures mnist5k auto
"""

import json
import os
import sys

from mnistrobust.checks.accuracy import under
from mnistrobust.checks.bounds import REFERENCE
from mnistrobust.checks.opening import open_model
from mnistrobust.checks.run import CHECKS, run
from mnistrobust.conditions import condition_named
from mnistrobust.data import decide, load
from mnistrobust.perturbations import PERTURBATIONS
from mnistrobust.replicates import Replicate
from mnistrobust.replicates.seeds import SUITE_SEED
from mnistrobust.store import open_store
from mnistrobust.sweeps.curves import ladder
from specs.helpers import ROOT


def figures(data):
    """Return the name of a data set, and the ANN's figures on it by check."""
    source = decide(data)
    model = Replicate(SUITE_SEED, source, open_store()).model(REFERENCE)
    results = run(open_model(model, load(source)), load(source), known=checks()).results
    rounded = {
        each.check.name: round(each.check.figure(each.figures), 4)
        for each in results
        if each.check.figure and each.figures
    }
    return source.name, rounded


def checks():
    """Return every check, and the accuracy at each severity of each of our perturbations."""
    ladders = [ladder(name, fine=False) for name in PERTURBATIONS if ":" not in name]
    names = [name for each in ladders for name in each.conditions[1:]]
    return {**CHECKS, **{name: under(condition_named(name)) for name in names}}


def main(sets):
    """Write the file for the data sets that are named."""
    named = ["PATH" if os.sep in each else each for each in sets]
    head = {
        "command": " ".join(["python -m specs.helpers.ann_figures", *named]),
        "recipe": REFERENCE,
    }
    content = head | {"figures": dict(map(figures, sets))}
    target = ROOT / "mnistrobust" / "checks" / "reference.json"
    target.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
