import dataclasses
import hashlib

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ser.cache import store_manifest
from ser.errors import InputError
from ser.manifests import Manifest
from ser.train.config import load_config
from ser.train.data import load_domain
from ser.train.encoding import Encoding
from ser.train.evaluate import probabilities
from ser.train.network.encoders import Standardise
from ser.train.network.spec import heard_of
from ser.train.runs.by_speaker import check_by_speaker, note_by_speaker
from ser.train.runs.report import describe_run
from ser.train.runs.request import Request
from ser.train.runs.train import train_request
from ser.train.speakers import Heard, in_order, of_all, of_past, standardised, utterance_moments

SPEAKERS = ["a", "b", "a", "", "a"]
VECTORS = np.array([[1.0, 4.0], [5.0, 5.0], [3.0, 4.0], [7.0, 7.0], [8.0, 1.0]])
QUICK = ["train.epochs=2", "model.standardise=speaker"]


def by_hand(x, n, m, v, mean, std, k):
    """Of one value: the equation, literally."""
    w = n / (n + k)
    s = (w * v + (1 - w) * std**2) ** 0.5
    return (x - (w * m + (1 - w) * mean)) / max(s, 0.1 * std)


def test_moments_are_means_over_time_of_values_and_their_squares():
    sequence = np.array([[1.0, 2.0], [3.0, 6.0]], dtype=np.float32)
    found = utterance_moments([sequence, np.array([5.0, 0.5])])
    assert found.tolist() == [[[2.0, 4.0], [5.0, 20.0]], [[5.0, 0.5], [25.0, 0.25]]]


def test_all_of_a_speaker_is_heard_and_nothing_of_an_unknown_one():
    heard = of_all(utterance_moments(VECTORS), SPEAKERS)
    assert heard.counts[heard.rows].tolist() == [3, 1, 3, 0, 3]
    mean, std = heard.moments[heard.rows[0]]
    assert mean == pytest.approx([4.0, 3.0])
    assert std == pytest.approx([np.std([1, 3, 8]), np.std([4, 4, 1])])


def test_the_past_is_heard_in_an_order_that_names_do_not_tell():
    ids = [f"utterance {number}" for number in range(5)]
    heard = of_past(utterance_moments(VECTORS), SPEAKERS, ids)
    order = sorted(range(5), key=lambda row: hashlib.sha256(ids[row].encode()).hexdigest())
    so_far = []
    for row in order:
        if SPEAKERS[row] == "a":
            so_far.append(VECTORS[row])
            assert heard.counts[row] == len(so_far)
            assert heard.moments[row][0] == pytest.approx(np.mean(so_far, axis=0))
            assert heard.moments[row][1] == pytest.approx(np.std(so_far, axis=0), abs=1e-6)
    assert heard.counts[3] == 0
    last = in_order(utterance_moments(VECTORS), SPEAKERS, [0, 1, 2, 3, 4])
    assert last.counts.tolist() == [1, 1, 2, 0, 3]


def test_standardised_is_the_equation():
    mean, std = np.array([2.0, 3.0]), np.array([2.0, 4.0])
    heard = of_all(utterance_moments(VECTORS), SPEAKERS)
    found = standardised(VECTORS, heard, mean, std, 5.0)
    own = VECTORS[[0, 2, 4]]
    for row, column in np.ndindex(5, 2):
        n, of = {0: (3, own), 1: (1, VECTORS[1:2]), 2: (3, own), 3: (0, own), 4: (3, own)}[row]
        m, v = of[:, column].mean(), of[:, column].var()
        expected = by_hand(VECTORS[row, column], n, m, v, mean[column], std[column], 5.0)
        assert found[row, column] == pytest.approx(expected, rel=1e-6)
    assert found[3] == pytest.approx((VECTORS[3] - mean) / std)  # of whom nothing is known
    # Without shrinkage a single utterance is its own mean, and the deviation has a floor.
    alone = standardised(VECTORS, heard, mean, std, 0.0)
    assert alone[1].tolist() == [0.0, 0.0]
    assert np.isfinite(alone).all()


@given(st.integers(0, 40), st.floats(0, 100), st.integers(0, 2**31))
def test_a_network_standardises_likewise(count, shrinkage, seed):
    random = np.random.default_rng(seed)
    mean, std = random.normal(size=3), random.uniform(0.5, 2, 3)
    values = random.normal(size=(4, 3))
    moments = random.normal(size=(1, 2, 3)).astype(np.float32)
    moments[:, 1] = np.abs(moments[:, 1])
    layer = Standardise(3, 1, shrinkage)
    layer.fit(0, torch.tensor(mean), torch.tensor(std))
    speaker = torch.tensor(moments).expand(4, 2, 3), torch.full((4,), count)
    found = layer(torch.tensor(values), 0, speaker)
    rows = np.zeros(4, dtype=np.int64)
    expected = standardised(values, Heard(rows, np.array([count]), moments), mean, std, shrinkage)
    assert found.numpy() == pytest.approx(expected, rel=1e-3, abs=1e-3)
    frames = layer(torch.tensor(values)[:, None].expand(4, 5, 3), 0, speaker)
    assert torch.equal(frames[:, 4], found)


def test_a_speaker_who_is_shifted_and_scaled_is_read_alike(toy_cache):
    manifest = toy_cache.manifest("toy")
    keys = {name: toy_cache.resolve(name, manifest) for name in ("mfcc", "ge2e")}
    domain = load_domain(toy_cache, manifest, keys).encoded(Encoding("functionals", (), "speaker"))
    rows = torch.arange(4)
    batch = domain.batch(rows)
    assert batch[heard_of("ge2e")][0].shape == (4, 2, batch["ge2e"][0].shape[1])
    assert domain.only(["ge2e"]).heard.keys() == {"ge2e"}
    layer = Standardise(batch["ge2e"][0].shape[1])
    packed = domain.features["ge2e"]
    other = dataclasses.replace(
        domain, features={"ge2e": dataclasses.replace(packed, frames=3 * packed.frames + 7)}
    ).encoded(Encoding("functionals", (), "speaker"))
    one = layer(batch["ge2e"][0], 0, batch[heard_of("ge2e")])
    batch = other.batch(rows)
    assert layer(batch["ge2e"][0], 0, batch[heard_of("ge2e")]).numpy() == pytest.approx(
        one.numpy(), abs=1e-4
    )


@pytest.mark.parametrize("how", ["speaker", "causal"])
def test_a_run_says_that_it_heard_the_test_speakers(toy_cache, tmp_path, how):
    config = load_config("strong-1", [*QUICK, f"model.standardise={how}", "train.members=1"])
    request = Request("single", ["toy"], ["mfcc", "ge2e"], config, repeats=2, workers=1)
    run = train_request(request, toy_cache, tmp_path / "run")
    assert run.metrics["domains"]["toy"]["heard"] == how
    assert "unlabelled audio of the test speakers" in " ".join(describe_run(run.metrics).split())
    # What the folder holds says the same of the same utterances.
    domain = run.domain("toy", toy_cache)
    table = run.predictions[run.predictions["repeat"] == 0]
    said = probabilities(run.ensemble(0), domain, domain.rows(list(table["id"])))
    columns = [f"p_{label}" for label in domain.labels]
    assert said.numpy() == pytest.approx(table[columns].to_numpy(), abs=1e-5)


def manifest_of(speakers, emotions):
    rows = [
        {
            "id": f"u{number}",
            "corpus": "mine",
            "language": "de",
            "speaker": speaker,
            "gender": "",
            "emotion": emotion,
            "path": f"u{number}.wav",
            "duration": 1.0,
            "audio_hash": hashlib.sha256(str(number).encode()).hexdigest(),
        }
        for number, (speaker, emotion) in enumerate(zip(speakers, emotions, strict=True))
    ]
    return Manifest(pd.DataFrame(rows))


def test_unknown_speakers_are_refused():
    model = load_config("paper", QUICK).model
    manifest = manifest_of(["a", "", "b", "c"], ["anger", "anger", "neutral", "neutral"])
    with pytest.raises(InputError, match=r"mine has 1 utterances whose speaker is not known, .*u1"):
        check_by_speaker(model, [manifest])
    check_by_speaker(load_config("paper").model, [manifest])


def test_confounded_speakers_are_refused_unless_allowed():
    speakers = [f"s{number % 10}" for number in range(200)]
    emotions = ["anger" if number % 10 < 5 else "neutral" for number in range(200)]
    manifest = manifest_of(speakers, emotions)
    with pytest.raises(InputError, match=r"the speaker tells 100% of the emotion.*confounded=true"):
        check_by_speaker(load_config("paper", QUICK).model, [manifest])
    allowed = load_config("paper", [*QUICK, "model.confounded=true"]).model
    check_by_speaker(allowed, [manifest])
    assert note_by_speaker(allowed, manifest).startswith("The speaker tells 100% of the emotion")
    both = manifest_of(
        speakers, ["anger" if number // 10 % 2 else "neutral" for number in range(200)]
    )
    assert note_by_speaker(allowed, both) == ""


def test_a_request_is_refused_before_anything_is_trained(toy_cache, tmp_path):
    manifest = toy_cache.manifest("toy")
    store_manifest(toy_cache, Manifest(manifest.table.assign(speaker="")), replace=True)
    config = load_config("strong-1", QUICK)
    with pytest.raises(InputError, match="whose speaker is not known"):
        train_request(Request("single", ["toy"], ["mfcc"], config), toy_cache, tmp_path / "run")
    with pytest.raises(InputError, match="does not go with"):
        train_request(
            Request("single", ["toy"], ["ge2e"], config.changed("train.finetune_ge2e=true")),
            toy_cache,
            tmp_path / "run",
        )
