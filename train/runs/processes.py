"""How worker processes are started. Imports nothing heavy, so that it can be asked at once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
from multiprocessing.context import BaseContext

from ...signals import handled

LARGE_PAGES = {"THP_MEM_ALLOC_ENABLE": "1"}
"""By this torch asks Linux for large pages; without, a fifth of an LSTM's training goes into the
system's clearing of small ones. Set before torch is imported."""

LONGEST_SOCKET = 103
"""Bytes in the path of a Unix socket on macOS; Linux takes four more."""


def worker_context() -> BaseContext:
    """The way in which worker processes start.

    Where the system has it, from a process that has imported what they need and nothing else: they
    begin at once and share that memory. Elsewhere, such as on Windows or where the path of the
    temporary folder is too long for its socket, each from nothing.
    """
    socket = len(os.fsencode(tempfile.gettempdir())) + len("/pymp-12345678/listener-12345678")
    if "forkserver" in multiprocessing.get_all_start_methods() and socket <= LONGEST_SOCKET:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["ser.train.runs.pool"])
        return context
    return multiprocessing.get_context("spawn")


def prepare_workers() -> None:
    """Let that process begin its imports now, while this one does something else.

    To be called before torch is imported.
    """
    for name, value in LARGE_PAGES.items():
        os.environ.setdefault(name, value)
    if worker_context().get_start_method() == "forkserver":
        from multiprocessing.forkserver import ensure_running

        # Ctrl-C reaches every process of the terminal; this one alone acts on it.
        with handled({signal.SIGINT: signal.SIG_IGN}):
            ensure_running()
