"""What every command prints: data on standard output, everything else on standard error."""

import json

import pytest

from mnistrobust.claims import load_claims
from mnistrobust.errors import inert
from mnistrobust.recipes import RECIPES
from mnistrobust.views import VIEWS

COMMANDS = {
    ("verify",): {
        "--data", "--offline", "--store", "--seeds", "--evidence", "--results", "--report",
        "--baseline", "--model", "--json",
    },
    ("report",): {"--results", "--report", "--store", "--evidence", "--json"},
    ("claims",): {"--data", "--evidence", "--picture", "--markdown", "--json"},
    ("questions",): {"--data", "--evidence", "--json"},
    ("evidence",): {"--data", "--evidence", "--markdown", "--json"},
    ("mutants",): {"--store", "--workers", "--output", "--picture", "--from", "--list", "--json", "--markdown"},
    ("replicate",): {
        "--seeds", "--data", "--offline", "--store", "--workers", "--backend", "--worlds",
        "--output", "--json",
    },
    ("measure",): {"--on", "--seed", "--data", "--offline", "--store", "--json"},
    ("train",): {"--seed", "--workers", "--data", "--offline", "--store", "--json"},
    ("show",): {"--on", "--seed", "--output", "--data", "--offline", "--store"},
    ("check",): {
        "--only", "--expect-failure", "--input-shape", "--logits", "--probabilities", "--arch",
        "--trust", "--specs", "--report", "--data", "--offline", "--json",
    },
    ("export-views",): {"--data", "--offline", "--json"},
    ("data",): {"--data", "--offline", "--retry", "--json"},
    ("store",): {"--store", "--json"},
    ("store", "verify"): {"--store", "--json"},
    ("store", "clear"): {"--store", "--yes"},
    ("baseline", "save"): {"--data", "--offline", "--store", "--family", "--replace", "--json"},
    ("baseline", "compare"): {
        "--data", "--offline", "--store", "--evidence", "--json", "--markdown",
    },
    ("baseline", "list"): {"--store", "--json"},
    ("baseline", "remove"): {"--store"},
}  # fmt: skip

READING = [
    "recipe", "view", "seed", "dataset", "n", "accuracy", "loss", "label_counts",
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
        "for words in (['--help'], ['measure', '--help'], ['claims', '--json']):\n"
        "    sys.argv[1:] = words\n"
        "    try: cli.main()\n"
        "    except SystemExit as end: assert end.code == 0\n"
        "print(sorted({'tensorflow', 'keras', 'numba', 'matplotlib'} & sys.modules.keys()))"
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


def test_one_claim_is_shown_in_full(command):
    """`claims ID` prints the statement, the document's words and the spec; --json a list of one."""
    ended = command("claims", "ann.offset_noise_hurts")
    row = json.loads(command("claims", "ann.offset_noise_hurts", "--json").out)

    claim = load_claims()["ann.offset_noise_hurts"]
    assert claim.quote in ended.out
    assert claim.spec in ended.out
    assert [each["id"] for each in row] == [claim.id]


def test_a_pipe_gets_each_value_in_one_line(command, surroundings):
    """Whatever its width is said to be: a path is not broken in two."""
    surroundings.setenv("COLUMNS", "40")
    ended = command("claims", "ann.offset_noise_hurts", "--evidence", "none")

    assert load_claims()["ann.offset_noise_hurts"].statement in ended.out


def test_measure_json_has_the_contracts_keys(command, here, rehearsal):
    """`measure --json` prints one reading, as the world reads it."""
    ended = command("measure", "ann_1000", "--on", "clean", "--json", *here)
    reading = json.loads(ended.out)

    assert ended.code == 0
    assert list(reading) == READING
    assert reading == rehearsal.read("ann_1000", on="clean").to_json()
    assert reading["n"] == sum(reading["label_counts"]) == 1000
    assert "mnist5k" in ended.err


def test_measure_gives_the_accuracy_of_each_draw(command, here):
    """On offset noise, `accuracy` is the mean of the `draws`."""
    ended = command("measure", "ann_1000", "--on", "offset-noise", "--json", *here)
    reading = json.loads(ended.out)

    assert list(reading) == [*READING, "draws"]
    assert len(reading["draws"]) == 32
    assert reading["accuracy"] == pytest.approx(sum(reading["draws"]) / 32)


def test_measure_prints_a_line_for_each_figure(command, here):
    """`measure` is the same reading for a reader."""
    ended = command("measure", "ann_1000", "--on", "clean", "--offline", "--seed", 0, *here)

    assert ended.code == 0
    assert [line.split()[0] for line in ended.out.splitlines() if line] == READING


def test_undefined_figures_are_null(command, here):
    """A digit classifier has no right answer on pure noise: no figure stands in for it."""
    ended = command("measure", "ann_1000", "--on", "pure-noise", "--json", *here)
    reading = json.loads(ended.out)

    assert (reading["accuracy"], reading["loss"], reading["n"]) == (None, None, 10_000)


def test_train_json_has_the_last_values_of_each_curve(command, here, rehearsal):
    """`train` ends with loss and accuracy of each recipe, named once however often asked for."""
    ended = command("train", "ann_1000", "ann_1000", "--workers", 1, "--json", *here)

    history = rehearsal.trained("ann_1000").history
    assert json.loads(ended.out) == {
        "ann_1000": {curve: values[-1] for curve, values in history.items()}
    }


def test_train_prints_a_table(command, here):
    """`train` names each recipe with its figures."""
    ended = command("train", "ann_1000", "--seed", 0, "--offline", *here)

    assert ended.code == 0
    assert "ann_1000" in ended.out
    assert "val_accuracy" in ended.out


def test_data_says_what_would_be_used_and_why(command):
    """`data --json` prints the decision; the notice goes to standard error."""
    ended = command("data", "--data", "mnist5k", "--json")

    assert ended.code == 0
    assert list(json.loads(ended.out)) == ["name", "digest", "path", "why"]
    assert "rehearsal" in ended.err
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

    ended = command("measure", "ann_1000", "--on", "clean", "--json")

    assert ended.out == command("measure", "ann_1000", "--on", "clean", "--json", *here).out
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
    assert "x.foo: Format 'foo' is not supported" in ended.error


def test_names_of_recipes_and_views_are_inert():
    """What the library itself prints holds no control characters."""
    assert all(inert(name) == name for name in [*RECIPES, *VIEWS, *load_claims()])
