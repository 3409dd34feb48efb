"""Jobs: which there are, and that a later run makes only the missing ones."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from itertools import starmap

import pytest

from mnistrobust.curves import jobs
from mnistrobust.curves.axes import AXES
from mnistrobust.registry import load_claims
from mnistrobust.store import Store
from specs.helpers import ROOT
from specs.helpers.processes import children_of, psutil, wait_for

ADDS_NONE = "ann.thresholding_adds_no_intelligence"


def test_there_is_a_job_for_each_seed_and_dose():
    """Each claim is measured at each of its doses, for each seed, once."""
    measured = [
        (claim, job.axis, job.dose, job.seed)
        for job in jobs.jobs((1, 2), 60_000)
        for claim in job.claims
    ]
    expected = {
        (claim, axis.name, dose, seed)
        for claim in load_claims()
        for axis in AXES.values()
        for dose in axis.doses_for(claim)
        for seed in (1, 2)
    }

    assert len(measured) == len(set(measured))
    assert set(measured) == expected
    assert measured[0][0].startswith("ann.")
    assert measured[-1][0].startswith("cnn.")


def test_no_dose_has_more_training_rows_than_there_are():
    """10,000 of 4,000 images would be all of them, under a wrong number."""
    listed = jobs.jobs((1,), 4000)

    rows = {job.dose for job in listed if job.axis == "training rows"}
    assert rows == {100, 300, 1000, 3000}
    assert {job.axis for job in listed} == {*AXES}


def test_a_claim_of_several_words_holds_where_all_do(rehearsal, monkeypatch):
    """Its margin on a curve is the least of theirs."""
    monkeypatch.setattr(jobs, "margins", lambda *_: (0.3, -0.2))
    job = jobs.Job(axis="threshold", dose=0.9, seed=0, claims=(ADDS_NONE,))

    assert job.margins(rehearsal.source, rehearsal.store) == {ADDS_NONE: -0.2}


def test_a_curve_has_a_row_for_each_seed_in_the_order_of_doses(monkeypatch, mnist5k, tmp_path):
    """In whatever order the jobs end; those of a claim on two axes are two curves."""
    listed = [
        replace(job, claims=(ADDS_NONE,))
        for job in jobs.jobs((2, 1), 60_000)
        if ADDS_NONE in job.claims
    ]
    monkeypatch.setattr(
        jobs.Job, "margins", lambda job, *_: dict.fromkeys(job.claims, job.seed + job.dose / 100)
    )
    monkeypatch.setattr(jobs, "in_processes", lambda call, calls, _: starmap(call, calls))
    told = []

    found = jobs.curves(
        listed[::-1], mnist5k.source, Store(tmp_path), workers=1, command="mnistrobust curves",
        finished=lambda *progress: told.append(progress[:2]),
    )  # fmt: skip

    assert found.seeds == (1, 2)
    assert {each.axis for each in found.curves} == {job.axis for job in listed}
    for each in found.curves:
        assert each.doses == AXES[each.axis].doses_for(ADDS_NONE)
        assert each.margins == tuple(
            tuple(seed + dose / 100 for dose in each.doses) for seed in (1, 2)
        )
    assert told == [(done, len(listed)) for done in range(1, len(listed) + 1)]
    assert (found.head.dataset, found.head.images) == ("mnist5k", 1000)


@pytest.mark.slow
def test_a_run_goes_on_where_it_ended(rehearsal):
    """A run in two processes gives a curve; a later one finds everything stored, and the same."""
    chosen = [
        replace(job, claims=(ADDS_NONE,))
        for job in jobs.jobs((0, 1), 60_000)
        if ADDS_NONE in job.claims and job.axis == "threshold" and job.dose in {0.5, 0.9}
    ]

    def run(told):
        return jobs.curves(
            chosen,
            rehearsal.source,
            rehearsal.store,
            workers=2,
            command="mnistrobust curves",
            finished=lambda *progress: told.append(progress),
        )

    first, later = [], []
    found, again = run(first), run(later)

    (curve,) = found.curves
    assert (curve.claim, curve.axis, curve.doses) == (ADDS_NONE, "threshold", (0.5, 0.9))
    assert [len(row) for row in curve.margins] == [2, 2]
    assert len({margin for row in curve.margins for margin in row}) == 4
    assert found.to_json() == again.to_json()
    assert first == later == [(done, 4, None) for done in (1, 2, 3, 4)]
    document = replace(chosen[2], seed=0).margins(rehearsal.source, rehearsal.store)
    assert curve.margins[0][1] == document[ADDS_NONE]


@pytest.mark.usefixtures("interruptible")
@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="interrupts are sent in another way on Windows")
def test_an_interrupt_ends_the_command_and_its_processes(tmp_path):
    """Ctrl-C does not wait for networks in training; what is finished stays in the store."""
    where = ("--data", "mnist5k", "--store", tmp_path, "--output", tmp_path / "curves.json")
    command = [sys.executable, "-m", "mnistrobust", "curves", "--seeds", "2", "--workers", "2"]
    with subprocess.Popen(
        [*command, *map(str, where)], cwd=ROOT, stderr=subprocess.PIPE, encoding="utf-8"
    ) as running:
        wait_for(lambda: list(tmp_path.rglob("*.entry")))
        workers = children_of(running.pid, "spawn_main", recursive=False)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=30)

    assert len(workers) == 2
    assert running.returncode == 130, err
    assert "Traceback" not in err
    assert err.splitlines()[-1].endswith("run the same command to go on.")
    assert psutil().wait_procs(workers, timeout=10)[1] == []
    assert not (tmp_path / "curves.json").exists()
