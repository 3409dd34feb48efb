"""What the console does for a command before it prints."""

from types import SimpleNamespace

from mnistrobust.replicates import schedule
from mnistrobust.report import console


def test_what_is_missing_is_trained_by_as_many_processes_as_asked_for(monkeypatch):
    """What is there already is not; without anything missing, nothing is started."""
    asked = []
    monkeypatch.setattr(schedule, "prepare", lambda *given: asked.append(given))
    replicate = SimpleNamespace(complete=lambda task: task == "there", board=None)

    console.prepare(replicate, ["there"], 3)
    console.prepare(replicate, ["there", "missing"], 3)

    assert asked == [(replicate, ["missing"], 3)]
    assert replicate.board is None
