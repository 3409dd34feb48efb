"""Training steps of a chain of dense layers, compiled.

Most of what such a network multiplies is 0: four pixels in five, and after ReLU and dropout three
hidden values in five.  The products here walk through the set bits of a mask of nonzero values
and add up rows of the other matrix in registers, so they do only the multiplications that count
and lose little where every value counts.  A row's gradient goes straight into its Adam update.
"""

# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False
# ruff: noqa: ANN001, ANN201 (numba finds the types of what it compiles)

from __future__ import annotations

import numpy as np

from mnistrobust.engine import common
from mnistrobust.engine.machine_code import compiled, inlined
from mnistrobust.engine.vectors import (
    at_least,
    fill16,
    fill64,
    larger,
    load16,
    load64,
    lowest,
    nonzero32,
    nonzero64,
    prefetch,
    spread16,
    spread64,
    sqrt,
    store,
    transpose8,
    where_positive,
)  # fmt: skip

# Columns of the layer table.  Each layer is one matrix: `DEPTH` rows of inputs and, last, its bias,
# `PITCH` columns of which `WIDTH` are outputs and the rest stay 0.
DEPTH, WIDTH, PITCH, START, INPUT, STRIDE, OUTPUT, NEXT = range(8)
_ONE = np.uint64(1)


@inlined
def product(a, a0, lda, depth, b, b0, ldb, width, out, o0, ldo, rows):
    """Add the matrix a (rows, depth) times b (depth, width) to `out` (rows, width).

    All three lie in flat arrays, at an offset and with a row pitch.  `a` is 0 up to the next
    multiple of 64 columns, `width` is a multiple of 16.
    """
    for first in range(0, depth, 64):  # 64 rows of 64 columns of b stay in the fastest cache
        wide = width - width % 64
        for j in range(0, wide, 64):
            for r in range(rows):
                base, at = b0 + first * ldb + j, a0 + r * lda + first
                mask = nonzero64(a, at)
                total = load64(out, o0 + r * ldo + j)
                while mask != 0:
                    k = lowest(mask)
                    mask &= mask - _ONE
                    total = total + spread64(a, at + k) * load64(b, base + k * ldb)
                store(out, o0 + r * ldo + j, total)
                for ahead in range(r, 64, rows):  # of the next 64 rows
                    for line in range(0, 64, 16):
                        prefetch(b, b0 + (first + 64 + ahead) * ldb + j + line)
        for j in range(wide, width, 16):
            for r in range(rows):
                base, at = b0 + first * ldb + j, a0 + r * lda + first
                mask = nonzero64(a, at)
                part = load16(out, o0 + r * ldo + j)
                while mask != 0:
                    k = lowest(mask)
                    mask &= mask - _ONE
                    part = part + spread16(a, at + k) * load16(b, base + k * ldb)
                store(out, o0 + r * ldo + j, part)


@inlined
def transpose(a, a0, lda, rows, columns, out, o0, ldo):
    """Write a (rows, columns), rounded up to multiples of 8, to `out` (columns, ldo)."""
    for first in range(0, columns, 8):
        for r in range(0, rows, 8):
            transpose8(a, a0 + r * lda + first, lda, out, o0 + first * ldo + r, ldo)


@inlined
def forward(layer, w, values, rows):
    """Write a layer's outputs before its activation."""
    depth, pitch, start, output = layer[DEPTH], layer[PITCH], layer[START], layer[OUTPUT]
    for r in range(rows):
        for j in range(0, pitch, 16):
            store(values, output + r * layer[NEXT] + j, load16(w, start + depth * pitch + j))
    product(
        values, layer[INPUT], layer[STRIDE], depth, w, start, pitch, pitch,
        values, output, layer[NEXT], rows,
    )  # fmt: skip


@inlined
def activate(layer, values, rows, bits, chances, bound, scale, state):
    """Apply ReLU and dropout to a layer's outputs; NaN stays NaN."""
    pitch, zero, factor = layer[PITCH], fill16(np.float32(0)), fill16(scale)
    if bound > 0:
        common.draw_some(state, bits, rows * pitch // 2)
    for r in range(rows):
        for j in range(0, pitch, 16):
            at = layer[OUTPUT] + r * layer[NEXT] + j
            on = larger(zero, load16(values, at)) * factor
            store(values, at, at_least(chances, r * pitch + j, bound, on))


@inlined
def descend(layer, alive, w, m, v, flipped, delta, pitch_delta, height, row, rate, rises):
    """Update a layer's weights: row i's gradient is the sum over images of input i times delta.

    `flipped` (DEPTH + 1, images) holds the inputs and, for the bias, a row of ones.  A row whose
    input was never nonzero has no momentum, so nothing happens to it.
    """
    pitch = layer[PITCH]
    rise_1, rise_2, little = fill16(rises[0]), fill16(rises[1]), fill16(rises[2])
    step = fill16(rate)
    wide = pitch - pitch % 64
    for i in range(layer[DEPTH] + 1):
        at = i * height
        used = np.uint64(0)
        for first in range(0, height, 32):
            used |= nonzero32(flipped, at + first)
        if used != 0:
            alive[i] = True
        elif not alive[i]:
            continue
        for j in range(0, wide, 64):
            total = fill64(np.float32(0))
            for first in range(0, height, 32):
                mask = nonzero32(flipped, at + first)
                while mask != 0:
                    k = lowest(mask) + first
                    mask &= mask - _ONE
                    total = total + spread64(flipped, at + k) * load64(delta, k * pitch_delta + j)
            store(row, j, total)
        for j in range(wide, pitch, 16):
            part = fill16(np.float32(0))
            for first in range(0, height, 32):
                mask = nonzero32(flipped, at + first)
                while mask != 0:
                    k = lowest(mask) + first
                    mask &= mask - _ONE
                    part = part + spread16(flipped, at + k) * load16(delta, k * pitch_delta + j)
            store(row, j, part)
        base = layer[START] + i * pitch
        for j in range(0, pitch, 16):
            prefetch(m, base + 2 * pitch + j)
            prefetch(v, base + 2 * pitch + j)
            prefetch(w, base + 2 * pitch + j)
            g, old_m, old_v = load16(row, j), load16(m, base + j), load16(v, base + j)
            new_m = old_m + (g - old_m) * rise_1
            new_v = old_v + (g * g - old_v) * rise_2
            store(m, base + j, new_m)
            store(v, base + j, new_v)
            store(w, base + j, load16(w, base + j) - new_m * step / (sqrt(new_v) + little))


@compiled
def train(
    layers, classes, w, m, v, alive, images, labels, batches, batch, rates, rises, bounds, scales,
    state, scratch, bits, chances, chosen, z,
):  # fmt: skip
    """Take one step for each `batch` images named in `batches`; return summed loss and hits."""
    values, flipped, delta, before, turned, row = scratch
    count, pixels, height = len(layers), layers[0, DEPTH], (batch + 31) // 32 * 32
    origin = layers[0, INPUT]  # 0, but not a literal: a constant would compile kernels twice
    last = layers[count - 1]
    loss, hits = 0.0, 0
    for s in range(rates.size):
        rows = min(batch, batches.size - s * batch)
        if rows < batch:
            values[:] = 0
        for r in range(rows):
            chosen[r] = labels[batches[s * batch + r]]
            at, image = r * layers[0, STRIDE], batches[s * batch + r] * pixels
            for i in range(0, pixels - 15, 16):
                store(values, at + i, load16(images, image + i))
            for i in range(pixels // 16 * 16, pixels):
                values[at + i] = images[image + i]
        for n in range(count):
            forward(layers[n], w, values, rows)
            if n < count - 1:
                activate(
                    layers[n], values, rows, bits, chances, bounds[n], scales[n], state
                )  # fmt: skip
            if n == 0:
                for k in range((s + 1) * batch, min((s + 2) * batch, batches.size)):
                    for i in range(0, pixels, 16):
                        prefetch(images, batches[k] * pixels + i)
        for r in range(rows):
            for o in range(classes):
                z[r, o] = values[last[OUTPUT] + r * last[NEXT] + o]
        one, right = common.softmax_cross_entropy(z[:rows], chosen, classes)
        loss += one
        hits += right
        for k in range(rows * last[NEXT]):
            delta[k] = np.float32(0)
        for r in range(rows):
            for o in range(classes):
                delta[r * last[NEXT] + o] = z[r, o]
        for n in range(count - 1, -1, -1):
            layer = layers[n]
            depth, start, stride = layer[DEPTH], layer[START], layer[STRIDE]
            transpose(values, layer[INPUT], stride, height, depth, flipped, origin, height)
            for r in range(height):
                flipped[depth * height + r] = np.float32(1 if r < rows else 0)
            if n > 0:
                even = layers[n - 1, PITCH]
                transpose(w, start, layer[PITCH], depth, layer[WIDTH], turned, origin, even)
                for k in range(0, rows * stride, 16):
                    store(before, k, fill16(np.float32(0)))
                product(
                    delta, origin, layer[NEXT], layer[WIDTH], turned, origin, even, even,
                    before, origin, stride, rows,
                )  # fmt: skip
            descend(
                layer, alive[n], w, m, v, flipped, delta, layer[NEXT], height, row, rates[s], rises
            )
            if n > 0:
                factor = fill16(scales[n - 1])
                for k in range(0, rows * stride, 16):
                    on = load16(values, layer[INPUT] + k)
                    store(delta, k, where_positive(on, load16(before, k) * factor))
    return loss, hits
