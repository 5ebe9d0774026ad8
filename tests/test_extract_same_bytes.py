"""The same bytes whatever the workers, the cores, the batches, and what was there before.

On real speech where there is some (SER_TEST_CORPORA); SER_TEST_FILES says how many files of it.
"""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from ser.cache import Cache
from ser.extract import extract, make_backbone
from ser.manifests import build_manifest
from ser.tests.speech_models import FAMILIES, write_allosaurus, write_speech_model
from ser.tests.stand_ins import write_byol, write_vgg16, write_wav2vec
from ser.tests.test_extract_pipeline import write_corpus

pytestmark = pytest.mark.long

FILES = int(os.environ.get("SER_TEST_FILES", "30"))
FEW = max(6, FILES // 8)
"""For models that take long."""
FRONT = ["mfcc", "logmel", "ge2e", "ge2e_mel"]
EGEMAPS = "egemaps"


@pytest.fixture(scope="module")
def speech(tmp_path_factory):
    """A root, and the manifest of some of its files."""
    corpora = os.environ.get("SER_TEST_CORPORA")
    if corpora:
        root = Path(corpora) / "emodb"
        manifest = build_manifest("emodb", root).manifest
    else:
        root = tmp_path_factory.mktemp("speech") / "noise"
        manifest = write_corpus(root, FILES)
    return root, manifest.select(manifest.ids[:: max(1, len(manifest) // FILES)][:FILES])


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    write_byol(folder)
    write_wav2vec(folder)
    write_vgg16(folder)
    for family in FAMILIES:
        write_speech_model(folder / family, family)
    return folder


@pytest.fixture
def here(weights, monkeypatch):
    monkeypatch.setenv("SER_WEIGHTS", str(weights))
    return weights


def front_features():
    """Those that need no download and are installed."""
    try:
        import opensmile  # noqa: F401
    except ModuleNotFoundError:
        return FRONT
    return [*FRONT, EGEMAPS]


def rows(cache, features, manifest):
    """The bytes of every feature and utterance."""
    found = {}
    for feature in features:
        read = cache.read(make_backbone(feature).key(), manifest)
        found |= {(feature, id): read[i].tobytes() for i, id in enumerate(read.ids)}
    return found


def extracted(folder, speech, features, workers, manifest=None, **options):
    root, whole = speech
    cache = Cache(folder)
    report = extract(manifest or whole, root, features, cache, workers=workers, **options)
    assert report.bad == []
    return cache


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, speech):
    features = front_features()
    cache = extracted(tmp_path_factory.mktemp("undisturbed"), speech, features, 2)
    return rows(cache, features, speech[1])


@pytest.mark.parametrize("workers", [0, 1, 4])
def test_workers_change_no_byte(speech, undisturbed, tmp_path, workers):
    features = front_features()
    cache = extracted(tmp_path, speech, features, workers)
    assert rows(cache, features, speech[1]) == undisturbed


def test_what_was_missing_changes_no_byte(speech, undisturbed, tmp_path):
    """Parts of the corpus and of the features, drawn at random, one after the other."""
    features, (_, manifest) = front_features(), speech
    ids = list(manifest.ids)
    draw = random.Random(len(ids))
    draw.shuffle(ids)
    for part in (ids[:1], ids[: len(ids) // 7], ids[: len(ids) // 2]):
        some = draw.sample(features, 3)
        extracted(tmp_path, speech, some, 0, manifest.select(sorted(part)))
    cache = extracted(tmp_path, speech, features, 0)
    assert rows(cache, features, manifest) == undisturbed


def test_what_libraries_compute_as_a_whole_gives_the_same_bytes(speech, tmp_path):
    pytest.importorskip("opensmile")
    features = [
        "egemaps_lld",
        "compare",
        "compare_lld",
        "emobase",
        "spectral",
        "pitch",
        "hpss",
        "rudd129",
    ]
    manifest = speech[1].select(speech[1].ids[:3])
    one = extracted(tmp_path / "one", speech, features, 2, manifest)
    extracted(tmp_path / "other", speech, features, 0, manifest.select(manifest.ids[-1:]))
    other = extracted(tmp_path / "other", speech, features, 0, manifest)
    assert rows(one, features, manifest) == rows(other, features, manifest)


@pytest.mark.parametrize("layer", [pytest.param("last", marks=pytest.mark.soak), "2"])
def test_models_give_the_same_bytes(speech, here, tmp_path, monkeypatch, layer):
    whole = speech[1]
    manifest = whole.select(whole.ids[:FEW])
    features = [f"hf:{here / family}:layer={layer}" for family in FAMILIES]
    if layer == "last":
        features += ["byol", "wav2vec", "vgg16"]
    one = extracted(tmp_path / "one", speech, features, 2, manifest)
    monkeypatch.setattr("ser.extract.models.cores", lambda: 1)
    for count in (1, FEW // 2, FEW):
        some = manifest.select(manifest.ids[::-1][:count][::-1])
        other = extracted(tmp_path / "other", speech, features, 0, some)
        monkeypatch.setattr("ser.extract.models.cores", lambda: 3)
    assert rows(one, features, manifest) == rows(other, features, manifest)


@pytest.mark.parametrize("layer", ["logits", "hidden"])
def test_allosaurus_gives_the_same_bytes(speech, tmp_path, layer):
    pytest.importorskip("allosaurus", reason="the allosaurus extra is not installed")
    folder = write_allosaurus(tmp_path / "uni2005")
    manifest = speech[1].select(speech[1].ids[:FEW])
    features = [f"allosaurus:layer={layer}:model={folder}"]
    one = extracted(tmp_path / "one", speech, features, 2, manifest)
    for count in (1, FEW):
        some = manifest.select(manifest.ids[:count])
        other = extracted(tmp_path / "other", speech, features, 0, some)
    assert rows(one, features, manifest) == rows(other, features, manifest)


def test_threads_of_the_process_change_no_byte(speech, undisturbed, tmp_path):
    """As many as there are cores, on whatever machine."""
    before = torch.get_num_threads()
    manifest = speech[1].select(speech[1].ids[:FEW])
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            cache = extracted(tmp_path / str(threads), speech, FRONT, 0, manifest)
            found = rows(cache, FRONT, manifest)
            assert found == {name: undisturbed[name] for name in found}
    finally:
        torch.set_num_threads(before)


def test_neighbours_in_a_call_change_no_bit_of_ge2e(speech):
    """On this processor with calls of 16 windows, or else with calls of one."""
    backbone = make_backbone("ge2e")
    backbone.load()
    draw = np.random.default_rng(0)
    frames = [draw.random((length, 40), "f4") ** 8 for length in (30, 500, 161, 2500, 90, 300)]
    for at_once in {backbone._at_once, 1}:
        backbone._at_once = at_once
        alone = [backbone.forward([part])[0].tobytes() for part in frames]
        for order in (range(6), range(5, -1, -1), (3, 1), (2, 2, 2), (5, 0, 3)):
            together = backbone.forward([frames[i] for i in order])
            assert [vector.tobytes() for vector in together] == [alone[i] for i in order]


def test_an_encoder_that_mixes_rows_is_found_out():
    from ser.extract.backbones.ge2e import rows_stand_alone

    class Mixing(torch.nn.Module):
        lstm = torch.nn.LSTM(40, 8)

        def forward(self, windows):
            own = windows.mean(dim=(1, 2))[:, None]
            return own + self.by * windows.mean() + self.place * torch.arange(len(own))[:, None]

    encoder = Mixing()
    for by, place, exact in ((0, 0, True), (1e-6, 0, False), (0, 1e-6, False)):
        encoder.by, encoder.place = by, place
        assert rows_stand_alone(encoder, 4) is exact


DRIVER = """
import sys
from ser.cache import writer
from ser.cli import main

if __name__ == "__main__":
    writer.SHARD_UTTERANCES = 3  # so that a run that is killed leaves something
    sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_killed_again_and_again_and_resumed(speech, undisturbed, tmp_path):
    root, manifest = speech
    features = front_features()
    manifest.save(tmp_path / "list.csv")
    (tmp_path / "driver.py").write_text(DRIVER)
    seed = random.randrange(10**6)
    draw = random.Random(seed)
    kills = 0
    for attempt in range(60):
        command = [sys.executable, str(tmp_path / "driver.py"), "extract"]
        command += ["--corpus", manifest.corpus, "--manifest", str(tmp_path / "list.csv")]
        command += ["--root", str(root), "--cache", str(tmp_path / "cache")]
        command += ["--features", ",".join(features), "--workers", str((0, 2, 1, 4)[attempt % 4])]
        with (tmp_path / "stderr").open("ab") as stderr:
            process = subprocess.Popen(command, stderr=stderr, stdout=stderr)
            last = attempt >= max(4, FILES // 10)
            try:
                code = process.wait(600 if last else draw.uniform(1, 9))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                kills += 1
                continue
        assert code == 0, (tmp_path / "stderr").read_text()
        break
    print(f"{kills} kills, seed {seed}, {time.process_time():.0f} s")
    cache = Cache(tmp_path / "cache")
    assert rows(cache, features, manifest) == undisturbed, f"seed {seed}"
    assert not cache.verify().problems
