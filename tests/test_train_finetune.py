"""GE2E is trained on from its published weights, on the frames that it is computed from."""

import numpy as np
import pandas as pd
import pytest
import torch

from ser.cache import Cache
from ser.errors import MissingFeaturesError
from ser.ge2e.encoder import published
from ser.ge2e.weights import weights_file
from ser.train.config import load_config
from ser.train.evaluate import probabilities
from ser.train.loop import DomainSplit, Training, fit, fit_inputs
from ser.train.model import build
from ser.train.network.recogniser import GE2E_RATE
from ser.train.runs.experiment import resolve
from ser.train.runs.load import encode, load_domains
from ser.train.runs.request import Request
from ser.train.runs.run import Run
from ser.train.runs.train import train_request

from .conftest import EMOTIONS, make_toy_cache, toy_key, toy_manifest

TUNED = ["train.finetune_ge2e=true", "train.epochs=3", "train.select=last"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Cache:
    """Corpus `toy`, 24 utterances, with frames whose loudness tells the emotions apart."""
    manifest = toy_manifest(utterances=24)
    cache = make_toy_cache(tmp_path_factory.mktemp("finetune"), manifest)
    cache.remove("ge2e")
    encoder = published(weights_file()).eval()
    random = np.random.default_rng(3)
    with (
        cache.write(toy_key("ge2e_mel", "sequence", 40), manifest) as mel,
        cache.write(toy_key("ge2e", "vector", 256), manifest) as ge2e,
    ):
        for id, emotion in zip(manifest.ids, manifest.table["emotion"], strict=True):
            level = 0.02 * 4.0 ** EMOTIONS.index(emotion)
            frames = level * random.random((random.integers(60, 200), 40))
            frames = frames.astype(np.float32)
            mel.add(id, frames)
            with torch.inference_mode():
                ge2e.add(id, encoder.embed([torch.from_numpy(frames)])[0].numpy())
    return cache


def request(*changes, method="single", **more):
    values = {
        "setting": "single",
        "corpora": ["toy"],
        "features": ["mfcc", "ge2e"],
        "config": load_config("strong", [*TUNED, "train.members=1", *changes]),
        "repeats": 1,
        "workers": 1,
    }
    return Request(**{**values, **more})


@pytest.fixture
def prepared(cache):
    experiment = resolve(request(), cache)
    domains = encode(load_domains(cache, [experiment]), [experiment])
    split = experiment.jobs[0].splits["toy"]
    domain = domains["toy"]
    part = DomainSplit(domain, domain.rows(split.train), domain.rows(split.validation))
    return experiment.record.spec(), part


def test_it_starts_where_the_published_weights_are(prepared):
    spec, part = prepared
    model = build(spec).eval()
    model.speaker = published(weights_file())
    fit_inputs(model, [(part.domain, part.train)])
    tuned = model.standardised(part.domain.batch(part.train), "toy")["ge2e"][0]
    frozen = model.inputs[1](part.domain.features["ge2e"].frames[part.train])
    torch.testing.assert_close(tuned, frozen, atol=1e-3, rtol=1e-3)


def test_the_weights_move_and_the_loss_falls(prepared):
    spec, part = prepared
    fitted = fit([part], spec, request().config, seed=0)
    assert fitted.losses[-1] < fitted.losses[0]
    before = published(weights_file()).state_dict()
    after = fitted.model.speaker.state_dict()
    moved = {name: (after[name] - before[name]).abs().max().item() for name in before}
    assert all(0 < distance < 0.01 for distance in moved.values()), moved


def test_its_rate_is_a_hundredth_of_the_others(prepared):
    spec, split = prepared
    training = Training([split], spec, request().config, 0)
    model, groups = training.model, training.optimiser.groups
    assert set(groups) == {1.0, GE2E_RATE}
    count = len(list(model.speaker.parameters()))
    assert len(groups[GE2E_RATE]) == count
    assert len(groups[1.0]) == len(list(model.parameters())) - count + 2  # of the loss


def test_a_tuned_model_is_rebuilt_from_its_run_folder(cache, tmp_path):
    train_request(request(), cache, tmp_path / "run")
    domain = Run.open(tmp_path / "run").domain("toy", cache)
    table = pd.read_csv(tmp_path / "run" / "predictions.csv")
    rows = domain.rows(table["id"].tolist())
    found = probabilities(Run.open(tmp_path / "run").ensemble(), domain, rows)
    assert [domain.labels[label] for label in found.argmax(-1)] == table["predicted"].tolist()


def test_the_frames_must_be_cached(toy_cache):
    with pytest.raises(MissingFeaturesError, match=r"finetune_ge2e=true needs frames: ge2e_mel"):
        resolve(request(), toy_cache)
