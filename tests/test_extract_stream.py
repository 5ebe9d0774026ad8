"""The features of many files in memory: in order, with the bits of extraction."""

import os
import signal

import numpy as np
import pytest
import soundfile

from ser.cache import Cache
from ser.errors import AudioError
from ser.extract import extract, make_backbones, stream
from ser.extract.backbones.mfcc import Mfcc
from ser.extract.stream import each_file
from ser.tests.test_extract_pipeline import manifest_of


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Twelve files of half a second to four, of which the longest come first."""
    folder = tmp_path_factory.mktemp("stream")
    rng = np.random.default_rng(0)
    for number in range(12):
        samples = rng.normal(scale=0.1, size=64000 - 5000 * number)
        soundfile.write(folder / f"u{number:02}.wav", samples, 16000)
    return folder


def each(root, names, features=("mfcc",), use=dict, workers=0):
    backbones = make_backbones(features)
    keys = {name: backbone.key() for name, backbone in backbones.items()}
    return each_file((root / name for name in names), backbones, keys, use, workers)


@pytest.mark.parametrize("workers", [0, 2])
def test_the_bits_of_extraction_in_the_order_of_the_files(root, tmp_path, workers):
    manifest, cache = manifest_of(root), Cache(tmp_path)
    extract(manifest, root, ["mfcc", "ge2e"], cache, workers=0)
    names = sorted((path.name for path in root.iterdir()), reverse=True)
    found = list(each(root, names, ["mfcc", "ge2e"], workers=workers))
    for feature, backbone in make_backbones(["mfcc", "ge2e"]).items():
        cached = cache.read(backbone.key(), manifest)
        for name, features in zip(names, found, strict=True):
            rows = cached[cached.ids.index(name.removesuffix(".wav"))]
            np.testing.assert_array_equal(np.atleast_2d(features[feature]), rows)


def test_files_are_asked_for_as_they_are_needed_and_features_forgotten(root, monkeypatch):
    monkeypatch.setattr(stream, "AHEAD", 3)
    asked = []

    def names():
        for number in range(40):
            asked.append(number)
            yield f"u{number % 12:02}.wav"

    found = each(root, names(), use=len)
    assert next(found) == 1
    assert len(asked) <= 3
    assert list(found) == [1] * 39


def test_bad_files_have_their_turn(root, tmp_path):
    (tmp_path / "text.wav").write_text("This is no sound.")
    names = [root / "u00.wav", tmp_path / "text.wav", tmp_path / "gone.wav", root / "u01.wav"]
    good, text, gone, last = each(tmp_path, names, ["mfcc", "ge2e"], use=sorted)
    assert good == last == ["ge2e", "mfcc"]
    assert isinstance(text, AudioError)
    assert "convert it: ffmpeg" in str(text)
    assert str(gone) == "no such file"


class Hungry(Mfcc):
    """Out of memory for the two longest files, at first."""

    name = "hungry"
    batch_rows = 200
    tries: dict[int, int] = {}  # noqa: RUF012

    def forward(self, batch):
        for rows in batch:
            tried = self.tries.get(len(rows), 0)
            self.tries[len(rows)] = tried + 1
            if len(rows) > 125 or (len(rows) > 115 and not tried):
                raise MemoryError
        return list(batch)


def test_what_takes_too_much_memory_is_tried_once_more(root, monkeypatch):
    monkeypatch.setattr(stream, "AHEAD", 4)
    monkeypatch.setattr(Hungry, "tries", {})
    backbones = make_backbones([Hungry(), "mfcc"])
    keys = {name: backbone.key() for name, backbone in backbones.items()}
    files = sorted(root.iterdir())
    first, *others = each_file(iter(files), backbones, keys, sorted)
    assert str(first) == "hungry: not enough memory"
    assert others == [["hungry", "mfcc"]] * 11
    assert Hungry.tries[126] == 2
    assert Hungry.tries[116] == 2


class Deadly(Mfcc):
    """Ends the process that works on the longest file."""

    name = "deadly"

    def prepare(self, samples):
        if len(samples) == 64000:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().prepare(samples)


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_file_that_ends_its_worker_is_told(root):
    backbones = make_backbones([Deadly()])
    keys = {name: backbone.key() for name, backbone in backbones.items()}
    first, *others = each_file(iter(sorted(root.iterdir())), backbones, keys, sorted, workers=1)
    assert "the process that works on it ends (exit code -9)" in str(first)
    assert others == [["deadly"]] * 11


def test_what_no_file_is_to_blame_for_ends_it(root):
    def broken(features):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(each(root, ["u00.wav"], use=broken))
