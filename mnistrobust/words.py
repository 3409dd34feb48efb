"""What the document's words mean, as signed margins: above 0, the words hold.

The bounds were fixed from the document's own usage before anything was measured. Shares and
accuracies lie in [0, 1]. Each margin is also taken with the bound halved and doubled, as a
difference from 0, or from 1 for "every" and "almost entirely". The same holds, by an extension
of ours, for "high accuracy", "good job" and "does not do well": twice 0.95 bounds no accuracy.
"""

from dataclasses import dataclass

HIGH_ACCURACY = 0.95
GOOD_JOB = 0.90
BAD_JOB = 0.5
DOES_NOT_DO_WELL = 0.8
BETTER = 0.01
MUCH_BETTER = 0.10
AS_GOOD = 0.01
SIMILAR = 0.02
SIMILAR_AT_1000_ROWS = 0.03
MOST = 0.5
ALMOST_ENTIRELY = 0.9
EVERY = 0.99
HIGH_CONFIDENCE = 0.5
NOT_CONFIDENT = 0.25


@dataclass(frozen=True)
class Margin:
    """How far a value is on the right side of a bound; `word` names the bound.

    `halved` and `doubled` are the margins with half the bound and with twice the bound.
    """

    word: str
    value: float
    halved: float
    doubled: float

    def __float__(self) -> float:
        """Return the signed margin."""
        return self.value


def high_accuracy(accuracy: float) -> Margin:
    """Require an accuracy of at least 0.95."""
    return _above("high accuracy", accuracy, HIGH_ACCURACY, origin=1)


def good_job(accuracy: float) -> Margin:
    """Require an accuracy, or a share of right answers, of at least 0.90."""
    return _above("good job", accuracy, GOOD_JOB, origin=1)


def bad_job(accuracy: float) -> Margin:
    """Require an accuracy under 0.5; the document also says "does poorly"."""
    return _below("bad job", accuracy, BAD_JOB)


def does_not_do_well(accuracy: float) -> Margin:
    """Require an accuracy under 0.8."""
    return _below("does not do well", accuracy, DOES_NOT_DO_WELL, origin=1)


def better(value: float, *, than: float) -> Margin:
    """Require a value more than 0.01 above another."""
    return _above("better", value - than, BETTER)


def worse(value: float, *, than: float) -> Margin:
    """Require a value more than 0.01 below another; the document also says "fewer"."""
    return _above("worse", than - value, BETTER)


def not_better(value: float, *, than: float) -> Margin:
    """Require a value at most 0.01 above another."""
    return _below("not better", value - than, BETTER)


def much_better(value: float, *, than: float) -> Margin:
    """Require a value more than 0.10 above another."""
    return _above("much better", value - than, MUCH_BETTER)


def much_worse(value: float, *, than: float) -> Margin:
    """Require a value more than 0.10 below another."""
    return _above("much worse", than - value, MUCH_BETTER)


def as_good(value: float, *, as_: float) -> Margin:
    """Require a value at most 0.01 below another."""
    return _below("as good", as_ - value, AS_GOOD)


def similar(value: float, *, to: float) -> Margin:
    """Require a value within 0.02 of another."""
    return _below("similar", abs(value - to), SIMILAR)


def similar_at_1000_rows(value: float, *, to: float) -> Margin:
    """Require a value within 0.03 of another, where networks saw 1,000 rows."""
    return _below("similar at 1,000 rows", abs(value - to), SIMILAR_AT_1000_ROWS)


def follows(gap: float) -> Margin:
    """Require a distribution within 0.01 of another, at its largest gap."""
    return _below("follows", gap, AS_GOOD)


def most(share: float) -> Margin:
    """Require a share above 0.5."""
    return _above("most", share, MOST)


def almost_entirely(share: float) -> Margin:
    """Require a share of at least 0.9."""
    return _above("almost entirely", share, ALMOST_ENTIRELY, origin=1)


def every(share: float) -> Margin:
    """Require a share of at least 0.99."""
    return _above("every thing", share, EVERY, origin=1)


def high_confidence(sure: float) -> Margin:
    """Require that at least half of the images meant are answered with more than 0.9."""
    return _above("high confidence", sure, HIGH_CONFIDENCE)


def not_confident(sure: float) -> Margin:
    """Require that at most a quarter is answered with more than 0.9; also "a small number"."""
    return _below("not confident", sure, NOT_CONFIDENT)


def small_number(share: float) -> Margin:
    """Require a share of at most a quarter."""
    return _below("a small number", share, NOT_CONFIDENT)


def dimensions(shape: tuple[int, ...], *, expected: int) -> Margin:
    """Require an exact number of dimensions: a bound that has no half and no double."""
    margin = 0.5 - abs(len(shape) - expected)
    return Margin("dimensions", margin, margin, margin)


def _above(word: str, value: float, bound: float, *, origin: int = 0) -> Margin:
    """Require a value above a bound, which is a difference from `origin`."""
    halved, doubled = (origin + scale * (bound - origin) for scale in (0.5, 2))
    return Margin(word, value - bound, value - halved, value - doubled)


def _below(word: str, value: float, bound: float, *, origin: int = 0) -> Margin:
    """Require a value below a bound, which is a difference from `origin`."""
    halved, doubled = (origin + scale * (bound - origin) for scale in (0.5, 2))
    return Margin(word, bound - value, halved - value, doubled - value)
