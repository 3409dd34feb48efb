"""A side of a comparison: what a model, or several networks of one kind, predicts for each set of images."""

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from mnistrobust.checks.inputs import OUTLIERS
from mnistrobust.checks.metrics import losses
from mnistrobust.checks.outputs import ModelError
from mnistrobust.checks.session import NoPredictionsError, Session
from mnistrobust.conditions import condition_named
from mnistrobust.data import Source
from mnistrobust.errors import UsageError, inert
from mnistrobust.files import write_whole
from mnistrobust.perturbations import PERTURBATIONS
from mnistrobust.replicates.keys import evaluation_code, versions
from mnistrobust.store import code
from mnistrobust.transforms import NOISE_LABEL

DIGITS = ("clean", "offset-noise", "inverted", "threshold")
NO_DIGITS = tuple(
    name for name in OUTLIERS if name not in {"inverted", "blank"}
)  # blank is one image
PERTURBED = tuple(  # at the middle severity; the other three are among the document's conditions
    f"{name}:{perturbation.severities[2]:g}"
    for name, perturbation in PERTURBATIONS.items()
    if ":" not in name and name not in {"offset-noise", "inverted", "threshold"}
)
SETS = (*DIGITS, *PERTURBED, *NO_DIGITS)
NO_PREDICTION = 255  # NaN or infinity instead
WORST_LOSS = 50.0  # nats
SCALE = 65_535  # of a confidence of 1
_FORMAT = "mnistrobust predictions 1"
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError)
_PARTS = {"prediction": "uint8", "confidence": "uint16", "loss": "float16"}


@cache
def definitions(on: tuple[str, ...] = ()) -> dict[str, str]:
    """Return a digest of the code that makes each set's images; `on` has more conditions."""
    inputs = "mnistrobust.checks.inputs"
    roots = f"{inputs}:inputs_named", f"{inputs}:FAMILIES"
    drawn = code.digest(*roots, skip=("mnistrobust.conditions:condition_named",))
    conditions = {name: condition_named(name) for name in (*DIGITS, *PERTURBED, *on)}
    conditions["uniform"] = condition_named("pure-noise")
    own = {name: evaluation_code(condition) for name, condition in conditions.items()}
    return {name: own.get(name, drawn)[:20] for name in (*SETS, *on)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Predicted:
    """Predictions for one set, arrays (networks, n); a network that fails for an image predicts 255.

    `confidence` is the probability of the predicted class, without a digit the largest of a digit; `loss` the
    negative log-likelihood in nats, at most 50, 0 without a digit. All are rounded as a file keeps them.
    """

    prediction: np.ndarray  # uint8
    confidence: np.ndarray  # uint16, in parts of 65,535
    loss: np.ndarray  # float16


@dataclass(frozen=True, kw_only=True, eq=False)
class Side:
    """What is compared: predictions by set of images, of one network or of one for each of `seeds`.

    `drawn` has the digests of the code that made the images.
    """

    name: str
    seeds: tuple[int, ...] = ()
    dataset: tuple[str, str]
    sets: Mapping[str, Predicted]
    interface: str = ""  # what the model reads and gives, in words
    drawn: Mapping[str, str] = field(default_factory=definitions)
    made: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    versions: Mapping[str, str] = field(default_factory=versions)


def side_of(session: Session, on: tuple[str, ...] = ()) -> Side:
    """Return a model's predictions for every set, `on` included; ModelError where it has none."""
    known = (*DIGITS, *NO_DIGITS) if session.model.predict is None else (*SETS, *on)
    sets = {name: _predicted(session, name) for name in known}
    return Side(
        name=session.model.name,
        dataset=(session.dataset.name, session.dataset.source.digest),
        sets=sets,
        interface=session.model.interface,
        drawn=definitions(on),
        versions={**versions(), **session.model.versions},
    )


def together(name: str, sides: Mapping[int, Side]) -> Side:
    """Return the networks of several seeds as one side."""
    arrays = [arrays_of(side) for side in sides.values()]
    joined = {each: np.concatenate([one[each] for one in arrays]) for each in arrays[0]}
    first = next(iter(sides.values()))
    return side_from(joined, {**meta_of(first), "name": name, "seeds": [*sides]})


def save(side: Side, path: Path) -> None:
    """Write a side as an .npz file, whole or not at all; UsageError where it cannot be written."""
    content, meta = io.BytesIO(), json.dumps({"format": _FORMAT, **meta_of(side)})
    arrays: dict[str, Any] = arrays_of(side)
    np.savez_compressed(content, meta=np.array(meta), **arrays)
    try:
        write_whole(path, content.getvalue())
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}; name another file.") from error


def load(path: Path, *, kept: bool = False) -> Side | None:
    """Return the side that `save` wrote, or None for another file; UsageError for a damaged one.

    A baseline, which is `kept` beside a store, is damaged where it is another file.
    """
    if not zipfile.is_zipfile(path) and not kept:
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            if not str(file.get("meta")).startswith('{"format": "mnistrobust') and not kept:
                return None
            arrays = dict(file)
        meta = json.loads(str(arrays.pop("meta")))
        if meta.pop("format") != _FORMAT:
            raise ValueError("it is of another version")
        return side_from(arrays, meta)
    except (*_DAMAGE, OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        reason = inert(error)
        raise UsageError(
            f"{path}: these predictions are damaged ({reason}); save them again."
        ) from error


def arrays_of(side: Side) -> dict[str, np.ndarray]:
    """Return the predictions as arrays (networks, n), by names such as `clean.prediction`."""
    return {
        f"{name}.{part}": getattr(predicted, part)
        for name, predicted in side.sets.items()
        for part in _PARTS
    }


def meta_of(side: Side) -> dict[str, Any]:
    """Return all that is no prediction, as JSON values."""
    names = ("name", "seeds", "dataset", "interface", "made", "versions")
    in_order = list(side.drawn.items())  # the store sorts the names of an object
    return {name: getattr(side, name) for name in names} | {"drawn": in_order}


def side_from(arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> Side:
    """Return the side of which `arrays_of` and `meta_of` are; ValueError or KeyError for others."""
    name, digest = map(str, meta["dataset"])
    seeds = tuple(map(int, meta["seeds"]))
    sets = {
        each: Predicted(**{part: arrays[f"{each}.{part}"] for part in _PARTS})
        for each in dict(meta["drawn"])
        if f"{each}.prediction" in arrays or each not in PERTURBED
    }
    _check(sets, max(1, len(seeds)))
    facts = {each: dict(meta[each]) for each in ("drawn", "versions")}
    return Side(
        name=str(meta["name"]),
        seeds=seeds,
        dataset=(name, digest),
        sets=sets,
        interface=str(meta["interface"]),
        made=str(meta["made"]),
        **facts,
    )


def check_fits(side: Side, source: Source, where: str, on: tuple[str, ...] = ()) -> None:
    """Raise UsageError for predictions on other data, or on images that have changed or are missing."""
    name, digest = side.dataset
    if digest != source.digest:
        raise UsageError(
            f"{where}: its predictions are on {inert(name)} (sha256 {inert(digest[:12])}), and the data "
            f"set is {source.name} (sha256 {source.digest[:12]}); compare on the same data with --data, "
            f"or save it again on this set."
        )
    missing = [each for each in on if each not in side.sets]
    if missing:
        raise UsageError(
            f"{where}: it has no predictions for {', '.join(missing)}; save it again: mnistrobust baseline "
            f"save {where} MODEL {' '.join(f'--on {each}' for each in on)}"
            f"{'' if where.endswith('.npz') else ' --replace'}."
        )
    changed = [each for each, now in definitions(on).items() if side.drawn.get(each) != now]
    if changed:
        images = ", ".join(changed)
        raise UsageError(
            f"{where}: the images of {images} changed since it was saved; save it again."
        )


def _check(sets: Mapping[str, Predicted], networks: int) -> None:
    """Raise ValueError for arrays that `save` did not write."""
    for name, predicted in sets.items():
        arrays = [getattr(predicted, part) for part in _PARTS]
        if [array.dtype.name for array in arrays] != list(_PARTS.values()):
            raise ValueError(f"{name} has other types")
        if {array.shape for array in arrays} != {(networks, arrays[0].shape[-1])}:
            raise ValueError(f"{name} has other shapes")
        if not np.isfinite(predicted.loss).all():
            raise ValueError(
                f"{name} has a loss of {predicted.loss[~np.isfinite(predicted.loss)][0]}"
            )


def _predicted(session: Session, name: str) -> Predicted:
    try:
        predictions = session.raw(name)
    except NoPredictionsError as error:
        raise ModelError(str(error)) from error
    finite = np.isfinite(predictions.raw).all(axis=1)
    with np.errstate(all="ignore"):  # where not finite
        logarithms = predictions.log_probabilities
        digit = logarithms[:, :NOISE_LABEL].max(axis=1)
        loss = np.zeros(len(finite))
        if predictions.labels is not None:
            digit = logarithms.max(axis=1)
            loss = np.where(finite, losses(logarithms, predictions.labels), WORST_LOSS)
        confidence = np.where(finite, np.exp(digit), 0.0)
        top = np.where(finite, predictions.top, NO_PREDICTION)
    return Predicted(
        prediction=top.astype(np.uint8)[None],
        confidence=np.rint(confidence * SCALE).astype(np.uint16)[None],
        loss=np.clip(loss, 0, WORST_LOSS).astype(np.float16)[None],
    )
