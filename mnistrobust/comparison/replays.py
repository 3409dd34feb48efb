"""Counterexamples that `mnistrobust fuzz` found, replayed on both models of a comparison."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnistrobust.checks.model import UNIT
from mnistrobust.data import Source, load
from mnistrobust.errors import MnistRobustError, UsageError
from mnistrobust.fuzzing.counterexamples import outcome, unpacked
from mnistrobust.fuzzing.outcomes import Subject
from mnistrobust.fuzzing.targets import UNREPEATABLE
from mnistrobust.perturbations import dosed
from mnistrobust.recipes import RECIPES
from mnistrobust.replicates import Replicate
from mnistrobust.replicates.seeds import SUITE_SEED
from mnistrobust.store import Store

NEW, REMAINS, REPAIRED, GONE = "new", "remaining", "repaired", "breaks neither"
VERDICTS = {(False, True): NEW, (True, True): REMAINS, (True, False): REPAIRED}


@dataclass(frozen=True, kw_only=True)
class Replay:
    """A counterexample in words, what each model does with it, and which of them it breaks."""

    counterexample: str
    old: str
    new: str
    verdict: str


def read(paths: Sequence[Path]) -> list[tuple[str, dict[str, Any]]]:
    """Return counterexamples in words and as cases, from fuzz.json or a folder with it; UsageError."""
    return [named for path in paths for named in _read(path)]


def _read(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        found = json.loads((path / "fuzz.json" if path.is_dir() else path).read_text("utf-8"))
        faults = [each for each in found["faults"] if not each["fault"].startswith(UNREPEATABLE)]
        for each in [*(weakness["counterexample"] for weakness in found["weaknesses"]), *faults]:
            case = {name: each[name] for name in ("image", "chain", "draw", "expected")}
            if unpacked(case["image"]).shape != (1, 784):
                raise ValueError("an image of another size")
            what = "an image" if each["label"] is None else f"a {each['label']}"
            for step in case["chain"]:
                dosed(step)
            yield f"{what}, {', '.join(case['chain']) or 'unchanged'}", case
    except MnistRobustError:
        raise
    except Exception as error:
        reason = getattr(error, "strerror", None) or "it is something else"
        raise UsageError(
            f"--counterexamples {path}: {reason}; expected fuzz.json that 'mnistrobust fuzz' wrote."
        ) from error


def replays(
    cases: Sequence[tuple[str, dict[str, Any]]],
    sides: Sequence[tuple[str, dict[str, Any]]],
    source: Source,
    store: Store,
) -> tuple[Replay, ...]:
    """Replay cases on the old and the new side: models, with what `open_model` takes, or recipes."""
    if not cases:
        return ()
    both = []
    for given, how in sides:
        subject = _subject(given, source, store, **how)
        both.append([outcome(subject, **case) for _, case in cases])
    made = []
    for (name, _), (_, old, held), (_, new, holds) in zip(cases, *both, strict=True):
        verdict = VERDICTS.get((held, holds), GONE)
        made.append(Replay(counterexample=name, old=old, new=new, verdict=verdict))
    order = [*VERDICTS.values(), GONE]
    return tuple(sorted(made, key=lambda each: order.index(each.verdict)))


def _subject(given: str, source: Source, store: Store, **how: Any) -> Subject:
    if given in RECIPES:
        network = Replicate(SUITE_SEED, source, store).model(given)
        return Subject(network, load(source), name=given, pixels=UNIT)
    return Subject(given, load(source), **how)
