"""What an LSTM computes at each time step, compiled: products of panels, and the gates.

`batch` is a multiple of 4.  Numbers that are handed on as `a`, `b`, `c` are addresses of panels in
the sense of `recurrent_lanes`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mnistrobust.engine.machine_code import inlined
from mnistrobust.engine.recurrent_lanes import WIDTH, Lanes, gates, lanewise, tanh, tile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

FLOAT = 4  # bytes
ROW = WIDTH * FLOAT  # bytes of a panel's row


def _forward(
    i: Lanes, f: Lanes, g: Lanes, o: Lanes, cell: Lanes, peak: Lanes, ties: Lanes
) -> tuple[Lanes, ...]:
    i, f, g, o = gates(i, f, g, o)
    cell = f * cell + i.product(g)
    (squashed,) = tanh(cell)
    state = o * squashed
    ties = state.where(">", peak, 1.0, state.where("==", peak, ties + 1.0, ties))
    peak = state.where("<=", peak, peak, state)  # rather than ">", so that NaN shows
    return i, f, g, o, cell, squashed, state, peak, ties


def _read(i: Lanes, f: Lanes, g: Lanes, o: Lanes, cell: Lanes, peak: Lanes) -> tuple[Lanes, ...]:
    i, f, g, o = gates(i, f, g, o)
    cell = f * cell + i.product(g)
    (squashed,) = tanh(cell)
    state = o * squashed
    return cell, state, state.where("<=", peak, peak, state)


def _backward(
    i: Lanes,
    f: Lanes,
    g: Lanes,
    o: Lanes,
    before: Lanes,
    squashed: Lanes,
    state: Lanes,
    peak: Lanes,
    share: Lanes,
    state_grad: Lanes,
    cell_grad: Lanes,
) -> tuple[Lanes, ...]:
    # as TensorFlow's maximum does, the pooling divides its gradient among equal maxima
    state_grad = state_grad + state.where("==", peak, share, 0.0)
    o_grad = state_grad * squashed * o * (1.0 - o)
    cell_grad = cell_grad + state_grad * o * (1.0 - squashed * squashed)
    i_grad = cell_grad * g * i * (1.0 - i)
    f_grad = cell_grad * before * f * (1.0 - f)
    g_grad = cell_grad * i * (1.0 - g * g)
    return i_grad, f_grad, g_grad, o_grad, cell_grad * f


def _shared(gradient: Lanes, ties: Lanes) -> tuple[Lanes, ...]:
    return (gradient / ties,)


forward_gates, read_gates, backward_gates = lanewise(_forward), lanewise(_read), lanewise(_backward)
share, clear, sink = lanewise(_shared), lanewise(lambda: (0.0,)), lanewise(lambda: (-np.inf,))
_six, _five, _four = (tile(height, transposed=False) for height in (6, 5, 4))
_six_t, _five_t, _four_t = (tile(height, transposed=True) for height in (6, 5, 4))


@inlined
def product(a: int, b: int, c: int, panels: int, depth: int, terms: int, batch: int) -> None:
    """Write to `c` the batch `a` times the first `terms` of `depth` rows of `panels` panels `b`."""
    for panel in range(panels):
        first, weights, to = a, b + panel * depth * ROW, c + panel * batch * ROW
        left = batch
        while left > 0:
            # as few tiles of height 4 as possible: they use the arithmetic units worst
            if left < 6 * (left % 5):
                _four(first, weights, to, terms, WIDTH, batch * ROW, WIDTH * ROW, 0)
                done = 4
            elif left % 5 == 0:
                _five(first, weights, to, terms, WIDTH, batch * ROW, WIDTH * ROW, 0)
                done = 5
            else:
                _six(first, weights, to, terms, WIDTH, batch * ROW, WIDTH * ROW, 0)
                done = 6
            left -= done
            first += done * ROW
            to += done * ROW


@inlined
def add_outer(
    a: int, b: int, c: int, height: int, batch: int, times: int, step_a: int, step_b: int
) -> None:
    """Add to `c` the first `height` columns of panel `a`, transposed, times panel `b`.

    `height` is a multiple of 4; the sum goes over the batch and over `times` time steps, which lie
    `step_a` and `step_b` bytes apart.
    """
    terms = times * batch
    while height > 0:
        if height < 6 * (height % 5):
            _four_t(a, b, c, terms, batch, step_a, step_b, 1)
            done = 4
        elif height % 5 == 0:
            _five_t(a, b, c, terms, batch, step_a, step_b, 1)
            done = 5
        else:
            _six_t(a, b, c, terms, batch, step_a, step_b, 1)
            done = 6
        height -= done
        a += done * FLOAT
        c += done * ROW


@inlined
def transpose(
    source: Floats, start: int, target: Floats, to: int, rows: int, columns: int, depth: int
) -> None:
    """Transpose the first `rows` of `depth` rows of panels with `columns` columns altogether."""
    for left in range(rows // WIDTH):
        for right in range(columns // WIDTH):
            for j in range(WIDTH):
                for k in range(WIDTH):
                    value = source[start + (right * depth + left * WIDTH + k) * WIDTH + j]
                    target[to + (left * columns + right * WIDTH + j) * WIDTH + k] = value
