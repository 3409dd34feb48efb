"""What noise, inversion and small training sets do to the CNN."""

import pytest

from mnistrobust import words

control = pytest.mark.control


@control(cnn="ann")
def test_takes_three_dimensional_input(claim, evaluate):
    shape = evaluate("cnn", on="clean").input_shape

    claim.figures(dimensions=len(shape))
    claim.margin(words.dimensions(shape, expected=3))


@control(cnn="constant")
def test_learns_in_two_epochs(claim, evaluate):
    clean = evaluate("cnn", on="clean")

    claim.figures(accuracy=clean.accuracy, loss=clean.loss)
    claim.margin(words.high_accuracy(clean.accuracy))


def test_intelligence_at_1000_rows(claim, evaluate):
    few = evaluate("cnn_1000", on="clean")

    claim.figures(accuracy=few.accuracy)


@control(cnn="perfect")
def test_noisy_is_worse_than_ann(claim, evaluate):
    cnn = evaluate("cnn", on="offset-noise")
    ann = evaluate("ann", on="offset-noise")

    claim.figures(accuracy=cnn.accuracy, loss=cnn.loss, ann=ann.accuracy)
    claim.draws(accuracy=cnn.draws, loss=[draw.loss for draw in cnn.singles])
    claim.margin(words.worse(cnn.accuracy, than=ann.accuracy))


@control(cnn="perfect")
def test_predicts_one_or_seven_on_noisy(claim, evaluate):
    noisy = evaluate("cnn", on="offset-noise")

    claim.figures(ones=noisy.label_share(1), sevens=noisy.label_share(7))
    claim.margin(words.most(noisy.label_share(1) + noisy.label_share(7)))


@control(cnn="always-certain")
def test_is_not_confident_on_pure_noise(claim, evaluate):
    noise = evaluate("cnn", on="pure-noise")

    claim.figures(confident=noise.confident)
    claim.draws(confident=[draw.confident for draw in noise.singles])
    claim.margin(words.not_confident(noise.confident))


@control(cnn="constant")
def test_handles_inversion(claim, evaluate):
    inverted = evaluate("cnn", on="inverted")
    noisy = evaluate("cnn", on="offset-noise")

    claim.figures(inverted=inverted.accuracy, noisy=noisy.accuracy, inverted_loss=inverted.loss)
    claim.draws(noisy=noisy.draws)
    claim.margin(words.much_better(inverted.accuracy, than=noisy.accuracy))


@control(cnn="constant")
def test_handles_inversion_best(claim, evaluate):
    cnn = evaluate("cnn", on="inverted")
    ann = evaluate("ann", on="inverted")
    rnn = evaluate("rnn", on="inverted")

    claim.figures(cnn=cnn.accuracy, ann=ann.accuracy, rnn=rnn.accuracy)
    claim.margin(
        words.much_better(cnn.accuracy, than=ann.accuracy),
        words.much_better(cnn.accuracy, than=rnn.accuracy),
    )


@control(cnn_noisy="constant")
def test_noise_training_passes_ninety(claim, evaluate):
    clean = evaluate("cnn_noisy", on="clean")
    noisy = evaluate("cnn_noisy", on="offset-noise")

    claim.figures(clean=clean.accuracy, clean_loss=clean.loss, noisy=noisy.accuracy)
    claim.margin(words.good_job(clean.accuracy), words.good_job(noisy.accuracy))


@control(cnn_noisy="perfect")
def test_noise_training_hurts_inversion(claim, evaluate):
    plain = evaluate("cnn", on="inverted")
    noisy = evaluate("cnn_noisy", on="inverted")

    claim.figures(
        accuracy_noisy=noisy.accuracy, accuracy_plain=plain.accuracy, loss_noisy=noisy.loss
    )
    claim.margin(words.worse(noisy.accuracy, than=plain.accuracy))
