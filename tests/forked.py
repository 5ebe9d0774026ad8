"""Processes that begin at once: forked from one that has imported what they need."""

from __future__ import annotations

import multiprocessing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext

PRELOAD = (
    *("ser.train.runs.pool", "ser.extract", "ser.cache.remotes", "ser.manifests"),
    *("h5py", "librosa", "soundfile", "soxr", "pytest", "hypothesis"),
)


def fork_server(*more: str) -> ForkServerContext:
    """How to start them where the system has that, after importing `more` too.

    What a server imports is settled when its first process starts, whoever starts that.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*PRELOAD, *more])
    return context
