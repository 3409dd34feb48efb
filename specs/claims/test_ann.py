"""What noise, thresholding, inversion and small training sets do to the ANN."""

import pytest

from mnistrobust import words

control = pytest.mark.control


@control(ann="constant")
def test_learns_standard_mnist(claim, world):
    """The ANN reaches high accuracy on held-out digits."""
    clean = world.read("ann", on="clean")

    claim.figures(accuracy=clean.accuracy, loss=clean.loss)
    claim.margin(words.high_accuracy(clean.accuracy))


@control(ann="constant")
def test_predictions_follow_labels(claim, world):
    """The ANN answers each digit about as often as it occurs."""
    clean = world.read("ann", on="clean")

    claim.figures(largest_gap=clean.label_gap)
    claim.margin(words.follows(clean.label_gap))


@control(ann="constant")
def test_intelligence_at_1000_rows(claim, world):
    """Learning from 1,000 rows makes the ANN worse."""
    everything = world.read("ann", on="clean")
    few = world.read("ann_1000", on="clean")

    claim.figures(rows_all=everything.accuracy, rows_1000=few.accuracy)
    claim.margin(words.worse(few.accuracy, than=everything.accuracy))


@control(ann_threshold_1000="perfect")
def test_thresholding_adds_no_intelligence(claim, world):
    """Thresholding 1,000 training images makes the ANN no better on either test set."""
    plain = world.read("ann_1000", on="clean")
    on_threshold = world.read("ann_threshold_1000", on="threshold")
    on_clean = world.read("ann_threshold_1000", on="clean")

    claim.figures(
        plain=plain.accuracy, on_threshold=on_threshold.accuracy, on_clean=on_clean.accuracy
    )
    claim.margin(
        words.not_better(on_threshold.accuracy, than=plain.accuracy),
        words.not_better(on_clean.accuracy, than=plain.accuracy),
    )


@control(ann="constant")
def test_offset_noise_hurts(claim, world):
    """Offset noise makes the ANN much worse."""
    clean = world.read("ann", on="clean")
    noisy = world.read("ann", on="offset-noise")

    claim.figures(clean=clean.accuracy, noisy=noisy.accuracy)
    claim.margin(words.much_worse(noisy.accuracy, than=clean.accuracy))


@control(ann_noisy="constant")
def test_noise_training_wins_on_noisy(claim, world):
    """Training on offset noise makes the ANN much better on unseen offset noise."""
    plain = world.read("ann", on="offset-noise")
    noisy = world.read("ann_noisy", on="offset-noise")

    claim.figures(plain=plain.accuracy, noisy=noisy.accuracy)
    claim.margin(words.much_better(noisy.accuracy, than=plain.accuracy))


@control(ann_noisy="constant")
def test_noise_training_keeps_clean_accuracy(claim, world):
    """Training on offset noise leaves the ANN as good on clean digits."""
    plain = world.read("ann", on="clean")
    noisy = world.read("ann_noisy", on="clean")

    claim.figures(plain=plain.accuracy, noisy=noisy.accuracy)
    claim.margin(words.as_good(noisy.accuracy, as_=plain.accuracy))


@control(ann_noisy="always-unsure")
def test_noise_training_raises_certainty_on_pure_noise(claim, world):
    """Training on offset noise makes the ANN sure of pure noise more often."""
    plain = world.read("ann", on="pure-noise")
    noisy = world.read("ann_noisy", on="pure-noise")

    claim.figures(sure_noisy=noisy.sure, sure_plain=plain.sure)
    claim.draws(
        sure_noisy=[look.sure for look in noisy.singles],
        sure_plain=[look.sure for look in plain.singles],
        confidence_noisy=noisy.single_confidences,
        confidence_plain=plain.single_confidences,
    )
    claim.margin(words.better(noisy.sure, than=plain.sure))


@control(ann="always-certain")
def test_is_unsure_about_pure_noise(claim, world):
    """The ANN is sure of only a small number of pure-noise images."""
    noise = world.read("ann", on="pure-noise")

    claim.figures(sure=noise.sure, mean_confidence=noise.mean_confidence)
    claim.draws(sure=[look.sure for look in noise.singles])
    claim.margin(words.not_confident(noise.sure))


@control(ann_noisy="always-certain")
def test_noise_training_is_less_sure_about_pure_noise(claim, world):
    """Training on offset noise makes the ANN sure of pure noise less often."""
    plain = world.read("ann", on="pure-noise")
    noisy = world.read("ann_noisy", on="pure-noise")

    claim.figures(sure_noisy=noisy.sure, sure_plain=plain.sure)
    claim.draws(
        sure_noisy=[look.sure for look in noisy.singles],
        sure_plain=[look.sure for look in plain.singles],
    )
    claim.margin(words.worse(noisy.sure, than=plain.sure))


@control(ann_plusnoisy="always-noise")
@control(ann_plusnoisy="constant")
def test_noise_class_catches_pure_noise(claim, world):
    """The noise class surely takes every pure-noise image, and leaves the digits alone."""
    noise = world.read("ann_plusnoisy", on="pure-noise")
    clean = world.read("ann_plusnoisy", on="clean")

    claim.figures(caught=noise.sure_share(10), digits_taken=clean.label_share(10))
    claim.draws(caught=[look.sure_share(10) for look in noise.singles])
    claim.margin(
        words.every(noise.sure_share(10)),
        words.small_number(clean.label_share(10)),
    )


@control(ann_noisy_plusnoise="always-noise")
@control(ann_noisy_plusnoise="constant")
def test_noisy_plus_noise_keeps_digits_and_noise(claim, world):
    """Trained on offset noise and a noise class, the ANN does well on digits and on noise."""
    clean = world.read("ann_noisy_plusnoise", on="clean")
    noise = world.read("ann_noisy_plusnoise", on="pure-noise")

    claim.figures(accuracy=clean.accuracy, caught=noise.label_share(10))
    claim.margin(words.good_job(clean.accuracy), words.good_job(noise.label_share(10)))


@control(ann_noisy_plusnoise="perfect")
def test_noisy_plus_noise_fails_on_noisy(claim, world):
    """Trained on offset noise and a noise class, the ANN does a bad job on offset noise."""
    noisy = world.read("ann_noisy_plusnoise", on="offset-noise")

    claim.figures(accuracy=noisy.accuracy, loss=noisy.loss)
    claim.draws(accuracy=noisy.draws, loss=[look.loss for look in noisy.singles])
    claim.margin(words.bad_job(noisy.accuracy))


@control(ann_noisy_plusnoise="perfect")
def test_noisy_plus_noise_answers_five(claim, world):
    """Trained on offset noise and a noise class, the ANN answers 5 to most offset noise."""
    noisy = world.read("ann_noisy_plusnoise", on="offset-noise")

    claim.figures(fives=noisy.label_share(5))
    claim.margin(words.most(noisy.label_share(5)))


@control(ann_noisy_plusnoise="always-unsure")
def test_noisy_plus_noise_is_sure_when_wrong(claim, world):
    """Trained on offset noise and a noise class, the ANN is sure where it is wrong."""
    noisy = world.read("ann_noisy_plusnoise", on="offset-noise")

    claim.figures(sure_when_wrong=noisy.sure_when_wrong)
    claim.margin(words.high_confidence(noisy.sure_when_wrong))


@control(ann_plusnoisy="always-noise")
@control(ann_plusnoisy="perfect")
def test_noise_class_swallows_inverted(claim, world):
    """The noise class surely takes every inverted digit, though it leaves plain ones alone."""
    inverted = world.read("ann_plusnoisy", on="inverted")
    clean = world.read("ann_plusnoisy", on="clean")

    claim.figures(taken=inverted.sure_share(10), digits_taken=clean.label_share(10))
    claim.margin(
        words.every(inverted.sure_share(10)),
        words.small_number(clean.label_share(10)),
    )


@control(ann="perfect")
@control(ann="always-unsure")
def test_inverted_looks_like_five(claim, world):
    """The ANN answers 5 to most inverted digits, and is mostly sure of it."""
    inverted = world.read("ann", on="inverted")

    claim.figures(fives=inverted.label_share(5), sure_fives=inverted.sure_among(5))
    claim.margin(
        words.most(inverted.label_share(5)),
        words.high_confidence(inverted.sure_among(5)),
    )
