"""How a model is found and opened: by name, by format, in a process of its own."""

import copy
import os
import re
import resource
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from mnistrobust.checks import child, opening, predictions, server
from mnistrobust.checks.child import Child
from mnistrobust.checks.inputs import FAMILIES, inputs_named
from mnistrobust.checks.opening import open_model
from mnistrobust.checks.outputs import ModelError
from specs.helpers.processes import PATIENCE, psutil, wait_for
from specs.library.checks import hostile

IMAGES = np.random.default_rng(0).random((7, 784), dtype=np.float32)


def refusal(given, dataset, **options):
    """The one line that a file or name is refused with."""
    with pytest.raises(ModelError) as caught:
        open_model(str(given), dataset, **options)
    line = str(caught.value)
    assert "\n" not in line.replace(str(given), "")
    assert len(line.replace(str(given), "")) < 600
    return line


def written(folder, contents):
    folder.mkdir(exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in contents]


def snapshot(folder):
    status = ((path, path.lstat()) for path in sorted(folder.rglob("*")))
    return [(str(path), s.st_mode, s.st_size, s.st_mtime_ns) for path, s in status]


@pytest.fixture
def onnx():
    """Skip where ONNX files cannot be read: onnxruntime is an extra."""
    for name in ("onnx", "onnxruntime"):
        pytest.importorskip(name, reason=f"{name} is not installed: pip install -e .[onnx]")


def test_a_file_of_a_recipes_name_comes_first(mnist5k, tmp_path, surroundings):
    """A recipe takes no option of model files."""
    surroundings.chdir(tmp_path)

    assert "are for model files" in refusal("ann", mnist5k, trust=True)
    (tmp_path / "ann").touch()
    assert refusal("ann", mnist5k).startswith("ann: it is empty")


@pytest.mark.slow
def test_a_recipe_is_its_network_of_seed_0(rehearsal, mnist5k, surroundings):
    """Opened under its name, from the store, for pixels as it was trained on."""
    surroundings.setenv("MNISTROBUST_STORE", str(rehearsal.store.root))
    model = open_model("ann_1000", mnist5k)
    top = model.predict(mnist5k.test_images).argmax(axis=1)

    assert (model.name, model.pixels) == ("ann_1000", (0, 1))
    assert (top == rehearsal.evaluate("ann_1000", on="clean").predictions[0]).mean() > 0.999


@pytest.mark.slow
def test_a_name_that_leads_to_no_file_is_one_line(mnist5k, tmp_path):
    """A pipe, a device, a loop, a folder, an empty or huge file, an odd or missing name."""
    for place in hostile.places(tmp_path):
        start = time.monotonic()
        refusal(place, mnist5k)
        assert time.monotonic() - start < 20, place


@pytest.mark.parametrize(
    ("content", "name", "line"),
    [
        (b"\xff" * 20, "a.safetensors", "no format of a model, by its content"),
        (b"model = 1", "mine.py", "name its model: mine:predict"),
        *(
            pytest.param(*each, marks=pytest.mark.slow)  # a process each
            for each in (
                (b"PK\x03\x04nothing", "a.npz", "BadZipFile"),
                (b"\xff" * 20, "a.onnx", "it cannot be loaded: DecodeError|pip install"),
                (b"<!DOCTYPE html><html>", "a.onnx", "a text, as a web page"),
                (b"version https://git-lfs.github.com/spec/v1", "a.keras", "'git lfs pull'"),
                (b"\n\n{}", "a.h5", "a text, as a web page"),
                (b"\x80\x04N.", "a.keras", "a pickle runs any code"),
                (b"\x89HDF\r\n\x1a\n", "a.onnx", "HDF5 can run code when it is loaded; .*--trust"),
            )
        ),
    ],
)
def test_content_decides_the_format(content, name, line, mnist5k, tmp_path):
    """Whatever the suffix says, and without a word of a traceback."""
    (path,) = written(tmp_path, {name: content})

    said = refusal(path, mnist5k)

    assert said.startswith(f"{name}: ")
    assert re.search(line, said)


@pytest.mark.slow
@pytest.mark.usefixtures("onnx")
def test_a_linear_onnx_model_predicts_what_it_computes(mnist5k, tmp_path):
    """Of any floats, image's shape and name; with a fixed batch of five."""
    weights = np.linspace(-1, 1, 7840, dtype=np.float32).reshape(784, 10)
    models = {
        "a.onnx": hostile.onnx_bytes(),
        "b.npz": hostile.onnx_bytes(shape=("n", 1, 28, 28)),
        "c.onnx": hostile.onnx_bytes(shape=(5, 784)),
        "d.onnx": hostile.onnx_bytes(shape=("n", 28, "w")),
        "half.onnx": hostile.onnx_bytes(floats=np.float16),
        "double.onnx": hostile.onnx_bytes(floats=np.float64),
        "no shape.onnx": hostile.onnx_bytes(hostile.without_shape),
        " \udcff new\nline ☃'.onnx": hostile.onnx_bytes(),
    }
    for path in written(tmp_path, models):
        model = open_model(str(path), mnist5k)
        rounding = 0.1 if path.stem == "half" else 1e-3
        np.testing.assert_allclose(model.predict(IMAGES), IMAGES @ weights, atol=rounding)


@pytest.mark.slow
def test_a_missing_onnxruntime_names_the_install(tmp_path, mnist5k, monkeypatch):
    """The extra is optional, and the line says how to get it."""
    (path,) = written(tmp_path, {"a.onnx": b"\x08\x08"})
    (tmp_path / "onnxruntime.py").write_text("raise ImportError", "utf-8")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")

    assert "pip install 'mnistrobust[onnx]'" in refusal(path, mnist5k)


@pytest.mark.slow
@pytest.mark.usefixtures("onnx")
def test_nothing_in_the_working_folder_is_imported_without_trust(tmp_path, mnist5k, monkeypatch):
    """A folder of downloads may hold a module of any name."""
    (path,) = written(tmp_path, {"a.onnx": hostile.good()["onnx"]})
    for name in ("onnx", "numpy", "json", "metrics"):
        (tmp_path / f"{name}.py").write_text("import os; os.mkdir('canary')", "utf-8")
    monkeypatch.chdir(tmp_path)

    assert open_model(str(path), mnist5k).classes == 10
    assert not (tmp_path / "canary").exists()


def memory_of_refusals(paths, dataset):
    """The most that a process took which files were opened in, in KiB.

    In a process of its own: other specs have children as well, and theirs may be larger.
    """
    for path in paths:
        refusal(path, dataset)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss


@pytest.mark.slow
@pytest.mark.usefixtures("onnx")
def test_hostile_files_are_refused_by_kind(mnist5k, tmp_path):
    """Each in one line, with nothing run or written, in bounded memory and time."""
    canary = tmp_path / "canary"
    folder = tmp_path / "files"
    good = hostile.good()
    lying = {
        f"{kind} as{s}": content
        for kind, content in good.items()
        for s in hostile.SUFFIXES
        if kind != "onnx"
    }
    broken = {
        f"{kind} {how}.{kind}": changed
        for kind, content in good.items()
        for how, changed in hostile.damaged(content).items()
    }
    paths = written(folder, lying | broken | hostile.greedy() | hostile.armed(canary))
    onnx = {f"{name}.onnx": content for name, content in hostile.odd_onnx(tmp_path).items()}
    paths += written(tmp_path / "below", onnx)
    before, start = snapshot(tmp_path), time.monotonic()

    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:
        most = apart.submit(memory_of_refusals, paths, mnist5k).result()

    assert len(paths) > 100
    assert snapshot(tmp_path) == before
    assert not canary.exists()
    assert most < server.MEMORY >> 10
    assert time.monotonic() - start < 5 * len(paths)


@pytest.mark.slow
def test_an_armed_file_fires_with_trust_only(tmp_path, mnist5k):
    """The canary of the corpus sings: what is refused above would run."""
    pytest.importorskip("torch", reason="torch is missing: pip install -e .[frameworks]")
    canary = tmp_path / "canary"
    import torch

    torch.save(hostile.Armed(canary), tmp_path / "a.pt")
    refusal(tmp_path / "a.pt", mnist5k)
    assert not canary.exists()
    refusal(tmp_path / "a.pt", mnist5k, trust=True)
    assert canary.exists()


@pytest.mark.slow
def test_predictions_that_cannot_be_are_one_line(mnist5k, tmp_path):
    """Of a set too few, of another length, of texts, of different numbers of classes."""
    zeros = {name: np.zeros((len(inputs_named(name, mnist5k).images), 10)) for name in FAMILIES}
    cases = [
        ({name: zeros[name] for name in zeros if name != "blank"}, "no predictions for the set 'b"),
        (zeros | {"clean": np.zeros((7, 10))}, r"clean: expected .* \(1000, 10\).* \(7, 10\)"),
        (zeros | {"clean": np.full((1000, 10), "x")}, "clean: expected .* of <U1"),
        (zeros | {"blank": np.zeros((1000, 11))}, "different numbers of classes"),
        (zeros | {"blank": np.zeros((1000, 900))}, r"blank: expected .* \(1000, 900\)"),
    ]
    for arrays, line in cases:
        (path,) = written(tmp_path, {"predictions.npz": hostile.npz_bytes(**arrays)})
        with pytest.raises(ModelError, match=line):
            open_model(str(path), mnist5k)


@pytest.mark.slow
def test_scikit_learn_models_are_opened_as_onnx(mnist5k, tmp_path):
    """With probabilities as an array, and as mappings by class, beside the labels."""
    reason = "skl2onnx is not installed: pip install -e .[dev]"
    to_onnx = pytest.importorskip("skl2onnx", reason=reason).to_onnx
    from sklearn.linear_model import LogisticRegression

    images, labels = mnist5k.train_images[:500], mnist5k.train_labels[:500]
    fitted = LogisticRegression(max_iter=1000).fit(images, labels)
    for zipmap in (True, False):
        path = tmp_path / f"{zipmap}.onnx"
        converted = to_onnx(fitted, images[:1], options={"zipmap": zipmap})
        path.write_bytes(converted.SerializeToString())
        model = open_model(str(path), mnist5k)
        assert model.outputs == "probabilities"
        np.testing.assert_allclose(model.predict(IMAGES), fitted.predict_proba(IMAGES), atol=1e-5)
    words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    fitted.fit(images, np.array(words)[labels])
    path.write_bytes(to_onnx(fitted, images[:1]).SerializeToString())
    expected = fitted.predict_proba(IMAGES)[:, np.searchsorted(fitted.classes_, words)]
    np.testing.assert_allclose(open_model(str(path), mnist5k).predict(IMAGES), expected, atol=1e-5)


@pytest.fixture(scope="module")
def rnn():
    """The document's functional RNN, untrained, with eleven classes."""
    from mnistrobust.models import create_rnn

    return create_rnn(11)


@pytest.mark.slow
def test_the_documents_own_model_opens_in_every_format(rnn, mnist5k, tmp_path):
    """What `save` and `export` write, with trust; its weights, with the architecture's name."""
    from safetensors.numpy import save_file

    weights = rnn.get_weights()
    rnn.save(tmp_path / "rnn.keras")
    rnn.save(tmp_path / "rnn.h5")
    rnn.export(tmp_path / "rnn", verbose=False)
    (tmp_path / "lying.onnx").write_bytes((tmp_path / "rnn.keras").read_bytes())
    save_file({f"weight{i:02}": each for i, each in enumerate(weights)}, tmp_path / "r.safetensors")
    np.savez(tmp_path / "rnn.npz", *weights)
    own = rnn.predict(IMAGES.reshape(-1, 28, 28), verbose=0)

    for name in ("rnn.keras", "rnn.h5", "rnn", "lying.onnx"):
        assert "--trust" in refusal(tmp_path / name, mnist5k)
        model = open_model(str(tmp_path / name), mnist5k, trust=True)
        assert (model.input_shape, model.classes) == ("28x28", 11)
        np.testing.assert_allclose(model.predict(IMAGES), own, atol=1e-5)
    for name in ("r.safetensors", "rnn.npz"):
        model = open_model(str(tmp_path / name), mnist5k, arch="rnn")
        np.testing.assert_allclose(model.predict(IMAGES), own, atol=1e-5)
        assert "its arrays are none of ann" in refusal(tmp_path / name, mnist5k, arch="ann")
    assert "its own architecture" in refusal(tmp_path / "rnn.keras", mnist5k, arch="rnn")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.torch.jit")  # a FutureWarning from torch 2.9 on
def test_pytorch_modules_are_opened_with_trust(mnist5k, tmp_path):
    """Scripted or pickled whole; weights alone are refused in one line."""
    torch = pytest.importorskip("torch", reason="torch is missing: pip install -e .[frameworks]")
    module = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 5), torch.nn.Flatten(), torch.nn.Dropout(), torch.nn.Linear(1152, 10)
    )
    torch.jit.script(module).save(tmp_path / "script.pt")
    torch.save(module, tmp_path / "whole.pth")
    torch.save(module.state_dict(), tmp_path / "state.pt")
    own = module.eval()(torch.from_numpy(IMAGES).reshape(-1, 1, 28, 28)).detach().numpy()
    module.train()

    for name in ("script.pt", "whole.pth"):
        assert "--trust" in refusal(tmp_path / name, mnist5k)
        model = open_model(str(tmp_path / name), mnist5k, trust=True)
        assert model.input_shape == "1x28x28"
        np.testing.assert_allclose(model.predict(IMAGES), own, atol=1e-5)
    for name in ("half", "double", "bfloat16"):
        cast = getattr(copy.deepcopy(module).train(), name)()
        found = open_model(cast, mnist5k).predict(IMAGES)
        np.testing.assert_allclose(found, own, atol=0.1)
    assert "a state_dict has weights only" in refusal(tmp_path / "state.pt", mnist5k, trust=True)


@pytest.fixture
def windows(tmp_path, monkeypatch):
    """Work where no process can take a pipe over, in a folder of one's own."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(opening, "Child", lambda *_, **__: pytest.fail("a process is started"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_on_windows_a_model_file_is_one_line(windows, few):
    """Which says how it can be checked; a module's failure is one, too."""
    files = {"a.onnx": b"\x08", "w.npz": hostile.npz_bytes(w=np.zeros(1)), "z.npz": b"PK\3\4"}
    files["ends_at_once.py"] = b"raise SystemExit('no')"
    written(windows, files)

    line = "not loaded: name package.module:predict, a function that loads it"
    assert line in refusal("a.onnx", few, trust=True)
    assert line in refusal("w.npz", few, arch="ann")
    assert refusal("z.npz", few).startswith("z.npz: it cannot be loaded: BadZipFile")
    said = "ends_at_once:model: it cannot be loaded: SystemExit: no"
    assert refusal("ends_at_once:model", few).startswith(said)


def test_on_windows_predictions_are_read_by_this_process(windows, few, monkeypatch):
    """They are data, and no code; the file is closed."""
    monkeypatch.setattr(predictions, "FAMILIES", ("clean", "inverted"))
    load, opened = np.load, []
    monkeypatch.setattr(np, "load", lambda *a, **how: opened.append(load(*a, **how)) or opened[-1])
    rows = np.eye(10)[few.test_labels]
    written(windows, {"p.npz": hostile.npz_bytes(clean=rows, inverted=rows)})

    assert open_model("p.npz", few).recorded["inverted"].tolist() == rows.tolist()
    assert [each.zip for each in opened] == [None]
    written(windows, {"p.npz": hostile.npz_bytes(clean=rows)})
    assert "no predictions for the set 'inverted'; expected" in refusal("p.npz", few)


@pytest.fixture
def pipe(monkeypatch):
    """A pipe to a process that is none: it notes what it is sent, and replies at once."""
    found = SimpleNamespace(sent=[], told=[], ended=[])
    found.send, found.close = found.sent.append, list
    found.recv = lambda: ((None, None, {}), None)
    found.poll = lambda seconds: found.told.append(seconds) or True
    ended = SimpleNamespace(kill=bool, __enter__=bool, __exit__=bool)
    theirs = SimpleNamespace(fileno=lambda: 0, close=list)
    monkeypatch.setattr(child, "Pipe", lambda: (found, theirs))
    monkeypatch.setattr(child.subprocess, "Popen", lambda *_, **__: ended)
    monkeypatch.setattr(child.weakref, "finalize", lambda *_: lambda: found.ended.append(True))
    return found


@pytest.mark.parametrize(
    ("options", "waits"),
    [
        (
            {},
            [None, 120.14, 119.68, 119.22],
        ),  # 0.02 s for each of 7 images, less 0.6 s for each call
        ({"seconds": 5}, [None, 5, 4.4, 3.8]),
        ({"seconds": 5, "module": False}, [5, 4.4, 3.8]),
        ({"seconds": 5, "module": False, "trust": True}, [5, 4.4, 3.8]),
        ({"call_seconds": 1}, [None, 1, 1, 1]),
    ],
    ids=str,
)
def test_a_clock_runs_through_all_calls_or_anew_for_each(options, waits, pipe, monkeypatch):
    """A fuzzed model has time for each call; another for all, and more for each image by default.

    A module may train while it is imported; what is ours to run comes from the working folder first.
    """
    times, told, sent = iter(np.arange(0, 9, 0.6)), pipe.told, pipe.sent
    monkeypatch.setattr(child, "time", SimpleNamespace(monotonic=lambda: next(times)))

    model = Child("mine:predict", **{"module": True, **options})
    for _ in waits[1:]:
        model(IMAGES)

    assert told == [wait if wait is None else pytest.approx(wait) for wait in waits]
    asked, here = sent[0], str(Path.cwd())
    assert asked["target"] == ("mine:predict" if asked["module"] else f"{here}/mine:predict")
    own = asked["module"] or asked["trust"]
    assert asked["first"][:1] == ([here] if own else [])
    assert asked["then"]
    assert here not in asked["then"]

    pipe.poll = lambda _: False
    longer = "for one call" if "call_seconds" in options else "; allow more with --seconds"
    for _ in range(2):  # the second call is not sent
        with pytest.raises(ModelError, match=rf"it takes more than \d+ s ?{longer}$"):
            model(IMAGES)
    assert len(sent) == len(waits) + 1


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, pytest.fail.Exception, ValueError])
@pytest.mark.parametrize("where", ["send", "poll", "recv"])
def test_an_interrupted_call_ends_the_process(where, interrupt, pipe):
    """Whatever an alarm's handler raises: the reply that comes late is not the next call's."""
    model = Child("mine:predict", module=True)

    def interrupted(*_):
        raise interrupt

    replying = vars(pipe) | {}
    setattr(pipe, where, interrupted)
    with pytest.raises(interrupt):
        model(IMAGES)
    vars(pipe).update(replying)

    assert pipe.ended
    for _ in range(2):
        with pytest.raises(ModelError, match=r"^mine:predict: a call was interrupted; open the"):
            model(IMAGES)


@pytest.mark.slow
@pytest.mark.usefixtures("onnx")
def test_what_takes_too_long_is_ended_on_one_clock(mnist5k, tmp_path, monkeypatch):
    """Once for the whole check: what is asked afterwards gets the same line at once."""
    monkeypatch.setattr(child, "SECONDS", 4.0)
    monkeypatch.setattr(child, "SECONDS_PER_IMAGE", 0.0)
    (path,) = written(tmp_path, {"endless.onnx": hostile.onnx_bytes(hostile.endless)})
    start = time.monotonic()

    assert "it takes more than 4 s" in refusal(path, mnist5k)
    assert time.monotonic() - start < 30


HARM = """
import os, sys, time
from mnistrobust.checks import server

def harm(*_, **__):
    {}

server.opened = harm
server.main()
"""


@pytest.fixture
def harmful(tmp_path, monkeypatch):
    """Make a child do harm in place of loading a file."""

    def start(harm):
        script = tmp_path / "harm.py"
        script.write_text(HARM.format(harm), "utf-8")
        monkeypatch.setattr(server, "__file__", str(script))
        return Child(str(tmp_path / "model"))

    return start


@pytest.mark.parametrize(
    ("harm", "line"),
    [
        ("bytearray(16 * 2**30)", "model: it cannot be loaded: MemoryError"),
        ("sys.exit(3)", "model: it cannot be loaded: SystemExit: 3"),
        ("print('{}'); os._exit(0)", "model: it ends its process"),
        ("os.abort()", "model: it ends its process by signal 6"),
    ],
)
def test_an_accident_of_a_file_is_one_line(harm, line, harmful, capfd):
    """Too much memory, an exit, a crash: and not a word on our terminal."""
    with pytest.raises(ModelError, match=line):
        harmful(harm)
    assert capfd.readouterr() == ("", "")


CALLER = """
import sys
from mnistrobust.checks import server
from mnistrobust.checks.child import Child

server.__file__ = sys.argv[1]
Child("model")
"""


@pytest.mark.slow
@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_a_child_ends_with_its_caller_and_all_that_it_started(how, tmp_path):
    """However the caller ends, and whatever the file does meanwhile."""
    script, started = tmp_path / "harm.py", tmp_path / "started"
    harm = f"os.fork() or time.sleep(900); open({str(started)!r}, 'w').write(str(os.getpgid(0)))\n"
    script.write_text(HARM.format(harm + "    while True: pass"), "utf-8")
    caller = subprocess.Popen([sys.executable, "-c", CALLER, script], stderr=subprocess.DEVNULL)
    wait_for(lambda: started.exists() and started.read_text())
    group = int(started.read_text())
    assert len(_members(group)) >= 3  # the process, what it has forked, and the watcher

    caller.send_signal(how)
    caller.wait(PATIENCE)

    wait_for(lambda: not _members(group))


def _members(group):
    """The living processes of a group."""
    found = []
    for process in psutil().process_iter(["pid", "status"]):
        try:
            if os.getpgid(process.pid) == group and process.info["status"] != "zombie":
                found.append(process.pid)
        except ProcessLookupError:
            continue
    return found
