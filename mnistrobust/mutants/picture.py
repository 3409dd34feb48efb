"""The kill matrix as a picture: a row for each fault, a column for each claim and group."""

from typing import TYPE_CHECKING

import numpy as np

from mnistrobust.mutants.matrix import GROUPS, Matrix, table
from mnistrobust.plots import BLUE, ORANGE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CELL = 0.2  # inches


def picture(matrix: Matrix) -> "Figure":
    """Draw a square where a claim's spec, or a spec of a group, sees a fault.

    A fault that nothing sees is an orange row.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    columns, rows = table(matrix)
    seen = np.array(
        [[bool(r.others(c)) if c in GROUPS else c in r.claims for c in columns] for r in rows]
    )
    size = (3.6 + _CELL * len(columns), 3.4 + _CELL * len(rows))
    figure = Figure(figsize=size, dpi=120, layout="constrained")
    ax = figure.subplots()
    for y, x in np.argwhere(seen):
        ax.add_patch(Rectangle((x - 0.4, y - 0.4), 0.8, 0.8, color=BLUE))
    for y in np.flatnonzero(~seen.any(axis=1)):
        ax.axhspan(y - 0.4, y + 0.4, color=ORANGE, alpha=0.4)
    ax.set(xlim=(-0.6, len(columns) - 0.4), ylim=(len(rows) - 0.4, -0.6))
    ax.set_xticks(range(len(columns)), columns, rotation=90, fontsize="x-small")
    ax.set_yticks(range(len(rows)), [each.mistake for each in rows], fontsize="x-small")
    ax.axvline(len(columns) - len(GROUPS) - 0.5, color="0.6", linewidth=0.8)
    ax.tick_params(length=0)
    ax.xaxis.tick_top()
    ax.set_title(matrix.summary, fontsize="small", loc="left")
    return figure
