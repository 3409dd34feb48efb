"""Trainings are repeatable in any process, and touch nothing else."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mnistrobust.engine import engine_for
from specs.helpers.networks import (
    NAMES,
    build,
    digest,
    initial,
    pictures,
    quiet,
    read_only,
    trained,
)

pytestmark = pytest.mark.slow


_DIGEST = """
import hashlib, pickle, sys
import numpy as np
engine, weights, images, labels = pickle.load(open(sys.argv[1], "rb"))
ours = engine.fit(weights, images, labels, epochs=2, batch_size=32,
    order=np.random.default_rng(3), dropout=np.random.default_rng(4))
assert "tensorflow" not in sys.modules
print(hashlib.sha256(b"".join(array.tobytes() for array in ours)).hexdigest())
"""


@pytest.mark.parametrize("name", NAMES)
def test_equal_seeds_give_equal_bytes_in_any_process(name: str, tmp_path: Path) -> None:
    """Two processes at once, without TensorFlow, and this one end with the same bytes."""
    model = build(name)
    given = engine_for(model), initial(model), *pictures(model, 70)
    (tmp_path / "given").write_bytes(pickle.dumps(given))

    command = [sys.executable, "-c", _DIGEST, str(tmp_path / "given")]
    children = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=quiet()) for _ in range(2)
    ]
    told = {child.communicate()[0].strip() for child in children}

    assert told == {digest(trained(*given, epochs=2))}


@pytest.mark.parametrize("name", NAMES)
def test_compiled_and_loaded_code_give_equal_bytes(name: str, tmp_path: Path) -> None:
    """A process that compiles the kernels ends with the bytes of those that load them from disk."""
    model = build(name)
    given = engine_for(model), initial(model), *pictures(model, 70)
    (tmp_path / "given").write_bytes(pickle.dumps(given))
    empty = {"XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path)}

    command = [sys.executable, "-c", _DIGEST, str(tmp_path / "given")]
    told = [subprocess.check_output(command, text=True, env=quiet() | empty) for _ in range(3)]

    assert list(tmp_path.rglob("*.nbc"))
    assert len(set(told)) == 1


@pytest.mark.parametrize("name", NAMES)
def test_kernels_are_compiled_once(name: str) -> None:
    """Training and reading of any array that fits use one machine code: compiling takes seconds."""
    model = build(name)
    engine = engine_for(model)
    images, labels = pictures(model, 40)
    for change in (np.copy, np.asfortranarray, read_only):
        weights = trained(engine, initial(model), change(images), change(labels))
        engine.logits(weights, change(images))
    module = sys.modules[f"{type(engine).__module__}_kernels"]
    versions = {
        kernel: len(found.signatures)
        for kernel, found in vars(module).items()
        if hasattr(found, "signatures") and not found.targetoptions.get("forceinline")
    }

    # those that another one calls are compiled with it, and not where it comes from disk
    assert max(versions.values()) == 1, versions


@pytest.mark.parametrize("name", NAMES)
def test_other_seeds_give_other_weights(name: str) -> None:
    """Both the order and the dropout generator matter."""
    model = build(name)
    given = engine_for(model), initial(model), *pictures(model, 70)
    seeds = {"order": np.random.default_rng(8)}, {"dropout": np.random.default_rng(8)}
    assert len({digest(trained(*given, **seed)) for seed in ({}, *seeds)}) == 3


@pytest.mark.parametrize("name", NAMES)
def test_training_touches_nothing_else(name: str) -> None:
    """Arguments keep their bytes, and NumPy's global generator its state."""
    model = build(name)
    weights, (images, labels) = initial(model), pictures(model, 40)
    before = digest([*weights, images, labels])
    state = np.random.get_state()[1].copy()  # noqa: NPY002  the state that must not move

    trained(engine_for(model), weights, images, labels)

    assert digest([*weights, images, labels]) == before
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002


@pytest.mark.parametrize("name", NAMES)
def test_a_diverged_training_ends(name: str) -> None:
    """NaN in a weight neither crashes nor hangs, and is still there in the end."""
    model = build(name)
    weights, (images, labels) = initial(model), pictures(model, 40)
    for array in weights:
        array.flat[0] = np.nan

    ours = trained(engine_for(model), weights, images, labels)

    assert any(np.isnan(array).any() for array in ours)


@pytest.mark.parametrize("name", NAMES)
def test_arrays_that_do_not_fit_are_named(name: str) -> None:
    """Images, labels or weights of a wrong shape or range raise ValueError."""
    model = build(name)
    engine, weights, (images, labels) = engine_for(model), initial(model), pictures(model, 40)
    for wrong in (
        (weights[:-1], images, labels),
        (weights, images[:, :10], labels),
        (weights, images, labels[:10]),
        (weights, images, labels + 5),
    ):
        with pytest.raises(ValueError, match="Expected"):
            trained(engine, *wrong)
