"""How much memory is free."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

GROUPS = Path("/sys/fs/cgroup")
"""Where Linux keeps the limits of containers and of the jobs of a cluster."""


def free_memory(device: torch.device) -> int:
    """Bytes that are free for what a device is to work on, on the host and on the device."""
    import torch

    free = [free_on_host()]
    shared = Path("/dev/shm")  # on Linux; often smaller than the rest, above all in a container
    if shared.is_dir():
        free.append(shutil.disk_usage(shared).free)
    if device.type == "cuda":
        free.append(torch.cuda.mem_get_info(device)[0])
    return min(free)


def free_on_host() -> int:
    """Bytes that this process could still take, whatever for."""
    import psutil

    free = [psutil.virtual_memory().available, *left_in_groups()]
    if sys.platform != "win32":
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            free.append(max(0, limit - psutil.Process().memory_info().vms))
    return min(free)


def left_in_groups(groups: Path = GROUPS, own: Path = Path("/proc/self/cgroup")) -> Iterator[int]:
    """What this process' control group, and each above it, has left of its limit (cgroup v2).

    Files that the system holds in memory do not count: it gives them up where memory is asked for.
    """
    try:
        name = next(line[3:] for line in own.read_text().splitlines() if line.startswith("0::"))
    except (OSError, StopIteration):
        return
    group = groups / name.strip("/")
    for folder in (group, *group.parents):
        if not folder.is_relative_to(groups):
            return
        try:
            limit = (folder / "memory.max").read_text().strip()
            stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            if limit != "max":
                yield max(0, int(limit) - int(stat["anon"]) - int(stat["shmem"]))
        except (OSError, ValueError, KeyError):
            continue
