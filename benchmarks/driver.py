"""How many pieces a second one process hands out to the workers of a Ray cluster, which compute
nothing: a cluster of several nodes on this machine. Prints Markdown.

    python benchmarks/driver.py
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from ser.extract.pieces import Piece
from ser.extract.prepare import Task
from ser.extract.results import Made
from ser.tests.ray_cluster import ray_cluster
from ser.workers.cluster import Cluster

PIECES = 400
SECONDS = 3.5
"""Of an utterance, about what emotional corpora have."""
SPECS = ("mfcc", "ge2e")


def idle(tell: Callable[[Any], None]) -> Callable[[Piece], Made]:
    """A worker that says of every piece that it is done."""

    def answer(piece: Piece) -> Made:
        ids = [task.id for task in piece.tasks]
        counts = dict.fromkeys(SPECS, len(ids))
        return Made(len(ids), SECONDS * len(ids), counts, dict.fromkeys(SPECS, ids), {})

    return answer


def pieces(utterances: int) -> list[Piece]:
    """So many utterances in each."""
    return [
        Piece(
            tuple(
                Task(f"speaker-{p}_{n:06}", f"wav/{p}/{n:06}.flac", "0" * 32, SPECS, SECONDS)
                for n in range(utterances)
            )
        )
        for p in range(PIECES)
    ]


def main() -> None:
    print("| workers | utterances a piece | audio a piece | pieces a second |")
    print("| ---: | ---: | ---: | ---: |")
    with pytest.MonkeyPatch.context() as patch, ray_cluster(patch) as nodes:
        for workers in (2, 4):
            while len(nodes.nodes) < workers:
                nodes.add()
            for utterances in (17, 500):
                with Cluster(nodes.address).running(idle, iter(pieces(utterances))) as results:
                    for _ in range(2 * workers):  # until all have come to work
                        next(results)
                    started = time.perf_counter()
                    rate = sum(1 for _ in results) / (time.perf_counter() - started)
                minutes = utterances * SECONDS / 60
                print(f"| {workers} | {utterances} | {minutes:.0f} min | {rate:.0f} |", flush=True)


if __name__ == "__main__":
    main()
