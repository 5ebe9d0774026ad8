"""A head of a run as one module without padding: cached features of one utterance in, the
probabilities of its emotions out."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ..train.encoding import SUMMARIES
from ..train.functionals import PERCENTILES, STRETCHES
from ..train.network.encoders import BiLSTM, SequenceEncoder
from ..train.network.ensemble import Ensemble
from ..train.network.systems.system import BothEnds, beginning
from ..train.runs.run_config import RunConfig


class Head(nn.Module):
    """What the models of a run say of an utterance of one corpus, averaged.

    It does what `Ensemble` does with a batch of one after `Domain.encoded`, in operations that ONNX
    has: no mask, no branch, no loop over frames outside of an LSTM.

    Args:
        ensemble: of the run; it stays as it is.
        config: of the run.
        corpus: chooses the emotions and the classifier.
    """

    def __init__(self, ensemble: Ensemble, config: RunConfig, corpus: str) -> None:
        super().__init__()
        self.ensemble = deepcopy(ensemble).requires_grad_(False).eval()
        for parent in [*self.ensemble.modules()]:
            for name, child in parent.named_children():
                if isinstance(child, SequenceEncoder):
                    setattr(parent, name, OneSequence(child))
                elif isinstance(child, BothEnds):
                    setattr(parent, name, BothEndsOfOne(child))
        self.corpus = corpus
        self.features = tuple(config.keys)
        sequences = {name for name, key in config.keys.items() if key.kind == "sequence"}
        self.summarised = {n for n in sequences if config.encoding.summarises(n, sequence=True)}

    def forward(self, *features: Tensor) -> Tensor:
        """Features in the order of `features`, each (frames, dim) or (dim,) -> (labels,)."""
        batch = {}
        for name, values in zip(self.features, features, strict=True):
            values = values.float()
            if name in self.summarised:
                values = functionals(values)
            length = values.shape[0] if values.dim() == 2 else 1
            batch[name] = (values[None], torch.full((1,), length))
        said: Tensor = self.ensemble(batch, self.corpus)[0]
        return said


class OneSequence(nn.Module):
    """A `SequenceEncoder` for one sequence: its two convolutions made one, its LSTM without
    padding."""

    def __init__(self, encoder: SequenceEncoder) -> None:
        super().__init__()
        wide, narrow = encoder.wide, encoder.narrow
        assert wide.bias is not None
        assert narrow.bias is not None
        self.convolution = nn.Conv1d(wide.in_channels, wide.out_channels, 5, padding=2)
        self.convolution.weight = nn.Parameter(wide.weight + F.pad(narrow.weight, (1, 1)), False)
        self.convolution.bias = nn.Parameter(wide.bias + narrow.bias, False)
        self.lstm = OneBiLSTM(encoder.lstm)
        self.attention = encoder.attention

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(1, L, dim) -> (1, 256); the length is there for the common signature."""
        outputs, state = self.lstm(self.convolution(x.transpose(1, 2)).transpose(1, 2))
        z: Tensor = self.attention(state, outputs, torch.ones_like(outputs[:, :, 0]).bool())
        return z


class OneBiLSTM(nn.Module):
    """A `BiLSTM` for one sequence."""

    def __init__(self, lstm: BiLSTM) -> None:
        super().__init__()
        self.ahead, self.back = lstm.ahead, lstm.back

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(1, L, dim) -> the top layer's outputs (1, L, 2 hidden) and last states (1, 2 hidden)."""
        for ahead, back in zip(self.ahead, self.back, strict=True):
            forward, _ = ahead(x)
            backward, _ = back(x.flip(1))
            x = torch.cat([forward, backward.flip(1)], dim=-1)
        return x, torch.cat([forward[:, -1], backward[:, -1]], dim=-1)


class BothEndsOfOne(nn.Module):
    """A `BothEnds` for one utterance, of which it hears both pieces though they be the same."""

    def __init__(self, system: BothEnds) -> None:
        super().__init__()
        self.system, self.frames = system, system.frames

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """(1, L, dim) -> (1, 2 size); the length is there for the common signature."""
        ends = [beginning(each, self.frames) for each in (x, x[:, -self.frames :])]
        return self.system.represent(torch.cat(ends)).flatten()[None]


def functionals(frames: Tensor) -> Tensor:
    """`train.functionals.functionals` of one sequence: (L, D) -> (9 D,).

    A sequence of fewer than three frames, of which every frame counts three times, is not written
    out: places in it are divided by three.
    """
    count = torch.full((), frames.shape[0])
    times = torch.where(count < STRETCHES, STRETCHES, 1)
    total = times * count
    mean = frames.mean(0)
    std = (frames - mean).square().mean(0).sqrt()
    change = (frames[1:] - frames[:-1]).square().sum(0)
    rms = (change / (total - 1)).sqrt()
    parts = [mean, std, rms, *_percentiles(frames, times, total), *_thirds(frames, times, total)]
    assert len(parts) == SUMMARIES["functionals"]
    return torch.cat(parts)


def _percentiles(frames: Tensor, times: Tensor, total: Tensor) -> Iterator[Tensor]:
    """Each (D,), with linear interpolation between frames."""
    ranked, _ = frames.sort(0)
    for share in PERCENTILES:
        place = share * (total - 1).double()
        low, high = (ranked[at.long() // times] for at in (place.floor(), place.ceil()))
        yield low + (place - place.floor()).to(low.dtype) * (high - low)


def _thirds(frames: Tensor, times: Tensor, total: Tensor) -> Iterator[Tensor]:
    """The means (D,) of the stretches."""
    begin = times * torch.arange(frames.shape[0])
    start = torch.zeros_like(total)
    for number in range(STRETCHES):
        end = start + total // STRETCHES + (total % STRETCHES > number)
        inside = torch.minimum(end, begin + times) - torch.maximum(start, begin)
        weights = inside.clamp(min=0) / (end - start).to(frames.dtype)
        yield weights @ frames
        start = end
