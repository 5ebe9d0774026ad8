import librosa
import numpy as np
import pytest
import soundfile

from ser.extract import make_backbone

RANDOM = np.random.default_rng(0)
SOUND = (
    RANDOM.normal(scale=0.05, size=20000) + 0.2 * np.sin(0.1 * np.arange(20000)) + 0.01
).astype("f4")


def published(path):
    """The numbers of a file by its path, as a script asks librosa for them."""
    wave, rate = librosa.load(path)
    harmonic = librosa.effects.harmonic(wave, margin=5.0)
    percussive = librosa.effects.percussive(wave, margin=5.0)
    bands = librosa.power_to_db(librosa.feature.melspectrogram(y=wave, sr=rate))
    return np.array([np.average([harmonic, percussive]), *bands.mean(axis=1)])


@pytest.mark.long  # librosa is compiled, the first time
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what librosa.load imports
@pytest.mark.parametrize("samples", [1600, 20000])
def test_equal_to_the_released_code(tmp_path, samples):
    path = tmp_path / "sound.wav"
    soundfile.write(path, SOUND[:samples], 16000, subtype="FLOAT")
    ours = make_backbone("rudd129").prepare(SOUND[:samples])
    np.testing.assert_allclose(ours, published(path), rtol=1e-5, atol=1e-5)
    assert (ours.shape, ours.dtype) == ((129,), np.float32)
    assert 0 < abs(ours[0]) < 0.01
