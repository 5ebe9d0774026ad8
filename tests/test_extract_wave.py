import numpy as np

from ser.extract import make_backbone
from ser.extract.memory import features_of

RANDOM = np.random.default_rng(0)


def stored(samples, spec="wave"):
    """What the cache would hold of 16-bit samples."""
    backbone = make_backbone(spec)
    sound = (samples.astype("f4") / 32768, 16000)
    return features_of({"wave": backbone}, {"wave": backbone.key()}, sound)["wave"]


def test_quiet_samples_are_exact_and_loud_ones_close():
    samples = RANDOM.permutation(np.arange(-32768, 32768, dtype="i4"))
    found = stored(samples)
    assert (found.shape, found.dtype) == ((65536, 1), np.float16)
    exact = samples / 32768
    quiet = np.abs(samples) <= 2048
    np.testing.assert_array_equal(found[quiet, 0], exact[quiet])
    np.testing.assert_allclose(found[:, 0].astype("f8"), exact, rtol=1 / 2048)
    np.testing.assert_array_equal(stored(samples, "wave:dtype=float32")[:, 0], exact)


def test_its_licence_is_the_recordings():
    assert "recordings" in make_backbone("wave").terms()
