"""`ser reproduce`: run what is missing, then write the table or figure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..cache import Cache
from ..errors import InputError
from ..files import atomic_text
from ..progress import Progress
from ..train.run_folder import read_json
from .figures import check_matplotlib, draw3, draw4, figure3, figure4, markdown3, markdown4
from .plans import PLANS, Order, check_order, choose_corpora, describe
from .sweep import RUNS, sweep
from .tables import build_table, markdown


@dataclass(frozen=True)
class Reproduced:
    """What was written, and the table as Markdown."""

    files: tuple[Path, ...]
    markdown: str
    values: dict[str, object]


def reproduce(
    order: Order, cache: Cache, out: Path, command: str, progress: Progress
) -> Reproduced:
    """Run all experiments of a table or figure that `out` does not hold yet, and write it there.

    Writes `<what>.json`, `<what>.md`, for a figure `<what>.png`, and a run folder for every
    experiment in `runs`.

    Args:
        command: what was typed, for the record.

    Raises:
        InputError: wrong usage, or a table of something else would be replaced.
        MissingPackageError: a figure cannot be drawn.
        and as `train`.
    """
    check_order(order)
    if order.what.startswith("fig"):
        check_matplotlib()
    order = choose_corpora(order, cache)
    files = [out.resolve() / f"{order.what}.{suffix}" for suffix in ("json", "md")]
    if not order.overwrite:
        _check_files(files, describe(order, command))
    work = sweep(PLANS[order.what](order), cache, out, progress)
    runs = work.out / RUNS
    if order.what == "fig3":
        domains = work.domains[order.config.model.encoder]
        values = describe(order, command) | figure3(order, work.experiments, domains, runs)
        text = markdown3(values)
    elif order.what == "fig4":
        values = describe(order, command) | figure4(order, runs)
        text = markdown4(values)
    else:
        values = build_table(order, work.experiments, runs, command, work.notes)
        text = markdown(values)
    atomic_text(files[0], json.dumps(values, indent=2, ensure_ascii=False) + "\n")
    atomic_text(files[1], text)
    if order.what.startswith("fig"):
        files.append(work.out / f"{order.what}.png")
        (draw3 if order.what == "fig3" else draw4)(values, files[-1])
    return Reproduced(tuple(files), text, values)


def _check_files(files: Sequence[Path], about: Mapping[str, Any]) -> None:
    """Raise InputError for files that would be replaced and are not of the same order."""
    there = [file for file in files if file.exists()]
    if not there:
        return
    try:
        found = read_json(files[0])
        same = all(found[name] == value for name, value in about.items() if name != "command")
    except (OSError, ValueError, KeyError, TypeError):
        same = False
    if not same:
        raise InputError(
            f"{there[0]}: is of something else, such as other corpora or settings; choose another "
            "--out, or say --overwrite"
        )
