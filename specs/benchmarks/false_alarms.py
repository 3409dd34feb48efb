"""How often `compare` calls equal models better or worse.

Two kinds of equal models. *Reseeded*: K networks against K others of one recipe, drawn without
replacement from a pool of networks. *The same*: one network, and its weights in another batch size,
order of images or precision, or as an ONNX graph.

    python specs/benchmarks/false_alarms.py --networks 240 --comparisons 1000 --seeds 2 5 8
"""

import json
import sys
from collections import Counter
from dataclasses import replace

import numpy as np

from mnistrobust.checks.opening import open_model
from mnistrobust.checks.session import Session
from mnistrobust.comparison import seeds
from mnistrobust.comparison.sides import Predicted, side_of
from mnistrobust.comparison.verdict import compare
from mnistrobust.data import decide, load
from mnistrobust.errors import say
from mnistrobust.replicates import Replicate
from mnistrobust.replicates.schedule import worker_count
from mnistrobust.store import open_store
from specs.benchmarks.command import parser

RECIPE = "ann"  # its weights are used by hand below


def main():
    """Count verdicts, and print them as JSON."""
    options = parser(__doc__.partition("\n")[0])
    options.add_argument("--networks", type=int, default=240, help="networks in the pool")
    options.add_argument("--comparisons", type=int, default=1000, help="of each kind")
    options.add_argument(
        "--seeds", type=int, nargs="*", default=[2, 5, 8], help="a side, each in turn"
    )
    given = options.parse_args()
    source, store = decide(given.data, offline=given.offline), open_store()
    dataset = load(source)
    every = range(1, given.networks + 1)
    workers = worker_count(given.networks)
    pool = seeds.trained(
        RECIPE, every, source, store, workers=workers, tell=lambda text, _: say(text)
    )
    counts = {}
    for k in given.seeds:
        counts[f"{k} seeds a side"] = reseeded(pool, k, given.comparisons, dataset)
        say(f"{k} seeds a side: {counts[f'{k} seeds a side']}")
    each = -(-given.comparisons // len(VARIANTS))
    counts["the same network"] = the_same(every[:each], source, store, dataset)
    sys.stdout.write(
        json.dumps({"data": source.name, "recipe": RECIPE, "verdicts": counts}, indent=1) + "\n"
    )


def reseeded(pool, k, comparisons, dataset):
    """Count the verdicts on k networks against k others."""
    rng, counts = np.random.default_rng(k), Counter()
    for _ in range(comparisons):
        rows = rng.choice(len(pool.seeds), 2 * k, replace=False)
        counts[compare(of(pool, rows[:k]), of(pool, rows[k:]), dataset).verdict] += 1
    return dict(counts)


def of(pool, rows):
    """Return some networks of the pool as a side."""
    parts = ("prediction", "confidence", "loss")
    sets = {
        name: Predicted(**{part: getattr(predicted, part)[rows] for part in parts})
        for name, predicted in pool.sets.items()
    }
    return replace(pool, sets=sets, seeds=tuple(range(len(rows))))


def the_same(numbers, source, store, dataset):
    """Count the verdicts on networks against their own weights, computed otherwise."""
    counts = Counter()
    for number in numbers:
        weights = Replicate(number, source, store).trained(RECIPE).weights
        plain = predicted(lambda images, w=weights: forward(w, images), dataset)
        for variant in VARIANTS:
            other = predicted(variant(weights), dataset)
            counts[compare(plain, other, dataset).verdict] += 1
    return dict(counts)


def predicted(model, dataset):
    """Return a model's side."""
    return side_of(Session(open_model(model, dataset), dataset))


def forward(weights, images, kind=np.float32):
    """Return the logits (n, classes) of dense layers with ReLU."""
    values = images.reshape(len(images), -1).astype(kind)
    for matrix, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        values = np.maximum(values @ matrix.astype(kind) + bias.astype(kind), 0)
    return values @ weights[-2].astype(kind) + weights[-1].astype(kind)


def in_batches_of(size):
    """Return a variant that predicts so many images at a time."""

    def variant(weights):
        def predict(images):
            parts = [forward(weights, images[i : i + size]) for i in range(0, len(images), size)]
            return np.concatenate(parts)

        return predict

    return variant


def reordered(weights):
    """Predict the images in another order."""

    def predict(images):
        order = np.random.default_rng(0).permutation(len(images))
        return forward(weights, images[order])[np.argsort(order)]

    return predict


def double(weights):
    """Predict in float64."""
    return lambda images: forward(weights, images, np.float64)


def rounded(weights):
    """Predict with weights in float16."""
    return lambda images: forward([each.astype(np.float16) for each in weights], images)


def exported(weights):
    """Predict by an ONNX graph, in onnxruntime."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    nodes, name = [], "images"
    for i in range(0, len(weights), 2):
        last = i == len(weights) - 2
        nodes.append(helper.make_node("Gemm", [name, f"w{i}", f"w{i + 1}"], [f"dense{i}"]))
        name = f"dense{i}"
        if not last:
            nodes.append(helper.make_node("Relu", [name], [f"relu{i}"]))
            name = f"relu{i}"
    graph = helper.make_graph(
        nodes,
        "ann",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [None, 784])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, len(weights[-1])])],
        [numpy_helper.from_array(each, f"w{i}") for i, each in enumerate(weights)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return lambda images: session.run(None, {"images": images.reshape(len(images), -1)})[0]


VARIANTS = (
    in_batches_of(1),
    in_batches_of(7),
    in_batches_of(64),
    reordered,
    double,
    rounded,
    exported,
)

if __name__ == "__main__":
    main()
