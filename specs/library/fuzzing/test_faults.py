"""What a model does wrong besides predicting is found, with the smallest input that shows it."""

import base64
import re
import time
import zlib

import numpy as np
import pytest

from mnistrobust.fuzzing import outcomes, text
from mnistrobust.fuzzing.chain import perturb
from mnistrobust.fuzzing.counterexamples import (
    outcome,
    unpacked,
)
from mnistrobust.fuzzing.outcomes import NO_NUMBER, Subject
from specs.helpers.oracle import (
    READS,
    Oracle,
    lightest_seven,
    nan_where,
    searched,
)


def test_a_model_that_raises_is_a_finding(mnist5k, capsys):
    """The fault is told first, with its smallest input, and the search goes on around it."""
    oracle = Oracle(mnist5k, lightest_seven)

    def model(images):
        if (images.max(axis=1) == 0).any():
            raise ValueError("0 pixels with ink")
        outputs = oracle(images)
        outputs[(images.max(axis=1) < 0.5)] = np.nan
        return outputs

    found = searched(model, mnist5k)

    assert [each.words for each in found.weaknesses] == [
        "ink added everywhere between 0.2 and 0.38, only 7s, suddenly"
    ]
    empty, faint = found.faults
    assert empty.fault.startswith("model raised ValueError: 0 pixels with ink")
    assert (empty.chain, empty.index) == ((), None)
    assert not empty.image.any()
    assert (faint.fault, len(faint.chain)) == (NO_NUMBER, 1)
    after = perturb(faint.image[None] / 255, faint.chain, faint.draw)
    assert 0.48 < after.max() < 0.5
    text.print_findings(found)
    assert capsys.readouterr().out.startswith(f"fault: {empty.says}")


def test_a_fault_names_all_perturbations_that_lead_to_it(mnist5k, capsys):
    """The one that leads most digits to it comes first; chains count for none."""

    def faint(images, top):
        dark = images.max(axis=1)
        return (dark < np.where(top == 7, 0.85, 0.45)) & (dark > images.min(axis=1))

    model = nan_where(Oracle(mnist5k), faint)
    found = searched(model, mnist5k, 3000, ("brightness", "contrast", "shift"), 12)
    (fault,) = found.faults
    digits, sevens = (
        len(found.search.pool),
        int((found.search.labels[found.search.pool] == 7).sum()),
    )

    assert found.search.under(fault.fault) == {
        "lost contrast": digits, "ink taken off everywhere": sevens
    }  # fmt: skip
    assert found.to_json()["faults"][0]["under"] == found.search.under(fault.fault)
    text.print_findings(found)
    says = f"; digits that meet it: {digits} under lost contrast, {sevens} under ink taken off everywhere"
    assert says in capsys.readouterr().out


def test_a_fault_of_a_plain_image_is_looked_for_in_digits_too(mnist5k):
    """It is told with its smallest input, and with the perturbation that leads a digit to it."""
    model = nan_where(Oracle(mnist5k), lambda images, _: images.mean(axis=1) > 0.6)

    plain, changed = searched(model, mnist5k).faults

    assert (plain.chain, plain.image.min()) == ((), 255)
    assert (changed.chain[0].partition(":")[0], changed.label is None) == ("brightness", False)


class Clock:
    """Seconds that pass where a model sleeps, and never by chance."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture(params=["stand-in", pytest.param("time", marks=pytest.mark.slow)])
def clock(request, monkeypatch):
    """A stand-in for `time` in every run, the real one where slow specs run."""
    if request.param == "time":
        return time
    clock = Clock()
    monkeypatch.setattr(outcomes, "time", clock)
    return clock


@pytest.mark.parametrize(("nap", "told"), [(0.3, True), (0.03, True), (0.3, False)])
def test_an_image_that_makes_calls_far_slower_is_a_fault(mnist5k, monkeypatch, clock, nap, told):
    """It is told with the perturbation that leads to it; a call that is slow by chance is none.

    One image need not take as long as a batch of them.
    """
    monkeypatch.setattr(outcomes, "_LEAST", 0.06)
    oracle, naps = Oracle(mnist5k), iter([True])

    def model(images):
        dark = (images.mean(axis=1) > 0.6) & (images.min(axis=1) < 0.9)
        clock.sleep(0.001)
        if dark.any() and (told or next(naps, False)):
            clock.sleep(min(0.3, nap * dark.sum()))
        return oracle(images)

    found = searched(model, mnist5k, 300, over=("contrast", "brightness"), digits=8)

    slow = [each for each in found.faults if each.fault.startswith("takes ")]
    assert len(slow) == told, slow
    for each in slow:
        assert each.chain[0].startswith("brightness:")
        assert perturb(unpacked(each.case["image"]), each.chain, each.draw).mean() > 0.6
        taken, plain = map(int, re.findall(r"(\d+) ms", each.fault))
        if clock is not time:
            assert (taken, plain) == (1000 * nap + 1, 1)


def test_a_larger_batch_is_not_slow_for_taking_longer(mnist5k, monkeypatch, clock):
    """Each image takes 2 ms: no call is made again to look for a slow one."""
    monkeypatch.setattr(outcomes, "_LEAST", 0.01)
    oracle, sizes = Oracle(mnist5k), []

    def model(images):
        sizes.append(len(images))
        clock.sleep(0.002 * len(images))
        return oracle(images)

    subject = Subject(model, mnist5k, **READS)
    sizes.clear()
    for size in (10, 10, 10, 10, 100, 1):
        subject.outcomes(mnist5k.test_images[:size])
    assert sizes == [10, 10, 10, 10, 100, 1]


def test_a_digit_that_shows_a_fault_as_it_is_needs_no_perturbation(mnist5k):
    """Nor is it perturbed, so that the fault is told once."""
    found = searched(nan_where(Oracle(mnist5k), lambda _, top: top == 7), mnist5k)

    (fault,) = found.faults
    assert (fault.chain, fault.label) == ((), 7)
    assert f"fault: {fault.says}" in found.tests


def test_a_case_is_replayed_with_its_draw(mnist5k):
    """The model gets the image that the search gave it; a fault in place of a prediction holds."""
    seen = []

    def model(images):
        seen.append(images)
        return np.full((len(images), 10), np.nan if images.mean() > 0.2 else 0.1)

    subject, image = Subject(model, mnist5k, **READS), mnist5k.test_images[:1]
    packed = base64.b85encode(
        zlib.compress(np.rint(255 * image).astype(np.uint8).tobytes())
    ).decode()
    top, says, holds = outcome(
        subject, image=packed, chain=["offset-noise:0.5"], draw=3, expected=7
    )

    assert np.allclose(seen[-1], perturb(image, ("offset-noise:0.5",), 3), atol=1e-6)
    assert (top, says, holds) == (-1, NO_NUMBER, True)


def test_a_batch_may_be_at_fault_where_no_image_is(mnist5k):
    """The images are predicted in smaller ones; the size of those that fail last is told."""
    oracle, most = Oracle(mnist5k), [300]

    def model(images):
        if len(images) > most[-1]:
            raise MemoryError("too large")
        return oracle(images)

    subject, images = Subject(model, mnist5k, **READS), mnist5k.test_images[:12]
    most.append(5)
    found = subject.outcomes(images)

    assert found.top.tolist() == mnist5k.test_labels[:12].tolist()
    ((fault, size),) = subject.together.items()
    assert fault.startswith("model raised MemoryError: too large")
    assert size == 6
    assert (subject.gave_up, subject.deadly) == (False, set())


def test_a_model_that_ends_is_opened_again_until_it_ends_too_often(mnist5k):
    """What comes before the image that ends it is predicted, and what comes after it is not asked."""
    oracle, ended = Oracle(mnist5k), []

    def model(images):
        if ended.pop() if ended else False:
            raise ValueError("it is gone")
        if (images.max(axis=1) == 0).any():
            ended.append(True)
            raise ValueError("it ends")
        return oracle(images)

    subject = Subject(model, mnist5k, **READS)
    images = np.concatenate([mnist5k.test_images[:3], np.zeros((1, 784)), mnist5k.test_images[:2]])
    opened, tops, gave_up = [], [], []
    for _ in range(8):
        opened.append(subject.model)
        tops.append(subject.outcomes(images).top.tolist())
        gave_up.append(subject.gave_up)

    labels = mnist5k.test_labels[:3].tolist()
    assert tops == [[*labels, -1, -1, -1]] * 8
    assert gave_up == [False] * 6 + [True] * 2
    assert len({*map(id, opened)}) == 8, "it is opened again"
    assert {kind.partition(" (")[0] for kind in subject.deadly} == {
        "model raised ValueError: it ends"
    }


@pytest.mark.parametrize(("ink", "perturbed"), [(-1, ()), (0.2, ("brightness",))])
def test_a_model_that_is_not_deterministic_is_a_finding(ink, perturbed, mnist5k):
    """Two predictions of one image differ, at once or when it is perturbed."""
    oracle, rng = Oracle(mnist5k), np.random.default_rng(0)

    def model(images):
        some = (images.min(axis=1) > ink) * rng.random(len(images))
        return oracle(images) - 0.1 * some[:, None] * np.eye(10)[oracle(images).argmax(axis=1)]

    found = searched(model, mnist5k, 700 if perturbed else 1)
    fault, *others = found.faults

    assert {each.fault for each in others} == set() if perturbed else {fault.fault}
    assert fault.fault == "predicts another probability when the same image comes again"
    assert f"fault: {fault.says}" not in found.tests, "it would pass by chance"
    assert tuple(step.partition(":")[0] for step in fault.chain) == perturbed
    under = found.search.under(fault.fault)
    assert [*under] == ["ink added everywhere"]
    assert all(digits > 10 for digits in under.values())
    assert perturb(fault.image[None] / 255, fault.chain, fault.draw).min() > ink


def test_a_model_that_differs_in_batches_alone_is_told_so(mnist5k):
    """One image that comes again has one probability."""
    oracle, rng = Oracle(mnist5k), np.random.default_rng(0)

    def model(images):
        doubt = 0.2 * rng.random() * (len(images) > 1)
        return (1 - doubt) * oracle(images) + doubt / 10

    told = {fault.fault for fault in searched(model, mnist5k, 1).faults}

    assert told == {"predicts another probability when the same batch comes again"}
