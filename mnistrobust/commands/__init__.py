"""The commands, by topic; each imports what it needs when it runs, so that help is quick."""

import json
import sys
from typing import Any


def print_json(value: Any) -> None:
    """Print a value as JSON on standard output."""
    sys.stdout.write(json.dumps(value, indent=1) + "\n")
