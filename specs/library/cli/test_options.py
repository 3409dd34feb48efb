"""Every option of every command changes what it says it changes; exit codes say what was found.

The commands are the real ones. What they would train, run or open is noted instead.
"""

import inspect
import io
import sys
from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mnistrobust import data, evidence, plots, report, store, suite
from mnistrobust.architectures import Replaced
from mnistrobust.checks import opening as models
from mnistrobust.checks import page as checks_page
from mnistrobust.checks import predictions
from mnistrobust.checks import run as checking
from mnistrobust.checks.check import FAILED, Check, CheckResult
from mnistrobust.checks.model import Model
from mnistrobust.checks.outputs import PROBABILITIES
from mnistrobust.checks.run import CHECKS
from mnistrobust.cli import fuzz
from mnistrobust.comparison import baselines, opening, replays, runs, verdict
from mnistrobust.comparison import page as comparison_page
from mnistrobust.comparison.paired import Paired
from mnistrobust.comparison.sides import Side
from mnistrobust.curves import jobs as curve_jobs
from mnistrobust.errors import UsageError
from mnistrobust.evaluations import evaluate
from mnistrobust.evidence.results import Outcome
from mnistrobust.fuzzing import findings, outcomes, search
from mnistrobust.fuzzing import text as findings_text
from mnistrobust.mutants import tables
from mnistrobust.mutants import trial as trials
from mnistrobust.mutants.matrix import Matrix, Trial
from mnistrobust.replicates import Replicate, many
from mnistrobust.report import console, pictures
from mnistrobust.store import Store
from mnistrobust.sweeps import picture as sweep_picture
from mnistrobust.sweeps import sweep as sweeps
from mnistrobust.sweeps.curves import Ladder
from mnistrobust.sweeps.sweep import Sweep
from mnistrobust.training import CURVES
from specs.helpers import ROOT
from specs.helpers.runs_by_hand import SOURCE, run
from specs.helpers.synthetic import WINS, measured, spread
from specs.helpers.synthetic import evidence as evidence_of
from specs.library.cli.test_commands import COMMANDS

CALLS = {  # the words of each command, with what it requires
    "verify": (),
    "report": (),
    "claims": (),
    "evidence": (),
    "mutants": (),
    "replicate": ("--seeds", "2", "--output", "evidence.json"),
    "evaluate": ("ann", "--on", "clean"),
    "train": ("ann",),
    "show": ("ann", "--on", "clean"),
    "check": ("package.module:model",),
    "export-inputs": ("folder",),
    "data": (),
    "store": (),
    "store prune": (),
    "store clear": (),
    "recipes": (),
    "compare": ("old", "new"),
    "baseline save": ("new", "package.module:model"),
    "baseline list": (),
    "baseline remove": ("one",),
    "perturbations": (),
    "curves": ("--output", "curves.json"),
    "sweep": ("package.module:model",),
    "fuzz": ("package.module:model",),
}
BESIDE = {  # what an option needs to mean anything
    ("perturbations", "--data"): ("--picture", "some.png"),
    ("perturbations", "--offline"): ("--picture", "some.png"),
    ("compare", "--scheduler"): ("--seeds", "2", "--backend", "dask"),
    ("replicate", "--scheduler"): ("--backend", "dask"),
    ("sweep", "--scheduler"): ("--backend", "dask"),
    ("compare", "--backend"): ("--seeds", "2", "--scheduler", "tcp://10.0.0.7:8786"),
    ("replicate", "--backend"): ("--scheduler", "tcp://10.0.0.7:8786"),
    ("sweep", "--backend"): ("--scheduler", "tcp://10.0.0.7:8786"),
}
VALUES = {  # of each option that takes one; none is its default
    "--arch": "cnn", "--bound": "nll=0.5", "--backend": "dask", "--scheduler": "tcp://10.0.0.7:8786", "--fail-on": "never", "--junit": "cases.xml",
    "--candidates": "8", "--csv": "rows.csv", "--direction": "changes", "--max-severity": "3", "--over": "rotate:-20",
    "--picture": "drawn.png", "--tolerance": "accuracy=0.002", "--pixels": "0..255", "--seconds": "9", "--baseline": "one", "--data": "mnist5k",
    "--evidence": "none", "--expect-failure": "nll=why", "--from": "matrix.json",
    "--input-shape": "28x28", "--model": "ann=own_builder:create", "--on": "inverted",
    "--only": "brier", "--output": "other.json", "--replicates": "finished", "--report": "pages",
    "--results": "all.json", "--seed": "7", "--seeds": "3", "--store": "elsewhere", "--workers": "5",
    "check --on": "rotate:15", "compare --on": "rotate:15", "baseline save --on": "rotate:15",
    "show --output": "other.png", "compare --counterexamples": "fuzz.json",
}  # fmt: skip
MODEL = Model(name="m", outputs=PROBABILITIES, classes=10)
FEW = SimpleNamespace(source=SOURCE, test_labels=range(9))
JUDGED = checking.Report(session=SimpleNamespace(model=MODEL, dataset=FEW, broken=None), results=())
WORSE = run(Outcome(id=WINS, seed=0, error="it broke"))
SIDE = Side(name="m", seeds=(1, 2), dataset=(SOURCE.name, "0"), sets={}, made="2026", versions={})


def compared(difference):
    """A comparison of two ways to train, in accuracy and in the recall of a digit."""
    known = dict.fromkeys(("difference", "low", "high"), difference)
    change = Paired(**known, error=0.1, freedom=9.0, p=0.0, n=9)
    facts = {"old": 0.9, "new": 0.9 + difference, "paired": change}
    rows = (
        verdict.Row(figure="accuracy", on="clean", p=float(not difference), **facts),
        verdict.Row(figure="recall", on="3", p=1.0, **facts),
    )
    return verdict.Comparison(
        old=SIDE, new=SIDE, dataset=data.load(data.decide("mnist5k")), rows=rows
    )


SWEPT = Sweep(source=SOURCE, ladders=(), curves={}, seeds={})
FOUND_NOTHING = SimpleNamespace(to_json=dict, tests={}, weaknesses=(), faults=())
SURVIVOR = Trial(fault="always-zero", size="", mistake="m", failed=(), passed=9, seconds=1.0)


def told(value):
    """Return a value that a command passes on as JSON values, the same in every run."""
    if isinstance(value, Replicate):
        own = [name for name, r in value.recipes.items() if isinstance(r.architecture, Replaced)]
        return f"seed {value.seed} of {value.source.name} in {value.store.root}, {own}"
    if isinstance(value, Check):
        return value.bound
    if isinstance(value, Store | many.Job | Ladder):
        return told(vars(value))
    if isinstance(value, Mapping):
        return {str(key): told(each) for key, each in value.items()}
    if isinstance(value, list | tuple | range):
        return [told(each) for each in value]
    plain = isinstance(value, str | float | int | Path | Searched)
    return str(value) if plain else type(value).__name__


class Searched:
    """A search that tries a candidate a second; of the seconds, a part is for the search."""

    candidates = 0

    def __str__(self):
        return f"{self.candidates} candidates"

    def monotonic(self):
        return self.candidates * fuzz._SEARCH

    def run(self, enough):
        while not enough():
            self.candidates += 1


class Noting:
    """The command, in a new folder for each call, and what it would do."""

    def __init__(self, command, folder, patch, source):
        self.command, self.folder, self.patch = command, folder, patch
        self.searched = Searched()
        patch.setattr(fuzz, "time", self.searched)
        self.numbers, self.calls = count(), []
        results, evaluation = run().results, tiny_evaluation()
        known = evidence_of({WINS: measured(spread(0.2, 0.01), noisy=spread(0.8, 0.01))})
        for place, name, result in (
            (data, "decide", source), (evidence, "load", known), (suite, "verify", (results, 0)),
            (suite, "read_results", results), (console, "prepare", None),
            (Replicate, "evaluate", evaluation),
            (Replicate, "trained", SimpleNamespace(history={each: [0.5] for each in CURVES})),
            (pictures, "overview", None), (pictures, "save", None), (report, "write", None), (many, "replicate", 0),
            (many, "evidence_of", SimpleNamespace(to_json=str)),
            (opening, "open_side", SIDE), (verdict, "compare", compared(-0.1)),
            (comparison_page, "html", "a page"), (baselines, "load", run()), (baselines, "save", Path(__file__)),
            (baselines, "check_free", None), (baselines, "names", ["one"]),
            (baselines, "remove", None), (replays, "read", []), (runs, "run_of", run()),
            (checks_page, "html", "a page"), (models, "open_model", MODEL), (models, "check_given", True),
            (opening, "check_side", None), (checking, "run", JUDGED),
            (predictions, "export", []), (tables, "known", Matrix(head={}, trials=())),
            (trials, "trials_folder", Path("trials")), (trials, "trials", []),
            (sweeps, "sweep", SWEPT), (sweep_picture, "draw", None), (plots, "perturbations", None),
            (curve_jobs, "jobs", []), (curve_jobs, "curves", SimpleNamespace(to_json=str, curves=[])),
            (outcomes, "Subject", SimpleNamespace(how={})), (search, "Search", self.searched),
            (findings, "findings_of", FOUND_NOTHING), (findings_text, "picture", None), (findings_text, "print_findings", None),
        ):  # fmt: skip
            self.note(place, name, result)
        self.note(store, "open_store", None)

    def note(self, place, name, result):
        """Let a function note its arguments by name, and return a result."""
        signature = inspect.signature(getattr(place, name))

        def noted(*given, **options):
            arguments = signature.bind(*given, **options)
            arguments.apply_defaults()
            self.calls.append((name, told(arguments.arguments)))
            opened = Store(Path(arguments.arguments.get("folder") or "store"))
            return opened if name == "open_store" else result

        self.patch.setattr(place, name, noted)

    def __call__(self, *words):
        """Run the command; return its exit code, and all that it printed, passed on and wrote."""
        folder = self.folder / str(next(self.numbers))
        folder.mkdir()
        (folder / "own_builder.py").touch()
        self.patch.chdir(folder)
        self.calls.clear()
        self.searched.candidates = 0
        ended = self.command(*words)
        files = [str(path.relative_to(folder)) for path in sorted(folder.rglob("*"))]
        text = f"{ended.code} {ended.out} {ended.error} {self.calls} {files}"
        return ended.code, text.replace(str(folder), "here")


def tiny_evaluation():
    draws = iter([(np.zeros((2, 784)), np.zeros(2, int))])
    facts = {"recipe": "ann", "condition": "clean", "seed": 0, "dataset": "mnist5k"}
    return evaluate(
        lambda images: np.zeros((len(images), 10)), draws, classes=10, input_shape=(784,), **facts
    )


@pytest.fixture
def noting(command, tmp_path, surroundings, mnist5k):
    surroundings.setattr(sys, "path", [*sys.path])
    surroundings.setattr(sys, "stdin", io.StringIO("no\n" * 9))
    return Noting(command, tmp_path, surroundings, mnist5k.source)


def test_every_command_and_value_is_tried():
    """A new command or option needs a line here."""
    assert {tuple(call.split()) for call in CALLS} == {*COMMANDS}
    assert {value.rpartition(" ")[2] for value in VALUES} < {
        option for options in COMMANDS.values() for option in options
    }


@pytest.mark.parametrize("call", CALLS)
def test_an_option_changes_what_a_command_does(call, noting):
    """Its value reaches what the command prints, passes on or writes; a flag changes something."""
    usual = (*call.split(), *CALLS[call])
    without = noting(*usual)

    for option in COMMANDS[tuple(call.split())]:
        value = VALUES.get(f"{call} {option}", VALUES.get(option, ""))
        beside = BESIDE.get((call, option), ())
        words = (*usual, *beside)
        before, plain = noting(*words) if beside else without
        code, text = noting(*words, option, *filter(None, [value]))
        word = value.rpartition("=")[2].rpartition("..")[2]

        assert code < 2, (option, text)
        assert (code, text) != (before, plain), option
        if (
            before == 2
        ):  # one is refused without the other: of --backend and --scheduler, the address
            assert word in text or beside[-1] in text, option
            continue
        assert not word or code != before or text.count(word) > plain.count(word), option


@pytest.mark.parametrize(
    "call", [call for call in CALLS if "--offline" in COMMANDS[(*call.split(),)]]
)
def test_offline_is_passed_on_wherever_a_data_set_is_chosen(call, noting):
    """Of all calls that may download, none is without it."""
    more = BESIDE.get((call, "--offline"), ())
    more += ("--baseline", "one", "--evidence", "file.json") * (call == "verify")

    noting(*call.split(), *CALLS[call], *more, "--offline")

    choices = [given["offline"] for _, given in noting.calls if "offline" in given]
    assert choices
    assert {*choices} == {"True"}


def test_replicates_have_the_seeds_from_1(noting, tmp_path):
    """The suite's own seed, 0, is never evidence."""
    noting("replicate", "--seeds", "3", "--output", "evidence.json")

    (jobs,) = [given["jobs"] for name, given in noting.calls if name == "replicate"]
    assert [job["seed"] for job in jobs] == ["1", "2", "3"]
    assert (tmp_path / "0" / "evidence.json").is_file()


def test_a_baseline_without_a_model_is_a_run_of_the_claims(noting):
    """It takes no option of models; a run that could not end is not kept."""
    noting.note(runs, "run_of", WORSE)
    code, text = noting("baseline", "save", "new", "--offline", "--json")

    calls = dict(noting.calls)
    assert code == 0
    assert calls["verify"]["offline"] == "True"
    assert calls["verify"]["options"]["--evidence"] == "none"
    assert "check_side" not in calls
    assert '"claims": 1, "failed": 1' in " ".join(text.replace("\\n", " ").split())
    code, text = noting("baseline", "save", "new", "--trust")
    assert (code, "--trust is for a model: name it after new." in text) == (2, True)
    for ended in (1, 2, 3):
        noting.note(suite, "verify", (run().results, ended))
        code, _ = noting("baseline", "save", "new")
        assert code == (0 if ended == 1 else ended)
        assert ("save" in dict(noting.calls)) == (ended == 1)


def test_a_models_baseline_is_a_name_or_a_file(noting):
    """Any path that ends in .npz; a name has the letters of a file on every system."""
    assert noting("baseline", "save", "./-1.npz", "m:p")[0] == 0
    assert "-1.npz" in noting("baseline", "save", "./-1.npz", "m:p")[1]
    code, text = noting("baseline", "save", "-1.npz/x", "m:p")
    assert (code, "expected at most 64 letters" in text) == (2, False)
    code, text = noting("baseline", "save", "a b", "m:p")
    assert (code, "expected at most 64 letters" in text) == (2, True)


def test_each_trial_is_told_as_it_ends(command, surroundings, tmp_path):
    """The folder where it is kept, and how many specs have seen the mistake."""
    surroundings.chdir(ROOT)
    seen = replace(SURVIVOR, failed=("a", "b"), seconds=7.4)

    def tried(chosen, _clone, _folder, workers, tell):
        assert (len(chosen), workers) == (1, "3")
        tell(seen)
        return [seen]

    surroundings.setattr(trials, "trials", tried)
    surroundings.setattr(trials, "trials_folder", lambda root, _: root / "of this code")
    ended = command("mutants", "always-zero", "--store", tmp_path / "s", "--workers", "3")

    assert ended.code == 0
    first, second, *_ = ended.err.splitlines()
    assert first == f"trials: {tmp_path / 'mutants' / 'of this code'}"
    assert second == "always-zero: m: failing specs: 2 (7 s)"


HOW = {"arch": "cnn", "trust": True}
OPENED = {  # by each command that opens models, and how
    "compare digits.keras mine:model": (opening, HOW),
    "baseline save name digits.keras": (opening, HOW),
    "sweep digits.keras --over rotate --seconds 9": (sweeps, {**HOW, "seconds": 9.0}),
    "sweep mine:model digits.keras --over rotate --seconds 9": (sweeps, {"seconds": 9.0}),
}


@pytest.mark.parametrize("call", OPENED)
def test_a_model_is_opened_as_the_options_say(call, command, surroundings, tmp_path):
    """A sweep's module, which is its own builder, takes the seconds alone."""
    place, expected = OPENED[call]
    surroundings.chdir(tmp_path)
    (tmp_path / "digits.keras").write_bytes(b"x")
    (tmp_path / "mine.py").touch()

    def noted(*_, name=None, **how):  # noqa: ARG001
        raise UsageError(str(how))

    surroundings.setattr(place, "open_model", noted)
    ended = command(*call.split(), "--trust", "--arch", "cnn", "--data", "mnist5k")

    assert ended.error == f"mnistrobust: {expected}"


FAILED_CHECK = replace(
    JUDGED,
    results=(CheckResult(check=CHECKS["nll"], status=FAILED, figures={}, reason="too large"),),
)
FOUND = {  # what a command finds, and the exit code
    "no claim fails": ("verify", suite, "verify", (run().results, 0), 0),
    "a claim fails": ("verify", suite, "verify", (run().results, 1), 1),
    "worse than a baseline": ("verify --baseline one", runs, "run_of", WORSE, 1),
    "as the baseline": ("verify --baseline one", runs, "run_of", run(), 0),
    "a worse model": ("compare old new", verdict, "compare", compared(-0.1), 1),
    "a model as good": ("compare old new", verdict, "compare", compared(0.0), 0),
    "a better model": ("compare old new", verdict, "compare", compared(0.1), 0),
    "another model": ("compare old new --fail-on any", verdict, "compare", compared(0.1), 1),
    "whatever model": ("compare old new --fail-on never", verdict, "compare", compared(-0.1), 0),
    "no check fails": ("check m:p", checking, "run", JUDGED, 0),
    "a check fails": ("check m:p", checking, "run", FAILED_CHECK, 1),
    "every mistake is seen": ("mutants", trials, "trials", [], 0),
    "a mistake is not seen": ("mutants", trials, "trials", [SURVIVOR], 1),
}


@pytest.mark.parametrize(("words", "place", "name", "found", "code"), FOUND.values(), ids=FOUND)
def test_the_exit_code_says_what_was_found(words, place, name, found, code, noting):
    """0 as expected, 1 a failure or something worse, 2 wrong usage, 3 no data."""
    noting.note(place, name, found)

    assert noting(*words.split())[0] == code


@pytest.mark.parametrize(
    ("fail_on", "difference", "failures"),
    [("worse", -0.1, 1), ("worse", 0.1, 0), ("any", 0.1, 1), ("any", -0.1, 1), ("never", -0.1, 0)],
)
def test_a_verdict_that_fails_is_a_failure_for_junit(
    fail_on, difference, failures, noting, tmp_path
):
    """CI shows the rows for which the exit code is 1, and no others."""
    noting.note(verdict, "compare", compared(difference))

    code, _ = noting("compare", "old", "new", "--fail-on", fail_on, "--junit", "cases.xml")

    written = (tmp_path / "0" / "cases.xml").read_text("utf-8")
    assert (code, written.count("<failure ")) == (failures, failures)
    assert f'tests="2" failures="{failures}"' in written


@pytest.mark.parametrize("call", ["evaluate", "train", "show"])
def test_the_seed_is_that_of_the_replicate(call, noting):
    """What is trained and shown has the seed that was asked for, not only its name."""
    noting(call, *CALLS[call], "--seed", "7")

    replicates = [given["replicate"] for _, given in noting.calls if "replicate" in given]
    assert replicates
    assert all(each.startswith("seed 7 ") for each in replicates)


def test_the_page_of_fresh_seeds_shows_networks_of_the_first(noting):
    """Not those of the suite's own seed."""
    noting.note(suite, "verify", (replace(run().results, seeds=(7, 8)), 0))

    noting("verify", "--seeds", "7-8")

    (written,) = [given for name, given in noting.calls if name == "write"]
    assert any(str(each).startswith("seed 7 ") for each in written.values())


def test_a_picture_of_perturbations_leaves_json_and_markdown_as_they_are(noting):
    """The picture's name is printed where nothing else is."""
    plain = noting("perturbations", "blur", "--picture", "some.png")[1]
    for form, begin in (
        ("--json", '0 [\n {\n  "name": "blur"'),
        ("--markdown", "0 | perturbation |"),
    ):
        assert noting("perturbations", "blur", "--picture", "some.png", form)[1].startswith(begin)
    assert plain.startswith("0 some.png\n")


@pytest.mark.parametrize("call", ["check", "fuzz"])
def test_pixels_may_be_inverted(call, noting):
    """The values of no ink and of full ink, whichever is larger."""
    _, text = noting(call, "m:p", "--pixels", "1..0")

    assert "'pixels': ['1.0', '0.0']" in text


def test_a_dose_is_checked_beside_the_checks_that_were_asked_for(noting):
    """`--only` names checks, and `--on` adds one to them."""
    noting("check", "m:p", "--only", "nll", "--on", "rotate:15")

    (asked,) = [given["only"] for name, given in noting.calls if name == "run"]
    assert asked == ["nll", "rotate:15"]


def test_pytests_report_lies_beside_ours(noting, tmp_path):
    """In the folder where the command runs, and not where pytest does."""
    noting("verify")

    (junit,) = [given["junit"] for name, given in noting.calls if name == "verify"]
    assert junit == str(tmp_path / "0" / "report" / "junit.xml")


def test_results_are_written_to_the_file_that_is_named(noting, tmp_path):
    """There, and not in the report's folder."""
    noting("verify", "--results", "all.json")

    assert (tmp_path / "0" / "all.json").read_text("utf-8") == run().results.to_json()
