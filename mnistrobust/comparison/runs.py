"""A whole run of the claims' specs, as a baseline keeps it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mnistrobust.evidence.results import Results
from mnistrobust.files import parsed, typed
from mnistrobust.replicates.keys import code_digests


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of the specs, `made` at a time in UTC; `code` digests each recipe and condition."""

    results: Results
    made: str
    code: Mapping[str, str]

    def to_json(self) -> str:
        """Return the run as JSON text."""
        return json.dumps({**vars(self), "results": self.results.to_json()}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Run":
        """Return the run that `to_json` wrote; ValueError for anything else."""
        fields = typed(dict[str, Any], parsed(text), "the file")
        made, results = (typed(str, fields.get(each), each) for each in ("made", "results"))
        code = typed(dict[str, str], fields.get("code"), "code")
        found = cls(results=Results.from_json(results), made=made, code=code)
        if not found.results.outcomes:
            raise ValueError("it has no claim")
        return found


def run_of(results: Results) -> Run:
    """Return the run that has just ended with these results."""
    made = datetime.now(UTC).isoformat(timespec="seconds")
    return Run(results=results, made=made, code=code_digests())
