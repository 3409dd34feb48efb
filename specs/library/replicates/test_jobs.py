"""One replicate of many: what its process is asked for, and how replicates become evidence."""

from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mnistrobust import engine, training
from mnistrobust.conditions import Condition
from mnistrobust.recipes import RECIPES
from mnistrobust.replicates import Replicate, keys, many, schedule
from mnistrobust.store import Entry, Store
from specs.helpers import standin
from specs.helpers.synthetic import WINS

RECIPE = "ann_1000"


def test_a_replicates_process_has_its_seed_data_and_store(tmp_path, monkeypatch):
    """One process on one core, offline, without evidence, in a store of its own."""
    job = standin.jobs(tmp_path, 3)[2]
    job.folder.mkdir(parents=True)
    noted = {}

    def run_pytest(arguments, folder, **options):
        noted.update(options, arguments=arguments, folder=folder)
        Path(arguments[arguments.index("--results") + 1]).write_text(standin.make(job), "utf-8")
        return 0

    monkeypatch.setattr(many, "run_pytest", run_pytest)
    monkeypatch.setenv("PYTEST_ADDOPTS", "-k accuracy")
    monkeypatch.setenv("PYTHONPATH", "src")

    assert many.make_replicate(job) == standin.make(job)
    expected = {
        ("--seeds", "3-3"), ("--data", "mnist5k"), ("--store", str(job.folder / "store")),
        ("--evidence", "none"), ("-n", "0"),
    }  # fmt: skip
    assert expected < {*pairwise(noted["arguments"])}
    assert "--offline" in noted["arguments"]
    assert noted["folder"] == job.clone
    assert noted["environment"]["LOKY_MAX_CPU_COUNT"] == "1"
    assert noted["environment"]["PYTHONPATH"] == str(Path("src").absolute())
    assert "PYTEST_ADDOPTS" not in noted["environment"], "it may leave claims out"
    assert noted["apart"]


def test_evidence_names_each_kind_of_machine_once(tmp_path, monkeypatch):
    """In the order of their names, whichever made the first seed."""
    names = iter("hgfedcbaa")
    monkeypatch.setattr(many, "machine", lambda: next(names))
    jobs = standin.jobs(tmp_path, 9)
    many.replicate(jobs, make=standin.make, workers=1)

    assert "".join(many.evidence_of(jobs, 1000).head.machines) == "abcdefgh"


def test_evidence_has_each_seeds_own_figures(tmp_path):
    """Every column follows the order of the seeds, whichever replicate ended first."""
    jobs = standin.jobs(tmp_path, 3)
    many.replicate(jobs[1:], make=standin.make, workers=1)
    many.replicate(jobs, make=standin.make, workers=1)

    found = many.evidence_of(jobs, 1000)

    outcomes = [standin.results(job).outcomes[0] for job in jobs]
    measured = found.claims[WINS]
    assert found.seeds == (1, 2, 3)
    assert found.head.images == 1000
    assert found.head.command == "mnistrobust replicate --seeds 3 --data mnist5k"
    assert measured.figures["plain"] == tuple(each.figures["plain"] for each in outcomes)
    for name in ("margin", "halved", "doubled"):
        assert measured.margins[name] == tuple(getattr(each, name) for each in outcomes)


def test_an_evaluation_is_of_its_weights_condition_seed_and_code(mnist5k, tmp_path, monkeypatch):
    """Whatever an evaluation depends on changes its key, and the same gives the same key."""
    store = Store(tmp_path)

    def key(seed=0, condition="clean", weights=0.0):
        replicate = Replicate(seed, mnist5k.source, store)
        entry = Entry({"weight00": np.full(2, weights)}, {"history": {}})
        store.put(replicate.model_key(RECIPE), entry)
        return replicate.evaluation_key(RECIPE, condition).digest

    first = key()
    others = [key(seed=1), key(condition="inverted"), key(weights=1.0)]
    for name in ("evaluation_code", "reader_code"):
        with monkeypatch.context() as patch:
            patch.setattr(keys, name, lambda *_: "another")
            others.append(key())

    assert key() == first
    assert len({first, *others}) == 6


def test_what_takes_longest_is_trained_first(mnist5k, tmp_path, monkeypatch):
    """Of a clean ANN, an RNN and an ANN of 1,000 rows; the shortest would else be waited for."""
    trained = []
    monkeypatch.setattr(engine, "is_compiled", lambda _: True)
    monkeypatch.setattr(Replicate, "fulfil", lambda _, task: trained.append(task.recipe.name))
    replicate = Replicate(0, mnist5k.source, Store(tmp_path))

    schedule.work(replicate, [replicate.task(name) for name in ("ann_1000", "ann", "rnn")])

    assert trained == ["rnn", "ann", "ann_1000"]


def test_images_are_perturbed_for_all_networks_at_once(mnist5k, tmp_path, monkeypatch):
    """Once what can be trained is trained, a dose comes with the networks that are shown it."""
    done = []

    def note(tasks):
        done.append([(task.recipe.name, [each.name for each in task.conditions]) for task in tasks])

    monkeypatch.setattr(engine, "is_compiled", lambda _: True)
    monkeypatch.setattr(Replicate, "fulfil", lambda _, task: note([task]))
    monkeypatch.setattr(Replicate, "evaluate_together", lambda _, tasks: note(tasks))
    replicate = Replicate(0, mnist5k.source, Store(tmp_path))
    shown = {"ann_1000": ["clean", "rotate:15", "rotate:30"], "ann": ["rotate:15"]}

    schedule.work(replicate, [replicate.task(*each) for each in shown.items()])

    trainings, evaluations = done[:2], done[2:]
    assert trainings == [[("ann", [])], [("ann_1000", ["clean"])]]
    assert evaluations == [
        [("ann_1000", ["rotate:15"]), ("ann", ["rotate:15"])],
        [("ann_1000", ["rotate:30"])],
    ]


@pytest.mark.parametrize(("name", "seed"), [("ann_1000", 0), ("ann_1000 (seed 3)", 3)])
def test_progress_names_the_seed_of_a_fresh_replicate(name, seed, mnist5k, tmp_path):
    """The suite's own needs none."""
    replicate = Replicate(seed, mnist5k.source, Store(tmp_path))

    assert replicate.label(replicate.recipes[RECIPE]) == name


def test_a_killed_replicate_is_tried_once_more(tmp_path):
    """The second time it is an error; every other replicate is kept."""
    tried = []

    def make(job):
        tried.append(job.seed)
        if job.seed == 2 and (tried.count(2) == 1 or "always" in str(job.folder)):
            raise many.ReplicateKilledError("Seed 2: signal 9.")
        return standin.make(job)

    assert many.replicate(standin.jobs(tmp_path / "once", 3), make=make, workers=1) == 3
    assert sorted(tried) == [1, 2, 2, 3]
    with pytest.raises(many.ReplicateKilledError, match="Seed 2"):
        many.replicate(standin.jobs(tmp_path / "always", 3), make=make, workers=1)
    assert len(list((tmp_path / "always").glob("seed-*.json"))) == 2


@pytest.fixture
def given(monkeypatch):
    """Weights and a learning curve that every training ends with, and which recipes were trained."""
    weights = [np.full(2, n, np.float32) for n in range(102)]
    trained, calls = training.Trained(weights, {"loss": [0.5, 0.25]}), []

    def train(recipe, dataset, seed, progress):
        calls.append((recipe.name, dataset.name, seed))
        progress(recipe.epochs)
        return trained

    monkeypatch.setattr(training, "train", train)
    return trained, calls


@pytest.fixture
def rebuilt(monkeypatch):
    """Linear networks of one array of weights, without Keras."""
    networks = []

    def rebuild(recipe, seed, weights):
        model = SimpleNamespace(input_shape=(None, 784), name=recipe.name, seed=seed, all=weights)
        networks.append(model)
        return model

    def reader(model):
        return lambda images: images @ model.all[0][:784]

    monkeypatch.setattr(training, "rebuilt", rebuild)
    monkeypatch.setattr(training, "reader", reader)
    for name in ("_train", "_build", "_evaluate", "evaluate_together"):  # they would import Keras
        monkeypatch.setattr(Replicate, name, getattr(Replicate, name).__wrapped__)
    return networks


@pytest.fixture
def board():
    """A board that keeps what it is told."""
    told = []
    note = told.append
    return SimpleNamespace(told=told, report=lambda *said: note(said), wait=note, finish=note)


@pytest.mark.usefixtures("rebuilt")
def test_a_network_is_trained_once_and_comes_back_as_it_was(given, board, mnist5k, tmp_path):
    """Its 102 arrays in their order, and its curve; another process reads them from the store."""
    trained, calls = given
    for each in (board, None):
        found = Replicate(3, mnist5k.source, Store(tmp_path), each).trained(RECIPE)

        np.testing.assert_array_equal(found.weights, trained.weights)
        assert found.history == trained.history
    assert calls == [(RECIPE, "mnist5k", 3)]
    label = f"{RECIPE} (seed 3)"
    assert board.told == ["", (label, 0, 10), (label, 10, 10)]
    Replicate(4, mnist5k.source, Store(tmp_path)).trained(RECIPE)
    assert calls[1:] == [(RECIPE, "mnist5k", 4)]


@pytest.mark.usefixtures("rebuilt", "given")
def test_a_wait_for_another_process_is_told(board, mnist5k, tmp_path, monkeypatch, capsys):
    """On the board until it ends, or in a line."""

    @contextmanager
    def lock(*_, waiting):
        waiting("waiting for it")
        yield True

    monkeypatch.setattr(Store, "lock", lock)
    for each in (board, None):
        Replicate(1, mnist5k.source, Store(tmp_path / str(each)), each).trained(RECIPE)

    assert board.told[:2] == ["waiting for it", ""]
    assert capsys.readouterr().err == "mnistrobust: waiting for it\n"


@pytest.mark.usefixtures("rebuilt")
def test_a_network_that_the_store_loses_is_not_trained_again(given, mnist5k, tmp_path):
    """Its task goes on with the one in hand: it holds the lock that another training waits for."""

    class Losing(Store):
        def put(self, *_):
            return None

    given[0].weights[0] = np.eye(784, 10, dtype=np.float32)
    replicate = Replicate(0, mnist5k.source, Losing(tmp_path))
    replicate.fulfil(replicate.task(RECIPE, ["clean"]))

    assert len(given[1]) == 1


def test_a_task_evaluates_what_is_missing(given, rebuilt, board, mnist5k, tmp_path):
    """Under each of its conditions, with the weights that were trained, and no other."""
    given[0].weights[0] = np.eye(784, 10, -300, dtype=np.float32)
    replicate = Replicate(0, mnist5k.source, Store(tmp_path), board)
    task = replicate.task(RECIPE, ["clean", "inverted"])
    assert not replicate.complete(task)

    replicate.fulfil(task)

    assert replicate.complete(task)
    assert not replicate.complete(replicate.task(RECIPE, ["clean", "threshold"]))
    assert board.told[-1] == RECIPE
    ((name, seed, weights),) = [(each.name, each.seed, each.all) for each in rebuilt]
    assert (name, seed) == (RECIPE, 0)
    np.testing.assert_array_equal(weights[0], given[0].weights[0])
    for condition, images in (
        ("clean", mnist5k.test_images),
        ("inverted", 1 - mnist5k.test_images),
    ):
        found = Replicate(0, mnist5k.source, replicate.store).evaluate(RECIPE, on=condition)
        assert (found.recipe, found.condition, found.seed) == (RECIPE, condition, 0)
        np.testing.assert_array_equal(found.predictions[0], images[:, 300:310].argmax(axis=1))
        np.testing.assert_array_equal(found.labels[0], mnist5k.test_labels)


@pytest.mark.usefixtures("rebuilt")
def test_networks_are_evaluated_together_as_each_for_itself(board, mnist5k, tmp_path, monkeypatch):
    """The images are drawn once, each network keeps its own predictions, none is made twice."""
    store, names, drawn = Store(tmp_path), ("ann_1000", "cnn_1000", "ann"), []
    replicate = Replicate(3, mnist5k.source, store, board)
    for seed, name in enumerate(names[:2]):
        weights = np.random.default_rng(seed).random((784, 10), np.float32)
        store.put(replicate.model_key(name), Entry({"weight00": weights}, {"history": {}}))
    alone = [Replicate(3, mnist5k.source, store).evaluate(name, on="shift:3") for name in names[:2]]
    store.path(replicate.evaluation_key("cnn_1000", "shift:3")).unlink()
    store.path(replicate.evaluation_key("ann_1000", "shift:3")).unlink()
    drawing = Condition.drawn
    monkeypatch.setattr(
        Condition, "drawn", lambda *given: drawn.append(given[0].name) or drawing(*given)
    )

    for _ in range(2):
        replicate.evaluate_together([replicate.task(name, ["shift:3"]) for name in names])

    assert drawn == ["shift:3"]
    label = "shift 3 (seed 3)"
    assert board.told == [*((label, number, 2, "evaluating") for number in (0, 1)), label]
    assert store.digest(replicate.model_key("ann")) is None  # another process trains it
    for expected in alone:
        kept = Replicate(3, mnist5k.source, store).stored_evaluation(expected.recipe, on="shift:3")
        assert kept.to_entry().to_bytes() == expected.to_entry().to_bytes()


@pytest.mark.parametrize("name", ["code_digests", "versions"])
def test_replicates_of_other_code_or_versions_lie_elsewhere(name, mnist5k, tmp_path, monkeypatch):
    """What they made does not count as made."""
    before = many.replicates_folder(tmp_path, mnist5k.source)

    monkeypatch.setattr(many, name, lambda: {"another": "1"})

    assert many.replicates_folder(tmp_path, mnist5k.source) != before


def test_the_cost_of_a_training_grows_with_images_and_epochs():
    """A CNN of two epochs on all images, and one of ten on a thousand."""
    whole, few = (schedule.cost(RECIPES[name], 4000) for name in ("cnn", "cnn_1000"))

    assert whole / few == pytest.approx((2 * 4000) / (10 * 1000))
