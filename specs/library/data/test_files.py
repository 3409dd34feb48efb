"""MNIST in files: every container of the same images counts, and nothing else does."""

import gzip
import io
import os
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from mnistrobust import data
from mnistrobust.data import files
from mnistrobust.errors import DataError

IDX = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}

OF_IMAGES = {
    "x_train": "train_images",
    "y_train": "train_image_labels",
    "x_test": "test_images",
    "y_test": "test_image_labels",
}


def idx(array, kind=8, order=">"):
    head = struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape)
    return (
        head
        if order == ">"
        else struct.pack(f"<4B{array.ndim}I", array.ndim, 8, 0, 0, *array.shape)
    ) + array.tobytes()


def write_npz(folder, arrays, save=np.savez):
    save(folder / "digits.npz", **arrays)
    return folder / "digits.npz"


def write_files(folder, arrays, name=str, pack=bytes):
    """Write the four IDX files, under a name that is made from the usual one."""
    for array, stem in IDX.items():
        file = folder / name(stem)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(pack(idx(arrays[array])))
    return folder


def gzipped(content):
    return gzip.compress(content, 1)


def zipped(folder, arrays):
    with zipfile.ZipFile(folder / "archive.zip", "w") as archive:
        for name, stem in IDX.items():
            archive.writestr(f"{stem}/{stem}", idx(arrays[name]))
            archive.writestr(f"__MACOSX/{stem}/._{stem}", b"Mac OS X")
    return folder / "archive.zip"


def torchvision(folder, arrays):
    """Packed and unpacked files side by side, and another data set of the same shape."""
    other = {name: array[::-1] for name, array in arrays.items()}
    write_files(folder, other, lambda stem: f"FashionMNIST/raw/{stem}")
    write_files(folder, arrays, lambda stem: f"MNIST/raw/{stem}.gz", gzipped)
    return write_files(folder, arrays, lambda stem: f"MNIST/raw/{stem}")


def linked(folder, arrays):
    """A folder in which MNIST's own is a link to another disk."""
    write_files(folder / "disk", arrays)
    (folder / "named").mkdir()
    (folder / "named" / "MNIST").symlink_to(folder / "disk")
    return folder / "named"


def one_npz_in_a_folder(folder, arrays):
    write_npz(folder, arrays)
    (folder / "notes.txt").write_text("from the archive")
    return folder


def four_npy_files(folder, arrays):
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return folder


CONTAINERS = {
    "npz": write_npz,
    "npz with more": lambda folder, arrays: write_npz(
        folder, {"unrelated": np.arange(3), **arrays}, np.savez_compressed
    ),
    "npz without names": lambda folder, arrays: (
        np.savez(folder / "digits.npz", *arrays.values()) or folder / "digits.npz"
    ),
    "zip of IDX": zipped,
    "npz in a folder": one_npz_in_a_folder,
    "npy": four_npy_files,
    "torchvision": torchvision,
    "IDX": write_files,
    "link": linked,
    "dots": lambda *given: write_files(*given, lambda stem: stem.replace("-idx", ".idx")),
    "nested": lambda *given: write_files(*given, lambda stem: f"{stem}/{stem}"),
    "upper case": lambda *given: write_files(*given, lambda stem: f"{stem.upper()}.GZ", gzipped),
    "browser": lambda *given: write_files(*given, lambda stem: f"{stem} (1).gz", gzipped),
    "no suffix": lambda *given: write_files(*given, pack=gzipped),
    "image_labels": lambda folder, arrays: write_npz(
        folder, {OF_IMAGES[name]: array for name, array in arrays.items()}
    ),
    "test_train": lambda *given: write_files(*given, lambda stem: f"test_{stem}"),
    "unpacked .gz": lambda *given: write_files(*given, lambda stem: f"{stem}.gz"),
}


@pytest.fixture
def arrays(mnist5k):
    return {name: array.copy() for name, array in mnist5k.arrays.items()}


@pytest.mark.parametrize("write", CONTAINERS.values(), ids=CONTAINERS)
def test_digest_is_the_same_in_every_container(write, arrays, mnist5k, tmp_path):
    """The content decides what a data set is, not the file that holds it."""
    path = write(tmp_path, arrays)

    source = data.decide(str(path))

    assert (source.name, source.digest) == ("mnist5k", mnist5k.source.digest)
    assert source.path == str(path)
    assert np.array_equal(data.load(source).test_images, mnist5k.test_images)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("x_test", lambda images: images.reshape(-1, 784)),
        ("x_test", lambda images: images[..., None]),
        ("x_test", lambda images: images[:, None].astype(np.int64)),
        ("x_test", lambda images: (images / 255).astype(np.float32)),
        ("x_test", lambda images: (images / 255).astype(np.float16)),
        ("x_test", lambda images: images * np.float32(1 / 255 - 1e-9)),
        ("x_test", lambda images: images.astype(">f8")),
        ("x_test", np.asfortranarray),
        ("y_test", lambda labels: labels[:, None]),
        ("y_test", lambda labels: labels[None].astype(np.int64)),
        ("y_test", lambda labels: np.eye(10)[labels]),
    ],
    ids=map(str, range(11)),
)
def test_an_array_in_another_form_is_brought_to_its_bytes(name, change, arrays, mnist5k, tmp_path):
    """Flat or deep images, shares of ink, columns of labels and one-hot labels are MNIST too."""
    arrays[name] = change(arrays[name])

    assert data.decide(str(write_npz(tmp_path, arrays))).digest == mnist5k.source.digest


@pytest.mark.parametrize("name", files.ARRAYS)
def test_one_changed_byte_is_another_data_set(name, arrays, tmp_path):
    """A pixel or a label that differs by one makes the path an error."""
    arrays[name].reshape(-1)[500] ^= 1

    with pytest.raises(
        DataError, match=rf"digits.npz/{name} holds .* not MNIST's: another data set"
    ):
        data.decide(str(write_npz(tmp_path, arrays)))


def test_exchanged_arrays_are_another_data_set(arrays, tmp_path):
    """The same images in another order or role are not MNIST."""
    swapped = {**arrays, "x_train": arrays["x_train"][::-1]}

    with pytest.raises(DataError, match="x_train holds 4,000 training images, but not MNIST's"):
        data.decide(str(write_npz(tmp_path, swapped)))


def missing_array(folder, arrays):
    del arrays["y_test"]
    return write_npz(folder, arrays)


def standardised_images(folder, arrays):
    return write_npz(folder, {**arrays, "x_train": arrays["x_train"] / 128.0 - 1})


def not_one_hot(folder, arrays):
    return write_npz(folder, {**arrays, "y_test": np.full((1000, 10), 0.1)})


def no_numbers(folder, arrays):
    return write_npz(folder, {**arrays, "x_test": np.full((1000, 784), np.nan, np.float32)})


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
    write_files(folder, arrays)
    (folder / IDX["y_test"]).unlink()
    return folder


def damaged_idx(content):
    def write(folder, arrays):
        write_files(folder, arrays)
        (folder / IDX["y_test"]).write_bytes(content)
        return folder

    return write


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda folder, _: folder / "nowhere.npz", id="missing"),
        pytest.param(lambda folder, _: folder / ("x" * 5000), id="name-too-long"),
        pytest.param(lambda *_: "~no-such-user-of-this-machine/digits.npz", id="unknown-home"),
        missing_array,
        standardised_images,
        not_one_hot,
        no_numbers,
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


def pictures(n):
    """An archive with a file for each digit."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for number in range(n):
            archive.writestr(f"train/7/{number}.png", b"")
    return content.getvalue()


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros(1000, "M8[s]"), r"holds datetime64\[s\]: expected numbers"),
        (np.zeros(1000, complex), "holds complex128: expected numbers"),
        (np.full((1000, 10), 0.1), "holds ten values a label that are not one-hot"),
        (np.arange(1000) % 257, "holds values from 0 to 256: expected 0 to 255, or 0 to 1"),
        (np.full(1000, np.nan), "holds values from nan to nan: expected 0 to 255, or 0 to 1"),
        (np.array([None] * 1000), "holds Python objects, as a pickle does"),
    ],
    ids=["dates", "complex", "not one-hot", "too large", "no numbers", "objects"],
)
def test_values_that_are_none_of_mnists_are_named(array, words, arrays, tmp_path):
    """By their type or range, before they are compared with MNIST's bytes."""
    with pytest.raises(DataError, match=rf"digits\.npz/y_test {words}"):
        data.decide(str(write_npz(tmp_path, {**arrays, "y_test": array})))


@pytest.mark.parametrize(
    ("gone", "words"),
    [
        ("x_train", r"training images \(x_train, as in train-images-idx3-ubyte\); expected an"),
        ("y_test", r"held-out labels \(y_test\); expected an"),
    ],
)
def test_an_array_that_is_nowhere_is_named(gone, words, arrays, tmp_path):
    """No note is blamed for it, nor a bad file that another array's name is on."""
    write_files(tmp_path, arrays)
    (tmp_path / IDX[gone]).unlink()
    (tmp_path / "notes.txt").write_text("from the archive")
    (tmp_path / "y_train.txt").write_text("5, 0, 4")

    with pytest.raises(
        DataError, match=f"^--data .*{tmp_path} has no file or array with MNIST's {words}"
    ):
        data.decide(str(tmp_path))


GUILTY = {
    b"<!DOCTYPE html><html>": "is a web page",
    b"version https://git-lfs.github.com/spec/v1\n": "is a pointer of Git LFS: run 'git lfs pull'",
    b"\x80\x04\x95": "is a pickle, which can run code",
    b"5, 0, 4, 1": "is a text: save its arrays with numpy.savez",
    b"\0\0\x08\xff" + b"\0\0\1\1" * 255: "holds an array of 255 dimensions, which is none",
    b"7z\xbc\xaf\x27\x1c": "is an archive of 7z, .*: unpack it",
    gzipped(gzipped(idx(np.zeros(9, np.uint8)))): "is gzipped twice: unpack it",
    b"": "is empty",
    b"PK\3\4" + bytes(26): "is a zip archive that ends after 30 bytes",
    pictures(101): "is a zip archive of 101 files, where MNIST has four",
    idx(np.arange(1000, dtype=np.uint8))[:600]: "ends after 600 bytes, expected 1,008",
    gzipped(idx(np.arange(1000, dtype=np.uint8)))[:-200]: (
        r"ends after \d+ bytes, unpacked \d+ bytes, expected 1,008"
    ),
    idx(np.zeros(1000, np.uint8), order="<"): "is an IDX file in little-endian order",
    idx(np.zeros(1000, np.uint8)): "1,000 held-out labels, but not MNIST's: another data set",
    idx(np.zeros(4000, np.uint8)): "4,000 training labels, against its name: train and test",
    idx(np.zeros((1000, 784), np.uint8)): "1,000 held-out images, against its name",
}


def spoilt(content, where):
    """The content with one bit changed."""
    return content[:where] + bytes([content[where] ^ 1]) + content[where:][1:]


def stored(content):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("t10k-labels", content)
    return packed.getvalue()


LABELS = idx(np.arange(1000, dtype=np.uint8))
GUILTY |= {
    spoilt(gzip.compress(LABELS, 0), -20): "is damaged: download it again",
    spoilt(gzip.compress(LABELS), 14): "is damaged: download it again",
    spoilt(stored(LABELS), stored(LABELS).index(LABELS) + 900): "is damaged: download it again",
}


@pytest.mark.parametrize(("content", "words"), GUILTY.items(), ids=map(str, range(len(GUILTY))))
def test_an_error_names_the_guilty_file_and_what_is_wrong_with_it(content, words, arrays, tmp_path):
    """One bad file of four is named, in our words, and never with advice to load a pickle."""
    write_files(tmp_path, arrays)
    guilty = tmp_path / IDX["y_test"]
    guilty.write_bytes(content)

    with pytest.raises(DataError, match=rf"{guilty}\S* .*{words}") as caught:
        data.decide(str(tmp_path))

    assert "allow_pickle" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("index", range(4))
def test_one_of_the_four_files_is_not_the_folder(index, arrays, tmp_path):
    """Named by itself, it is told what to name instead."""
    write_files(tmp_path, arrays)
    file = tmp_path / [*IDX.values()][index]

    with pytest.raises(DataError, match=f"{file} has .* alone: name its folder"):
        data.decide(str(file))


def test_exchanged_names_are_told_wherever_they_are(arrays, tmp_path):
    """In a folder of archives as in one archive: what a file holds tells it, not its name alone."""
    train = {"x_test": arrays["x_train"], "y_test": arrays["y_train"]}
    np.savez(tmp_path / "a_test.npz", x_test=arrays["x_test"], y_test=arrays["y_test"])
    np.savez(tmp_path / "b_train.npz", **train)

    with pytest.raises(DataError, match=r"b_train\.npz/x_test holds 4,000 .*, against its name"):
        data.decide(str(tmp_path))


def test_another_set_beside_mnist_is_not_guilty(arrays, tmp_path):
    """Of two files that could hold an array, the damaged one is named, not the one of another set."""
    write_files(tmp_path, {**arrays, "y_test": arrays["y_test"][::-1]}, lambda stem: f"a/{stem}")
    write_files(tmp_path, arrays, lambda stem: f"b/{stem}")
    half = tmp_path / "b" / IDX["y_test"]
    half.write_bytes(half.read_bytes()[:500])

    with pytest.raises(DataError, match=f"{half} ends after 500 bytes"):
        data.decide(str(tmp_path))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("within", [False, True], ids=["as the data", "in its folder"])
def test_a_pipe_is_an_error_and_blocks_nothing(within, arrays, tmp_path):
    """What is no regular file is refused: reading it could wait for ever."""
    write_files(tmp_path, arrays)
    pipe = tmp_path / IDX["y_test"]
    pipe.unlink()
    os.mkfifo(pipe)

    with pytest.raises(DataError, match=f"{pipe} cannot be read .not a regular file"):
        data.decide(str(tmp_path if within else pipe))


def test_no_more_is_read_than_mnist_has(arrays, tmp_path):
    """A small file that unpacks to much more costs no memory."""
    write_files(tmp_path, arrays)
    huge = gzip.compress(idx(arrays["y_test"]) + bytes(40_000_000), 1)
    (tmp_path / IDX["y_test"]).write_bytes(huge)
    tracemalloc.start()

    data.decide(str(tmp_path))

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 30_000_000


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
