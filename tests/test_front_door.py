"""What `ser` exports, and all of it from a notebook."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import ser
from ser import Cache, Recognizer, extract_corpus, train
from ser.errors import AudioError, InputError, MissingWeightsError
from ser.extract import Backbone

NAMES = ["Cache", "Recognizer", "Run", "extract_corpus", "train"]


def said(code, folder=None):
    """What a process says whose main module nobody can import."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_is_light_and_tells_what_there_is():
    heavy = {"torch", "numpy", "pandas", "h5py", "scipy", "msgspec", "click", "soundfile"}
    code = f"import sys, ser; print({heavy} & set(sys.modules), dir(ser))"
    empty, names = said(code).split(" ", 1)
    assert empty == "set()"
    assert set(NAMES) <= set(eval(names))
    assert sorted(ser.__all__) == sorted(NAMES)
    with pytest.raises(AttributeError, match="'ser' has no attribute 'recognise'"):
        ser.recognise  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'recognise'"):
        from ser import recognise  # noqa: F401


@pytest.mark.parametrize(
    "first",
    [
        "import ser",
        "from ser import train",
        "import ser.train",
        "import ser.train.runs.train",
        "from ser.train.runs.train import train",
        "from ser import *",
    ],
)
def test_train_is_the_function_whatever_was_imported_before(first):
    """A room of the house has its name."""
    code = f"""
{first}
import inspect, ser
from ser import train
from ser.errors import InputError
from ser.train.runs.train import train as function
assert callable(train) and train is ser.train
assert inspect.signature(train) == inspect.signature(function)
try:
    ser.train("nothing", "emodb")
except InputError as error:
    print(error)
"""
    assert said(code).startswith("--setting nothing: expected single or")


def write_sounds(folder):
    """Thirty files `c/NN.wav` in three emotions that differ in loudness and colour."""
    random = np.random.default_rng(0)
    (folder / "c").mkdir()
    lines = ["path,emotion,speaker"]
    for number in range(30):
        emotion, scale = (("anger", 0.3), ("sadness", 0.02), ("neutral", 0.1))[number % 3]
        samples = random.normal(scale=scale, size=6000 + 300 * number)
        if emotion == "anger":
            samples = samples.cumsum() / 20 % 0.6 - 0.3
        soundfile.write(folder / "c" / f"{number:02}.wav", samples, 16000, subtype="FLOAT")
        lines.append(f"{number:02}.wav,{emotion},s{number // 3 % 5}")
    (folder / "mine.csv").write_text("\n".join(lines))


NOTEBOOK = '''
import numpy as np
import soundfile
from ser import Cache, extract_corpus, train, Run, Recognizer
from ser.extract import Backbone

class Colour(Backbone):
    """Level and zero crossings of every hundredth of a second, by way of a model."""

    name = "colour"
    kind = "sequence"
    dim = 2
    frame_rate = 100.0
    batch_rows = 10_000
    defaults = {"gain": 1.0}

    def make_model(self):
        return np.array([self.parameters["gain"], 1.0], "f4")

    def prepare(self, samples):
        frames = samples[: len(samples) // 160 * 160].reshape(-1, 160)
        level = np.log10(np.abs(frames).mean(1) + 1e-4)
        return np.stack([level, (frames[:, 1:] * frames[:, :-1] < 0).mean(1)], 1)

    def forward(self, batch):
        return [rows * self.model for rows in batch]

cache = Cache("cache")
own = Colour({"gain": 2.0})
report = extract_corpus(
    "mine", "c", [own, "logmel"], cache, csv="mine.csv", language="de", workers=2
)
assert report.computed == {"colour:gain=2.0": 30, "logmel": 30} and not report.bad

train("single", "mine", features=["colour:gain=2.0", "logmel"], cache=cache, repeats=2, workers=2,
      changes=["train.epochs=6"], out="run")
run = Run.open("run")
assert run.config.features == ("colour:gain=2.0", "logmel")
assert list(run.config.settings.changes) == ["train.epochs=6"]
ua = run.metrics["domains"]["mine"]["ua"]
assert len(ua["values"]) == 2 and ua["mean"] > 0.6, ua
table = run.predictions
assert list(table.columns[:6]) == ["corpus", "repeat", "fold", "id", "truth", "predicted"]
assert (table[["p_neutral", "p_anger", "p_sadness"]].sum(axis=1) - 1).abs().max() < 1e-5
split = run.splits["mine"]
assert set(split.part) == {"train", "validation", "test"}
assert run.structure == {}

recognizer = Recognizer("run", backbones=[own])
first = table[table.repeat == 0].iloc[0]
file = f"c/{first.id}.wav"
told = recognizer([file, soundfile.read(file, dtype="float32")])
assert list(told.index) == [file, 1]
assert list(told.columns) == ["emotion", "p_neutral", "p_anger", "p_sadness"]
assert list(told.emotion) == [first.predicted] * 2
assert (told.iloc[0] == told.iloc[1]).all()
assert recognizer(file).equals(told[:1])

# What is computed in memory is what the cache holds, to the bit; what is said of it is what the
# ensemble says, but for the order in which functionals add up beside longer utterances.
domain, ensemble = run.domain("mine", cache), run.ensemble(0)
for id in domain.ids:
    computed = recognizer.features(f"c/{id}.wav")
    for name, key in run.config.keys.items():
        rows = cache.read(key, cache.manifest("mine").select([id])).frames
        assert computed[name].dtype == rows.dtype and np.array_equal(computed[name], rows), name
from ser.train.evaluate import probabilities
expected = probabilities(ensemble, domain, domain.rows([first.id]))[0].numpy()
assert np.allclose(recognizer.probabilities(file), expected, rtol=0, atol=1e-6)
assert np.allclose(expected, first[["p_neutral", "p_anger", "p_sadness"]].astype(float), atol=1e-5)
print("seen to the end")
'''


@pytest.mark.long
def test_a_notebook(tmp_path):
    """From audio to the emotions of a file, with a backbone that only this process knows; its
    workers are spawned, or forked from a process that knows nothing of it."""
    write_sounds(tmp_path)
    assert said(NOTEBOOK, tmp_path).endswith("seen to the end\n")


SPAWNED = """
import multiprocessing
from dataclasses import replace
from torch import nn
from ser import train
from ser.train.methods import METHODS

multiprocessing.get_all_start_methods = lambda: ["spawn"]

class Small(nn.Module):
    def __init__(self, settings):
        super().__init__()

    def forward(self, x, targets, classes):
        assert multiprocessing.parent_process()
        return x.square().mean()

run = train("single", "toy", cache="cache", method=replace(METHODS["single"], name="small",
            auxiliary=Small), changes=["train.epochs=2", "train.alpha=1"], repeats=2, workers=2)
print(len(run.metrics["domains"]["toy"]["ua"]["values"]))
"""


@pytest.mark.long
def test_training_by_processes_that_are_spawned(toy_cache, tmp_path):
    """As on Windows: they get a loss that was typed in."""
    assert said(SPAWNED, tmp_path) == "2\n"


@pytest.mark.long
def test_the_readme_s_example_runs(tmp_path):
    """On noise that is called EmoDB."""
    page = (Path(ser.__file__).parent / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    random = np.random.default_rng(0)
    folder = tmp_path / "corpora" / "emodb" / "wav"
    folder.mkdir(parents=True)
    names = [f"{s}a01{e}{t}.wav" for s in ("03", "08", "09", "10") for e in "NFW" for t in "abc"]
    for file in (*(folder / name for name in names), tmp_path / "a.wav", tmp_path / "b.flac"):
        samples = random.normal(scale=0.1, size=int(random.integers(8000, 12000)))
        soundfile.write(file, samples, 16000)
    before = "import numpy\nsamples = numpy.random.default_rng(0).normal(0, 0.1, 44100)\n"
    shown = "\nprint(sorted(recognizer.labels), recognizer.probabilities((samples, 44100)).sum())"
    assert said(before + code + shown, tmp_path).startswith("['anger', 'happiness', 'neutral'] ")
    assert (tmp_path / "runs" / "emodb" / "model.safetensors").exists()


class Level(Backbone):
    """The root mean square of an utterance, and its greatest value."""

    name = "level"
    kind = "vector"
    dim = 2

    def prepare(self, samples):
        return np.array([np.sqrt(np.mean(samples**2)), samples.max()], "f4")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A cache of `level` of the corpora `mine` and `yours`, and the audio of both."""
    folder = tmp_path_factory.mktemp("place")
    write_sounds(folder)
    for corpus, language in (("mine", "de"), ("yours", "it")):
        extract_corpus(
            *(corpus, folder / "c", [Level()], folder / "cache"),
            csv=folder / "mine.csv",
            language=language,
            workers=0,
        )
    return folder


@pytest.fixture(scope="module")
def run(place):
    return train(
        *("single", "mine"),
        features="level",
        cache=Cache(place / "cache"),
        changes=["train.epochs=2", "train.members=1"],
        repeats=1,
        out=place / "run",
    )


def refused(*arguments, **named):
    with pytest.raises(InputError) as caught:
        Recognizer(*arguments, **named)
    return str(caught.value)


def test_what_cannot_recognise(place, run, monkeypatch):
    settings = {"features": "level", "cache": place / "cache", "repeats": 1}
    baseline = train("baseline", "mine", out=place / "svm", **settings)
    assert refused(baseline) == f"{place / 'svm'}: it is a baseline, whose models are not kept"
    assert "not the folder of a run" in refused(place)
    assert refused(run, repeat=3, backbones=[Level()]).endswith("holds no model of repeat 3")
    assert "device 'abacus' cannot be used" in refused(run, backbones=[Level()], device="abacus")
    said = refused(run)
    assert said.startswith(f"{run.folder}: was trained on level, which is not known here; give")
    assert "backbones=[...]" in said
    monkeypatch.setattr(Level, "version", 2)
    monkeypatch.setattr(Level, "weights", lambda self: "0" * 64)
    said = refused(run, backbones=[Level()])
    assert (
        f"was trained on {run.config.keys['level'].short}, but here level would be level@" in said
    )
    assert "of other version and weights" in said


def test_weights_that_are_not_here(place, run, monkeypatch):
    def missing(self):
        raise MissingWeightsError("no weights of level")

    monkeypatch.setattr(Level, "weights", missing)
    with pytest.raises(MissingWeightsError, match="no weights of level"):
        Recognizer(run, backbones=[Level()])


def test_one_run_of_several_corpora(place):
    run = train(
        *("multidomain", "mine,yours"),
        features="level",
        cache=place / "cache",
        method="sb",
        changes=["train.epochs=1", "train.members=1"],
        repeats=1,
        out=place / "both",
    )
    said = refused(run, "theirs", backbones=[Level()])
    assert said.startswith("--corpus theirs: the run has no head for it; there are mine (de), ")
    recognizer = Recognizer(run, "yours", backbones=[Level()])
    assert recognizer.labels == ("neutral", "anger", "sadness")
    file = place / "c" / "00.wav"
    assert recognizer.probabilities(file).sum() == pytest.approx(1)
    other = Recognizer(run, "mine", backbones=[Level()])
    assert not np.array_equal(recognizer.probabilities(file), other.probabilities(file))
    both = Recognizer(run, backbones=[Level()])
    assert both.heads.corpora == ("mine", "yours")
    assert both.heads.why.endswith("averaged: no corpus and no language was given")
    mean = (recognizer.probabilities(file) + other.probabilities(file)) / 2
    np.testing.assert_allclose(both.probabilities(file), mean, atol=1e-6)


def test_sounds_that_cannot_be_used(place, run, monkeypatch):
    recognizer = Recognizer(run, backbones=[Level()])
    noise = np.random.default_rng(0).normal(scale=0.1, size=(8000, 2))

    def why(sound):
        with pytest.raises(AudioError) as caught:
            recognizer([sound])
        return str(caught.value)

    assert why("gone.wav") == "gone.wav: no such file"
    assert why(place / "mine.csv").startswith(f"{place / 'mine.csv'}: ")
    assert why((noise[:0], 16000)).startswith("too short: 0.000 s")
    assert why((noise * 32768, 16000)).startswith("its samples reach 1")
    assert why((0 * noise, 16000)).startswith("silent")
    for sound in (noise, (noise, 0), (noise[None], 16000), (noise, None), None):
        assert why(sound).startswith("expected a file, or (samples, rate)")
    assert recognizer((noise, 16000)).equals(recognizer([(noise.mean(axis=1), 16000)]))
    assert len(recognizer([])) == 0

    monkeypatch.setattr(Level, "prepare", lambda self, samples: samples[:3] / 0)
    with np.errstate(all="ignore"):
        assert why((noise, 16000)).startswith("level: expected shape (2,), got (3,)")
    monkeypatch.setattr(Level, "prepare", lambda self, samples: 1 // 0)
    assert why((noise, 16000)).startswith("level: ZeroDivisionError: ")
