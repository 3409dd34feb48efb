"""The registry: every claim of the document, as data from `claims/*.toml`."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, TypeVar

from mnistrobust.errors import MnistRobustError, unknown
from mnistrobust.words import QUANTITIES, WORDS, Quantity, Word

T = TypeVar("T")
FAMILIES = ("ann", "rnn", "cnn")
KINDS = MappingProxyType(
    {
        "claim": "the document asserts it",
        "owner": "asked for by the project's owner",
        "figure": "a number or plot without an assertion",
        "definition": "the document defines it",
        "interface": "how a model is called",
    }
)
JUDGED = ("claim", "owner")  # the kinds that get a verdict


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One sentence of the document, with the figures that the document reports.

    `statement` says it in precise words. `quote` is the decisive fragment of the document, and
    `cell` the notebook cell that has it, counted from 1 (0: no cell). `reported` maps names to the
    document's figures. `figures` says what each of our figures measures, and `labels` what people
    call it. `words` are the words of the margin. `instead` says what is true if the claim is not
    reproduced; `verdicts.instead_of` fills its placeholders from evidence. `contradicts` is the
    id of a claim of the opposite.
    """

    id: str
    kind: str
    statement: str
    quote: str
    cell: int
    figures: MappingProxyType[str, Quantity]
    labels: MappingProxyType[str, str]
    words: tuple[Word, ...]
    reported: MappingProxyType[str, float]
    instead: str | None = None
    contradicts: str | None = None

    @property
    def family(self) -> str:
        """`ann`, `rnn` or `cnn`."""
        return self.id.partition(".")[0]

    @property
    def name(self) -> str:
        """The id without its family, which is the spec's name without `test_`."""
        return self.id.partition(".")[2]

    @property
    def spec(self) -> str:
        """The pytest id of the claim's spec."""
        return f"specs/claims/test_{self.family}.py::test_{self.name}"

    def quantity(self, figure: str) -> Quantity:
        """Return what one of our figures measures; raise UsageError if none has that name."""
        return _known(f"figure of {self.id}", figure, self.figures)

    def label(self, figure: str) -> str:
        """Return a figure's name for people."""
        return self.labels.get(figure, figure.replace("_", " "))

    @property
    def judged(self) -> bool:
        """Whether the claim gets a verdict."""
        return self.kind in JUDGED

    @property
    def said(self) -> str:
        """The document's figures as text; `only a plot` if it shows none."""
        if not self.reported:
            return "–" if self.kind in {"interface", "owner"} else "only a plot"
        return ", ".join(f"{name} {value:g}" for name, value in self.reported.items())


@cache
def load_claims() -> MappingProxyType[str, Claim]:
    """Return all claims by id, in the document's order.

    Raises MnistRobustError if a claim has a wrong kind, field or name.
    """
    claims = {}
    for family in FAMILIES:
        text = files("mnistrobust").joinpath("claims", f"{family}.toml").read_text("utf-8")
        for name, fields in tomllib.loads(text).items():
            claim = _claim(f"{family}.{name}", fields)
            claims[claim.id] = claim
    return MappingProxyType(claims)


def claim_named(claim_id: str) -> Claim:
    """Return the claim of that id; raise UsageError with the nearest id if there is none."""
    claims = load_claims()
    if claim_id not in claims:
        raise unknown("claim", claim_id, claims)
    return claims[claim_id]


def _claim(claim_id: str, fields: dict[str, Any]) -> Claim:
    if fields.get("kind") not in KINDS:
        kinds = ", ".join(KINDS)
        raise MnistRobustError(f"Claim {claim_id}: expected a kind among {kinds}.")
    try:
        reported = {name: float(value) for name, value in fields.pop("reported", {}).items()}
        figures = {
            name: _known("quantity", quantity, QUANTITIES)
            for name, quantity in fields.pop("figures", {}).items()
        }
        words = tuple(_known("word", word, WORDS) for word in fields.pop("words", ()))
        return Claim(
            id=claim_id,
            figures=MappingProxyType(figures),
            labels=MappingProxyType(fields.pop("labels", {})),
            words=words,
            reported=MappingProxyType(reported),
            **fields,
        )
    except (TypeError, ValueError, MnistRobustError) as error:
        raise MnistRobustError(f"Claim {claim_id}: {error}") from error


def _known(kind: str, name: str, known: Mapping[str, T]) -> T:
    if name not in known:
        raise unknown(kind, name, known)
    return known[name]
