"""Training steps and readings of an LSTM classifier, compiled.

The network is LSTM -> maximum over time -> dense -> softmax, trained on sparse categorical
cross-entropy with Adam.  Matrices lie in panels, see `recurrent_lanes`.  The input joins the
recurrent product as further terms, with a constant 1 that carries the bias, and the gradients of
the weights are summed over `BLOCK` time steps at once, so that the loop over time holds nothing but
two products and the gates.

Sizes are rounded up: units to whole panels, the batch to a multiple of 4.  Padding is 0 in weights,
inputs and gradients, and stays 0.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import numba
import numpy as np
from numpy.typing import NDArray

from mnistrobust.engine import common
from mnistrobust.engine.common import draw
from mnistrobust.engine.machine_code import compiled, inlined
from mnistrobust.engine.recurrent_arithmetic import (
    FLOAT,
    ROW,
    add_outer,
    backward_gates,
    clear,
    forward_gates,
    product,
    read_gates,
    share,
    sink,
    transpose,
)  # fmt: skip
from mnistrobust.engine.recurrent_lanes import WIDTH

BLOCK = 4  # time steps whose states and gates stay in the second-level cache
# as arguments, Python's constants would make numba compile a function again for each value
_NONE, _ONE, _WIDTH = (cast("int", np.int64(n)) for n in (0, 1, WIDTH))

# Compiled without leave to reorder.  A process that compiles and one that loads from disk may run
# different copies of these functions, and reordered sums and quotients differ between copies.
# Without the option they would inherit their caller's leave.
_adam, _softmax = (
    numba.njit(fastmath=False, error_model="numpy")(function.py_func)
    for function in (common.adam, common.softmax_cross_entropy)
)

Floats = NDArray[np.float32]
Numbers = NDArray[np.int64]
Words = NDArray[np.uint32]


class Sizes(NamedTuple):
    """A network's sizes as the kernels see them."""

    steps: int
    features: int
    units: int  # rounded up to whole panels
    depth: int  # rows of the LSTM's weights: units, features, 1, rounded up to whole panels
    classes: int


class Buffers(NamedTuple):
    """The arrays of a training: flat float32, `[...]` is the order of the panels in them.

    Python hands the kernels their addresses, as `Buffers` of integers: a compiled function that
    takes twenty arrays compiles slowly.
    """

    weights: Any  # the LSTM's panels, then the dense layer's one panel
    mean: Any  # of the gradients, as Adam keeps it; the order is that of the weights
    square: Any  # of the gradients, likewise
    gradient: Any
    turned: Any  # recurrent, then dense weights, transposed
    rows: Any  # [time + 1][units, features, 1]: the state before a step and the step's input
    gates: Any  # [time][i, f, c, o][units]; on the way back their gradients
    cell: Any  # [time + 1][units]
    squashed: Any  # [time][units]: tanh of the cell after the step
    peak: Any  # [units, 1]: the maximum over time
    ties: Any  # [units]: how often it occurs; on the way back its gradient divided by that
    logits: Any  # [classes]; on the way back their gradients
    state_grad: Any  # [units]
    cell_grad: Any  # [units]


@inlined
def _begin(
    sizes: Sizes,
    rows: Floats,
    peak: Floats,
    images: Floats,
    chosen: Numbers,
    masks: Floats,
    batch: int,
) -> None:
    """Lay out the chosen images, times their masks, and the 1 that stands by each bias."""
    steps, features, units, depth, _ = sizes
    for t in range(steps):
        start = (t * depth + units) * batch
        for b in range(chosen.size):
            n = chosen[b]
            for k in range(features):
                at = start + (k // WIDTH * batch + b) * WIDTH + k % WIDTH
                rows[at] = images[n, t, k] * masks[b, k]
            rows[start + (features // WIDTH * batch + b) * WIDTH + features % WIDTH] = 1.0
    for b in range(batch):
        peak[(units // WIDTH * batch + b) * WIDTH] = 1.0 if b < chosen.size else 0.0


@inlined
def _recur(sizes: Sizes, at: Buffers, t: int, to: int, batch: int) -> None:
    """Compute what enters the gates at time `t` and write it at time `to` of the gates."""
    _, features, units, depth, _ = sizes
    skip = units if t == 0 else 0  # the first state is 0
    rows = at.rows + (t * depth + skip) * batch * FLOAT
    gates = at.gates + to * 4 * units * batch * FLOAT
    terms = units - skip + features + 1
    product(rows, at.weights + skip * ROW, gates, 4 * units // WIDTH, depth, terms, batch)


@inlined
def _classify(sizes: Sizes, at: Buffers, batch: int) -> None:
    """Compute the logits from the maxima over time."""
    _, _, units, depth, _ = sizes
    dense = at.weights + 4 * units * depth * FLOAT
    product(at.peak, dense, at.logits, _ONE, units + WIDTH, units + 1, batch)


@inlined
def _weigh(sizes: Sizes, at: Buffers, first: int, last: int, batch: int) -> None:
    """Add the gradients of the LSTM's weights from the times `first` to `last - 1`."""
    _, features, units, depth, _ = sizes
    per_row, per_gate = depth * batch * FLOAT, 4 * units * batch * FLOAT
    for panel in range(4 * units // WIDTH):
        for row in range(0, depth, WIDTH):
            start = 1 if first == 0 and row < units else first  # the first state is 0
            height = (units + features + 4 - row) // 4 * 4
            if start < last:
                add_outer(
                    at.rows + start * per_row + row * batch * FLOAT,
                    at.gates + start * per_gate + panel * batch * ROW,
                    at.gradient + (panel * depth + row) * ROW,
                    min(height, WIDTH),
                    batch,
                    last - start,
                    per_row,
                    per_gate,
                )


@inlined
def _ahead(sizes: Sizes, at: Buffers, batch: int) -> None:
    """Go through the network, and keep what the way back needs."""
    steps, _, units, depth, _ = sizes
    size = units * batch
    gate = size * FLOAT
    clear(size, (), (at.cell,))
    sink(size, (), (at.peak,))
    for t in range(steps):
        _recur(sizes, at, t, t, batch)
        i, cell, squashed = at.gates + t * 4 * gate, at.cell + t * gate, at.squashed + t * gate
        f, g, o = i + gate, i + 2 * gate, i + 3 * gate
        after = at.rows + (t + 1) * depth * batch * FLOAT
        forward_gates(
            size,
            (i, f, g, o, cell, at.peak, at.ties),
            (i, f, g, o, cell + gate, squashed, after, at.peak, at.ties),
        )
    _classify(sizes, at, batch)


@inlined
def _back(sizes: Sizes, at: Buffers, batch: int) -> None:
    """Compute the weights' gradients from those of the logits."""
    steps, _, units, depth, _ = sizes
    size, dense, panels = units * batch, 4 * units * depth, units // WIDTH
    gate = size * FLOAT
    clear(dense + (units + WIDTH) * WIDTH, (), (at.gradient,))
    for row in range(0, units + WIDTH, WIDTH):
        to = at.gradient + dense * FLOAT + row * ROW
        height = WIDTH if row < units else 4
        add_outer(at.peak + row * batch * FLOAT, at.logits, to, height, batch, _ONE, _NONE, _NONE)
    turned = at.turned + 4 * units * units * FLOAT
    product(at.logits, turned, at.state_grad, panels, _WIDTH, _WIDTH, batch)
    share(size, (at.state_grad, at.ties), (at.ties,))
    clear(size, (), (at.state_grad,))
    clear(size, (), (at.cell_grad,))
    last = steps
    for t in range(steps - 1, -1, -1):
        i, before, squashed = at.gates + t * 4 * gate, at.cell + t * gate, at.squashed + t * gate
        f, g, o = i + gate, i + 2 * gate, i + 3 * gate
        after = at.rows + (t + 1) * depth * batch * FLOAT
        backward_gates(
            size,
            (i, f, g, o, before, squashed, after, at.peak, at.ties, at.state_grad, at.cell_grad),
            (i, f, g, o, at.cell_grad),
        )
        if t > 0:
            product(i, at.turned, at.state_grad, panels, 4 * units, 4 * units, batch)
        if t % BLOCK == 0:
            _weigh(sizes, at, t, last, batch)
            last = t


@compiled
def train(
    sizes: Sizes,
    at: Buffers,
    arrays: tuple[Floats, ...],
    scratch: tuple[Floats, Words, Numbers],
    images: Floats,
    labels: Numbers,
    order: Numbers,
    rates: Floats,
    constants: tuple[np.float32, np.float32, np.float32],
    dropout: tuple[np.uint32, np.float32],
    seeds: Words,
) -> tuple[float, int]:
    """Train on the batches that `order` lists; return the summed loss and the right answers.

    `at` are the addresses of `Buffers`, `arrays` those of them that are used as arrays here:
    weights, mean, square, gradient, turned, rows, peak, logits (batch, WIDTH).  `scratch` are
    factors of the inputs (batch, features), random words (as many, rounded up) and labels (batch).
    `images` (n, steps, features), `labels` (n,), `order` indices into them,
    `rates` and `constants` from `common.Adam`, `dropout` the bound below which 32 random bits drop
    an input and the factor of the others, `seeds` from `common.seeds`.
    """
    weights, mean, square, gradient, turned, rows, peak, logits = arrays
    masks, bits, wanted = scratch
    _, features, units, depth, classes = sizes
    size, dense = wanted.size, 4 * units * depth
    loss, right, before = 0.0, 0, 0
    for step in range(rates.size):
        chosen = order[step * size : (step + 1) * size]
        count = chosen.size
        batch = (count + 3) // 4 * 4
        if count != before:  # the padding is elsewhere than it was
            for k in range(rows.size):
                rows[k] = 0.0
            before = count
        if dropout[0] > 0:
            draw(seeds, bits)
            for b in range(size):
                for k in range(features):
                    drop = bits[b * features + k] < dropout[0]
                    masks[b, k] = np.float32(0) if drop else dropout[1]
        _begin(sizes, rows, peak, images, chosen, masks, batch)
        _ahead(sizes, at, batch)
        for b in range(count):
            wanted[b] = labels[chosen[b]]
        part, good = _softmax(logits[:count], wanted, classes)
        for b in range(count, batch):
            for k in range(WIDTH):
                logits[b, k] = 0.0
        transpose(weights, _NONE, turned, _NONE, units, 4 * units, depth)
        transpose(weights, dense, turned, 4 * units * units, units, _WIDTH, units + WIDTH)
        _back(sizes, at, batch)
        _adam(weights, mean, square, gradient, rates[step], *constants)
        loss += part
        right += good
    return loss, right


@compiled
def read(
    sizes: Sizes,
    at: Buffers,
    arrays: tuple[Floats, Floats],
    images: Floats,
    numbers: Numbers,
    masks: Floats,
) -> None:
    """Leave the logits of the images that have these numbers in `at.logits`, without dropout.

    `at` and `arrays` as for `train`, though of one time step only; `masks` (batch, features) of 1.
    """
    steps, _, units, depth, _ = sizes
    batch = (numbers.size + 3) // 4 * 4
    size = units * batch
    gate = size * FLOAT
    rows, peak = arrays
    for k in range(rows.size):
        rows[k] = 0.0
    _begin(sizes, rows, peak, images, numbers, masks, batch)
    clear(size, (), (at.cell,))
    sink(size, (), (at.peak,))
    i, f, g, o = at.gates, at.gates + gate, at.gates + 2 * gate, at.gates + 3 * gate
    for t in range(steps):
        _recur(sizes, at, t, _NONE, batch)
        after = at.rows + (t + 1) * depth * batch * FLOAT
        read_gates(size, (i, f, g, o, at.cell, at.peak), (at.cell, after, at.peak))
    _classify(sizes, at, batch)
