"""Whether a model is better or worse than another: a row for each figure, and one verdict."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from mnistrobust.checks.inputs import inputs_named
from mnistrobust.checks.metrics import BINS, bins_of
from mnistrobust.comparison.paired import LEVEL, Paired, holm, paired
from mnistrobust.comparison.replays import Replay
from mnistrobust.comparison.sides import DIGITS, NO_DIGITS, SCALE, Side
from mnistrobust.data import Dataset
from mnistrobust.errors import UsageError, unknown
from mnistrobust.perturbations import dosed

BETTER, WORSE, SAME = "better", "worse", "no difference seen"
ACCURACY, RECALL, CONFIDENCE = "accuracy", "recall", "confidence"
LOSS, CALIBRATION = "nll", "calibration"
MAIN = (
    0.5  # the share of the level that accuracy on clean digits has; the other rows share the rest
)
# of each figure: whether more is better, and the change that is none, since numbers are rounded
FIGURES: Mapping[str, tuple[bool, float]] = {
    ACCURACY: (True, 0.0),
    RECALL: (True, 0.0),
    LOSS: (False, 0.001),
    CALIBRATION: (False, 0.001),
    CONFIDENCE: (False, 0.001),
}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One figure of both sides on one set of images, or on a digit of the clean ones, and what became of it.

    `figure` is a name of FIGURES, `on` a set of images, or a digit of the clean ones. `old` and `new`
    are means over images and networks. `p` is adjusted for all rows. `smallest` is the smallest
    difference that would have been seen with 80% power. `enough_seeds` is how many would see this one,
    where too few leave it unseen though it is hardly chance in this row alone.
    """

    figure: str
    on: str
    old: float
    new: float
    paired: Paired
    p: float = 1.0
    smallest: float = 0.0
    enough_seeds: int | None = None

    @property
    def verdict(self) -> str:
        """Whether the new side is better, worse, or no difference is seen."""
        if self.p > LEVEL:
            return SAME
        return BETTER if (self.paired.difference > 0) == self.higher_is_better else WORSE

    @property
    def higher_is_better(self) -> bool:
        """Whether more of the figure is better."""
        return FIGURES[self.figure][0]

    @property
    def name(self) -> str:
        """The figure and where it was measured, in words."""
        if self.figure == RECALL:
            return f"recall of {self.on}"
        return f"{self.figure} on {self.on}"

    def to_json(self) -> dict[str, Any]:
        """Return the row as JSON values."""
        fields = {name: value for name, value in asdict(self).items() if name != "paired"}
        interval = {
            "difference": self.paired.difference,
            "interval": [self.paired.low, self.paired.high],
        }
        counts = {"lost": self.paired.lost, "gained": self.paired.gained}
        return fields | interval | counts | {"unadjusted_p": self.paired.p, "verdict": self.verdict}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two sides on the same images: all rows, and the images that changed."""

    old: Side
    new: Side
    dataset: Dataset
    rows: tuple[Row, ...]
    replays: tuple[Replay, ...] = ()  # of counterexamples

    @property
    def identical(self) -> bool:
        """Whether both sides predict the same, with the same confidence."""
        old, new = self.old.sets, self.new.sets
        return all(
            np.array_equal(getattr(old[name], part), getattr(new[name], part))
            for name in old.keys() & new.keys()
            for part in ("prediction", "confidence")
        )

    @property
    def verdict(self) -> str:
        """Worse if any row is; else better if any row is; else no difference was seen."""
        verdicts = {row.verdict for row in self.rows}
        return next((word for word in (WORSE, BETTER) if word in verdicts), SAME)

    def of(self, verdict: str) -> list[Row]:
        """Return the rows of a verdict: by figure, clean digits first, then by significance."""
        rows = [row for row in self.rows if row.verdict == verdict]
        return sorted(rows, key=_order)

    def to_json(self) -> dict[str, Any]:
        """Return the comparison as JSON values."""
        facts = ("name", "seeds", "made", "versions")
        sides = {
            name: {fact: getattr(side, fact) for fact in facts}
            for name, side in (("old", self.old), ("new", self.new))
        }
        return {
            "schema": 1,
            "verdict": self.verdict,
            **sides,
            "dataset": self.dataset.source.to_json(),
            "level": LEVEL,
            "rows": [row.to_json() for row in self.rows],
            "counterexamples": [asdict(each) for each in self.replays],
            "flipped": {name: self.flipped(name) for name in DIGITS if not self.old.seeds},
        }

    def flipped(self, name: str) -> dict[str, list[int]]:
        """Return the positions of the images of a set that are lost and gained, of given networks."""
        before, after = (_right(side, name, self.dataset)[0] > 0.5 for side in (self.old, self.new))
        sides = {"lost": before & ~after, "gained": after & ~before}
        return {word: np.flatnonzero(mask).tolist() for word, mask in sides.items()}


def _order(row: Row) -> tuple[int, bool, float]:
    return [*FIGURES].index(row.figure), row.on != "clean", row.paired.p


def compare(
    old: Side, new: Side, dataset: Dataset, *, tolerance: Mapping[str, float] | None = None
) -> Comparison:
    """Compare two sides on the same images.

    `tolerance` has, by figure, the change that counts as none. Raises UsageError for an unknown figure, or
    sides of different seeds or numbers of images.
    """
    for figure in tolerance or ():
        if figure not in FIGURES:
            raise unknown("figure", figure, FIGURES)
    if old.seeds != new.seeds:
        raise UsageError(
            f"{old.name} has {_seeds(old)}, {new.name} {_seeds(new)}: compare the same seeds, with --seeds."
        )
    for name in [each for each in old.sets if each in new.sets]:
        sizes = {side.sets[name].prediction.shape[1] for side in (old, new)}
        sizes |= set() if name in NO_DIGITS else {len(labels_of(name, dataset))}
        if len(sizes) > 1:
            raise UsageError(
                f"{name}: predictions of {' and '.join(f'{n:,}' for n in sorted(sizes))} images; save "
                f"the baseline again."
            )
    least = {
        name: max(none, (tolerance or {}).get(name, 0.0)) for name, (_, none) in FIGURES.items()
    }
    rows = []
    perturbed = [name for name in old.sets if ":" in name and name in new.sets]
    both = (_scores(side, dataset, perturbed) for side in (old, new))
    for (figure, on, before), (_, _, after) in zip(*both, strict=True):
        means = float(before.mean()), float(after.mean())
        higher, _ = FIGURES[figure]
        difference = paired(before, after, least[figure], higher_is_better=higher)
        rows.append(Row(figure=figure, on=on, old=means[0], new=means[1], paired=difference))
    shares = [
        MAIN if row.name == "accuracy on clean" else (1 - MAIN) / (len(rows) - 1) for row in rows
    ]
    adjusted = holm([row.paired.p for row in rows], shares)
    done = []
    for row, p, share in zip(rows, adjusted, shares, strict=True):
        of_row = share, least[row.figure]
        doubtful = old.seeds and row.paired.p <= LEVEL < p
        enough = row.paired.enough(len(old.seeds), *of_row) if doubtful else None
        done.append(replace(row, p=p, smallest=row.paired.smallest(*of_row), enough_seeds=enough))
    return Comparison(old=old, new=new, dataset=dataset, rows=tuple(done))


def _seeds(side: Side) -> str:
    return f"the seeds {', '.join(map(str, side.seeds))}" if side.seeds else "no seeds"


def _scores(
    side: Side, dataset: Dataset, perturbed: Iterable[str]
) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield each figure, where it is measured, and a side's scores (networks, n)."""
    for name in (*DIGITS, *perturbed):
        yield ACCURACY, name, _right(side, name, dataset)
    right = _right(side, "clean", dataset)
    for digit in range(10):
        yield RECALL, str(digit), right[:, dataset.test_labels == digit]
    for name in DIGITS:
        yield LOSS, name, _per_image(side.sets[name].loss.astype(np.float64), dataset)
    for name in DIGITS:
        yield CALIBRATION, name, _gaps(side, name, dataset)
    for name in NO_DIGITS:
        yield CONFIDENCE, name, side.sets[name].confidence / SCALE


def draws_of(predicted: int, dataset: Dataset) -> int:
    """Return how often a condition draws each image, given how many images are predicted."""
    return 1 if predicted == len(dataset.test_labels) else predicted // len(dataset.subset)


def _per_image(scores: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Average the draws of a condition: (networks, draws · n) becomes (networks, n)."""
    networks, predicted = scores.shape
    draws = draws_of(predicted, dataset)
    return np.asarray(scores.reshape(networks, draws, -1).mean(axis=1)) if draws > 1 else scores


def _right(side: Side, name: str, dataset: Dataset) -> np.ndarray:
    return _per_image(_each_right(side, name, dataset), dataset)


def _each_right(side: Side, name: str, dataset: Dataset) -> np.ndarray:
    return np.asarray(side.sets[name].prediction == labels_of(name, dataset))


def _gaps(side: Side, name: str, dataset: Dataset) -> np.ndarray:
    """Return scores (networks, n) whose mean is the calibration error.

    A score is the confidence, less 1 where right, times the sign of its bin's sum of these.
    """
    confidence = side.sets[name].confidence / SCALE
    gaps = confidence - _each_right(side, name, dataset)
    bins = bins_of(confidence)
    signs = [
        np.sign(np.bincount(index, gap, BINS))[index] for gap, index in zip(gaps, bins, strict=True)
    ]
    return _per_image(gaps * np.stack(signs), dataset)


@cache
def labels_of(name: str, dataset: Dataset) -> np.ndarray:
    """Return the labels (n,) of a set of digits."""
    if ":" in name and not dosed(name)[0].shared:
        return np.asarray(dataset.test_labels[dataset.subset])
    labels = inputs_named(name, dataset).labels
    assert labels is not None
    return labels
