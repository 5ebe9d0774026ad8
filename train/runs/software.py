"""What made a number, beside its settings: versions of software, the processor."""

from __future__ import annotations

import hashlib
import platform
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path

import torch

from ... import __version__

CPUINFO = Path("/proc/cpuinfo")
"""Where Linux says what the processor is called."""


def software() -> dict[str, str]:
    """The versions that the numbers may depend on beside the settings."""
    packages = ("numpy", "pandas", "scikit-learn", "h5py", "safetensors")
    return {
        "ser": __version__,
        "ser.train": source_hash(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        **{name: metadata.version(name) for name in packages},
    }


@cache
def source_hash() -> str:
    """8 hex digits of the SHA-256 of the code that trains, which people change between versions."""
    folder = Path(__file__).parents[1]
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.py")))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


@cache
def processor(device: torch.device) -> str:
    """What computes on a device: its name, and of a CPU the instructions that torch uses.

    Processors of other instructions add up in another order, so that a last digit differs, and
    after training now and then a prediction.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    name = platform.processor() or platform.machine()
    with suppress(OSError):
        lines = CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
        named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
        name = next(named, name)
    return f"{name}, {torch.backends.cpu.get_cpu_capability()}"
