"""A shell completes commands, claims, recipes, conditions and baselines."""

import os

import pytest

from mnistrobust.comparison import baselines
from mnistrobust.conditions import CONDITIONS
from mnistrobust.recipes import RECIPES
from mnistrobust.registry import load_claims
from mnistrobust.store import Store
from specs.helpers.runs_by_hand import run


@pytest.fixture
def completed(command, surroundings):
    """Ask as bash does: `completed("claims ann.off")` gives what the last word may become."""

    def ask(line):
        words = f"mnistrobust {line}"
        surroundings.setenv("_MNISTROBUST_COMPLETE", "complete_bash")
        surroundings.setenv("COMP_WORDS", words)
        surroundings.setenv("COMP_CWORD", str(len(words.split(" ")) - 1))
        ended = command()
        assert (ended.code, ended.err) == (0, "")
        return ended.out.split()

    return ask


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("veri", ["verify"]),
        ("claims ann.off", ["ann.offset_noise_hurts"]),
        ("claims ", list(load_claims())),
        ("evaluate ann_n", [name for name in RECIPES if name.startswith("ann_n")]),
        ("train ann rnn_t", ["rnn_threshold_1000"]),
        ("evaluate ann --on ", list(CONDITIONS)),
        ("show ann --on inv", ["inverted"]),
        ("baseline rem", ["remove"]),
    ],
)
def test_names_are_completed(line, expected, completed):
    """What begins so, and nothing else."""
    assert completed(line) == expected


def test_baselines_are_completed(completed, tmp_path, surroundings):
    """Those beside the store that the line, or the environment, names."""
    store = Store(tmp_path / "store")
    for name in ("before", "begun", "other"):
        baselines.save(run(), name, store)

    assert completed(f"baseline remove --store {store.root} be") == ["before", "begun"]
    surroundings.setenv("MNISTROBUST_STORE", str(store.root))
    assert completed("verify --baseline o") == ["other"]


@pytest.mark.slow
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_script(shell, process, surroundings):
    """`--show-completion` prints what `--install-completion` installs."""
    surroundings.setenv("SHELL", f"/bin/{shell}")
    surroundings.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")

    ended = process("--show-completion", shell)

    assert (ended.code, ended.err) == (0, "")
    assert "_MNISTROBUST_COMPLETE" in ended.out


@pytest.mark.slow
def test_completing_imports_no_tensorflow(process, surroundings):
    """A key stroke is predicted soon."""
    program = (
        "import sys, atexit\n"
        "heavy = {'tensorflow', 'keras', 'numba', 'matplotlib'}\n"
        "atexit.register(lambda: sys.stderr.write(repr(sorted(heavy & sys.modules.keys()))))\n"
        "sys.argv = ['mnistrobust']\n"
        "from mnistrobust import cli; cli.main()"
    )
    surroundings.setenv("_MNISTROBUST_COMPLETE", "complete_bash")
    for line in ("evaluate a", "measure ann --on c", "claims a", "baseline remove "):
        surroundings.setenv("COMP_WORDS", f"mnistrobust {line}")
        surroundings.setenv("COMP_CWORD", str(len(line.split(" "))))

        assert process(program=("-c", program)).err == "[]", line
    assert os.environ["_MNISTROBUST_COMPLETE"]
