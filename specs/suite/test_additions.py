"""One of each can be added as `.github/CONTRIBUTING.md` says, and the suite stays green."""

import json

import pytest

from specs.helpers import ROOT
from specs.helpers.additions import ADDITIONS, add, copied, run

pytestmark = pytest.mark.slow  # runs the default suite in a copy
DIGESTS = """
import json
from mnistrobust.replicates import keys
print(json.dumps(keys.code_digests() | {"reader": keys.reader_code()}))
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the project with one addition of each kind."""
    copy = copied(tmp_path_factory.mktemp("additions"))
    add(copy, *ADDITIONS)
    return copy


def test_additions_make_nothing_stale(copy):
    """Evidence and stored networks stay those of their code; the new claim waits for evidence."""
    before, after = (json.loads(run(where, "-c", DIGESTS).stdout) for where in (ROOT, copy))

    assert {name: after[name] for name in before} == before
    assert after.keys() - before.keys() == {
        "recipe ann_squared_1000", "recipe linear_1000", "condition squared", "claim ann.squaring_hurts",
    }  # fmt: skip
    listed = run(copy, "-m", "mnistrobust", "claims").stdout
    assert "1 provisional" in listed
    assert "refuted (" in listed


def test_the_default_suite_stays_green(copy, settings):
    """With the networks of this run's store, and those of the additions trained."""
    where = ["--store", settings.store_root, "--data", settings.source.path or "mnist5k"]
    ended = run(copy, "-m", "pytest", "specs", "-n", "2", "-q", *where)

    assert ended.returncode == 0, ended.stdout[-5000:]
