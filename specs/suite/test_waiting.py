"""No spec hangs: each has an end of its own."""

import os
import signal
import subprocess
import sys
import threading

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no alarm")


def pipe(folder):
    """Open a pipe that nobody writes to."""
    os.mkfifo(folder / "pipe")
    (folder / "pipe").read_bytes()


def process(_):
    """Wait for a process that does not end by itself."""
    subprocess.run([sys.executable, "-c", "import time; time.sleep(600)"], check=True)


def lock(_):
    """Take a lock twice."""
    taken = threading.Lock()
    with taken, taken:
        pass


@pytest.mark.parametrize("wait", [pipe, process, lock])
def test_a_spec_that_waits_for_ever_fails(wait, tmp_path):
    """The alarm is set in every spec; here it comes early."""
    assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 120
    signal.setitimer(signal.ITIMER_REAL, 0.05)

    with pytest.raises(pytest.fail.Exception, match="still waiting after 120 seconds"):
        wait(tmp_path)
