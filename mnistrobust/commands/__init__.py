"""The commands, by topic; each imports what it needs when it runs, so that help is quick."""

import json
import sys
from pathlib import Path
from typing import Any


def print_json(value: Any) -> None:
    """Print a value as JSON on standard output."""
    sys.stdout.write(json.dumps(value, indent=1) + "\n")


def absolute(path: str | None) -> str | None:
    """Make a path independent of the folder that the specs run in; None without one."""
    return str(Path(path).expanduser().absolute()) if path else None
