"""MNIST in files: every container of the same images counts, and nothing else does."""

import gzip
import struct

import numpy as np
import pytest

from mnistrobust import data, mnist_files
from mnistrobust.errors import DataError

IDX = mnist_files._IDX_NAMES


def idx(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_npz(folder, arrays, save=np.savez):
    save(folder / "digits.npz", **arrays)
    return folder / "digits.npz"


def write_idx(folder, arrays):
    for name, stem in IDX.items():
        (folder / stem).write_bytes(idx(arrays[name]))
    return folder


def write_gzipped_idx(folder, arrays):
    for name, stem in IDX.items():
        (folder / f"{stem}.gz").write_bytes(gzip.compress(idx(arrays[name]), 1))
    return folder


def write_dotted_idx(folder, arrays):
    for name, stem in IDX.items():
        (folder / stem.replace("-idx", ".idx")).write_bytes(idx(arrays[name]))
    return folder


def write_compressed_npz(folder, arrays):
    return write_npz(folder, {"unrelated": np.arange(3), **arrays}, np.savez_compressed)


@pytest.fixture
def arrays(mnist5k):
    return {name: array.copy() for name, array in mnist5k.arrays.items()}


@pytest.mark.parametrize(
    "write",
    [write_npz, write_compressed_npz, write_idx, write_gzipped_idx, write_dotted_idx],
)
def test_digest_is_the_same_in_every_container(write, arrays, mnist5k, tmp_path):
    """The content decides what a data set is, not the file that holds it."""
    path = write(tmp_path, arrays)

    source = data.decide(str(path))

    assert (source.name, source.digest) == ("mnist5k", mnist5k.source.digest)
    assert source.path == str(path)
    assert np.array_equal(data.load(source).test_images, mnist5k.test_images)


@pytest.mark.parametrize("name", mnist_files.ARRAYS)
def test_one_changed_byte_is_another_data_set(name, arrays, tmp_path):
    """A pixel or a label that differs by one makes the path an error."""
    arrays[name].reshape(-1)[500] ^= 1

    with pytest.raises(DataError, match=r"the arrays are not MNIST's: expected content e5ea"):
        data.decide(str(write_npz(tmp_path, arrays)))


def test_exchanged_arrays_are_another_data_set(arrays, tmp_path):
    """The same images in another order or role are not MNIST."""
    swapped = {**arrays, "x_train": arrays["x_train"][::-1]}

    with pytest.raises(DataError, match="the arrays are not MNIST's"):
        data.decide(str(write_npz(tmp_path, swapped)))


def missing_array(folder, arrays):
    del arrays["y_test"]
    return write_npz(folder, arrays)


def scaled_images(folder, arrays):
    return write_npz(folder, {**arrays, "x_train": arrays["x_train"] / 255.0})


def dates(folder, arrays):
    return write_npz(folder, {**arrays, "y_test": np.zeros(3, "M8[s]")})


def pickled(folder, arrays):
    return write_npz(folder, {**arrays, "y_test": np.array([None, "x"], dtype=object)})


def single_array(folder, arrays):
    np.save(folder / "digits.npy", arrays["x_test"])
    return folder / "digits.npy"


def raw_bytes(content):
    def write(folder, _):
        (folder / "digits.npz").write_bytes(content)
        return folder / "digits.npz"

    return write


def folder_without_idx(folder, _):
    return folder


def three_idx_files(folder, arrays):
    write_idx(folder, arrays)
    (folder / IDX["y_test"]).unlink()
    return folder


def damaged_idx(content):
    def write(folder, arrays):
        write_idx(folder, arrays)
        (folder / IDX["y_test"]).write_bytes(content)
        return folder

    return write


def damaged_gzip(folder, arrays):
    write_gzipped_idx(folder, arrays)
    target = folder / f"{IDX['y_test']}.gz"
    target.write_bytes(target.read_bytes()[:-20])
    return folder


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda folder, _: folder / "nowhere.npz", id="missing"),
        pytest.param(lambda folder, _: folder / ("x" * 5000), id="name-too-long"),
        pytest.param(lambda *_: "~no-such-user-of-this-machine/digits.npz", id="unknown-home"),
        missing_array,
        scaled_images,
        dates,
        pickled,
        single_array,
        pytest.param(raw_bytes(b""), id="empty"),
        pytest.param(raw_bytes(b"MNIST"), id="text"),
        pytest.param(raw_bytes(b"PK\x03\x04" + bytes(100)), id="broken-zip"),
        pytest.param(raw_bytes(b"\x93NUMPY\xff\xff"), id="broken-npy"),
        folder_without_idx,
        three_idx_files,
        pytest.param(damaged_idx(b""), id="empty-idx"),
        pytest.param(damaged_idx(b"\0\0\x08\x03\0\0"), id="idx-ends-in-its-head"),
        pytest.param(damaged_idx(b"\0\0\x08\x01\xff\xff\xff\xff"), id="idx-of-4-billion"),
        pytest.param(damaged_idx(b"\0\0\x0d\x01\0\0\0\1\0"), id="idx-of-floats"),
        damaged_gzip,
    ],
)
def test_a_path_is_used_or_is_an_error(write, arrays, tmp_path):
    """A path without MNIST is an error that names it, never a silent fall-back."""
    path = write(tmp_path, arrays)

    with pytest.raises(DataError) as caught:
        data.decide(str(path))

    assert caught.value.exit_code == 3
    assert str(path) in str(caught.value)
    assert "expected" in str(caught.value) or "home" in str(caught.value)


def test_a_truncated_archive_is_an_error_wherever_it_ends(arrays, tmp_path):
    """Half a download is never read as a data set."""
    whole = write_npz(tmp_path, arrays, np.savez_compressed).read_bytes()
    damaged = tmp_path / "half.npz"

    for end in range(0, len(whole) - 1, len(whole) // 40):
        damaged.write_bytes(whole[:end])
        with pytest.raises(DataError, match=r"half\.npz"):
            data.decide(str(damaged))


@pytest.mark.slow
def test_flipped_bits_in_an_archive_are_an_error_or_change_nothing(arrays, mnist5k, tmp_path):
    """Whatever a damaged archive unpacks to, only MNIST's own bytes are accepted."""
    whole = bytearray(write_npz(tmp_path, arrays, np.savez_compressed).read_bytes())
    damaged = tmp_path / "flipped.npz"
    rng = np.random.default_rng(0)

    refused = 0
    for position in [*range(40), *rng.integers(0, len(whole), 40)]:
        content = bytearray(whole)
        content[position] ^= 1 << int(rng.integers(8))
        damaged.write_bytes(content)
        try:
            assert data.decide(str(damaged)).digest == mnist5k.source.digest
        except DataError:
            refused += 1
    assert refused > 40
