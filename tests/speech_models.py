"""Folders of the formats of published models, with seeded random weights."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import torch

SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "conv_dim": [32] * 7,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 4,
}
"""A wav2vec 2.0 of the true structure, but narrow and shallow."""
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "wav2vec2": ("Wav2Vec2", {}),
    "xlsr": ("Wav2Vec2", {"do_stable_layer_norm": True, "feat_extract_norm": "layer"}),
    "hubert": ("Hubert", {}),
    "wavlm": ("WavLM", {}),
    "data2vec-audio": ("Data2VecAudio", {"num_conv_pos_embeddings": 3, "conv_pos_kernel_size": 5}),
    "unispeech-sat": ("UniSpeechSat", {}),
    "wav2vec2-conformer": ("Wav2Vec2Conformer", {}),
    "whisper": (
        "Whisper",
        {
            "d_model": 32,
            "encoder_layers": 3,
            "decoder_layers": 1,
            "encoder_attention_heads": 4,
            "decoder_attention_heads": 4,
            "encoder_ffn_dim": 64,
            "decoder_ffn_dim": 64,
            "vocab_size": 100,
            "pad_token_id": 0,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "decoder_start_token_id": 1,
            "max_target_positions": 16,
        },
    ),
}


def write_speech_model(folder: Path, family: str, real_size: bool = False, **more: object) -> Path:
    """Save a model as transformers does: config, feature extractor, safetensors."""
    import transformers

    name, special = FAMILIES[family]
    small: dict[str, Any] = {} if real_size or family == "whisper" else SMALL
    config = getattr(transformers, f"{name}Config")(**{**small, **special, **more})
    random = torch.random.get_rng_state()
    torch.manual_seed(0)
    model = getattr(transformers, f"{name}Model")(config)
    torch.random.set_rng_state(random)
    model.save_pretrained(folder)
    if family == "whisper":
        transformers.WhisperFeatureExtractor().save_pretrained(folder)
    else:
        transformers.Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return folder


AM_CONFIG = {
    "model": "allosaurus",
    "backend": "pytorch",
    "feat_size": 120,
    "hidden_size": 320,
    "layer_size": 5,
    "proj_size": 0,
    "phone_size": 230,
    "lang_size_dict": {"eng": 40, "deu": 41},
    "loss": "ctc",
    "l2": 0.0,
    "debug_model": False,
}
PM_CONFIG = {
    "model": "mfcc_hires",
    "backend": "numpy",
    "sample_rate": 8000,
    "window_size": 0.025,
    "window_shift": 0.01,
    "feature_window": 3,
    "cmvn": "speaker",
    "dtype": "float32",
    "cep_size": 40,
    "bank_size": 40,
    "low_freq": 40,
    "high_freq": -200,
    "use_energy": False,
    "dither": 0.0,
    "dither_seed": 0,
}
LM_CONFIG = {"model": "phone_ipa", "backend": "numpy"}


def write_allosaurus(folder: Path, seed: int = 0, **sizes: int) -> Path:
    """The folder of a model such as uni2005: three JSON files, phones, inventory, state dict."""
    from allosaurus.am.allosaurus_torch import AllosaurusTorchModel

    (folder / "inventory").mkdir(parents=True)
    config = {**AM_CONFIG, **sizes}
    for name, values in (("am", config), ("pm", PM_CONFIG), ("lm", LM_CONFIG)):
        (folder / f"{name}_config.json").write_text(json.dumps(values))
    phones = "".join(f"p{number} {number}\n" for number in range(1, config["phone_size"]))
    (folder / "phone.txt").write_text(phones)
    language = {
        "LanguageName": "English",
        "ISO6393": "eng",
        "GlottoCode": "stan1293",
        "phonelists": "eng.txt",
    }
    (folder / "inventory" / "index.json").write_text(json.dumps([language]))
    (folder / "inventory" / "eng.txt").write_text("p1\np2\n")
    random = torch.random.get_rng_state()
    torch.manual_seed(seed)
    state = AllosaurusTorchModel(Namespace(**config)).state_dict()
    state["allophone_layer_dict.eng.weight"] = torch.zeros(40, config["phone_size"])
    torch.random.set_rng_state(random)
    torch.save(state, folder / "model.pt")
    return folder
