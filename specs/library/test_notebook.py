"""In a notebook: the document's functions, and values that show themselves."""

import ast
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from runs_by_hand import SOURCE
from synthetic import WINS

import mnistrobust as mr
from mnistrobust import data, document, notebook
from mnistrobust.errors import UsageError
from mnistrobust.ledger import Outcome, Results, row

EXAMPLE = Path(data.__file__).parent / "examples" / "document.ipynb"
MOST_LINES = 43  # a tenth of the lines of code that the source document has
EVIL = "\x1b[31m<script>alert(1)</script>=cmd|' /C calc'!A0"


def cells(kind):
    found = json.loads(EXAMPLE.read_text("utf-8"))["cells"]
    return [cell for cell in found if cell["cell_type"] == kind]


def test_the_documents_functions_have_their_names():
    """`mr.noise_analysis` and the others are those of `mnistrobust.document`."""
    helpers = set(document.__all__) - {"threshold"}

    assert all(getattr(mr, name) is getattr(document, name) for name in helpers)
    assert mr.threshold.__name__ == "threshold"
    assert set(document.__all__) <= set(dir(mr))


def test_claims_is_a_module_and_a_question():
    """`mr.claims` keeps its names, and called it lists every claim."""
    found = mr.claims()

    assert len(found) == len(mr.claims.load_claims()) == 37
    assert found[WINS].claim.id == WINS
    assert [each.claim.id for each in mr.claims(WINS)] == [WINS]
    with pytest.raises(UsageError, match="did you mean"):
        mr.claims("ann.offset_noise_hurt")


def test_claims_show_themselves():
    """A table of HTML, and the same as text."""
    found = mr.claims(evidence="none")

    assert found._repr_html_().count("<tr>") >= 37
    assert all(
        each in repr(found) and each in found._repr_html_() for each in mr.claims.load_claims()
    )
    assert "provisional" in repr(found)


def test_foreign_text_is_inert_in_a_table():
    """An error of a spec is text, whatever is in it."""
    outcome = Outcome(id=WINS, seed=0, error=EVIL)
    results = Results(source=SOURCE, seeds=(0,), outcomes=(outcome,))
    rows = (row(mr.claims.load_claims()[WINS], None, outcome),)

    found = notebook.Ledger(rows=rows, said=EVIL, results=results, passed=False)

    for text in (found._repr_html_(), repr(found)):
        assert "\x1b" not in text
    assert "<script>" not in found._repr_html_()
    assert "&lt;script&gt;" in found._repr_html_()


def test_a_reading_shows_its_figures(rehearsal):
    """`mr.read` gives the reading of the command line, with a table."""
    found = mr.read("ann_1000", on="clean", data="mnist5k", store=rehearsal.store.root)

    assert found.to_json() == rehearsal.read("ann_1000", on="clean").to_json()
    assert f"<td>{found.accuracy:.4f}</td>" in found._repr_html_()
    assert f"accuracy {found.accuracy:.4f}" in " ".join(repr(found).split())
    with pytest.raises(UsageError, match="did you mean 'clean'"):
        mr.read("ann_1000", on="claen", data="mnist5k", store=rehearsal.store.root)


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
    surroundings.setenv("PYTHONPATH", str(data.__file__).rpartition("mnistrobust")[0])
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
    assert "text/html" in shown["mr.read"] & shown["mr.claims"]
    assert "image/png" in shown["_ = mr.noise_analysis"]


@pytest.mark.slow
def test_importing_and_asking_for_claims_loads_no_tensorflow():
    """Only a network does."""
    program = (
        "import sys, mnistrobust as mr; mr.claims()._repr_html_(); mr.verify; mr.read\n"
        "print(sorted({'tensorflow', 'keras', 'numba'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"
