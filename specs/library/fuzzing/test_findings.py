"""What a search found is told in words: ranked, each with a counterexample that can be replayed."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure

from mnistrobust.fuzzing import findings as findings_module
from mnistrobust.fuzzing import text
from mnistrobust.fuzzing.cases import Case
from mnistrobust.fuzzing.chain import perturb
from mnistrobust.fuzzing.counterexamples import NO_DIGIT, Counterexample, outcome, replay
from mnistrobust.fuzzing.findings import ranked
from mnistrobust.fuzzing.outcomes import Subject
from specs.helpers.digit_models import dense
from specs.helpers.oracle import READS, Oracle, fading, lightest_seven, searched


def test_what_is_sudden_comes_first_then_what_breaks_most(mnist5k):
    """A prediction that fades with the image ranks behind one that jumps, however many it breaks."""
    oracle = Oracle(mnist5k, lightest_seven)

    def model(images):
        return fading(oracle(images), 3 * (1 - images.max(axis=1)))

    sudden, fades = searched(model, mnist5k).weaknesses

    assert sudden.words == "ink added everywhere between 0.2 and 0.38, only 7s, suddenly"
    assert fades.words == "ink taken off everywhere beyond 0.16"
    assert fades.score > sudden.score
    assert fades.tried == sum(each["tried"] for each in fades.by_digit.values())


def test_what_breaks_at_all_counts_what_breaks_suddenly(mnist5k):
    """7s jump first, 4s jump late, and all others fade: the second row has all of them."""
    oracle, jump = Oracle(mnist5k), np.array([9, 9, 9, 9, 0.4, 9, 9, 0.05, 9, 9])

    def model(images):
        right, light = oracle(images), images.min(axis=1)
        at = jump[right.argmax(axis=1)]
        return fading(right, np.where(at < 1, light > at, 4 * (light - 0.3)))

    sudden, every = searched(model, mnist5k, 1, over=("brightness",)).weaknesses

    assert sudden.words == "ink added everywhere beyond 0.05, above all 7s, suddenly"
    assert every.words == "ink added everywhere beyond 0.05"
    assert (sudden.broken, every.broken, every.tried) == (2, 20, 20)
    assert every.by_digit[4]["smallest"] == pytest.approx(0.4, rel=0.02)
    assert every.counterexample.label not in {4, 7}


def test_the_order_of_weaknesses_is_by_length_by_share_then_by_score(findings):
    """A chain that is sudden for a few digits only is not exceptional; a second way comes late.

    What one perturbation breaks comes before what two do, but for a rare case.
    """
    expected = [
        replace(findings.weaknesses[0], words=words, sudden=sudden, tried=20, broken=broken,
                score=score, perturbations=tuple(chain.split()))
        for words, sudden, broken, score, chain in (
            ("for all", True, 20, 0.1, "blur"),
            ("for a quarter, alone", True, 5, 0.1, "thin"),
            ("for nearly all, a pair", True, 18, 0.1, "blur scale"),
            ("for half, a pair", True, 10, 0.1, "blur shift"),
            ("for hardly any, alone", True, 4, 0.9, "gamma"),
            ("one way", False, 20, 0.9, "shift"),
            ("less", False, 20, 0.7, "bar"),
            ("for some, a pair", True, 9, 0.2, "thin shift"),
            ("another way", False, 20, 0.8, "shift"),
        )
    ]  # fmt: skip

    assert ranked([*reversed(expected), expected[3]]) == tuple(expected)


def test_five_chains_are_told_of_those_that_are_not_sudden(findings):
    """The worst; of single perturbations, all are."""
    (one,) = findings.weaknesses
    singles, chains = (
        [
            replace(one, words=f"{chain} {n}", perturbations=chain, sudden=False, score=n / 10)
            for n in range(9)
        ]
        for chain in (("blur",), ("blur", "thin"))
    )

    told = ranked([*singles, *chains])
    assert {each.words for each in told} == {each.words for each in (*singles, *chains[4:])}


def test_what_breaks_in_a_batch_alone_is_no_weakness(mnist5k):
    """A counterexample is predicted alone."""
    right, wrong = Oracle(mnist5k), Oracle(mnist5k, lightest_seven)

    found = searched(lambda images: (wrong if len(images) > 1 else right)(images), mnist5k)

    assert found.search.trials[0,].breaks
    assert found.weaknesses == ()


def test_the_smallest_dose_of_a_digit_is_that_of_its_first(mnist5k):
    """Of 7s, one breaks from 0.1 and the others from 0.3 on."""
    oracle = Oracle(mnist5k)
    early = np.flatnonzero(mnist5k.test_labels[:100] == 7)[:1]

    def model(images):
        at = (oracle.centred(images) @ oracle.known).argmax(axis=1)
        bound = np.where(np.isin(at, early), 0.1, 0.3)
        bad = (oracle.labels[at] == 7) & (images.min(axis=1) > bound)
        return 0.98 * np.eye(10)[np.where(bad, 1, oracle.labels[at])] + 0.002

    found = searched(model, mnist5k, over=("brightness",)).weaknesses[0]

    assert 0.1 < found.by_digit[7]["smallest"] < 0.102
    assert found.words.startswith("ink added everywhere beyond 0.1, only 7s")


@pytest.mark.parametrize(
    ("bounds", "named"),
    [
        (dict.fromkeys(range(10), 0.4) | {4: 0.02}, "4s"),
        ({4: 0.02, 5: 0.3}, "4s"),
        ({4: 0.02, 5: 0.03, 6: 0.05}, "4s and 5s"),
    ],
    ids=["all", "two", "three"],
)
def test_digits_that_break_before_all_others_are_named_so(bounds, named, mnist5k):
    """They are not the only ones: at most two are named, none that is half as weak as the first."""
    bound = np.array([bounds.get(digit, 9) for digit in range(10)])
    early = Oracle(mnist5k, lambda images, top: images.min(axis=1) > bound[top])
    found = searched(early, mnist5k, over=("brightness",), digits=60).weaknesses[0]

    assert found.words == f"ink added everywhere beyond 0.02, above all {named}, suddenly"
    for digit, each in found.by_digit.items():
        smallest = bounds.get(digit)
        assert each["smallest"] == (smallest and pytest.approx(smallest, rel=0.02))


def few_levels(images, _):
    return np.array([len(np.unique(each)) <= 4 for each in images])


class Smooth(Oracle):
    """A model that misreads what has no grey, the more surely the less there is."""

    steepness = 100

    def __call__(self, images):
        right = super().__call__(images)
        grey = (images * (1 - images)).sum(axis=1) / images.sum(axis=1)
        return fading(right, 1 / (1 + np.exp(np.minimum(self.steepness * (grey - 0.05), 50))))


class Steep(Smooth):
    """A model that does so far more steeply, and not at once."""

    steepness = 600


@pytest.mark.parametrize(
    ("broken", "sudden"),
    [(Smooth, False), (Steep, False), (lambda dataset: Oracle(dataset, few_levels), True)],
)
def test_an_image_that_jumps_itself_makes_no_sudden_weakness(broken, sudden, mnist5k):
    """Grey levels vanish at once; a blind spot is met between two blends that hardly differ."""
    found = searched(broken(mnist5k), mnist5k, over=("quantise",)).weaknesses[0]

    assert (found.broken / found.tried > 0.9, found.sudden) == (True, sudden)


def test_the_picture_says_how_many_weaknesses_it_leaves_out(findings):
    """One of one is drawn, with a digit and what becomes of it."""
    figure = text.picture(findings)

    assert figure.get_suptitle() == "1 of 1 weaknesses, the worst first"
    before, after = (ax.get_title() for ax in figure.axes[1:3])
    assert before.startswith("label 7\nread as 7")
    assert after.startswith("brightness 0.2")


def test_no_perturbation_of_a_counterexample_breaks_it_alone(mnist5k):
    """A dose at which fewer perturbations do it is not shown, however clear it is."""
    oracle = Oracle(mnist5k)

    def model(images):
        light, right = images.min(axis=1), oracle(images).argmax(axis=1)
        wrong = (light > 0.4) | ((light > 0.35) & (images.max(axis=1) < 0.9))
        sure = np.where(wrong, 0.2 + 0.5 * light, 0.98)[:, None]
        return sure * np.eye(10)[np.where(wrong, (right + 1) % 10, right)] + (1 - sure) / 10

    search = searched(model, mnist5k, 1).search
    lighter, paler = search.halves[0], search.halves[2]
    case = Case(place=0, halves=(lighter, paler), shares=(0.38 / lighter.most, 0.3 / paler.most))
    example = findings_module._example(search, [case])

    assert [top == example.expected for top, _ in example.steps] == [True, True, False]


def test_what_is_nearly_certain_is_not_told_as_certain():
    """In words, in a replay and below a picture: only certainty is 100%."""
    example = Counterexample(
        image=np.zeros(784, np.uint8), index=0, label=7, expected=7, steps=((7, 0.996), (3, 0.9996))
    )
    assert example.says == "7 (99.6%) becomes 3 (99.96%)"
    outlier = replace(example, expected=NO_DIGIT, chain=("invert:0",))
    assert outlier.says == "an outlier is 3 (99.96%) after invert:0 and 7 (99.6%) before"
    predicted = SimpleNamespace(top=np.array([3]), fault=np.array([""]), confidence=[0.996])
    model = SimpleNamespace(outcomes=lambda _: predicted)
    assert outcome(model, **example.case)[1] == "3 (99.6%)"
    ax = Figure().subplots()
    text._draw([ax], replace(example, steps=example.steps[:1]))
    assert ax.get_title() == "label 7\nread as 7, 99.6%"


def test_names_of_tests_are_ascii(findings):
    """Pytest would show a sign of degrees as an escape."""
    turned = replace(findings.weaknesses[0], words="rotation to the left beyond 12°, für ½ digits")

    names = [*replace(findings, weaknesses=(turned,)).tests]
    assert names == ["1: rotation to the left beyond 12 degrees, f?r ? digits"]


def test_what_is_told_of_a_few_digits_says_so(findings, capsys):
    """All of these break, not all digits."""
    text.print_findings(findings)

    told = capsys.readouterr().out
    assert "100% of these" in " ".join(told.split())
    digits = len(findings.search.tried)
    assert f"weaknesses 1, faults 0; {digits} digits predicted confidently and rightly" in told


def test_a_counterexample_holds_until_the_model_is_repaired(findings, mnist5k):
    """`replay` fails on the broken model, with what it predicts, and passes on a repaired one."""
    broken, repaired = (
        Subject(Oracle(mnist5k, *blind), mnist5k, **READS) for blind in ((lightest_seven,), ())
    )
    (found,) = findings.weaknesses

    with pytest.raises(
        AssertionError, match=r"predicts 8 \(98%\) after brightness:0.2\d*; expected 7"
    ):
        replay(broken, **found.counterexample.case)
    assert replay(repaired, **found.counterexample.case) == 7


@pytest.mark.parametrize(
    "case", json.loads(Path(__file__).with_name("counterexamples.json").read_text())
)
def test_trained_networks_still_have_their_counterexamples(case, rehearsal, mnist5k):
    """What broke the networks of six seeds of `ann_1000` breaks this one as well."""
    predict, image = dense(rehearsal), mnist5k.test_images[[case["index"]]]
    changed = perturb(image, tuple(case["chain"]), case["draw"])

    assert predict(image).argmax() == case["expected"]
    assert predict(changed).argmax() != case["expected"]
