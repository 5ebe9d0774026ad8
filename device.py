"""Where torch models run, and that it does not change their numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .errors import InputError

if TYPE_CHECKING:
    import torch


def torch_device(name: str) -> torch.device:
    """The device that a user names; "auto" is a GPU where there is one.

    Raises:
        InputError: there is no such device on this machine.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0][:120]
        raise InputError(
            f"device {name!r} cannot be used ({reason}); try --device cpu or --device auto"
        ) from None
    return device


@contextmanager
def exact_float32() -> Iterator[None]:
    """Keep TF32, which rounds to ten bits, out of what cuDNN computes: LSTMs and convolutions."""
    import torch

    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield
