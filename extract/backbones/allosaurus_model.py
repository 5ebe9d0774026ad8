"""The acoustic model of Allosaurus: the package's module, loaded safely and run in batches."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import torch

from ...checkpoints import load_state, read_checkpoint
from ...errors import SerError
from ...machine import inference, torch_device
from ..packages import need
from ..weights.model_folder import read_json
from .backbone import Array
from .bilstm import PaddedBiLstm
from .settings import shown

SIZES = {"feat_size": 120, "hidden_size": 320, "layer_size": 5, "phone_size": 230}
"""The published architecture, as am_config.json names it."""
_WHAT = "the acoustic model of Allosaurus"
_LAYERS = ("blstm_layer.", "phone_layer.")


class PhoneRecogniser:
    """BiLSTM 120 -> 5 x 320 both ways, linear 640 -> 230."""

    def __init__(self, folder: Path, device: str) -> None:
        """Load a model's folder; the package's own loader would unpickle what it finds.

        Raises:
            MissingPackageError: the package is not installed.
            SerError: the model is damaged, asks for code, or is another architecture.
            InputError: there is no such device.
        """
        self._device = torch_device(device)
        package = need("allosaurus.am.allosaurus_torch", "allosaurus", extra="allosaurus")
        model = package.AllosaurusTorchModel(_read_sizes(folder / "am_config.json"))
        path = folder / "model.pt"
        state = read_checkpoint(path, _WHAT, below=folder)
        if isinstance(state, dict):
            state = {str(name).removeprefix("module."): value for name, value in state.items()}
        # The allophone layers of the languages it was trained on are in the file too.
        load_state(model, state, _LAYERS, path, _WHAT)
        model.to(self._device).eval()
        self._lstm = PaddedBiLstm(model.blstm_layer)
        self._phones = model.phone_layer

    def __call__(self, batch: Sequence[Array], hidden: bool) -> list[Array]:
        """Cepstra, (frames, 120) each, to logits, (frames, 230), or the BiLSTM's output,
        (frames, 640)."""
        lengths = [len(frames) for frames in batch]
        padded = torch.nn.utils.rnn.pad_sequence(
            [torch.from_numpy(frames) for frames in batch], batch_first=True
        )
        with inference(self._device):
            states = self._lstm(padded.to(self._device), lengths)
            rows = (states if hidden else self._phones(states)).cpu().numpy()
        return [row[:length].copy() for row, length in zip(rows, lengths, strict=True)]


def _read_sizes(path: Path) -> Namespace:
    """The architecture, and nothing else; one of other sizes would not be what the key says."""
    found = read_json(path.parent, path.name, "an Allosaurus model")
    if found.get("feat_size") == -1:  # then it stands by corpus and feature
        try:
            found["feat_size"] = next(iter(next(iter(found["feat_size_dict"].values())).values()))
        except (TypeError, KeyError, AttributeError, StopIteration) as error:
            raise SerError(f"{path}: damaged (feat_size_dict has no size)") from error
    for name, size in SIZES.items():
        value = found.get(name)
        if value != size or isinstance(value, bool):
            raise SerError(
                f"{path}: not the published architecture: {name} is {shown(value)}, expected {size}"
            )
    # Languages would add layers that nothing here uses, of any size.
    return Namespace(**SIZES, proj_size=0, lang_size_dict={})
