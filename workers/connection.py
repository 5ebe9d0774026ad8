"""The way to a Ray cluster, and whether it has what this machine has."""

from __future__ import annotations

import hashlib
import platform
import socket
from functools import cache
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__
from ..errors import MissingPackageError, SerError, install_command

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[1]
CONNECT_SECONDS = 10.0


def connected(address: str) -> ModuleType:
    """Ray, connected to a cluster; as it is where this process is already connected to one.

    Raises:
        MissingPackageError: it is not installed.
        SerError: there is no such cluster, or it is of other versions.
    """
    if find_spec("ray") is None:
        raise MissingPackageError(
            f"--cluster {address} needs Ray, which is not installed: {install_command('ray')}"
        )
    import ray

    if not ray.is_initialized():
        _check_port(address)
        try:
            ray.init(
                address=address,
                log_to_driver=False,
                configure_logging=False,
                namespace="ser",
            )
        except Exception as error:  # whatever Ray raises, of which there is a lot
            raise SerError(f"--cluster {address}: {_unreachable(error)}") from error
    return ray


def _check_port(address: str) -> None:
    """Raise SerError where nobody listens, of which Ray is sure after minutes only."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise SerError(f"--cluster {address}: {_unreachable(error)}") from error


def _unreachable(error: Exception) -> str:
    """Why a cluster cannot be used, from what Ray says."""
    text = " ".join(str(error).split())
    if "version mismatch" in text.lower():
        return (
            f"it runs other versions than this machine: {text[:400]}. Python and Ray must be the "
            "same on all machines"
        )
    return (
        f"no such cluster ({type(error).__name__}: {text[:200]}). `ray status` on its head says "
        "whether it runs; ray://HOST:10001 is the port for machines that are not of it"
    )


@cache
def versions() -> tuple[str, str]:
    """Of ser, with a hash of its code, and of Python."""
    rooms = [path.parent for path in sorted(ROOT.glob("*/__init__.py"))]
    files = [*ROOT.glob("*.py"), *chain.from_iterable(room.rglob("*.py") for room in rooms)]
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return f"{__version__} ({digest.hexdigest()[:8]})", platform.python_version()


def other_versions(host: str, here: tuple[str, str], there: tuple[str, str]) -> str:
    """What to say of a worker of other versions of ser and Python."""
    names = ("ser", "Python")
    differ = " and ".join(
        f"{name} {other} (here {own})"
        for name, own, other in zip(names, here, there, strict=True)
        if own != other
    )
    return f"{host} has {differ}; install the same on all machines of the cluster. Nothing is lost"
