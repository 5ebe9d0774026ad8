"""Where torch models run, and that it does not change their numbers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from .cores import one_torch_thread
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


@contextmanager
def inference(device: torch.device) -> Iterator[None]:
    """Run a model forwards, so that its numbers depend on what goes in and on nothing else.

    On a CPU it has one thread: how many there are decides in what order it adds. To use all cores,
    several threads call it at once.
    """
    import torch

    threads = one_torch_thread() if device.type == "cpu" else nullcontext()
    with torch.inference_mode(), exact_float32(), threads:
        yield


def release_memory(device: torch.device) -> None:
    """Give back what a GPU holds in reserve, so that a smaller attempt finds it in one piece."""
    import torch

    if device.type in ("cuda", "mps"):
        getattr(torch, device.type).empty_cache()
