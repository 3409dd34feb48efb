"""What a search found: a model's weaknesses in words, each with a counterexample, and its faults."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any

import numpy as np

from mnistrobust.fuzzing.cases import Case, shrunk
from mnistrobust.fuzzing.counterexamples import NO_DIGIT, Counterexample
from mnistrobust.fuzzing.outcomes import Outcomes, kind_of
from mnistrobust.fuzzing.search import LEVELS, Break, Search, Trial
from mnistrobust.fuzzing.targets import OUTLIER, UNREPEATABLE
from mnistrobust.replicates.keys import versions

_ABOVE_ALL = 1.5  # times the weakness of all digits
_CHAINS = 5  # told, of those that are not sudden
_SHARE = 0.3  # score of a chain, where it is told of
_RARE = 0.25  # share of the digits: what breaks fewer comes after chains
_FEW = 2  # digits, added to those that were tried: a share of one digit counts little
_FEW_TOGETHER = 8  # for a chain, of which only the worst doses are told
_NEAR = 1.25  # times the smallest dose: a counterexample among those is as good
_SHRUNK = 3  # cases of a chain
_PLAINEST = 8  # digits, for a counterexample that is clear
_CLEAR = 0.55  # confidence of a wrong prediction that no rounding turns back


@dataclass(frozen=True, kw_only=True)
class Weakness:
    """A perturbation on one side of 0, or a chain, that breaks digits.

    `tried` and `broken` count images, of the classes `digits` where it names some; for a chain at its
    worst doses. It is `sudden` where the prediction jumps between two images that hardly differ, and
    has no other breaks then; else it has the sudden ones too.
    `by_digit` has tried, broken and the smallest dose of a class.
    """

    words: str
    perturbations: tuple[str, ...]
    tried: int
    broken: int
    digits: tuple[str, ...]
    sudden: bool
    score: float
    by_digit: dict[int, dict[str, Any]]
    counterexample: Counterexample

    def to_json(self) -> dict[str, Any]:
        """Return the weakness as JSON values."""
        return {**vars(self), "counterexample": self.counterexample.to_json()}


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What a search found; `faults` are what the model does wrong besides predicting."""

    search: Search
    weaknesses: tuple[Weakness, ...]
    faults: tuple[Counterexample, ...]

    @property
    def tests(self) -> dict[str, Counterexample]:
        """The counterexamples to replay, by name in ASCII; what is not repeatable would pass by chance."""
        found = {
            f"{n}: {each.words}": each.counterexample for n, each in enumerate(self.weaknesses, 1)
        }
        sure = [each for each in self.faults if not each.fault.startswith(UNREPEATABLE)]
        found |= {f"fault: {each.says}": each for each in sure}
        plain = (name.replace("°", " degrees").encode("ascii", "replace") for name in found)
        return {name.decode(): each for name, each in zip(plain, found.values(), strict=True)}

    def to_json(self) -> dict[str, Any]:
        """Return the findings as JSON values, with the smallest dose for each image by its index.

        Outliers are numbered.
        """
        search = self.search
        smallest = {
            f"{half.perturbation.name} {half.way}".rstrip() + " below 0" * (half.most < 0): {
                int(search.index[place]): half.dose(each.case.size[1])
                for place, each in search.trials[at,].breaks.items()
            }
            for at, half in enumerate(search.halves)
            if (at,) in search.trials
        }
        return {
            "schema": 1,
            "versions": {**versions(), **search.subject.model.versions},
            "model": search.subject.model.name,
            "interface": search.subject.model.interface,
            "dataset": search.dataset.source.to_json(),
            "direction": search.direction,
            "seed": search.seed,
            "max_severity": search.severity,
            "candidates": search.candidates,
            "digits": search.index[sorted(search.tried)].tolist(),
            "ended_early": search.subject.gave_up,
            "skipped": sorted(search.skipped),
            "faults": [
                each.to_json() | {"under": search.under(each.fault)} for each in self.faults
            ],
            "faults_of_batches": search.subject.together,
            "weaknesses": [each.to_json() for each in self.weaknesses],
            "smallest": smallest,
        }


def findings_of(search: Search) -> Findings:
    """Shrink what a search found, predict each counterexample alone, and rank the weaknesses."""
    weaknesses = [each for trial in _worst(search) for each in _weaknesses(search, trial)]
    return Findings(search=search, weaknesses=ranked(weaknesses), faults=tuple(_faults(search)))


def ranked(weaknesses: Sequence[Weakness]) -> tuple[Weakness, ...]:
    """Return weaknesses in the order in which they are told, each once.

    First the exceptional that are not rare, by few perturbations and by the share that breaks; then
    by score, each perturbation before a second place or way of one. Of the other chains, the worst
    are kept.
    """

    def rank(each: Weakness) -> tuple[bool, bool, int, float, float]:
        often = round(each.broken / each.tried, 1) * _exceptional(each)
        if not often:
            return True, False, 0, 0.0, -each.score
        rare = each.broken < _RARE * each.tried
        return False, rare, len(each.perturbations), -often, -each.score

    weaknesses = sorted(weaknesses, key=rank)
    chains = [each for each in weaknesses if len(each.perturbations) > 1 and not _exceptional(each)]
    told: dict[str, tuple[int, Weakness]] = {}  # three may have shrunk to two that are there
    turns: Counter[tuple[str, ...]] = Counter()
    for each in (each for each in weaknesses if each not in chains[_CHAINS:]):
        if each.words not in told:
            told[each.words] = turns[each.perturbations], each
            turns[each.perturbations] += not _exceptional(each)
    return tuple(each for _, each in sorted(told.values(), key=itemgetter(0)))


def _exceptional(each: Weakness) -> bool:
    """Whether it is sudden, and for a chain not of a few digits only."""
    return each.sudden and (len(each.perturbations) < 2 or 2 * each.broken >= each.tried)


def _worst(search: Search) -> list[Trial]:
    """Return all single perturbations and the worst chains."""
    trials = [*search.trials.values()]
    singles = [each for each in trials if len(each.halves) < 2]
    chains = [each for each in trials if len(each.halves) > 1]
    chains = [each for each in chains if each.score >= _SHARE or each.sudden]
    chains.sort(key=lambda each: (each.sudden, each.score), reverse=True)
    return singles + chains[: 3 * _CHAINS]


def _weaknesses(search: Search, trial: Trial) -> Iterator[Weakness]:
    """Yield what breaks suddenly, where it is more than a few digits of a class, and all that breaks.

    Where the sudden is told, the others decide whether all is told too, and of which classes.
    """
    breaks = list(trial.breaks.values())
    for sudden in (True, False):
        part = [each for each in breaks if each.sudden or not sudden]
        if weakness := _weakness(search, trial, part, sudden=sudden):
            yield weakness
            breaks = [each for each in breaks if not each.sudden]


def _weakness(
    search: Search, trial: Trial, deciding: Sequence[Break], *, sudden: bool
) -> Weakness | None:
    if not deciding:
        return None
    tried = np.bincount(search.labels[[*trial.tried]], minlength=10)
    parts = max(1, len(trial.halves))
    labels, _, depths = _depths(search, deciding, parts)
    few = _FEW if sudden or parts == 1 else _FEW_TOGETHER
    depth = np.bincount(labels, depths, minlength=10) / (tried + few)
    mean = sum(depths) / (tried.sum() + few)
    worst = np.argsort(-depth, kind="stable")[:2]
    above = [at for at in worst.tolist() if depth[at] > max(_ABOVE_ALL * mean, depth.max() / 2)]
    own = np.isin(np.arange(10), above) if above else tried > 0
    cases = _plainest(search, _of(own, deciding, labels))
    if len(trial.halves) > 1:
        cases = [case for case in shrunk(cases[:_SHRUNK], search.breaks) if len(case.halves) > 1]
    counterexample = _example(search, cases)
    if counterexample is None:
        return None
    breaks = deciding if sudden else [*trial.breaks.values()]
    labels, shares, depths = _depths(search, breaks, parts)
    broken = np.bincount(labels, minlength=10)
    n, hit = int(tried[own].sum()), int(broken[own].sum())
    halves = sorted(cases[0].halves, key=lambda half: half.words)
    words = " with ".join(half.words for half in halves) or "no change at all"
    if len(halves) == 1:
        low = halves[0].amount(shares[own[labels]].min())
        again = (
            float(np.median([each.last for each in _of(own, breaks, labels)])) + 1 / LEVELS
        )  # most are right again
        until = f"between {low} and {halves[0].amount(again)}"
        words += f" {until if again < 1 else f'beyond {low}'}"
    classes = [search.classes[at] for at in above]
    only = "above all" if broken[~own].any() else "only"
    words += ", together" * (len(halves) > 1)
    words += f", {only} {' and '.join(classes)}" * bool(above)
    by_digit: dict[int, dict[str, Any]] = {}
    for at in np.flatnonzero(tried).tolist():
        single = trial.halves if len(trial.halves) == 1 and broken[at] else ()
        least = next((half.dose(shares[labels == at].min()) for half in single), None)
        by_digit[at] = {"tried": int(tried[at]), "broken": int(broken[at]), "smallest": least}
    return Weakness(
        words=words + ", suddenly" * sudden,
        perturbations=tuple(half.perturbation.name for half in halves),
        tried=n,
        broken=hit,
        digits=tuple(classes),
        sudden=sudden,
        score=float(sum(depths[own[labels]]) / (n + few)),
        by_digit=by_digit,
        counterexample=counterexample,
    )


def _depths(
    search: Search, breaks: Sequence[Break], parts: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return of each break the class, the share of the largest dose, and how early it is (n,)."""
    labels = np.array([search.labels[each.case.place] for each in breaks], int)
    shares = np.array([each.case.size[1] for each in breaks])
    return labels, shares, 1 + 1 / LEVELS - shares / parts  # 0: never breaks


def _of(own: np.ndarray, breaks: Sequence[Break], labels: np.ndarray) -> list[Break]:
    return [each for each, label in zip(breaks, labels, strict=True) if own[label]]


def _plainest(search: Search, breaks: Sequence[Break]) -> list[Case]:
    """Return the cases of a few breaks, the plainest digits of about the smallest dose first."""
    cases = [each.case for each in breaks]
    near = _NEAR * min(case.size[1] for case in cases)
    cases.sort(key=lambda case: (max(case.size[1], near), search.plainness[case.place]))
    return cases[:_PLAINEST]


def _example(search: Search, cases: Sequence[Case]) -> Counterexample | None:
    """Return the first case that breaks clearly when it is predicted alone, else the clearest."""
    tried = [_rounded(case, by) for case in cases for by in (1.0, 1.05, 1.1, _NEAR)]
    outcomes = search.outcomes(tried)
    clear = np.minimum(outcomes.confidence, _CLEAR)
    clear[~search.bad(outcomes, [case.place for case in tried])] = 0
    for row in np.argsort(-clear, kind="stable")[: 2 * _PLAINEST].tolist():
        alone = [search.outcomes([part]) for part in _steps(tried[row])]
        bad = [bool(search.bad(each, [tried[row].place])[0]) for each in alone]
        if bad[-1] and not any(bad[:-1]):  # else fewer perturbations do it at these doses
            return _shown(search, tried[row], alone)
    return None


def _rounded(case: Case, by: float) -> Case:
    """Return a case with its doses multiplied, of three digits."""
    pairs = zip(case.halves, case.shares, strict=True)
    shares = (float(f"{by * share * half.most:.3g}") / half.most for half, share in pairs)
    return replace(case, shares=tuple(min(1.0, share) for share in shares))


def _steps(case: Case) -> list[Case]:
    """Return the case after none, one, … and all of its perturbations."""
    counts = range(len(case.halves) + 1)
    return [replace(case, halves=case.halves[:k], shares=case.shares[:k]) for k in counts]


def _shown(
    search: Search, case: Case, alone: Sequence[Outcomes], fault: str = ""
) -> Counterexample:
    """Return a case as a counterexample, given its outcome after each perturbation."""
    outlier = search.direction == OUTLIER
    digit = case.place < len(search.labels) and not outlier
    return Counterexample(
        image=np.rint(255 * search.images[case.place]).astype(np.uint8),
        index=int(search.index[case.place]) if digit else None,
        label=int(search.labels[case.place]) if digit else None,
        expected=None if fault else NO_DIGIT if outlier else int(search.clean.top[case.place]),
        chain=case.chain,
        draw=case.draw,
        steps=tuple((int(each.top[0]), float(each.confidence[0])) for each in alone),
        fault=fault,
    )


def _faults(search: Search) -> Iterator[Counterexample]:
    """Yield the smallest case of each kind of fault, as it is and perturbed, made smaller."""
    for (kind, perturbed), (fault, case) in tuple(search.faults.items()):
        small = case

        def holds(cases: Sequence[Case], kind: str = kind) -> list[bool]:
            return [kind_of(each) == kind for each in search.outcomes(cases).fault]

        if perturbed and kind not in search.subject.deadly:
            (small,) = shrunk([case], holds)
        yield _shown(search, small, [search.outcomes([each]) for each in _steps(small)[:-1]], fault)
