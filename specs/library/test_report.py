"""The report: one page that needs nothing else, and the same for programs."""

import base64
import hashlib
import io
import json
import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image
from reports import SOURCE, Page, alone, known, run
from synthetic import WINS
from threadpoolctl import threadpool_info, threadpool_limits

from mnistrobust import ledger, report
from mnistrobust.claims import load_claims, load_questions
from mnistrobust.errors import inert
from mnistrobust.ledger import ERROR, FAILS, HOLDS, Outcome, rows
from mnistrobust.recipes import RECIPES
from mnistrobust.report import networks, page, pictures
from mnistrobust.report.entries import entries
from mnistrobust.statistics import REPRODUCED
from mnistrobust.store import Store
from mnistrobust.views import VIEWS
from mnistrobust.world import World

pytestmark = pytest.mark.slow  # each renders a page

EVIL = "<script>alert(1)</script>\x1b[31m=cmd|`x`"


@pytest.fixture(scope="module")
def judged():
    """The page of a run with evidence."""
    return Page(page.html(run(), known()))


@pytest.fixture(scope="module")
def shown(rehearsal, tmp_path_factory):
    """The page of a run whose store has one network, and what it shows of it."""
    gallery = networks.gallery(alone(rehearsal, tmp_path_factory.mktemp("one")))
    return Page(page.html(run(), known(), gallery=gallery)), gallery


def test_every_claim_has_an_anchor_in_the_documents_order(judged):
    """The claim's id is the address of its row."""
    found = [each["id"] for each in judged.with_class("entry")]

    assert found == list(load_claims())


def test_every_claim_says_all_that_is_known(judged):
    """Statement, quote, hold-rate, the document's figures and what is true instead."""
    for row in rows(run(), known()):
        claim = row.claim
        assert claim.statement in judged.text
        assert claim.quote in judged.text
        assert claim.instead is None or claim.instead in judged.text
        assert row.verdict is None or row.verdict.rate in judged.text
        assert all(f"{value:.4g}" in judged.text for value in claim.reported.values())


def test_the_top_counts_verdicts_and_this_run(judged):
    """Counts by the evidence, the data set, the rehearsal's notice, versions and the command."""
    top = judged.text.partition("In each picture")[0]
    told = [row.judged[0] for row in rows(run(), known()) if row.claim.judged]

    for word in ("reproduced", "refuted", "seed-dependent"):
        assert told.count(word) > 1
        assert re.search(rf"\b{told.count(word)}\s+{word}", top), word
    assert SOURCE.notice in top
    assert "mnistrobust verify --data mnist5k" in top
    assert "numpy 2" in top.partition("What is wrong")[0]


def test_what_is_refuted_comes_first(judged):
    """A reader meets every refuted claim, then every seed-dependent one, before the ledger."""
    top = judged.text.partition("What is wrong, and why")[2].partition("In each picture")[0]
    places = {"refuted": [], "seed-dependent": []}
    for row in rows(run(), known()):
        if row.claim.judged and row.judged[0] in places:
            places[row.judged[0]].append(top.index(f"{row.claim.statement}\n"))

    assert max(places["refuted"]) < min(places["seed-dependent"])


def test_without_evidence_everything_is_provisional():
    """The page then lists what does not hold in this run, and gives no verdict."""
    found = Page(page.html(run()))

    assert f"{sum(claim.judged for claim in load_claims().values())} provisional" in found.text
    assert "do not hold in this run" in found.text
    assert not found.with_class("refuted")
    assert found.with_class("does-not-hold")


@pytest.mark.parametrize(("name", "term"), [("mnist", "Instead: "), ("mnist5k", "On full MNIST: ")])
def test_what_is_true_instead_is_said_of_full_mnist(name, term, monkeypatch):
    """A rehearsal's page says that the sentence is not its own."""
    claims = dict(load_claims())
    claims[WINS] = replace(claims[WINS], instead="It makes it a little better.")
    monkeypatch.setattr(ledger, "load_claims", lambda: claims)
    text = Page(page.html(run(source=replace(SOURCE, name=name)))).text

    assert text.count(f"{term}It makes it a little better.") == 1


@pytest.mark.parametrize("outcome", [HOLDS, FAILS, ERROR])
def test_a_row_says_what_this_run_shows(outcome):
    """The sign of the margin, or why there is none."""
    error = "the figure plain is nan" if outcome == ERROR else None
    margin = {HOLDS: 0.1, FAILS: -0.1, ERROR: None}[outcome]
    one = Outcome(id=WINS, seed=0, figures={"plain": 0.5}, margin=margin, error=error)
    found = Page(page.html(run(outcomes=(one,))))

    (entry,) = [each for each in found.with_class("entry") if each["id"] == WINS]
    assert entry["data-outcome"] == outcome
    assert (error or "plain") in found.text


def test_an_architecture_of_the_readers_own_is_named_with_its_command():
    """The notice says whose networks these are; what does not hold for them comes first."""
    own = {"ann": f"{EVIL}:create"}
    reproduced = next(row.claim.id for row in rows(run(), known()) if row.judged[0] == REPRODUCED)
    one = Outcome(id=reproduced, seed=0, margin=-0.1, models=own, error="does not hold for it")
    found = Page(page.html(run(outcomes=(one,)), known()))
    wrong = found.text.partition("What is wrong, and why")[2].partition("refuted")[0]

    assert f"{inert(EVIL)}:create in place of ann" in found.text
    assert "verify --data mnist5k --model 'ann=<script>" in found.text
    assert "does not hold for it" in wrong
    assert len(found.all("script")) == 1


def test_a_failed_claim_keeps_its_figures():
    """What is outside of the evidence can be seen beside it."""
    one = Outcome(id=WINS, seed=0, figures={"plain": 0.1234}, margin=0.05, error="outside")
    (entry,) = [each for each in entries(run(outcomes=(one,)), known()) if each.row.outcomes]

    assert [each.run for each in entry.figures if each.name in {"margin", "plain"}] == [
        "+0.05",
        "0.123",
    ]


def test_several_worlds_are_counted():
    """With several seeds a claim holds here only where it holds in all of them."""
    worlds = tuple(
        Outcome(id=WINS, seed=seed, figures={"plain": 0.5}, margin=margin)
        for seed, margin in ((10001, 0.1), (10002, -0.1))
    )
    found = Page(page.html(run(outcomes=worlds, seeds=(10001, 10002))))

    assert "holds in 1 of 2" in found.text
    assert "mnistrobust verify --data mnist5k --seeds 10001-10002" in found.text


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


def test_ids_are_unique(shown):
    """An anchor leads to one place."""
    ids = [each["id"] for _, each in shown[0].elements if "id" in each]

    assert len(ids) == len(set(ids))


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
    report.write(found, tmp_path, store=Store(tmp_path), changes=[{EVIL: EVIL}])

    for name in ("index.html", "junit.xml", "ledger.md"):
        text = (tmp_path / name).read_text("utf-8")
        assert "alert(1)" in text, name
        assert "\x1b" not in text, name
    html = Page((tmp_path / "index.html").read_text("utf-8"))
    assert len(html.all("script")) == 1
    assert "alert" not in html.inside["script"]
    assert "<script" not in re.sub(r"\\.", "", (tmp_path / "ledger.md").read_text("utf-8"))
    assert ET.parse(tmp_path / "junit.xml").findall(".//script") == []  # noqa: S314 - ours


def test_junit_has_a_case_for_each_claim(tmp_path):
    """Failed where the run failed, skipped where it was not run; "does not hold" is no failure."""
    outcomes = (
        Outcome(id=WINS, seed=0, error="the figure plain is nan"),
        Outcome(id="ann.offset_noise_hurts", seed=0, figures={"clean": 0.9}, margin=-0.1),
    )
    report.write(run(outcomes=outcomes), tmp_path)
    suite = ET.parse(tmp_path / "junit.xml").getroot()[0]  # noqa: S314 - ours
    cases = {f"{case.get('classname')}.{case.get('name')}": case for case in suite.iter("testcase")}

    assert list(cases) == list(load_claims())
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("37", "1", "35")
    assert cases[WINS].find("failure").text == "the figure plain is nan"
    assert cases["ann.offset_noise_hurts"].find("failure") is None
    assert "clean 0.9" in cases["ann.offset_noise_hurts"].findtext("system-out")


def test_what_changed_is_shown_where_it_is_given():
    """A table of a baseline's comparison, a line where nothing changed, else no section."""
    rows_ = [{"claim": WINS, "moved by": "+2.1 standard deviations"}]

    assert "+2.1 standard deviations" in Page(page.html(run(), changes=rows_)).text
    said = Page(page.html(run(), changes=[{"what": "nothing changed", "now": ""}]))
    assert len(said.with_class("note")) == 1  # a sentence is no row of the table
    assert "nothing changed" in said.text
    nothing = Page(page.html(run(), changes=[]))
    assert "changes" in {each.get("id") for each in nothing.all("h2")}
    without = Page(page.html(run()))
    assert "changes" not in {each.get("id") for each in without.all("h2")}


def test_open_questions_have_their_networks(judged):
    """Each question stands there, with a row for each claim and each network it may mean."""
    for question in load_questions().values():
        assert question.question in judged.text
        assert all(name in judged.text for name in question.alternatives)


def test_a_network_is_shown_from_its_readings(shown):
    """Curve, answers, confusion, confidence, reliability, noise, and the surest mistakes."""
    found, gallery = shown
    (network,) = gallery.networks

    assert (network.name, network.missing) == ("ann_1000", ("inverted", "threshold"))
    assert [seen.view for seen in network.seen] == ["clean", "offset-noise", "pure-noise"]
    clean, _, noise = network.seen
    assert set(clean.charts) == {
        "Answers against labels", "Confidence, right against wrong", "Reliability",
    }  # fmt: skip
    assert set(noise.charts) == {"Confidence", "Answers, all against those above 0.9"}
    assert [sum(row) for row in clean.confusion] == pytest.approx([100] * 10, abs=5)
    assert "network-ann_1000" in {each.get("id") for each in found.all("details")}


def test_mistakes_are_wrong_and_surest_first(rehearsal, shown):
    """Each picture is the image that was misread, and its bars are the network's probabilities."""
    reading = rehearsal.read("ann_1000", on="clean")
    wrong = np.flatnonzero((reading.answers != reading.labels)[0])
    surest = wrong[reading.confidence[0, wrong].argmax()]
    images, _ = pictures.first_draw(rehearsal.source, 0, "clean")
    first = shown[1].networks[0].seen[0].mistakes[0]

    assert first.address == pictures.address(images[surest])
    assert f"a {reading.labels[0, surest]}, answered {reading.answers[0, surest]}" == first.says
    said = re.search(r'aria-label="([^"]+)"', first.bars)[1]
    assert f"{reading.answers[0, surest]} {reading.confidence[0, surest]:.0%}" in said


def test_an_image_is_a_png_of_its_pixels():
    """Black is 0 and white 1, or the brightest pixel where that is brighter."""
    for brightest in (1.0, 2.0):
        pixels = np.linspace(0, brightest, 784, dtype=np.float32)
        content = base64.b64decode(pictures.address(pixels).partition(",")[2])
        found = np.asarray(Image.open(io.BytesIO(content)))

        assert found.shape == (28, 28)
        assert (found.min(), found.max()) == (0, 255)
        np.testing.assert_allclose(found.ravel() / 255, pixels / brightest, atol=0.01)


def test_the_views_are_shown_on_the_same_digits(shown):
    """A strip of ten pictures for each view, each with words for those who cannot see it."""
    found, gallery = shown

    assert [strip.view for strip in gallery.strips] == list(VIEWS)
    assert {len(strip.pictures) for strip in gallery.strips} == {10}
    assert all(each.get("alt") for each in found.all("img"))


def test_what_is_missing_is_named_with_its_command(shown):
    """A recipe or a view that the store does not have is left out, and said how to get."""
    found, gallery = shown

    assert set(gallery.missing) == set(RECIPES) - {"ann_1000"}
    assert f"mnistrobust train {' '.join(gallery.missing)} --data mnist5k" in found.text
    assert "mnistrobust measure ann_1000 --on inverted --data mnist5k" in found.text


def test_nothing_is_trained_for_a_report(tmp_path):
    """An empty store stays empty, and the page says which command fills it."""
    store = Store(tmp_path / "store")
    report.write(run(), tmp_path / "report", store=store)

    assert store.entries() == []
    text = Page((tmp_path / "report" / "index.html").read_text("utf-8")).text
    assert "No network of this run is in the store" in text


def test_a_report_multiplies_in_one_thread(rehearsal, tmp_path, monkeypatch):
    """Its matrices are small: more threads would wait for each other on a busy machine."""
    threads = []
    mistakes = pictures.mistakes

    def watched(*arguments):
        threads.extend(
            each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"
        )
        return mistakes(*arguments)

    monkeypatch.setattr(pictures, "mistakes", watched)
    with threadpool_limits(2, "blas"):
        report.write(run(), tmp_path, store=alone(rehearsal, tmp_path / "one").store)

    assert set(threads) == {1}


def test_a_data_set_that_is_gone_costs_only_the_pictures(rehearsal, tmp_path):
    """The report of another machine's run is made all the same."""
    source = replace(SOURCE, name="mnist", path=str(tmp_path / "gone.npz"))
    gallery = networks.gallery(World(0, source, rehearsal.store))
    found = Page(page.html(run(source=source), gallery=gallery))

    assert "gone.npz" in gallery.excuse
    assert gallery.excuse in found.text
    assert len(found.with_class("entry")) == len(load_claims())


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
