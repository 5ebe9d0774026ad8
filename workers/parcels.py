"""Things for other machines, whose arrays travel beside them and are seen there without a copy."""

from __future__ import annotations

import io
import pickle
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cloudpickle
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Parcel:
    """A pickled thing.

    Attributes:
        buffers: the bytes of its arrays, one after the other.
    """

    data: bytes
    buffers: Sequence[Any]

    def opened(self) -> Any:
        """The thing; its arrays and tensors may not be written into."""
        return pickle.loads(self.data, buffers=self.buffers)


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # it has no types
    """With the classes of a notebook, and torch's tensors as arrays."""

    def reducer_override(self, obj: Any) -> Any:
        torch = sys.modules.get("torch")
        if torch is not None and type(obj) is torch.Tensor and obj.device.type == "cpu":
            return _tensor, (obj.detach().numpy(),)
        return super().reducer_override(obj)


def packed(thing: object) -> Parcel:
    """A thing, pickled."""
    buffers: list[NDArray[np.uint8]] = []

    def beside(buffer: pickle.PickleBuffer) -> None:
        buffers.append(np.frombuffer(buffer.raw(), np.uint8))

    file = io.BytesIO()
    _Pickler(file, protocol=5, buffer_callback=beside).dump(thing)
    return Parcel(file.getvalue(), buffers)


def _tensor(array: NDArray[Any]) -> Any:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it may not be written, and nobody does
        return torch.from_numpy(array)
