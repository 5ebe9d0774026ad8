"""CNN-LSTM networks on samples (1-D) and on log-mels (2-D).

Jianfeng Zhao, Mao and Chen, *Speech emotion recognition using deep 1D & 2D CNN LSTM networks*,
2019; not Ziping Zhao's of the same year. Four blocks of convolution (kernel 3), batch norm, ELU and
max pooling with 64, 64, 128 and 128 channels, and an LSTM whose last state is classified. Both hear
the first eight seconds; a shorter utterance is filled up with what is the mean of the training
part. The ELU rises, so the maximum of a pool is taken before it: the same values at less work.
Chosen here, as it is not known: 256 units of the LSTM, and that its last state is that at the end
of the utterance, not of what fills it up, which it would have to remember the utterance through.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from torch import Tensor, nn

from ..spec import FeatureShape
from .system import System, beginning

CHANNELS = (64, 64, 128, 128)
SECONDS = 8


class Zhao1d(System):
    """Samples at 16 kHz, (B, L, 1), to the last state of an LSTM over 500 steps."""

    size = 256
    frames = SECONDS * 16_000

    def __init__(self, shape: FeatureShape) -> None:
        super().__init__(shape)
        blocks: list[nn.Module] = []
        for before, channels in zip((shape.dim, *CHANNELS), CHANNELS, strict=False):
            convolution = nn.Conv1d(before, channels, 3, padding=1)
            blocks += [convolution, nn.BatchNorm1d(channels), nn.MaxPool1d(4), nn.ELU()]
        self.blocks = nn.Sequential(*blocks)
        self.lstm = nn.LSTM(CHANNELS[-1], self.size, batch_first=True)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        steps = self.blocks(beginning(x, self.frames).transpose(1, 2)).transpose(1, 2)
        return last_state(self.lstm(steps)[0], lengths, 4**4)


class Zhao2d(System):
    """Log-mels of 128 bands every 32 ms, (B, L, 128), to the last state of an LSTM over one step.

    That is what the published pools leave of 251 frames, in each block as many of them as bands:
    the LSTM has no sequence to remember.
    """

    size = 256
    frames = SECONDS * 16_000 // 512 + 1
    pools: Iterable[tuple[int, int]] = ((2, 2), (4, 4), (4, 4), (4, 4))
    """Of every block: frames, bands."""

    def __init__(self, shape: FeatureShape) -> None:
        super().__init__(shape)
        blocks: list[nn.Module] = []
        parts = zip((1, *CHANNELS), CHANNELS, self.pools, strict=False)
        for before, channels, pool in parts:
            convolution = nn.Conv2d(before, channels, 3, padding=1)
            blocks += [convolution, nn.BatchNorm2d(channels), nn.MaxPool2d(pool), nn.ELU()]
        self.blocks = nn.Sequential(*blocks)
        self.lstm = nn.LSTM(CHANNELS[-1], self.size, batch_first=True)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        image = beginning(x, self.frames)[:, None]
        steps = self.blocks(image).transpose(1, 2).flatten(2)
        return last_state(self.lstm(steps)[0], lengths, prod(frames for frames, _ in self.pools))


class Zhao2dTime(Zhao2d):
    """The same, but no pool takes more than two frames together: the LSTM has 15 steps."""

    pools = ((2, 2), (2, 4), (2, 4), (2, 4))


def last_state(states: Tensor, lengths: Tensor, frames: int) -> Tensor:
    """That at the end of utterances, of steps of so many frames: (B, steps, size), (B,) -> (B,
    size)."""
    # Whole numbers also where they are exported, whose quotients are none.
    step = ((lengths - 1) // frames).clamp(max=states.shape[1] - 1).long()
    return states.gather(1, step[:, None, None].expand(-1, 1, states.shape[2])).squeeze(1)
