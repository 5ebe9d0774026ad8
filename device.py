"""Where torch models run, and that it does not change their numbers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
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


def free_memory(device: torch.device) -> int:
    """Bytes that are free for what a device is to work on, on the host and on the device."""
    import psutil
    import torch

    free = [psutil.virtual_memory().available]
    shared = Path("/dev/shm")  # on Linux; often smaller than the rest, above all in a container
    if shared.is_dir():
        free.append(shutil.disk_usage(shared).free)
    if device.type == "cuda":
        free.append(torch.cuda.mem_get_info(device)[0])
    return min(free)


@contextmanager
def exact_float32() -> Iterator[None]:
    """Keep TF32, which rounds to ten bits, out of what cuDNN computes: LSTMs and convolutions."""
    import torch

    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield
