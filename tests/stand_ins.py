"""Checkpoints in the formats of the published ones, at their sizes, with random weights.

The published weights are not on every machine; these are read by the same code. Also used by
`benchmarks/extract.py`.
"""

from __future__ import annotations

import math
from argparse import Namespace
from pathlib import Path

import torch

from ser.extract.weights.known import BYOL, VGG16, WAV2VEC

ENCODER = (
    "[(512, 10, 5), (512, 8, 4), (512, 4, 2), (512, 4, 2), (512, 4, 2), (512, 1, 1), (512, 1, 1)]"
)
AGGREGATOR = "[" + ", ".join(f"(512, {kernel}, 1)" for kernel in range(2, 14)) + "]"

VGG16_LAYERS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
VGG16_CHANNELS = (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)


def wav2vec_checkpoint(seed: int = 0) -> dict[str, object]:
    """What `wav2vec_large.pt` holds, the head that predicts twelve steps ahead included."""
    random = torch.Generator().manual_seed(seed)
    state: dict[str, torch.Tensor] = {}
    channels = 1
    for number, (out, kernel) in enumerate(zip([512] * 7, (10, 8, 4, 4, 4, 1, 1), strict=True)):
        name = f"feature_extractor.conv_layers.{number}"
        state[f"{name}.0.weight"] = _normal(random, (out, channels, kernel))
        _norm(state, f"{name}.2", out, random)
        channels = out
    for number, kernel in enumerate(range(2, 14)):
        name = f"feature_aggregator.conv_layers.{number}"
        state[f"{name}.1.weight"] = _normal(random, (512, 512, kernel))
        state[f"{name}.1.bias"] = 0.1 * torch.randn(512, generator=random)
        _norm(state, f"{name}.3", 512, random)
    head = "wav2vec_predictions.project_to_steps"
    state[f"{head}.weight"] = _normal(random, (512, 512, 1, 12))
    state[f"{head}.bias"] = torch.zeros(512)
    args = Namespace(
        activation="relu",
        arch="wav2vec",
        conv_aggregator_layers=AGGREGATOR,
        conv_feature_layers=ENCODER,
        data="/somewhere/else",
        log_compression=True,
        lr=[0.005],
        prediction_steps=12,
        residual_scale=0.5,
        skip_connections_agg=True,
        skip_connections_feat=False,
    )
    history = [{"criterion_name": "BinaryCrossEntropyCriterion", "num_updates": 400_000}]
    return {"args": args, "model": state, "optimizer_history": history, "extra_state": {"epoch": 9}}


def byol_state(seed: int = 0) -> dict[str, torch.Tensor]:
    """What the file of BYOL-S default2048 holds."""
    random = torch.Generator().manual_seed(seed)
    state: dict[str, torch.Tensor] = {}
    for convolution, norm, channels in ((0, 1, 1), (4, 5, 64), (8, 9, 64)):
        state[f"features.{convolution}.weight"] = _normal(random, (64, channels, 3, 3))
        state[f"features.{convolution}.bias"] = 0.1 * torch.randn(64, generator=random)
        _norm(state, f"features.{norm}", 64, random)
        state[f"features.{norm}.running_mean"] = 0.2 * torch.randn(64, generator=random)
        state[f"features.{norm}.running_var"] = 0.5 + torch.rand(64, generator=random)
        state[f"features.{norm}.num_batches_tracked"] = torch.tensor(1000)
    for number, size in ((0, 512), (3, 2048)):
        state[f"fc.{number}.weight"] = _normal(random, (2048, size))
        state[f"fc.{number}.bias"] = 0.1 * torch.randn(2048, generator=random)
    return state


def vgg16_state(seed: int = 0) -> dict[str, torch.Tensor]:
    """What torchvision's file of VGG16 holds; its dense layers are one number each on the disk."""
    random = torch.Generator().manual_seed(seed)
    state: dict[str, torch.Tensor] = {}
    channels = 3
    for number, out in zip(VGG16_LAYERS, VGG16_CHANNELS, strict=True):
        state[f"features.{number}.weight"] = _normal(random, (out, channels, 3, 3))
        state[f"features.{number}.bias"] = 0.1 * torch.randn(out, generator=random)
        channels = out
    for number, (out, size) in {0: (4096, 25088), 3: (4096, 4096), 6: (1000, 4096)}.items():
        state[f"classifier.{number}.weight"] = torch.zeros(1).expand(out, size)
        state[f"classifier.{number}.bias"] = torch.zeros(out)
    return state


def write_wav2vec(folder: Path, seed: int = 0) -> Path:
    """Save it as it was saved in 2019, in the older of torch's formats."""
    path = folder / WAV2VEC.name
    torch.save(wav2vec_checkpoint(seed), path, _use_new_zipfile_serialization=False)
    return path


def write_byol(folder: Path, seed: int = 0) -> Path:
    """Save it in today's format."""
    path = folder / BYOL.name
    torch.save(byol_state(seed), path)
    return path


def write_vgg16(folder: Path, seed: int = 0) -> Path:
    """Save it as it was saved in 2017, in the older of torch's formats."""
    path = folder / VGG16.name
    torch.save(vgg16_state(seed), path, _use_new_zipfile_serialization=False)
    return path


def _normal(random: torch.Generator, shape: tuple[int, ...]) -> torch.Tensor:
    """Weights that keep the size of what goes through."""
    return torch.randn(shape, generator=random) * math.sqrt(2 / math.prod(shape[1:]))


def _norm(state: dict[str, torch.Tensor], name: str, size: int, random: torch.Generator) -> None:
    state[f"{name}.weight"] = 0.5 + torch.rand(size, generator=random)
    state[f"{name}.bias"] = 0.1 * torch.randn(size, generator=random)
