"""In a notebook: the document's functions, and values that show themselves."""

import ast
import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import mnistrobust as mr
from mnistrobust import notebook, suite
from mnistrobust.document import helpers
from mnistrobust.errors import MnistRobustError, UsageError
from mnistrobust.evidence.results import Outcome, Results
from mnistrobust.judging.ledger import ledger_of
from specs.helpers.runs_by_hand import SOURCE
from specs.helpers.synthetic import WINS, evidence, measured, spread, written

EXAMPLE = Path(helpers.__file__).parent / "document.ipynb"
MOST_LINES = 43  # a tenth of the lines of code that the source document has
EVIL = "\x1b[31m<script>alert(1)</script>=cmd|' /C calc'!A0"


def cells(kind):
    found = json.loads(EXAMPLE.read_text("utf-8"))["cells"]
    return [cell for cell in found if cell["cell_type"] == kind]


def test_the_documents_functions_have_their_names():
    """`mr.noise_analysis` and the others are those of `mnistrobust.document.helpers`."""
    names = set(helpers.__all__) - {"threshold"}

    assert all(getattr(mr, name) is getattr(helpers, name) for name in names)
    assert mr.threshold.__name__ == "threshold"
    assert set(helpers.__all__) <= set(dir(mr))


def test_claims_is_a_module_and_a_question():
    """`mr.claims` keeps its names, and called it lists every claim."""
    found = mr.claims()

    assert len(found.rows) == len(mr.load_claims())
    assert [row.claim.id for row in found] == list(mr.load_claims())
    assert len(found) == len(found.rows)
    assert found[WINS].claim.id == WINS
    with pytest.raises(UsageError, match="Unknown claim '0'"):
        found[0]
    assert [row.claim.id for row in mr.claims(WINS).rows] == [WINS]
    with pytest.raises(UsageError, match="did you mean"):
        mr.claims("ann.offset_noise_hurt")


def test_claims_show_themselves():
    """A table of HTML, and the same as text."""
    found = mr.claims(evidence="none")

    assert found._repr_html_().count("<tr>") >= len(mr.load_claims())
    assert all(each in repr(found) and each in found._repr_html_() for each in mr.load_claims())
    assert "provisional" in repr(found)
    assert max(map(len, repr(found).splitlines())) <= 80


def test_foreign_text_is_inert_in_a_table():
    """An error of a spec is text, whatever is in it."""
    outcome = Outcome(id=WINS, seed=0, error=EVIL)
    source = replace(SOURCE, name=EVIL)
    results = Results(source=source, seeds=(0,), outcomes=(outcome,))

    found = notebook.Ledger(ledger_of(results), passed=False)

    for text in (found._repr_html_(), repr(found)):
        assert "\x1b" not in text
    assert "<script>" not in found._repr_html_()
    assert "&lt;script&gt;" in found._repr_html_()


def test_an_evaluation_shows_its_figures(rehearsal):
    """`mr.evaluate` gives the evaluation of the command line, with a table."""
    found = mr.evaluate("ann_1000", on="clean", data="mnist5k", store=rehearsal.store.root)

    assert found.to_json() == rehearsal.evaluate("ann_1000", on="clean").to_json()
    assert f"<td>{found.accuracy:.4f}</td>" in found._repr_html_()
    assert f"ann_1000 on clean, seed 0, mnist5k, accuracy {found.accuracy:.4f}>" in repr(found)
    noise = mr.evaluate("ann_1000", on="pure-noise", data="mnist5k", store=rehearsal.store.root)
    assert repr(noise).endswith("ann_1000 on pure-noise, seed 0, mnist5k>")
    with pytest.raises(UsageError, match="did you mean 'clean'"):
        mr.evaluate("ann_1000", on="claen", data="mnist5k", store=rehearsal.store.root)


def test_the_example_is_a_tenth_of_the_document():
    """In lines of code; and it is kept without outputs."""
    source = ["".join(cell["source"]) for cell in cells("code")]

    lines = sum(len(each.splitlines()) for each in source)
    readme = (EXAMPLE.parents[2] / "README.md").read_text("utf-8")
    assert lines <= MOST_LINES
    assert f"in {lines} lines of code" in " ".join(readme.split())
    assert all(ast.parse(each).body for each in source)
    assert all(not cell["outputs"] and cell["execution_count"] is None for cell in cells("code"))


@pytest.mark.slow
def test_the_example_runs(settings, surroundings, tmp_path):
    """Every cell, on this run's store; pictures and tables come out."""
    reason = "the example notebook needs pip install -e '.[dev]'"
    nbformat = pytest.importorskip("nbformat", reason=reason)
    nbclient = pytest.importorskip("nbclient", reason=reason)
    pytest.importorskip("ipykernel", reason=reason)
    surroundings.setenv("PYTHONPATH", str(EXAMPLE.parents[2]))
    surroundings.setenv("MNISTROBUST_DATA", settings.source.path or settings.source.name)
    surroundings.setenv("MNISTROBUST_STORE", settings.store_root)
    surroundings.setenv("IPYTHONDIR", str(tmp_path))
    found = nbformat.read(io.StringIO(EXAMPLE.read_text("utf-8")), as_version=4)

    nbclient.NotebookClient(found, timeout=900, kernel_name="python3").execute()

    shown = {}
    for cell in found.cells:
        for output in cell.get("outputs", ()):
            shown.setdefault(cell.source.partition("(")[0], set()).update(output.get("data", ()))
    assert "image/png" in shown["mr.show"]
    assert "text/html" in shown["mr.evaluate"] & shown["mr.claims"]
    assert "image/png" in shown["_ = mr.noise_analysis"]


@pytest.mark.slow
def test_importing_and_asking_for_claims_loads_no_tensorflow():
    """Only a network does."""
    program = (
        "import sys, mnistrobust as mr; mr.claims()._repr_html_(); mr.verify; mr.evaluate\n"
        "print(sorted({'tensorflow', 'keras', 'numba'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"


@pytest.mark.parametrize("ask", [notebook.evaluate, notebook.model, notebook.show])
def test_a_network_has_the_seed_that_is_asked_for(ask, monkeypatch, tmp_path):
    """In a notebook as on the command line."""
    noted = []

    def prepare(replicate, *_, **__):
        noted.append((replicate.seed, replicate.source.name, replicate.store.root))
        raise UsageError("noted")

    monkeypatch.setattr(notebook.console, "prepare", prepare)
    on = {} if ask is notebook.model else {"on": "clean"}

    with pytest.raises(UsageError, match="noted"):
        ask("ann", seed=7, data="mnist5k", store=str(tmp_path / "store"), **on)

    assert noted == [(7, "mnist5k", tmp_path / "store")]


@pytest.mark.parametrize(("code", "passed"), [(0, True), (1, False)])
def test_a_run_says_whether_it_passed(code, passed, monkeypatch):
    """By the exit code of the specs."""
    results = Results(source=SOURCE, seeds=(0,), outcomes=(Outcome(id=WINS, seed=0, margin=0.1),))
    monkeypatch.setattr(notebook, "run_specs", lambda *_, **__: (results, code))

    assert notebook.verify(data="mnist5k").passed is passed


def test_a_run_shows_the_ledger_and_not_pytests_session(monkeypatch, capfd):
    """With its summary, as in a terminal."""
    results = Results(source=SOURCE, seeds=(0,), outcomes=(Outcome(id=WINS, seed=0, margin=0.1),))

    def run_specs(*_, output, **__):
        output.write("test session starts\n")
        return results, 0

    monkeypatch.setattr(notebook, "run_specs", run_specs)
    found = repr(notebook.verify(data="mnist5k"))

    assert "1 of 1 judged claims hold on mnist5k, seed 0" in found
    assert "the document's verdicts, by full MNIST" in found
    err = capfd.readouterr().err
    assert "checking every claim" in err
    assert "test session starts" not in err


def test_a_run_without_a_ledger_shows_what_pytest_says(monkeypatch, capfd):
    """The error refers to it."""

    def run_specs(*_, output, **__):
        output.write("test session starts\n")
        raise MnistRobustError("No claim was judged.")

    monkeypatch.setattr(notebook, "run_specs", run_specs)
    with pytest.raises(MnistRobustError, match="No claim"):
        notebook.verify(data="mnist5k")

    assert "test session starts" in capfd.readouterr().err


def test_a_run_with_a_wrong_evidence_file_does_not_begin(monkeypatch):
    """As on the command line."""
    monkeypatch.setattr(suite, "run_pytest", lambda *_, **__: pytest.fail("pytest runs"))

    with pytest.raises(UsageError, match=r"--evidence .*where.json: No such file"):
        mr.verify(data="mnist5k", evidence="/no/where.json")


def test_a_run_of_the_claims_is_judged_by_the_evidence_that_is_asked_for(monkeypatch, tmp_path):
    """The specs get it with all other options, and the ledger has its verdicts."""
    known = evidence({WINS: measured(spread(0.2, 0.01), noisy=spread(0.8, 0.01))})
    file, asked = written(known, tmp_path), {}
    results = Results(source=SOURCE, seeds=(7,), outcomes=(Outcome(id=WINS, seed=7, margin=0.2),))

    def run_specs(options, *, offline, output):
        asked.update(options, offline=offline, writable=output.writable())
        return results, 1

    monkeypatch.setattr(notebook, "run_specs", run_specs)
    store = str(tmp_path / "store")
    found = mr.verify(data="mnist5k", store=store, seeds="7-7", evidence=str(file), offline=True)

    assert asked == {
        "--data": "mnist5k", "--store": store, "--seeds": "7-7", "--evidence": str(file),
        "offline": True, "writable": True,
    }  # fmt: skip
    assert found[WINS].verdict.replicates == 24
    assert not found.passed
