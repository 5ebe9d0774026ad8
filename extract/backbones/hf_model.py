"""A speech encoder of transformers: loaded safely and wholly, run without mixing utterances."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import nullcontext
from importlib.util import find_spec
from itertools import accumulate
from math import prod
from operator import mul
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...machine import inference, torch_device
from ..batches import equal_lengths
from ..weights.hf_weights import load_network
from .backbone import Array
from .speech_models import SpeechModel
from .whisper import split_chunks

_UNFUSED = frozenset({"wavlm", "wav2vec2-conformer"})
"""Families whose positions enter the scores of the attention, which therefore are all in memory."""

_WHISPER_CHUNKS = 4
"""Pieces of 30 s that go through Whisper at once."""


class Encoder:
    """Prepared utterances in, hidden states of one layer out."""

    def __init__(self, model: SpeechModel, layer: str, device: str) -> None:
        """Load a model for a layer, "last", "mean" or a number.

        Raises:
            SerError: as `load_network`.
            InputError: there is no such device.
        """
        self._device = torch_device(device)
        self._chunk = model.chunk
        self._layer = layer
        self._network: Any = load_network(model, self._device)
        # Hidden states are gathered by replacing methods of the network for a while, but where
        # transformers says that threads do not see each other's.
        safe = layer == "last" or find_spec("transformers.utils.output_capturing") is not None
        self._one_at_a_time = nullcontext() if safe else threading.Lock()
        if layer.isdecimal():
            # The hidden state n is what goes into the layer after it: none further need run.
            layers = "layers" if model.chunk else "encoder.layers"
            del self._network.get_submodule(layers)[int(layer) + 1 :]

    def __call__(self, batch: Sequence[Array]) -> list[Array]:
        """What `HuggingFace.prepare` returned to (frames, dim) for each.

        Samples of equal length go together and others do not: some of these models normalise over
        time, or convolve over what they made of padding, so padding would change their numbers.
        """
        with inference(self._device), self._one_at_a_time:
            if self._chunk:
                return self._run_whisper(batch)
            found: dict[int, Array] = {}
            for group in equal_lengths(batch):
                stacked = torch.from_numpy(np.stack([batch[i] for i in group]))
                states = self._hidden(stacked.to(self._device)).cpu().numpy()
                found.update(zip(group, states, strict=True))
        return [found[i] for i in range(len(batch))]

    def memory(self, samples: int) -> int:
        """Bytes that an utterance of so many samples takes, about; 0 for Whisper, which hears 30 s
        at a time.

        The most is taken by the first convolution's output, several times over (measured), or
        in families whose attention is no fused operation by its scores: the square of the frames.
        """
        if self._chunk:
            return 0
        config = self._network.config
        hops = accumulate(config.conv_stride, mul)
        widest = max(width / hop for width, hop in zip(config.conv_dim, hops, strict=False))
        copies = 2.5 if getattr(config, "feat_extract_norm", "layer") == "group" else 3.5
        frames = samples // prod(config.conv_stride)
        states = 4 * frames * config.hidden_size * (config.num_hidden_layers + 1)
        fused = config.model_type not in _UNFUSED and config._attn_implementation != "eager"
        scores = 0 if fused else 4 * 4 * frames**2 * config.num_attention_heads
        return int(max(4 * copies * widest * samples, states + scores))

    def _run_whisper(self, batch: Sequence[Array]) -> list[Array]:
        pieces = [split_chunks(mel, self._chunk) for mel in batch]
        flat = [piece for utterance in pieces for piece in utterance]
        rows: list[Array] = []
        for start in range(0, len(flat), _WHISPER_CHUNKS):
            part = flat[start : start + _WHISPER_CHUNKS]
            mels = np.stack([mel.T for mel, _ in part])
            states = self._hidden(torch.from_numpy(mels).to(self._device)).cpu().numpy()
            rows += [state[:own] for state, (_, own) in zip(states, part, strict=True)]
        each = iter(rows)
        return [np.concatenate([next(each) for _ in utterance]) for utterance in pieces]

    def _hidden(self, inputs: Tensor) -> Tensor:
        """Hidden states of the layer, shape (utterances, frames, dim)."""
        if self._layer == "last":
            last: Tensor = self._network(inputs).last_hidden_state
            return last
        states: tuple[Tensor, ...]
        states = self._network(inputs, output_hidden_states=True).hidden_states
        if self._layer == "mean":
            return torch.stack(states).mean(dim=0)
        return states[int(self._layer)]
