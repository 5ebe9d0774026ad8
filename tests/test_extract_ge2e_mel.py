"""The frames of `ge2e_mel` are those that `ge2e` is made of, on the way through the cache too."""

import numpy as np
import pytest
import torch

from ser.cache import Cache
from ser.demo import synthesise
from ser.errors import AudioError
from ser.extract import extract, make_backbone
from ser.manifests import build_manifest


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpora")
    root = synthesise(folder, ["emodb"], speakers=2, sentences=1)["emodb"]
    return build_manifest("emodb", root).manifest, root


def test_the_encoder_makes_ge2e_of_it(corpus, tmp_path):
    manifest, root = corpus
    cache = Cache(tmp_path)
    report = extract(manifest, root, ["ge2e", "ge2e_mel"], cache, device="cpu", workers=0)
    assert report.bad == []
    ge2e = make_backbone("ge2e")
    ge2e.load()
    vectors = cache.read(ge2e.key(), manifest)
    frames = cache.read(make_backbone("ge2e_mel").key(), manifest)
    assert frames.frames.shape[1] == 40
    # In the batches that they were in: the numbers are the same to the last bit.
    together = ge2e.forward([frames[n] for n in range(len(frames))])
    np.testing.assert_array_equal(np.stack(together), vectors.frames)
    # One by one, as a training loop would: the same to rounding.
    for number in range(len(frames)):
        with torch.inference_mode():
            alone = ge2e.model.embed([torch.from_numpy(frames[number])])
        np.testing.assert_allclose(alone[0], vectors[number][0], atol=1e-6)


def test_no_speech():
    with pytest.raises(AudioError, match="no speech found"):
        make_backbone("ge2e_mel").prepare(np.full(16000, 1e-3, "f4"))


def test_rows_count_the_trimmed_speech():
    assert make_backbone("ge2e_mel").frame_rate == 100.0
