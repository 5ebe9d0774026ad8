"""A cache whose writer is killed, at any moment: what was published stays, and the rest is done."""

import os
from pathlib import Path

import pandas as pd
import pytest
import soundfile

from ser.cache import Cache, store_manifest, writer
from ser.extract import extract, make_backbone
from ser.files import PARTIAL
from ser.manifests import Manifest, read_audio

from .audio_files import noise
from .crash import Command, crash
from .drawn import cases

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills processes that were forked")

COUNT = 6
FEATURES = ("mfcc", "logmel")


def extract_all(folder: Path) -> None:
    writer.SHARD_UTTERANCES = 2  # in the process that is killed
    manifest = Manifest.load(folder / "mine.csv")
    cache = Cache(folder / "cache")
    store_manifest(cache, manifest)
    extract(manifest, folder / "corpus", FEATURES, cache, workers=0)


def shards_and_manifests(folder: Path) -> set[Path]:
    found = [*folder.glob("cache/features/*/*.h5"), *folder.glob("cache/manifests/*.csv")]
    return {path for path in found if not path.name.startswith(PARTIAL)}


def nothing_half_done(folder: Path) -> None:
    """And what lies around is made to look old, so that the next run may remove it."""
    cache = Cache(folder / "cache")
    assert cache.verify().problems == ()
    assert cache.left_out() == []
    for path in leftovers(folder):
        os.utime(path, (0, 0))


def leftovers(folder: Path) -> list[Path]:
    return list(folder.rglob(f"{PARTIAL}*"))


def all_is_there(folder: Path) -> None:
    cache = Cache(folder / "cache")
    manifest = cache.manifest("mine")
    for feature in FEATURES:
        assert cache.missing(make_backbone(feature).key(), manifest) == []
    nothing_half_done(folder)
    assert all(holding.superfluous == 0 for holding in cache.listing())
    cache.collect()
    assert leftovers(folder) == []


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Short noises of a few lengths, and their manifest."""
    folder = tmp_path_factory.mktemp("crash")
    (folder / "corpus").mkdir()
    rows = []
    for number in range(COUNT):
        path = folder / "corpus" / f"u{number:02}.wav"
        soundfile.write(path, noise(0.2 + 0.02 * number, seed=number), 16000)
        audio = read_audio(path)
        row = {"id": path.stem, "corpus": "mine", "language": "pt", "speaker": "s", "gender": ""}
        row |= {"emotion": "fear", "path": path.name, "duration": audio.duration}
        rows.append({**row, "audio_hash": audio.sha})
    Manifest(pd.DataFrame(rows)).save(folder / "mine.csv")
    return folder


def features(folder: Path) -> dict[str, bytes]:
    """What is read of each feature."""
    cache = Cache(folder / "cache")
    manifest = cache.manifest("mine")
    return {
        feature: cache.read(make_backbone(feature).key(), manifest).frames.tobytes()
        for feature in FEATURES
    }


@cases(200)
def test_an_extraction_killed_at_any_moment(corpus: Path, tmp_path: Path, count: int) -> None:
    whole: dict[str, bytes] = {}

    def lay_out(folder: Path) -> None:
        folder.mkdir()
        for name in ("corpus", "mine.csv"):
            (folder / name).symlink_to(corpus / name)

    def all_is_there_as_always(folder: Path) -> None:
        all_is_there(folder)
        found = features(folder)
        assert found == (whole or found)
        whole.update(found)

    crash(
        Command(
            lay_out, extract_all, shards_and_manifests, nothing_half_done, all_is_there_as_always
        ),
        tmp_path,
        count,
    )
