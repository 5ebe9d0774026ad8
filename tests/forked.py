"""Processes that begin at once: forked from one that has imported what they need."""

from __future__ import annotations

import multiprocessing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext

PRELOAD = [
    *("ser.train.runs.pool", "ser.extract", "ser.cache.remotes", "ser.tests.conftest"),
    *("librosa", "pandas", "soundfile", "soxr"),
]
"""The last are what the package imports late."""


def fork_server() -> ForkServerContext:
    """How to start them, where the system has that.

    What a server imports is settled when its first process starts, whoever starts that.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    return context
