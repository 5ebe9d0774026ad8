"""A backbone of one's own, from wherever it was defined: a notebook, a script, a module."""

import subprocess
import sys

import numpy as np
import pytest

from ser.cache import Cache
from ser.errors import InputError, SerError
from ser.extract import BACKBONES, Backbone, extract, extract_corpus, make_backbone
from ser.extract.backbones.mfcc import Mfcc
from ser.registry import Registry
from ser.tests.test_extract_pipeline import write_corpus

OWN = '''
import os
import numpy as np
from ser.extract import Backbone, extract_corpus

FLOOR = 1e-6

def level(block):
    return np.log10(np.sqrt(np.mean(block**2)) + FLOOR)

class Loudness(Backbone):
    """Level and process of every tenth of a second."""

    name = "loudness"
    kind = "sequence"
    dim = 2
    frame_rate = 10.0
    defaults = {"gain": 1.0}

    def configure(self):
        self.gain = self.within("gain", 0.0, 10.0)

    def prepare(self, samples):
        blocks = np.split(samples * self.gain, range(1600, len(samples), 1600))
        return np.array([[level(block), os.getpid()] for block in blocks], "f4")
'''
RUN = """
report = extract_corpus("mine", "corpus", [Loudness({"gain": 2.0}), "mfcc"], "cache",
                        manifest="mine.csv", workers=2)
print(report.computed, report.bad)
print(os.getpid())
"""


class Level(Backbone):
    """The root mean square of an utterance, times a model's gain."""

    name = "level"
    kind = "vector"
    dim = 1
    batch_rows = 100_000
    defaults = {"gain": 2.0}  # noqa: RUF012 - declared as ClassVar in Backbone
    made = 0

    def make_model(self):
        type(self).made += 1
        return self.parameters["gain"]

    def prepare(self, samples):
        return samples

    def forward(self, batch):
        return [np.sqrt(np.mean(samples**2, keepdims=True)) * self.model for samples in batch]


@pytest.fixture
def corpus(tmp_path):
    """Six files in `corpus`, and their manifest, `mine.csv`."""
    manifest = write_corpus(tmp_path / "corpus")
    manifest.save(tmp_path / "mine.csv")
    return manifest


def rows(folder, feature):
    cache = Cache(folder / "cache")
    (key,) = (key for key in cache.keys() if key.feature == feature)  # noqa: SIM118
    return cache.read(key, cache.manifest("mine"))


@pytest.mark.parametrize("how", ["-c", "stdin", "script", "module"])
def test_from_a_process_of_its_own(corpus, tmp_path, how):
    """No main module that could be imported, no guard, and a module beside the script."""
    if how == "module":
        (tmp_path / "own.py").write_text(OWN)
        code = "import os\nfrom own import Loudness, extract_corpus\n" + RUN
    else:
        code = OWN + RUN
    if how in ("script", "module"):
        (tmp_path / "script.py").write_text(code)
    given = {"-c": ["-c", code], "stdin": ["-"]}.get(how, ["script.py"])
    done = subprocess.run(
        [sys.executable, *given],
        input=code if how == "stdin" else None,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    said, process = done.stdout.splitlines()
    assert said == "{'loudness:gain=2.0': 6, 'mfcc': 6} []"
    found = rows(tmp_path, "loudness:gain=2.0")
    assert len(found.ids) == 6
    workers = {float(np.float32(pid)) for pid in found.frames[:, 1]}
    assert 1 <= len(workers) <= 2
    assert float(np.float32(int(process))) not in workers
    assert all(
        (found.frames[:, 0] > -1) & (found.frames[:, 0] < -0.65)
    )  # noise of .2, some of it mixed


def test_training_would_find_it_by_its_name(corpus, tmp_path):
    report = extract_corpus(
        corpus, tmp_path / "corpus", [Level({"gain": 3.0}), "mfcc:n_fft=2048"], tmp_path / "cache"
    )
    assert list(report.keys) == ["level:gain=3.0", "mfcc"]
    assert report.computed == {"level:gain=3.0": 6, "mfcc": 6}
    key = Level({"gain": 3.0}).key()
    assert (key.feature, key.backbone, key.parameters) == ("level:gain=3.0", "level", {"gain": 3.0})
    assert Cache(tmp_path / "cache").missing(key, corpus) == []
    again = extract_corpus(corpus, tmp_path / "corpus", Level({"gain": 3.0}), tmp_path / "cache")
    assert again.present == {"level:gain=3.0": 6}


def test_its_model_is_made_once_and_stays_here(corpus, tmp_path):
    own = Level()
    own.load()
    made = Level.made
    extract(corpus, tmp_path / "corpus", [own], Cache(tmp_path / "cache"), device="cpu", workers=2)
    assert Level.made == made
    assert own.model == 2.0
    assert own.__getstate__().keys() == {"parameters", "argument_value", "device", "dtype"}
    (found,) = own.forward([np.full(100, 0.5, "f4")])
    assert found == pytest.approx(1.0)


@pytest.fixture
def known(monkeypatch):
    """A table of backbones for one test."""
    table = Registry("feature", "ser.backbones", {name: BACKBONES[name] for name in BACKBONES})
    monkeypatch.setattr("ser.extract.backbones.registry.BACKBONES", table)
    return table


def test_one_that_was_added_is_known_by_name(corpus, tmp_path, known):
    with pytest.raises(InputError, match="unknown feature 'level'"):
        make_backbone("level")
    known.add("level", Level)
    assert make_backbone("level:gain=0.5").forward([np.ones(4, "f4")]) == [0.5]
    report = extract_corpus(corpus, tmp_path / "corpus", "level,mfcc", tmp_path / "cache")
    assert report.computed == {"level": 6, "mfcc": 6}


@pytest.fixture
def installed(tmp_path, monkeypatch, known):
    """A package that brings entry points, as pip leaves it."""
    folder = tmp_path / "site"
    info = folder / "own_features-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own-features\nVersion: 1.0\n")
    points = "loudness = own_features:Loudness\nloud = own_features:Loudness\nodd = os:sep\n"
    (info / "entry_points.txt").write_text(f"[ser.backbones]\n{points}")
    (folder / "own_features.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(folder))
    yield
    sys.modules.pop("own_features", None)


def test_a_package_brings_one(corpus, tmp_path, installed):
    report = extract_corpus(
        corpus, tmp_path / "corpus", "loudness:gain=2", tmp_path / "cache", workers=1
    )
    assert report.computed == {"loudness:gain=2.0": 6}
    with pytest.raises(InputError, match="did you mean 'loudness'"):
        make_backbone("loudnes")
    for name in ("loud", "odd"):
        with pytest.raises(SerError, match=f"{name!r} of ser.backbones is no Backbone of that"):
            make_backbone(name)


def refused(corpus, tmp_path, *features, workers=1, error=InputError):
    with pytest.raises(error) as caught:
        extract_corpus(corpus, tmp_path / "corpus", features, tmp_path / "cache", workers=workers)
    return str(caught.value)


def test_what_cannot_be_sent_is_named(corpus, tmp_path):
    own = Level()
    own.stream = sys.stderr
    said = refused(corpus, tmp_path, own)
    assert said.startswith("feature level: cannot be sent to worker processes (TypeError: cannot")
    assert "workers=0" in said
    report = extract_corpus(corpus, tmp_path / "corpus", own, tmp_path / "cache", workers=0)
    assert report.computed == {"level": 6}


def test_what_cannot_be_made_there_is_named(corpus, tmp_path, monkeypatch):
    """A module of which the workers know nothing."""
    own = Level()
    own.helper = Far()
    said = refused(corpus, tmp_path, own, error=SerError)
    assert "feature level: cannot be made in a worker process (ZeroDivisionError" in said


class Far:
    def __reduce__(self):
        return eval, ("1 / 0",)


class Unnamed(Mfcc):
    name = "not a name"


class Formless(Backbone):
    name = "formless"

    def prepare(self, samples):
        return samples


class Uninitialised(Level):
    name = "uninitialised"

    def __init__(self):
        pass


class Impostor(Level):
    name = "ge2e"


class Alias(Level):
    name = "wav2vec2"


@pytest.mark.parametrize(
    ("features", "says"),
    [
        ([Unnamed()], "Unnamed: 'not a name' is no name for a feature"),
        ([Formless()], "Formless: a backbone has name, kind, dim"),
        ([Uninitialised()], "expected parameters"),
        ([Impostor()], "Impostor: there is another feature 'ge2e'; choose another name"),
        ([Alias()], "Alias: there is another feature 'wav2vec2'"),
        ([Level(), type("Other", (Level,), {"version": 2})()], "level: two different backbones"),
    ],
)
def test_what_is_no_backbone_of_its_own(corpus, tmp_path, features, says):
    assert says in refused(corpus, tmp_path, *features)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"gian": 2.0}, "feature level has no parameter 'gian' .did you mean 'gain'"),
        ({"dtype": "int8"}, "dtype must be float32 or float16"),
    ],
)
def test_parameters_are_checked(parameters, says):
    with pytest.raises(InputError, match=says.replace("?", r"\?")):
        Level(parameters)


def test_the_main_module_is_as_before(corpus, tmp_path):
    before = sys.modules["__main__"]
    extract_corpus(corpus, tmp_path / "corpus", "mfcc", tmp_path / "cache", workers=1)
    assert sys.modules["__main__"] is before


def test_workers_work_where_the_main_process_does(corpus, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report = extract_corpus(corpus, "corpus", "mfcc", "cache", workers=1)
    assert (report.computed, report.bad) == ({"mfcc": 6}, [])
    assert Cache(tmp_path / "cache").corpora() == ["mine"]
