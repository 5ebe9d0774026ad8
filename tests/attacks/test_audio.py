"""Hostile audio files: every one ends in an AudioError, or in samples that can be used."""

import sys

import numpy as np

from ser.errors import AudioError
from ser.manifests import read_audio
from ser.manifests.audio import LOUDEST, MINIMUM_SECONDS
from ser.manifests.decode import LONGEST, MOST_CHANNELS, MOST_SAMPLES
from ser.tests.audio_files import ACCEPTED, REFUSED, broken, encoded, noise, writable


def megabytes_used():
    """The most memory that this process has had so far; 0 where the system does not say."""
    if sys.platform == "win32":
        return 0
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def victims():
    pairs = writable(ACCEPTED + REFUSED)
    sounds = [(noise(0.15), 16000), (noise(0.12, 8000, channels=2), 8000)]
    files = [encoded(*pair, sounds[0][0]) for pair in pairs]
    files += [encoded(container, None, *sounds[1]) for container in ("WAV", "FLAC", "OGG", "AIFF")]
    return files


def test_hostile_audio(attack, outcome, tmp_path):
    files = victims()
    path = tmp_path / "x.wav"
    before = megabytes_used()
    for case in attack(800):
        path.write_bytes(broken(case, files))
        try:
            audio = read_audio(path)
        except AudioError as error:
            reason = str(error)
            assert reason
            assert len(reason) < 400
            assert not any(word in reason for word in (str(path), "BytesIO", "Traceback"))
            outcome("refused")
            continue
        outcome("read")
        frames, channels = audio.samples.shape
        assert audio.samples.dtype == np.float32
        assert np.isfinite(audio.samples).all()
        assert np.abs(audio.samples).max() <= LOUDEST
        assert MINIMUM_SECONDS <= audio.duration <= LONGEST
        assert channels <= MOST_CHANNELS
        assert frames * channels <= MOST_SAMPLES
        assert len(audio.sha) == 32
    assert megabytes_used() - before < 300
