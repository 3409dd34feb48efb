"""The registry: every claim of the source document, as data.

The module can be called, as `mr.claims()`: that gives the claims with their verdicts.
"""

import sys
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.resources import files
from types import MappingProxyType, ModuleType
from typing import Any

from mnistrobust.errors import MnistRobustError, unknown

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
    """One sentence of the source document with its reported figures.

    `statement` says it in precise words, `quote` is the document's decisive fragment, `cell` the
    cell of the notebook it stands at, counted from 1 (0: in no cell), `reported` the document's
    figures by name, and `instead` what is true where the claim is not reproduced.
    """

    id: str
    kind: str
    statement: str
    quote: str
    cell: int
    reported: MappingProxyType[str, float]
    also_owner: bool = False
    instead: str | None = None

    @property
    def family(self) -> str:
        """`ann`, `rnn` or `cnn`."""
        return self.id.partition(".")[0]

    @property
    def name(self) -> str:
        """The id without its family: the spec's name without `test_`."""
        return self.id.partition(".")[2]

    @property
    def spec(self) -> str:
        """The pytest id of the claim's spec."""
        return f"specs/claims/test_{self.family}.py::test_{self.name}"

    @property
    def judged(self) -> bool:
        """Whether the claim gets a verdict."""
        return self.kind in JUDGED

    @property
    def said(self) -> str:
        """The document's figures as text; `plot` where it shows only a picture."""
        if not self.reported:
            return "–" if self.kind in {"interface", "owner"} else "plot"
        return ", ".join(f"{name} {value:g}" for name, value in self.reported.items())


@dataclass(frozen=True, kw_only=True)
class Question:
    """What the document leaves open: which network some of its figures are of.

    The claims of the ids `claims` are also read with each of `alternatives`, names of recipes,
    in the place of `recipe`; `answer` says what that shows.
    """

    id: str
    question: str
    recipe: str
    alternatives: tuple[str, ...]
    claims: tuple[str, ...]
    answer: str | None = None


@cache
def load_claims() -> MappingProxyType[str, Claim]:
    """Return all claims by id, in the document's order.

    Raises MnistRobustError when the registry breaks its own rules.
    """
    claims = {}
    for family in FAMILIES:
        text = files(__package__).joinpath(f"{family}.toml").read_text("utf-8")
        for name, fields in tomllib.loads(text).items():
            claim = _claim(f"{family}.{name}", fields)
            claims[claim.id] = claim
    return MappingProxyType(claims)


def claim_named(claim_id: str) -> Claim:
    """Return the claim of that id; UsageError with the nearest id when there is none."""
    claims = load_claims()
    if claim_id not in claims:
        raise unknown("claim", claim_id, claims)
    return claims[claim_id]


@cache
def load_questions() -> MappingProxyType[str, Question]:
    """Return the document's open questions by id; KeyError for a claim that does not exist."""
    text = files(__package__).joinpath("questions.toml").read_text("utf-8")
    return MappingProxyType(
        {name: _question(name, fields) for name, fields in tomllib.loads(text).items()}
    )


def _question(name: str, fields: dict[str, Any]) -> Question:
    alternatives, claims = tuple(fields.pop("alternatives")), tuple(fields.pop("claims"))
    known = tuple(load_claims()[claim].id for claim in claims)
    return Question(id=name, alternatives=alternatives, claims=known, **fields)


def _claim(claim_id: str, fields: dict[str, Any]) -> Claim:
    if fields.get("kind") not in KINDS:
        kinds = ", ".join(KINDS)
        raise MnistRobustError(f"Claim {claim_id}: expected a kind among {kinds}.")
    try:
        reported = MappingProxyType({k: float(v) for k, v in fields.pop("reported", {}).items()})
        return Claim(id=claim_id, reported=reported, **fields)
    except (TypeError, ValueError) as error:
        raise MnistRobustError(f"Claim {claim_id}: {error}") from error


class _Callable(ModuleType):
    """Lets `mr.claims` be this module and a question, whichever was imported first."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        # By name, when asked: verdicts are made far below this module.
        return import_module("mnistrobust.notebook").claims(*arguments, **options)


sys.modules[__name__].__class__ = _Callable
