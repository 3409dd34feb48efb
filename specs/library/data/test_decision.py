"""Which data set is used, in which order, and what it holds."""

import os
import shutil

import numpy as np
import pytest

from mnistrobust import data
from mnistrobust.data import embedded, files
from mnistrobust.errors import DataError


def state(folder):
    return {
        path: (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else None)
        for path in [folder, *folder.rglob("*")]
    }


def test_own_cache_comes_first(home, archive):
    """What was downloaded before is used before Keras's copy."""
    shutil.copy(archive, home.own)
    shutil.copy(archive, home.keras)

    source = data.decide()

    assert (source.path, source.why) == (str(home.own), "downloaded before")


def test_keras_cache_comes_second_and_stays_as_it_is(home, archive):
    """Keras's copy is used where it lies, and its folder is not written to."""
    shutil.copy(archive, home.keras)
    before = state(home.keras.parent)

    source = data.decide()
    data.load(source)

    assert (source.path, source.why) == (str(home.keras), "found in Keras's cache")
    assert state(home.keras.parent) == before


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", bytes(1000)])
def test_a_damaged_cache_is_passed_over_with_its_reason(home, damage):
    """A cached file that is not MNIST is named, left in place, and not used."""
    home.own.write_bytes(damage)
    home.keras.write_bytes(damage)

    source = data.decide(offline=True)

    assert (source.name, source.path) == ("mnist5k", None)
    assert str(home.own) in source.why
    assert str(home.keras) in source.why
    assert home.keras.read_bytes() == damage


def test_embedded_set_comes_last_and_says_so(home):
    """Without any full MNIST the rehearsal set is used, with a notice and the remedy."""
    source = data.decide(offline=True)

    assert (source.name, source.path) == ("mnist5k", None)
    assert "--offline forbids a download" in source.why
    assert "rehearsal" in source.notice
    assert "mnistrobust data --data auto --retry" in source.notice
    assert not home.stamp.exists()


def test_embedded_set_can_be_asked_for(home, archive):
    """`mnist5k` is used as asked for, whatever lies in the caches."""
    shutil.copy(archive, home.own)

    source = data.decide("mnist5k")

    assert (source.name, source.path, source.why) == ("mnist5k", None, "as asked for")


def test_environment_names_the_data_set(home, surroundings):
    """MNISTROBUST_DATA decides where no option does; unset or empty it means auto."""
    home.stamp.touch()  # no download
    asked = data.decide("mnist5k")
    assert data.decide().why != asked.why
    surroundings.setenv("MNISTROBUST_DATA", "")
    assert data.decide().why != asked.why
    surroundings.setenv("MNISTROBUST_DATA", "mnist5k")
    assert data.decide() == asked
    assert data.decide("auto").why != asked.why
    surroundings.setenv("MNISTROBUST_DATA", "somewhere.npz")
    with pytest.raises(DataError, match="somewhere"):
        data.decide()


@pytest.mark.usefixtures("home")
def test_an_empty_name_is_an_error():
    """As from a variable of the shell that is not set; the environment's own may be empty."""
    with pytest.raises(DataError, match=r"^--data is empty: name auto, mnist5k or a path"):
        data.decide("")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("MNIST", "Full MNIST is 'auto'"),
        ("https://example.org/mnist.npz", "is an address: download it first, and name the file"),
    ],
)
def test_a_name_that_is_no_path_is_told_what_to_name(name, words, surroundings, tmp_path):
    """The data set's own name, and an address of the web."""
    surroundings.chdir(tmp_path)
    with pytest.raises(DataError, match=words):
        data.decide(name)


def test_a_decision_stands_in_a_block(home, archive, surroundings):
    """Another decide() in it chooses the same file; behind it all is as before."""
    home.stamp.touch()
    source = data.decide(str(archive))
    for before in ("", "mnist5k"):
        surroundings.setenv("MNISTROBUST_DATA", before)
        with data.standing(source):
            assert data.decide() == source
        assert os.environ["MNISTROBUST_DATA"] == before
    surroundings.delenv("MNISTROBUST_DATA")
    with data.standing(data.decide("mnist5k")):
        assert data.decide().path is None
    assert "MNISTROBUST_DATA" not in os.environ


def test_a_wrong_path_touches_no_cache(home, archive):
    """A path that is no MNIST is an error even where a cache could stand in."""
    shutil.copy(archive, home.own)

    with pytest.raises(DataError, match="No such file or folder"):
        data.decide(str(home.own.with_name("other.npz")))


def test_a_relative_path_is_made_absolute(archive, surroundings):
    """The decision holds in every process, wherever that runs."""
    surroundings.chdir(archive.parent)

    assert data.decide(archive.name).path == str(archive)


@pytest.mark.parametrize("given", ["{name}", "~/{name}"])
def test_caches_stay_where_they_are_when_the_folder_is_changed(given, home, archive, surroundings):
    """A decision holds, and ~ is the home folder, in the variables of the caches as in --data."""
    surroundings.setenv("HOME", str(home.cache.parent))
    for variable, place in {"MNISTROBUST_CACHE": home.own, "KERAS_HOME": home.keras}.items():
        surroundings.chdir(home.cache.parent)
        surroundings.setenv(variable, given.format(name=place.parents[1].name))
        shutil.copy(archive, place)
        source = data.decide()
        surroundings.chdir("/")
        assert source.path == str(place)
        assert data.load(source).test_images.any()
        place.unlink()


def test_a_cache_that_no_folder_can_be_stops_nothing(home, surroundings):
    """Its name is too long to look at: the embedded set is made, and kept nowhere."""
    surroundings.setenv("MNISTROBUST_CACHE", str(home.cache / ("long" * 100)))
    surroundings.setattr(embedded, "_split", lambda: {"x_test": np.zeros(1)})

    assert data.decide(offline=True).name == "mnist5k"
    assert list(embedded.arrays()) == ["x_test"]


@pytest.mark.parametrize("variable", ["KERAS_HOME", "unset"])
def test_a_user_without_a_home_folder_has_keras_cache_where_its_variable_says(
    variable, home, archive, surroundings
):
    """Without the variable there is none."""
    surroundings.chdir(home.cache.parent)
    for each in ("HOME", "KERAS_HOME"):
        surroundings.delenv(each, raising=False)
    surroundings.setattr("pwd.getpwuid", {}.__getitem__)
    surroundings.setenv(variable, "keras")
    shutil.copy(archive, home.keras)

    source = data.decide(offline=True)

    assert source.path == (str(home.keras) if variable == "KERAS_HOME" else None)


def rewrite(path, arrays):
    np.savez(path, **{**arrays, "y_test": arrays["y_test"][::-1]})


def remove(path, _):
    path.unlink()


@pytest.mark.parametrize(("change", "message"), [(rewrite, "not MNIST's"), (remove, "No such")])
def test_a_file_that_changes_after_the_decision_is_an_error(
    change, message, archive, mnist5k, tmp_path
):
    """No process goes on with other images than the run decided on."""
    path = tmp_path / "mnist.npz"
    shutil.copy(archive, path)
    source = data.decide(str(path))
    change(path, mnist5k.arrays)

    with pytest.raises(DataError, match=message):
        data.load(source)


def test_another_known_set_in_place_of_the_decided_one_is_an_error(archive):
    """Even a genuine MNIST is refused where another one was decided on."""
    decided = data.Source(
        name="mnist", digest=files.DIGESTS["mnist"], path=str(archive), why="as asked for"
    )

    with pytest.raises(DataError, match="changed while in use; run the command again"):
        data.load(decided)


def test_rehearsal_set_is_split_4000_to_1000_by_digit(mnist5k):
    """Every digit has 400 images to train on and 100 held out, and none is in both."""
    assert np.bincount(mnist5k.train_labels).tolist() == [400] * 10
    assert np.bincount(mnist5k.test_labels).tolist() == [100] * 10
    training = {image.tobytes() for image in mnist5k.arrays["x_train"]}
    held_out = {image.tobytes() for image in mnist5k.arrays["x_test"]}
    assert not training & held_out
    assert len(training | held_out) == 5000


def test_training_rows_are_mixed(mnist5k):
    """The first 1,000 training images hold every digit about equally often."""
    assert np.bincount(mnist5k.train_labels[:1000]).min() > 70


def test_images_are_unit_floats_and_labels_integers(mnist5k):
    """A pixel is its byte divided by 255, in float32; labels are int64."""
    expected = mnist5k.arrays["x_test"].reshape(1000, 784) / 255

    assert mnist5k.test_images.dtype == np.float32
    assert np.abs(mnist5k.test_images - expected).max() < 1e-7
    assert (mnist5k.test_images.min(), mnist5k.test_images.max()) == (0, 1)
    assert mnist5k.test_labels.dtype == mnist5k.train_labels.dtype == np.int64


@pytest.mark.parametrize(
    "name", ["train_images", "train_labels", "test_images", "test_labels", "subset"]
)
def test_shared_arrays_are_read_only(name, mnist5k):
    """No recipe or condition can change the images of another."""
    with pytest.raises(ValueError, match="read-only"):
        getattr(mnist5k, name)[0] = 0


def test_files_arrays_are_read_only(mnist5k):
    """The bytes behind the images are as protected as the images."""
    for array in mnist5k.arrays.values():
        assert not array.flags.writeable


def test_offset_subset_holds_200_images_of_each_digit(mnist5k):
    """Of 10,000 held-out images the subset has 2,000, stratified, sorted and always the same."""
    labels = np.random.default_rng(0).integers(0, 10, 10_000).astype(np.uint8)
    arrays = {**mnist5k.arrays, "y_test": labels}
    subset = data.Dataset(mnist5k.source, arrays).subset

    assert np.bincount(labels[subset]).tolist() == [200] * 10
    assert (np.diff(subset) > 0).all()
    assert np.array_equal(subset, data.Dataset(mnist5k.source, arrays).subset)


def test_offset_subset_of_a_small_set_is_all_of_it(mnist5k):
    """Of 1,000 held-out images the subset leaves out none."""
    assert np.array_equal(mnist5k.subset, np.arange(1000))


@pytest.mark.slow
@pytest.mark.parametrize("kept", [None, b"", b"PK\x03\x04"])
def test_rehearsal_set_is_made_from_the_package_that_ships_it(kept, home):
    """Without a sound copy in the cache the split is made anew, to the same bytes."""
    copy = home.cache / "data" / "mnist5k.npz"
    if kept is not None:
        copy.write_bytes(kept)

    arrays = embedded.arrays()

    assert files.content_digest(arrays) == files.DIGESTS["mnist5k"]
    assert files.content_digest(files.read(copy)) == files.DIGESTS["mnist5k"]
