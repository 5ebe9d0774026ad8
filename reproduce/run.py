"""`ser reproduce`: run what is missing, then write the table or figure."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..cache import Cache
from ..errors import InputError, MissingPackageError, install_command
from ..files import atomic_text
from ..progress import Progress
from ..train.runs.experiment import resolve_all
from ..train.runs.run_folder import read_json
from ..train.runs.target import claimed
from .plans import PLANS, Order, check_order, choose_corpora, describe


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
    progress.show("looking up corpora in the cache")
    order = choose_corpora(order, cache)
    out = Path(os.path.realpath(out))
    files = [out / f"{order.what}.{suffix}" for suffix in ("json", "md")]
    if not order.overwrite:
        _check_files(files, describe(order, command))
    experiments = resolve_all(PLANS[order.what](order), cache)
    progress.show("loading torch")
    from .figures import draw3, draw4, figure3, figure4, markdown3, markdown4
    from .sweep import RUNS, sweep
    from .tables import build_table, markdown

    with claimed(out / RUNS, progress.say):
        work = sweep(experiments, cache, out, progress)
        about, results = describe(order, command), work.results()
        if order.what == "fig3":
            values = about | figure3(order, work, results)
            text = markdown3(values)
        elif order.what == "fig4":
            values = about | figure4(order, work, results)
            text = markdown4(values)
        else:
            values = about | build_table(order, work.experiments, results, work.notes)
            text = markdown(values)
        atomic_text(files[0], json.dumps(values, indent=2, ensure_ascii=False) + "\n")
        atomic_text(files[1], text)
        if order.what.startswith("fig"):
            files.append(out / f"{order.what}.png")
            (draw3 if order.what == "fig3" else draw4)(values, files[-1])
    return Reproduced(tuple(files), text, values)


def check_matplotlib() -> None:
    """Raise MissingPackageError before hours are spent on what cannot be drawn."""
    if find_spec("matplotlib") is None:
        raise MissingPackageError(
            f"figures need matplotlib, which is not installed: {install_command('plots')}"
        )


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
