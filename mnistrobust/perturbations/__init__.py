"""Perturbations: graded, seeded transforms of images, each with a unit and a range of doses."""

from mnistrobust.perturbations import geometry, noise, strokes, tone
from mnistrobust.perturbations.definition import (
    PERTURBATIONS,
    Perturbation,
    dosed,
    perturbation,
    perturbation_named,
)

__all__ = [
    "PERTURBATIONS",
    "Perturbation",
    "dosed",
    "geometry",
    "noise",
    "perturbation",
    "perturbation_named",
    "strokes",
    "tone",
]
