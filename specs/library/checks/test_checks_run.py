"""What the checks say of a good model, of broken ones, and of predictions made elsewhere."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from mnistrobust.checks import accuracy, check, predictions, report
from mnistrobust.checks.inputs import FAMILIES, OUTLIERS, inputs_named
from mnistrobust.checks.model import Model
from mnistrobust.checks.opening import open_model
from mnistrobust.checks.outputs import LOGITS, ModelError
from mnistrobust.checks.run import CHECKS, run, selected
from mnistrobust.checks.session import Session
from mnistrobust.conditions import condition_named
from mnistrobust.data import Dataset
from mnistrobust.errors import UsageError
from mnistrobust.transforms import NOISE_LABEL
from specs.helpers import digit_models

WEAK = {
    "threshold_accuracy": "not trained on black and white",
    "pure_noise_uncertainty": "never saw noise",
}
LIVE_ONLY = ("batch_invariance", "repeatability")
NOISE_CLASS = [name for name in CHECKS if name.startswith("noise_class")]


@pytest.fixture(scope="module")
def good(mnist5k):
    """A model that recognises 0.93 of the held-out digits, and knows how confident to be."""
    return digit_models.trained(mnist5k)


@pytest.fixture(scope="module")
def model(good, mnist5k):
    return open_model(good, mnist5k)


@pytest.fixture(scope="module")
def judged(model, mnist5k):
    """What all checks say of it."""
    return run(model, mnist5k)


def statuses(report):
    return {each.check.name: each.status for each in report.results}


def failed(report):
    return {each.check.name for each in report.results if each.status == check.FAILED}


def test_a_model_without_time_gets_one_line_about_it(good, mnist5k, capsys):
    """What each check advises is about figures; without predictions there are none."""

    def predict(images):
        if images.mean() > 0.3:  # no plain digits
            raise ModelError("m: it takes more than 1 s; allow more with --seconds")
        return good(images)

    model = Model(name="m", outputs=LOGITS, classes=10, predict=predict)
    names = ("clean_accuracy", "less_confident_on_uniform", "less_confident_on_low_frequency")
    report.print_report(run(model, mnist5k, only=(*names, "finite_output")))

    told = capsys.readouterr().out
    (line,) = (each for each in told.splitlines() if "allow more with --seconds" in each)
    assert line.startswith("3 failed without predictions: m: it takes more than 1 s; allow more")
    assert "Train with such images" not in told
    assert "--expect-failure" not in told


@pytest.mark.slow
def test_accuracy_on_a_perturbation_is_reported(good, model, mnist5k):
    """The whole dose is applied, all draws of shared noise count, and no dose fails a model."""
    doses = ("rotate:0", "rotate:90", "offset-noise:1")
    known = {dose: accuracy.under(condition_named(dose)) for dose in doses}
    results = run(model, mnist5k, known=known).results
    figures = {each.check.name: each.figures for each in results}
    turned = np.rot90(mnist5k.test_images.reshape(-1, 28, 28), axes=(1, 2)).reshape(-1, 784)
    right = good(turned).argmax(axis=1) == mnist5k.test_labels

    assert [each.status for each in results] == [check.REPORTED] * 3
    assert figures["rotate:0"]["accuracy"] == figures["rotate:0"]["clean"]
    assert figures["rotate:90"]["accuracy"] == pytest.approx(right[mnist5k.subset].mean(), abs=0.01)
    assert len(inputs_named("offset-noise:1", mnist5k).images) == 8 * len(mnist5k.subset)


def test_accuracy_on_a_perturbation_needs_the_model(mnist5k):
    """Predictions that were made elsewhere have none for it."""
    elsewhere = SimpleNamespace(predict=None)
    on = accuracy.under(condition_named("rotate:5"))

    assert on.run(Session(elsewhere, mnist5k)).status == check.NOT_APPLICABLE


def test_accuracy_on_a_perturbation_is_beside_that_on_the_same_digits(mnist5k):
    """Those of the fixed subset, where a set has more: here the only ones that are recognised."""
    labels = np.repeat(np.arange(10, dtype=np.uint8), 210)
    images = np.zeros((2100, 28, 28), np.uint8)
    images[:, 14, 14] = labels
    many = Dataset(mnist5k.source, {"x_test": images, "y_test": labels})
    images[many.subset, 14, 15] = 255

    def predict(given):
        seen = np.rint(given[:, 14 * 28 + 14] * 255).astype(int)
        return np.eye(10)[(seen + (given[:, 14 * 28 + 15] == 0)) % 10]

    model = Model(name="m", outputs=LOGITS, classes=10, predict=predict)
    found = accuracy.under(condition_named("rotate:0")).run(Session(model, many))

    assert found.status == check.REPORTED
    assert found.figures == {"accuracy": 1, "clean": 1}


def test_every_check_is_documented():
    """A check has a sentence, a kind of CheckList's, a reason, and a bound unless it only reports."""
    for name, each in CHECKS.items():
        assert (each.name, name.isidentifier()) == (name, True)
        assert each.kind in {check.MINIMUM, check.INVARIANCE, check.DIRECTION}, name
        assert each.statement[0].isupper(), name
        assert each.statement.endswith("."), name
        assert each.why, name
    assert {each.kind for each in CHECKS.values()} == {
        check.MINIMUM,
        check.INVARIANCE,
        check.DIRECTION,
    }
    unbound = {name for name, each in CHECKS.items() if each.bound is None}
    assert unbound == {
        "noise_class_beyond_training", "ece_equal_width", "ece_equal_mass",
        "offset_noise_accuracy", "inverted_accuracy", "less_confident_on_scaled",
        "less_confident_on_inverted",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"inverted_acuracy": "x"}, "Unknown check 'inverted_acuracy': did you mean 'inverted_"),
        ({"ece_equal_mass": "x"}, "ece_equal_mass is only reported: it cannot fail"),
        ({"nll": " "}, "nll: expected a reason"),
    ],
)
def test_a_wrong_expectation_is_an_error(given, line):
    """Of an unknown check, of one that cannot fail, and without a reason."""
    with pytest.raises(UsageError, match=line):
        selected((), given)
    with pytest.raises(UsageError, match="not among the checks that run"):
        selected(("brier",), {"nll": "x"})


@pytest.mark.slow
def test_inputs_are_the_same_in_every_run_and_of_their_family(mnist5k):
    """Each family is (n, 784) float32, drawn alike each time, and as its summary says."""
    sets = {name: inputs_named(name, mnist5k) for name in FAMILIES}
    for name, each in sets.items():
        again = inputs_named(name, mnist5k).images
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
def test_a_good_model_fails_only_what_it_never_learned(judged):
    """Everything else is passed, reported, or says nothing about it."""
    found = statuses(judged)

    assert failed(judged) == set(WEAK)
    assert {name for name, each in found.items() if each == check.NOT_APPLICABLE} == {
        "probabilities_sum_to_one",
        *NOISE_CLASS,
    }
    assert not judged.good


@pytest.mark.slow
@pytest.mark.parametrize("broken", digit_models.BREAKS, ids=lambda each: each.__name__)
def test_a_broken_model_fails_the_checks_of_its_break(broken, good, judged, mnist5k):
    """Checks that the good model passes name what was done to it."""
    names = digit_models.BREAKS[broken]
    found = run(open_model(broken(good), mnist5k, pixels=(0, 1)), mnist5k, only=names)

    assert failed(found) == set(names)
    assert not set(names) & failed(judged)
    assert all(each.reason for each in found.results)


@pytest.mark.slow
def test_infinity_fails_checks_and_warns_of_nothing(good, mnist5k):
    """What needs finite predictions says so; what is about a noise class says nothing."""

    def infinite(images):
        return np.where(good(images) > 5, np.inf, good(images))

    names = ["finite_output", "batch_invariance", "clean_accuracy", *NOISE_CLASS]
    found = run(open_model(infinite, mnist5k), mnist5k, only=names)

    assert statuses(found) == {
        **dict.fromkeys(names, check.FAILED),
        **dict.fromkeys(NOISE_CLASS, check.NOT_APPLICABLE),
    }
    assert all("finit" in each.reason for each in found.results if each.status == check.FAILED)


@pytest.mark.slow
def test_expected_failures_are_strict(model, mnist5k):
    """What fails as expected is good; what does not, or says nothing, is not."""
    expected = {"threshold_accuracy": "never trained", "nll": "?", "noise_class_keeps_digits": "?"}
    found = run(model, mnist5k, only=expected, expected=expected)

    assert statuses(found) == {
        "threshold_accuracy": check.EXPECTED,
        "noise_class_keeps_digits": check.UNEXPECTED,
        "nll": check.UNEXPECTED,
    }
    assert not found.good
    assert run(model, mnist5k, only=WEAK, expected=WEAK).good


@pytest.mark.slow
def test_a_noise_class_is_judged_by_what_it_swallows_and_catches(good, mnist5k):
    """An eleventh class that takes bright images: no digit, all uniform noise, no blank image."""

    def predict(images):
        alarm = 60 * (images.mean(axis=1, keepdims=True) - 0.4)
        return np.concatenate([good(images), np.maximum(good(images).max(), 0) + alarm], axis=1)

    model = open_model(predict, mnist5k)
    names = [*NOISE_CLASS, "pure_noise_uncertainty", "less_confident_on_uniform"]
    found = {each.check.name: each for each in run(model, mnist5k, only=names).results}

    assert model.has_noise_class
    assert {name: each.status for name, each in found.items()} == {
        **dict.fromkeys(names, check.PASSED),
        "noise_class_beyond_training": check.REPORTED,
    }
    caught = found["noise_class_beyond_training"].figures
    assert set(caught) == set(OUTLIERS) - {"uniform"}
    assert (caught["blank"], caught["scaled"]) == (0, 1)
    assert set(found["less_confident_on_uniform"].figures) == {
        "msp",
        "entropy",
        "energy",
        "noise_class",
    }

    def greedy(images):
        return np.eye(11)[np.full(len(images), NOISE_LABEL)]

    swallowed = run(open_model(greedy, mnist5k), mnist5k, only=["noise_class_keeps_digits"])
    assert failed(swallowed) == {"noise_class_keeps_digits"}


@pytest.mark.slow
def test_energy_needs_logits(good, mnist5k):
    """Probabilities and log-probabilities have lost it; MSP and entropy are the same."""

    def figures(predict):
        model = open_model(predict, mnist5k)
        found = run(model, mnist5k, only=["less_confident_on_uniform"]).results[0].figures
        return model.outputs, found

    logits, by_logits = figures(good)
    plain, by_plain = figures(lambda images: digit_models.softmax(good(images)))
    logs, by_logs = figures(lambda images: np.log(digit_models.softmax(good(images))))

    assert (logits, plain, logs) == ("logits", "probabilities", "log-probabilities")
    assert set(by_logits) - set(by_plain) == {"energy"} == set(by_logits) - set(by_logs)
    assert by_logits["msp"]["auroc"] == pytest.approx(by_plain["msp"]["auroc"], abs=1e-3)


@pytest.mark.slow
def test_a_model_that_writes_to_its_input_harms_nothing(good, mnist5k):
    """Each call gets a copy of its own."""

    def rude(images):
        outputs = good(images)
        images[:] = 0
        return outputs

    names = ("repeatability", "order_invariance", "clean_accuracy")
    assert not failed(run(open_model(rude, mnist5k), mnist5k, only=names))


def of_array(change):
    """A model of class 3, whose outputs are changed on their way."""

    def predict(images):
        return change(np.eye(10, dtype=np.float32)[np.full(len(images), 3)])

    return predict


def raising(error):
    def predict(_):
        raise error

    return predict


def test_an_interrupt_is_the_users(mnist5k):
    """Ctrl-C in a model's code ends the command, not the model."""
    with pytest.raises(KeyboardInterrupt):
        open_model(raising(KeyboardInterrupt()), mnist5k)


def test_a_loss_without_bound_is_json(mnist5k):
    """Logits of 1e308 give an infinite loss, which JSON does not know."""
    model = open_model(
        of_array(lambda outputs: 1.5e308 * (2.0 * outputs.astype(np.float64) - 1)),
        mnist5k,
    )
    found = run(model, mnist5k, only=["nll"]).to_json()

    assert json.loads(json.dumps(found, allow_nan=False))["checks"][0]["status"] == "failed"


def test_strict_arithmetic_of_the_users_is_not_ours(mnist5k):
    """A module that lets NumPy raise changes no check, nor does a model that does so."""

    def predict(images):
        np.seterr(all="raise")
        return np.eye(10)[np.full(len(images), 3)] * 1000.0

    with np.errstate(all="raise"):
        model = open_model(predict, mnist5k)
        found = run(model, mnist5k, only=["nll", "ece_equal_mass", "less_confident_on_blank"])
    assert [each.status for each in found.results] == ["failed", "failed", "reported"]
    assert np.geterr()["under"] == "ignore"


@pytest.mark.slow
def test_exported_inputs_are_judged_as_the_model_itself(good, judged, mnist5k, tmp_path):
    """What the README.txt says gives the same outcomes, but for what needs further calls."""
    predictions.export(mnist5k, tmp_path)
    code = [line[4:] for line in predictions.HOW_TO.splitlines() if line.startswith("    ")]
    text = "\n".join(code).replace('"inputs', f'r"{tmp_path}/inputs')
    exec(text.replace('"predictions', f'r"{tmp_path}/predictions'), {"predict": good})  # noqa: S102

    found = run(open_model(f"{tmp_path}/predictions.npz", mnist5k), mnist5k)

    assert statuses(found) == statuses(judged) | dict.fromkeys(LIVE_ONLY, check.NOT_APPLICABLE)
    for ours, theirs in zip(found.results, judged.results, strict=True):
        if ours.check.name not in {*LIVE_ONLY, "ece_equal_width", "ece_equal_mass"}:
            # sums in batches of another size round in another way
            same = pytest.approx(numbers(theirs.figures), abs=2e-3)
            assert numbers(ours.figures) == same, ours.check.name


def numbers(figures):
    """Every number among figures, in order."""
    if isinstance(figures, dict):
        return [each for value in figures.values() for each in numbers(value)]
    if isinstance(figures, list):
        return [each for value in figures for each in numbers(value)]
    return [float(figures)]


@pytest.mark.slow
def test_the_report_is_json_and_markdown(judged):
    """NaN-free JSON with every figure, and Markdown with every check, bound and input."""
    found = json.loads(json.dumps(judged.to_json(), allow_nan=False))
    text = report.markdown(judged, "mnistrobust check | tee")

    assert [each["name"] for each in found["checks"]] == list(CHECKS)
    assert sum(found["counts"].values()) == len(CHECKS)
    rows = {each["name"]: each for each in found["checks"]}
    assert sum(each["count"] for each in rows["ece_equal_mass"]["figures"]["reliability"]) == 1000
    for name in ("nll", "brier", "ece_equal_width", "ece_equal_mass"):
        low, high = rows[name]["figures"]["interval"]
        assert 0 <= low <= rows[name]["figures"]["value"] <= high
    assert all(f"`{name}`" in text for name in (*CHECKS, *FAMILIES))
    assert r"check \| tee" in text
    for name in ("uniform", "low_frequency"):
        assert f"| {name} | energy | " in text
