"""Portions of a corpus, computed by processes that know nothing of each other."""

import random
import threading

import numpy as np
import pytest

from ser.cache import Cache
from ser.extract import claims, extract, extract_corpus, make_backbone
from ser.portion import Portion
from ser.tests.drawn import SEED
from ser.tests.test_extract_claims import Level
from ser.tests.test_extract_pipeline import write_corpus

FEATURES = ["mfcc", "logmel"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Its root, and its manifest of 16 utterances."""
    root = tmp_path_factory.mktemp("corpora") / "mine"
    return root, write_corpus(root, 16)


def rows(cache, manifest):
    """The bits of every feature of every utterance."""
    stored = {}
    for feature in FEATURES:
        found = cache.read(make_backbone(feature).key(), manifest)
        for id, start, stop in zip(found.ids, found.offsets, found.offsets[1:], strict=False):
            stored[feature, id] = np.asarray(found.frames[start:stop]).tobytes()
    return stored


def test_twenty_portions_in_any_order_give_what_one_run_gives(corpus, tmp_path):
    root, manifest = corpus
    whole, parts = Cache(tmp_path / "whole"), Cache(tmp_path / "parts")
    extract_corpus(manifest, root, FEATURES, whole, workers=0)
    numbers = [*range(1, 21)]
    order = random.Random(SEED)
    numbers += order.sample(numbers, 2)
    order.shuffle(numbers)
    computed = 0
    for number in numbers:
        portion = Portion(number, 20)
        report = extract_corpus(manifest, root, FEATURES, parts, workers=0, portion=portion)
        assert list(report.ids) == [id for id in manifest.ids if portion.has(id)]
        computed += report.computed["mfcc"]
    assert computed == 16
    assert rows(parts, manifest) == rows(whole, manifest)
    held = [index.utterances for index in parts._contents.indices(report.keys["mfcc"], "mine")]
    assert sorted(id for utterances in held for id in utterances) == sorted(
        f"{id} {sha}" for id, sha in zip(manifest.ids, manifest.table["audio_hash"], strict=True)
    )
    files = [cache.folder / "manifests" / "mine.csv" for cache in (whole, parts)]
    assert files[0].read_bytes() == files[1].read_bytes()
    report = extract_corpus(manifest, root, FEATURES, parts, workers=0)
    assert (report.computed, report.present["mfcc"]) == ({"mfcc": 0, "logmel": 0}, 16)


def test_a_portion_waits_for_no_other(corpus, tmp_path, monkeypatch):
    """Though another has claimed the same feature, and holds it all the while."""
    root, manifest = corpus
    monkeypatch.setattr(Level, "computed", [])
    cache, held, done = Cache(tmp_path / "cache"), threading.Event(), threading.Event()

    def hold(*_):
        if not held.is_set():
            held.set()
            assert done.wait(60)

    def other():
        options = {"workers": 0, "progress": hold}
        extract(manifest, root, Level(), cache, portion=Portion(1, 2), **options)

    thread = threading.Thread(target=other)
    thread.start()
    assert held.wait(60)
    report = extract(manifest, root, Level(), cache, workers=0, portion=Portion(2, 2))
    assert list(report.ids) == [id for id in manifest.ids if Portion(2, 2).has(id)]
    assert report.computed == {"level": len(report.ids)}
    done.set()
    thread.join()
    assert len(Level.computed) == 16


def test_one_portion_twice_at_once_is_shared(corpus, tmp_path, monkeypatch):
    root, manifest = corpus
    monkeypatch.setattr(Level, "computed", [])
    monkeypatch.setattr("ser.extract.share.LOOK_SECONDS", 0.01)
    monkeypatch.setattr(claims, "SILENT_SECONDS", 60)
    cache, start, reports = Cache(tmp_path / "cache"), threading.Barrier(2), []

    def run():
        start.wait()
        reports.append(extract(manifest, root, Level(), cache, workers=0, portion=Portion(1, 2)))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    mine = [id for id in manifest.ids if Portion(1, 2).has(id)]
    assert len(Level.computed) == len(mine) > 4
    assert cache.missing(reports[0].keys["level"], manifest.select(mine)) == []


def test_an_empty_portion_does_nothing(corpus, tmp_path):
    root, manifest = corpus
    cache = Cache(tmp_path / "cache")
    empty = next(p for n in range(1, 201) if not any(map((p := Portion(n, 200)).has, manifest.ids)))
    report = extract(manifest, root, ["mfcc"], cache, workers=0, portion=empty)
    assert (report.ids, report.computed, report.bad) == ([], {"mfcc": 0}, [])


def test_bad_files_are_told_by_their_own_portion(corpus, tmp_path):
    root, manifest = corpus
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in root.iterdir():
        (copy / path.name).write_bytes(path.read_bytes() if path.stem != "u03" else b"no audio")
    told = []
    for number in (1, 2):
        report = extract(
            *(manifest, copy, ["mfcc"], Cache(tmp_path / "cache")),
            workers=0,
            portion=Portion(number, 2),
        )
        told += [bad.id for bad in report.bad]
    assert told == ["u03"]
