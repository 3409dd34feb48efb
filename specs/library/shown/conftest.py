"""A text is shown as it was when somebody last looked at it, to the letter."""

import base64
import difflib
import io
import os
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from specs.helpers.pages import COMMAND, REWRITE

FOLDER = Path(__file__).parent
_VARIES = {  # by the machine or the day
    r"sha256-[\w+/=]+": "sha256",
    r"\b[0-9a-f]{64}\b": "digest",
    r'("(tensorflow|keras|numpy|numba|scipy)": )"[^"]+"': r'\1"version"',
    r"20\d\d-\d\d-\d\d([T ][\d:]+)?(\+00:00)?( UTC)?": "date",
    r" \(oracle\.py:\d+\)": "",
    r"(?s)(<style>).*?(</style>)": r"\1\2",
    r"(?s)(<script>).*?(</script>)": r"\1\2",
}


@pytest.fixture
def as_before(request, tmp_path):
    """Compare a text with the file that has the name of the spec."""

    def compare(text):
        name = re.sub(r"\W+", "_", request.node.name.removeprefix("test_")).strip("_")
        path = FOLDER / f"{name}.txt"
        text = text.replace(str(tmp_path), "here")
        text = re.sub(r"data:image/png;base64,([\w+/=]+)", _pixels, text)
        for pattern, word in _VARIES.items():
            text = re.sub(pattern, word, text)
        text = re.sub(r"\d+\.\d{7,}(e-\d+)?", lambda found: f"{float(found[0]):.6g}", text)
        now = "\n".join(line.rstrip() for line in text.splitlines() if line.strip()) + "\n"
        if os.environ.get(REWRITE):
            path.write_text(now, "utf-8")
        before = path.read_text("utf-8") if path.exists() else ""
        if now != before:
            lines = difflib.unified_diff(
                before.splitlines(), now.splitlines(), "before", "now", n=1, lineterm=""
            )
            told = "\n".join([*lines][:60])
            pytest.fail(f"{told}\nis this better? run `{COMMAND}`", pytrace=False)

    return compare


def _pixels(found):
    """Return what a digit looks like, in a word."""
    image = Image.open(io.BytesIO(base64.b64decode(found[1])))
    return f"digit {zlib.crc32(np.asarray(image.convert('L')).tobytes()):08x}"


def drawn(figure):
    """Return what a figure shows, as text: every line, bar, point, image and word, with its place."""
    engine = type(figure.get_layout_engine()).__name__
    lines = [f"figure {_numbers(figure.get_size_inches())}, {engine}"]
    for number, ax in enumerate(figure.axes):
        lines.append(f"axes {number} {'' if ax.axison else '(no frame)'}")
        lines += [f"  {word}" for word in _words(ax) if word]
        lines += [f"  line {_artist(each)} {_numbers(each.get_xydata())}" for each in ax.lines]
        for each in ax.patches:
            corners = each.get_path().get_extents(each.get_patch_transform()).get_points()
            lines.append(f"  patch {_numbers(corners)} {_numbers(each.get_facecolor())}")
        for each in ax.collections:
            lines.append(
                f"  points {_numbers(each.get_offsets())} {_numbers(each.get_facecolor())}"
            )
        for each in ax.images:
            pixels = each.get_array()
            colours = f"{each.cmap.name} {_numbers(each.get_clim())}"
            lines.append(f"  image {pixels.shape} mean {pixels.mean():.4g}, {colours}")
        lines += [f"  {_text(each)}" for each in ax.texts]
        legend = ax.get_legend()
        lines += [f"  legend {[each.get_text() for each in legend.get_texts()]}"] if legend else []
    for part in (figure, *figure.subfigs):
        lines += [f"title {text.get_text()!r}" for text in part.texts]
    lines += [
        f"legend {[each.get_text() for each in legend.get_texts()]}" for legend in figure.legends
    ]
    return "\n".join(lines)


def _words(ax):
    colour = f"title {ax.title.get_color()}" if ax.title.get_color() != "black" else ""
    named = [ax.get_title(), colour, ax.get_title("left"), ax.get_xlabel(), ax.get_ylabel()]
    return (*named, *(_scales(ax) if ax.axison else ()))


def _scales(ax):
    limits = _numbers([ax.get_xlim(), ax.get_ylim()])
    yield f"from {limits}, {ax.get_xscale()} {ax.get_yscale()}"
    for axis in (ax.xaxis, ax.yaxis):
        yield f"ticks {[label.get_text() for label in axis.get_ticklabels()]}"


def _text(text):
    colour = "" if text.get_color() == "black" else text.get_color()
    return f"text {text.get_text()!r} {_numbers(text.get_position())} {colour}"


def _artist(line):
    return f"{line.get_color()} {line.get_linestyle()} {line.get_marker()} {line.get_label()!r}"


def _numbers(values):
    values = np.asarray(values, float)
    if len(values) > 12:
        values = np.concatenate([values[:3], values[-3:], values.mean(axis=0)[None]])
    return " ".join(f"{value + 0.0:.4g}" for value in values.ravel())
