"""The whole way, in this process and with workers; what is bad; what is there already."""

import multiprocessing
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from ser.cache import Cache
from ser.errors import InputError, MissingPackageError, SerError
from ser.extract import extract, make_backbone, make_backbones, pipeline
from ser.extract.audio import load_utterance
from ser.extract.prepare import Task
from ser.extract.workers import IN_FLIGHT, preparing
from ser.manifests import BadFile, BadFileLimit, Manifest, read_audio


def write_corpus(root, count=6, longer=0.1):
    """Noise of various lengths, rates and channels, which the voice detector takes for speech."""
    root.mkdir()
    rng = np.random.default_rng(0)
    for number in range(count):
        rate, channels = ((16000, 1), (22050, 2), (8000, 1))[number % 3]
        samples = rng.normal(scale=0.1, size=(int(rate * (0.3 + longer * number)), channels))
        soundfile.write(root / f"u{number:02}.wav", samples, rate)
    return manifest_of(root)


def manifest_of(root):
    rows = []
    for path in sorted(root.iterdir()):
        audio = read_audio(path)
        rows.append(
            {
                "id": path.stem,
                "corpus": "mine",
                "language": "pt",
                "speaker": "s",
                "gender": "",
                "emotion": "fear",
                "path": path.name,
                "duration": audio.duration,
                "audio_hash": audio.sha,
            }
        )
    return Manifest(pd.DataFrame(rows))


@pytest.fixture
def root(tmp_path):
    return tmp_path / "corpus"


@pytest.fixture
def manifest(root):
    return write_corpus(root)


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache")


def rows(cache, feature, manifest):
    found = cache.read(make_backbone(feature).key(), manifest)
    return {
        name: found.frames[start:stop]
        for name, start, stop in zip(found.ids, found.offsets[:-1], found.offsets[1:], strict=True)
    }


def test_features_reach_the_cache(manifest, root, cache):
    seen = []
    report = extract(
        manifest, root, ["mfcc", "ge2e"], cache, workers=0, progress=lambda *now: seen.append(now)
    )
    assert report.computed == {"mfcc": 6, "ge2e": 6}
    assert report.present == {"mfcc": 0, "ge2e": 0}
    assert report.bad == []
    assert report.audio_seconds == pytest.approx(manifest.table["duration"].sum())
    assert report.seconds > 0
    assert [*dict.fromkeys(now[:2] for now in seen)] == [(n, 6) for n in range(7)]
    assert seen[-1][2] == pytest.approx(report.audio_seconds)
    for feature in ("mfcc", "ge2e"):
        backbone = make_backbone(feature)
        cached = rows(cache, feature, manifest)
        for row in manifest.table.itertuples():
            samples = load_utterance(root / row.path, row.audio_hash)
            (alone,) = backbone.forward([backbone.prepare(samples)])
            np.testing.assert_allclose(cached[row.id], np.atleast_2d(alone), atol=1e-5)
    assert not cache.verify().problems


def test_workers_change_nothing(manifest, root, tmp_path):
    caches = [Cache(tmp_path / f"cache{workers}") for workers in (0, 2)]
    for cache, workers in zip(caches, (0, 2), strict=True):
        report = extract(manifest, root, ["mfcc", "ge2e"], cache, workers=workers)
        assert report.computed == {"mfcc": 6, "ge2e": 6}
    for feature in ("mfcc", "ge2e"):
        here, there = (rows(cache, feature, manifest) for cache in caches)
        for name in manifest.ids:
            np.testing.assert_array_equal(here[name], there[name])
    assert multiprocessing.active_children() == []


def test_only_what_is_missing_is_computed(manifest, root, cache, monkeypatch):
    extract(manifest.select(["u01", "u04"]), root, ["mfcc"], cache, workers=0)
    opened = []
    monkeypatch.setattr(
        "ser.extract.prepare.load_utterance",
        lambda path, sha: opened.append(path.name) or load_utterance(path, sha),
    )
    report = extract(
        manifest, root, ["mfcc", "mfcc:hop_length=512", "mfcc:hop_length=160"], cache, workers=0
    )
    assert report.computed == {"mfcc": 4, "mfcc:hop_length=160": 6}
    assert report.present == {"mfcc": 2, "mfcc:hop_length=160": 0}
    assert opened == [f"u{n:02}.wav" for n in range(6)]  # decoded once for both features
    opened.clear()
    extract(manifest, root, ["mfcc"], cache, workers=0)
    assert opened == []


def test_nothing_missing_starts_nothing(manifest, root, cache):
    extract(manifest, root, ["mfcc", "ge2e"], cache, workers=0)
    manifest.save(root.parent / "mine.csv")
    code = """
import sys
from pathlib import Path
from ser.cache import Cache
from ser.extract import extract, pipeline
from ser.manifests import Manifest
pipeline.work = None
folder = Path(sys.argv[1])
manifest = Manifest.load(folder / "mine.csv")
# Nor is the audio needed any more.
report = extract(manifest, folder / "gone", ["mfcc", "ge2e"], Cache(folder / "cache"))
assert report.present == {"mfcc": 6, "ge2e": 6}, report
heavy = {"torch", "librosa", "soxr", "soundfile", "_webrtcvad"}
sys.exit(", ".join(heavy & set(sys.modules)) or None)
"""
    command = [sys.executable, "-c", code, str(root.parent)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("workers", [0, 1])
def test_bad_files_do_not_stop_the_others(manifest, root, cache, workers):
    click = np.zeros(16000)
    click[[4000, 12000]] = 0.5  # a single one would be refused by `read_audio`
    soundfile.write(root / "v-click.wav", click, 16000)
    manifest = manifest_of(root)
    whole = (root / "u03.wav").read_bytes()
    soundfile.write(root / "u00.wav", np.ones(9000) * np.linspace(0, 0.1, 9000), 16000)
    (root / "u01.wav").write_text("This is no sound.")
    (root / "u02.wav").unlink()
    (root / "u03.wav").write_bytes(whole[: len(whole) // 2])
    report = extract(manifest, root, ["mfcc", "ge2e"], cache, workers=workers)
    reasons = {bad.id: bad.reason for bad in report.bad}
    assert [bad.id for bad in report.bad] == ["u00", "u01", "u02", "u03", "v-click"]
    assert report.bad[0] == BadFile(
        "u00", "u00.wav", "audio changed since the manifest was made; build it again"
    )
    assert "decoded" in reasons["u01"]
    assert "no such file" in reasons["u02"]
    assert "truncated" in reasons["u03"]
    assert reasons["v-click"].startswith("ge2e: no speech found")
    assert report.computed == {"mfcc": 3, "ge2e": 2}
    mfcc, ge2e = (make_backbone(feature).key() for feature in ("mfcc", "ge2e"))
    assert cache.missing(mfcc, manifest) == ["u00", "u01", "u02", "u03"]
    assert cache.missing(ge2e, manifest) == ["u00", "u01", "u02", "u03", "v-click"]
    # Bad ones are tried again, and found bad again; the good ones are not touched.
    again = extract(manifest, root, ["mfcc", "ge2e"], cache, workers=0)
    assert (again.computed, again.bad) == ({"mfcc": 0, "ge2e": 0}, report.bad)


def test_a_library_that_fails_makes_a_bad_file(manifest, root, cache, monkeypatch):
    def fail(self, samples):
        raise ZeroDivisionError("float division by zero")

    monkeypatch.setattr("ser.extract.backbones.mfcc.Mfcc.prepare", fail)
    report = extract(manifest.select(["u00"]), root, ["mfcc"], cache, workers=0)
    assert report.bad[0].reason == "mfcc: ZeroDivisionError: float division by zero"


def test_a_feature_that_cannot_be_stored_makes_a_bad_file(manifest, root, cache, monkeypatch):
    def broken(self, samples):
        return np.full((3, 24), np.nan if len(samples) < 5000 else 1, "f4")

    monkeypatch.setattr("ser.extract.backbones.mfcc.Mfcc.prepare", broken)
    report = extract(manifest, root, ["mfcc"], cache, workers=0)
    assert report.computed == {"mfcc": 5}
    assert [bad.id for bad in report.bad] == ["u00"]
    assert "not finite" in report.bad[0].reason


@pytest.mark.parametrize("workers", [0, 1])
def test_a_missing_package_is_nobodys_bad_file(manifest, root, cache, monkeypatch, workers):
    # The worker cannot import it either: its search path is this process's.
    stand_in = root.parent / "path"
    stand_in.mkdir()
    (stand_in / "_webrtcvad.py").write_text("raise ModuleNotFoundError('No module named it')")
    monkeypatch.delitem(sys.modules, "_webrtcvad", raising=False)
    monkeypatch.syspath_prepend(str(stand_in))
    with pytest.raises(MissingPackageError, match=r"webrtcvad.*\[extract\]"):
        extract(manifest, root, ["ge2e_mel"], cache, workers=workers)
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize(
    ("features", "options", "message"),
    [
        ([], {}, "expected at least one"),
        (["mfcc", "gee2e"], {}, "did you mean 'ge2e'"),
        (["mfcc"], {"workers": -1}, "workers must be 0 or more"),
        (["ge2e"], {"workers": 0, "device": "cuda:99"}, "device 'cuda:99' cannot be used"),
    ],
)
def test_wrong_usage(manifest, root, cache, features, options, message):
    with pytest.raises(InputError, match=message):
        extract(manifest, root, features, cache, **options)
    assert not any(cache.folder.rglob("*.h5"))


def test_no_such_root(manifest, root, cache):
    with pytest.raises(InputError, match="no such folder; expected the root of mine"):
        extract(manifest, root / "nowhere", ["mfcc"], cache)
    assert not cache.folder.exists()


def test_a_cache_that_cannot_be_written_is_found_at_once(manifest, root, cache, monkeypatch):
    monkeypatch.setattr("ser.extract.results.work", None)
    cache.folder.mkdir()
    (cache.folder / "features").write_text("in the way, as a read-only folder would be")
    with pytest.raises(SerError, match="features"):
        extract(manifest, root, ["mfcc"], cache)


def test_a_full_disk_ends_the_workers(manifest, root, cache, monkeypatch):
    def full(*_):
        raise SerError("no space left on the disk")

    monkeypatch.setattr("ser.cache.writer.SHARD_UTTERANCES", 2)
    monkeypatch.setattr("ser.cache.writer.write_shard", full)
    with pytest.raises(SerError, match="no space left"):
        extract(manifest, root, ["mfcc"], cache, workers=1)
    assert multiprocessing.active_children() == []


def test_a_worker_that_is_killed_has_a_successor(manifest, root, cache):
    def kill(done, total, seconds):
        if done == 1 and not killed:
            for worker in multiprocessing.active_children():
                killed.append(worker.pid)
                worker.kill()
                worker.join()

    killed = []
    report = extract(manifest, root, ["mfcc"], cache, workers=1, progress=kill)
    assert len(killed) == 1
    assert (report.computed, report.bad) == ({"mfcc": 6}, [])
    assert multiprocessing.active_children() == []


def test_few_tasks_are_in_flight(manifest, root):
    drawn = []

    def tasks():
        for number in range(100):
            drawn.append(number)
            row = manifest.table.iloc[number % 6]
            yield Task(f"t{number}", row["path"], row["audio_hash"], ("mfcc",), 1.0)

    with preparing(tasks(), root, make_backbones(["mfcc"]), workers=1) as stream:
        results = [next(stream) for _ in range(3)]
        assert len(drawn) <= IN_FLIGHT + 3
        results += stream
    assert sorted(r.task.id for r in results) == sorted(f"t{n}" for n in range(100))


@pytest.mark.parametrize(("cores", "workers"), [(1, 1), (3, 3), (64, 6)])
def test_few_utterances_need_few_workers(manifest, root, cache, monkeypatch, cores, workers):
    given = []

    def preparing(tasks, root, backbones, workers, alone):
        given.append(workers)
        raise SerError("enough")

    monkeypatch.setattr("ser.extract.work.preparing", preparing)
    monkeypatch.setattr(pipeline, "cores", lambda: cores)
    with pytest.raises(SerError, match="enough"):
        extract(manifest, root, ["mfcc"], cache)
    monkeypatch.setattr(pipeline, "_WORTH_A_WORKER", 1)
    with pytest.raises(SerError, match="enough"):
        extract(manifest, root, ["mfcc"], cache)
    assert given == [0, workers]


def test_the_corpus_root_may_be_text_or_path(manifest, root, cache):
    assert isinstance(root, Path)
    assert extract(manifest, str(root), ["mfcc"], cache, workers=0).computed == {"mfcc": 6}


def test_it_ends_once_too_many_are_bad_and_keeps_what_is_finished(manifest, root, cache):
    for name in ("u01.wav", "u04.wav"):
        (root / name).write_bytes(b"no audio")
    with pytest.raises(InputError, match=r"2 of \d files cannot be used, more than --fail-over"):
        extract(manifest, root, ["mfcc"], cache, workers=0, limit=BadFileLimit(0.2))
    missing = cache.missing(make_backbone("mfcc").key(), manifest)
    assert missing == ["u01", "u04", "u05"]
    # What is there counts as good; two of six are bad now as before.
    report = extract(manifest, root, ["mfcc"], cache, workers=0, limit=BadFileLimit(0.4))
    assert len(report.bad) == 2


def test_it_ends_where_all_of_the_first_hundred_are_bad(manifest, root, cache):
    many = pd.concat([manifest.table.assign(id=f"a{n}-" + manifest.table["id"]) for n in range(20)])
    for path in root.iterdir():
        path.write_bytes(b"no audio")
    with pytest.raises(InputError, match="100 of 100 files cannot be used: "):
        extract(Manifest(many), root, ["mfcc"], cache, workers=0)
