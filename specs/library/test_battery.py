"""The battery: what it says of a good model, of broken ones, and of answers made elsewhere."""

import json

import digit_models
import numpy as np
import pytest

from mnistrobust.battery import exporting, running, showing, spec
from mnistrobust.battery.inputs import FAMILIES, OUTLIERS, made
from mnistrobust.battery.subject import ModelError, subject_of
from mnistrobust.errors import UsageError
from mnistrobust.transforms import NOISE_LABEL

WEAK = {
    "threshold_accuracy": "not trained on black and white",
    "offset_noise_accuracy": "not trained on offset noise",
    "inverted_accuracy": "not trained on inverted digits",
    "pure_noise_uncertainty": "never saw noise",
    "less_sure_of_scaled": "its features grow with the input",
}
LIVE_ONLY = ("batch_invariance", "repeatability")
NOISE_CLASS = [name for name in running.SPECS if name.startswith("noise_class")]


@pytest.fixture(scope="module")
def good(mnist5k):
    """A model that recognises 0.93 of the held-out digits, and knows how sure to be."""
    return digit_models.trained(mnist5k)


@pytest.fixture(scope="module")
def subject(good, mnist5k):
    return subject_of(good, "good", mnist5k)


@pytest.fixture(scope="module")
def report(subject, mnist5k):
    """What the whole battery says of it."""
    return running.run(subject, mnist5k)


def statuses(report):
    return {each.spec.name: each.status for each in report.outcomes}


def failed(report):
    return {each.spec.name for each in report.outcomes if each.status == spec.FAILED}


def test_every_spec_is_documented():
    """A spec has a sentence, a kind of CheckList's, a reason, and a bound unless it only reports."""
    for name, each in running.SPECS.items():
        assert (each.name, name.isidentifier()) == (name, True)
        assert each.kind in {spec.MINIMUM, spec.INVARIANCE, spec.DIRECTION}, name
        assert each.statement[0].isupper(), name
        assert each.statement.endswith("."), name
        assert each.why, name
    assert {each.kind for each in running.SPECS.values()} == {
        spec.MINIMUM,
        spec.INVARIANCE,
        spec.DIRECTION,
    }
    unbound = {name for name, each in running.SPECS.items() if each.bound is None}
    assert unbound == {"noise_class_beyond_training", "ece_equal_width", "ece_equal_mass"}


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"inverted_acuracy": "x"}, "Unknown spec 'inverted_acuracy': did you mean 'inverted_"),
        ({"ece_equal_mass": "x"}, "ece_equal_mass is only reported: it cannot fail"),
        ({"nll": " "}, "nll: expected a reason"),
    ],
)
def test_a_wrong_expectation_is_an_error(given, line):
    """Of an unknown spec, of one that cannot fail, and without a reason."""
    with pytest.raises(UsageError, match=line):
        running.check_names((), given)
    with pytest.raises(UsageError, match="not among the specs that run"):
        running.check_names(("brier",), {"nll": "x"})


@pytest.mark.slow
def test_inputs_are_the_same_in_every_run_and_of_their_family(mnist5k):
    """Each family is (n, 784) float32, drawn alike each time, and as its summary says."""
    sets = {name: made(name, mnist5k) for name in FAMILIES}
    for name, each in sets.items():
        again = made(name, mnist5k).images
        assert (each.images.dtype, each.images.shape[1:]) == (np.float32, (784,)), name
        np.testing.assert_array_equal(each.images, again)
        top = {"offset-noise": 2, "scaled": 10}.get(name, 1)
        assert 0 <= each.images.min() <= each.images.max() <= top, name
    clean = mnist5k.test_images
    assert sorted(np.unique(sets["bernoulli"].images)) == [0, 1]
    assert sets["blank"].images.max() == 0
    np.testing.assert_array_equal(
        np.sort(sets["permuted"].images, axis=1), np.sort(clean[mnist5k.subset], axis=1)
    )
    assert not (sets["permuted"].images == clean[mnist5k.subset]).all(axis=1).any()
    smooth = sets["low-frequency"].images.reshape(-1, 28, 28)
    rough = sets["uniform"].images[:1000].reshape(-1, 28, 28)
    steps = [np.abs(np.diff(each, axis=2)).mean() for each in (smooth, rough)]
    assert steps[0] < steps[1] / 2
    assert (smooth.min(axis=(1, 2)) == 0).all()
    assert (smooth.max(axis=(1, 2)) == 1).all()
    cut = sets["gaussian"].images
    assert [(cut == 0).mean(), (cut == 1).mean()] == pytest.approx([0.3085, 0.3085], abs=0.005)
    for name in OUTLIERS:
        assert len(sets[name].images) >= len(mnist5k.subset)
        assert (sets[name].labels is None) == (name != "inverted")


@pytest.mark.slow
def test_a_good_model_fails_only_what_it_never_learned(report):
    """Everything else is passed, reported, or says nothing about it."""
    found = statuses(report)

    assert failed(report) == set(WEAK)
    assert {name for name, each in found.items() if each == spec.NOT_APPLICABLE} == {
        "probabilities_sum_to_one",
        *NOISE_CLASS,
    }
    assert not report.good


@pytest.mark.slow
@pytest.mark.parametrize("broken", digit_models.BREAKS, ids=lambda each: each.__name__)
def test_a_broken_model_fails_the_specs_of_its_break(broken, good, report, mnist5k):
    """Specs that the good model passes name what was done to it."""
    names = digit_models.BREAKS[broken]
    found = running.run(subject_of(broken(good), "broken", mnist5k), mnist5k, only=names)

    assert failed(found) == set(names)
    assert not set(names) & failed(report)
    assert all(each.reason for each in found.outcomes)


@pytest.mark.slow
def test_infinity_fails_specs_and_warns_of_nothing(good, mnist5k):
    """What needs finite answers says so; what is about a noise class says nothing."""

    def infinite(images):
        return np.where(good(images) > 5, np.inf, good(images))

    names = ["finite_output", "batch_invariance", "clean_accuracy", *NOISE_CLASS]
    found = running.run(subject_of(infinite, "infinite", mnist5k), mnist5k, only=names)

    assert statuses(found) == {
        **dict.fromkeys(names, spec.FAILED),
        **dict.fromkeys(NOISE_CLASS, spec.NOT_APPLICABLE),
    }
    assert all("finit" in each.reason for each in found.outcomes if each.status == spec.FAILED)


@pytest.mark.slow
def test_expected_failures_are_strict(subject, mnist5k):
    """What fails as expected is good; what does not, or says nothing, is not."""
    expected = {"inverted_accuracy": "never inverted", "nll": "?", "noise_class_keeps_digits": "?"}
    found = running.run(subject, mnist5k, only=expected, expected=expected)

    assert statuses(found) == {
        "inverted_accuracy": spec.EXPECTED,
        "noise_class_keeps_digits": spec.UNEXPECTED,
        "nll": spec.UNEXPECTED,
    }
    assert not found.good
    assert running.run(subject, mnist5k, only=WEAK, expected=WEAK).good


@pytest.mark.slow
def test_a_noise_class_is_judged_by_what_it_swallows_and_catches(good, mnist5k):
    """An eleventh class that answers bright images: no digit, all uniform noise, no blank image."""

    def predict(images):
        alarm = 60 * (images.mean(axis=1, keepdims=True) - 0.4)
        return np.concatenate([good(images), np.maximum(good(images).max(), 0) + alarm], axis=1)

    subject = subject_of(predict, "eleven", mnist5k)
    names = [*NOISE_CLASS, "pure_noise_uncertainty", "less_sure_of_uniform"]
    found = {each.spec.name: each for each in running.run(subject, mnist5k, only=names).outcomes}

    assert subject.has_noise_class
    assert {name: each.status for name, each in found.items()} == {
        **dict.fromkeys(names, spec.PASSED),
        "noise_class_beyond_training": spec.REPORTED,
    }
    caught = found["noise_class_beyond_training"].figures
    assert set(caught) == set(OUTLIERS) - {"uniform"}
    assert (caught["blank"], caught["scaled"]) == (0, 1)
    assert set(found["less_sure_of_uniform"].figures) == {
        "msp",
        "entropy",
        "energy",
        "noise_class",
    }

    def greedy(images):
        return np.eye(11)[np.full(len(images), NOISE_LABEL)]

    swallowed = running.run(
        subject_of(greedy, "greedy", mnist5k), mnist5k, only=["noise_class_keeps_digits"]
    )
    assert failed(swallowed) == {"noise_class_keeps_digits"}


@pytest.mark.slow
def test_energy_needs_logits(good, mnist5k):
    """Probabilities and log-probabilities have lost it; MSP and entropy are the same."""

    def figures(predict):
        subject = subject_of(predict, "model", mnist5k)
        found = running.run(subject, mnist5k, only=["less_sure_of_uniform"]).outcomes[0].figures
        return subject.outputs, found

    logits, by_logits = figures(good)
    plain, by_plain = figures(lambda images: digit_models.softmax(good(images)))
    logs, by_logs = figures(lambda images: np.log(digit_models.softmax(good(images))))

    assert (logits, plain, logs) == ("logits", "probabilities", "log-probabilities")
    assert set(by_logits) - set(by_plain) == {"energy"} == set(by_logits) - set(by_logs)
    assert by_logits["msp"]["auroc"] == pytest.approx(by_plain["msp"]["auroc"], abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["784", "28x28", "28x28x1", "1x28x28"])
def test_the_input_shape_is_found_out(shape, good, mnist5k):
    """A model that takes one shape only is asked with it; one that reads pixels is asked right."""
    wanted = tuple(map(int, shape.split("x")))

    def picky(images):
        if images.shape[1:] != wanted:
            raise ValueError(f"expected {wanted}")
        return good(images.reshape(len(images), 784))

    assert subject_of(picky, "picky", mnist5k).input_shape == shape


@pytest.mark.slow
def test_a_model_that_writes_to_its_input_harms_nothing(good, mnist5k):
    """Each call gets a copy of its own."""

    def rude(images):
        answers = good(images)
        images[:] = 0
        return answers

    names = ("repeatability", "order_invariance", "clean_accuracy")
    assert not failed(running.run(subject_of(rude, "rude", mnist5k), mnist5k, only=names))


@pytest.mark.slow
def test_exported_inputs_are_judged_as_the_model_itself(good, report, mnist5k, tmp_path):
    """What the README.txt says gives the same outcomes, but for what needs further calls."""
    exporting.export(mnist5k, tmp_path)
    code = [line[4:] for line in exporting.HOW_TO.splitlines() if line.startswith("    ")]
    text = "\n".join(code).replace('"inputs', f'r"{tmp_path}/inputs')
    exec(text.replace('"predictions', f'r"{tmp_path}/predictions'), {"predict": good})  # noqa: S102

    recorded = exporting.recorded(tmp_path / "predictions.npz", mnist5k)
    found = running.run(recorded, mnist5k)

    assert statuses(found) == statuses(report) | dict.fromkeys(LIVE_ONLY, spec.NOT_APPLICABLE)
    for ours, theirs in zip(found.outcomes, report.outcomes, strict=True):
        if ours.spec.name not in {*LIVE_ONLY, "ece_equal_width", "ece_equal_mass"}:
            # sums in batches of another size round in another way
            same = pytest.approx(numbers(theirs.figures), abs=2e-3)
            assert numbers(ours.figures) == same, ours.spec.name


def numbers(figures):
    """Every number among figures, in order."""
    if isinstance(figures, dict):
        return [each for value in figures.values() for each in numbers(value)]
    if isinstance(figures, list):
        return [each for value in figures for each in numbers(value)]
    return [float(figures)]


@pytest.mark.slow
def test_predictions_that_cannot_be_are_one_line(mnist5k, tmp_path):
    """Missing, of another length, of objects, too large, truncated, or no archive at all."""
    zeros = {name: np.zeros((len(made(name, mnist5k).images), 10)) for name in FAMILIES}
    bomb = np.lib.format.magic(1, 0) + b"\x76\x00"
    bomb += b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000, 99999999999), }".ljust(117)
    cases = [
        (
            {each: zeros[each] for each in zeros if each != "blank"},
            "no predictions for the set 'blank'",
        ),
        (
            dict(zeros, clean=np.zeros((7, 10))),
            r"clean has the shape \(7, 10\), expected \(1000",
        ),
        (dict(zeros, clean=np.zeros(1000)), r"clean has the shape \(1000,\)"),
        (dict(zeros, blank=np.full((1000, 10), None)), "blank.npy' holds pickled objects"),
        (dict(zeros, blank=np.zeros((1000, 11))), "different numbers of classes"),
        (
            dict(zeros, blank=np.zeros((1000, 900))),
            r"blank has the shape \(1000, 900\), expected \(1000",
        ),
    ]
    for arrays, line in cases:
        path = tmp_path / "predictions.npz"
        np.savez(path, **arrays)
        with pytest.raises(ModelError, match=line):
            exporting.recorded(path, mnist5k)
    import zipfile

    with zipfile.ZipFile(path, "w") as archive:
        for name in FAMILIES:
            archive.writestr(f"{name}.npy", bomb + b"\n")
    with pytest.raises(ModelError, match="claims a shape that its bytes do not fill"):
        exporting.recorded(path, mnist5k)
    for content in (b"", b"PK\x03\x04nothing", path.read_bytes()[:-30]):
        path.write_bytes(content)
        with pytest.raises(ModelError, match="expected what 'mnistrobust export-views' explains"):
            exporting.recorded(path, mnist5k)


@pytest.mark.slow
def test_the_report_is_json_and_markdown(report):
    """NaN-free JSON with every figure, and Markdown with every spec, bound and input."""
    found = json.loads(json.dumps(report.to_json(), allow_nan=False))
    text = showing.markdown(report, "mnistrobust check | tee")

    assert [each["name"] for each in found["specs"]] == list(running.SPECS)
    assert sum(found["counts"].values()) == len(running.SPECS)
    rows = {each["name"]: each for each in found["specs"]}
    assert sum(each["count"] for each in rows["ece_equal_mass"]["figures"]["reliability"]) == 1000
    for name in ("nll", "brier", "ece_equal_width", "ece_equal_mass"):
        low, high = rows[name]["figures"]["interval"]
        assert 0 <= low < high
    assert all(f"`{name}`" in text for name in (*running.SPECS, *FAMILIES))
    assert r"check \| tee" in text
    for name in ("uniform", "low_frequency"):
        assert f"| {name} | energy | " in text
