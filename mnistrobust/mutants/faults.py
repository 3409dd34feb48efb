"""The mistakes, as edits of the library's source.

To add one, append a `Fault` whose edits name text that occurs once in a file. A fault that comes
in sizes has `{size}` in an edit, and its sizes from the smallest up.
"""

from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from mnistrobust.errors import MnistRobustError, unknown


@dataclass(frozen=True)
class Edit:
    """A piece of text in a file of the package, and what stands there instead."""

    file: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One mistake: a name, what was done, and the edits that do it.

    The first of `sizes` is tried, and the next where the suite does not see it; `unseen` says why
    it does not see the first.
    """

    name: str
    mistake: str
    edits: tuple[Edit, ...] = field(repr=False)
    sizes: tuple[str, ...] = ("",)
    unseen: str | None = None

    def said(self, size: str) -> str:
        """Return the mistake in words, at a size."""
        return self.mistake.replace("{size}", size)

    def put_into(self, package: Path, size: str) -> None:
        """Edit a copy of the package; MnistRobustError where a text is not there just once."""
        for name in {edit.file for edit in self.edits}:
            path = package / name
            text = path.read_text("utf-8")
            edits = {self._place(text, edit): edit for edit in self.edits if edit.file == name}
            for start, edit in sorted(edits.items(), reverse=True):
                after = edit.after.replace("{size}", size)
                text = text[:start] + after + text[start + len(edit.before) :]
            path.write_text(text, "utf-8")

    def _place(self, text: str, edit: Edit) -> int:
        if text.count(edit.before) != 1:
            raise MnistRobustError(
                f"Fault {self.name}: expected once in mnistrobust/{edit.file}, found "
                f"{text.count(edit.before)} times: {edit.before!r}; adapt the fault."
            )
        return text.index(edit.before)


def _after(file: str, line: str, *more: str) -> Edit:
    """Insert lines below a line, at its depth."""
    depth = line[: len(line) - len(line.lstrip())]
    return Edit(
        file, f"{line}\n", "".join(f"{each}\n" for each in (line, *(depth + m for m in more)))
    )


def _answering(lines: str) -> Edit:
    """Change what a reading takes for a model's log-probabilities."""
    line = "        log_probabilities = metrics.log_softmax(logits(images))"
    return _after("readings.py", line, lines)


_LAST = (
    "    return images, labels\n"  # of training_set: the images and labels as they are trained on
)
_ONE_CLASS = (
    "log_probabilities = np.full_like(log_probabilities, -9.0); log_probabilities[:, {}] = -0.001"
)

_ALL = (
    Fault(
        name="pixels-not-scaled",
        mistake="pixels stay in 0…255",
        edits=(Edit("data.py", "_fixed(np.divide(", "_fixed(255 * np.divide("),),
    ),
    Fault(
        name="test-pixels-not-scaled",
        mistake="held-out pixels stay in 0…255",
        edits=(Edit("data.py", '_unit(self.arrays["x_test"])', '255 * _unit(self.arrays["x_test"])'),),
    ),
    Fault(
        name="labels-shifted",
        mistake="training labels are one too high",
        edits=(
            Edit(
                "data.py",
                '_fixed(self.arrays["y_train"].astype(np.int64))',
                '_fixed((self.arrays["y_train"].astype(np.int64) + 1) % 10)',
            ),
        ),
    ),
    Fault(
        name="labels-shuffled",
        mistake="{size} of the training labels are shuffled",
        sizes=("0.1", "0.3", "1.0"),
        edits=(
            Edit(
                "recipes.py",
                _LAST,
                "    some = stream(seed, 'fault').permutation(len(labels))\n"
                "    some, labels = some[: int({size} * len(labels))], labels.copy()\n"
                f"    labels[np.sort(some)] = labels[some]\n{_LAST}",
            ),
        ),
    ),
    Fault(
        name="clean-instead-of-noisy",
        mistake="what is trained on offset noise sees clean digits",
        edits=(
            Edit(
                "recipes.py",
                'images = transforms.offset_noise(images, stream(seed, "train-offset"))',
                "pass",
            ),
        ),
    ),
    Fault(
        name="offset-per-image",
        mistake="every image has an offset draw of its own",
        edits=(
            Edit(
                "transforms.py",
                "    return _like(images, values + offsets",
                "    offsets = rng.random(values.shape)\n    return _like(images, values + offsets",
            ),
        ),
    ),
    Fault(
        name="one-offset-for-all",
        mistake="held-out images get the offset of the training images",
        edits=(
            Edit("recipes.py", 'stream(seed, "train-offset")', "np.random.default_rng(0)"),
            Edit(
                "views.py",
                "yield transforms.offset_noise(images, rng), labels",
                "yield transforms.offset_noise(images, np.random.default_rng(0)), labels",
            ),
        ),
    ),
    Fault(
        name="offset-clipped",
        mistake="noisy pixels are clipped to [0, 1]",
        edits=(
            Edit(
                "transforms.py",
                "values + offsets.astype(values.dtype))",
                "np.clip(values + offsets.astype(values.dtype), 0, 1))",
            ),
        ),
    ),
    Fault(
        name="offset-too-weak",
        mistake="offsets reach {size} instead of 1",
        sizes=("0.9", "0.5"),
        unseen="a tenth less noise gives no figure that another seed does not give as well",
        edits=(
            Edit(
                "transforms.py",
                "    return _like(images, values + offsets",
                "    offsets = {size} * offsets\n    return _like(images, values + offsets",
            ),
        ),
    ),
    Fault(
        name="noise-mislabelled",
        mistake="the noise class has the label 9",
        edits=(Edit("transforms.py", "np.full(n, NOISE_LABEL,", "np.full(n, NOISE_LABEL - 1,"),),
    ),
    Fault(
        name="noise-rows-left-out",
        mistake="the noise class gets no images",
        edits=(
            Edit(
                "transforms.py",
                "return np.concatenate([values, noise]), np.concatenate([labels, noise_labels])",
                "return values, labels",
            ),
        ),
    ),
    Fault(
        name="noise-rows-few",
        mistake="the noise class is 1/{size} as large",
        sizes=("10", "50"),
        edits=(Edit("recipes.py", "round(train_rows / 12)", "round(train_rows / 12 / {size})"),),
    ),
    Fault(
        name="threshold-too-low",
        mistake="pixels are ink from {size} instead of 0.9",
        sizes=("0.1", "0.01"),
        edits=(
            Edit(
                "transforms.py",
                "def threshold(images: Images, t: float = THRESHOLD)",
                "def threshold(images: Images, t: float = {size})",
            ),
        ),
    ),
    Fault(
        name="inversion-dropped",
        mistake="inverted digits are plain ones",
        edits=(
            Edit("views.py", "yield transforms.invert(dataset.test_images)", "yield dataset.test_images"),
        ),
    ),
    Fault(
        name="inversion-doubled",
        mistake="digits are inverted twice",
        edits=(
            Edit(
                "views.py",
                "transforms.invert(dataset.test_images)",
                "transforms.invert(transforms.invert(dataset.test_images))",
            ),
        ),
    ),
    Fault(
        name="train-and-test-swapped",
        mistake="models learn from the held-out images and are read on the training images",
        edits=(
            Edit("data.py", '_unit(self.arrays["x_train"])', '_unit(self.arrays["x_test"])'),
            Edit("data.py", '_fixed(self.arrays["y_train"]', '_fixed(self.arrays["y_test"]'),
            Edit("data.py", '_unit(self.arrays["x_test"])', '_unit(self.arrays["x_train"])'),
            Edit("data.py", '_fixed(self.arrays["y_test"]', '_fixed(self.arrays["y_train"]'),
        ),
    ),
    Fault(
        name="read-on-training-images",
        mistake="models are read on images that they have learnt",
        edits=(
            Edit("data.py", '_unit(self.arrays["x_test"])', '_unit(self.arrays["x_train"][:1000])'),
            Edit("data.py", '_fixed(self.arrays["y_test"]', '_fixed(self.arrays["y_train"][:1000]'),
        ),
    ),
    Fault(
        name="one-epoch",
        mistake="every recipe trains for one epoch",
        edits=(Edit("training.py", "epochs=recipe.epochs", "epochs=1"),),
    ),
    Fault(
        name="learning-rate",
        mistake="the learning rate is {size} × Keras's",
        sizes=("100",),
        edits=(
            _after(
                "models.py",
                '    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", '
                'metrics=["accuracy"])',
                "model.optimizer.learning_rate = {size} * 0.001",
            ),
        ),
    ),
    Fault(
        name="dropout-rate",
        mistake="dropout is {size} instead of 0.2",
        sizes=("0.95",),
        edits=(
            _after(
                "models.py",
                "def _compiled(*layers: Any) -> Any:",
                "    for layer in layers:",
                "        if type(layer).__name__ == 'Dropout':",
                "            layer.rate = {size}",
            ),
        ),
    ),
    Fault(
        name="dropout-left-on",
        mistake="dropout stays on when models are read",
        edits=(
            Edit(
                "training.py",
                "    return lambda images: predict(weights, shaped(model, images))",
                "    import keras, tensorflow\n"
                "    keras.utils.set_random_seed(0)\n"
                "    call = tensorflow.function(lambda x: model(x, training=True))\n"
                "    def ask(images):\n"
                "        parts = np.array_split(shaped(model, images), max(len(images) // 500, 1))\n"
                "        return np.log(np.concatenate([call(x).numpy() for x in parts]) + 1e-30)\n"
                "    return ask",
            ),
        ),
    ),
    Fault(
        name="lstm-axes-swapped",
        mistake="the LSTM reads columns for rows",
        unseen="it learns digits from columns as well as from rows",
        edits=(
            Edit(
                "training.py",
                "    return images.reshape(len(images), *model.input_shape[1:])",
                "    axes = (0, 2, 1) if len(model.input_shape) == 3 else range(len(model.input_shape))\n"
                "    images = images.reshape(len(images), *model.input_shape[1:])\n"
                "    return np.ascontiguousarray(images.transpose(*axes))",
            ),
        ),
    ),
    Fault(
        name="channel-axis-missing",
        mistake="the CNN takes images without a channel axis",
        edits=(
            Edit(
                "models.py",
                "        layers.Input((28, 28, 1)),\n",
                "        layers.Input((28, 28)),\n        layers.Reshape((28, 28, 1)),\n",
            ),
        ),
    ),
    Fault(
        name="lstm-axes-swapped-when-read",
        mistake="the LSTM learns rows and is read on columns",
        edits=(
            Edit(
                "training.py",
                "    return lambda images: predict(weights, shaped(model, images))",
                "    axes = (0, 2, 1) if len(model.input_shape) == 3 else range(len(model.input_shape))\n"
                "    return lambda images: predict(weights, shaped(model, images).transpose(*axes).copy())",
            ),
        ),
    ),
    Fault(
        name="weights-initialised-again",
        mistake="models are read with initial weights",
        edits=(
            Edit("training.py", "    model.set_weights(weights)\n    return model", "    return model"),
        ),
    ),
    Fault(
        name="softmax-twice",
        mistake="probabilities go through the softmax again",
        edits=(
            _answering("log_probabilities = metrics.log_softmax(np.exp(log_probabilities))"),
        ),
    ),
    Fault(
        name="always-zero",
        mistake="every model always answers 0",
        edits=(_answering(_ONE_CLASS.format("0")),),
    ),
    Fault(
        name="always-noise",
        mistake="every model always answers its last class",
        edits=(_answering(_ONE_CLASS.format("-1")),),
    ),
    Fault(
        name="always-certain",
        mistake="every model is certain of its answer",
        edits=(_answering("log_probabilities = metrics.log_softmax(1000 * log_probabilities)"),),
    ),
    Fault(
        name="never-certain",
        mistake="every model doubts its answer: temperature {size}",
        sizes=("2", "10"),
        edits=(_answering("log_probabilities = metrics.log_softmax(log_probabilities / {size})"),),
    ),
    Fault(
        name="answers-of-the-next-image",
        mistake="answers are one row off",
        edits=(_answering("log_probabilities = np.roll(log_probabilities, 1, axis=0)"),),
    ),
    Fault(
        name="stale-reading",
        mistake="a reading does not depend on the code that made it",
        edits=(Edit("keys.py", "    skip = (*_UNRELATED[2:], ", '    return ""\n    skip = (*_UNRELATED[2:], '),),
    ),
    Fault(
        name="rows-dropped",
        mistake="models learn from one image in {size}",
        sizes=("2", "10"),
        edits=(Edit("recipes.py", _LAST, f"    images, labels = images[::{{size}}], labels[::{{size}}]\n{_LAST}"),),
    ),
    Fault(
        name="batches-too-large",
        mistake="batches have {size} times 32 images",
        sizes=("2", "10"),
        edits=(Edit("training.py", "batch_size=recipe.batch_size", "batch_size={size} * recipe.batch_size"),),
    ),
    Fault(
        name="never-shuffled",
        mistake="batches are in the file's order, every epoch",
        edits=(Edit("engine/common.py", "order.permutation(n).astype(np.int64)", "np.arange(n)"),),
    ),
    Fault(
        name="sure-from-a-half",
        mistake="an answer counts as sure from 0.5 instead of 0.9",
        edits=(Edit("metrics.py", "above: float = SURE", "above: float = 0.5"),),
    ),
)  # fmt: skip

FAULTS = MappingProxyType({fault.name: fault for fault in _ALL})


def fault_named(name: str) -> Fault:
    """Return the fault of that name; UsageError with the nearest name when there is none."""
    if name not in FAULTS:
        raise unknown("fault", name, FAULTS)
    return FAULTS[name]
