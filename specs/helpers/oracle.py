"""A digit classifier without a fault but for those that are planted, and a search of it."""

import numpy as np

from mnistrobust.fuzzing.findings import findings_of
from mnistrobust.fuzzing.outcomes import Subject
from mnistrobust.fuzzing.search import Search
from mnistrobust.fuzzing.targets import OUTLIER
from mnistrobust.perturbations import PERTURBATIONS

READS = {"input_shape": "784", "pixels": (0, 1), "outputs": "probabilities"}
TONE = ("brightness", "contrast")  # no tone hides a digit from the oracle


def fading(right, loss):
    """Return probabilities that pass to the next digit while `loss` grows from 0 to 1."""
    loss = np.clip(loss, 0, 1)[:, None]
    return (1 - loss) * right + loss * np.roll(right, 1, axis=1)


class Oracle:
    """A model that recognises 100 held-out digits in any tone, but for its blind spots."""

    def __init__(self, dataset, *blind):
        self.known = self.centred(dataset.test_images[:100]).T
        self.labels = dataset.test_labels[:100]
        self.blind = blind

    @staticmethod
    def centred(images):
        images = images - images.mean(axis=1, keepdims=True)
        return images / np.maximum(np.linalg.norm(images, axis=1, keepdims=True), 1e-9)

    def __call__(self, images):
        top = self.labels[(self.centred(images) @ self.known).argmax(axis=1)]
        for spot in self.blind:
            top = np.where(spot(images, top), (top + 1) % 10, top)
        return 0.98 * np.eye(10)[top] + 0.002


def lightest_seven(images, top):
    return (top == 7) & (images.min(axis=1) > 0.2) & (images.min(axis=1) < 0.35)


def grey(images, _):
    """What neither more ink nor less contrast makes alone."""
    return (images.min(axis=1) > 0.25) & (images.max(axis=1) < 0.75)


def searched(model, dataset, candidates=700, over=TONE, digits=30, **options):
    subject = Subject(model, dataset, **READS)
    over = [PERTURBATIONS[name] for name in over]
    indexes = range(digits) if isinstance(digits, int) else digits
    search = Search(subject, dataset, over=over, indexes=indexes, **options)
    search.run(lambda: search.candidates >= candidates)
    return findings_of(search)


def nan_where(oracle, fails):
    """A model that returns NaN for some images."""

    def model(images):
        outputs = oracle(images)
        outputs[fails(images, outputs.argmax(axis=1))] = np.nan
        return outputs

    return model


def digits_fade(dataset):
    """A model that sees ever less in pale digits, and some 7s as 8s; what is plain, it cannot read."""
    oracle = Oracle(dataset, lightest_seven)

    def model(images):
        inked, dark = (images > 0).sum(axis=1), images.max(axis=1)
        for what, meets in {
            "no ink": inked == 0,
            "a dot": inked == 1,
            "grey": (images.min(axis=1) == dark) & (dark > 0.4) & (dark < 0.6),
        }.items():
            if meets.any():
                raise ValueError(what)
        right = oracle(images)
        top = right.argmax(axis=1)
        early = np.array([0.75, 8, 7, 0.75, 6, *[0.75] * 5])[top]
        outputs = fading(right, early * (1 - dark))
        outputs[(dark < 0.1) | (top == 3)] = np.nan
        return outputs

    return searched(model, dataset, 1200, digits=range(27, 9, -1))


def outliers_are_digits(dataset):
    """A model for which light noise is a 3, and some other noise no number."""

    def model(images):
        light = (images.min(axis=1) > 0.25).astype(float)[:, None]
        outputs = light * (0.96875 * np.eye(10)[[3]] + 0.003125) + (1 - light) * 0.1
        outputs[np.isclose(images[:, 0], 51 / 255, atol=1e-3) & (images.max(axis=1) > 0.25)] = (
            np.nan
        )
        return outputs

    return searched(model, dataset, 3500, ("brightness",), direction=OUTLIER)
