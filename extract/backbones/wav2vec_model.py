"""wav2vec 1.0 as a torch module: samples in, latent or context frames out.

Schneider, Baevski, Collobert, Auli: wav2vec: Unsupervised Pre-training for Speech Recognition
(2019), with the sizes of the published model `wav2vec_large` and the names of its state. Depends on
torch alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod, sqrt

from torch import Tensor, nn

Layer = tuple[int, int, int]
"""Channels, kernel, stride."""

ENCODER: tuple[Layer, ...] = tuple(
    (512, kernel, stride)
    for kernel, stride in ((10, 5), (8, 4), (4, 2), (4, 2), (4, 2), (1, 1), (1, 1))
)
AGGREGATOR: tuple[Layer, ...] = tuple((512, kernel, 1) for kernel in range(2, 14))


class Wav2VecModel(nn.Module):
    """Convolutional encoder of samples, z, and convolutional aggregator of its past, c.

    Every norm runs over all channels and all frames of an utterance, so that padding would change
    each of its frames: utterances of different lengths must not share a batch.
    """

    def __init__(
        self, encoder: Sequence[Layer] = ENCODER, aggregator: Sequence[Layer] = AGGREGATOR
    ) -> None:
        super().__init__()
        # Under the names that they have in the published state.
        self.feature_extractor = nn.ModuleDict({"conv_layers": _layers(1, encoder)})
        aggregating = _layers(encoder[-1][0], aggregator, causal=True)
        self.feature_aggregator = nn.ModuleDict({"conv_layers": aggregating})
        self.dim = encoder[-1][0]
        """Channels of z and c."""
        self.hop = prod(stride for _, _, stride in encoder)
        """Samples between frames."""
        self.shortest = 1
        """Samples of the shortest utterance that gives a frame."""
        for _, kernel, stride in reversed(encoder):
            self.shortest = (self.shortest - 1) * stride + kernel

    def forward(self, samples: Tensor, context: bool = True) -> Tensor:
        """Utterances of one length, at least `shortest` samples at 16 kHz, (utterances, samples),
        to c, or z without `context`: (utterances, 1 + (samples - shortest) // hop, dim).
        """
        frames = samples[:, None]
        for layer in self.feature_extractor["conv_layers"].children():
            frames = layer(frames)
        frames = frames.abs_().log1p_()
        if context:
            for layer in self.feature_aggregator["conv_layers"].children():
                frames = layer(frames).add_(frames).mul_(sqrt(0.5))
        return frames.transpose(1, 2)


def _layers(channels: int, layers: Sequence[Layer], causal: bool = False) -> nn.ModuleList:
    """Convolutions, each with norm and ReLU; causal ones see a frame and those before it, and have
    a bias."""
    made = nn.ModuleList()
    for out, kernel, stride in layers:
        padding = [nn.ReplicationPad1d((kernel - 1, 0))] if causal else []
        convolution = nn.Conv1d(channels, out, kernel, stride, bias=causal)
        # In the names of the state, the identity has the place of dropout.
        after = nn.Identity(), nn.GroupNorm(1, out), nn.ReLU(inplace=True)
        made.append(nn.Sequential(*padding, convolution, *after))
        channels = out
    return made
