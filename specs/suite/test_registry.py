"""The registry of claims and the specs mirror each other."""

import ast
import re
from pathlib import Path

from mnistrobust.evidence import load
from mnistrobust.judging.ledger import ledger_of
from mnistrobust.judging.statistics import PROVISIONAL, REPRODUCED
from mnistrobust.judging.verdicts import FULL, instead_of, word_of
from mnistrobust.registry import FAMILIES, load_claims

SPECS = Path(__file__).parents[1] / "claims"


def spec_functions():
    for family in FAMILIES:
        file = SPECS / f"test_{family}.py"
        for node in ast.parse(file.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield f"{family}.{node.name.removeprefix('test_')}", node


def test_every_claim_has_exactly_one_spec():
    """Claims and specs are the same names in the same order, in one file for each family."""
    assert {file.stem for file in SPECS.glob("test_*.py")} == {f"test_{name}" for name in FAMILIES}
    assert [name for name, _ in spec_functions()] == list(load_claims())


def test_every_figure_has_a_name_for_people():
    """Ours and the document's: a label in words, without an underscore, and no label for nothing."""
    for claim in load_claims().values():
        assert claim.labels.keys() == {*claim.figures, *claim.reported}, claim.id
        assert not [label for label in claim.labels.values() if "_" in label], claim.id


def test_claims_keep_the_style():
    """Quotes are short fragments; sentences say what is, not what should be, in the field's words."""
    for claim in load_claims().values():
        assert len(claim.quote.split()) <= 12, claim.id
        assert claim.statement.endswith("."), claim.id
        told = f"{claim.statement} {claim.instead}"
        assert not re.search(r"\b(should|must|works|correctly)\b", told), claim.id
        assert not re.search(r"\b(sure(ly)?|answers?|looks?|worlds?)\b", told), claim.id
        assert re.fullmatch(r"[a-z][a-z0-9_]*", claim.name), claim.id
        assert all(name.isidentifier() for name in claim.reported), claim.id


def test_what_is_true_instead_is_said_where_a_claim_is_not_reproduced():
    """By the replicates of full MNIST: a sentence for each other verdict, and none for this one."""
    for claim in load_claims().values():
        verdict = word_of(claim, load("mnist"))

        assert (claim.instead is None) == (verdict in {None, PROVISIONAL, REPRODUCED}), claim.id
        assert claim.instead is None or claim.instead.endswith("."), claim.id


def test_claims_of_the_opposite_name_each_other():
    """Whoever reads one of them is told of the other, with its verdict."""
    claims = load_claims()
    opposites = {each.id: each.contradicts for each in claims.values() if each.contradicts}

    assert opposites
    assert all(opposites[other] == name for name, other in opposites.items())
    for row in ledger_of(evidence=load("mnist")).rows:
        assert (f"claims the opposite, {row.claim.contradicts}: " in row.truth) is (
            row.claim.id in opposites
        )


def test_specs_hold_no_numbers_and_no_branches():
    """A spec names words and conditions: no bound of its own, no branch, no print."""
    for name, node in spec_functions():
        others = [each for each in node.body if not isinstance(each, ast.Expr | ast.Assign)]
        digits = {
            part.value
            for part in ast.walk(node)
            if isinstance(part, ast.Constant) and isinstance(part.value, int | float)
        }

        assert others == [], f"{name} branches"
        assert digits <= set(range(11)), f"{name} has a bound of its own"


def reported_by(node, method):
    """What a spec gives to `claim.figures` or `claim.draws`, by name."""
    return {
        keyword.arg: ast.unparse(keyword.value)
        for part in ast.walk(node)
        if isinstance(part, ast.Call) and ast.unparse(part.func) == f"claim.{method}"
        for keyword in part.keywords
    }


def test_every_reported_figure_is_measured():
    """The document's figure has ours beside it; if it is one look at noise, many such looks."""
    for name, node in spec_functions():
        reported = set(load_claims()[name].reported)
        figures, draws = (reported_by(node, method) for method in ("figures", "draws"))
        on_noise = re.findall(r"(\w+) = evaluate\('\w+', on='\w+-noise'\)", ast.unparse(node))
        one_look = {each for each, value in figures.items() if value.partition(".")[0] in on_noise}

        assert reported <= {*figures, *draws}, name
        assert reported & one_look <= {*draws} <= reported, name


def test_margins_are_made_of_the_words_that_the_registry_names():
    """Each argument of claim.margin is a call of one, and every judged claim has a control."""
    for name, node in spec_functions():
        called = [
            ast.unparse(argument.func)
            for part in ast.walk(node)
            if isinstance(part, ast.Call) and ast.unparse(part.func) == "claim.margin"
            for argument in part.args
        ]
        controls = [each for each in node.decorator_list if "control(" in ast.unparse(each)]
        claim = load_claims()[name]
        declared = [f"words.{word.name.replace(' ', '_')}" for word in claim.words]

        assert called == declared, name
        assert (bool(called), bool(controls)) == (True, True) or not claim.judged, name


def test_a_spec_reports_the_figures_that_the_registry_declares():
    """The same names in the same order: the registry says what each of them measures."""
    for name, node in spec_functions():
        assert list(reported_by(node, "figures")) == list(load_claims()[name].figures), name


def test_a_number_in_instead_is_a_bound_a_label_or_from_evidence():
    """What we measured is a placeholder, and the evidence of full MNIST fills each of them."""
    for claim in load_claims().values():
        typed = re.findall(r"\d[\d.,]*\d%?|\d%?", re.sub(r"\{.*?\}", "", claim.instead or ""))
        numbers = {float(each.rstrip("%")) / (100 if "%" in each else 1) for each in typed}
        filled = instead_of(claim, load(FULL))

        assert numbers <= {*range(10), *(word.bound for word in claim.words)}, claim.id
        assert (filled is None) == (claim.instead is None), claim.id
        assert not filled or "{" not in filled, claim.id
