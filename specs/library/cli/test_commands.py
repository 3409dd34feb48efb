"""What every command prints: data on standard output, everything else on standard error."""

import json
import re
from importlib.metadata import version
from types import SimpleNamespace

import pytest

from mnistrobust.cli.commands import earlier
from mnistrobust.conditions import CONDITIONS
from mnistrobust.errors import inert
from mnistrobust.perturbations import PERTURBATIONS
from mnistrobust.recipes import RECIPES
from mnistrobust.registry import load_claims
from mnistrobust.replicates import Replicate, schedule

COMMANDS = {
    ("verify",): {
        "--data", "--offline", "--store", "--seeds", "--evidence", "--results", "--report",
        "--baseline", "--model", "--verbose", "--json",
    },
    ("report",): {"--results", "--report", "--store", "--evidence", "--verbose", "--json"},
    ("claims",): {"--data", "--evidence", "--markdown", "--json"},
    ("evidence",): {"--data", "--evidence", "--markdown", "--json"},
    ("mutants",): {"--store", "--workers", "--output", "--from", "--list", "--json", "--markdown"},
    ("replicate",): {
        "--seeds", "--data", "--offline", "--store", "--workers", "--backend", "--scheduler", "--output", "--replicates", "--json",
    },
    ("evaluate",): {"--on", "--seed", "--data", "--offline", "--store", "--json"},
    ("train",): {"--seed", "--workers", "--data", "--offline", "--store", "--json"},
    ("show",): {"--on", "--seed", "--output", "--data", "--offline", "--store"},
    ("check",): {
        "--on", "--only", "--expect-failure", "--bound", "--input-shape", "--pixels", "--logits",
        "--probabilities",
        "--arch", "--trust", "--seconds", "--checks", "--report", "--data", "--offline", "--json",
        "--markdown",
    },
    ("export-inputs",): {"--data", "--offline", "--json"},
    ("data",): {"--data", "--offline", "--retry", "--json"},
    ("store",): {"--store", "--json"},
    ("store", "prune"): {"--store"},
    ("store", "clear"): {"--store", "--yes"},
    ("recipes",): {"--json"},
    ("perturbations",): {"--picture", "--data", "--offline", "--markdown", "--json"},
    ("curves",): {"--seeds", "--data", "--offline", "--store", "--workers", "--output", "--json"},
    ("sweep",): {
        "--over", "--seed", "--seeds", "--picture", "--csv", "--arch", "--trust", "--seconds", "--backend",
        "--scheduler", "--data", "--offline", "--store", "--workers", "--json",
    },
    ("fuzz",): {
        "--seconds", "--seed", "--candidates", "--direction", "--max-severity", "--arch", "--trust",
        "--input-shape", "--pixels", "--logits", "--probabilities", "--data", "--offline", "--report", "--json",
    },
    ("compare",): {
        "--seeds", "--on", "--tolerance", "--fail-on", "--counterexamples", "--arch", "--trust", "--backend",
        "--scheduler", "--report", "--junit", "--verbose", "--markdown", "--data", "--offline", "--store", "--workers", "--json",
    },
    ("baseline", "save"): {
        "--seeds", "--on", "--arch", "--trust", "--replace", "--data", "--offline", "--store",
        "--workers", "--json",
    },
    ("baseline", "list"): {"--store", "--json"},
    ("baseline", "remove"): {"--store"},
}  # fmt: skip

EVALUATION = [
    "recipe", "condition", "seed", "dataset", "n", "accuracy", "loss", "label_counts",
    "mean_confidence", "share_above_0.9", "wrong_share_above_0.9",
]  # fmt: skip


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_help_names_every_option(names, command):
    """Each command's help lists its options, and fits a terminal of 80 columns."""
    ended = command(*names, "--help")

    assert (ended.code, ended.err) == (0, "")
    words = {word.strip(",") for word in ended.out.split()}
    assert {word for word in words if word.startswith("--")} == {*COMMANDS[names], "--help"}
    assert max(map(len, ended.out.splitlines())) <= 80
    assert not re.search(r"<\w+|list\[|\bint\b", ended.out), "a type of Python"


SHARED = (
    *("--data", "--offline", "--store", "--workers", "--results", "--output", "--report"),
    *("--junit", "--verbose", "--markdown", "--json", "--help"),
)


@pytest.mark.parametrize("names", COMMANDS, ids=" ".join)
def test_help_ends_with_shared_options_in_one_order_and_an_example(names, command):
    """Whoever knows one command finds an option of another at its place."""
    out = command(*names, "--help").out

    listed = out.partition("Options:")[2].partition("Commands:")[0]
    options = re.findall(r"^  (?:-\w, )?(--[\w-]+)", listed, re.MULTILINE)
    shared = [name for name in options if name in SHARED]
    assert shared == sorted(shared, key=SHARED.index)
    assert options[-len(shared) :] == shared
    example = out.splitlines()[-1].removeprefix("  Example: mnistrobust ").split()
    assert example[: len(names)] == [*names]
    assert {word for word in example if word.startswith("--")} <= COMMANDS[names]


def test_the_version_is_that_of_the_package(command):
    """`--version` prints one line."""
    assert command("--version").out == f"mnistrobust {version('mnistrobust')}\n"


def test_recipes_and_conditions_are_listed(command):
    """`recipes` shows what each recipe trains on; --json has the same names."""
    lines = [line.split() for line in command("recipes").out.splitlines()]
    found = json.loads(command("recipes", "--json").out)

    assert [
        "ann_noisy_plusnoise",
        "all",
        "offset",
        "noise",
        "and",
        "a",
        "noise",
        "class",
        "10",
    ] in lines
    assert ["rnn_threshold_1000", "1000", "threshold", "10"] in lines
    assert ["inverted", "1", "-", "x"] in lines
    assert [each["name"] for each in found["recipes"]] == [*RECIPES]
    assert [*found["conditions"]] == [*CONDITIONS]


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_help_lists_every_command(arguments, command):
    """Without a command, the help is printed."""
    ended = command(*arguments)

    assert (ended.code, ended.err) == (0, "")
    assert all(f"\n  {names[0]} " in ended.out for names in COMMANDS)
    assert "..." not in ended.out.partition("Commands:")[2]  # every summary is whole
    assert "Exit codes: 0" in " ".join(ended.out.split())


@pytest.mark.slow
def test_help_and_claims_import_neither_tensorflow_nor_pandas(process):
    """A question that needs no network is answered at once."""
    program = (
        "import sys; from mnistrobust import cli\n"
        "for words in (['--help'], ['evaluate', '--help'], ['claims']):\n"
        "    sys.argv[1:] = words\n"
        "    try: cli.main()\n"
        "    except SystemExit as end: assert end.code == 0\n"
        "print(sorted({'tensorflow', 'keras', 'numba', 'matplotlib', 'pandas', 'scipy'} & sys.modules.keys()))"
    )

    assert process(program=("-c", program)).out.splitlines()[-1] == "[]"


def test_claims_json_has_a_row_for_each_claim(command):
    """`claims --json` lists every claim with the contract's keys; verdicts are not written."""
    ended = command("claims", "--json")
    rows = json.loads(ended.out)

    assert (ended.code, ended.err) == (0, "")
    assert [row["id"] for row in rows] == list(load_claims())
    keys = ["id", "family", "kind", "statement", "quote", "reported", "verdict", "instead", "spec"]
    assert all(list(row)[: len(keys)] == keys for row in rows)
    judged = {row["id"]: row["verdict"] for row in rows if row["verdict"]}
    assert set(judged) == {claim.id for claim in load_claims().values() if claim.judged}
    assert set(judged.values()) <= {"provisional", "reproduced", "refuted", "seed-dependent"}


def test_claims_prints_every_statement(command):
    """`claims` is the registry for a reader."""
    ended = command("claims")

    assert (ended.code, ended.err) == (0, "")
    text = " ".join(ended.out.split())
    assert all(claim.id in text for claim in load_claims().values())


def test_a_familys_claims_are_listed(command):
    """Those of no other family; what is neither family nor claim is an error."""
    listed = command("claims", "cnn").out
    rows = json.loads(command("claims", "cnn", "--json").out)

    assert [row["id"] for row in rows] == [name for name in load_claims() if name[:3] == "cnn"]
    assert all(row["id"] in listed for row in rows)
    assert "ann." not in listed
    assert "Unknown claim 'cnm'" in command("claims", "cnm").error


def test_one_claim_is_shown_in_full(command):
    """`claims ID` prints the statement, the document's words and the spec; --json a list of one."""
    ended = command("claims", "ann.offset_noise_hurts")
    row = json.loads(command("claims", "ann.offset_noise_hurts", "--json").out)

    claim = load_claims()["ann.offset_noise_hurts"]
    assert claim.quote in ended.out
    assert claim.spec in ended.out
    assert [each["id"] for each in row] == [claim.id]


def test_a_value_wraps_between_words(command, surroundings):
    """In a pipe as on a terminal; a path or an id that is longer than the line stays whole."""
    surroundings.setenv("COLUMNS", "60")
    ended = command("claims", "ann.offset_noise_hurts", "--evidence", "none")

    claim = load_claims()["ann.offset_noise_hurts"]
    assert claim.statement in " ".join(ended.out.split())
    assert claim.spec in ended.out
    assert all(len(line) <= 60 for line in ended.out.splitlines() if claim.spec not in line)


def test_a_terminal_without_a_width_has_80_columns(command, surroundings):
    """A width of 0, as some set it, is none: all is printed."""
    ended = [
        command("recipes") for width in ("80", "0") if not surroundings.setenv("COLUMNS", width)
    ]

    assert ended[0].out
    assert ended[0].out == ended[1].out


def test_measure_json_has_the_contracts_keys(command, here, rehearsal):
    """`evaluate --json` prints one evaluation, as the replicate reads it."""
    ended = command("evaluate", "ann_1000", "--on", "clean", "--json", *here)
    evaluation = json.loads(ended.out)

    assert ended.code == 0
    assert list(evaluation) == EVALUATION
    assert evaluation == rehearsal.evaluate("ann_1000", on="clean").to_json()
    assert evaluation["n"] == sum(evaluation["label_counts"]) == 1000
    assert "mnist5k" in ended.err


def test_measure_gives_the_accuracy_of_each_draw(command, here):
    """On offset noise, `accuracy` is the mean of the `draws`."""
    ended = command("evaluate", "ann_1000", "--on", "offset-noise", "--json", *here)
    evaluation = json.loads(ended.out)

    assert list(evaluation) == [*EVALUATION, "draws"]
    assert len(evaluation["draws"]) == 32
    assert evaluation["accuracy"] == pytest.approx(sum(evaluation["draws"]) / 32)


def test_measure_prints_a_line_for_each_figure(command, here):
    """`evaluate` prints the same evaluation for people."""
    ended = command("evaluate", "ann_1000", "--on", "clean", "--offline", "--seed", 0, *here)

    assert ended.code == 0
    names = [line.split()[0] for line in ended.out.splitlines() if line]
    assert names == EVALUATION
    assert "with a probability above 0.9: of all, and of wrong ones" in ended.err
    (data,) = (line for line in ended.err.splitlines() if line.startswith("data: "))
    assert data == "data: mnist5k, a rehearsal, which judges no claim; see 'mnistrobust data'"


def test_undefined_figures_are_null(command, here):
    """A digit classifier has no right answer on pure noise: no figure stands in for it."""
    ended = command("evaluate", "ann_1000", "--on", "pure-noise", "--json", *here)
    evaluation = json.loads(ended.out)

    assert (evaluation["accuracy"], evaluation["loss"], evaluation["n"]) == (None, None, 10_000)


def test_train_json_has_the_last_values_of_each_curve(command, here, rehearsal):
    """`train` ends with loss and accuracy of each recipe, named once however often asked for."""
    ended = command("train", "ann_1000", "ann_1000", "--workers", 1, "--json", *here)

    history = rehearsal.trained("ann_1000").history
    assert json.loads(ended.out) == {
        "ann_1000": {curve: values[-1] for curve, values in history.items()}
    }


def test_train_prints_a_table(command, here, surroundings):
    """`train` names each recipe with its figures, in whatever order a learning curve comes."""
    stored = {"accuracy": [0.0, 0.2], "loss": [0.0, 0.1], "val_accuracy": [0.4], "val_loss": [0.3]}
    fresh = {name: [value + 1 for value in stored[name]] for name in reversed(stored)}
    curves = {"ann": stored, "cnn": fresh}
    surroundings.setattr(schedule, "prepare", lambda *_: None)
    surroundings.setattr(
        Replicate, "trained", lambda _, name: SimpleNamespace(history=curves[name])
    )

    ended = command("train", "ann", "cnn", "--seed", 0, "--offline", *here)

    assert ended.code == 0
    assert [line.split() for line in ended.out.splitlines() if line.strip(" ─")] == [
        ["recipe", "loss", "accuracy", "val_loss", "val_accuracy"],
        ["ann", "0.1000", "0.2000", "0.3000", "0.4000"],
        ["cnn", "1.1000", "1.2000", "1.3000", "1.4000"],
    ]


def test_data_says_what_would_be_used_and_why(command):
    """`data --json` prints the decision; the notice goes to standard error."""
    ended = command("data", "--data", "mnist5k", "--json")

    assert ended.code == 0
    assert list(json.loads(ended.out)) == ["name", "digest", "path", "why"]
    assert "rehearsal" in ended.err
    assert "says nothing about a model trained on MNIST" in ended.err
    assert "as asked for" in command("data", "--data", "mnist5k").out


def test_data_offline_uses_what_lies_here(command, home, archive):
    """`--offline` and `--retry` reach the decision."""
    home.keras.write_bytes(archive.read_bytes())

    ended = command("data", "--offline", "--retry", "--json")

    assert json.loads(ended.out)["path"] == str(home.keras)


def test_environment_stands_in_for_options(command, here, surroundings):
    """MNISTROBUST_DATA and MNISTROBUST_STORE are the defaults of --data and --store."""
    surroundings.setenv("MNISTROBUST_DATA", "mnist5k")
    surroundings.setenv("MNISTROBUST_STORE", here[3])

    ended = command("evaluate", "ann_1000", "--on", "clean", "--json")

    assert ended.out == command("evaluate", "ann_1000", "--on", "clean", "--json", *here).out
    surroundings.setenv("MNISTROBUST_DATA", "/nowhere")
    assert command("data").code == 3


@pytest.mark.slow
def test_show_draws_a_picture(command, here, tmp_path):
    """`show` prints the name of the file that it drew."""
    target = tmp_path / "picture.png"

    ended = command("show", "ann_1000", "--on", "clean", "--output", target, *here)

    assert (ended.code, ended.out) == (0, f"{target}\n")
    assert target.read_bytes()[:4] == b"\x89PNG"


def test_show_names_a_picture_it_cannot_draw(command, here, tmp_path):
    """A format that does not exist is one line."""
    ended = command("show", "ann_1000", "--on", "clean", "--output", tmp_path / "x.foo", *here)

    assert (ended.code, ended.out) == (2, "")
    assert "x.foo: expected a picture, as x.png or .svg." in ended.error


def test_perturbations_are_listed(command):
    """All, or those that are named, with unit, range and severities."""
    listed = json.loads(command("perturbations", "--json").out)
    (rotate,) = json.loads(command("perturbations", "rotate", "--json").out)

    assert [each["name"] for each in listed] == list(PERTURBATIONS)
    assert (rotate["unit"], rotate["doses"]) == ("degrees counter-clockwise", [-180, 180])
    assert "marked 11.5, 23, 34.5" in " ".join(command("perturbations", "--markdown").out.split())
    assert command("perturbations", "rotat").code == 2


@pytest.mark.slow
def test_perturbations_are_drawn(command, tmp_path):
    """The picture has a row for each; a format that does not exist is one line."""
    target = tmp_path / "picture.png"
    ended = command("perturbations", "blur", "rotate", "--picture", target, "--data", "mnist5k")

    assert (ended.code, ended.out) == (0, f"{target}\n")
    assert target.read_bytes()[:4] == b"\x89PNG"
    ended = command("perturbations", "blur", "--picture", target, "--data", "mnist5k", "--json")
    assert [each["name"] for each in json.loads(ended.out)] == ["blur"]
    wrong = command("perturbations", "--picture", tmp_path / "x.foo", "--data", "mnist5k")
    assert (wrong.code, wrong.error.startswith("mnistrobust: --picture")) == (2, True)


def test_names_of_recipes_and_conditions_are_inert():
    """What the library itself prints holds no control characters."""
    assert all(
        inert(name) == name for name in [*RECIPES, *CONDITIONS, *PERTURBATIONS, *load_claims()]
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"model": "old:predict"}', ", in place of the report on old:predict"),
        ("[]", ""),
        ("{", ""),
        pytest.param("[" * 100_000, "", id="deep"),
    ],
)
def test_whose_report_is_replaced_is_said(text, said, tmp_path):
    """By the model's name; nothing of a file that is none."""
    (tmp_path / "fuzz.json").write_text(text)

    assert earlier(tmp_path / "fuzz.json") == said
    assert earlier(tmp_path / "none.json") == ""
