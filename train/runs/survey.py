"""Which runs there are in a folder, however deep."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...manifests import BY_MAP
from ..methods import METHODS
from .events import SUFFIX
from .report import decimal, folds, model_name
from .results import Metrics
from .run import CONFIG, METRICS, VERSIONS, Run

MARKS = frozenset({CONFIG, METRICS, VERSIONS})
"""A folder that has one of these is meant to be a run."""

APART = "*"
"""Behind numbers that are not to be set beside others; see `Trained.apart`."""

_TOLD = ("ua", "wa", "labels", "notes")


@dataclass(frozen=True)
class Trained:
    """A run that was found.

    Attributes:
        metrics: as the run wrote them.
        when: it was finished.
    """

    run: Run
    metrics: Metrics
    when: datetime

    @property
    def ua(self) -> float:
        """The mean over corpora."""
        rates = [domain["ua"]["mean"] for domain in self.metrics["domains"].values()]
        return sum(rates) / len(rates)

    @property
    def apart(self) -> bool:
        """Whether its numbers are of other labels than those of the corpora, or the test part had
        its say in them."""
        notes = {note for domain in self.metrics["domains"].values() for note in domain["notes"]}
        mapped = any(note.startswith(BY_MAP) for note in notes)
        caveats = {METHODS[name].caveat for name in METHODS} - {""}
        return bool(mapped or notes & caveats)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        metrics = self.metrics
        names = ("setting", "method", "preset", "changes", "features", "protocol", "repeats")
        return {
            "folder": str(self.run.folder),
            "corpora": list(metrics["domains"]),
            **{name: metrics[name] for name in names},  # type: ignore[literal-required]
            "ua": self.ua,
            "domains": {
                corpus: {name: domain[name] for name in _TOLD}  # type: ignore[literal-required]
                for corpus, domain in metrics["domains"].items()
            },
            "when": self.when.isoformat(timespec="seconds"),
        }

    def cells(self, below: Path) -> tuple[str, ...]:
        """The same as text, by `HEAD`; the folder as it is named from `below`."""
        metrics, repeats = self.metrics, self.metrics["repeats"]
        rates = {corpus: decimal(of["ua"]["mean"]) for corpus, of in metrics["domains"].items()}
        each = ""
        if len(rates) > 1:
            each = f" ({', '.join(f'{corpus} {rate}' for corpus, rate in rates.items())})"
        folder = self.run.folder
        return (
            str(folder.relative_to(below)) if folder != below else ".",
            ", ".join(rates),
            model_name(metrics),
            " + ".join(metrics["features"]),
            f"{metrics['protocol']}, {repeats} repeat{'s' if repeats != 1 else ''}"
            + folds(next(iter(metrics["domains"].values()))),
            decimal(self.ua) + APART * self.apart + each,
            self.when.astimezone().strftime("%Y-%m-%d %H:%M"),
        )


HEAD = ("run", "corpora", "model", "features", "protocol", "UA", "finished")


def find_runs(folder: Path) -> tuple[list[Trained], list[str]]:
    """The runs in a folder and those below it, the oldest first, and what is to be said of folders
    that hold none, or none that can be read.

    Raises:
        InputError: there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(
            f"{folder}: there is no such folder; `ser train` makes run folders in runs"
        )
    found, problems = [], []
    for place, is_run in _places(folder):
        if not is_run:
            problems.append(f"{place}: no run in it")
            continue
        try:
            run = Run.open(place)
            if run.config.answered != list(run.metrics["domains"]):  # or another version's
                raise InputError(f"{place}: {METRICS} is not of the corpora of {CONFIG}")
            when = datetime.fromtimestamp((place / VERSIONS).stat().st_mtime, UTC)
            found.append(Trained(run, run.metrics, when))
        except InputError as error:
            problems.append(str(error))
        except OSError as error:
            problems.append(f"{place}: {error.strerror}")
    return sorted(found, key=lambda each: (each.when, each.run.folder)), problems


def _places(folder: Path, above: frozenset[str] = frozenset()) -> Iterator[tuple[Path, bool]]:
    """Folders that are meant to be runs, and those that end without any, which are not. Passed over
    are hidden ones, where what is not finished lies, and event files."""
    real = os.path.realpath(folder)
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        yield folder, False
        return
    if MARKS & {path.name for path in entries}:
        yield folder, True
        return
    below = [path for path in entries if path.is_dir() and not path.name.startswith(".")]
    if real in above:  # a link that leads back
        return
    if not below and above and folder.parent.suffix != SUFFIX:
        yield folder, False
    for path in below:
        yield from _places(path, above | {real})
