"""The search for the smallest changes that turn a model's prediction into another.

Candidates are predicted in batches, in an order that depends on the seed alone: a longer search
begins as a shorter one does.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations, count, islice

import numpy as np

from mnistrobust.data import Dataset
from mnistrobust.fuzzing.cases import MOST, Case, Half, halves_of
from mnistrobust.fuzzing.outcomes import Outcomes, Subject
from mnistrobust.fuzzing.targets import OUTLIER, WRONG, Targets
from mnistrobust.perturbations import PERTURBATIONS, Perturbation
from mnistrobust.randomness import stream

Halves = tuple[Half, ...]
Try = tuple[np.ndarray, np.ndarray, bool, int]  # halves, weights, whether doses add up, and a draw
LEVELS = 12  # doses on each side of 0, before the first that breaks a digit is refined
_CHUNK = 100  # digits that are searched together
_FIRST, _SECOND = 20, 50  # where the first chunks end: a short search comes to every pair, too
_DRAWS = 2  # of a random perturbation, for each digit in turn
_BATCHES = 130  # of chains, tried between two chunks
_BATCH = 16  # chains that are predicted together
_PART = 30  # digits that a chain is tried on
_WEIGHTS = 0.3, 1.0  # of the doses in a chain
_LARGE = 0.8  # from which on weights of harmless doses are drawn, in every second turn of all pairs
_MOST = 0.4  # share of the digits that one perturbation of a chain may break at a weight of 1
_OFTEN = 0.5  # score of a class, such as of two broken of two: its broken digits are looked at
_MANY = "bar", "lines"  # of so many ways that chains with them would take too long
_SURE = 5  # broken digits, enough to know whether they break suddenly
_MORE = 120  # digits on which a chain that breaks some suddenly is tried
_NEVER = 1.5  # where a digit that withstands all doses of a perturbation is taken to break
_FEW = 8  # digits, too few to judge a chain
_PRECISE = 0.02  # of a smallest dose
_SHARP = 0.002  # of one at which the prediction jumps
_JUMP = 0.5  # of a probability, between two doses that hardly differ
_ALIKE = 0.01  # of the whole change of an image: what hardly differs
_HALVINGS = 10  # of a step, after which its images do


@dataclass(frozen=True, kw_only=True)
class Break:
    """The smallest dose found that breaks an image.

    It is `sudden` where the prediction jumps between two images that hardly differ. `last` is the
    largest share that breaks it.
    """

    case: Case
    sudden: bool
    last: float


@dataclass(kw_only=True)
class Trial:
    """What a perturbation on one side of 0, or a chain, does to the digits it is `tried` on."""

    halves: tuple[Half, ...] = ()
    tried: set[int] = field(default_factory=set)
    breaks: dict[int, Break] = field(default_factory=dict)
    score: float = 0.0  # of a chain

    @property
    def sudden(self) -> int:
        """How many digits it breaks suddenly."""
        return sum(each.sudden for each in self.breaks.values())


class Search(Targets):
    """A search of one model on the held-out digits of a data set, or on outliers.

    `severity` (1 to 5) bounds the doses; `Targets` explains `direction` and `indexes`.
    """

    def __init__(
        self,
        subject: Subject,
        dataset: Dataset,
        *,
        seed: int = 0,
        direction: str = WRONG,
        severity: int = 5,
        over: Sequence[Perturbation] = tuple(PERTURBATIONS.values()),
        indexes: Sequence[int] | None = None,
    ) -> None:
        """Predict the images as they are, twice; UsageError where no search can begin."""
        super().__init__(subject, dataset, seed, direction, indexes)
        self.severity = severity
        self.halves = tuple(halves_of(over, severity, seed))
        self.first = np.full((len(self.halves), len(self.labels)), _NEVER)  # share, by the grid
        # whether a perturbation breaks most digits of a class suddenly: no chain tells that again
        self.jumps = np.zeros((len(self.halves), len(self.classes)), bool)
        self.trials: dict[tuple[int, ...], Trial] = {}
        if direction == OUTLIER:
            breaks = [Case(place=at) for at in np.flatnonzero(self.at_once).tolist()]
            self.trials[()] = Trial(
                tried={*range(len(self.labels))},
                breaks={each.place: Break(case=each, sudden=False, last=1) for each in breaks},
            )

    @property
    def tried(self) -> set[int]:
        """The places of the images that were changed."""
        return set().union(*(trial.tried for trial in self.trials.values() if trial.halves))

    def run(self, enough: Callable[[], bool]) -> None:
        """Search until it is `enough`, which is asked after each few hundred candidates."""
        for unit in self._units():
            unit()
            if enough() or self.subject.gave_up:
                break

    def _units(self) -> Iterator[Callable[[], None]]:
        chains = self._chains()
        cuts = [_FIRST, *range(_SECOND, len(self.pool), _CHUNK)]
        chunks = [each for each in np.split(self.pool, cuts) if len(each)]
        for turn in count() if chunks else ():
            before, chunk = self.candidates, chunks[turn % len(chunks)]
            for at, half in enumerate(self.halves):
                for draw in range(_DRAWS if half.is_random else turn < len(chunks)):
                    yield partial(self._single, at, chunk, _DRAWS * turn + draw)
            parts = np.array_split(chunk, -(-len(chunk) // _PART))
            for k in range(_BATCHES):
                tries = [*islice(chains, _BATCH)]
                yield partial(self._together, parts[k % len(parts)], tries)
            if self.candidates == before:
                return  # there is nothing more to try

    def _single(self, at: int, places: np.ndarray, draw: int) -> None:
        """Find the smallest dose of one perturbation for each digit."""
        trial = self.trials.setdefault((at,), Trial(halves=(self.halves[at],)))
        cases = self._cases(trial.halves, np.ones(1), places, draw)
        if not cases:
            return
        every = [case.scaled(level / LEVELS) for level in range(1, LEVELS + 1) for case in cases]
        outcomes = self.outcomes(every)
        if draw == 0:
            self.check_repeatable(every, outcomes)
        trial.tried |= {*places.tolist()}
        for each in self._refined(cases, outcomes):
            place, share = each.case.place, each.case.size[1]
            level = np.ceil(share * LEVELS - 1e-9) / LEVELS
            self.first[at, place] = min(self.first[at, place], level)
            if place not in trial.breaks or share < trial.breaks[place].case.size[1]:
                trial.breaks[place] = each
        sudden = [place for place, each in trial.breaks.items() if each.sudden]
        hit, tried = (
            np.bincount(self.labels[each], minlength=len(self.classes))
            for each in (sudden, [*trial.tried])
        )
        self.jumps[at] = 2 * hit > tried

    def _chains(self) -> Iterator[Try]:
        """Yield chains without end: each pair of harmless doses once, so that a slow model meets all.

        Then again, with some whose doses add up, and triples.
        """
        rng = stream(self.seed, "fuzz", "chains")
        names = np.array([half.perturbation.name for half in self.halves])
        single = np.flatnonzero(~np.isin(names, _MANY))

        def fit(halves: np.ndarray) -> bool:
            """Whether they are different perturbations that move as is said with one draw."""
            ways = {draw for at in halves if (draw := self.halves[at].draw) is not None}
            return len({*names[halves]}) == len(halves) and len(ways) < 2

        pairs = [pair for two in combinations(single, 2) if fit(pair := np.array(two))]
        for turn in count() if pairs else ():
            for k, two in enumerate(rng.permutation(pairs)):
                pair, three = rng.permutation(two), rng.permutation(single)[:MOST]
                tries = [(pair, False)] + [(pair, True)] * (turn > 0 and k % 2 == 0)
                if turn and k % 4 == 0 and len(three) == MOST and fit(three):
                    tries.append((three, True))
                for halves, add in tries:
                    low, high = _WEIGHTS
                    if not add and turn % 2 == 0:
                        low = _LARGE
                    weights = rng.uniform(low, high, len(halves))
                    weights /= weights.sum() if add else 1
                    yield np.array(halves), weights, add, int(rng.integers(1000))

    def _together(self, places: np.ndarray, tries: Sequence[Try]) -> None:
        """Try chains in a batch, each on the digits that its doses should not break.

        The doses `add` up to less than what breaks most digits one by one; or each is harmless alone,
        and only what breaks suddenly counts.
        """
        cases, kept = list[Case](), []
        harmless = self._harmless(places)
        for each in tries:
            halves, _, add, draw = each
            own = self._withstood(places, harmless, each)
            if len(own) >= _FEW:
                key = tuple(sorted(halves.tolist()))
                trial = self.trials.setdefault(key, Trial(halves=own[0].halves))
                kept.append((trial, add, draw, np.arange(len(cases), len(cases) + len(own))))
                cases += own
        at = np.array([case.place for case in cases], int)
        outcomes = self.outcomes(cases)
        bad, looked = self.bad(outcomes, at), []
        for trial, add, draw, rows in kept:
            score, by_class = self._scores(at[rows], bad[rows])
            hit = rows[bad[rows]]
            if not add:  # a few are enough, of classes that often break
                hit = hit[by_class[self.labels[at[hit]]] >= _OFTEN][:_SURE]
            if len(hit) and score > trial.score:
                looked.append((trial, add, draw, score, rows, hit))
        if not looked:
            return
        hits = np.concatenate([hit for *_, hit in looked])
        few = Outcomes(*(each[hits] for each in outcomes))
        breaks = self._refined([cases[row] for row in hits], few)
        for trial, add, draw, score, rows, hit in looked:
            first, found = cases[rows[0]], [*islice(breaks, len(hit))]
            if sum(each.sudden for each in found) > (not add):
                self._confirm(trial, first, add, draw)
            elif add and not trial.sudden:
                trial.halves, trial.score, trial.tried = first.halves, score, {*at[rows].tolist()}
                trial.breaks = {each.case.place: each for each in found}

    def _harmless(self, places: np.ndarray) -> np.ndarray:
        """Return of each half the share of its dose that breaks few of these digits (halves,)."""
        return np.asarray(0.95 * np.quantile(self.first[:, places], _MOST, axis=1))

    def _withstood(self, places: np.ndarray, harmless: np.ndarray, chain: Try) -> list[Case]:
        """Return a chain on the digits that its doses should not break."""
        halves, weights, add, draw = chain
        shares = np.minimum(1, weights * harmless[halves])
        used = shares[:, None] / self.first[np.ix_(halves, places)]
        calm = used.sum(axis=0) < 1 if add else used.max(axis=0) < 1
        calm &= ~self.jumps[np.ix_(halves, self.labels[places])].any(axis=0)  # that is known
        return self._cases(tuple(self.halves[at] for at in halves), shares, places[calm], draw)

    def _confirm(self, trial: Trial, case: Case, add: bool, draw: int) -> None:
        """Try the doses of a case on more digits: on those that none of them breaks alone."""
        cases = self._cases(case.halves, np.array(case.shares), self.pool[:_MORE], draw)
        alone = self.breaks([part for each in cases for part in each.parts(1)])
        withstood = ~alone.reshape(len(cases), -1).any(axis=1)
        cases = [cases[at] for at in np.flatnonzero(withstood).tolist()]
        if not cases:
            return
        found = self._refined(cases, self.outcomes(cases))
        breaks = {each.case.place: each for each in found if add or each.sudden}
        if sum(each.sudden for each in breaks.values()) > trial.sudden:
            trial.halves, trial.breaks = case.halves, breaks
            trial.tried = {each.place for each in cases}
            places = np.array([*trial.tried])
            trial.score, _ = self._scores(places, np.isin(places, [*breaks]))

    def _scores(self, places: np.ndarray, broken: np.ndarray) -> tuple[float, np.ndarray]:
        """Return how often digits break, of all or of the worst class, and of each class."""
        n, hit = (np.bincount(self.labels[each], minlength=10) for each in (places, places[broken]))
        by_class = hit / (n + 2)
        return max(float(by_class.max()), hit.sum() / (n.sum() + _FEW)), by_class

    def _cases(
        self, halves: Halves, shares: np.ndarray, places: np.ndarray, draw: int
    ) -> list[Case]:
        if any(half.perturbation.name in self.skipped for half in halves):
            return []
        fixed = [half.draw for half in halves if half.draw is not None]
        draws = fixed[:1] * len(places) or count(self.seed + 1000 * draw)
        parts = {"halves": halves, "shares": tuple(shares.tolist())}
        pairs = zip(places.tolist(), draws, strict=False)
        return [Case(place=at, draw=each, **parts) for at, each in pairs]

    def _refined(self, cases: Sequence[Case], outcomes: Outcomes) -> Iterator[Break]:
        """Yield where each case first breaks, given the outcomes at evenly spaced parts of its doses."""
        places = np.array([case.place for case in cases])
        levels = len(outcomes.top) // len(cases)
        bad = self.bad(outcomes, np.tile(places, levels)).reshape(levels, -1)
        some = np.flatnonzero(bad.any(axis=0))
        if not len(some):
            return
        cases, bad = [cases[i] for i in some.tolist()], bad[:, some]
        first = bad.argmax(axis=0)
        last = 1 - bad[::-1].argmax(axis=0) / levels
        sure = np.concatenate([self.clean.confidence[places], outcomes.confidence])
        sure = sure.reshape(levels + 1, -1)[:, some]
        sides = np.stack([first, first + 1])  # below and at the first dose that breaks
        doses = sides / levels
        confidence = np.take_along_axis(sure, sides, axis=0)
        while True:
            jumps = self._jumps(confidence)
            near = np.maximum(np.where(jumps, _SHARP, _PRECISE) * doses[1], 1e-4)
            rows = np.flatnonzero(doses[1] - doses[0] > near)
            if not len(rows):
                break
            middle = doses[:, rows].mean(axis=0)
            tried = [*map(Case.scaled, (cases[i] for i in rows), middle)]
            found = self.outcomes(tried)
            side = self.bad(found, [case.place for case in tried]).astype(int)
            doses[side, rows], confidence[side, rows] = middle, found.confidence
        below, at = ([*map(Case.scaled, cases, side)] for side in doses)
        self.check_repeatable(at, self.outcomes(at))
        sudden = self._sudden(below, at, confidence)
        for i, case in enumerate(at):
            yield Break(case=case, sudden=bool(sudden[i]), last=float(last[i]))

    def _jumps(self, confidence: np.ndarray) -> np.ndarray:
        """Return whether the prediction jumps, given the confidence before and after a break (2, n)."""
        before = confidence[0] if self.direction == OUTLIER else 1 - confidence[0]
        return np.asarray(confidence[1] - before > _JUMP)

    def _sudden(
        self, below: Sequence[Case], at: Sequence[Case], confidence: np.ndarray
    ) -> np.ndarray:
        """Return which predictions jump between two images that hardly differ.

        Where a perturbation changes an image in steps, these are blends of those before and after one.
        """
        places = np.array([case.place for case in at])
        pairs, confidence = np.stack([self._images(below), self._images(at)]), confidence.copy()
        alike = _ALIKE * np.linalg.norm(pairs[1] - self.images[places], axis=1)
        for _ in range(_HALVINGS):
            apart = np.linalg.norm(pairs[1] - pairs[0], axis=1) > alike
            rows = np.flatnonzero(self._jumps(confidence) & apart)
            if not len(rows):
                break
            middle = pairs[:, rows].mean(axis=0)
            found = self._read(middle)
            side = self.bad(found, places[rows]).astype(int)
            pairs[side, rows], confidence[side, rows] = middle, found.confidence
        return self._jumps(confidence)
