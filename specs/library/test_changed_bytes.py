"""Good files of models and of predictions with a few bytes changed: read soundly, or refused."""

import io
import random
import struct

import numpy as np
import pytest

from mnistrobust.battery import exporting, files
from mnistrobust.battery.inputs import FAMILIES, made
from mnistrobust.battery.refusal import RefusedError
from mnistrobust.battery.subject import ModelError

IMAGES = np.random.default_rng(0).random((2, 784), dtype=np.float32)
NUMBERS = [struct.pack("<Q", each) for each in (0, 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1)]


def changed(data, rng):
    """Bytes with one to four changes: a bit, a number, a piece lost, doubled or cut off at the end."""
    for _ in range(rng.randint(1, 4)):
        where = rng.choice(
            (range(len(data)), range(min(1024, len(data))), range(len(data))[-1024:])
        )
        i, n = rng.choice(where), rng.choice((1, 4, 8, 100))
        piece = {
            "bit": bytes([data[i] ^ 1 << rng.randrange(8)]) + data[i + 1 :],
            "number": rng.choice(NUMBERS)[:n] + data[i + min(n, 8) :],
            "lost": data[i + n :],
            "doubled": data[i : i + n] + data[i:],
            "cut": b"",
        }
        data = data[:i] + piece[rng.choice(list(piece))] or b"\0"
    return data


def outcome(read):
    """What a read says: that it is sound, or the line of a refusal; anything else raises."""
    try:
        read()
    except (RefusedError, ModelError) as error:
        return str(error)
    return "sound"


def model_files():
    """Good files of each kind, by suffix; the changes are made to what is named behind it."""
    from hostile_files import keras_file, parts_of
    from hostile_flat import tensors
    from hostile_hdf5 import hdf5_of

    from mnistrobust.models import create_ann

    _, config, _ = parts_of()
    weights = create_ann(10).get_weights()
    npz, head, end = io.BytesIO(), {}, 0
    np.savez_compressed(npz, *weights)
    for i, each in enumerate(weights):
        place = [end, end := end + each.nbytes]
        head[f"weight{i:02}"] = {"dtype": "F32", "shape": [*each.shape], "data_offsets": place}
    flat = tensors(head, b"".join(each.tobytes() for each in weights))
    return {
        "zip": (".keras", 300, lambda change: change(keras_file())),
        "config": (".keras", 300, lambda change: keras_file(change(config.data))),
        "weights": (".keras", 40, lambda change: keras_file(weights=change(hdf5_of()))),
        "npz": (".npz", 300, lambda change: change(npz.getvalue())),
        "safetensors": (".safetensors", 300, lambda change: change(flat)),
    }


@pytest.mark.slow
def test_changed_model_files_are_refused_or_answer(tmp_path):
    """Whatever is changed: one printable line, or a model that gives numbers for ten classes."""
    rng = random.Random(7)
    for name, (suffix, times, make) in model_files().items():
        path = tmp_path / f"model{suffix}"
        said = []
        for _ in range(times):
            path.write_bytes(make(lambda data: changed(data, rng)))
            said.append(outcome(lambda path=path: answered(path)))
        assert len(set(said)) > 3, name
        assert [each for each in said if not each.isprintable() or "is damaged (" in each] == []


def answered(path):
    arch = None if path.suffix == ".keras" else "ann"
    assert files.load(path, arch=arch)(IMAGES).shape == (2, 10)


@pytest.mark.slow
def test_changed_predictions_are_refused_or_read(mnist5k, tmp_path):
    """One line, or as many answers as there are images."""
    rng = random.Random(7)
    path = tmp_path / "predictions.npz"
    sets = {name: np.eye(10)[made(name, mnist5k).images.argmax(axis=1) % 10] for name in FAMILIES}
    np.savez_compressed(path, **sets)
    good, said = path.read_bytes(), []
    for _ in range(300):
        path.write_bytes(changed(good, rng))
        said.append(outcome(lambda: exporting.recorded(path, mnist5k)))

    assert len(set(said)) > 3
    assert all(each.isprintable() for each in said)
