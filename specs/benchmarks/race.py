"""Our training against plain Keras, and against PyTorch and JAX where they are installed.

All train the same networks on the same images, in turns. A ratio is of two turns that followed
each other, so that what slows the machine down slows both.
"""

import statistics
from contextlib import ExitStack
from dataclasses import replace

from mnistrobust.errors import say
from specs.benchmarks import command, contestants, jax_scan, torch_eager
from specs.benchmarks.teams import Contestant, team

FULL_EPOCH = 60_000  # images; every rate is scaled to it

# Each layer's matrix (inputs, outputs), and how often an image is multiplied by it: the LSTM's
# four gates once for each of 28 rows, the convolution's 256 filters once for each of 26 x 26.
LAYERS = {
    "ann": ((784, 128, 1), (128, 128, 1), (128, 128, 1), (128, 10, 1)),
    "rnn": ((28 + 128, 4 * 128, 28), (128, 10, 1)),
    "cnn": ((3 * 3, 256, 26 * 26), (13 * 13 * 256, 64, 1), (64, 10, 1)),
}

# Repeats, seconds of a turn, and images of an epoch: fewer where a network is slow.
FULL = 3, 2.0, {"ann": 60_000, "rnn": 12_800, "cnn": 4000}
QUICK = 1, 0.2, {"ann": 3200, "rnn": 640, "cnn": 160}

PEAK = Contestant("peak", "matrix products", contestants.peak, needs="numpy")
OURS = Contestant("ours", "mnistrobust", contestants.ours, needs="numba")
OURS_NOISY = replace(OURS, name="ours-noisy", title="mnistrobust, on offset noise")
KERAS = Contestant(
    "keras", "plain Keras", contestants.plain_keras, needs="keras", whole_machine=True
)
TORCH = Contestant("torch", "PyTorch, eager", torch_eager.prepare, needs="torch")
JAX = Contestant(
    "jax",
    "JAX, compiled epoch",
    jax_scan.prepare,
    needs="jax",
    variables={
        "JAX_PLATFORMS": "cpu",
        "NPROC": "1",
        "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    },
)
ALL_RIVALS = KERAS, TORCH, JAX
RIVALS = [each for each in ALL_RIVALS if each.installed]


def flop(network):
    """Return the arithmetic that an image takes in training, by the usual count.

    A multiplication and an addition for each weight and use, three times: forward, for the
    gradient of the weights and for that of the inputs. Multiplications by 0 count, though our
    engine leaves some of them out.
    """
    return 6 * sum(inputs * outputs * uses for inputs, outputs, uses in LAYERS[network])


def measure(arguments, source):
    """Return the rate of matrix products with all cores busy, and each network's figures."""
    if missing := [each.needs for each in ALL_RIVALS if each not in RIVALS]:
        say(f"not installed and left out: {', '.join(missing)}.")
    repeats, turn_seconds, images = QUICK if arguments.quick else FULL
    with team(PEAK, None) as peak:
        epochs = peak.epochs_for(turn_seconds)
        fastest = min(peak.run(epochs)["seconds"] for _ in range(repeats))
        peak_gflops = contestants.PEAK_FLOP * epochs * peak.size / fastest / 1e9
    results = {"repeats": repeats, "peak_gflops": peak_gflops}
    for network in arguments.networks or LAYERS:
        job = {"network": network, "images": images[network], "source": source}
        results[network] = raced(job, [OURS, *RIVALS, OURS_NOISY], repeats, turn_seconds)
        results[network]["share_of_peak"] = results[network]["gflops"] / peak_gflops
    return results


def raced(job, field, repeats, turn_seconds):
    """Return one network's figures.

    Seconds are the time that the whole machine takes for an epoch of 60,000 images, all cores
    busy.
    """
    with ExitStack() as stack:  # one starts after the other, so that each compiles undisturbed
        teams = [
            stack.enter_context(team(each, job | {"noisy": each is OURS_NOISY})) for each in field
        ]
        epochs = [each.epochs_for(turn_seconds) for each in teams]
        turns = []  # of all repeats, by contestant
        for repeat in range(1, repeats + 1):
            say(f"{job['network']}: repeat {repeat} of {repeats}")
            turns.append([each.run(count) for each, count in zip(teams, epochs, strict=True)])
    entries = {}
    for each, count, own in zip(teams, epochs, zip(*turns, strict=True), strict=True):
        full_epochs = count * each.size * job["images"] / FULL_EPOCH
        entries[each.contestant.name] = {
            "title": each.contestant.title,
            "processes": each.size,
            "cores_used": statistics.median(turn["cores_used"] for turn in own),
            "epochs_per_turn": count,
            "start_seconds": max(start["start_seconds"] for start in each.start),
            "compile_seconds": max(start["compile_seconds"] for start in each.start),
            "seconds_per_epoch": [turn["seconds"] / full_epochs for turn in own],
        }
    figures = compared({name: entry["seconds_per_epoch"] for name, entry in entries.items()})
    return figures | {
        "gflops": flop(job["network"]) * FULL_EPOCH / figures["seconds_per_epoch"] / 1e9,
        "mflop_per_image": flop(job["network"]) / 1e6,
        "images_per_epoch": job["images"],
        "contestants": entries,
    }


def compared(seconds):
    """Return medians, and the rivals' ratios to us with their smallest and largest.

    A ratio above 1 says that we are faster.
    """
    figures = {}
    for name, values in seconds.items():
        # ours have no prefix; `ours-noisy` is named by what is different
        prefix = {"ours": "", "ours-noisy": "offset_noise_"}.get(name, f"{name}_")
        figures[f"{prefix}seconds_per_epoch"] = statistics.median(values)
        if not name.startswith("ours"):
            pairs = zip(values, seconds["ours"], strict=True)
            ratios = [theirs / ours for theirs, ours in pairs]
            figures[f"ratio_to_{name}"] = statistics.median(ratios)
            figures[f"ratio_to_{name}_spread"] = [min(ratios), max(ratios)]
    return figures


def main():
    options = command.parser(__doc__)
    options.add_argument("networks", nargs="*", choices=[*LAYERS, []], help="default: all three")
    command.run(options, measure, [each.needs for each in RIVALS])


if __name__ == "__main__":
    main()
