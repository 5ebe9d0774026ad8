"""How worker processes are started. Imports nothing heavy, so that it can be asked at once."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import socket
import stat
import tempfile
import time
from contextlib import suppress
from multiprocessing.context import BaseContext
from pathlib import Path

from ...signals import handled

PRELOADED = ["ser.train.runs.pool"]
"""What every worker needs."""

LARGE_PAGES = {"THP_MEM_ALLOC_ENABLE": "1"}
"""By this torch asks Linux for large pages; without, a fifth of an LSTM's training goes into the
system's clearing of small ones. Set before torch is imported."""


def worker_context() -> BaseContext:
    """The way in which worker processes start.

    Where the system has it, from a process that has imported what they need and nothing else: they
    begin at once and share that memory. Elsewhere, such as on Windows, each from nothing.
    """
    if "forkserver" in multiprocessing.get_all_start_methods():
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        return context
    return multiprocessing.get_context("spawn")


def prepare_workers() -> None:
    """Let that process begin its imports now, while this one does something else.

    To be called before torch is imported.
    """
    for name, value in LARGE_PAGES.items():
        os.environ.setdefault(name, value)
    sweep_sockets(Path(tempfile.gettempdir()))
    if worker_context().get_start_method() == "forkserver":
        from multiprocessing.forkserver import ensure_running

        # Ctrl-C reaches every process of the terminal; this one alone acts on it.
        with handled({signal.SIGINT: signal.SIG_IGN}):
            ensure_running()


def sweep_sockets(folder: Path, older_than: float = 86_400.0) -> None:
    """Remove the folders of sockets that multiprocessing left in `folder`, the temporary one, when
    processes of this user were killed: those a day old on whose sockets nobody answers."""
    if os.name != "posix":
        return
    for found in folder.glob("pymp-*"):
        with suppress(OSError):
            status = found.lstat()
            old = time.time() - status.st_mtime > older_than
            if not (stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and old):
                continue
            entries = list(found.iterdir())
            if not any(map(_is_alive, entries)):
                for path in entries:
                    path.unlink()
                found.rmdir()


def _is_alive(path: Path) -> bool:
    """Whether this is a socket on which a process listens, or anything but a socket."""
    if not path.is_socket():
        return True
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        return client.connect_ex(str(path)) != errno.ECONNREFUSED
