"""What users pass to the document's helpers, as arrays: models, images, labels."""

from typing import Any

import numpy as np
import pandas as pd

from mnistrobust import metrics, transforms
from mnistrobust.errors import ImageError, UsageError

_ROUNDING = 1e-3  # of a probability in float16


def probabilities(model: Any, images: Any) -> np.ndarray:
    """Return probabilities (n, classes) of a set of images, reshaped as the model takes them.

    `model` is a Keras model or a History; what it gives beyond [0, 1] are logits. Raises UsageError
    when it is neither, ImageError when `images` is no set of finite float images or is empty.
    """
    model = model if hasattr(model, "predict") else getattr(model, "model", None)
    if not hasattr(model, "predict"):
        raise UsageError("Expected a Keras model or a History, received neither; pass a model.")
    values = transforms.checked(images)
    if not len(values):
        raise ImageError("Expected at least one image, received none; pass a set with rows.")
    shape = getattr(model, "input_shape", (None, transforms.PIXELS))[1:]
    given = np.asarray(model.predict(values.reshape(len(values), *shape), verbose=0))
    logits = ((given < -_ROUNDING) | (given > 1 + _ROUNDING)).any()
    return np.exp(metrics.log_softmax(given)) if logits else given


def single(ip: Any) -> np.ndarray:
    """Return one image of 784 pixels, an array or a series of any shape, as a set (1, 784).

    Raises ImageError for another number of pixels, or pixels that are not finite floats.
    """
    values = ip.to_numpy() if isinstance(ip, pd.Series | pd.DataFrame) else np.asarray(ip)
    if values.size != transforms.PIXELS:
        raise ImageError(
            f"Expected one image of 784 pixels, received the shape {values.shape}; "
            f"pass a single row of a set."
        )
    return transforms.checked(values.reshape(1, transforms.PIXELS))


def row(images: Any, index: int) -> np.ndarray:
    """Return the image at a position, as a set of one; UsageError if there is no such position."""
    values = transforms.checked(images)
    if not -len(values) <= index < len(values):
        raise UsageError(
            f"Expected an index below {len(values)}, received {index}; "
            f"it is a position among the images."
        )
    return np.asarray(values[[index]])


def labels(given: Any, n: int) -> np.ndarray:
    """Return the labels of `n` images, an array, series, frame of one column or list, as integers (n,).

    Numbers may be floats or texts. Raises ImageError for another number of labels, and for what is
    no whole number from 0.
    """
    values = np.ravel(np.asarray(given))
    if len(values) != n:
        raise ImageError(
            f"Expected one label for each of {n} images, received {len(values)}; "
            f"pass the labels of these images."
        )
    found = pd.to_numeric(pd.Series(values.tolist(), dtype=object), errors="coerce")
    numbers = found.to_numpy(np.float64, na_value=np.nan)
    wrong = ~(np.isfinite(numbers) & (numbers >= 0) & (numbers == np.rint(numbers)))
    if wrong.any():
        raise ImageError(
            f"Expected whole numbers from 0 as labels, received {values[wrong.argmax()]!s:.40}; "
            f"pass the digits."
        )
    return numbers.astype(np.int64)
