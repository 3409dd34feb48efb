"""The document's open questions: which network some of its figures are of, by the evidence."""

from dataclasses import asdict, dataclass
from typing import Any

from mnistrobust.claims import Question, claim_named, load_questions
from mnistrobust.evidence import Evidence, Measured
from mnistrobust.verdicts import Place, places_in

FITS = (2.5, 97.5)  # percentiles of single looks, between which a figure fits


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One network that a claim may be about: its figures' places, and where the claim holds.

    `places` has those of the document's figures among single looks at this network; `held` counts
    the worlds in which the claim holds of it.
    """

    claim: str
    recipe: str
    held: int
    worlds: int
    places: dict[str, Place]

    @property
    def fits(self) -> bool | None:
        """Whether all of the document's figures are usual for it; None where it has none."""
        if not self.places:
            return None
        return all(FITS[0] <= place.percentile <= FITS[1] for place in self.places.values())

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {**asdict(self), "fits": self.fits}


def candidates(question: Question, evidence: Evidence | None) -> list[Candidate]:
    """Return each claim of a question with each network; nothing where nothing was measured."""
    found = []
    for claim_id in question.claims:
        measured = evidence.claims.get(claim_id) if evidence else None
        if measured:
            networks = {question.recipe: measured, **measured.alternatives}
            found += [_candidate(claim_id, name, each) for name, each in networks.items()]
    return found


def question_json(question: Question, evidence: Evidence | None) -> dict[str, Any]:
    """Return a question as `mnistrobust questions --json` prints it."""
    found = candidates(question, evidence)
    return {**asdict(question), "candidates": [each.to_json() for each in found]}


def markdown(evidence: Evidence | None) -> str:
    """Return all questions as Markdown, a table each; their text alone without evidence."""
    lines = ["## Open questions", ""]
    for question in load_questions().values():
        lines += [f"**{question.question}**", ""]
        lines += [question.answer, ""] if question.answer else []
        found = candidates(question, evidence)
        if found:
            lines += [
                "| claim | network | holds in | the document's figures |",
                "|---|---|---|---|",
            ]
            for each in found:
                told = "; ".join(f"{name} {place}" for name, place in each.places.items()) or "plot"
                cells = (each.claim, each.recipe, f"{each.held}/{each.worlds}", told)
                lines.append("| " + " | ".join(cells) + " |")
            lines.append("")
    return "\n".join(lines)


def _candidate(claim_id: str, recipe: str, measured: Measured) -> Candidate:
    margins = measured.margins["margin"]
    return Candidate(
        claim=claim_id,
        recipe=recipe,
        held=sum(value > 0 for value in margins),
        worlds=len(margins),
        places=dict(places_in(claim_named(claim_id), measured)),
    )
