"""`ser reproduce`: run what is missing, then write the table or figure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ..cache import Cache
from ..files import atomic_text
from ..progress import Progress
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
        InputError: wrong usage.
        MissingPackageError: a figure cannot be drawn.
        and as `train`.
    """
    check_order(order)
    if order.what.startswith("fig"):
        check_matplotlib()
    order = choose_corpora(order, cache)
    work = sweep(PLANS[order.what](order), cache, out, progress)
    runs = work.out / RUNS
    files = [work.out / f"{order.what}.json", work.out / f"{order.what}.md"]
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
