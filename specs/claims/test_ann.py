"""What noise, thresholding, inversion and small training sets do to the ANN."""

import pytest

from mnistrobust import words

control = pytest.mark.control


@control(ann="constant")
def test_learns_standard_mnist(claim, evaluate):
    clean = evaluate("ann", on="clean")

    claim.figures(accuracy=clean.accuracy, loss=clean.loss)
    claim.margin(words.high_accuracy(clean.accuracy))


@control(ann="constant")
def test_predictions_follow_labels(claim, evaluate):
    clean = evaluate("ann", on="clean")

    claim.figures(largest_gap=clean.label_gap)
    claim.margin(words.follows(clean.label_gap))


@control(ann="constant")
def test_intelligence_at_1000_rows(claim, evaluate):
    everything = evaluate("ann", on="clean")
    few = evaluate("ann_1000", on="clean")

    claim.figures(rows_all=everything.accuracy, rows_1000=few.accuracy)
    claim.margin(words.worse(few.accuracy, than=everything.accuracy))


@control(ann_threshold_1000="perfect")
def test_thresholding_adds_no_intelligence(claim, evaluate):
    plain = evaluate("ann_1000", on="clean")
    on_threshold = evaluate("ann_threshold_1000", on="threshold")
    on_clean = evaluate("ann_threshold_1000", on="clean")

    claim.figures(
        plain=plain.accuracy, on_threshold=on_threshold.accuracy, on_clean=on_clean.accuracy
    )
    claim.margin(
        words.not_better(on_threshold.accuracy, than=plain.accuracy),
        words.not_better(on_clean.accuracy, than=plain.accuracy),
    )


@control(ann="constant")
def test_offset_noise_hurts(claim, evaluate):
    clean = evaluate("ann", on="clean")
    noisy = evaluate("ann", on="offset-noise")

    claim.figures(clean=clean.accuracy, noisy=noisy.accuracy)
    claim.margin(words.much_worse(noisy.accuracy, than=clean.accuracy))


@control(ann_noisy="constant")
def test_noise_training_wins_on_noisy(claim, evaluate):
    plain = evaluate("ann", on="offset-noise")
    noisy = evaluate("ann_noisy", on="offset-noise")

    claim.figures(plain=plain.accuracy, noisy=noisy.accuracy)
    claim.margin(words.much_better(noisy.accuracy, than=plain.accuracy))


@control(ann_noisy="constant")
def test_noise_training_keeps_clean_accuracy(claim, evaluate):
    plain = evaluate("ann", on="clean")
    noisy = evaluate("ann_noisy", on="clean")

    claim.figures(plain=plain.accuracy, noisy=noisy.accuracy)
    claim.margin(words.as_good(noisy.accuracy, as_=plain.accuracy))


@control(ann_noisy="always-unsure")
def test_noise_training_raises_confidence_on_pure_noise(claim, evaluate):
    plain = evaluate("ann", on="pure-noise")
    noisy = evaluate("ann_noisy", on="pure-noise")

    claim.figures(confident_noisy=noisy.confident, confident_plain=plain.confident)
    claim.draws(
        confident_noisy=[draw.confident for draw in noisy.singles],
        confident_plain=[draw.confident for draw in plain.singles],
        confidence_noisy=noisy.single_confidences,
        confidence_plain=plain.single_confidences,
    )
    claim.margin(words.better(noisy.confident, than=plain.confident))


@control(ann="always-certain")
def test_is_not_confident_on_pure_noise(claim, evaluate):
    noise = evaluate("ann", on="pure-noise")

    claim.figures(confident=noise.confident, mean_confidence=noise.mean_confidence)
    claim.draws(confident=[draw.confident for draw in noise.singles])
    claim.margin(words.not_confident(noise.confident))


@control(ann_noisy="always-certain")
def test_noise_training_lowers_confidence_on_pure_noise(claim, evaluate):
    plain = evaluate("ann", on="pure-noise")
    noisy = evaluate("ann_noisy", on="pure-noise")

    claim.figures(confident_noisy=noisy.confident, confident_plain=plain.confident)
    claim.draws(
        confident_noisy=[draw.confident for draw in noisy.singles],
        confident_plain=[draw.confident for draw in plain.singles],
    )
    claim.margin(words.worse(noisy.confident, than=plain.confident))


@control(ann_plusnoisy="always-noise")
@control(ann_plusnoisy="constant")
def test_noise_class_catches_pure_noise(claim, evaluate):
    noise = evaluate("ann_plusnoisy", on="pure-noise")
    clean = evaluate("ann_plusnoisy", on="clean")

    claim.figures(caught=noise.confident_share(10), digits_predicted_noise=clean.label_share(10))
    claim.draws(caught=[draw.confident_share(10) for draw in noise.singles])
    claim.margin(
        words.every(noise.confident_share(10)),
        words.small_number(clean.label_share(10)),
    )


@control(ann_noisy_plusnoise="always-noise")
@control(ann_noisy_plusnoise="constant")
def test_noisy_plus_noise_keeps_digits_and_noise(claim, evaluate):
    clean = evaluate("ann_noisy_plusnoise", on="clean")
    noise = evaluate("ann_noisy_plusnoise", on="pure-noise")

    claim.figures(accuracy=clean.accuracy, caught=noise.label_share(10))
    claim.margin(words.good_job(clean.accuracy), words.good_job(noise.label_share(10)))


@control(ann_noisy_plusnoise="perfect")
def test_noisy_plus_noise_fails_on_noisy(claim, evaluate):
    noisy = evaluate("ann_noisy_plusnoise", on="offset-noise")

    claim.figures(accuracy=noisy.accuracy, loss=noisy.loss)
    claim.draws(accuracy=noisy.draws, loss=[draw.loss for draw in noisy.singles])
    claim.margin(words.bad_job(noisy.accuracy))


@control(ann_noisy_plusnoise="perfect")
def test_noisy_plus_noise_predicts_five(claim, evaluate):
    noisy = evaluate("ann_noisy_plusnoise", on="offset-noise")

    claim.figures(fives=noisy.label_share(5))
    claim.margin(words.most(noisy.label_share(5)))


@control(ann_noisy_plusnoise="always-unsure")
def test_noisy_plus_noise_is_confident_when_wrong(claim, evaluate):
    noisy = evaluate("ann_noisy_plusnoise", on="offset-noise")

    claim.figures(confident_when_wrong=noisy.confident_when_wrong)
    claim.margin(words.high_confidence(noisy.confident_when_wrong))


@control(ann_plusnoisy="always-noise")
@control(ann_plusnoisy="perfect")
def test_noise_class_swallows_inverted(claim, evaluate):
    inverted = evaluate("ann_plusnoisy", on="inverted")
    clean = evaluate("ann_plusnoisy", on="clean")

    claim.figures(
        predicted_noise=inverted.confident_share(10), digits_predicted_noise=clean.label_share(10)
    )
    claim.margin(
        words.every(inverted.confident_share(10)),
        words.small_number(clean.label_share(10)),
    )


@control(ann="perfect")
@control(ann="always-unsure")
def test_predicts_five_on_inverted(claim, evaluate):
    inverted = evaluate("ann", on="inverted")

    claim.figures(fives=inverted.label_share(5), confident_fives=inverted.confident_among(5))
    claim.margin(
        words.most(inverted.label_share(5)),
        words.high_confidence(inverted.confident_among(5)),
    )
