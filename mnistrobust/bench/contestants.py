"""Who is measured: each way to train, its threads, and what it needs to be installed."""

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from mnistrobust.errors import UsageError, unknown

Run = Callable[[int], dict[str, Any] | None]
"""Trains so many epochs more; what it returns is added to the measurement."""

Note = Callable[[str], None]
"""Tells the user how far a long run has come."""

BATCH = 32
RATE = 0.2  # of every dropout layer

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """One way to train.

    `module` has `prepare(job, note) -> Run`; `needs` is the package it is written with. With
    `whole_machine` it is one process that takes what threads it likes; else one process for each
    core, with one thread each. `variables` are set before anything is imported.
    """

    name: str
    title: str
    module: str
    needs: str
    whole_machine: bool = False
    noisy: bool = False
    variables: tuple[tuple[str, str], ...] = ()

    @property
    def installed(self) -> bool:
        """Whether the package is there; it is not imported."""
        return importlib.util.find_spec(self.needs) is not None

    def environment(self) -> dict[str, str]:
        """Return the environment of this contestant's processes: CPU only, and its threads."""
        kept = {name: value for name, value in os.environ.items() if name not in _THREAD_VARIABLES}
        kept |= {"CUDA_VISIBLE_DEVICES": "-1", "KERAS_BACKEND": "tensorflow"}
        if not self.whole_machine:
            kept |= dict.fromkeys(_THREAD_VARIABLES, "1")
        return kept | dict(self.variables)


OURS = Contestant(name="ours", title="mnistrobust", module="mnistrobust.bench.ours", needs="numba")
OURS_NOISY = Contestant(
    name="ours-noisy",
    title="mnistrobust, on offset noise",
    module="mnistrobust.bench.ours",
    needs="numba",
    noisy=True,
)
KERAS = Contestant(
    name="keras",
    title="plain Keras",
    module="mnistrobust.bench.plain_keras",
    needs="keras",
    whole_machine=True,
)
TORCH = Contestant(
    name="torch",
    title="PyTorch, eager",
    module="mnistrobust.bench.torch_eager",
    needs="torch",
)
JAX = Contestant(
    name="jax",
    title="JAX, compiled epoch",
    module="mnistrobust.bench.jax_scan",
    needs="jax",
    variables=(
        ("JAX_PLATFORMS", "cpu"),
        ("NPROC", "1"),
        ("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"),
    ),
)
PEAK = Contestant(
    name="peak", title="matrix products", module="mnistrobust.bench.peak", needs="numpy"
)
WORLD_OURS = Contestant(
    name="ours",
    title="mnistrobust",
    module="mnistrobust.bench.world_ours",
    needs="numba",
    whole_machine=True,  # it starts its own workers
)
WORLD_KERAS = Contestant(
    name="keras",
    title="plain Keras",
    module="mnistrobust.bench.world_keras",
    needs="keras",
    whole_machine=True,
)
DOCUMENT = Contestant(
    name="document",
    title="the document",
    module="mnistrobust.bench.document",
    needs="keras",
    whole_machine=True,
    variables=(("MPLBACKEND", "Agg"),),
)

RIVALS = MappingProxyType({each.name: each for each in (KERAS, TORCH, JAX)})


def rivals(names: list[str] | None = None) -> list[Contestant]:
    """Return the contestants of these names, or all that are installed.

    Raises UsageError for an unknown name, and for one whose package is not installed.
    """
    if names is None:
        return [each for each in RIVALS.values() if each.installed]
    for name in names:
        if name not in RIVALS:
            raise unknown("contestant", name, RIVALS)
        if not RIVALS[name].installed:
            raise UsageError(f"--against {name}: it is not installed; pip install {name} first.")
    return [RIVALS[name] for name in dict.fromkeys(names)]


def training_images(job: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return what a job trains on: images (n, 784), float32, and labels (n,), int64."""
    images, labels = np.load(job["images"]), np.load(job["labels"])
    if job["noisy"]:
        from mnistrobust.randomness import stream
        from mnistrobust.transforms import offset_noise

        images = offset_noise(images, stream("bench", "offset"))
    return images, labels
