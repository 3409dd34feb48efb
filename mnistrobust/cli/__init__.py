"""The command `mnistrobust`: one file a topic."""

import io
import os
import signal
import sys

_INTERRUPTED = 130  # the exit code


class _Messages(io.FileIO):
    """Standard error. What cannot be written there is lost: a result does not depend on it."""

    def write(self, message: bytes) -> int:  # type: ignore[override]
        """Write what can be written."""
        try:
            return super().write(message) or 0
        except OSError:
            return len(message)


def main() -> None:
    """Run the command; its imports take long enough to be interrupted."""
    try:
        own = sys.stderr is sys.__stderr__ and sys.stderr is not None
        if own and os.name != "nt":  # where a console is no file
            messages = _Messages(sys.stderr.fileno(), "w", closefd=False)
            sys.stderr = io.TextIOWrapper(
                io.BufferedWriter(messages), encoding=sys.stderr.encoding, line_buffering=True
            )
        os.environ["MPLBACKEND"] = "agg"  # pictures are files
        from mnistrobust.cli import app

        app.main()
    except (KeyboardInterrupt, SystemExit) as ended:
        if isinstance(ended, SystemExit) and ended.code != _INTERRUPTED:
            raise
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # what is left is to tidy up
        sys.exit(_INTERRUPTED)
