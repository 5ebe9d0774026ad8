import subprocess
import sys

import pytest

from ser.errors import InputError
from ser.extract import BACKBONES, make_backbone


@pytest.mark.parametrize(
    ("spec", "canonical"),
    [
        ("mfcc", "mfcc"),
        (" ge2e ", "ge2e"),
        ("mfcc:hop_length=512", "mfcc"),
        ("mfcc:n_fft=512:hop_length=160", "mfcc:hop_length=160:n_fft=512"),
        ("mfcc:hop_length=0160", "mfcc:hop_length=160"),
    ],
)
def test_canonical_spec(spec, canonical):
    assert make_backbone(spec).spec == canonical
    assert make_backbone(canonical).key() == make_backbone(spec).key()
    assert make_backbone(spec).key().feature == canonical


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("mfccc", "unknown feature 'mfccc' (did you mean 'mfcc'?)"),
        ("", "unknown feature ''; known: "),
        ("MFCC", "unknown feature 'MFCC'"),
        ("mfcc:hop=160", "no parameter 'hop' (did you mean 'hop_length'?)"),
        ("ge2e:windows=1", "no parameter 'windows'; known: dtype"),
        ("mfcc:dtype=int8", "dtype must be float32 or float16, got int8"),
        ("mfcc:hop_length", "expected parameter=value, got 'hop_length'"),
        ("mfcc:hop_length=", "hop_length must be a whole number such as 512, got ''"),
        ("mfcc:hop_length=1.5", "hop_length must be a whole number such as 512, got '1.5'"),
        ("mfcc:hop_length=0", "hop_length must be from 1 to n_fft"),
        ("mfcc:hop_length=4096", "hop_length must be from 1 to n_fft"),
        ("mfcc:n_fft=1:hop_length=1", "n_fft must be from 64 to 16384"),
        ("mfcc:hop_length=160:hop_length=80", "given twice"),
    ],
)
def test_bad_spec(spec, message):
    with pytest.raises(InputError) as caught:
        make_backbone(spec)
    assert message in str(caught.value)


def test_every_parameter_changes_the_key():
    keys = [make_backbone(s).key() for s in ("mfcc", "mfcc:hop_length=160", "mfcc:n_fft=1024")]
    assert len({key.hash for key in keys}) == len(keys)


def test_the_device_does_not_change_the_key():
    assert make_backbone("ge2e", "cuda:1").key() == make_backbone("ge2e", "cpu").key()


def test_the_key_says_what_defines_the_numbers():
    key = make_backbone("mfcc:hop_length=160").key()
    assert key.parameters == {"hop_length": 160, "n_fft": 2048, "n_mels": 128, "n_mfcc": 24}
    assert (key.kind, key.dim, key.frame_rate, key.weights) == ("sequence", 24, 100.0, None)
    assert key.audio["rate"] == 16000
    key = make_backbone("ge2e").key()
    assert (key.kind, key.dim, key.frame_rate) == ("vector", 256, None)
    # pretrained.pt of Resemblyzer 0.1.4
    assert key.weights == "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"


def test_listing_and_keys_import_nothing_heavy():
    code = """
import sys
from ser.errors import MissingWeightsError
from ser.extract import BACKBONES, make_backbone
for name, backbone in BACKBONES.items():
    assert backbone.name == name and backbone.summary and backbone.licence
    if backbone.argument:
        continue
    try:
        make_backbone(name).key()
    except MissingWeightsError:
        pass
heavy = {"torch", "librosa", "soxr", "soundfile", "opensmile", "resemblyzer", "_webrtcvad"}
sys.exit(", ".join(heavy & set(sys.modules)) or None)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_names_are_fit_for_specs():
    assert all(name.isidentifier() for name in BACKBONES)
