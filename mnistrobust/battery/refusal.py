"""What a file of a stranger is refused with, and how large it may be."""

from mnistrobust.errors import UsageError, inert

MAX_FILE = 256 * 2**20  # bytes; the document's CNN with its optimizer's state takes 33 MB
_LONGEST = 200  # characters of a text that came out of a file


class RefusedError(UsageError):
    """A file that is not read, with one line of reason.

    `trustable` says whether `--trust` may load it anyway: not a pickle, nor what is no file.
    """

    def __init__(self, reason: str, *, trustable: bool = True) -> None:
        """Keep a reason of one line, in which control characters are spelled out."""
        super().__init__(inert(reason))
        self.trustable = trustable


def quoted(text: object) -> str:
    """Return a text that came out of a file: short, on one line, and without effect."""
    shown = inert(str(text)[: _LONGEST + 1])
    return f"'{shown[:_LONGEST]}…'" if len(shown) > _LONGEST else f"'{shown}'"
