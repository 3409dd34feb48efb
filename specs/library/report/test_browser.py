"""The report in a browser: what moves, what is seen, and what is asked of the network."""

import re
import shutil
from pathlib import Path

import pytest

from mnistrobust import report
from mnistrobust.evidence import load
from mnistrobust.judging.ledger import ledger_of
from mnistrobust.registry import FAMILIES, load_claims
from mnistrobust.report import page
from mnistrobust.report.entries import entries
from specs.helpers.reports import alone, known, run

pytestmark = pytest.mark.slow  # seconds of a browser

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PATIENCE = 120_000  # milliseconds: machines are shared
SIZES = {"desktop": (1280, 900), "phone": (360, 740)}


@pytest.fixture(scope="module")
def browser():
    """Debian's Chromium, or another on the path."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f"no browser on the path: none of {', '.join(NAMES)}")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        # no sandbox: as root, Chromium has none, and the page is ours
        opened = started.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-gpu"], timeout=PATIENCE
        )
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory, rehearsal):
    """A report with every verdict, one network, and pictures."""
    folder = tmp_path_factory.mktemp("report")
    report.write(
        ledger_of(run(), known()),
        folder,
        replicate=alone(rehearsal, folder),
        changes=page.Changed(tables=[(["claim"], [["none"]])]),
    )
    return (folder / report.PAGE).as_uri()


DOCUMENT = ledger_of(evidence=load("mnist"))


class Visit:
    """One visit to the page; everything that the browser complains of or asks for is kept."""

    def __init__(self, browser, address, *, size="desktop", **options):
        width, height = SIZES[size]
        viewport = {"width": width, "height": height}
        self.context = browser.new_context(viewport=viewport, **options)
        self.context.set_default_timeout(PATIENCE)
        self.page = self.context.new_page()
        self.complaints, self.requests = [], []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(address)

    def choose(self, name, value):
        """Choose a value in one of the ledger's filters."""
        self.page.evaluate("document.getElementById('tools').open = true")
        self.page.select_option(f"#filters [name={name}]", value)

    @property
    def shown(self):
        """The ids of the claims that are shown, in their order."""
        script = "all => all.filter(each => each.checkVisibility()).map(each => each.id)"
        return self.page.eval_on_selector_all("#claims > li", script)

    @property
    def count(self):
        """What the page says of how many are shown."""
        return self.page.inner_text("#shown")

    def top_of(self, name):
        """How far below the window's top an element begins."""
        script = "name => document.getElementById(name).getBoundingClientRect().top"
        return self.page.evaluate(script, name)


@pytest.fixture
def visit(browser, address):
    """Visit the page; at the end nothing was complained of, and nothing asked for elsewhere."""
    visits = []

    def go(anchor="", **options):
        visits.append(Visit(browser, address + anchor, **options))
        return visits[-1]

    yield go
    for each in visits:
        each.context.close()
        assert each.complaints == []
        assert {url for url in each.requests if not url.startswith("data:")} <= {
            url for url in each.requests if url.startswith(address)
        }


def ledger():
    """The rows that the page is made of."""
    return ledger_of(run(), known()).rows


def test_the_ledger_is_filtered_by_network(visit):
    """Only the family's claims are left, and their number is said."""
    seen = visit()
    assert sorted(seen.shown) == sorted(load_claims())
    seen.choose("order", "document")
    for family in FAMILIES:
        seen.choose("family", family)
        expected = [claim.id for claim in load_claims().values() if claim.family == family]

        assert seen.shown == expected
        assert seen.count == f"{len(expected)} of {len(load_claims())} shown"


def test_the_ledger_is_filtered_by_verdict_outcome_and_text(visit):
    """Filters are joined by "and"; "Show all" ends them. In a rehearsal, full MNIST's verdict counts."""
    seen = visit()
    seen.choose("verdict", "refuted")
    here = {row.claim.id: row.outcome for row in ledger()}
    refuted = [
        each["row"].claim.id
        for each in entries(ledger_of(run(), known()), DOCUMENT)
        if each["document"].word == "refuted"
    ]
    assert seen.shown == refuted
    for outcome in ("holds", "does not hold"):
        seen.choose("outcome", outcome)
        assert seen.shown == [claim for claim in refuted if here[claim] == outcome]
    seen.page.fill("#filters [name=search]", seen.shown[0].upper())
    assert len(seen.shown) == 1
    seen.page.click("#filters button")
    seen.page.wait_for_selector("#claims > li[hidden]", state="detached")

    assert len(seen.shown) == len(load_claims())


@pytest.mark.parametrize("order", ["rate", "margin"])
def test_the_ledger_is_sorted(order, visit):
    """By hold-rate or margin, the lowest first; equal ones stay in the document's order."""
    last = float("inf")
    keys = {
        "rate": lambda row: row.verdict.held if row.verdict else last,
        "margin": lambda row: row.verdict.median if row.verdict else last,
    }
    seen = visit()
    seen.choose("order", order)
    judged = [row.claim.id for row in sorted(ledger(), key=keys[order]) if row.verdict]
    assert seen.shown[: len(judged)] == judged
    seen.choose("order", "document")

    assert seen.shown == list(load_claims())


def test_an_address_leads_to_its_claim(visit):
    """A claim is at the top of the window, also where a filter hid it."""
    claim = "cnn.handles_inversion"
    seen = visit(f"#{claim}")
    assert 0 <= seen.top_of(claim) < SIZES["desktop"][1] / 2
    seen.choose("family", "ann")
    assert claim not in seen.shown
    seen.page.evaluate("location.hash = 'rnn.matches_ann_accuracy'")
    seen.page.wait_for_selector("[id='rnn.matches_ann_accuracy']", state="visible")

    assert len(seen.shown) == len(load_claims())
    assert 0 <= seen.top_of("rnn.matches_ann_accuracy") < SIZES["desktop"][1] / 2
    assert seen.page.is_visible("[id='rnn.matches_ann_accuracy'] .says")


@pytest.mark.parametrize("anchor", ["#%E0%A4%A", "#nowhere", "#"])
def test_an_address_that_names_nothing_harms_nothing(anchor, visit):
    """The whole ledger is shown."""
    assert len(visit(anchor).shown) == len(load_claims())


def test_an_address_opens_its_network(visit):
    """A network's charts are seen where the address names it, or its link is followed."""
    seen = visit("#network-ann_1000")
    assert seen.page.is_visible("#network-ann_1000 .charts")
    other = visit()
    assert not other.page.is_visible("#network-ann_1000 .charts")
    other.page.click("a[href='#network-ann_1000']")  # inside another that is folded

    other.page.wait_for_selector("#network-ann_1000 .charts", state="visible")


def test_the_ledger_works_from_the_keyboard(visit):
    """The first key press leads to the ledger, and the filters follow arrows and letters."""
    seen = visit()
    seen.page.keyboard.press("Tab")
    assert seen.page.evaluate("document.activeElement.hash") == "#ledger"
    seen.page.keyboard.press("Enter")
    seen.page.keyboard.press("Tab")
    seen.page.keyboard.press("Enter")
    seen.page.keyboard.press("Tab")
    assert seen.page.evaluate("document.activeElement.name") == "family"
    seen.page.keyboard.press("ArrowDown")

    assert {claim.partition(".")[0] for claim in seen.shown} == {"ann"}


def test_without_scripts_the_ledger_is_complete(visit):
    """Nothing but the filters is missing."""
    seen = visit(java_script_enabled=False)
    visible = seen.page.locator("#claims > li:visible")

    assert visible.count() == len(load_claims())
    assert not seen.page.is_visible("#filters")


def test_the_page_is_short(visit, tmp_path):
    """At most ten screens of a small phone, and five sheets; what is folded is not printed."""
    seen = visit(size="phone")
    height = seen.page.evaluate("document.documentElement.scrollHeight")
    assert height <= 10 * SIZES["phone"][1]
    seen.page.pdf(path=tmp_path / "report.pdf", format="A4")
    content = (tmp_path / "report.pdf").read_bytes()
    seen.page.emulate_media(media="print")

    assert [name for name in ("claims", "each-network") if seen.page.is_visible(f"#{name}")] == [
        "claims"
    ]
    assert len(re.findall(rb"/Type\s*/Page\b", content)) <= 5


def test_the_picture_is_on_the_first_screen(visit):
    """Headline, counts and picture are seen without scrolling, on a phone too."""
    for size, (_, height) in SIZES.items():
        bottom = visit(size=size).page.evaluate(
            "document.querySelector('.verdicts svg').getBoundingClientRect().top"
        )
        assert bottom < height, size


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everyone_can_read_it(size, scheme, visit):
    """Contrast, alternative texts, labels and order pass axe; nothing is wider than the window."""
    from axe_playwright_python.sync_playwright import Axe

    seen = visit(size=size, color_scheme=scheme)
    seen.page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    found = Axe().run(seen.page)

    assert [
        f"{each['id']}: {each['nodes'][0]['target']}" for each in found.response["violations"]
    ] == []
    assert len(found.response["passes"]) > 20
    width = seen.page.evaluate("document.documentElement.scrollWidth")
    assert width <= SIZES[size][0]


@pytest.mark.parametrize("size", SIZES)
def test_no_head_of_a_column_runs_into_the_next(size, visit):
    """Between the words of two columns is room, on a phone too."""
    wide = "all => all.filter(each => each.scrollWidth > each.clientWidth).map(e => e.textContent)"

    assert visit(size=size).page.eval_on_selector_all(".figures thead th", wide) == []


def test_the_report_is_small(address):
    """One network adds less than 200 kB, so that fourteen stay below 3 MB."""
    assert Path(address.removeprefix("file://")).stat().st_size < 600_000
