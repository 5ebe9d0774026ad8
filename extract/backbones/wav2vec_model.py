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
        self.feature_extractor = nn.ModuleDict({"conv_layers": _encoder_layers(encoder)})
        aggregating = _aggregator_layers(encoder[-1][0], aggregator)
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
        """Run utterances of one length through the model.

        Args:
            samples: 16 kHz, (utterances, samples), at least `shortest` of them.
            context: also run the aggregator.

        Returns:
            c, or z without `context`: (utterances, 1 + (samples - shortest) // hop, dim).
        """
        frames = samples[:, None]
        for layer in self.feature_extractor["conv_layers"].children():
            frames = layer(frames)
        frames = frames.abs_().log1p_()
        if context:
            for layer in self.feature_aggregator["conv_layers"].children():
                frames = layer(frames).add_(frames).mul_(sqrt(0.5))
        return frames.transpose(1, 2)


def _encoder_layers(layers: Sequence[Layer]) -> nn.ModuleList:
    """Convolution without bias, norm, ReLU."""
    made, channels = nn.ModuleList(), 1
    for out, kernel, stride in layers:
        made.append(_block(out, nn.Conv1d(channels, out, kernel, stride, bias=False)))
        channels = out
    return made


def _aggregator_layers(channels: int, layers: Sequence[Layer]) -> nn.ModuleList:
    """Convolution over the frame and those before it, norm, ReLU."""
    made = nn.ModuleList()
    for out, kernel, stride in layers:
        padding = nn.ReplicationPad1d((kernel - 1, 0))
        made.append(_block(out, padding, nn.Conv1d(channels, out, kernel, stride)))
        channels = out
    return made


def _block(channels: int, *convolution: nn.Module) -> nn.Sequential:
    """A convolution, its norm and ReLU; the identity has the place of dropout in the names."""
    norm = nn.GroupNorm(1, channels)
    return nn.Sequential(*convolution, nn.Identity(), norm, nn.ReLU(inplace=True))
