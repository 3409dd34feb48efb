"""What the document's words mean, as signed margins: above 0, the words hold.

The bounds were fixed from the document's own usage before anything was measured. Shares and
accuracies lie in [0, 1].
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
    """How far a value is on the right side of a bound; `word` names the bound."""

    word: str
    value: float

    def __float__(self) -> float:
        """Return the signed margin."""
        return self.value


def high_accuracy(accuracy: float) -> Margin:
    """Require an accuracy of at least 0.95."""
    return Margin("high accuracy", accuracy - HIGH_ACCURACY)


def good_job(accuracy: float) -> Margin:
    """Require an accuracy, or a share of right answers, of at least 0.90."""
    return Margin("good job", accuracy - GOOD_JOB)


def bad_job(accuracy: float) -> Margin:
    """Require an accuracy under 0.5; the document also says "does poorly"."""
    return Margin("bad job", BAD_JOB - accuracy)


def does_not_do_well(accuracy: float) -> Margin:
    """Require an accuracy under 0.8."""
    return Margin("does not do well", DOES_NOT_DO_WELL - accuracy)


def better(value: float, *, than: float) -> Margin:
    """Require a value more than 0.01 above another."""
    return Margin("better", value - than - BETTER)


def worse(value: float, *, than: float) -> Margin:
    """Require a value more than 0.01 below another; the document also says "fewer"."""
    return Margin("worse", than - value - BETTER)


def not_better(value: float, *, than: float) -> Margin:
    """Require a value at most 0.01 above another."""
    return Margin("not better", BETTER - (value - than))


def much_better(value: float, *, than: float) -> Margin:
    """Require a value more than 0.10 above another."""
    return Margin("much better", value - than - MUCH_BETTER)


def much_worse(value: float, *, than: float) -> Margin:
    """Require a value more than 0.10 below another."""
    return Margin("much worse", than - value - MUCH_BETTER)


def as_good(value: float, *, as_: float) -> Margin:
    """Require a value at most 0.01 below another."""
    return Margin("as good", AS_GOOD - (as_ - value))


def similar(value: float, *, to: float) -> Margin:
    """Require a value within 0.02 of another."""
    return Margin("similar", SIMILAR - abs(value - to))


def similar_at_1000_rows(value: float, *, to: float) -> Margin:
    """Require a value within 0.03 of another, where networks saw 1,000 rows."""
    return Margin("similar at 1,000 rows", SIMILAR_AT_1000_ROWS - abs(value - to))


def follows(gap: float) -> Margin:
    """Require a distribution within 0.01 of another, at its largest gap."""
    return Margin("follows", AS_GOOD - gap)


def most(share: float) -> Margin:
    """Require a share above 0.5."""
    return Margin("most", share - MOST)


def almost_entirely(share: float) -> Margin:
    """Require a share of at least 0.9."""
    return Margin("almost entirely", share - ALMOST_ENTIRELY)


def every(share: float) -> Margin:
    """Require a share of at least 0.99."""
    return Margin("every thing", share - EVERY)


def high_confidence(sure: float) -> Margin:
    """Require that at least half of the images meant are answered with more than 0.9."""
    return Margin("high confidence", sure - HIGH_CONFIDENCE)


def not_confident(sure: float) -> Margin:
    """Require that at most a quarter is answered with more than 0.9; also "a small number"."""
    return Margin("not confident", NOT_CONFIDENT - sure)


def small_number(share: float) -> Margin:
    """Require a share of at most a quarter."""
    return Margin("a small number", NOT_CONFIDENT - share)


def dimensions(shape: tuple[int, ...], *, expected: int) -> Margin:
    """Require an exact number of dimensions."""
    return Margin("dimensions", 0.5 - abs(len(shape) - expected))
