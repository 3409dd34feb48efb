"""No spec waits for ever, whatever it waits for."""

import faulthandler
import gc
import os
import signal
import time

import pytest

for each in (
    "CI",
    "BUILD_NUMBER",
):  # with one of these, pytest tells every difference of two values:
    os.environ.pop(each, None)  # 160 s for 20 kB of bytes, and for ever while hypothesis shrinks
_SECONDS = 120  # of a spec that takes one or two, on a busy machine
_SLOW_SECONDS = 1800  # or of one that may train a network
gc.set_threshold(500_000, 50, 100)  # with libraries loaded, each full collection takes 0.2 s
_armed = [0.0, 0.0]  # when, and for how long: arming costs more than a quick spec


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish():
    """Collect garbage once: pytest does it ten times at the end, and Python again, 4 s a worker."""
    gc.collect()
    gc.freeze()  # what is left is not looked at again


@pytest.fixture(autouse=True)
def end(request):
    """Fail a spec that hangs; end the process where not even a signal gets through."""
    slow = request.node.get_closest_marker("slow") or "replicate" in request.fixturenames
    seconds = _SLOW_SECONDS if slow else _SECONDS

    def fail(*_):
        pytest.fail(f"still waiting after {seconds} seconds")

    alarm = getattr(signal, "SIGALRM", None)  # Windows has none
    kept = signal.signal(alarm, fail) if alarm else None
    if alarm:
        signal.setitimer(signal.ITIMER_REAL, seconds, 1)
    since, lasts = _armed
    if lasts != seconds or time.monotonic() - since > seconds / 2:
        faulthandler.dump_traceback_later(2 * seconds, exit=True)
        _armed[:] = time.monotonic(), seconds
    yield
    if alarm:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(alarm, kept)
