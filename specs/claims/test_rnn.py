"""What noise, inversion and small training sets do to the RNN."""

import pytest

from mnistrobust import words

control = pytest.mark.control


@control(rnn="constant")
def test_matches_ann_accuracy(claim, world):
    """The RNN reaches high accuracy, similar to the ANN's."""
    rnn = world.read("rnn", on="clean")
    ann = world.read("ann", on="clean")
    curve = world.history("rnn")["val_accuracy"]

    claim.figures(rnn=rnn.accuracy, ann=ann.accuracy)
    claim.draws(
        accuracy_epoch_1=curve[:1], accuracy_epoch_6=curve[5:6], accuracy_epoch_7=curve[6:7]
    )
    claim.margin(words.high_accuracy(rnn.accuracy), words.similar(rnn.accuracy, to=ann.accuracy))


@control(rnn="perfect")
def test_noisy_is_worse_than_ann(claim, world):
    """The RNN is worse than the ANN on offset noise."""
    rnn = world.read("rnn", on="offset-noise")
    ann = world.read("ann", on="offset-noise")

    claim.figures(accuracy=rnn.accuracy, loss=rnn.loss, ann=ann.accuracy)
    claim.draws(accuracy=rnn.draws, loss=[look.loss for look in rnn.singles])
    claim.margin(words.worse(rnn.accuracy, than=ann.accuracy))


def test_sure_share_on_pure_noise(claim, world):
    """The share of pure noise that the RNN is sure of."""
    noise = world.read("rnn", on="pure-noise")

    claim.figures(sure=noise.sure)
    claim.draws(sure=[look.sure for look in noise.singles])


@control(rnn="always-certain")
def test_sees_zero_in_pure_noise(claim, world):
    """The RNN answers almost all pure noise with 0."""
    noise = world.read("rnn", on="pure-noise")

    claim.figures(zeros=noise.label_share(0))
    claim.margin(words.almost_entirely(noise.label_share(0)))


@control(rnn_noisy="perfect")
def test_noise_training_ruins_clean(claim, world):
    """Training on offset noise leaves the RNN not doing well on clean digits."""
    clean = world.read("rnn_noisy", on="clean")

    claim.figures(accuracy=clean.accuracy, loss=clean.loss)
    claim.margin(words.does_not_do_well(clean.accuracy))


@control(rnn_noisy="perfect")
def test_noise_training_collapses_to_two_digits(claim, world):
    """Trained on offset noise, the RNN gives most clean digits one of two answers."""
    clean = world.read("rnn_noisy", on="clean")

    claim.figures(top_two=clean.top_labels_share(2))
    claim.margin(words.most(clean.top_labels_share(2)))


@control(rnn_noisy="always-certain")
def test_noise_training_is_unsure_about_pure_noise(claim, world):
    """Trained on offset noise, the RNN is seldom sure of pure noise."""
    noise = world.read("rnn_noisy", on="pure-noise")

    claim.figures(sure=noise.sure)
    claim.draws(sure=[look.sure for look in noise.singles])
    claim.margin(words.not_confident(noise.sure))


@control(rnn_noisy="perfect")
def test_noise_training_fails_on_inverted(claim, world):
    """Trained on offset noise, the RNN does poorly on inverted digits."""
    inverted = world.read("rnn_noisy", on="inverted")

    claim.figures(accuracy=inverted.accuracy, loss=inverted.loss)
    claim.margin(words.bad_job(inverted.accuracy))


@control(rnn_1000="constant")
def test_intelligence_is_comparable(claim, world):
    """After 1,000 rows, the RNN's accuracy is comparable to the ANN's."""
    rnn = world.read("rnn_1000", on="clean")
    ann = world.read("ann_1000", on="clean")

    claim.figures(rnn=rnn.accuracy, ann=ann.accuracy)
    claim.margin(words.similar_at_1000_rows(rnn.accuracy, to=ann.accuracy))


@control(rnn_threshold_1000="constant")
def test_threshold_intelligence_is_similar(claim, world):
    """After 1,000 rows, thresholding leaves the RNN's accuracy similar."""
    threshold = world.read("rnn_threshold_1000", on="threshold")
    plain = world.read("rnn_1000", on="clean")

    claim.figures(threshold=threshold.accuracy, plain=plain.accuracy)
    claim.margin(words.similar_at_1000_rows(threshold.accuracy, to=plain.accuracy))
