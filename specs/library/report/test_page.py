"""The report: one page that needs nothing else, and the same for programs."""

import base64
import hashlib
import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from mnistrobust import report
from mnistrobust.conditions import CONDITIONS
from mnistrobust.curves import Curves
from mnistrobust.errors import inert
from mnistrobust.evidence import load
from mnistrobust.evidence.results import ERROR, FAILS, HOLDS, Outcome
from mnistrobust.judging.ledger import ledger_of
from mnistrobust.judging.row import NOT_JUDGED
from mnistrobust.judging.statistics import REPRODUCED
from mnistrobust.recipes import RECIPES
from mnistrobust.registry import load_claims
from mnistrobust.replicates import Replicate
from mnistrobust.report import networks, page, pictures
from mnistrobust.report.entries import entries
from mnistrobust.store import Store
from specs.helpers.reports import SOURCE, Page, alone, figures, known, run
from specs.helpers.synthetic import FIVES, WINS, curve, head

EVIL = "<script>alert(1)</script>\x1b[31m=cmd|`x`"


def full(**changes):
    """A run on full MNIST."""
    return run(source=replace(SOURCE, name="mnist"), **changes)


@pytest.fixture(scope="module")
def judged():
    """The page of a run with evidence."""
    return Page(page.html(ledger_of(full(), known(dataset="mnist"))))


@pytest.fixture(scope="module")
def shown(rehearsal, tmp_path_factory):
    """The page of a run whose store has one network, and what it shows of it."""
    gallery = networks.gallery(alone(rehearsal, tmp_path_factory.mktemp("one")))
    return Page(page.html(ledger_of(run(), known()), gallery=gallery, files=report.FILES)), gallery


def test_curves_are_shown_by_axis_with_their_sentences():
    """Each has its claim, a link to it, and a chart; without curves there is no section."""
    shown = [
        curve([(-0.1, 0.1, 0.2)] * 2),
        curve([(0.1, 0.1, 0.2)] * 2, claim=FIVES),
        curve([(0.1, 0.2, 0.3)] * 2, axis="bar of confidence", doses=(0.5, 0.9, 0.99)),
    ]
    facts = head(dataset="mnist", code={"recipe ann": "another"}, command="mnistrobust curves")
    found = Page(
        page.html(ledger_of(run()), curves=Curves(head=facts, seeds=(1, 2), curves=tuple(shown)))
    )
    section = found.text.partition("at one dose")[2].partition("Made by mnistrobust")[0]

    assert section.index("Offset at test") < section.index("Bar of confidence")
    for each in shown:
        assert each.sentence in section
    assert "2 seeds on mnist" in section
    assert "The curves predate a change of" in section
    assert [each["class"] for each in found.with_class("band")] == ["key band", *["band"] * 3]
    assert "The claims as curves" not in page.html(ledger_of(run()))


@pytest.mark.slow
def test_every_claim_is_there_once_with_an_anchor(judged):
    """The claim's id is the address of its row, and its place in the document is kept."""
    found = {each["id"]: int(each["data-order"]) for each in judged.with_class("entry")}

    assert sorted(found, key=found.__getitem__) == list(load_claims())
    for claim in load_claims().values():
        assert judged.text.count(f"{claim.statement}\n") == 1


def test_every_claim_says_all_that_is_known(judged):
    """Statement, quote, hold-rate, the document's figures and what is true instead."""
    for row in ledger_of(full(), known(dataset="mnist")).rows:
        claim = row.claim
        assert claim.statement in judged.text
        assert all(claim.label(name) in judged.text for name in claim.figures)
        assert claim.quote in judged.text
        assert row.instead is None or row.instead in judged.text
        assert row.verdict is None or row.verdict.rate in judged.text
        assert all(f"{value:.4g}" in judged.text for value in claim.reported.values())


def test_the_top_counts_verdicts_and_this_run(judged):
    """Counts by the evidence, in the headline, in words and in the picture, and what holds here."""
    top = judged.text.partition("What to do next")[0]
    rows = ledger_of(full(), known(dataset="mnist")).judged
    told = [row.word for row in rows]

    for word in ("reproduced", "refuted", "seed-dependent"):
        assert told.count(word) > 1
        assert re.search(rf"\b{told.count(word)}\s+{word}", top), word
    assert f"{told.count('refuted')} of {len(rows)} claims about MNIST networks are refuted" in top
    held = sum(row.here == HOLDS for row in rows)
    assert f"{held} of {len(rows)} claims hold in this run, seed 0" in top
    assert len(judged.with_class("claims")) == 3 + 1  # groups of dots, and the list
    assert "mnistrobust verify --data mnist" in judged.text
    assert "numpy 2" in judged.text


def test_the_worst_comes_first():
    """What is not as expected, then refuted claims, seed-dependent ones, and the others."""
    one = Outcome(id=list(load_claims())[-1], seed=0, error="outside")
    results = full(outcomes=(*full().outcomes[:-1], one))
    ledger = ledger_of(results, known())
    words = [entry["word"] for entry in entries(ledger, ledger)]

    assert list(dict.fromkeys(words)) == [
        "not as expected", "refuted", "seed-dependent", "reproduced", "not judged",
    ]  # fmt: skip


def test_a_run_of_some_claims_leaves_the_documents_counts(judged):
    """On full MNIST, too, the verdicts are those of all claims; what ran is counted beside them."""
    one = next(each for each in full().outcomes if each.id == WINS)
    some = Page(page.html(ledger_of(full(outcomes=(one,)), known(dataset="mnist"))))

    top, whole = (each.text.partition("What to do next")[0] for each in (some, judged))
    headline = re.search(r"\d+ of \d+ claims about MNIST networks are refuted", whole)[0]
    assert headline in top
    assert re.search(r"\b[01] of 1 claims hold in this run", top)
    alone = Page(page.html(ledger_of(full(outcomes=(replace(one, margin=-0.1),)), None))).text
    assert "1 of 1 claims about MNIST networks do not hold in this run" in alone


def test_a_rehearsal_is_about_its_run():
    """The headline says whether the run is as its evidence expects; each claim, what holds here."""
    seeds = replace(known(digest=SOURCE.digest), claims={WINS: known().claims[WINS]})
    quiet = Page(page.html(ledger_of(run(), seeds)))
    one = Outcome(
        id=WINS, seed=0, figures=figures(load_claims()[WINS]), margin=0.2, error="outside"
    )
    loud = Page(page.html(ledger_of(run(outcomes=(*run().outcomes, one)), seeds)))
    words = {each["class"].partition(" ")[2] for each in quiet.with_class("entry")}

    assert "This rehearsal is as expected" in quiet.text
    assert "No result lies outside what 24 other seeds predict" in quiet.text
    assert "1 result of this rehearsal is not as expected" in loud.text
    assert words == {"holds", "does-not-hold", "reported"}
    assert SOURCE.notice in quiet.text


def test_a_rehearsal_gives_the_documents_verdicts_once_by_full_mnist():
    """The picture and the counts are those of full MNIST, whatever the rehearsal's own evidence."""
    text = Page(page.html(ledger_of(run(), known()))).text
    top, _, claims = text.partition("What to do next")
    document = ledger_of(evidence=load("mnist"))

    assert "The document’s verdicts, by full MNIST" in top
    for word, rows in document.by_verdict.items():
        counted = re.search(rf"\b{len(rows)}\s+{word}", top)
        assert bool(counted) == (word != NOT_JUDGED), word
    for row in document.judged:
        assert claims.count(f"On full MNIST: {'; '.join(row.judged[:2])}".replace(" -", " −")) > 0
    assert claims.count("On full MNIST") == len(load_claims())
    assert "Instead:" not in text


def test_without_evidence_everything_is_provisional():
    """The page then tells what does not hold in this run, and gives no verdict."""
    found = Page(page.html(ledger_of(full())))

    assert "claims about MNIST networks do not hold in this run" in found.text
    assert not found.with_class("refuted")
    assert found.with_class("does-not-hold")


@pytest.mark.slow
def test_one_provisional_claim_leaves_the_other_verdicts():
    """A claim that the evidence does not have yet is counted beside the others."""
    evidence = replace(known(), claims={k: v for k, v in known().claims.items() if k != WINS})
    found = Page(page.html(ledger_of(full(), evidence)))

    assert re.search(r"\b1\s+provisional", found.text)
    assert re.search(r"\b\d+\s+refuted: hold for almost no seed", found.text)


@pytest.mark.slow
def test_numbers_have_minus_signs():
    """No hyphen stands before a number that is shown; names and commands keep theirs."""
    ledger = ledger_of(full(seeds=(3, 5)), known())
    changes = page.Changed(notes=["-0.5 (-0.7 to -.3)"])
    found = Page(page.html(ledger, changes=changes))
    said = [each["aria-label"] for _, each in found.elements if "aria-label" in each]

    assert "−0.5 (−0.7 to −.3)" in found.text
    assert "this run −0.19" in found.text
    assert re.findall(r"[\s(]-\.?\d.*", "\n".join([found.text, *said])) == []
    assert "--seeds 3-5" in found.text


@pytest.mark.parametrize("outcome", [HOLDS, FAILS, ERROR])
def test_a_row_says_what_this_run_shows(outcome):
    """The sign of the margin, or why there is none."""
    error = "the figure plain is nan" if outcome == ERROR else None
    margin = {HOLDS: 0.1, FAILS: -0.1, ERROR: None}[outcome]
    one = Outcome(id=WINS, seed=0, figures={"plain": 0.5}, margin=margin, error=error)
    found = Page(page.html(ledger_of(run(outcomes=(one,)))))

    (entry,) = [each for each in found.with_class("entry") if each["id"] == WINS]
    assert entry["data-outcome"] == outcome
    assert (error or "plain") in found.text


@pytest.mark.slow
def test_an_architecture_of_the_readers_own_is_named_with_its_command():
    """The notice says whose networks these are; what does not hold for them comes first."""
    own = {"ann": f"{EVIL}:create"}
    reproduced = next(
        row.claim.id for row in ledger_of(run(), known()).rows if row.word == REPRODUCED
    )
    one = Outcome(id=reproduced, seed=0, margin=-0.1, models=own, error="does not hold for it")
    found = Page(page.html(ledger_of(run(outcomes=(one,)), known())))
    first = found.with_class("entry")[0]

    assert f"{inert(EVIL)}:create in place of ann" in found.text
    assert "verify --data mnist5k --model 'ann=<script>" in found.text
    assert (first["id"], "not-as-expected" in first["class"]) == (reproduced, True)
    assert "does not hold for it" in found.text
    assert len(found.all("script")) == 1


def test_a_failed_claim_keeps_its_figures():
    """What is outside of the evidence can be seen beside it, under names for people."""
    one = Outcome(id=WINS, seed=0, figures={"plain": 0.1234}, margin=0.05, error="outside")
    ledger = ledger_of(run(outcomes=(one,)), known())
    first = entries(ledger, ledger)[0]

    assert {each["name"]: each["run"] for each in first["figures"]} == {
        "accuracy under offset noise, plain ANN": "0.123",
        "accuracy under offset noise, noise-trained ANN": "",
    }
    assert "this run +0.05" in first["margins"]


def test_shares_of_one_claim_have_one_scale():
    """Two accuracies can be compared by eye; a loss has a scale of its own."""
    ledger = ledger_of(run(), known())
    found = {each["row"].claim.id: each["figures"] for each in entries(ledger, ledger)}
    inverted, noisy, loss = (
        re.findall(r">([^<]+)</text>", line["strip"]) for line in found["cnn.handles_inversion"]
    )

    assert inverted == noisy
    assert loss != noisy


def test_a_reader_sorts_by_hold_rate_and_median_margin():
    """The rate is a share of the seeds, or nothing without a verdict."""
    ledger = ledger_of(run(), known())
    found = {each["row"].claim.id: each for each in entries(ledger, ledger)}

    for entry in found.values():
        verdict = entry["row"].verdict
        expected = (verdict.held / 24, verdict.median) if verdict else (None, None)
        assert (entry["rate"], entry["margin"]) == expected


def test_several_replicates_are_counted():
    """With several seeds a claim holds here only where it holds in all of them."""
    replicates = tuple(
        Outcome(id=WINS, seed=seed, figures={"plain": 0.5}, margin=margin)
        for seed, margin in ((10001, 0.1), (10002, -0.1))
    )
    found = Page(page.html(ledger_of(run(outcomes=replicates, seeds=(10001, 10002)))))

    assert "holds in 1 of 2" in found.text
    assert "mnistrobust verify --data mnist5k --seeds 10001-10002" in found.text


@pytest.mark.slow
def test_the_page_needs_nothing_else(shown):
    """Every address is within the page, a file beside it, or an image in it."""
    found, _ = shown
    addresses = [each[key] for _, each in found.elements for key in ("src", "href") if key in each]
    ids = {each["id"] for _, each in found.elements if "id" in each}

    assert addresses
    for each in addresses:
        inside = each.startswith("#") and each[1:] in ids
        assert inside or each.startswith("data:") or each in report.FILES, each
    assert "url(" not in found.inside["style"]
    assert "@import" not in found.inside["style"]


@pytest.mark.slow
def test_ids_are_unique(shown):
    """An anchor leads to one place."""
    ids = [each["id"] for _, each in shown[0].elements if "id" in each]

    assert len(ids) == len(set(ids))


@pytest.mark.slow
def test_the_policy_allows_its_own_style_and_script_alone(shown):
    """The content-security policy names both by their hashes; no attribute holds code or style."""
    found, _ = shown
    (policy,) = [each["content"] for each in found.all("meta") if "http-equiv" in each]
    for kind in ("style", "script"):
        digest = hashlib.sha256(found.inside[kind].encode()).digest()
        assert f"{kind}-src 'sha256-{base64.b64encode(digest).decode()}'" in policy

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    attributes = {key for _, each in found.elements for key in each}
    assert not {key for key in attributes if key == "style" or key.startswith("on")}


def test_names_are_inert_everywhere(tmp_path):
    """HTML, escape codes and formulas in a path, an error or a figure are text in every file."""
    outcomes = (
        Outcome(id=WINS, seed=0, error=EVIL),
        Outcome(id="ann.offset_noise_hurts", seed=0, figures={EVIL: 0.5}, margin=0.1),
    )
    source = replace(SOURCE, name="mnist", path=f"/{EVIL}", why=EVIL)
    found = run(source=source, outcomes=outcomes, versions={EVIL: EVIL})
    report.write(
        ledger_of(found),
        tmp_path,
        replicate=Replicate(0, source, Store(tmp_path)),
        changes=page.Changed(notes=[EVIL], tables=[([EVIL], [[EVIL]])]),
    )

    for name in ("index.html", "ledger.md"):
        text = (tmp_path / name).read_text("utf-8")
        assert "alert(1)" in text, name
        assert "\x1b" not in text, name
    html = Page((tmp_path / "index.html").read_text("utf-8"))
    assert len(html.all("script")) == 1
    assert "alert" not in html.inside["script"]
    assert "<script" not in re.sub(r"\\.", "", (tmp_path / "ledger.md").read_text("utf-8"))


@pytest.mark.slow
def test_what_changed_is_shown_where_it_is_given():
    """Sentences and tables of a baseline's comparison, and else no section."""
    changes = page.Changed(notes=["SUSPICIOUS"], tables=[(["moved by"], [["+2.1 sd"]])])
    said = Page(page.html(ledger_of(run()), changes=changes))

    assert "+2.1 sd" in said.text
    assert len(said.with_class("note")) == 1
    assert "changes" in {each.get("id") for each in said.all("h2")}
    without = Page(page.html(ledger_of(run())))
    assert "changes" not in {each.get("id") for each in without.all("h2")}


@pytest.mark.slow
def test_a_network_is_shown_from_its_evaluations(shown):
    """Curve, predictions, confusion, confidence, reliability, noise, and the most confident mistakes."""
    found, gallery = shown
    (network,) = gallery["networks"]

    assert (network["name"], network["missing"]) == ("ann_1000", ["inverted", "threshold"])
    assert [seen["condition"] for seen in network["seen"]] == [
        "clean",
        "offset-noise",
        "pure-noise",
    ]
    clean, _, noise = network["seen"]
    assert set(clean["charts"]) == {
        "Predictions against labels", "Confidence, right against wrong", "Reliability",
    }  # fmt: skip
    assert set(noise["charts"]) == {"Confidence", "Predictions, all against those above 0.9"}
    assert [sum(row) for row in clean["confusion"]] == pytest.approx([100] * 10, abs=5)
    assert "network-ann_1000" in {each.get("id") for each in found.all("details")}


@pytest.mark.slow
def test_mistakes_are_wrong_and_most_confident_first(rehearsal, shown):
    """Each picture is the image that was misread; its caption has the answer and the confidence."""
    evaluation = rehearsal.evaluate("ann_1000", on="clean")
    wrong = np.flatnonzero((evaluation.predictions != evaluation.labels)[0])
    most_confident = wrong[evaluation.confidence[0, wrong].argmax()]
    images, _ = pictures.first_draw(rehearsal.source, 0, "clean")
    first = shown[1]["networks"][0]["seen"][0]["mistakes"][0]

    said, label = (
        values[0, most_confident] for values in (evaluation.predictions, evaluation.labels)
    )
    assert first == {
        "address": pictures.address(images[most_confident]),
        "says": f"a {label}, predicted a {said}",
        "confidence": pictures._percent(float(evaluation.confidence[0, most_confident])),
    }


def test_an_image_is_a_png_of_its_pixels():
    """Black is 0 and white 1, or the brightest pixel where that is brighter."""
    for brightest in (1.0, 2.0):
        pixels = np.linspace(0, brightest, 784, dtype=np.float32)
        content = base64.b64decode(pictures.address(pixels).partition(",")[2])
        found = np.asarray(Image.open(io.BytesIO(content)))

        assert found.shape == (28, 28)
        assert (found.min(), found.max()) == (0, 255)
        np.testing.assert_allclose(found.ravel() / 255, pixels / brightest, atol=0.01)


@pytest.mark.slow
def test_the_conditions_are_shown_on_the_same_digits(shown):
    """A strip of ten pictures for each condition, each with words for those who cannot see it."""
    found, gallery = shown

    assert [strip["condition"] for strip in gallery["strips"]] == list(CONDITIONS)
    assert {len(strip["pictures"]) for strip in gallery["strips"]} == {10}
    assert all(each.get("alt") for each in found.all("img"))


@pytest.mark.slow
def test_what_is_missing_is_named_with_its_command(shown):
    """A recipe or a condition that the store does not have is left out, and said how to get."""
    found, gallery = shown

    assert set(gallery["missing"]) == set(RECIPES) - {"ann_1000"}
    assert f"mnistrobust train {' '.join(gallery['missing'])} --data mnist5k" in found.text
    assert "mnistrobust evaluate ann_1000 --on inverted --data mnist5k" in found.text


@pytest.mark.slow
def test_nothing_is_trained_for_a_report(tmp_path):
    """An empty store stays empty, and the page says which command fills it."""
    store = Store(tmp_path / "store")
    report.write(ledger_of(run()), tmp_path / "report", replicate=Replicate(0, SOURCE, store))

    assert store.entries() == []
    text = Page((tmp_path / "report" / "index.html").read_text("utf-8")).text
    assert "No network of this run is in the store" in text


@pytest.mark.slow
def test_a_data_set_that_is_gone_costs_only_the_pictures(rehearsal, tmp_path):
    """The report of another machine's run is made all the same."""
    source = replace(SOURCE, name="mnist", path=str(tmp_path / "gone.npz"))
    gallery = networks.gallery(Replicate(0, source, rehearsal.store))
    found = Page(page.html(ledger_of(run(source=source)), gallery=gallery))

    assert "gone.npz" in gallery["excuse"]
    assert gallery["excuse"] in found.text
    assert len(found.with_class("entry")) == len(load_claims())


@pytest.mark.slow
def test_the_command_writes_everything_beside_the_page(command, tmp_path):
    """`report` needs nothing but an earlier run's results."""
    (tmp_path / "results.json").write_text(run().to_json(), "utf-8")
    ended = command(
        "report", "--results", tmp_path / "results.json", "--report", tmp_path / "new",
        "--store", tmp_path / "store", "--evidence", "none", "--json",
    )  # fmt: skip

    assert ended.code == 0, ended.err
    assert json.loads(ended.out) == json.loads(run().to_json())
    written = {path.name for path in (tmp_path / "new").iterdir()}
    assert written == {report.PAGE, *report.FILES}
