"""Sides of a comparison, made by hand from the labels."""

import numpy as np

from mnistrobust.comparison.sides import NO_DIGITS, SCALE, SETS, Predicted, Side
from mnistrobust.comparison.verdict import labels_of

OUTLIERS = 1000


def side(dataset, name="model", *, wrong=None, confidence=0.9, noise=0.4, seeds=()):
    """A side that predicts each digit rightly but for the first `wrong[set]` images of a set."""
    sets = {}
    for each in SETS:
        labels = labels_of(each, dataset) if each not in NO_DIGITS else np.zeros(OUTLIERS, int)
        prediction = labels.copy()
        count = (wrong or {}).get(each, 0)
        prediction[:count] = (labels[:count] + 1) % 10
        probability = confidence if each not in NO_DIGITS else noise
        right = prediction == labels
        loss = np.where(right, -np.log(confidence), -np.log((1 - confidence) / 9))
        shape = (max(1, len(seeds)), len(labels))
        sets[each] = Predicted(
            prediction=np.broadcast_to(prediction, shape).astype(np.uint8),
            confidence=np.full(shape, round(probability * SCALE), np.uint16),
            loss=np.broadcast_to(loss if each not in NO_DIGITS else 0 * loss, shape).astype(
                np.float16
            ),
        )
    source = dataset.source
    return Side(name=name, seeds=tuple(seeds), dataset=(source.name, source.digest), sets=sets)
