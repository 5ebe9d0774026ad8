"""How fast cached features are written, opened and read: see README.md beside this file.

    python benchmarks/cache.py --cache ~/.cache/ser --corpus ravdess --features logmel,ge2e

Every layout holds the same utterances and is measured in processes of its own, in turn, several
times over; the table shows the fastest. Libraries that are not installed are left out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from ser.benchmarks.layouts import LAYOUTS, Array, Shards

if TYPE_CHECKING:
    from ser.cache import Features

Times = dict[str, float]

COLUMNS = {
    "write": "write, ms",
    "cold": "open, not in memory, ms",
    "open": "open, ms",
    "random": "random order, us each",
    "all": "read all, ms",
}
SYNTHETIC = 10_000


@click.command()
@click.option("--cache", "cache_folder", type=click.Path(path_type=Path), help="As of `ser`.")
@click.option("--corpus", default="ravdess", show_default=True)
@click.option("--features", default="logmel,ge2e", show_default=True)
@click.option("--rounds", default=5, show_default=True, help="Processes for each layout.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where to write [default: TMPDIR].")
@click.option("--measure", nargs=2, hidden=True, help="Internal: one layout, one folder.")
@click.option("--json", "as_json", is_flag=True)
def main(
    cache_folder: Path | None,
    corpus: str,
    features: str,
    rounds: int,
    folder: Path | None,
    measure: tuple[str, str] | None,
    as_json: bool,
) -> None:
    """Write, open and read the features of one corpus in several layouts."""
    if measure:
        name, place = measure
        found = _measure_open(Path(place)) if name == "synthetic" else _measure(name, Path(place))
        click.echo(json.dumps(found))
        return
    from ser.cache import Cache

    cache = Cache.of(cache_folder)
    manifest = cache.manifest(corpus)
    results: dict[str, Any] = {}
    for spec in features.split(","):
        read = cache.read(cache.resolve(spec, manifest), manifest)
        title = f"{spec} of {corpus}: {len(read)} utterances, {read.frames.nbytes / 1e6:.1f} MB"
        with tempfile.TemporaryDirectory(dir=folder) as place:
            results[title] = _compare(Path(place), read.ids, _each(read), rounds)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        _write_synthetic(Path(place))
        opened = [_process("synthetic", Path(place)) for _ in range(rounds)]
    results["open"] = _fastest(opened)
    click.echo(json.dumps(results, indent=2) if as_json else _markdown(results))


def _compare(
    place: Path, ids: Sequence[str], rows: Sequence[Array], rounds: int
) -> dict[str, Times]:
    """All layouts for one feature, by name."""
    np.save(place / "packed.npy", np.concatenate(rows))
    found: dict[str, list[Times]] = {}
    for name, make in LAYOUTS.items():
        absent = [library for library in make().needs if find_spec(library) is None]
        if absent:
            click.echo(f"{name}: left out, {', '.join(absent)} is not installed", err=True)
            continue
        (place / name).mkdir()
        started = time.perf_counter()
        make().write(place / name, ids, rows)
        found[name] = [{"write": time.perf_counter() - started}]
        (place / name / "ids.json").write_text(json.dumps(ids))
    os.sync() if hasattr(os, "sync") else None
    for number in range(rounds):
        for name, times in found.items():
            click.echo(f"round {number + 1}: {name}", err=True)
            times.append(_process(name, place / name))
    return {name: _fastest(times) for name, times in found.items()}


def _each(features: Features) -> list[Array]:
    return [features[index] for index in range(len(features))]


def _process(name: str, place: Path) -> Times:
    """One measurement in a process of its own."""
    command = [sys.executable, __file__, "--measure", name, str(place)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: Times = json.loads(done.stdout.splitlines()[-1])
    return found


def _fastest(found: Sequence[Times]) -> Times:
    names = dict.fromkeys(name for times in found for name in times)
    return {name: min(times[name] for times in found if name in times) for name in names}


def _measure(name: str, place: Path) -> Times:
    """Open and read one layout; seconds, and for random order seconds per utterance.

    Open is from the ids in memory to the first utterance in memory, with all libraries loaded.
    """
    ids = json.loads((place / "ids.json").read_text())
    layout = LAYOUTS[name]()
    for library in layout.needs:
        import_module(library)
    import_module("h5py")
    if isinstance(layout, Shards):
        layout.prepare(place)
    times: Times = {}

    def ready() -> None:
        layout.open(place, ids)
        layout.one(0)

    if _forget(place):
        times["cold"] = _time(ready)
        layout.all()
    times["open"] = _time(ready)
    order = np.random.default_rng(0).permutation(len(ids)).tolist()
    times["random"] = _time(lambda: [layout.one(index) for index in order], 2) / len(ids)
    # Opened anew each time: a map that has been read is faster, and training reads once.
    times["all"] = _time(layout.all, 5, lambda: layout.open(place, ids))
    packed = np.load(place.parent / "packed.npy")
    np.testing.assert_array_equal(layout.all(), packed)
    target = np.ones_like(packed)
    times["copy"] = _time(lambda: np.copyto(target, packed), 5)
    times["fresh copy"] = _time(packed.copy, 5)
    return times


def _time(
    call: Callable[[], object], times: int = 1, before: Callable[[], None] = lambda: None
) -> float:
    best = float("inf")
    for _ in range(times):
        before()
        started = time.perf_counter()
        result = call()
        best = min(best, time.perf_counter() - started)
        del result  # giving memory back is not a part of reading
    return best


def _forget(place: Path) -> bool:
    """Let the system drop what it holds of the files in memory, where it can be asked to.

    What it knows about folders stays.
    """
    if not hasattr(os, "posix_fadvise"):
        return False
    for path in place.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return True


def _write_synthetic(place: Path) -> None:
    """A cache of 10 000 utterances of half a second to a second and a half."""
    draw = np.random.default_rng(0)

    def rows() -> Iterator[Array]:
        for frames in draw.integers(50, 150, SYNTHETIC):
            yield draw.standard_normal((int(frames), 40), np.float32)

    Shards().write(place, [f"u{number:05d}" for number in range(SYNTHETIC)], list(rows()))


def _measure_open(place: Path) -> Times:
    """Open 10 000 utterances in this new process; seconds."""
    import_module("h5py")
    import_module("pandas")
    from ser.cache import Cache

    cache = Cache(place)
    times = {}
    started = time.perf_counter()
    manifest = cache.manifest("bench")
    times["manifest"] = time.perf_counter() - started
    started = time.perf_counter()
    key = cache.resolve("bench", manifest)
    times["resolve"] = time.perf_counter() - started
    started = time.perf_counter()
    stored = cache.open(key, manifest)
    _ = stored[0], stored[len(stored) - 1]
    times["open"] = time.perf_counter() - started
    started = time.perf_counter()
    cache.read(key, manifest)
    times["read"] = time.perf_counter() - started
    return times


def _markdown(results: Mapping[str, Any]) -> str:
    parts = []
    for title, rows in results.items():
        if title == "open":
            continue
        limit = min(times["copy"] for times in rows.values())
        fresh = min(times["fresh copy"] for times in rows.values())
        slow = rows["dataset per utterance"]["all"]
        lines = [["layout", *COLUMNS.values(), "of a memory copy", "x dataset per utterance"]]
        lines.append(["---", *["---:"] * (len(COLUMNS) + 2)])
        for name, times in rows.items():
            cells = [_number(times.get(column), column) for column in COLUMNS]
            ratios = [f"{limit / times['all']:.2f}", f"{slow / times['all']:.1f}"]
            lines.append([name, *cells, *ratios])
        for name, took in (("memory copy", limit), ("memory copy, new memory", fresh)):
            blank = [""] * (len(COLUMNS) - 1)
            lines.append([name, *blank, _number(took, "all"), f"{limit / took:.2f}", ""])
        table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
        parts.append(f"{title}\n\n{table}")
    times = results["open"]
    parts.append(
        f"{SYNTHETIC} utterances in 10 shards, ms: "
        + ", ".join(f"{name} {took * 1e3:.1f}" for name, took in times.items())
    )
    return "\n\n".join(parts)


def _number(took: float | None, column: str) -> str:
    if took is None:
        return ""
    value = took * (1e6 if column == "random" else 1e3)
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


if __name__ == "__main__":
    main()
