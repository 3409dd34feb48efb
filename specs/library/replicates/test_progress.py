"""How far a run is, and how long it will take: on a board, and in notes."""

import threading

import pytest

from mnistrobust.replicates import many, progress
from mnistrobust.replicates.progress import Board
from mnistrobust.report import console
from specs.helpers import standin


def test_progress_is_the_share_of_the_work_that_is_done(tmp_path):
    """A network in training counts by its epochs, and every network by its cost."""
    board = Board(tmp_path)
    board.plan({"ann": ("ann", 10.0), "rnn": ("rnn", 30.0)})
    board.report("rnn", 5, 10)
    half = board.look()
    board.report("ann", 10, 10)
    assert board.look().running == ("evaluating ann",)
    board.finish("ann")

    assert (half.done, half.total, half.fraction) == (0, 2, 15 / 40)
    assert half.running == ("training rnn 5/10",)
    board.plan({"rnn": ("rnn", 9.0), "ann": ("ann", 9.0)})  # planned already
    assert (board.look().done, board.look().fraction) == (1, pytest.approx(10 / 40))


def test_what_only_lacked_an_evaluation_tells_no_time(tmp_path):
    """Nor does what another process has begun."""
    board = Board(tmp_path)
    board.plan({"rotate-11.5": ("evaluation", 1.0), "rotate-11.25": ("evaluation", 1.0)})
    board.finish("rotate-11.5")

    assert (board.look().done, board.look().total, board.look().left) == (1, 2, None)


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands, and the function that sets it."""

    def set_to(seconds):
        monkeypatch.setattr(progress.time, "time", lambda: 1000.0 + seconds)

    set_to(0)
    return set_to


def test_the_time_left_is_measured_for_each_kind_of_network(tmp_path, clock):
    """A cheap network says nothing of a dear one, once that is measured; before, the costs do."""
    board = Board(tmp_path)
    board.plan({"ann": ("ann", 1.0), "rnn": ("rnn", 10.0), "rnn_noisy": ("rnn", 20.0)})
    clock(50)  # compiling costs time, and is no part of any training
    board.report("ann", 0, 10)
    assert board.look().left is None
    clock(51)
    board.report("ann", 5, 10)
    by_cost = board.look().left
    clock(52)
    board.finish("ann")
    board.report("rnn", 0, 10)
    clock(60)
    board.report("rnn", 1, 10)
    measured = board.look()
    clock(64)

    assert by_cost == 2 * (0.5 + 10 + 20)  # seconds for a cost of 1
    assert measured.left == 8 * (9 + 20)  # seconds for a cost of 1
    assert board.look().left == measured.left - 4
    assert measured.fraction == pytest.approx((2 + 8) / (2 + 80 + 160))
    assert str(measured) == "training rnn 1/10 · 1 of 3 done · about 4 min left"


def test_the_time_left_for_seeds_counts_rounds_of_workers(tmp_path, monkeypatch):
    """The first of two that run side by side has not taken the time of two."""
    now, told = [0.0], []

    def attempts(jobs, *_):
        for job in jobs:
            now[0] += 10.0 * (job.seed % 2)  # two end at a time
            yield job, many._attempt(job, standin.make)[1], None

    monkeypatch.setattr(many, "_attempts", attempts)
    monkeypatch.setattr(many.time, "monotonic", lambda: now[0])
    jobs = standin.jobs(tmp_path, 5)

    many.replicate(jobs, workers=2, finished=lambda *each: told.append(each))

    left = [seconds for _, _, seconds in told[:6]]
    assert left == [None, 20.0, 20.0, 10.0, 10.0, 0.0]


def test_a_pipe_hears_that_the_last_note_still_stands(monkeypatch):
    """Nothing is silent for long."""
    notes, again = [], threading.Event()

    def note(text):
        notes.append(text)
        _ = text == "predicting clean · 0 s so far" and again.set()

    monkeypatch.setattr(console, "note", note)
    monkeypatch.setattr(console, "_SILENCE", 0.01)
    with console.progress() as tell:  # may say that it is starting, where the first step comes late
        tell("predicting clean", 0.0)
        assert again.wait(30)

    first = notes.index("predicting clean")
    assert notes[first + 1] == "predicting clean · 0 s so far"


def test_a_pipe_gets_no_line_for_each_step(monkeypatch):
    """The first one at once, and the last one at the end."""
    notes = []
    monkeypatch.setattr(console, "note", notes.append)

    with console.progress() as tell:
        for name in ("clean", "inverted", "blank"):
            tell(f"predicting {name}", 0.0)

    assert notes == ["predicting clean", "predicting blank"]


def test_processes_side_by_side_share_what_is_left(tmp_path, clock):
    """But one training does not end earlier because another process is idle."""
    board = Board(tmp_path)
    board.plan({"rnn": ("rnn", 10.0), "ann": ("ann", 10.0), "cnn": ("cnn", 80.0)})
    board.report("rnn", 0, 10)
    clock(5)
    board.report("rnn", 5, 10)
    (tmp_path / "0.process").write_text('["ann", 5, 10, "training", 1000.0, 1005.0]')

    assert board.look().left == 80.0

    (tmp_path / "0.process").write_text('["cnn", 7, 8, "training", 935.0, 1005.0]')

    assert board.look().left == pytest.approx((5 + 10 + 10) / 2)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, ""), (0.4, "about 0 s left"), (99, "about 99 s left"), (100, "about 2 min left"), (9000, "about 2.5 h left")],
)  # fmt: skip
def test_a_time_is_said_in_the_unit_that_one_would_use(seconds, said):
    """An unknown one is not said."""
    assert progress.time_left(seconds) == said
