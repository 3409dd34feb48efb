"""What a model returns, and how it is read: shapes, pixels, columns, kinds of scores."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from mnistrobust.checks.opening import open_model
from mnistrobust.checks.outputs import ModelError, checked_outputs, said
from mnistrobust.checks.run import run
from mnistrobust.checks.session import Session

WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


def of_array(change):
    """A model of class 3, whose outputs are changed on their way."""

    def predict(images):
        return change(np.eye(10, dtype=np.float32)[np.full(len(images), 3)])

    return predict


ODD = {
    "float16": lambda outputs: outputs.astype(np.float16),
    "bfloat16": lambda outputs: outputs.astype(pytest.importorskip("ml_dtypes").bfloat16),
    "integers": lambda outputs: outputs.astype(np.int8),
    "a dict of one": lambda outputs: {"scores": outputs},
    "a tuple of one": lambda outputs: (outputs,),
    "a tuple of a dict": lambda outputs: ({"scores": outputs},),
    "another axis": lambda outputs: outputs[:, :, None],
    "two more axes": lambda outputs: outputs[:, None, :, None],
    "nested lists": lambda outputs: outputs.tolist(),
}


@pytest.mark.parametrize("kind", ODD)
def test_outputs_of_any_kind_are_scores(kind, mnist5k):
    """Half precision, containers of one array, and axes of length 1."""
    model = open_model(of_array(ODD[kind]), mnist5k)

    outputs = model.predict(mnist5k.test_images[:700])
    assert (outputs.shape, outputs.dtype.kind) == ((700, 10), "f")
    assert set(outputs.argmax(axis=1)) == {3}


def test_columns_follow_the_order_of_a_models_own_classes(mnist5k):
    """As scikit-learn's `classes_` name them; `decision_function` comes before labels."""

    class Backwards:
        classes_ = tuple("9876543210")

        def decision_function(self, images):
            return of_array(lambda outputs: outputs[:, ::-1])(images)

        def predict(self, images):
            return np.full(len(images), "3")

    model = open_model(Backwards(), mnist5k)
    assert set(model.predict(mnist5k.test_images[:9]).argmax(axis=1)) == {3}
    Backwards.classes_ = None  # as before it is fitted: none are named
    model = open_model(Backwards(), mnist5k)
    assert set(model.predict(mnist5k.test_images[:9]).argmax(axis=1)) == {6}


def with_classes(*classes):
    """A model with `classes_`, and as many columns."""
    model = of_array(lambda outputs: outputs[:, : len(classes)])
    return type(
        "Model", (), {"classes_": classes, "predict_proba": lambda _, images: model(images)}
    )()


async def asynchronous(images):
    return images


def raising(error):
    def predict(_):
        raise error.with_traceback(None)  # of this call alone

    return predict


def test_the_versions_of_the_frameworks_in_use_are_told(mnist5k):
    """Those that are imported where the model predicts."""
    import sklearn

    model = open_model(of_array(lambda outputs: outputs), mnist5k)

    assert model.versions["sklearn"] == sklearn.__version__
    assert "catboost" not in model.versions


class UnspeakableError(Exception):
    def __str__(self):
        raise ValueError


class Unfitted:
    def __getattr__(self, name):
        if name.startswith("predict"):
            raise RuntimeError(f"not fitted: {name}")
        raise AttributeError(name)


@pytest.mark.parametrize(
    ("model", "line"),
    [
        (with_classes(*range(9)), "classes_ 0 1 2 3 4 5 6 7 8: expected 0 to 9"),
        (with_classes(*range(1, 11)), "classes_ 1 2 3 .* 10: expected 0 to 9"),
        (with_classes(*"abcdefghij"), "classes_ a b c"),
        (with_classes(*range(0, -10, -1)), "classes_ 0 -1 -2"),
        (of_array(lambda outputs: outputs[:, :1]), "look like labels"),
        (of_array(lambda outputs: np.broadcast_to(outputs[:, :1], (len(outputs), 10**9))), "1000000000"),
        (of_array(lambda outputs: {"a": outputs, "b": outputs}), "received a dict of a, b"),
        (of_array(lambda outputs: np.array(WORDS)[outputs.argmax(axis=1)]), "look like labels"),
        (of_array(lambda outputs: np.array(WORDS, object)[outputs.argmax(axis=1)]), "look like labels"),
        (asynchronous, "it is an async function; name one that returns scores"),
        (of_array(lambda outputs: outputs[0]), "these look like one image's: name a function"),
        (of_array(iter), "received "),
        (of_array(lambda _: None), "received NoneType"),
        (raising(GeneratorExit()), r"raised GeneratorExit \(test_checks_model.py:\d+\) \(for 300"),
        (raising(UnspeakableError()), "raised UnspeakableError"),
        (raising(ValueError("float")), "If it wants uint8, or one image a call, name a function"),
        (lambda images, _, __: images, "A function that trains is no model: name the model"),
        (Unfitted(), "raised RuntimeError: not fitted"),
        ({"weight": 1}, "is no model"),
        (Unfitted, "it is a class; name a function or a trained model"),
        (lambda _: np.linalg.inv(np.zeros((2, 2))), r"Singular matrix \(test_checks_model.py:\d+\)"),
    ],
    ids=range(21),
)  # fmt: skip
def test_what_is_no_model_is_one_line(model, line, mnist5k):
    """Without digits for columns, without an array, or raising anything at all."""
    with pytest.raises(ModelError, match=line) as caught:
        open_model(model, mnist5k)
    assert "\n" not in str(caught.value)


class NotFittedError(ValueError):
    """As scikit-learn's."""


@pytest.mark.parametrize(
    "error",
    [
        SystemExit(3), RecursionError(), NotFittedError(), TypeError("unhashable type: 'ndarray'"),
        TypeError("predict() got an unexpected keyword argument 'verbose'"),
        TypeError("predict() missing 1 required keyword-only argument: 'k'"),
    ],
    ids=repr,
)  # fmt: skip
def test_what_no_other_call_mends_has_no_such_hint(error, mnist5k):
    """Neither uint8 nor one image a call helps, nor the shape that was tried."""

    def predict(images):
        if images.ndim == 2:
            raise error.with_traceback(None)
        raise ValueError(f"of {images.ndim} axes")

    for model, hinted in ((raising(error), False), (raising(ValueError()), True)):
        with pytest.raises(ModelError) as caught:
            open_model(model, mnist5k)
        assert ("If it wants uint8" in str(caught.value)) is hinted
    with pytest.raises(
        ModelError, match=r"784.*others with --input-shape: 28x28, 28x28x1, 1x28x28"
    ):
        open_model(predict, mnist5k)


@pytest.mark.parametrize("place", [299, 5])
def test_a_model_that_raises_for_a_few_images_is_one(place, mnist5k):
    """It is opened on other images; what it raises for is for the checks and the search to find."""
    bad = mnist5k.test_images[mnist5k.subset[place]]

    def outputs(images):
        if (images == bad).all(axis=1).any():
            raise ValueError("an image that I do not like")
        return images[:, 400:410]

    model = open_model(outputs, mnist5k, input_shape="784", pixels=(0, 1))

    assert model.predict(mnist5k.test_images[mnist5k.subset[60:90]]).shape == (30, 10)
    with pytest.raises(ModelError, match="that I do not like"):
        model.predict(bad[None])


def test_a_model_that_takes_few_images_a_call_is_given_few(mnist5k):
    """It is judged like any other, in smaller batches."""

    def outputs(images):
        if len(images) > 64:
            raise MemoryError("at most 64 images")
        return images[:, 400:410]

    model = open_model(outputs, mnist5k, input_shape="784", pixels=(0, 1))

    np.testing.assert_array_equal(
        model.predict(mnist5k.test_images), mnist5k.test_images[:, 400:410]
    )


def test_a_buffer_that_a_model_uses_again_harms_nothing(mnist5k):
    """Each call's outputs are copied before the next call."""
    buffer = np.zeros((500, 10))

    def predict(images):
        buffer[: len(images)] = images[:, :10] + images[:, 400:401]
        return buffer[: len(images)]

    images = np.random.default_rng(0).random((1200, 784), dtype=np.float32)
    expected = images[:, :10] + images[:, 400:401]
    found = open_model(predict, mnist5k).predict(images)
    np.testing.assert_allclose(found, expected)


NEAREST = {"input_shape": "784", "pixels": (0, 1), "outputs": "logits"}


@pytest.mark.parametrize(
    "labels",
    [
        [str(digit) for digit in range(9, -1, -1)],
        [float(digit) for digit in (5, 4, 3, 2, 1, 0, 9, 8, 7, 6)],
        sorted(WORDS),
        [word.encode() for word in sorted(WORDS)],
        [f"p_{digit}" for digit in (1, 0, 2, 3, 4, 5, 6, 7, 8, 9)],
        [f"digit-{digit}" for digit in (1, 0, 2, 3, 4, 5, 6, 7, 8, 9)],  # a hyphen, no sign
    ],
    ids=str,
)
def test_columns_with_names_are_read_by_them(labels, nearest, mnist5k):
    """The classes of scikit-learn's models are sorted, words by the alphabet; a frame has names."""
    pandas = pytest.importorskip("pandas")
    numbers = [_number(label) for label in labels]

    class Fitted:
        classes_ = np.array(labels)

        def predict_proba(self, images):
            return nearest(images)[:, numbers]

    def frame(images):
        return pandas.DataFrame(nearest(images)[:, numbers], columns=labels)

    images = mnist5k.test_images[:50]
    method = Fitted().predict_proba
    for given in (Fitted(), method, partial(method), partial(partial(method)), frame):
        found = open_model(given, mnist5k, **NEAREST).predict(images)
        np.testing.assert_allclose(found, nearest(images), rtol=1e-5)


def _number(label):
    text = label.decode() if isinstance(label, bytes) else str(label)
    return (
        WORDS.index(text)
        if text in WORDS
        else int(float(text.removeprefix("p_").removeprefix("digit-")))
    )


def test_what_a_mask_hides_is_no_number():
    """A model that hides each prediction has none."""
    hidden = np.ma.masked_array(np.eye(10), mask=np.eye(10) == 1)
    outputs = checked_outputs(hidden, 10)

    assert np.isnan(np.diag(outputs)).all()
    assert np.isnan(outputs).sum() == 10


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_a_matrix_is_an_array(nearest, mnist5k):
    """What `todense` of SciPy makes keeps two axes, whatever is taken from it."""
    model = open_model(lambda images: np.asmatrix(nearest(images)), mnist5k, **NEAREST)

    assert type(checked_outputs(np.asmatrix(np.eye(10)), 10)) is np.ndarray
    assert model.predict(mnist5k.test_images[:20]).argmax(axis=1).shape == (20,)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Exception encountered when calling Dense.call().\n\n\x1b[1mno  shape\x1b[0m\n", "no shape"),
        ("x" * 287, "x" * 287),  # 300 characters with the kind
        ("x" * 288, "x" * 288),
        ("x" * 289, "x" * 288 + "…"),
        ("", ""),
    ],
    ids=["Keras", "short", "longest", "too long", "none"],
)  # fmt: skip
def test_an_error_of_the_users_is_one_short_line(text, line):
    """Without colours, and without the layer that Keras names before the cause."""
    assert said(ValueError(text)) == f"ValueError: {line}".removesuffix(": ")


@pytest.mark.parametrize("size", [2, 4])
def test_a_tensor_of_half_precision_is_widened_first(size):
    """NumPy knows no bfloat16; other tensors keep their precision."""

    class Tensor:
        dtype = SimpleNamespace(itemsize=size)
        shape = (10, 10)
        detach = cpu = lambda self: self

        def float(self):
            return SimpleNamespace(numpy=lambda: np.eye(10))

        def numpy(self):
            return 3 * np.eye(10)

    assert checked_outputs(Tensor(), 10)[0, 0] == {2: 1, 4: 3}[size]


def test_rows_of_one_image_or_of_tensors_are_an_array():
    """A tuple of one row is no container, and the conversion of a tensor with a gradient is ours."""

    class Row:
        dtype, shape = np.dtype(np.float32), (10,)
        detach = cpu = lambda _: SimpleNamespace(cpu=lambda: Plain)

        def __array__(self, *_, **__):
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")

    class Plain:
        dtype, numpy = np.dtype(np.float32), lambda: np.eye(10)[3]

    for given in ((np.eye(10)[3],), [np.eye(10)[3]], (Row(),), [Row()]):
        np.testing.assert_array_equal(checked_outputs(given, 1), np.eye(10)[[3]])
    for given in ([Row()] * 2, (Row(),) * 2):
        np.testing.assert_array_equal(checked_outputs(given, 2), np.eye(10)[[3, 3]])
    with pytest.raises(ModelError, match="these look like labels"):
        checked_outputs((np.arange(5),), 5)


def test_an_input_shape_that_is_named_counts(mnist5k):
    """Where the model would take another one, too."""

    def outputs(images):
        return images.reshape(len(images), 784)[:, 400:410]

    for shape in ("784", "1x28x28"):
        assert open_model(outputs, mnist5k, input_shape=shape, pixels=(0, 1)).input_shape == shape


def test_several_arrays_are_named():
    """A line says what came, without the words of NumPy."""
    arrays = [np.eye(10), np.zeros((10, 3))]
    for given, line in (
        (arrays, "received a list of 2: return one of them"),
        (tuple(arrays), "received a tuple of 2: return one of them"),
        ({"a": 1, "b": 2}, "received a dict of a, b: return one of them"),
    ):
        with pytest.raises(ModelError, match=line):
            checked_outputs(given, 10)


def test_the_logarithm_of_zero_is_a_probability(nearest, mnist5k):
    """Log-probabilities may be minus infinity: no finite check fails, and no loss is infinite."""

    def predict(images):
        top = nearest(images).argmax(axis=1)
        with np.errstate(divide="ignore"):
            return np.log(np.eye(10)[top])

    model = open_model(predict, mnist5k)
    found = run(model, mnist5k, only=["finite_output", "nll"])

    assert model.outputs == "log-probabilities"
    assert [each.status for each in found.results] == ["passed", "failed"]
    assert 1 < found.results[1].figures["value"] < 36


@pytest.mark.parametrize(
    ("outputs", "line"),
    [
        (np.eye(10)[3], "predicts 3 for every image"),
        (np.full(10, 0.1), "predicts 0 for every image"),
    ],
)
def test_a_model_that_is_no_better_than_chance_does_not_work(outputs, line, mnist5k):
    """Whatever compares it with itself fails, and the summary says why."""
    names = ["repeatability", "threshold_accuracy", "pure_noise_uncertainty", "nll", "brier"]
    model = open_model(lambda images: np.tile(outputs, (len(images), 1)), mnist5k)
    found = run(model, mnist5k, only=names)

    assert [each.status for each in found.results] == ["passed", *["failed"] * 4]
    assert f"The model does not work: accuracy 0.1000 {'on clean digits'}" in found.session.broken
    assert line in found.session.broken


@pytest.mark.parametrize(("step", "told"), [(1, True), (0, False)])
def test_columns_in_another_order_are_named_as_the_cause(step, told, nearest, mnist5k):
    """One order of them makes the model accurate; none does for a model that has learned nothing."""

    def predict(images):
        return np.roll(nearest(images), 1, axis=1) if step else np.eye(10)[[3] * len(images)]

    broken = Session(open_model(predict, mnist5k, **NEAREST), mnist5k).broken
    assert ("its columns may not be in the order 0 to 9: in another it is 0.7990" in broken) is told


def test_a_model_that_works_is_not_called_broken(nearest, mnist5k):
    """Eight of ten digits are more than chance."""
    assert Session(open_model(nearest, mnist5k), mnist5k).broken is None


def test_a_model_that_is_always_right_passes_the_scores(mnist5k):
    """A thousand digits do not prove that labels alone are never wrong."""
    known = {
        image.tobytes(): label
        for image, label in zip(mnist5k.test_images, mnist5k.test_labels, strict=True)
    }

    def perfect(images):
        top = [known.get(image.tobytes(), 0) for image in images.astype(np.float32)]
        return np.where(np.eye(10)[top] == 1, 1 - 9e-6, 1e-6)

    model = open_model(perfect, mnist5k, input_shape="784", pixels=(0, 1))
    found = run(model, mnist5k, only=["nll", "brier"])
    assert [each.status for each in found.results] == ["passed", "passed"]
