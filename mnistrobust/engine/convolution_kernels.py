"""Training steps of a CNN: 3 x 3 convolution, dropout, 2 x 2 pooling, two dense layers; compiled.

The convolution's output before pooling never exists as a whole: each pooled position of each image
is convolved, masked and pooled at once.  Values dropped before pooling are 0, so ReLU can wait
until after it, and only the position that won gets a gradient.  The dense layer's weights are most
of the network: they are walked through once forwards and once backwards, 256 rows at a time, and a
row's gradient goes straight into its Adam update.
"""

# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False
# ruff: noqa: ANN001, ANN201 (numba finds the types of what it compiles)

from __future__ import annotations

import numpy as np

from mnistrobust.engine import common
from mnistrobust.engine.dense_kernels import product, transpose
from mnistrobust.engine.machine_code import compiled, inlined
from mnistrobust.engine.vectors import (
    at_least,
    fill16,
    fill32,
    fill64,
    larger,
    load8,
    load16,
    load32,
    load64,
    lowest,
    nonzero32,
    prefetch,
    spread8,
    spread16,
    spread32,
    spread64,
    sqrt,
    store,
    store_winner,
    unless,
    where,
)  # fmt: skip

_ONE = np.uint64(1)
_NONE = np.uint8(255)  # the code of a pooled value that is 0, which gets no gradient


@inlined
def is_blank(images, at, width):
    """Return whether the 4 x 4 pixels from `at`, which a pooled position sees, are all 0."""
    for line in range(4):
        for i in range(4):
            if images[at + line * width + i] != 0:
                return False
    return True


@inlined
def pooled(images, at, width, blank, filters, k, chances, bound, scale, values, codes, out):
    """Write one pooled value for each filter to `values[out:]`, and which of four it was to `codes`.

    Four neighbouring convolutions are the candidates; one is kept where its 16 random bits are at
    least `bound`.  `k` (10, filters) holds the nine taps and the bias.
    """
    for c in range(0, filters, 16):
        a0 = a1 = a2 = a3 = load16(k, 9 * filters + c)
        if not blank:
            for line in range(3):
                for i in range(3):
                    tap = load16(k, (line * 3 + i) * filters + c)
                    p = at + line * width + i
                    a0 = a0 + spread16(images, p) * tap
                    a1 = a1 + spread16(images, p + 1) * tap
                    a2 = a2 + spread16(images, p + width) * tap
                    a3 = a3 + spread16(images, p + width + 1) * tap
        a0 = at_least(chances, 4 * c, bound, a0)
        a1 = at_least(chances, 4 * c + 16, bound, a1)
        a2 = at_least(chances, 4 * c + 32, bound, a2)
        a3 = at_least(chances, 4 * c + 48, bound, a3)
        best = larger(larger(larger(a0, a1), larger(a2, a3)), fill16(np.float32(0)))
        store(values, out + c, best * fill16(scale))
        store_winner(codes, out + c, best, a0, a1, a2, a3)


@compiled
def features(
    images, size, filters, k, w, width, values, codes, pitch, hidden, rows, bound, scale, state,
    bits, chances,
):  # fmt: skip
    """Add the pooled features times the dense layer's weights `w` to `hidden` (rows, width).

    `values` and `codes` (positions, height, filters) keep the features and which of four each was;
    with a `pitch` of 0 between positions they are only scratch.
    """
    tall, wide = size
    position = origin = 0 * rows  # not literals: constants would compile kernels twice
    for y in range(0, (tall - 2) // 2 * 2, 2):
        for x in range(0, (wide - 2) // 2 * 2, 2):
            at = position * pitch
            for r in range(rows):
                if bound > 0:
                    common.draw_some(state, bits, 2 * filters)
                corner = r * tall * wide + y * wide + x
                pooled(
                    images, corner, wide, is_blank(images, corner, wide), filters, k, chances,
                    bound, scale, values, codes, at + r * filters,
                )  # fmt: skip
            product(
                values, at, filters, filters, w, position * filters * width, width, width,
                hidden, origin, width, rows,
            )  # fmt: skip
            position += 1


@inlined
def descend(w, w0, width, rows, turned_delta, height, out):
    """Write w (rows, width) times delta (width, height) to `out` (rows, height)."""
    for i in range(0, rows, 2):
        for b in range(0, height, 32):
            p = q = fill32(np.float32(0))
            for j in range(width):
                d = load32(turned_delta, j * height + b)
                p = p + spread32(w, w0 + i * width + j) * d
                q = q + spread32(w, w0 + (i + 1) * width + j) * d
            store(out, i * height + b, p)
            store(out, (i + 1) * height + b, q)


@inlined
def adam_rows(w, m, v, start, rows, width, turned, height, delta, alive, first, row, rate, rises):
    """Update `rows` rows of weights: row i's gradient is the sum over images of turned[i] x delta."""
    rise_1, rise_2, little = fill16(rises[0]), fill16(rises[1]), fill16(rises[2])
    step = fill16(rate)
    wide = width - width % 64
    for i in range(rows):
        at = i * height
        used = np.uint64(0)
        for b in range(0, height, 32):
            used |= nonzero32(turned, at + b)
        if used != 0:
            alive[first + i] = True
        elif not alive[first + i]:
            continue
        base = start + i * width
        for j in range(0, wide, 64):
            total = fill64(np.float32(0))
            for b in range(0, height, 32):
                mask = nonzero32(turned, at + b)
                while mask != 0:
                    n = lowest(mask) + b
                    mask &= mask - _ONE
                    total = total + spread64(turned, at + n) * load64(delta, n * width + j)
            store(row, j, total)
        for j in range(wide, width, 16):
            part = fill16(np.float32(0))
            for b in range(0, height, 32):
                mask = nonzero32(turned, at + b)
                while mask != 0:
                    n = lowest(mask) + b
                    mask &= mask - _ONE
                    part = part + spread16(turned, at + n) * load16(delta, n * width + j)
            store(row, j, part)
        for j in range(0, width, 16):
            prefetch(m, base + 4 * width + j)
            prefetch(v, base + 4 * width + j)
            prefetch(w, base + 4 * width + j)
            g, old_m, old_v = load16(row, j), load16(m, base + j), load16(v, base + j)
            new_m = old_m + (g - old_m) * rise_1
            new_v = old_v + (g * g - old_v) * rise_2
            store(m, base + j, new_m)
            store(v, base + j, new_v)
            store(w, base + j, load16(w, base + j) - new_m * step / (sqrt(new_v) + little))


@inlined
def add_taps(images, area, at, wide, filters, gradient, codes, code_at, out, rows, shown):
    """Add one pooled position's share of the gradient of taps and biases to `out` (10, filters).

    `gradient` (rows, filters) is that of the pooled values, `codes` says which of four each was.
    Images with nothing there count for the bias only; `shown` is room for the order, them last.
    """
    count, last = 0, rows
    for r in range(rows):
        if is_blank(images, r * area + at, wide):
            last -= 1
            shown[last] = r
        else:
            shown[count] = r
            count += 1
    for c in range(0, filters, 8):
        k0, k1, k2 = load8(out, c), load8(out, filters + c), load8(out, 2 * filters + c)
        k3, k4 = load8(out, 3 * filters + c), load8(out, 4 * filters + c)
        k5, k6 = load8(out, 5 * filters + c), load8(out, 6 * filters + c)
        k7, k8 = load8(out, 7 * filters + c), load8(out, 8 * filters + c)
        bias = load8(out, 9 * filters + c)
        for n in range(rows):
            r = shown[n]
            g, code = load8(gradient, r * filters + c), code_at + r * filters + c
            bias = bias + unless(codes, code, _NONE, g)
            if n >= count:
                continue
            g0, g1 = where(codes, code, 0, g), where(codes, code, 1, g)
            g2, g3 = where(codes, code, 2, g), where(codes, code, 3, g)
            p = r * area + at
            x = spread8(images, p)
            k0 = k0 + g0 * x
            x = spread8(images, p + 1)
            k0, k1 = k0 + g1 * x, k1 + g0 * x
            x = spread8(images, p + 2)
            k1, k2 = k1 + g1 * x, k2 + g0 * x
            x = spread8(images, p + 3)
            k2 = k2 + g1 * x
            p += wide
            x = spread8(images, p)
            k0, k3 = k0 + g2 * x, k3 + g0 * x
            x = spread8(images, p + 1)
            k0, k1, k3, k4 = k0 + g3 * x, k1 + g2 * x, k3 + g1 * x, k4 + g0 * x
            x = spread8(images, p + 2)
            k1, k2, k4, k5 = k1 + g3 * x, k2 + g2 * x, k4 + g1 * x, k5 + g0 * x
            x = spread8(images, p + 3)
            k2, k5 = k2 + g3 * x, k5 + g1 * x
            p += wide
            x = spread8(images, p)
            k3, k6 = k3 + g2 * x, k6 + g0 * x
            x = spread8(images, p + 1)
            k3, k4, k6, k7 = k3 + g3 * x, k4 + g2 * x, k6 + g1 * x, k7 + g0 * x
            x = spread8(images, p + 2)
            k4, k5, k7, k8 = k4 + g3 * x, k5 + g2 * x, k7 + g1 * x, k8 + g0 * x
            x = spread8(images, p + 3)
            k5, k8 = k5 + g3 * x, k8 + g1 * x
            p += wide
            x = spread8(images, p)
            k6 = k6 + g2 * x
            x = spread8(images, p + 1)
            k6, k7 = k6 + g3 * x, k7 + g2 * x
            x = spread8(images, p + 2)
            k7, k8 = k7 + g3 * x, k8 + g2 * x
            x = spread8(images, p + 3)
            k8 = k8 + g3 * x
        store(out, c, k0)
        store(out, filters + c, k1)
        store(out, 2 * filters + c, k2)
        store(out, 3 * filters + c, k3)
        store(out, 4 * filters + c, k4)
        store(out, 5 * filters + c, k5)
        store(out, 6 * filters + c, k6)
        store(out, 7 * filters + c, k7)
        store(out, 8 * filters + c, k8)
        store(out, 9 * filters + c, bias)


@inlined
def finish(
    head, slope, hidden, delta, z, labels, chances, bound, scale, rows, width, outputs, classes
):
    """Turn the dense layer's `hidden` values into loss, hits, and the gradients behind both layers.

    `slope` becomes the gradient of `head` (width + 1, outputs), `delta` that of `hidden`.
    """
    for e in range(rows * width):
        hidden[e] = hidden[e] * scale if chances[e] >= bound else np.float32(0)
    for r in range(rows):
        for o in range(0, outputs, 16):
            total = load16(head, width * outputs + o)
            for j in range(width):
                total = total + spread16(hidden, r * width + j) * load16(head, j * outputs + o)
            store(slope, o, total)
        for o in range(outputs):
            z[r, o] = slope[o]
    loss, right = common.softmax_cross_entropy(z[:rows], labels, classes)
    slope[:] = 0
    for r in range(rows):
        for j in range(width):
            total = np.float32(0)
            for o in range(classes):
                total += z[r, o] * head[j * outputs + o]
                slope[j * outputs + o] += hidden[r * width + j] * z[r, o]
            keep = chances[r * width + j] >= bound
            delta[r * width + j] = total * scale if keep else np.float32(0)
        for o in range(classes):
            slope[width * outputs + o] += z[r, o]
    return loss, right


@compiled
def learn(
    shape, k, w, head, moments, alive, pixels, labels, rows, rate, rises, bounds, scales, state,
    values, codes, hidden, scratch, z, bits, chances, shown,
):  # fmt: skip
    """Take one step for the `rows` images that `features` read; return summed loss and hits.

    `shape` is (image height, image width, filters, positions, dense width, outputs, classes), the
    widths padded; `k` the taps and biases, `w` the dense weights and, last, their biases, `head`
    (dense width + 1, outputs) the last layer; `moments` two arrays for each.
    """
    tall, wide, filters, positions, width, outputs, classes = shape
    turned, back, gradient, delta, delta_turned, taps, row, slope = scratch
    km, kv, wm, wv, hm, hv = moments
    area, height = tall * wide, delta.size // width
    end, pitch = positions * filters * width, height * filters
    if bounds[1] > 0:
        common.draw_some(state, bits, rows * width // 2)
    delta[:] = 0
    loss, hits = finish(
        head, slope, hidden, delta, z, labels, chances, bounds[1], scales[1], rows, width,
        outputs, classes,
    )  # fmt: skip
    common.adam(head, hm, hv, slope, rate, rises[0], rises[1], rises[2])
    position = origin = 0 * rows  # not literals: constants would compile kernels twice
    transpose(delta, origin, width, height, width, delta_turned, origin, height)
    taps[:] = 0
    for y in range(0, (tall - 2) // 2 * 2, 2):
        for x in range(0, (wide - 2) // 2 * 2, 2):
            start, at = position * filters * width, position * pitch
            transpose(values, at, filters, height, filters, turned, origin, height)
            descend(w, start, width, filters, delta_turned, height, back)
            transpose(back, origin, height, filters, height, gradient, origin, filters)
            adam_rows(
                w, wm, wv, start, filters, width, turned, height, delta, alive,
                position * filters, row, rate, rises,
            )  # fmt: skip
            add_taps(
                pixels, area, y * wide + x, wide, filters, gradient, codes, at, taps, rows, shown
            )
            position += 1
    row[:] = 0
    for r in range(rows):
        for j in range(width):
            row[j] += delta[r * width + j]
    common.adam(
        w[end : end + width], wm[end : end + width], wv[end : end + width], row, rate, rises[0],
        rises[1], rises[2],
    )  # fmt: skip
    for e in range(taps.size):
        taps[e] *= scales[0]
    common.adam(k, km, kv, taps, rate, rises[0], rises[1], rises[2])
    return loss, hits
