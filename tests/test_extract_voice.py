"""Where somebody speaks: silence, noise and real speech, whatever the pieces."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.errors import MissingPackageError
from ser.extract import voice
from ser.extract.audio import RATE, to_recipe
from ser.extract.voice import STEP, VoiceActivity
from ser.manifests import read_audio
from ser.tests.audio_files import noise


def heard(samples, piece=None):
    detector = VoiceActivity()
    piece = piece or len(samples)
    parts = [detector.add(samples[at : at + piece]) for at in range(0, len(samples), piece)]
    return np.concatenate([*parts, detector.finish()])


@pytest.fixture(scope="module")
def speech():
    corpora = os.environ.get("SER_TEST_CORPORA")
    if not corpora:
        pytest.skip("SER_TEST_CORPORA is not set")
    files = sorted((Path(corpora) / "emodb" / "wav").iterdir())[:6]
    return [to_recipe(a.samples, a.rate) for a in map(read_audio, files)]


def test_silence_and_noise_are_no_speech():
    assert heard(np.zeros(5 * RATE, np.float32)).max() < 0.2
    assert heard(noise(5)[:, 0]).max() < 0.2
    hum = (0.2 * np.sin(np.arange(5 * RATE) * 2 * np.pi * 50 / RATE)).astype(np.float32)
    assert heard(hum).max() < 0.2


def test_speech_is_found_between_silences(speech):
    """Also in noise, 10 dB below it."""
    silence = np.zeros(2 * RATE, np.float32)
    sound = np.concatenate([part for each in speech for part in (silence, each)])
    truth = np.concatenate(
        [np.full(len(part), part is not silence) for each in speech for part in (silence, each)]
    )
    level = np.sqrt(np.mean(np.concatenate(speech) ** 2)) * 10**-0.5
    for hiss in (0, 1):
        found = heard(sound + hiss * level / 0.1 * noise(len(sound) / RATE)[:, 0])
        marks = np.repeat(found >= 0.3, STEP)[: len(sound)]
        assert marks[truth].mean() > 0.75
        assert marks[~truth].mean() < 0.1


@settings(max_examples=15)
@given(piece=st.integers(1, 3 * RATE), seconds=st.floats(0.01, 3))
def test_pieces_do_not_matter(piece, seconds):
    sound = noise(seconds, seed=3)[:, 0]
    whole = heard(sound)
    assert len(whole) == -(-len(sound) // STEP)
    np.testing.assert_array_equal(heard(sound, max(piece, 50)), whole)


def test_a_step_does_not_hear_what_follows(speech):
    sound = speech[0]
    found = heard(sound[: 40 * STEP])
    np.testing.assert_array_equal(heard(sound)[:40], found)


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_the_network_is_silero(speech, monkeypatch):
    """The published TorchScript model has other weights; with those, ours says the same."""
    import torch

    (folder,) = find_spec("silero_vad").submodule_search_locations
    published = torch.jit.load(Path(folder) / "data" / "silero_vad.jit")
    theirs = published._model.state_dict()
    names = ["stft.forward_basis_buffer"]
    names += [f"encoder.{i}.reparam_conv.{k}" for i in range(4) for k in ("weight", "bias")]
    names += [f"decoder.rnn.{k}_{h}" for k in ("weight", "bias") for h in ("ih", "hh")]
    names += ["decoder.decoder.2.weight", "decoder.decoder.2.bias"]
    network = voice._Silero()
    network.load_state_dict(
        dict(zip(network.state_dict(), (theirs[name] for name in names), strict=True))
    )
    monkeypatch.setattr(voice, "_network", lambda: network.eval())
    sound = np.concatenate(speech)[: 40 * STEP]
    with torch.jit.optimized_execution(False):
        said = [
            published(torch.from_numpy(sound[at : at + STEP]), RATE).item()
            for at in range(0, len(sound), STEP)
        ]
    np.testing.assert_allclose(heard(sound), said, atol=1e-4)
    assert max(said) > 0.5 > 0.2 > min(said)


def test_the_package_is_not_imported_and_missed_by_name(monkeypatch):
    heard(noise(0.1)[:, 0])
    assert "silero_vad" not in sys.modules
    monkeypatch.setattr(voice, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match="silero-vad"):
        voice.weights_file()
