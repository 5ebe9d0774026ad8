"""The obvious way to a feature, for each: a loop over files with the reference library's own call.

Each function imports and loads what it needs and returns what a script would call for a file. Where
the reference library cannot be had (fairseq, serab-byols), it is our own module, a file at a time.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from ser.extract.weights.known import ALLOSAURUS, find_weights, locate

Call = Callable[[Path], Any]


def _mfcc() -> Call:
    import librosa

    def call(path: Path) -> Any:
        samples, rate = librosa.load(path, sr=16000)
        return librosa.feature.mfcc(y=samples, sr=rate, n_mfcc=24)

    return call


def _logmel() -> Call:
    import librosa

    def call(path: Path) -> Any:
        samples, rate = librosa.load(path, sr=16000)
        mel = librosa.feature.melspectrogram(
            y=samples, sr=rate, n_fft=512, hop_length=160, n_mels=64
        )
        return librosa.power_to_db(mel)

    return call


def _egemaps() -> Call:
    import librosa
    import opensmile

    smile = opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02,
        feature_level=opensmile.FeatureLevel.Functionals,
    )

    def call(path: Path) -> Any:
        samples, rate = librosa.load(path, sr=16000)
        return smile.process_signal(samples, int(rate))

    return call


def _ge2e() -> Call:
    from resemblyzer import VoiceEncoder, preprocess_wav

    encoder = VoiceEncoder("cpu", verbose=False)
    return lambda path: encoder.embed_utterance(preprocess_wav(path))


def _ge2e_mel() -> Call:
    from resemblyzer import preprocess_wav, wav_to_mel_spectrogram

    return lambda path: wav_to_mel_spectrogram(preprocess_wav(path))


def _allosaurus() -> Call:
    from argparse import Namespace

    import librosa
    import torch
    from allosaurus.am.factory import read_am
    from allosaurus.audio import Audio
    from allosaurus.pm.factory import read_pm

    folder = locate(ALLOSAURUS)
    config = Namespace(model=folder.name, device_id=-1, lang="ipa", approximate=False, prior=None)
    front_end, network = read_pm(folder, config), read_am(folder, config)

    def call(path: Path) -> Any:
        samples, rate = librosa.load(path, sr=16000)
        # The package's own reader takes .wav alone; it gives 16-bit integers.
        audio = Audio((samples * 32767).astype("int16"), rate)
        frames = torch.from_numpy(front_end.compute(audio))[None]
        with torch.inference_mode():
            return network(frames, torch.tensor([frames.shape[1]]))

    return call


def _wav2vec2() -> Call:
    import librosa
    import torch

    transformers: Any = import_module("transformers")
    folder = str(locate(find_weights("wav2vec2")))
    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()

    def call(path: Path) -> Any:
        samples, rate = librosa.load(path, sr=16000)
        values = extractor(samples, sampling_rate=rate, return_tensors="pt").input_values
        with torch.inference_mode():
            return model(values).last_hidden_state

    return call


def _own(feature: str) -> Call:
    import librosa

    from ser.extract import make_backbone

    backbone = make_backbone(feature, "cpu")
    backbone.load()

    def call(path: Path) -> Any:
        samples, _ = librosa.load(path, sr=16000)
        return backbone.forward([backbone.prepare(samples)])

    return call


_REFERENCES: Mapping[str, Callable[[], Call]] = {
    "mfcc": _mfcc,
    "logmel": _logmel,
    "egemaps": _egemaps,
    "ge2e": _ge2e,
    "ge2e_mel": _ge2e_mel,
    "allosaurus": _allosaurus,
    "wav2vec2": _wav2vec2,
}


def has_reference(feature: str) -> bool:
    """Whether the loop is that of another library."""
    return feature in _REFERENCES


def obvious(feature: str) -> Call:
    """Import and load what the loop for a feature needs; returns what it calls for each file."""
    warnings.simplefilter("ignore")
    return _REFERENCES[feature]() if has_reference(feature) else _own(feature)
