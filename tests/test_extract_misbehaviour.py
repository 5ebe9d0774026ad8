"""Libraries that do what they like over one file: the others are extracted, and it is named.

The worker processes meet a stand-in for the voice detector, found on the search path, which does
what the first sample of a file tells it to.
"""

import multiprocessing
import os
import subprocess
import sys
from multiprocessing import Pipe

import numpy as np
import pytest
import soundfile

from ser.cache import Cache
from ser.errors import AudioError, SerError
from ser.extract import extract, make_backbone, make_backbones
from ser.extract.prepare import Prepared, Task, prepare
from ser.extract.workers import preparing
from ser.tests.test_extract_pipeline import manifest_of

DETECTOR = """
import os
import signal
from pathlib import Path


class NoStringError(Exception):
    def __init__(self, a, b):
        self.unpicklable = lambda: a

    def __str__(self):
        raise ZeroDivisionError


def deep():
    return deep() + 1


def once(action):
    marker = Path(__file__).with_name("marker")
    if not marker.exists():
        marker.touch()
        action()


def starve():
    raise MemoryError


def raising(error):
    def act():
        raise error
    return act


ACTS = {
    1: raising(ZeroDivisionError("float division by zero")),
    2: raising(SystemExit(0)),
    3: raising(NoStringError(1, 2)),
    4: deep,
    5: raising(GeneratorExit()),
    6: raising(BaseExceptionGroup("many", [SystemExit(1)])),
    7: starve,
    8: lambda: os._exit(0),
    9: lambda: os.kill(os.getpid(), signal.SIGKILL),
    10: os.abort,
    11: lambda: once(starve),
    12: lambda: once(lambda: os._exit(7)),
    13: raising(OSError(5, "Input/output error")),
    14: raising(UnicodeDecodeError("utf-8", b"x", 0, 1, "odd")),
    15: raising(StopIteration()),
}


def create():
    return ["first"]


def init(detector):
    pass


def set_mode(detector, mode):
    pass


def process(detector, rate, block, length):
    if detector:
        detector.clear()
        act = ACTS.get(round(int.from_bytes(block[:2], "little", signed=True) / 1000))
        if act:
            act()
    return True
"""
REASONS = {
    1: "ge2e_mel: ZeroDivisionError: float division by zero",
    2: "ge2e_mel: SystemExit: 0",
    3: "ge2e_mel: NoStringError",
    4: "ge2e_mel: RecursionError: maximum recursion depth exceeded",
    5: "ge2e_mel: GeneratorExit",
    6: "ge2e_mel: BaseExceptionGroup: many (1 sub-exception)",
    7: "ge2e_mel: not enough memory for its 1 s",
    8: "the process that works on it ends (exit code 0): a fault in a library, or not enough",
    9: "the process that works on it ends (exit code -9)",
    10: "the process that works on it ends (exit code -6)",
    11: None,
    12: None,
    13: "ge2e_mel: OSError: [Errno 5] Input/output error",
    14: "ge2e_mel: UnicodeDecodeError",
    15: "ge2e_mel: StopIteration",
}
DEADLY = {8, 9, 10, 12}


@pytest.fixture
def detector(tmp_path, monkeypatch):
    """The stand-in, for this process and its workers; they have its search path."""
    folder = tmp_path / "path"
    folder.mkdir()
    (folder / "_webrtcvad.py").write_text(DETECTOR)
    monkeypatch.delitem(sys.modules, "_webrtcvad", raising=False)
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    sys.modules.pop("_webrtcvad", None)


def write(root, acts):
    root.mkdir()
    rng = np.random.default_rng(0)
    for number, act in enumerate(acts):
        samples = rng.normal(scale=0.1, size=16000 + number)
        samples[0] = act * 1000 / 32768
        soundfile.write(root / f"u{number:02}-{act}.wav", samples, 16000)
    return manifest_of(root)


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("workers", [0, 1, 3])
def test_each_is_the_fault_of_its_file(tmp_path, detector, workers):
    acts = [act for act in REASONS if workers or act not in DEADLY]
    order = [0, *acts[::2], 0, 0, *acts[1::2], 0]
    if workers:
        (detector / "marker").touch()  # what happens once has happened, but for the tests below
    manifest = write(tmp_path / "corpus", order)
    cache = Cache(tmp_path / "cache")
    report = extract(manifest, tmp_path / "corpus", ["mfcc", "ge2e_mel"], cache, workers=workers)
    reasons = {int(bad.id.partition("-")[2]): bad.reason for bad in report.bad}
    expected = {act: REASONS[act] for act in acts if REASONS[act]}
    assert sorted(reasons) == sorted(expected)
    for act, reason in expected.items():
        assert reasons[act].startswith(reason), act
    assert report.computed["ge2e_mel"] == len(order) - len(expected)
    dead = [act for act in expected if act in DEADLY]
    assert report.computed["mfcc"] == len(order) - len(dead)
    assert multiprocessing.active_children() == []


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("act", [11, 12])
def test_what_fails_once_is_tried_once_more(tmp_path, detector, act):
    manifest = write(tmp_path / "corpus", [0, act, 0, 0, 0, 0])
    cache = Cache(tmp_path / "cache")
    seen = []
    report = extract(
        *(manifest, tmp_path / "corpus", ["mfcc", "ge2e_mel"], cache),
        workers=2,
        progress=lambda *now: seen.append(now),
    )
    assert (detector / "marker").exists()
    assert report.bad == []
    assert report.computed == {"mfcc": 6, "ge2e_mel": 6}
    assert report.audio_seconds == pytest.approx(manifest.table["duration"].sum())
    assert seen[-1][:2] == (6, 6)


@pytest.mark.parametrize(
    "odd",
    [lambda: 3, None, 3.0, "text", np.float32(1), np.array(1.0), np.array([object()]), [1.0, 2.0]],
)
def test_what_is_no_array_is_the_fault_of_its_file(tmp_path, monkeypatch, odd):
    manifest = write(tmp_path / "corpus", [0, 0])
    plain = make_backbone("mfcc").prepare
    monkeypatch.setattr(
        "ser.extract.backbones.mfcc.Mfcc.prepare",
        lambda self, samples: odd if len(samples) == 16000 else plain(samples),
    )
    cache = Cache(tmp_path / "cache")
    report = extract(manifest, tmp_path / "corpus", ["mfcc"], cache, workers=0)
    assert report.computed == {"mfcc": 1}
    assert [bad.id for bad in report.bad] == ["u00-0"]
    assert "expected an array of floats" in report.bad[0].reason


@pytest.mark.parametrize(
    "odd", [None, 3, "text", [[1.0], [1.0, 2.0]], {"a": 1}, np.zeros((2, 3, 4)), np.array(["a"])]
)
def test_a_model_may_answer_anything(tmp_path, monkeypatch, odd):
    manifest = write(tmp_path / "corpus", [0, 0, 0])
    monkeypatch.setattr(
        "ser.extract.backbones.ge2e.Ge2e.forward",
        lambda self, batch: [odd, *(np.ones(256, "f4") for _ in batch[1:])],
    )
    cache = Cache(tmp_path / "cache")
    report = extract(manifest, tmp_path / "corpus", ["ge2e"], cache, workers=0)
    assert report.computed == {"ge2e": 2}
    assert len(report.bad) == 1


def test_a_result_that_cannot_be_pickled_goes_nowhere_but_to_its_file():
    from ser.extract.workers import _unprepared
    from ser.workers.processes import _Done, _Raised, _send

    ours, theirs = Pipe()
    task = Task("a", "a.wav", "0" * 32, ("mfcc",), 1.0)
    _send(theirs, _Done(Prepared(task, {"mfcc": lambda: 3})))
    received = _unprepared(task, ours.recv().result)
    assert received.task == task
    assert "pickle" in received.bad_file.reason.lower()

    class OwnError(SerError):
        def __reduce__(self):
            raise TypeError

    _send(theirs, _Raised(OwnError("weights are gone")))
    assert str(ours.recv().error) == "weights are gone"


def test_front_ends_do_not_hear_each_other(tmp_path, monkeypatch):
    manifest = write(tmp_path / "corpus", [0])
    plain = make_backbone("mfcc").prepare

    def loud(self, samples):
        found = plain(samples)
        samples *= 2
        return found

    row = manifest.table.iloc[0]
    task = Task(row["id"], row["path"], row["audio_hash"], ("mfcc", "logmel"), 1.0)
    backbones = make_backbones(["logmel", "mfcc"])
    expected = prepare(tmp_path / "corpus", backbones, task).arrays["logmel"]
    monkeypatch.setattr("ser.extract.backbones.mfcc.Mfcc.prepare", loud)
    found = prepare(tmp_path / "corpus", backbones, task).arrays["logmel"]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_many_files_may_end_their_workers(tmp_path, detector, monkeypatch):
    monkeypatch.setattr("ser.workers.processes.HOPELESS", 3)
    manifest = write(tmp_path / "corpus", [0, 8, 9, 8, 9, 0])
    cache = Cache(tmp_path / "cache")
    report = extract(manifest, tmp_path / "corpus", ["ge2e_mel"], cache, workers=1)
    assert report.computed == {"ge2e_mel": 2}
    assert [bad.id for bad in report.bad] == ["u01-8", "u02-9", "u03-8", "u04-9"]


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_where_every_file_ends_its_worker_it_is_not_the_files(tmp_path, detector, monkeypatch):
    monkeypatch.setattr("ser.workers.processes.HOPELESS", 6)
    manifest = write(tmp_path / "corpus", [9] * 8)
    with pytest.raises(
        SerError, match=r"ended unexpectedly \(exit code -9\) .*; run again with --workers 0"
    ):
        extract(manifest, tmp_path / "corpus", ["ge2e_mel"], Cache(tmp_path / "cache"), workers=2)
    assert multiprocessing.active_children() == []


def test_a_script_needs_no_guard(tmp_path):
    """Its workers do not run it again."""
    manifest = write(tmp_path / "corpus", [0, 0])
    manifest.save(tmp_path / "list.csv")
    (tmp_path / "script.py").write_text(
        "import sys\n"
        "from pathlib import Path\n"
        "from ser.cache import Cache\n"
        "from ser.extract import extract\n"
        "from ser.manifests import Manifest\n"
        "here = Path(sys.argv[1])\n"
        "manifest = Manifest.load(here / 'list.csv')\n"
        "extract(manifest, here / 'corpus', ['mfcc'], Cache(here / 'cache'), workers=1)\n"
    )
    command = [sys.executable, str(tmp_path / "script.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    key = make_backbone("mfcc").key()
    assert Cache(tmp_path / "cache").missing(key, manifest) == []


def test_the_tasks_of_a_dead_worker_go_to_its_successor(tmp_path, detector):
    """All but the one at which it ended: that one is given back, to be tried alone."""
    manifest = write(tmp_path / "corpus", [0, 8, 0, 0, 0, 0])
    tasks = [
        Task(row.id, row.path, row.audio_hash, ("ge2e_mel",), 1.0)
        for row in manifest.table.itertuples()
    ]
    backbones = make_backbones(["ge2e_mel"])
    with preparing(iter(tasks), tmp_path / "corpus", backbones, workers=1) as stream:
        results = {result.task.id: result for result in stream}
    assert sorted(results) == sorted(manifest.ids)
    assert [id for id, result in results.items() if result.bad_file] == ["u01-8"]
    assert results["u01-8"].bad_file.again
    assert all(result.arrays for id, result in results.items() if id != "u01-8")


def test_audio_errors_keep_their_words(tmp_path, monkeypatch):
    manifest = write(tmp_path / "corpus", [0])

    def refuse(self, samples):
        raise AudioError("too quiet")

    monkeypatch.setattr("ser.extract.backbones.mfcc.Mfcc.prepare", refuse)
    report = extract(manifest, tmp_path / "corpus", ["mfcc"], Cache(tmp_path / "c"), workers=0)
    assert [bad.reason for bad in report.bad] == ["mfcc: too quiet"]
