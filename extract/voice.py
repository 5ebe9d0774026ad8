"""Where in a recording somebody speaks: Silero's voice activity detector, as a stream.

The network of https://github.com/snakers4/silero-vad (MIT), version 6, for 16 kHz. Its package is
never imported, only its weights are read.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..checkpoints import load_state
from ..errors import MissingPackageError, install_command
from ..machine import inference
from .backbones.backbone import Array

STEP = 512
"""Samples that one probability is about: 32 ms."""

AT_ONCE = 32
"""Steps of one call. Always as many, so that what is found does not depend on how the samples came
in."""

_CONTEXT = 64  # samples before a step that the network sees with it
_CPU = torch.device("cpu")


class VoiceActivity:
    """The probability of speech in each step of a stream of samples at 16 kHz.

    What it says of a step depends on that step and those before it.
    """

    def __init__(self) -> None:
        """Begin a recording; raises MissingPackageError where the weights are not installed."""
        self._network = _network()
        self._state: tuple[Tensor, Tensor] | None = None
        self._context = np.zeros(_CONTEXT, np.float32)
        self._waiting: list[Array] = []

    def add(self, samples: Array) -> Array:
        """Take the next samples, (samples,), and give the probabilities that are known by now and
        were not given before, (steps,)."""
        self._waiting.append(samples)
        if sum(map(len, self._waiting)) < AT_ONCE * STEP:
            return np.empty(0, np.float32)
        waiting = np.concatenate(self._waiting)
        whole = len(waiting) - len(waiting) % (AT_ONCE * STEP)
        self._waiting = [waiting[whole:]]
        blocks = waiting[:whole].reshape(-1, AT_ONCE * STEP)
        return np.concatenate([self._probabilities(block) for block in blocks])

    def finish(self) -> Array:
        """The rest of the probabilities, at the end of a recording: zeros are taken to follow."""
        rest = sum(map(len, self._waiting))
        lacking = np.zeros(-rest % (AT_ONCE * STEP), np.float32)
        return self.add(lacking)[: -(-rest // STEP)]

    def _probabilities(self, block: Array) -> Array:
        samples = np.concatenate((self._context, block))
        self._context = samples[-_CONTEXT:]
        with inference(_CPU):
            steps = torch.from_numpy(samples).unfold(0, _CONTEXT + STEP, STEP)
            said, self._state = self._network(steps, self._state)
            found: Array = said.numpy()
        return found


class _Silero(nn.Module):
    """A spectrum by convolution, four convolutions, an LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.stft_conv = nn.Conv1d(1, 258, kernel_size=256, stride=128, bias=False)
        self.conv1 = nn.Conv1d(129, 128, kernel_size=3, padding=1)
        self.conv2 = nn.Conv1d(128, 64, kernel_size=3, stride=2, padding=1)
        self.conv3 = nn.Conv1d(64, 64, kernel_size=3, stride=2, padding=1)
        self.conv4 = nn.Conv1d(64, 128, kernel_size=3, padding=1)
        self.lstm = nn.LSTM(128, 128)
        self.final_conv = nn.Conv1d(128, 1, kernel_size=1)

    def forward(
        self, steps: Tensor, state: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Steps in their order, (n, context + step), and the state before them, to the probability
        of speech in each, (n,), and the state after them."""
        padded = nn.functional.pad(steps[:, None], (0, 64), mode="reflect")
        real, imaginary = self.stft_conv(padded).chunk(2, dim=1)
        found = (real.square() + imaginary.square()).sqrt()
        for convolution in (self.conv1, self.conv2, self.conv3, self.conv4):
            found = convolution(found).relu()
        found, state = self.lstm(found.squeeze(-1), state)
        return self.final_conv(found.relu().T).sigmoid()[0], state


@cache
def _network() -> _Silero:
    """The network with the published weights, on the CPU."""
    import safetensors.torch

    path = weights_file()
    state = {
        re.sub(r"^lstm_cell\.(.*)", r"lstm.\1_l0", name): tensor
        for name, tensor in safetensors.torch.load_file(path).items()
    }
    network = _Silero()
    load_state(network, state, ("",), path, "the weights of Silero's voice activity detector")
    return network.eval()


def weights_file() -> Path:
    """Where the weights are, in the package silero-vad, without importing it.

    Raises:
        MissingPackageError: it is not installed, or has lost them.
    """
    package = find_spec("silero_vad")
    for folder in (package.submodule_search_locations if package else None) or []:
        path = Path(folder) / "data" / "silero_vad_16k.safetensors"
        if path.is_file():
            return path
    raise MissingPackageError(
        "finding speech needs the package silero-vad, which is not installed, or has lost its "
        f"weights: {install_command('extract')}"
    )
