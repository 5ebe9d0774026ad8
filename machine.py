"""What this machine has, cores, memory and devices, and models run so that their numbers do not
depend on it."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import InputError

if TYPE_CHECKING:
    import torch
    from threadpoolctl import ThreadpoolController


@lru_cache(maxsize=1)
def machine_id() -> str:
    """Twelve hex digits for this machine, or the container that this runs in: where a process is
    known by its number."""
    node = uuid.getnode()
    if node >> 40 & 1:  # drawn at random, for want of a network card
        node = 0
    processes = ""
    with suppress(OSError):  # on Linux: two containers may have one name and one card
        processes = str(Path("/proc/self/ns/pid").readlink())
    name = f"{socket.gethostname()} {node} {processes}"
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:12]


def is_running(pid: int) -> bool:
    """Whether a process of this machine has this number now; so it is where there is no telling."""
    if os.name == "nt":  # where os.kill would end it
        import psutil

        return psutil.pid_exists(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True


_most_cores: int | None = None


def cores() -> int:
    """The cores that this process may use."""
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(here or 1, _most_cores or sys.maxsize)


def limit_cores(count: int) -> None:
    """Use no more cores from now on: the others are somebody else's."""
    global _most_cores
    _most_cores = count


@contextmanager
def one_thread() -> Iterator[None]:
    """Let the BLAS libraries of this process compute in one thread, and torch in this one alone.

    Sums that threads share are added in another order for every number of threads. torch counts
    where it is imported already.
    """
    with _libraries(len(sys.modules)).limit(limits=1, user_api="blas"), one_torch_thread():
        yield


@lru_cache(maxsize=1)
def _libraries(modules: int) -> ThreadpoolController:
    """What can be held to one thread, looked for again when there are more modules than before."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Let torch compute in the thread that calls it alone."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


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


def left_in_groups(
    groups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")
) -> Iterator[int]:
    """What this process' control group, and each above it, has left of its limit (cgroup v2): that
    of a container, or of a job of a cluster.

    Files that the system holds in memory do not count: it gives them up where memory is asked for.
    """
    try:
        name = next(line[3:] for line in own.read_text().splitlines() if line.startswith("0::"))
    except (OSError, StopIteration):
        return
    group = groups / name.strip("/")
    for folder in [path for path in (group, *group.parents) if path.is_relative_to(groups)]:
        try:
            limit = (folder / "memory.max").read_text().strip()
            stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            if limit != "max":
                yield max(0, int(limit) - int(stat["anon"]) - int(stat["shmem"]))
        except (OSError, ValueError, KeyError):
            continue
