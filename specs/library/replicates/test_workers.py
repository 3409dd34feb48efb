"""Which seed goes to which worker of a scheduler, and what becomes of a lost one; without a cluster."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from mnistrobust.errors import MnistRobustError, UsageError
from mnistrobust.replicates import Replicate, cluster, many
from mnistrobust.store import Entry, Store
from specs.helpers import standin
from specs.helpers.processes import psutil


class Future:
    """A call on a worker; it ends when it is told to."""

    def __init__(self, call, worker):
        self.call, self.worker, self.status, self.error = call, worker, "pending", None
        self.cancelled = False

    def done(self):
        return self.status != "pending"

    def end(self, value=None, error=None):
        self.value, self.error, self.status = value, error, "error" if error else "finished"

    def result(self):
        return self.value

    def exception(self):
        return self.error

    def cancel(self):
        self.cancelled = True


class Client:
    """A scheduler whose workers have these facts or errors; each look is one step of `script`."""

    def __init__(self, workers, script):
        self.workers, self.script, self.calls, self.looks = workers, script, [], 0
        self.asked = {}

    def scheduler_info(self, *, n_workers):
        assert n_workers == -1  # all of them: Dask tells five by default
        self.looks += 1
        self.script(self, self.looks)
        return {"workers": {name: {"nthreads": each[0]} for name, each in self.workers.items()}}

    def submit(self, call, *given, workers, pure):
        assert not pure  # the same seed is made again
        (worker,) = workers
        future = Future((call.__name__, *given), worker)
        if call is cluster._facts_there:
            facts = self.workers[worker][1]
            self.asked[worker] = future
            if facts:
                future.end(facts, facts if isinstance(facts, Exception) else None)
        else:
            self.calls.append(future)
        return future

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


@pytest.fixture
def source(mnist5k, monkeypatch):
    monkeypatch.setattr(cluster, "_LOOK_SECONDS", 0)
    return mnist5k.source


def made(client, seeds, source):
    """What is yielded: results, and errors as texts."""
    found = cluster.replicates(seeds, source, client, None)
    return [(seed, value, error and str(error)) for seed, value, error in found]


def test_a_worker_has_as_many_seeds_as_threads_and_a_lost_one_is_replaced(source, capsys):
    """One whose facts differ, or cannot be told, has none; each is named."""
    ours = cluster.facts(source)
    workers = {
        "one": (2, ours),
        "two": (1, ours),
        "other": (1, {**ours, "numpy": "1.0", "more": "9"}),
        "bare": (1, "no MNIST"),
        "broken": (1, ValueError("bad")),
    }

    def script(client, look):
        where = [(each.worker, each.call[1]) for each in client.calls]
        if look == 2:
            assert where == [("one", 1), ("one", 2), ("two", 3)]
            client.calls[1].end(("b", None))
        elif look == 3:  # seed 4 has taken its place
            assert where[3:] == [("one", 4)]
            client.calls[0].end(error=OSError("no space"))
            del client.workers["two"]
        elif look == 4:
            assert where[4:] == [("one", 3)]
            assert client.calls[2].cancelled
            for future in client.calls[3:]:
                future.end((f"of {future.call[1]}", MnistRobustError("odd")))

    client = Client(workers, script)
    found = made(client, [1, 2, 3, 4], source)

    assert found == [
        (2, "b", None),
        (1, None, "Seed 1: no space"),
        (4, "of 4", "odd"),
        (3, "of 3", "odd"),
    ]
    assert client.calls[0].call == ("_made", 1, "mnist5k", None)
    said = capsys.readouterr().err
    assert "Worker one: 2 seeds at a time." in said
    assert f"Worker other is refused: numpy 1.0, here {ours['numpy']}; more 9, here none." in said
    assert said.count("Worker bare is refused: no MNIST.") == 1
    assert "Worker broken is refused: bad." in said
    assert "Worker two is gone: another makes seed 3." in said
    assert client.looks == 4


def test_a_seed_that_ends_three_workers_is_given_up(source):
    """It may be what kills them; it is tried before the others each time."""
    ours = cluster.facts(source)

    def script(client, look):
        client.workers = {f"worker {look}": (1, ours)}
        if len(client.calls) == 4:
            client.workers = {client.calls[-1].worker: (1, ours)}
            client.calls[-1].end(("b", None))

    client = Client({}, script)

    assert made(client, [7, 8], source) == [
        (7, None, "Seed 7: 3 workers ended while they made it."),
        (8, "b", None),
    ]
    assert [each.call[1] for each in client.calls] == [7, 7, 7, 8]
    assert [each.cancelled for each in client.calls] == [True, True, True, False]


def test_a_run_ends_where_no_worker_can_ever_take_a_seed(source, monkeypatch):
    """At once where all are refused; after a minute without any, counted from the last good one."""
    ours, now = cluster.facts(source), [0.0]
    monkeypatch.setattr(cluster.time, "monotonic", lambda: now[0])
    late = Client(
        {"a": (1, "x"), "b": (1, None)}, lambda client, look: look < 3 or client.asked["b"].end("y")
    )
    with pytest.raises(UsageError, match="all its workers are refused"):
        made(late, [1], source)
    assert late.looks == 3

    def script(client, look):
        now[0] += 50
        client.workers = {"a": (1, ours)} if look < 3 else {}
        if look == 3:
            assert not client.calls[0].cancelled

    client = Client({}, script)
    with pytest.raises(UsageError, match="no worker for 60 s; start some"):
        made(client, [1], source)
    assert client.looks == 5  # busy until look 3, at 150 s

    held = Client({}, lambda client, _: client.workers.update(a=(1, ours)))
    found = cluster.replicates([1], source, held, None)
    monkeypatch.setattr(cluster.time, "sleep", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        next(found)
    assert held.calls[0].cancelled


def test_trained_networks_are_kept_and_progress_is_told(source, tmp_path, monkeypatch):
    """Those that the store lacks alone; a worker's error is the command's."""
    ours, store, told = cluster.facts(source), Store(tmp_path), []
    first = Replicate(1, source, store)
    store.put(first.model_key("ann"), Entry({}))

    def script(client, _):
        for future in client.calls:
            seed, train = future.call[1], future.call[3]
            if seed < 3:
                future.end(({name: Entry({}) for name in train.keywords["recipes"][seed]}, None))
            else:
                future.end((None, MnistRobustError("Seed 3: no")))

    client = Client({"a": (1, ours)}, script)
    monkeypatch.setattr(cluster, "connect", {"there": client}.__getitem__)

    def tell(text, done):
        told.append((text, done))

    with pytest.raises(MnistRobustError, match="Seed 3: no"):
        cluster.networks(["ann", "cnn"], [1, 2, 3, 4], source, store, "there", tell)

    recipes = client.calls[0].call[3].keywords["recipes"]
    assert recipes == {1: ["cnn"], **{seed: ["ann", "cnn"] for seed in (2, 3, 4)}}
    assert len(store.entries()) == 4
    assert told == [
        ("seeds to train by there: 4", 0),
        ("1 of 4 seeds trained by there", 1 / 4),
        ("2 of 4 seeds trained by there", 2 / 4),
    ]


@pytest.mark.parametrize(
    ("said", "line"),
    [("a\nValueError: bad\n", r"exit code 3 \(ValueError: bad\)"), ("", r"3 \(no output\)")],
)
def test_a_training_that_fails_on_a_worker_is_told_by_its_last_line(
    said, line, source, tmp_path, monkeypatch
):
    """Its process has the seed, the data and a store in the worker's folder."""
    ran = []

    def run(command, *, check, **_):
        assert not check
        ran.append(command)
        return SimpleNamespace(returncode=3, stderr=said)

    monkeypatch.setattr(cluster.subprocess, "run", run)

    made, error = cluster._trained(5, source, tmp_path, recipes={5: ["ann", "cnn"]})

    assert made is None
    with pytest.raises(MnistRobustError, match=f"Seed 5: .*{line}"):
        raise error
    assert ran[0][1:8] == ["-m", "mnistrobust", "train", "ann", "cnn", "--offline", "--seed"]
    assert ran[0][8:] == [
        "5", "--data", "mnist5k", "--store", str(tmp_path), "--workers", "1",
    ]  # fmt: skip


def test_a_task_that_nobody_waits_for_ends_its_processes(tmp_path, monkeypatch):
    """Those of its own folder, and while it is wanted none."""
    states, ended = iter(["executing", "long-running", "cancelled"]), []

    class Tasks:
        def get(self, key):
            assert (key, ended) == ("k", [])
            return SimpleNamespace(state=next(states))

    def child(name, *words):
        return SimpleNamespace(cmdline=lambda: words, kill=lambda: ended.append(name))

    children = [child("ours", "python", f"--store={tmp_path}/x"), child("other", "python", "/y")]
    monkeypatch.setattr(cluster, "_LOOK_SECONDS", 0)
    ours = SimpleNamespace(children=lambda **_: children)
    monkeypatch.setattr(psutil(), "Process", lambda: ours)

    cluster._end_if_cancelled(SimpleNamespace(state=SimpleNamespace(tasks=Tasks())), "k", tmp_path)

    assert ended == ["ours"]


def test_replicates_of_workers_are_kept_as_those_of_this_machine(source, tmp_path, monkeypatch):
    """Each is made in a worker's folder; what is stored is asked of nobody."""
    made_in = []

    def make(job):
        made_in.append((job.seed, job.folder.name))
        return standin.make(job)

    def script(client, _):
        for future in client.calls[len(made_in) :]:
            _, seed, _, attempt = future.call
            future.end(attempt(seed, source, tmp_path / f"worker {seed}"))

    client = Client({"a": (2, cluster.facts(source))}, script)
    monkeypatch.setattr(cluster, "connect", {"there": client}.__getitem__)
    jobs = standin.jobs(tmp_path / "here", 3)
    many.replicate(jobs[:1], make=standin.make, workers=1)

    told = []
    where = {"backend": "dask", "scheduler": "there", "workers": 1, "make": make}
    for _ in range(2):
        many.replicate(jobs, finished=lambda done, *_: told.append(done), **where)

    assert told == [1, 2, 3, 3, 3, 3]
    assert made_in == [(2, "worker 2"), (3, "worker 3")]
    assert [many.stored(job) is None for job in jobs] == [False] * 3


def test_a_scheduler_is_given_ten_seconds_and_is_no_default(monkeypatch):
    """Of a program that has a client of its own."""
    distributed = ModuleType("distributed")
    distributed.Client = lambda address, **how: (address, how)
    monkeypatch.setitem(sys.modules, "distributed", distributed)

    assert cluster.connect("tcp://a:1") == ("tcp://a:1", {"timeout": 10, "set_as_default": False})
