"""The registry of claims and the specs mirror each other."""

import ast
import re
from pathlib import Path

from mnistrobust import words
from mnistrobust.claims import FAMILIES, load_claims, load_questions
from mnistrobust.evidence import load
from mnistrobust.recipes import RECIPES
from mnistrobust.statistics import PROVISIONAL, REPRODUCED
from mnistrobust.verdicts import word_of

SPECS = Path(__file__).parents[1] / "claims"


def spec_functions():
    for family in FAMILIES:
        file = SPECS / f"test_{family}.py"
        for node in ast.parse(file.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield f"{family}.{node.name.removeprefix('test_')}", node


def test_every_claim_has_exactly_one_spec():
    """Claims and specs are the same names in the same order, in one file for each family."""
    assert {file.stem for file in SPECS.glob("*.py")} == {f"test_{name}" for name in FAMILIES}
    assert [name for name, _ in spec_functions()] == list(load_claims())


def test_registry_accounts_for_every_row_of_the_document():
    """The document has 37 rows, of which 29 get a verdict."""
    claims = load_claims().values()

    assert len(claims) == 37
    assert sum(claim.judged for claim in claims) == 29
    assert {claim.family for claim in claims} == set(FAMILIES)


def test_claims_keep_the_style():
    """Quotes are short fragments; statements and names say what is, not what should be."""
    for claim in load_claims().values():
        assert len(claim.quote.split()) <= 12, claim.id
        assert claim.statement.endswith("."), claim.id
        assert not re.search(r"\b(should|must|works|correctly)\b", claim.statement), claim.id
        assert re.fullmatch(r"[a-z][a-z0-9_]*", claim.name), claim.id
        assert all(name.isidentifier() for name in claim.reported), claim.id


def test_what_is_true_instead_is_said_where_a_claim_is_not_reproduced():
    """By the worlds of full MNIST: a sentence for each other verdict, and none for this one."""
    for claim in load_claims().values():
        verdict = word_of(claim, load("mnist"))

        assert (claim.instead is None) == (verdict in {None, PROVISIONAL, REPRODUCED}), claim.id
        assert claim.instead is None or claim.instead.endswith("."), claim.id


def test_questions_are_about_what_their_claims_read():
    """Each claim of a question reads the recipe in question, and the alternatives are others."""
    specs = {name: ast.unparse(node) for name, node in spec_functions()}
    for question in load_questions().values():
        assert question.recipe not in question.alternatives
        assert {question.recipe, *question.alternatives} <= RECIPES.keys()
        for claim in question.claims:
            assert f"world.read('{question.recipe}'" in specs[claim], claim


def test_specs_hold_no_numbers_and_no_branches():
    """A spec names words and views: no bound of its own, no branch, no print."""
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
        on_noise = re.findall(r"(\w+) = world.read\('\w+', on='\w+-noise'\)", ast.unparse(node))
        one_look = {each for each, value in figures.items() if value.partition(".")[0] in on_noise}

        assert reported <= {*figures, *draws}, name
        assert reported & one_look <= {*draws} <= reported, name


def test_margins_are_made_of_named_words():
    """Every argument of claim.margin is a call of a word, and every judged claim has a control."""
    for name, node in spec_functions():
        called = [
            ast.unparse(argument.func)
            for part in ast.walk(node)
            if isinstance(part, ast.Call) and ast.unparse(part.func) == "claim.margin"
            for argument in part.args
        ]
        controls = [each for each in node.decorator_list if "control(" in ast.unparse(each)]

        assert all(call.startswith("words.") and hasattr(words, call[6:]) for call in called), name
        if load_claims()[name].judged:
            assert called, name
            assert controls, name
