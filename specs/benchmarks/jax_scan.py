"""JAX as an expert writes it by hand: the whole epoch is one compiled scan, with Adam in it."""

import itertools

import numpy as np

from specs.benchmarks.contestants import BATCH, RATE, training_images

# A mask takes 8 random bits a value, four to a drawn word: several times faster than floats, and
# than a draw of bytes.
_LEVELS = 256


def prepare(job):
    """Train like `fit`, but without counting accuracy."""
    import jax
    import jax.numpy as jnp

    pixels, digits = training_images(job)
    weights, logits, shape = NETWORKS[job["network"]](jax)
    images = jnp.asarray(pixels.reshape(-1, *shape))
    labels = jnp.asarray(digits.astype(np.int32))

    def loss(weights, key, x, y):
        scores = jax.nn.log_softmax(logits(weights, key, x))
        return -jnp.take_along_axis(scores, y[:, None], axis=1).mean()

    def step(state, batch):
        weights, mean, square, count, key = state
        key, now = jax.random.split(key)
        found, slope = jax.value_and_grad(loss)(weights, now, images[batch], labels[batch])
        count = count + 1
        rate = 0.001 * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
        mean = jax.tree.map(lambda m, g: m + (g - m) * 0.1, mean, slope)
        square = jax.tree.map(lambda v, g: v + (g * g - v) * 0.001, square, slope)
        weights = jax.tree.map(
            lambda w, m, v: w - rate * m / (jnp.sqrt(v) + 1e-7), weights, mean, square
        )
        return (weights, mean, square, count, key), found

    def epoch(state, order):
        return jax.lax.scan(step, state, order)

    compiled = jax.jit(epoch, donate_argnums=0)
    zeros = [jax.tree.map(jnp.zeros_like, weights) for _ in range(2)]
    state = (weights, *zeros, jnp.float32(0), jax.random.key(0))
    rng = np.random.default_rng(0)

    def run(epochs):
        nonlocal state
        for _ in range(epochs):
            steps = len(digits) // BATCH
            order = rng.permutation(len(digits))[: steps * BATCH].reshape(steps, BATCH)
            state, losses = compiled(state, order.astype(np.int32))
            losses.block_until_ready()

    return run


def _dropout(jax, key, x):
    words = jax.random.bits(key, (-(-x.size // 4),), "uint32")
    levels = jax.lax.bitcast_convert_type(words, "uint8").reshape(-1)[: x.size].reshape(x.shape)
    return jax.numpy.where(levels >= round(RATE * _LEVELS), x / (1 - RATE), 0)


def _glorot(jax, *shape):
    return jax.nn.initializers.glorot_uniform()(jax.random.key(0), shape)


def _dense(jax, *sizes):
    pairs = itertools.pairwise(sizes)
    return [(_glorot(jax, *pair), jax.numpy.zeros(pair[1])) for pair in pairs]


def _ann(jax):
    def logits(weights, key, x):
        *hidden, (top, bias) = weights
        for each, (matrix, add) in zip(jax.random.split(key, 3), hidden, strict=True):
            x = _dropout(jax, each, jax.nn.relu(x @ matrix + add))
        return x @ top + bias

    return _dense(jax, 784, 128, 128, 128, 10), logits, (784,)


def _rnn(jax):
    jnp = jax.numpy
    orthogonal = jax.nn.initializers.orthogonal()(jax.random.key(0), (128, 512))
    forget = jnp.repeat(jnp.array([0.0, 1.0, 0.0, 0.0]), 128)
    lstm = (_glorot(jax, 28, 512), orthogonal, forget)

    def logits(weights, key, x):
        (inputs, recurrent, add), (top, bias) = weights
        # one mask for all rows of an image; the inputs' products for all rows at once
        x = x * _dropout(jax, key, jnp.ones((len(x), 1, 28)))
        gates = x.swapaxes(0, 1) @ inputs + add

        def row(state, now):
            h, c = state
            i, f, g, o = jnp.split(now + h @ recurrent, 4, axis=1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        start = jnp.zeros((len(x), 128))
        _, states = jax.lax.scan(row, (start, start), gates)
        return states.max(axis=0) @ top + bias

    return [lstm, *_dense(jax, 128, 10)], logits, (28, 28)


def _cnn(jax):
    jnp = jax.numpy
    weights = [(_glorot(jax, 3, 3, 1, 256), jnp.zeros(256)), *_dense(jax, 13 * 13 * 256, 64, 10)]

    def logits(weights, key, x):
        (filters, add), (matrix, shift), (top, bias) = weights
        one, two = jax.random.split(key)
        layout = ("NHWC", "HWIO", "NHWC")
        x = jax.lax.conv_general_dilated(x, filters, (1, 1), "VALID", dimension_numbers=layout)
        x = _dropout(jax, one, jax.nn.relu(x + add))
        # the maximum over reshaped axes: its gradient is much faster than a window's
        x = x.reshape(-1, 13, 2, 13, 2, 256).max(axis=(2, 4)).reshape(len(x), -1)
        return _dropout(jax, two, x @ matrix + shift) @ top + bias

    return weights, logits, (28, 28, 1)


NETWORKS = {"ann": _ann, "rnn": _rnn, "cnn": _cnn}
