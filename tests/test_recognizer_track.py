"""Tracks of recordings: what is said of a window, and that how a recording is read does not
matter."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ser import Recognizer, extract_corpus, train
from ser.errors import AudioError, InputError
from ser.extract import recording
from ser.extract.audio import RATE, to_recipe
from ser.manifests import read_audio
from ser.recognizer.track import track
from ser.tests.audio_files import noise
from ser.tests.test_front_door import write_sounds

CORPORA = os.environ.get("SER_TEST_CORPORA")
WHOLE = 1 << 40


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a small run on MFCCs."""
    folder = tmp_path_factory.mktemp("track")
    write_sounds(folder)
    cache = folder / "cache"
    extract_corpus(
        *("mine", folder / "c", "mfcc", cache), csv=folder / "mine.csv", language="de", workers=0
    )
    quick = ["train.epochs=3", "train.members=1"]
    train(
        *("single", "mine"),
        features="mfcc",
        cache=cache,
        repeats=1,
        out=folder / "run",
        changes=quick,
    )
    return folder / "run"


@pytest.fixture(scope="module")
def recognizer(run):
    return Recognizer(run)


@pytest.fixture
def in_blocks(monkeypatch):
    """Have recordings read in blocks of another size."""
    stream = recording.stream
    return lambda size: monkeypatch.setattr(recording, "stream", partial(stream, block=size))


def rows(windows):
    return [(w.start, w.end, w.speech, w.answer and tuple(w.answer.probabilities)) for w in windows]


def test_a_window_is_a_sound_of_its_own(recognizer):
    sound = noise(4.5)[:, 0]
    windows = [*recognizer.track((sound, RATE), window=2, hop=1, speech=0)]
    assert [(w.start, w.end) for w in windows] == [(0, 2), (1, 3), (2, 4), (3, 4.5)]
    for window in windows:
        cut = sound[round(window.start * RATE) : round(window.end * RATE)]
        alone = recognizer.probabilities((cut, RATE))
        np.testing.assert_array_equal(window.answer.probabilities.astype(np.float32), alone)
        assert window.answer.emotion in recognizer.labels


@pytest.mark.parametrize(("rate", "channels"), [(16000, 1), (44100, 2)])
def test_how_it_is_read_does_not_matter(recognizer, in_blocks, tmp_path, rate, channels):
    sound = noise(7, rate, channels)
    soundfile.write(tmp_path / "x.wav", sound, rate, subtype="FLOAT")
    whole = rows(track(recognizer, (to_recipe(sound, rate), RATE), 2, 0.7, speech=0))
    assert len(whole) == 9

    @settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.one_of(st.integers(1000, 60000), st.just(WHOLE)))
    def check(block):
        in_blocks(block)
        assert rows(track(recognizer, tmp_path / "x.wav", 2, 0.7, speech=0)) == whole
        assert rows(track(recognizer, (sound, rate), 2, 0.7, speech=0)) == whole

    check()


@pytest.mark.skipif(not CORPORA, reason="SER_TEST_CORPORA is not set")
def test_real_speech_with_silence(recognizer, in_blocks):
    """Windows without speech have no answer, and the others one."""
    files = sorted((Path(CORPORA) / "emodb" / "wav").iterdir())[:3]
    speech = [to_recipe(a.samples, a.rate) for a in map(read_audio, files)]
    silence = np.zeros(5 * RATE, np.float32)
    sound = np.concatenate([part for each in speech for part in (silence, each)])
    windows = [*recognizer.track((sound, RATE), window=1, hop=0.5)]
    assert all((w.answer is None) is (w.speech < 0.3) for w in windows)
    starts = np.cumsum([0, *(len(silence) + len(each) for each in speech)]) / RATE
    for start, each in zip(starts, speech, strict=False):
        said = {w.start - start: w for w in windows if start <= w.start < start + 10}
        assert all(w.answer is None for at, w in said.items() if at <= 3.9)
        begins, ends = 5, 5 + len(each) / RATE
        inside = [w for at, w in said.items() if begins <= at and at + 1 <= ends]
        assert inside
        assert sum(w.answer is not None for w in inside) > len(inside) / 2
    in_blocks(997)
    assert rows(windows) == rows(recognizer.track((sound, RATE), window=1, hop=0.5))


def test_what_breaks_in_the_middle(recognizer):
    """The windows before it are those of the whole recording."""
    sound = noise(40)[:, 0]
    whole = rows(track(recognizer, (sound, RATE), 2, 1, speech=0))
    sound[30 * RATE + 5] = np.nan
    found = []
    with pytest.raises(AudioError, match=r"after 30.00 s: holds samples that are no finite"):
        found.extend(track(recognizer, (sound, RATE), 2, 1, speech=0))
    windows = track(recognizer, (sound, RATE), 2, 1, speech=0)
    before = [next(windows) for _ in range(29)]
    assert rows(before) == whole[:29]
    with pytest.raises(AudioError):
        next(windows)


@pytest.mark.parametrize("speech", [0, 0.3])
def test_silence(recognizer, speech):
    """Never reaches a model, whatever share of speech is asked for."""
    windows = track(recognizer, (np.zeros(5 * RATE), RATE), speech=speech)
    assert rows([next(windows) for _ in range(3)]) == [(at, at + 3, 0.0, None) for at in (0, 1, 2)]
    with pytest.raises(AudioError, match="silent"):
        next(windows)


def test_a_window_that_a_backbone_refuses(recognizer, monkeypatch):
    """The others have their answers."""
    (backbone,) = recognizer.backbones.values()
    prepare = backbone.prepare

    def picky(samples):
        if samples[0] == marked:
            raise AudioError("it begins oddly")
        return prepare(samples)

    sound = noise(5)[:, 0]
    marked = sound[RATE]
    monkeypatch.setattr(backbone, "prepare", picky)
    windows = [*recognizer.track((sound, RATE), window=2, speech=0)]
    assert [w.answer is None for w in windows] == [False, True, False, False]
    assert windows[1].reason == "mfcc: it begins oddly"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"window": 0.4}, "--window 0.4: expected 0.5 to 60 seconds"),
        ({"window": 61}, "--window 61"),
        ({"window": float("nan")}, "--window nan"),
        ({"hop": 0}, "--hop 0: expected 0.05 seconds or more"),
        ({"hop": float("inf")}, "--hop inf"),
        ({"speech": 1.5}, "--speech 1.5: expected a share"),
    ],
)
def test_windows_that_cannot_be(recognizer, options, says):
    with pytest.raises(InputError, match=says):
        recognizer.track((noise(5), RATE), **options)


SCRIPT = """
import sys
import psutil
from ser import Recognizer

memory = psutil.Process().memory_info  # what it is: Linux hands the peak of a parent on
windows = Recognizer(sys.argv[1]).track(sys.argv[2], hop=10, speech=0)
megabytes = [memory().rss >> 20 for _ in windows]
print(len(megabytes), max(megabytes[:20]), max(megabytes[20:]))
"""


@pytest.mark.soak
def test_memory_does_not_grow_with_the_length(run, tmp_path):
    """Twenty minutes of a file of 150 MB."""
    path = tmp_path / "long.wav"
    with soundfile.SoundFile(path, "w", 16000, 2, subtype="FLOAT") as file:
        for _ in range(20):
            file.write(np.tile(noise(6, channels=2), (10, 1)))
    command = [sys.executable, "-c", SCRIPT, str(run), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    count, early, late = map(int, done.stdout.split())
    assert count == 120
    assert late < early + 30
    assert late < 800
