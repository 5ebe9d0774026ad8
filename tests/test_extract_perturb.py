import numpy as np
import pytest

from ser.cache import Cache
from ser.demo import synthesise
from ser.errors import InputError
from ser.extract.backbones.backbone import Backbone
from ser.extract.backbones.registry import make_backbone
from ser.extract.memory import features_of
from ser.extract.perturb import perturbed
from ser.extract.pipeline import extract
from ser.manifests import build_manifest

SECONDS = np.arange(3 * 16000) / 16000
TONE = (0.3 * np.sin(2 * np.pi * 440 * SECONDS)).astype("f4")


def frequency(samples):
    """Of the strongest partial, in Hz."""
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return power.argmax() * 16000 / len(samples)


def test_nothing_is_nothing():
    assert perturbed(TONE, "") is TONE


@pytest.mark.parametrize("factor", [0.9, 1.1, 1.5])
def test_speed_changes_length_and_frequencies_alike(factor):
    changed = perturbed(TONE, f"speed{factor:g}")
    assert len(changed) == pytest.approx(len(TONE) / factor, abs=1)
    assert frequency(changed) == pytest.approx(440 * factor, abs=0.4)
    assert np.abs(changed[2000:-2000]).max() == pytest.approx(0.3, rel=1e-3)


@pytest.mark.parametrize("semitones", [-2, 3])
def test_pitch_changes_frequencies_alone(semitones):
    before = TONE.copy()
    changed = perturbed(TONE, f"pitch{semitones}")
    assert len(changed) == len(TONE)
    assert frequency(changed) == pytest.approx(440 * 2 ** (semitones / 12), abs=1)
    np.testing.assert_array_equal(TONE, before)


@pytest.mark.parametrize("decibels", [0, 20, 40])
def test_noise_has_the_power_that_it_is_asked_for(decibels):
    added = perturbed(TONE, f"noise{decibels}") - TONE
    ratio = np.square(TONE, dtype=float).mean() / np.square(added, dtype=float).mean()
    assert 10 * np.log10(ratio) == pytest.approx(decibels, abs=0.1)
    spectrum = np.abs(np.fft.rfft(added)) ** 2
    quarters = [part.mean() for part in np.array_split(spectrum, 4)]
    assert max(quarters) < 1.1 * min(quarters)


def test_recordings_of_one_length_get_the_same_noise_and_others_another():
    one, other = perturbed(TONE, "noise20") - TONE, perturbed(2 * TONE, "noise20") - 2 * TONE
    np.testing.assert_allclose(other, 2 * one, atol=1e-6)  # whatever their last bits
    shorter = perturbed(TONE[:-1], "noise20") - TONE[:-1]
    assert not np.allclose(one[:-1], shorter, atol=1e-3)
    # Of the Mersenne Twister, whose stream is fixed, seeded with 3.
    found = perturbed(np.ones(3, "f4"), "noise0") - 1
    np.testing.assert_allclose(found, [1.78862847, 0.43650985, 0.09649747], atol=1e-6)


def test_a_spec_and_its_key_say_by_what():
    plain, other = make_backbone("mfcc:n_fft=512"), make_backbone("mfcc:perturb=speed.90:n_fft=512")
    assert (plain.perturb, other.perturb) == ("", "speed0.9")
    assert other.spec == other.feature == "mfcc:n_fft=512:perturb=speed0.9"
    assert other.key() == plain.key().perturbed("speed0.9")
    assert "perturb" not in plain.key().canonical
    assert make_backbone(other.spec).key() == other.key()
    with pytest.raises(InputError, match="is of perturbed recordings already"):
        other.key().perturbed("noise20")
    with pytest.raises(InputError, match="expected speed or pitch or noise"):
        make_backbone("mfcc:perturb=fast")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """A few utterances of synthetic speech."""
    folder = tmp_path_factory.mktemp("corpora")
    root = synthesise(folder, ["emodb"], speakers=1, sentences=1)["emodb"]
    manifest = build_manifest("emodb", root).manifest
    return manifest.select(manifest.ids[:3]), root


def test_backbones_that_differ_in_their_perturbation_share_a_model(corpus, tmp_path, monkeypatch):
    made = []

    def make_model(self):
        made.append(self.spec)
        return lambda values: values + 1

    monkeypatch.setattr(Heard, "make_model", make_model)
    monkeypatch.setattr(Heard, "batch_rows", 100)
    monkeypatch.setattr(Heard, "forward", lambda self, batch: list(map(self.model, batch)))
    manifest, root = corpus
    backbones = [Heard(), Heard({"perturb": "noise20"}), Heard({"dtype": "float16"})]
    report = extract(manifest, root, backbones, Cache(tmp_path), device="cpu", workers=0)
    assert not report.bad
    assert made == ["heard", "heard:dtype=float16"]


class Heard(Backbone):
    """The samples that it is given."""

    name = "heard"
    kind, dim, frame_rate = "sequence", 1, 16000.0

    def prepare(self, samples):
        samples *= 1  # which must be its own
        return samples[:, None]


def test_every_feature_gets_the_recording_as_it_asks_for_it(corpus, tmp_path):
    manifest, root = corpus
    cache, ways = Cache(tmp_path), ["", "speed1.1", "noise10"]
    backbones = [Heard({"perturb": how}) if how else Heard() for how in ways]
    report = extract(manifest, root, backbones, cache, device="cpu", workers=0)
    assert not report.bad
    plain, *others = (cache.read(backbone.key(), manifest) for backbone in backbones)
    for row in range(len(manifest)):
        samples = plain[row][:, 0]
        for how, feature in zip(ways[1:], others, strict=True):
            np.testing.assert_array_equal(feature[row][:, 0], perturbed(samples, how))


def test_a_sound_in_memory_is_perturbed_too():
    backbone = Heard({"perturb": "speed0.9"})
    keys = {"heard": backbone.key()}
    made = features_of({"heard": backbone}, keys, (TONE, 16000))["heard"]
    np.testing.assert_array_equal(made[:, 0], perturbed(TONE, "speed0.9"))
