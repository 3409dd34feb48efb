"""What noise, inversion and small training sets do to the CNN."""

import pytest

from mnistrobust import words

control = pytest.mark.control


@control(cnn="ann")
def test_takes_three_dimensional_input(claim, world):
    """One image enters the CNN as an array of three dimensions."""
    shape = world.read("cnn", on="clean").input_shape

    claim.figures(dimensions=len(shape))
    claim.margin(words.dimensions(shape, expected=3))


@control(cnn="constant")
def test_learns_in_two_epochs(claim, world):
    """The CNN reaches high accuracy in two epochs."""
    clean = world.read("cnn", on="clean")

    claim.figures(accuracy=clean.accuracy, loss=clean.loss)
    claim.margin(words.high_accuracy(clean.accuracy))


def test_intelligence_at_1000_rows(claim, world):
    """The CNN's accuracy after 1,000 rows."""
    few = world.read("cnn_1000", on="clean")

    claim.figures(accuracy=few.accuracy)


@control(cnn="perfect")
def test_noisy_is_worse_than_ann(claim, world):
    """The CNN is worse than the ANN on offset noise."""
    cnn = world.read("cnn", on="offset-noise")
    ann = world.read("ann", on="offset-noise")

    claim.figures(accuracy=cnn.accuracy, loss=cnn.loss, ann=ann.accuracy)
    claim.draws(accuracy=cnn.draws, loss=[look.loss for look in cnn.singles])
    claim.margin(words.worse(cnn.accuracy, than=ann.accuracy))


@control(cnn="perfect")
def test_noisy_looks_like_one_and_seven(claim, world):
    """The CNN answers 1 or 7 to most offset noise."""
    noisy = world.read("cnn", on="offset-noise")

    claim.figures(ones=noisy.label_share(1), sevens=noisy.label_share(7))
    claim.margin(words.most(noisy.label_share(1) + noisy.label_share(7)))


@control(cnn="always-certain")
def test_is_unsure_about_pure_noise(claim, world):
    """The CNN is seldom sure of pure noise."""
    noise = world.read("cnn", on="pure-noise")

    claim.figures(sure=noise.sure)
    claim.draws(sure=[look.sure for look in noise.singles])
    claim.margin(words.not_confident(noise.sure))


@control(cnn="constant")
def test_handles_inversion(claim, world):
    """The CNN is much better on inverted digits than on offset noise."""
    inverted = world.read("cnn", on="inverted")
    noisy = world.read("cnn", on="offset-noise")

    claim.figures(inverted=inverted.accuracy, noisy=noisy.accuracy, inverted_loss=inverted.loss)
    claim.draws(noisy=noisy.draws)
    claim.margin(words.much_better(inverted.accuracy, than=noisy.accuracy))


@control(cnn="constant")
def test_handles_inversion_best(claim, world):
    """The CNN is much better on inverted digits than the ANN and the RNN."""
    cnn = world.read("cnn", on="inverted")
    ann = world.read("ann", on="inverted")
    rnn = world.read("rnn", on="inverted")

    claim.figures(cnn=cnn.accuracy, ann=ann.accuracy, rnn=rnn.accuracy)
    claim.margin(
        words.much_better(cnn.accuracy, than=ann.accuracy),
        words.much_better(cnn.accuracy, than=rnn.accuracy),
    )


@control(cnn_noisy="constant")
def test_noise_training_passes_ninety(claim, world):
    """Trained on offset noise, the CNN exceeds 90 % on clean digits and on offset noise."""
    clean = world.read("cnn_noisy", on="clean")
    noisy = world.read("cnn_noisy", on="offset-noise")

    claim.figures(clean=clean.accuracy, clean_loss=clean.loss, noisy=noisy.accuracy)
    claim.margin(words.good_job(clean.accuracy), words.good_job(noisy.accuracy))


@control(cnn_noisy="perfect")
def test_noise_training_hurts_inversion(claim, world):
    """Training on offset noise makes the CNN worse on inverted digits."""
    plain = world.read("cnn", on="inverted")
    noisy = world.read("cnn_noisy", on="inverted")

    claim.figures(
        accuracy_noisy=noisy.accuracy, accuracy_plain=plain.accuracy, loss_noisy=noisy.loss
    )
    claim.margin(words.worse(noisy.accuracy, than=plain.accuracy))
