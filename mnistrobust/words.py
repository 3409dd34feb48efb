"""The document's words as bounds. A word gives a signed margin; above 0, the word holds.

The bounds were fixed from the document's own usage before anything was measured. Shares and
accuracies lie in [0, 1]. Each margin is also computed with half the bound and with twice the bound.
Most bounds are halved and doubled as distances from 0; those of "every", "almost entirely", "high
accuracy", "good job" and "does not do well" as distances from 1, since no accuracy exceeds 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

SHARE = "share"  # a scale: a share of images, in [0, 1]
LOSS = "loss"  # a scale: above 0, without an upper limit
PLAIN = "plain"  # a scale: every other value, such as a difference of shares
ABOVE, BELOW = 1, -1

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
class Quantity:
    """What a figure measures: its scale, and whether higher is better (1), worse (-1) or neither (0)."""

    scale: str
    better: int


QUANTITIES: Mapping[str, Quantity] = MappingProxyType(
    {
        "accuracy": Quantity(SHARE, 1),
        "loss": Quantity(LOSS, -1),
        # a share that a perfect model keeps low, such as confident predictions for noise
        "error": Quantity(SHARE, -1),
        "count": Quantity(PLAIN, 0),
    }
)


@dataclass(frozen=True)
class Word:
    """A word of the document as a bound; called with a value, it gives the margin."""

    name: str
    side: int  # of the bound, on which the value must lie
    bound: float
    phrase: str  # with the bound's place in it
    scale: str = PLAIN  # of the value
    origin: float = 0  # from which half and twice the bound are counted

    @property
    def meaning(self) -> str:
        """The bound as a phrase."""
        return self.phrase.format(self.bound)

    def __call__(self, value: float) -> "Margin":
        """Return how far the value lies on the word's side of the bound."""
        halved, doubled = (self.origin + n * (self.bound - self.origin) for n in (0.5, 2))
        margin, half, double = (
            self.side * (value - each) for each in (self.bound, halved, doubled)
        )
        return Margin(self, margin, half, double)


@dataclass(frozen=True)
class Margin:
    """How far a value is on the right side of the bound of a word."""

    word: Word
    value: float
    halved: float  # the margin with half the bound
    doubled: float  # the margin with twice the bound

    def __float__(self) -> float:
        """Return the signed margin."""
        return self.value


high_accuracy = Word("high accuracy", ABOVE, HIGH_ACCURACY, "at least {:g}", SHARE, origin=1)
good_job = Word("good job", ABOVE, GOOD_JOB, "at least {:g}", SHARE, origin=1)
bad_job = Word("bad job", BELOW, BAD_JOB, "less than {:g}", SHARE)  # also "does poorly"
does_not_do_well = Word(
    "does not do well", BELOW, DOES_NOT_DO_WELL, "less than {:g}", SHARE, origin=1
)
follows = Word("follows", BELOW, AS_GOOD, "no gap above {:g}", SHARE)
most = Word("most", ABOVE, MOST, "a share above {:g}", SHARE)
almost_entirely = Word(
    "almost entirely", ABOVE, ALMOST_ENTIRELY, "a share of at least {:g}", SHARE, origin=1
)
every = Word("every", ABOVE, EVERY, "a share of at least {:g}", SHARE, origin=1)
high_confidence = Word(
    "high confidence", ABOVE, HIGH_CONFIDENCE, "confident for a share of at least {:g}", SHARE
)
not_confident = Word(
    "not confident", BELOW, NOT_CONFIDENT, "confident for a share of at most {:g}", SHARE
)
small_number = Word("small number", BELOW, NOT_CONFIDENT, "a share of at most {:g}", SHARE)

_better = Word("better", ABOVE, BETTER, "more than {:g} above")
_worse = Word("worse", ABOVE, BETTER, "more than {:g} below")
_not_better = Word("not better", BELOW, BETTER, "at most {:g} above")
_much_better = Word("much better", ABOVE, MUCH_BETTER, "more than {:g} above")
_much_worse = Word("much worse", ABOVE, MUCH_BETTER, "more than {:g} below")
_as_good = Word("as good", BELOW, AS_GOOD, "at most {:g} below")
_similar = Word("similar", BELOW, SIMILAR, "within ±{:g}")
_similar_at_1000_rows = Word("similar at 1000 rows", BELOW, SIMILAR_AT_1000_ROWS, "within ±{:g}")
# halved and doubled from the bound itself: it stays, since a number of dimensions has no half
_dimensions = Word("dimensions", BELOW, 0.5, "exactly as many", origin=0.5)

WORDS: Mapping[str, Word] = MappingProxyType(
    {each.name: each for each in tuple(globals().values()) if isinstance(each, Word)}
)


def better(value: float, *, than: float) -> Margin:
    """Require a value more than 0.01 above another."""
    return _better(value - than)


def worse(value: float, *, than: float) -> Margin:
    """Require a value more than 0.01 below another; the document also says "fewer"."""
    return _worse(than - value)


def not_better(value: float, *, than: float) -> Margin:
    """Require a value at most 0.01 above another."""
    return _not_better(value - than)


def much_better(value: float, *, than: float) -> Margin:
    """Require a value more than 0.10 above another."""
    return _much_better(value - than)


def much_worse(value: float, *, than: float) -> Margin:
    """Require a value more than 0.10 below another."""
    return _much_worse(than - value)


def as_good(value: float, *, as_: float) -> Margin:
    """Require a value at most 0.01 below another."""
    return _as_good(as_ - value)


def similar(value: float, *, to: float) -> Margin:
    """Require a value within 0.02 of another."""
    return _similar(abs(value - to))


def similar_at_1000_rows(value: float, *, to: float) -> Margin:
    """Require a value within 0.03 of another, where networks were trained on 1,000 images."""
    return _similar_at_1000_rows(abs(value - to))


def dimensions(shape: tuple[int, ...], *, expected: int) -> Margin:
    """Require an exact number of dimensions."""
    return _dimensions(abs(len(shape) - expected))
