"""The command `mnistrobust`: one file a topic."""

import sys


def main() -> None:
    """Run the command; its imports take long enough to be interrupted."""
    try:
        from mnistrobust.cli import app

        app.main()
    except KeyboardInterrupt:
        sys.exit(130)
