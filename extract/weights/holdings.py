"""Which weights are on this machine, and whether they are what they should be."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...errors import SerError
from . import known as known
from .known import HUB_FOLDER, Weights, digest, hub_weights, is_hub_id, place, weights_folder
from .records import find_problem, first_seen, read_record

State = Literal["here", "missing", "damaged"]


@dataclass(frozen=True)
class Holding:
    """Weights as they are on this machine.

    Attributes:
        weights: which.
        path: where they are or would be.
        state: `damaged` are bytes other than those that are known or were recorded, and those
            that cannot be read.
        size: bytes; of what is here, else of what is to be fetched, where that is known.
        hash: sha256 of the file, or over the files of the folder (see `digest`).
        revision: commit of a model of the hub.
        licence: as the hub stated it, else what is known of it.
        first_seen: the day from which on its bytes are known here, and nowhere else.
        problem: what is wrong with what is damaged.
    """

    weights: Weights
    path: Path
    state: State
    size: int | None = None
    hash: str | None = None
    revision: str | None = None
    licence: str = ""
    first_seen: str | None = None
    problem: str | None = None


def survey() -> list[Holding]:
    """The weights that are known, and those of other hub models that are here."""
    listed = list(known.KNOWN)
    names = {weights.name for weights in listed}
    hub = weights_folder() / HUB_FOLDER
    for folder in sorted(hub.iterdir()) if hub.is_dir() else []:
        model = folder.name.replace("--", "/", 1)
        if folder.is_dir() and is_hub_id(model) and f"{HUB_FOLDER}/{folder.name}" not in names:
            listed.append(hub_weights(model))
    return [find_holding(weights) for weights in listed]


def find_holding(weights: Weights) -> Holding:
    """What is here of some weights."""
    path = place(weights)
    if not os.path.lexists(path):
        return Holding(weights, path, "missing", weights.size, licence=weights.licence)
    try:
        found = digest(path)
        record = read_record(path)
        problem = find_problem(weights, path, found, record)
        files = path.rglob("*") if path.is_dir() else [path]
        size = sum(file.stat().st_size for file in files if file.is_file())
    except (SerError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        return Holding(weights, path, "damaged", licence=weights.licence, problem=reason)
    return Holding(
        weights,
        path,
        "damaged" if problem else "here",
        size,
        found,
        record.get("revision"),
        record.get("licence") or weights.licence,
        first_seen(weights, record),
        problem,
    )
