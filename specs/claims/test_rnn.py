"""What noise, inversion and small training sets do to the RNN."""

import pytest

from mnistrobust import words

control = pytest.mark.control


@control(rnn="constant")
def test_matches_ann_accuracy(claim, evaluate, history):
    rnn = evaluate("rnn", on="clean")
    ann = evaluate("ann", on="clean")
    curve = history("rnn")["val_accuracy"]

    claim.figures(rnn=rnn.accuracy, ann=ann.accuracy)
    claim.draws(
        accuracy_epoch_1=curve[:1], accuracy_epoch_6=curve[5:6], accuracy_epoch_7=curve[6:7]
    )
    claim.margin(words.high_accuracy(rnn.accuracy), words.similar(rnn.accuracy, to=ann.accuracy))


@control(rnn="perfect")
def test_noisy_is_worse_than_ann(claim, evaluate):
    rnn = evaluate("rnn", on="offset-noise")
    ann = evaluate("ann", on="offset-noise")

    claim.figures(accuracy=rnn.accuracy, loss=rnn.loss, ann=ann.accuracy)
    claim.draws(accuracy=rnn.draws, loss=[draw.loss for draw in rnn.singles])
    claim.margin(words.worse(rnn.accuracy, than=ann.accuracy))


def test_confident_share_on_pure_noise(claim, evaluate):
    noise = evaluate("rnn", on="pure-noise")

    claim.figures(confident=noise.confident)
    claim.draws(confident=[draw.confident for draw in noise.singles])


@control(rnn="always-certain")
def test_sees_zero_in_pure_noise(claim, evaluate):
    noise = evaluate("rnn", on="pure-noise")

    claim.figures(zeros=noise.label_share(0))
    claim.margin(words.almost_entirely(noise.label_share(0)))


@control(rnn_noisy="perfect")
def test_noise_training_ruins_clean(claim, evaluate):
    clean = evaluate("rnn_noisy", on="clean")

    claim.figures(accuracy=clean.accuracy, loss=clean.loss)
    claim.margin(words.does_not_do_well(clean.accuracy))


@control(rnn_noisy="perfect")
def test_noise_training_collapses_to_two_digits(claim, evaluate):
    clean = evaluate("rnn_noisy", on="clean")

    claim.figures(top_two=clean.top_labels_share(2))
    claim.margin(words.most(clean.top_labels_share(2)))


@control(rnn_noisy="always-certain")
def test_noise_training_is_not_confident_on_pure_noise(claim, evaluate):
    noise = evaluate("rnn_noisy", on="pure-noise")

    claim.figures(confident=noise.confident)
    claim.draws(confident=[draw.confident for draw in noise.singles])
    claim.margin(words.not_confident(noise.confident))


@control(rnn_noisy="perfect")
def test_noise_training_fails_on_inverted(claim, evaluate):
    inverted = evaluate("rnn_noisy", on="inverted")

    claim.figures(accuracy=inverted.accuracy, loss=inverted.loss)
    claim.margin(words.bad_job(inverted.accuracy))


@control(rnn_1000="constant")
def test_intelligence_is_comparable(claim, evaluate):
    rnn = evaluate("rnn_1000", on="clean")
    ann = evaluate("ann_1000", on="clean")

    claim.figures(rnn=rnn.accuracy, ann=ann.accuracy)
    claim.margin(words.similar_at_1000_rows(rnn.accuracy, to=ann.accuracy))


@control(rnn_threshold_1000="constant")
def test_threshold_intelligence_is_similar(claim, evaluate):
    threshold = evaluate("rnn_threshold_1000", on="threshold")
    plain = evaluate("rnn_1000", on="clean")

    claim.figures(threshold=threshold.accuracy, plain=plain.accuracy)
    claim.margin(words.similar_at_1000_rows(threshold.accuracy, to=plain.accuracy))
