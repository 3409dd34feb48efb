"""A training step of the three networks in NumPy, with dropout on, for given masks.

Written from the definitions, in float64 and one operation after the other. A mask holds the factors
of the values: 0, or 1 / (1 - rate). Each network returns its logits, and a function from their
gradient to the gradients of the weights, in Keras's order.
"""

import numpy as np

ROTATIONS = (7, 11)  # of xoshiro128++ (Blackman and Vigna, 2021)


class Bits:
    """The engine's random numbers: sixteen xoshiro128++ generators side by side."""

    def __init__(self, state):
        self.state = [part.copy() for part in np.split(state, 4)]

    def words(self, count):
        """Return the next words, (count,) rounded up to a multiple of 16, uint32."""
        return np.concatenate([self._next() for _ in range(-(-count // 16))])

    def halves(self, count):
        """Return the next `count` numbers of 16 bits."""
        return self.words(count // 2).view(np.uint16)[:count]

    def _next(self):
        a, b, c, d = self.state
        word = rotated(a + d, ROTATIONS[0]) + a
        c, d = c ^ a, d ^ b
        self.state = [a ^ d, b ^ c, c ^ (b << np.uint32(9)), rotated(d, ROTATIONS[1])]
        return word


def rotated(words, count):
    return (words << np.uint32(count)) | (words >> np.uint32(32 - count))


def mask(bits, rate):
    """Return factors: random bits below the rate drop a value, the others scale it up."""
    bound = round(rate * 2.0 ** (8 * bits.dtype.itemsize))
    return np.where(bits < bound, 0.0, 1 / (1 - rate))


class Ann:
    """Dense layers with ReLU and dropout, then a dense layer."""

    def __init__(self, rate):
        self.rate = rate

    def masks(self, bits, n, weights):
        """Return a mask (n, width) for each hidden layer."""
        shapes = [(n, bias.size) for bias in weights[1:-2:2]]
        return [mask(bits.halves(a * b), self.rate).reshape(a, b) for a, b in shapes]

    def __call__(self, weights, images, masks):
        kernels, biases = weights[::2], weights[1::2]
        inputs, slopes = [images], []
        for kernel, bias, factors in zip(kernels, biases, masks, strict=False):
            values = inputs[-1] @ kernel + bias
            slopes.append((values > 0) * factors)
            inputs.append(values * slopes[-1])

        def back(gradient):
            gradients = []
            for n in reversed(range(len(kernels))):
                gradients[:0] = [inputs[n].T @ gradient, gradient.sum(axis=0)]
                if n:
                    gradient = (gradient @ kernels[n].T) * slopes[n - 1]
            return gradients

        return inputs[-1] @ kernels[-1] + biases[-1], back


class Rnn:
    """An LSTM with input dropout, one mask for all rows; the maximum over time; a dense layer."""

    def __init__(self, rate, batch):
        self.rate, self.batch = rate, batch

    def masks(self, bits, n, weights):
        """Return a mask (n, features); the engine draws for whole batches."""
        features = len(weights[0])
        drawn = bits.words(self.batch * features)[: self.batch * features]
        return mask(drawn, self.rate).reshape(-1, features)[:n]

    def __call__(self, weights, images, masks):
        kernel, recurrent, bias, head, head_bias = weights
        rows = images * masks[:, None]
        state = cell = np.zeros((len(images), len(recurrent)))
        steps, states = [], []
        for t in range(rows.shape[1]):
            i, f, g, o = np.split(rows[:, t] @ kernel + state @ recurrent + bias, 4, axis=1)
            i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
            before, cell = cell, f * cell + i * g
            steps.append((rows[:, t], state, i, f, g, o, before, np.tanh(cell)))
            state = o * steps[-1][-1]
            states.append(state)
        peak = np.max(states, axis=0)

        def back(gradient):
            of_peak = gradient @ head.T * (np.array(states) == peak)
            parts = []
            of_state = of_cell = np.zeros_like(peak)
            for t in reversed(range(len(steps))):
                row, previous, i, f, g, o, before, squashed = steps[t]
                of_state = of_state + of_peak[t]
                of_cell = of_cell + of_state * o * (1 - squashed**2)
                gates = np.concatenate(
                    [
                        of_cell * g * i * (1 - i),
                        of_cell * before * f * (1 - f),
                        of_cell * i * (1 - g**2),
                        of_state * squashed * o * (1 - o),
                    ],
                    axis=1,
                )
                parts.append((row.T @ gates, previous.T @ gates, gates.sum(axis=0)))
                of_state, of_cell = gates @ recurrent.T, of_cell * f
            return [*map(sum, zip(*parts, strict=True)), peak.T @ gradient, gradient.sum(axis=0)]

        return peak @ head + head_bias, back


class Cnn:
    """3 x 3 convolution with ReLU and dropout, 2 x 2 max-pooling, a linear layer with dropout, a dense layer."""

    def __init__(self, rate):
        self.rate = rate

    def masks(self, bits, n, weights):
        """Return masks (positions, n, 4, filters) of what is pooled, and (n, width)."""
        filters, width = weights[1].size, weights[3].size
        positions = len(weights[2]) // filters
        # the engine draws for each position and image, for four neighbours of 16 filters at once
        drawn = [bits.halves(4 * filters) for _ in range(positions * n)]
        pooled = np.reshape(drawn, (positions, n, -1, 4, 16)).swapaxes(2, 3)
        hidden = bits.halves(n * width).reshape(n, width)
        return mask(pooled.reshape(positions, n, 4, filters), self.rate), mask(hidden, self.rate)

    def __call__(self, weights, images, masks):
        taps, bias, kernel, hidden_bias, head, head_bias = weights
        n, filters, side = len(images), bias.size, images.shape[1] - 2
        patches = np.stack(
            [images[:, y : y + side, x : x + side, 0] for y in range(3) for x in range(3)], axis=-1
        )
        patches = patches.reshape(n, side // 2, 2, side // 2, 2, 9).transpose(1, 3, 0, 2, 4, 5)
        patches = patches.reshape(-1, n, 4, 9)
        values = patches @ taps.reshape(9, filters) + bias
        slopes = (values > 0) * masks[0]
        winner = (values * slopes).argmax(axis=2, keepdims=True)
        pooled = np.take_along_axis(values * slopes, winner, axis=2)[:, :, 0]
        flat = pooled.transpose(1, 0, 2).reshape(n, -1)
        hidden = (flat @ kernel + hidden_bias) * masks[1]

        def back(gradient):
            of_hidden = gradient @ head.T * masks[1]
            of_pooled = (of_hidden @ kernel.T).reshape(n, -1, filters).transpose(1, 0, 2)
            of_values = np.zeros_like(values)
            np.put_along_axis(of_values, winner, of_pooled[:, :, None], axis=2)
            of_values *= slopes
            of_taps = np.einsum("pnki,pnkf->if", patches, of_values, optimize=True)
            return [
                of_taps.reshape(taps.shape), of_values.sum(axis=(0, 1, 2)),
                flat.T @ of_hidden, of_hidden.sum(axis=0),
                hidden.T @ gradient, gradient.sum(axis=0),
            ]  # fmt: skip

        return hidden @ head + head_bias, back


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


def trained(network, weights, epochs, bits, rate, beta_1, beta_2, epsilon):
    """Return the weights after a step of Adam for each batch of each epoch, and the learning curve.

    The curve has the mean loss and the accuracy of each epoch, in training.
    """
    weights = [np.asarray(each, np.float64) for each in weights]
    means, squares = ([np.zeros_like(each) for each in weights] for _ in range(2))
    step, curve = 0, []
    for batches in epochs:
        loss, right = 0.0, []
        for images, labels in batches:
            masks = network.masks(bits, len(labels), weights)
            logits, back = network(weights, images.astype(np.float64), masks)
            powers = np.exp(logits - logits.max(axis=1, keepdims=True))
            probabilities = powers / powers.sum(axis=1, keepdims=True)
            index = np.arange(len(labels))
            loss -= np.log(probabilities[index, labels]).sum()
            right += (logits.argmax(axis=1) == labels).tolist()
            probabilities[index, labels] -= 1
            step += 1
            scale = rate * np.sqrt(1 - beta_2**step) / (1 - beta_1**step)
            for n, gradient in enumerate(back(probabilities / len(labels))):
                means[n] += (gradient - means[n]) * (1 - beta_1)
                squares[n] += (gradient**2 - squares[n]) * (1 - beta_2)
                weights[n] = weights[n] - means[n] * scale / (np.sqrt(squares[n]) + epsilon)
        curve.append((loss / len(right), np.mean(right)))
    return weights, curve
