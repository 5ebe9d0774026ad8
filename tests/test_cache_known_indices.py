"""Indices of many shards are read once, and told apart from what changed."""

import os

import numpy as np
import pytest

from ser.cache import Cache, holdings, known_indices, store_manifest
from ser.cache.contents import Contents
from ser.errors import CorruptShardError
from ser.remembered import Remembered

from .conftest import toy_key, toy_manifest

KEY = toy_key("ge2e", "vector", 7)


@pytest.fixture
def files(monkeypatch, tmp_path):
    files = Remembered(tmp_path / "known", ".msgpack")
    monkeypatch.setattr(known_indices.Remembered, "of_user", lambda *_, **__: files)
    monkeypatch.setattr(known_indices, "MANY", 5)
    return files


@pytest.fixture
def opened(monkeypatch):
    """Shards that were opened."""
    paths = []
    read = known_indices.read_index
    monkeypatch.setattr(
        known_indices, "read_index", lambda path, key: (paths.append(path.name), read(path, key))[1]
    )
    return paths


@pytest.fixture
def cache(tmp_path):
    """Sixty utterances in ten shards."""
    cache, manifest = Cache(tmp_path / "cache"), toy_manifest()
    with cache.write(KEY, manifest) as writer:
        for number, id in enumerate(manifest.ids, 1):
            writer.add(id, np.full(7, number, np.float32))
            if not number % 6:
                writer.publish()
    return cache


def shards(cache):
    return sorted((cache.folder / "features" / KEY.folder).glob("*.h5"))


def looked_at(cache):
    return Contents([cache.folder]).indices(KEY, "toy")


def test_many_shards_are_opened_once(cache, files, opened):
    first = looked_at(cache)
    assert len(opened) == 10
    second = looked_at(cache)
    assert len(opened) == 10
    for one, other in zip(first, second, strict=True):
        assert (one.path, one.key, one.corpus) == (other.path, other.key, other.corpus)
        assert (one.manifest_id, one.provenance) == (other.manifest_id, other.provenance)
        assert (one.ids, one.audio_hashes) == (other.ids, other.audio_hashes)
        assert one.checksums == other.checksums
        assert one.bounds.dtype == other.bounds.dtype
        assert one.bounds.tolist() == other.bounds.tolist()
    read = Cache(cache.folder).read(KEY, toy_manifest())
    assert read.frames[:, 0].tolist() == list(range(1, 61))
    (holding,) = Cache(cache.folder).listing()
    assert (holding.utterances, holding.shards, len(opened)) == (60, 10, 10)


def test_what_many_shards_hold_is_counted_once(cache, files, monkeypatch):
    counted, count = [], holdings._count
    monkeypatch.setattr(holdings, "_count", lambda *given: (counted.append(1), count(*given))[1])
    monkeypatch.setattr(holdings, "MANY", 5)
    monkeypatch.setattr(holdings.Remembered, "of_user", lambda *_, **__: files)
    store_manifest(cache, toy_manifest())

    def listed():
        (holding,) = Cache(cache.folder).listing()
        return holding.utterances, holding.damaged, len(counted)

    assert (listed(), listed()) == ((60, 0, 1), (60, 0, 1))
    os.utime(cache.folder / "manifests" / "toy.csv", (0, 0))
    assert (listed(), listed()) == ((60, 0, 2), (60, 0, 2))
    one, *_ = shards(cache)
    one.write_bytes(one.read_bytes()[:-100])
    assert (listed(), listed()) == ((54, 1, 3), (54, 1, 4))  # it may be whole again
    one.unlink()
    assert (listed(), listed()) == ((54, 0, 5), (54, 0, 5))


@pytest.mark.usefixtures("files")
def test_a_folder_whose_name_is_no_text(cache, opened):
    folder = cache.folder.with_name(os.fsdecode(b"caf\xe9"))
    try:
        cache.folder.rename(folder)
    except (OSError, UnicodeError):
        pytest.skip("this file system takes only names that are valid text")
    for _ in range(2):
        assert len(looked_at(Cache(folder))) == 10
    assert len(opened) == 10


def test_few_are_not_remembered(cache, files, opened, monkeypatch):
    monkeypatch.setattr(known_indices, "MANY", 11)
    looked_at(cache)
    looked_at(cache)
    assert len(opened) == 20


def test_what_changed_is_opened(cache, files, opened):
    looked_at(cache)
    one, gone, *_ = shards(cache)
    gone.unlink()
    one.write_bytes(one.read_bytes()[:-100])
    with pytest.raises(CorruptShardError, match=one.name):
        looked_at(cache)
    assert opened[10:] == [one.name]
    one.unlink()
    assert len(looked_at(cache)) == 8


def test_what_is_remembered_and_odd_is_read_anew(cache, files, opened):
    looked_at(cache)
    (file,) = files.folder.iterdir()
    for odd in (b"", b"\x93", b"\x81\xa1a\x90"):
        files.write(file.stem, odd)
        opened.clear()
        assert len(looked_at(cache)) == 10
        assert len(opened) == 10


def test_another_corpus_and_another_cache_are_others(cache, files, opened, tmp_path):
    looked_at(cache)
    assert Contents([cache.folder]).indices(KEY, "tic") == []
    cache.folder.rename(tmp_path / "moved")
    assert len(looked_at(Cache(tmp_path / "moved"))) == 10
    assert len(opened) == 20
