import os
import subprocess
import sys
import warnings
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.signal import lfilter

from ser.errors import AudioError, InputError, MissingPackageError, SerError
from ser.extract import make_backbone
from ser.extract.audio import to_recipe
from ser.extract.backbones import ge2e
from ser.extract.backbones.spectrum import mel_power
from ser.extract.backbones.speech import raise_volume, speech_frames, trim_silence
from ser.ge2e import weights as packaged
from ser.ge2e.encoder import SpeakerEncoder, split_windows, window_starts
from ser.manifests import read_audio


def voice(seconds, seed=0, rate=16000):
    """Something that a voice activity detector takes for speech in parts: pulses, formants."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    pitch = rng.uniform(90, 240) * (1 + 0.1 * np.sin(4.4 * time + seed))
    signal = np.diff(np.floor(np.cumsum(pitch) / rate), prepend=0.0)
    signal += 0.01 * rng.normal(size=len(time))
    for hertz, width in ((600, 80), (1200, 100), (2500, 150)):
        radius = np.exp(-np.pi * width / rate)
        angle = 2 * np.pi * hertz / rate
        signal = lfilter([1.0], [1, -2 * radius * np.cos(angle), radius**2], signal)
    signal *= np.clip(np.sin(9.4 * time + seed), 0, None)
    return (0.3 * signal / np.abs(signal).max()).astype("f4")


def utterances():
    """Lengths around the window's edges, quiet, loud and clipped ones; real ones where given."""
    found = [voice(seconds, seed) for seed, seconds in enumerate((0.6, 1, 1.63, 2.2, 3, 4.7, 11))]
    found += [voice(2, 9) * 1e-3, np.clip(voice(2, 10) * 6, -1, 1), _peaky()]
    corpora = os.environ.get("SER_TEST_CORPORA")
    for corpus in ("emodb", "ravdess", "emovo") if corpora else ():
        for path in islice(sorted(Path(corpora, corpus).rglob("*.flac")), 3, None, 360):
            audio = read_audio(path)
            found.append(to_recipe(audio.samples, audio.rate))
    return found


def _peaky():
    """Quiet but for a click that passes full scale when the volume is raised."""
    audio = voice(3, 11) * 0.01
    audio[20000:20003] = 50 * audio.std()
    return audio


@pytest.fixture(scope="module")
def backbone():
    made = make_backbone("ge2e")
    made.load()
    return made


@pytest.fixture(scope="module")
def resemblyzer():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("resemblyzer")


@pytest.mark.long
def test_equal_to_resemblyzer(backbone, resemblyzer):
    audio = utterances()
    encoder = resemblyzer.VoiceEncoder("cpu", verbose=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trimmed = [resemblyzer.preprocess_wav(samples) for samples in audio]
    for samples, theirs in zip(audio, trimmed, strict=True):
        np.testing.assert_array_equal(trim_silence(raise_volume(samples)), theirs)
    expected = np.stack([encoder.embed_utterance(samples) for samples in trimmed])
    ours = np.stack(backbone.forward([backbone.prepare(samples) for samples in audio]))
    np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_windows_are_resemblyzers(resemblyzer):
    for blocks in range(1, 300):
        samples = blocks * 480  # trimming leaves whole blocks of 30 ms
        _, slices = resemblyzer.VoiceEncoder.compute_partial_slices(samples, 1.3, 0.75)
        assert window_starts(samples // 160 + 2) == [part.start for part in slices]


def test_neighbours_change_nothing(backbone):
    frames = [backbone.prepare(voice(seconds, 3)) for seconds in (0.8, 1.5, 3, 6)]
    together = backbone.forward(frames)
    for alone, vector in zip(frames, together, strict=True):
        np.testing.assert_allclose(backbone.forward([alone])[0], vector, atol=1e-6)
        assert vector.shape == (256,)
        assert np.linalg.norm(vector) == pytest.approx(1)
    backwards = backbone.forward(frames[::-1])[::-1]
    np.testing.assert_allclose(backwards, together, atol=1e-6)


def test_few_windows_at_a_time_change_nothing(backbone):
    frames = [torch.from_numpy(backbone.prepare(voice(seconds, 3))) for seconds in (1, 6, 2)]
    with torch.inference_mode():
        whole, pieces = (backbone.model.embed(frames, n) for n in (256, 2))
    torch.testing.assert_close(whole, pieces, atol=1e-6, rtol=0)


def test_frames_end_where_the_speech_does():
    audio = voice(2, 5)
    speech = trim_silence(raise_volume(audio))
    longer = mel_power(np.pad(speech, (0, 1600)), n_fft=400, hop_length=160, n_mels=40)
    frames = speech_frames(audio)
    assert frames.shape == (len(speech) // 160 + 2, 40)
    assert frames.dtype == np.float32
    np.testing.assert_allclose(frames, longer[: len(frames)], rtol=1e-5)
    assert not longer[len(frames) :].any()


def test_windows_by_hand():
    # 1 s: one window. A second begins 77 frames on, and needs 120 frames of its own.
    assert window_starts(101) == [0]
    assert window_starts(77 + 120 + 1) == [0]
    assert window_starts(77 + 121 + 1) == [0, 77]
    windows = split_windows(torch.ones(77 + 121 + 1, 40))
    assert windows.shape == (2, 160, 40)
    assert windows[:, :, 0].sum(dim=1).tolist() == [160, 122]


def test_only_quiet_audio_is_amplified():
    loud, quiet = voice(1), voice(1) * 1e-3
    np.testing.assert_array_equal(raise_volume(loud), loud)
    level = 20 * np.log10(np.sqrt(np.mean(raise_volume(quiet).astype("f8") ** 2)))
    assert level == pytest.approx(-30, abs=1e-3)


@pytest.mark.parametrize("samples", [1600, 16000, 160000])
def test_no_speech(backbone, samples):
    click = np.zeros(samples, "f4")
    click[samples // 2] = 0.5
    with pytest.raises(AudioError, match="no speech found"):
        backbone.prepare(click)


@pytest.mark.parametrize("peak", [1.01, 1.3, 1.9])
def test_peaks_over_full_scale_do_not_wrap_round(peak):
    """The detector hears 16 bits: what is too loud for them is clipped, as by any converter."""
    seconds = np.arange(15840) / 16000
    buzz = sum(np.sin(2 * np.pi * 120 * k * seconds + k) / k for k in range(1, 20))
    buzz = (buzz / np.abs(buzz).max() * peak).astype("f4")
    clipped = np.clip(buzz, -32768 / 32767, 1)
    assert len(trim_silence(buzz)) == len(trim_silence(clipped)) > 0


def test_trimming_less_than_a_block_leaves_nothing():
    assert len(trim_silence(voice(0.02))) == 0


def test_no_warnings_and_no_package_resources():
    code = """
import warnings, sys, numpy
warnings.simplefilter("error")
from ser.extract.backbones.spectrum import mel_power
from ser.extract.backbones.speech import trim_silence
trim_silence(numpy.zeros(16000, "f4"))
assert "pkg_resources" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_detector_not_installed(backbone, monkeypatch):
    monkeypatch.setitem(sys.modules, "_webrtcvad", None)
    with pytest.raises(MissingPackageError, match=r"webrtcvad.*\[extract\]"):
        backbone.prepare(voice(1))


def test_weights_not_installed(monkeypatch):
    monkeypatch.setattr(packaged, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"\[extract\]"):
        make_backbone("ge2e").key()


def test_weights_lost(monkeypatch, tmp_path):
    class Spec:
        submodule_search_locations = (str(tmp_path),)

    monkeypatch.setattr(packaged, "find_spec", lambda name: Spec)
    with pytest.raises(MissingPackageError, match="has lost its weights"):
        make_backbone("ge2e").key()


@pytest.mark.parametrize("content", ["nothing", "text", "other", "code"])
def test_damaged_weights(monkeypatch, tmp_path, content):
    path = tmp_path / "pretrained.pt"
    if content == "other":
        torch.save({"model_state": {"linear.weight": torch.zeros(2, 2)}}, path)
    elif content == "code":
        torch.save({"model_state": SpeakerEncoder()}, path)
    else:
        path.write_text("" if content == "nothing" else "not weights")
    monkeypatch.setattr(ge2e, "weights_file", lambda: path)
    backbone = make_backbone("ge2e")
    with pytest.raises(SerError, match="the weights of the GE2E speaker encoder") as caught:
        backbone.load()
    assert ("asks for code" if content == "code" else "Reinstall the package") in str(caught.value)
    changed = backbone.key()
    monkeypatch.undo()
    assert changed.hash != make_backbone("ge2e").key().hash


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_no_such_device(device):
    with pytest.raises(InputError, match=f"device '{device}' cannot be used"):
        make_backbone("ge2e", device).load()
