"""The README pages match the code: commands, options, examples, links and generated blocks."""

import re
import subprocess
import sys

import pytest
import typer

from mnistrobust.cli.app import app
from mnistrobust.conditions import condition_named
from mnistrobust.evidence import load
from mnistrobust.recipes import RECIPES
from specs.helpers import ROOT
from specs.helpers.pages import BLOCK, COMMAND, OTHERS, PAGES, fresh

CLI = typer.main.get_command(app)
README = (ROOT / "README.md").read_text("utf-8")
TEXTS = {page: page.read_text("utf-8") for page in PAGES}
every_page = pytest.mark.parametrize(
    "page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix()
)


def block(marker, text=README):
    return re.search(rf"<!-- {marker} -->\n```\w+\n(.*?)```", text, re.DOTALL)[1]


def commands_in(text):
    """Yield the words of every command of ours in a page's code."""
    codes = re.findall(r"```sh\n(.*?)```|`([^`\n]+)`", text, re.DOTALL)
    for line in "\n".join(one or other for one, other in codes).splitlines():
        if line.startswith("mnistrobust "):
            yield line.partition("#")[0].split()[1:]


def unknown(words):
    """Return what a command names that the command line does not have, or None."""
    found = CLI
    for word in words:
        if word.startswith("--"):
            if word not in {name for each in found.params for name in each.opts}:
                return word
        elif commands := getattr(found, "commands", {}):
            if word not in commands:
                return word
            found = commands[word]
    return None


def test_both_commands_install_and_run():
    """Each of the two commands is one line that installs, then runs."""
    for name, run in (("verify", "mnistrobust verify"), ("test", "pytest specs -n auto")):
        command = block(f"command: {name}")
        assert command.count("\n") == 1
        install = "python3 -m venv .venv && . .venv/bin/activate && pip install -e . && "
        assert command == f"{install}{run}\n"


def test_readme_is_read_in_five_minutes():
    """It has at most 195 lines beside its generated blocks, and the first Python is soon seen."""
    lines = README.splitlines()

    assert len(BLOCK.sub("", README).splitlines()) <= 195
    assert lines.index("```python") < 60


@every_page
def test_links_lead_to_files_of_the_project(page):
    """Every relative link leads to a file or folder, and to a heading where it names one."""
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", TEXTS[page]):
        there = (page.parent / target).resolve() if target else page
        assert there.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", there.read_text("utf-8"), re.MULTILINE)
            assert anchor in [
                re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings
            ]


def test_every_page_is_linked_from_another():
    """A reader of the README gets to each page."""
    linked = {
        (page.parent / target).resolve()
        for page, text in TEXTS.items()
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", text)
    }

    assert set(PAGES) - linked <= {ROOT / "README.md"}


@every_page
def test_commands_and_options_exist(page):
    """Every `mnistrobust …` in a page is a command that the command line has, with its options."""
    assert [words for words in commands_in(TEXTS[page]) if unknown(words)] == []


@every_page
def test_files_that_are_named_exist(page):
    """A path of ours in code leads to a file or folder."""
    names = re.findall(r"`((?:mnistrobust|specs|fixtures|\.github)/[\w./]*\w/?)[:`]", TEXTS[page])

    assert [name for name in names if not (ROOT / name).exists()] == []


@every_page
def test_names_of_recipes_and_conditions_exist(page):
    """`evaluate(…)` and `--on …` name recipes and conditions that exist."""
    text = TEXTS[page]
    evaluated = re.findall(r'\bevaluate\("(\w+)", on="([\w:.-]+)"\)', text)
    commands = re.findall(r"mnistrobust (?:evaluate|show) ([\w-]+) --on (?!my_)([\w:.-]+)", text)
    pairs = evaluated + [pair for pair in commands if pair[1] != "CONDITION"]

    assert {recipe for recipe, _ in pairs} <= set(RECIPES)
    for _, condition in pairs:
        condition_named(condition)


@every_page
def test_generated_blocks_are_fresh(page):
    """What stands between the markers is what makes it prints today, word for word."""
    assert TEXTS[page].count("<!-- made: ") == len(BLOCK.findall(TEXTS[page]))
    assert TEXTS[page] == fresh(TEXTS[page]), f"stale: run `{COMMAND}`"


def test_every_block_is_in_a_page():
    """Nothing is generated for nobody."""
    shown = {name for text in TEXTS.values() for _, name, _, _ in BLOCK.findall(text)}

    assert set(OTHERS) <= shown


def test_the_speed_block_is_what_the_command_prints():
    """The block is what the command in its marker prints."""
    for marker in re.findall(r"<!-- made: (python .+?) -->", "".join(TEXTS.values())):
        command = [sys.executable, *marker.split()[1:]]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
        assert done.stdout == OTHERS[marker]()


@pytest.mark.slow
def test_the_examples_pass(tmp_path, settings):
    """The specs of one's own run as they stand, on this run's data set and store."""
    examples = [
        (README, "spec"),
        (TEXTS[ROOT / "specs" / "README.md"], "fixtures"),
        (TEXTS[ROOT / "mnistrobust" / "fuzzing" / "README.md"], "law"),
        (TEXTS[ROOT / "mnistrobust" / "perturbations" / "README.md"], "law"),
    ]
    for i, (text, name) in enumerate(examples):
        (tmp_path / f"test_{name}_{i}.py").write_text(block(f"example: {name}", text), "utf-8")
    own = block(
        "example: perturbation", TEXTS[ROOT / "mnistrobust" / "perturbations" / "README.md"]
    )
    (tmp_path / "my_perturbations.py").write_text(own, "utf-8")
    command = [sys.executable, "-m", "pytest", tmp_path, "-p", "conftest", "-c", "pyproject.toml"]
    where = ["--store", settings.store_root, "--data", settings.source.path or "mnist5k"]
    done = subprocess.run([*command, *where], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout


def test_the_picture_of_the_ledger_shows_todays_claims():
    """It is made by `mnistrobust verify` on full MNIST, as `report/ledger.svg`, once there is evidence."""
    picture = (ROOT / ".github" / "ledger.svg").read_text("utf-8")

    assert [claim for claim in load("mnist").claims if claim not in picture] == []
    width = float(re.search(r'viewBox="0 0 ([\d.]+) ', picture)[1])
    assert width <= 1000, "at the 830 pixels of a repository's page, its text of 20 is readable"
