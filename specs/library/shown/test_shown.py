"""What commands print, and what pages and pictures show, whole.

A law or a figure has a spec of its own; these see that each stands at its place: no column exchanged, no
line lost, no note of another case. Models, runs and evidence are made by formula, the same everywhere.
"""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure

from mnistrobust import curves, plots, report
from mnistrobust import notebook as mr
from mnistrobust.checks import opening, page
from mnistrobust.checks.model import Model
from mnistrobust.checks.outputs import PROBABILITIES
from mnistrobust.comparison import page as comparison_page
from mnistrobust.comparison import tables
from mnistrobust.comparison import text as comparison_text
from mnistrobust.comparison.changes import compare as changes_of
from mnistrobust.comparison.runs import run_of
from mnistrobust.comparison.verdict import WORSE, compare
from mnistrobust.conditions import CONDITIONS
from mnistrobust.curves import Curves
from mnistrobust.data.files import DIGESTS
from mnistrobust.evaluations import evaluate
from mnistrobust.evidence import load
from mnistrobust.evidence.results import Outcome
from mnistrobust.fuzzing import counterexamples
from mnistrobust.fuzzing import text as findings_text
from mnistrobust.judging.ledger import ledger_of
from mnistrobust.mutants import tables as mutants_tables
from mnistrobust.mutants.matrix import Matrix, Trial, markdown
from mnistrobust.perturbations import PERTURBATIONS
from mnistrobust.recipes import RECIPES
from mnistrobust.registry import claim_named
from mnistrobust.report import markdown as report_markdown
from mnistrobust.report import networks, pictures, terminal
from mnistrobust.report import page as report_page
from mnistrobust.store import Store
from mnistrobust.sweeps import text as sweeps_text
from mnistrobust.sweeps.curves import Curve, ladder
from mnistrobust.sweeps.picture import draw
from mnistrobust.sweeps.sweep import Sweep
from specs.helpers.oracle import digits_fade, outliers_are_digits
from specs.helpers.reports import CENTRES, SOURCE, Page, figures, run
from specs.helpers.sides import side
from specs.helpers.synthetic import (
    FAILS_ON_NOISY,
    FIVES,
    WINS,
    curve,
    evidence,
    head,
    measured,
    spread,
    written,
)
from specs.library.shown.conftest import drawn

SOME = (  # of each verdict, with figures that have references, and one that is not judged
    "ann.offset_noise_hurts", WINS, "ann.noise_training_keeps_clean_accuracy", FIVES,
    "ann.noise_class_catches_pure_noise", "rnn.sees_zero_in_pure_noise", FAILS_ON_NOISY, "cnn.handles_inversion",
)  # fmt: skip


CURVES = Curves(
    head=head(command="mnistrobust curves", code={"recipe ann": "another"}), seeds=(1, 2),
    curves=(curve([(-0.1, 0.1, 0.2), (-0.2, 0.1, 0.4)]), curve([(0.1, 0.1, 0.2)] * 2, claim=FIVES),
            curve([(-0.3, -0.1, -0.2)] * 2, claim=FAILS_ON_NOISY, axis="bar of confidence", doses=(0.5, 0.9, 0.99))),
)  # fmt: skip


@pytest.fixture(autouse=True)
def narrow(surroundings, tmp_path):
    """A terminal of 80 columns, in a folder of its own."""
    surroundings.setenv("COLUMNS", "80")
    surroundings.setattr(curves, "load", lambda: None)  # of all claims
    for each in (page, comparison_page):  # a plot is shown in words
        surroundings.setattr(each, "picture", drawn)
    surroundings.chdir(tmp_path)


def values(facts):
    """Return JSON values as text: a line for each entry, six digits of a number."""
    facts = json.loads(json.dumps(facts), parse_float=lambda number: float(f"{float(number):.6g}"))
    return "\n".join(_lines("", facts))


def _lines(name, value):
    text = json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict) and (len(text) > 600 or not name):
        return [line for each in value for line in _lines(f"{name} {each}", value[each])]
    if isinstance(value, list) and any(isinstance(each, dict | list) for each in value):
        return [line for each in value for line in _lines(name, each)]
    return [f"{name.strip()} {text[:600]}"]


def files(folder):
    """Return all files of a folder that are text."""
    paths = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix not in {".png", ".svg"} and path.name != "results.json"
    ]
    return "\n".join(f"=== {path}\n{path.read_text('utf-8')}" for path in paths)


# checks -----------------------------------------------------------------------------------------


def model_of(dataset):
    """A model that counts bright pixels: it knows clean digits, but for every ninth count."""
    known = {
        image.tobytes(): int(label)
        for image, label in zip(dataset.test_images, dataset.test_labels, strict=True)
    }

    def predict(images):
        bright = (images > 0.5).sum(axis=1)
        clean = np.array([known.get(image.tobytes(), -1) for image in images])
        top = np.where((clean < 0) | (bright % 9 == 0), bright % 10, clean)
        sure, places = (32 + 37 * bright % 28) / 64, np.arange(len(images))
        outputs = np.full((len(images), 10), 1 / 128)  # sums that are 1 to the last bit
        outputs[places, top], outputs[places, (top + 1) % 10] = sure, 15 / 16 - sure
        return outputs

    return Model(
        name="m *x*", outputs=PROBABILITIES, classes=10, predict=predict, versions={"torch": "1"}
    )


@pytest.fixture
def check(command, surroundings, mnist5k):
    """Check it; the words are the command's."""
    surroundings.setattr(opening, "open_model", lambda *_, **__: model_of(mnist5k))
    surroundings.setattr(opening, "check_given", lambda *_, **__: True)
    return lambda *words: command("check", "m:p", "--data", "mnist5k", *words)


def test_check(check, as_before, tmp_path):
    ended = check("--report", "pages", "--on", "rotate:15", "--expect-failure", "nll=a *reason*")
    (found,) = tmp_path.rglob("checks.json")
    found.write_text(values(json.loads(found.read_text("utf-8"))))
    as_before(f"{ended.code}\n{ended.out}\n{ended.err}\n{files(tmp_path / 'pages')}")


def test_check_some(check, as_before):
    ended = check(
        "--only",
        "clean_accuracy",
        "--only",
        "brier",
        "--bound",
        "clean_accuracy=0.1",
        "--expect-failure",
        "brier=a reason",
    )
    as_before(f"{ended.code}\n{ended.out}\n{ended.err}")


def test_check_list(command, as_before):
    as_before(command("check", "--checks").out)


# comparison -------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["worse", "seeds", "same"])
def compared(request, mnist5k):
    """A side that is worse here and better there; two with seeds; one and itself."""
    one = replace(
        side(mnist5k, "old", wrong={"clean": 30, "inverted": 500}), made="2026-01-02T03:04"
    )
    if request.param == "same":
        return compare(one, replace(one, name="new"), mnist5k)
    if request.param == "seeds":
        old = side(mnist5k, "old", wrong={"clean": 30}, seeds=(1, 2, 3))
        new = side(mnist5k, "new", wrong={"clean": 55}, confidence=0.85, seeds=(1, 2, 3))
        return compare(old, new, mnist5k, tolerance={"accuracy": 0.001})
    new = side(mnist5k, "new", wrong={"clean": 90, "inverted": 300}, confidence=0.8, noise=0.3)
    return compare(one, new, mnist5k)


def test_compare(compared, as_before, capsys, request):
    comparison_text.print_comparison(compared, verbose=True)
    comparison_text.print_comparison(compared)
    texts = [
        capsys.readouterr().out,
        comparison_text.markdown(compared),
        comparison_text.junit(compared, fail=frozenset({WORSE})).decode().replace("><", ">\n<"),
    ]
    if request.node.callspec.id == "worse":
        texts += [values(compared.to_json()), comparison_page.html(compared)]
    as_before("\n".join(texts))


def test_changes(as_before, capsys, tmp_path):
    evidence = load("mnist5k", str(evidence_of("mnist5k", tmp_path)))
    before = results("mnist5k")
    moved = [
        replace(each, figures={k: float(np.clip(v - 0.2 * (n == 2) + 0.3 * (n == 3), 0, 1)) for k, v in each.figures.items()},
                margin=each.margin and each.margin * (-1) ** (n == 4), error="it broke" if n == 5 else None)
        for n, each in enumerate(before.outcomes)
    ]  # fmt: skip
    made = {"made": "2026-01-02T03:04:05+00:00", "code": {"recipe ann": "1"}}
    old = replace(run_of(before), **made)
    new = replace(
        run_of(replace(before, outcomes=tuple(moved))), **made | {"code": {"recipe ann": "2"}}
    )
    found = changes_of(old, new, name="before", evidence=evidence)
    tables.print_changes(found)
    versions = {"numpy": "9.0", "newer": "1.0"}
    other = replace(new, results=replace(new.results, versions=versions), code=old.code)
    for now in (other, old):
        tables.print_changes(changes_of(old, now, name="before"))
    page = report_page.html(ledger_of(new.results), changes=tables.changed(found))
    as_before(f"{capsys.readouterr().out}\n{values(found.to_json())}\n{Page(page).text}")


# search and sweeps ------------------------------------------------------------------------------


@pytest.mark.parametrize("found", [digits_fade, outliers_are_digits])
def test_findings(found, mnist5k, as_before, capsys):
    found = found(mnist5k)
    findings_text.print_findings(found)
    found.search.skipped |= {"rotate", "blur"}
    found.search.subject.together["model raised MemoryError: too large"] = 500
    found.search.subject._restarts = 99
    many = [replace(each, words=f"{n} {each.words}") for n in range(9) for each in found.weaknesses]
    findings_text.print_findings(replace(found, weaknesses=many))
    facts = {**found.to_json(), "versions": {}}
    examples = [each.pop("counterexample") for each in facts["weaknesses"]]
    for each in (*facts["faults"], *examples):
        del each["image"]  # the compression is the machine's
    as_before("\n".join([
        capsys.readouterr().out,
        values({**facts, "counterexamples": examples}),
        drawn(findings_text.picture(found)),
        counterexamples.test_file("m:p", {"folder": ".."}, found.tests).partition("CASES")[0],
    ]))  # fmt: skip


def swept(dataset, names, *, fine=False):
    """Three models, of which one has three seeds, that lose accuracy evenly."""
    ladders, curves = [ladder(name, fine=fine) for name in names], {}
    for place, model in enumerate(("one", "two", "three")):
        networks = 1 + 2 * (model == "two")
        curves[model] = {}
        for n, each in enumerate(ladders):
            doses = len(each.doses)
            lost = (
                np.linspace(1, 0.35 - place / 10 + n / 9, doses) - np.arange(networks)[:, None] / 50
            )
            right = np.arange(200) / 200 < lost[..., None]
            rest = {"confidence": lost / 2 + 0.4, "nll": -np.log(lost)}
            failed = np.zeros((networks, doses))
            failed[:, -1] = 2 * (model == "three")
            curves[model][each.name] = Curve(ladder=each, right=right, failed=failed, **rest)
    seeds = {"one": (), "two": (0, 1, 2), "three": ()}
    return Sweep(source=dataset.source, ladders=tuple(ladders), curves=curves, seeds=seeds)


@pytest.mark.parametrize(
    "names",
    [("rotate:-60",), ("rotate", "contrast", "shift", "speckle-noise")],
    ids=["one", "four"],
)
def test_sweep(names, mnist5k, as_before, capsys):
    found = swept(mnist5k, names, fine=len(names) == 1)
    sweeps_text.print_sweep(found)
    as_before(
        "\n".join(
            [
                capsys.readouterr().out,
                sweeps_text.csv(found),
                values(found.to_json()),
                drawn(draw(found)),
            ]
        )
    )


# reports ----------------------------------------------------------------------------------------


def results(name, seeds=(0,)):
    """A run on a data set: a third of the claims fails, one broke, one ran with another network."""
    claims = [claim_named(each) for each in SOME]
    first, second, *rest = [
        Outcome(id=each.id, seed=0, figures=figures(each), margin=CENTRES[n % 3] + 0.01)
        for n, each in enumerate(claims)
    ]
    found = run(source=replace(SOURCE, name=name, digest=DIGESTS[name]), outcomes=())
    broken = Outcome(id=first.id, seed=0, figures=first.figures, error="the figure plain is nan")
    own = replace(second, models={"ann": "own:create"})
    each = (broken, own, *rest) if seeds == (0,) else rest
    moved = [
        replace(one, seed=seed, margin=one.margin and one.margin - 0.1 * n,
                figures={name: value * (1 - 0.1 * n) for name, value in one.figures.items()})
        for one in each for n, seed in enumerate(seeds)
    ]  # fmt: skip
    return replace(found, seeds=seeds, outcomes=tuple(moved))


def evidence_of(name, folder):
    """Evidence of a few claims on a data set, as a file."""
    claims = {}
    for n, each in enumerate(map(claim_named, SOME)):
        values = {figure: spread(value, 0.05) for figure, value in figures(each).items()}
        claims[each.id] = measured(spread(CENTRES[n % 3], 0.02), **values)
    looks = {"accuracy": tuple((0.4 + n / 100, 0.5) for n in range(24))}
    claims[FAILS_ON_NOISY] = replace(claims[FAILS_ON_NOISY], draws=looks)
    facts = {"dataset": name, "digest": DIGESTS[name], "code": {"recipe ann": "another"}}
    return written(evidence(claims, **facts), folder)


@pytest.mark.parametrize(
    ("name", "seeds"),
    [("mnist", (0,)), ("mnist5k", (0,)), ("mnist", (107, 108, 109))],
    ids=["mnist", "rehearsal", "seeds"],
)
def test_report(name, seeds, command, as_before, tmp_path):
    (tmp_path / "all.json").write_text(results(name, seeds).to_json(), "utf-8")
    words = ("--results", "all.json", "--store", "store", "--report", "pages")
    ended = command("report", *words, "--evidence", evidence_of(name, tmp_path))
    pages = files(tmp_path / "pages")
    if (name, seeds) != ("mnist", (0,)):  # their charts are those of the other
        pages = Page(pages).text
    verbose = command("report", *words, "--evidence", "none", "--verbose")
    pages += Page((tmp_path / "pages" / "index.html").read_text("utf-8")).text.partition(
        "What to do"
    )[0]
    ledger = ledger_of(results(name, seeds), load(name, str(evidence_of(name, tmp_path))))
    styled = "\n".join(line.markup for line in terminal.lines(ledger, 100))
    as_before(f"{ended.code}\n{ended.out}\n{ended.err}\n{pages}\n{verbose.out}\n{styled}")


def test_claims(command, as_before, tmp_path, surroundings):
    surroundings.setattr(curves, "load", lambda: CURVES)
    words = ("--evidence", evidence_of("mnist", tmp_path))
    cases = (), ("--markdown",), (WINS,), (FAILS_ON_NOISY,)
    texts = [command("claims", *words, *more).out for more in cases]
    rehearsal = ("--data", "mnist5k", "--evidence")
    texts += [
        command("claims", *rehearsal, "none").out,
        command("claims", FIVES, *rehearsal, evidence_of("mnist5k", tmp_path)).out,
    ]
    found = json.loads(command("claims", WINS, *words, "--json").out)
    texts += [
        values(found),
        command("evidence", *words).out,
        command("evidence", *words, "--markdown").out,
    ]
    as_before("\n".join(texts))


def evaluation(recipe, on, dataset):
    """What a network would do: right but for every seventh digit, ever more confident."""
    labels = dataset.test_labels[:200] if on != "pure-noise" else np.full(200, 10)
    top = np.where(np.arange(200) % 7 == 3, (labels + 3) % 10, labels % 10)
    sure = np.linspace(0.3, 0.99, 200)
    scores = np.full((200, 10), 0.01)
    scores[np.arange(200), top] = sure
    scores /= scores.sum(axis=1, keepdims=True)
    facts = {"recipe": recipe, "condition": on, "seed": 3, "dataset": "mnist5k"}
    draws = iter([(dataset.test_images[:200], labels)])
    return evaluate(lambda _: scores, draws, classes=10, input_shape=(784,), **facts)


def test_networks(mnist5k, as_before):
    history = {
        "accuracy": [0.5, 0.8],
        "val_accuracy": [0.6, 0.7],
        "loss": [2.0, 1.0],
        "val_loss": [1.5, 1.2],
    }
    stored = {"ann": ("clean", "offset-noise", "pure-noise"), "cnn_1000": ("clean",)}
    replicate = SimpleNamespace(
        source=mnist5k.source, seed=3, recipes=RECIPES,
        stored=lambda name: SimpleNamespace(history=history) if name in stored else None,
        stored_evaluation=lambda name, on: evaluation(name, on, mnist5k) if on in stored[name] else None,
    )  # fmt: skip
    ledger = ledger_of(results("mnist5k"))
    page = report_page.html(
        ledger, gallery=networks.gallery(replicate), files=report.FILES, curves=CURVES
    )
    _, start, shown = page.partition('id="curves"')
    assert start, "else nothing is compared"
    as_before(shown + report_markdown.curves(CURVES))


def test_plots(mnist5k, as_before):
    clean, noise = (evaluation("ann", on, mnist5k) for on in ("clean", "pure-noise"))
    right = clean.predictions == clean.labels
    history = {
        "accuracy": [0.5, 0.7, 0.8],
        "val_accuracy": [0.6, 0.8, 0.9],
        "loss": [3.0, 2.0, 1.0],
    }
    axes = Figure().subplots(6)
    plots.learning_curve(history, ax=axes[0])
    plots.predictions(clean.predictions, clean.labels, ax=axes[1])
    plots.predictions(noise.predictions, ax=axes[2])
    plots.confidence_histogram(clean.confidence, right, ax=axes[3])
    plots.confidence_histogram(clean.confidence, ax=axes[4])
    plots.image(mnist5k.test_images[0], title="a digit", ax=axes[5])
    figures = [axes[0].figure]
    figures += [plots.overview(each, history, mnist5k.test_images[:200]) for each in (clean, noise)]
    chosen = [PERTURBATIONS[name] for name in ("rotate", "offset-noise", "thin")]
    figures.append(plots.perturbations(chosen, mnist5k.test_images[:4], np.random.default_rng(0)))
    as_before("\n".join(map(drawn, figures)))


# small ones -------------------------------------------------------------------------------------


def test_mutants(command, as_before, capsys):
    facts = {"mistake": "m", "seconds": 61.0}
    trials = (
        Trial(fault="always-zero", size="", failed=("specs/claims/test_ann.py::test_a", "specs/x.py::test_b"), passed=9, **facts),
        Trial(fault="labels-shuffled", size="1/10", failed=("specs/x.py::test_b",), passed=10, **facts),
        Trial(fault="labels-shuffled", size="1/50", failed=(), passed=11, whole=False, **facts),
    )  # fmt: skip
    found = Matrix(
        head={"command": "mnistrobust mutants", "machine": "m", "versions": {"numpy": "2"}},
        trials=trials,
    )
    mutants_tables.print_matrix(found)
    texts = [
        capsys.readouterr().out,
        markdown(found),
        found.to_json(),
        command("mutants", "--list").out,
    ]
    as_before("\n".join(texts))


def test_lists(command, as_before, tmp_path):
    store = Store(tmp_path / "store")
    (store.root / "models").mkdir(parents=True)
    texts = []
    for words in (
        ("recipes",), ("perturbations",), ("data", "--data", "mnist5k"),
        ("store", "--store", "store"), ("baseline", "list", "--store", "store"),
        ("store", "prune", "--store", "store"), ("store", "clear", "--yes", "--store", "store"),
    ):  # fmt: skip
        ended = command(*words)
        texts += [f"$ {' '.join(words)}", ended.out, ended.err]
    as_before("\n".join(texts))


def test_show(mnist5k, as_before):
    history = {"accuracy": [0.5, 0.8], "val_accuracy": [0.6, 0.7], "loss": [2.0, 1.0]}
    replicate = SimpleNamespace(
        source=mnist5k.source, seed=3, trained=lambda _: SimpleNamespace(history=history),
        evaluate=lambda name, on="threshold": evaluation(name, on, mnist5k),
    )  # fmt: skip
    figures = [pictures.overview(replicate, "ann", on) for on in ("offset-noise", "pure-noise")]
    as_before("\n".join(map(drawn, figures)))


def test_evaluate(command, surroundings, mnist5k, as_before):
    from mnistrobust.replicates import Replicate
    from mnistrobust.report import console

    surroundings.setattr(console, "prepare", lambda *_, **__: None)
    surroundings.setattr(Replicate, "evaluate", lambda _, name, on: evaluation(name, on, mnist5k))
    texts = []
    for on in CONDITIONS:
        for more in ((), ("--json",)):
            ended = command(
                "evaluate", "ann", "--on", on, "--data", "mnist5k", "--store", "store", *more
            )
            texts += [ended.out, ended.err]
    as_before("\n".join(texts))


def test_notebook(as_before, tmp_path):
    chosen = str(evidence_of("mnist5k", tmp_path))
    found = mr.claims(data="mnist5k", evidence=chosen)
    one = mr.claims(WINS, data="mnist5k", evidence=chosen)
    as_before(f"{found!r}\n{one!r}\n{one._repr_html_()}".replace("<tr", "\n<tr"))
