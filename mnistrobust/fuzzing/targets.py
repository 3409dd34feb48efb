"""What a search changes: held-out digits or outliers, and what the model does with them."""

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from mnistrobust.checks.inputs import inputs_named
from mnistrobust.data import Dataset
from mnistrobust.errors import UsageError
from mnistrobust.fuzzing.cases import Case
from mnistrobust.fuzzing.chain import perturb_each
from mnistrobust.fuzzing.outcomes import BATCH, Outcomes, Subject, joined, kind_of
from mnistrobust.metrics import CONFIDENT
from mnistrobust.randomness import stream
from mnistrobust.transforms import NOISE_LABEL

WRONG, CHANGES, OUTLIER = "wrong", "changes", "outlier"
KINDS = MappingProxyType(  # of outliers, each with its name
    {each: f"{each} noise" for each in ("uniform", "gaussian", "bernoulli", "low-frequency")}
    | {"permuted": "permuted digits"}
)
UNREPEATABLE = "predicts another probability"
_EACH = 200  # outliers of a kind
_FLAT = 0.03  # ink between the lightest and the darkest pixel
_SAME = 1e-4  # of two probabilities for one image


class Targets:
    """Images to break a model with, its predictions of them, and its faults.

    `direction` is WRONG (confident right predictions that become wrong), CHANGES (any that become
    others) or OUTLIER (outliers that become confident digits). `pool` are the places of the images
    that are changed; those `at_once` need none. `indexes` are held-out images (default: 2,000).
    """

    def __init__(
        self,
        subject: Subject,
        dataset: Dataset,
        seed: int,
        direction: str,
        indexes: Sequence[int] | None,
    ) -> None:
        """Predict the images as they are, twice; UsageError where no search can begin."""
        self.subject, self.dataset, self.seed = subject, dataset, seed
        self.direction = direction
        order = stream(seed, "fuzz", "digits").permutation(dataset.subset)
        self.index = np.array(order if indexes is None else indexes)
        self.labels, images = dataset.test_labels[self.index], dataset.test_images[self.index]
        self.classes = [f"{digit}s" for digit in range(10)]
        if direction == OUTLIER:
            self.classes = list(KINDS.values())
            kinds = [inputs_named(kind, dataset).images[:_EACH] for kind in KINDS]
            self.labels = np.repeat(np.arange(len(KINDS)), [len(each) for each in kinds])
            self.index = np.arange(len(self.labels))
            images = np.rint(255 * np.concatenate(kinds)) / np.float32(255)
        plain = np.zeros((4, 28, 28), np.float32)  # no ink, full ink, half of it, one pixel
        plain[1], plain[2], plain[3, 14, 14] = 1, np.float32(128 / 255), 1
        self.images = np.concatenate([images, plain.reshape(-1, 784)])
        n = len(self.labels)
        self.candidates = 0
        self.skipped: set[str] = set()  # perturbations under which the model ended or hung
        self.faults: dict[tuple[str, bool], tuple[str, Case]] = {}  # by kind, and whether perturbed
        self._under: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
        clean = [Case(place=place) for place in range(len(self.images))]
        self.clean = self.outcomes(clean)
        self.check_repeatable(clean, self.clean)
        good = self.clean.top[:n] >= 0
        self.at_once = np.zeros(n, bool)
        if direction == OUTLIER:
            self.at_once = good & self.bad(self.clean, np.arange(len(clean)))[:n]
            good &= ~self.at_once
            if good.any():  # from the less confident half, so that no change is trivial
                good &= self.clean.confidence[:n] <= np.median(self.clean.confidence[:n][good])
        elif direction == WRONG:
            good &= (self.clean.top[:n] == self.labels) & (self.clean.confidence[:n] > CONFIDENT)
        places = np.flatnonzero(good)
        own = self.labels[places]
        turns = pd.Series(own).groupby(own).cumcount()  # each part has as many of each class
        self.pool = places[np.lexsort((own, turns))]
        if not len(self.pool) and not self.faults and direction != OUTLIER:
            raise UsageError(
                f"{subject.model.name}: it predicts no digit confidently and rightly, so that none can "
                f"be broken; see what 'mnistrobust check' says."
            )

    def outcomes(self, cases: Sequence[Case]) -> Outcomes:
        """Return what the model does with each case; a fault is kept with its smallest case."""
        if len(cases) <= BATCH:  # a thread would take longer to start than most models to predict
            outcomes = self._read(self._images(cases))
        else:
            with ThreadPoolExecutor(1) as pool:  # the model predicts a batch while the next is made
                batches = [cases[i : i + BATCH] for i in range(0, len(cases), BATCH)]
                parts = [pool.submit(self._read, self._images(each)) for each in batches]
                outcomes = joined([part.result() for part in parts])
        self.candidates += len(cases)
        for row in np.flatnonzero(outcomes.fault != "").tolist():
            if kind_of(outcomes.fault[row]) in self.subject.deadly:
                self.skipped |= {half.perturbation.name for half in cases[row].halves}
            self._keep_fault(outcomes.fault[row], cases[row])
        return outcomes

    def bad(self, outcomes: Outcomes, places: Any) -> np.ndarray:
        """Return for each image whether it breaks, given its outcome (n,)."""
        if self.direction == OUTLIER:
            digit = (outcomes.top >= 0) & (outcomes.top < NOISE_LABEL)
            return np.asarray(digit & (outcomes.confidence > CONFIDENT))
        return np.asarray((outcomes.top != self.clean.top[places]) & (outcomes.top >= 0))

    def breaks(self, cases: Sequence[Case]) -> np.ndarray:
        """Return for each case whether it breaks the model (n,)."""
        return self.bad(self.outcomes(cases), [case.place for case in cases])

    def check_repeatable(self, cases: Sequence[Case], outcomes: Outcomes) -> None:
        """Predict cases again; that the outcomes differ is a fault."""
        again = self.outcomes(cases)
        differ = np.abs(again.confidence - outcomes.confidence) > _SAME
        differ |= again.top != outcomes.top
        differ &= (again.top >= 0) & (outcomes.top >= 0)
        if not differ.any():
            return
        found = sorted((cases[row] for row in np.flatnonzero(differ).tolist()), key=self.order)
        alone = {float(self.outcomes(found[:1]).confidence[0]) for _ in range(5)}
        where = "the same image" if len(alone) > 1 else "the same batch"
        for case in found:
            self._keep_fault(f"{UNREPEATABLE} when {where} comes again", case)

    def order(self, case: Case) -> tuple[float, ...]:
        """How large a case is: perturbations, doses, then how far from the mean of its class."""
        return *case.size, float(self.plainness[case.place])

    @cached_property
    def plainness(self) -> np.ndarray:
        """How far each image is from the mean of its class: the plainest digit has the least (n,)."""
        far = np.zeros(len(self.images))
        for label in np.unique(self.labels):
            own = np.flatnonzero(self.labels == label)
            far[own] = np.linalg.norm(self.images[own] - self.images[own].mean(axis=0), axis=1)
        return far

    def under(self, fault: str) -> dict[str, int]:
        """Return what leads to a kind of fault alone, by how many digits, the most first."""
        digits = {words: len(places) for words, places in self._under[kind_of(fault)].items()}
        return dict(sorted(digits.items(), key=lambda each: -each[1]))

    def _keep_fault(self, fault: str, case: Case) -> None:
        key = kind_of(fault), bool(case.halves)
        if len(case.halves) == 1:
            self._under[key[0]][case.halves[0].words].add(case.place)
        if key not in self.faults or self.order(case) < self.order(self.faults[key][1]):
            self.faults[key] = fault, case

    def _read(self, images: np.ndarray) -> Outcomes:
        """Return what the model does, with class -1 for an image in which nothing is left to read."""
        outcomes = self.subject.outcomes(images)
        outcomes.top[np.ptp(images, axis=1) < _FLAT] = -1
        return outcomes

    def _images(self, cases: Sequence[Case]) -> np.ndarray:
        images = np.empty((len(cases), 784), np.float32)
        rows = defaultdict(list)
        for row, case in enumerate(cases):
            rows[case.chain].append(row)
        for chain, same in rows.items():
            before = self.images[[cases[row].place for row in same]]
            images[same] = perturb_each(before, chain, [cases[row].draw for row in same])
        return images
