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
from typing import TYPE_CHECKING, Any, Protocol

import click
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from ser.cache import Features

Array = npt.NDArray[Any]
Times = dict[str, float]

COLUMNS = {
    "write": "write, ms",
    "cold": "open, not in memory, ms",
    "open": "open, ms",
    "random": "random order, us each",
    "all": "read all, ms",
}
SYNTHETIC = 10_000


class Layout(Protocol):
    """One way to keep utterances on disk."""

    needs: Sequence[str]

    def write(self, folder: Path, ids: Sequence[str], rows: Sequence[Array]) -> None:
        """Store `rows`, (T, dim) each, in a new folder."""

    def open(self, folder: Path, ids: Sequence[str]) -> None:
        """Get ready to read."""

    def one(self, index: int) -> Array:
        """One utterance, (T, dim)."""

    def all(self) -> Array:
        """Every utterance, packed: (sum T, dim)."""


class Shards:
    """Ours. Utterances and rows are checked as always; the key is one that fits."""

    needs: Sequence[str] = ()
    mapped = False

    def write(self, folder: Path, ids: Sequence[str], rows: Sequence[Array]) -> None:
        from ser.cache import Cache

        cache, manifest = Cache(folder), _manifest(ids)
        cache.save_manifest(manifest)
        with cache.write(_key(rows[0]), manifest) as out:
            for id, row in zip(ids, rows, strict=True):
                out.add(id, row)

    def open(self, folder: Path, ids: Sequence[str]) -> None:
        cache = self._cache_of(folder)
        self._stored = cache.open(cache.resolve("bench", self._manifest), self._manifest)

    def prepare(self, folder: Path) -> None:
        """Load the manifest, which stands for the list of ids that the others are given."""
        self._manifest = self._cache_of(folder).manifest("bench")

    def one(self, index: int) -> Array:
        return np.array(self._stored[index])  # a copy, as the others give

    def all(self) -> Array:
        frames: Array = self._stored.read(self.mapped).frames
        return frames

    @staticmethod
    def _cache_of(folder: Path) -> Any:
        from ser.cache import Cache

        return Cache(folder)


class MappedShards(Shards):
    """Ours, by `mapped=True`; of several shards, the copy in a temporary file."""

    mapped = True


class UncheckedShards(Shards):
    """Ours without checksums, which nobody can ask for: what they cost."""

    def prepare(self, folder: Path) -> None:
        super().prepare(folder)
        features: Any = import_module("ser.cache.features")
        features.first_wrong = lambda *_: None
        features.row_checksum = lambda _: _Fits()


class _Fits:
    def __ne__(self, other: object) -> bool:
        return False


class Datasets:
    """An HDF5 file with a dataset per utterance."""

    needs: Sequence[str] = ("h5py",)

    def write(self, folder: Path, ids: Sequence[str], rows: Sequence[Array]) -> None:
        import h5py

        with h5py.File(folder / "features.h5", "w") as file:
            for id, row in zip(ids, rows, strict=True):
                file.create_dataset(id, data=row)

    def open(self, folder: Path, ids: Sequence[str]) -> None:
        import h5py

        self._file, self._ids = h5py.File(folder / "features.h5", "r"), ids

    def one(self, index: int) -> Array:
        row: Array = self._file[self._ids[index]][:]
        return row

    def all(self) -> Array:
        return _packed(self, len(self._ids))


class Files:
    """A .npy file per utterance."""

    needs: Sequence[str] = ()

    def write(self, folder: Path, ids: Sequence[str], rows: Sequence[Array]) -> None:
        for id, row in zip(ids, rows, strict=True):
            np.save(folder / f"{id}.npy", row)

    def open(self, folder: Path, ids: Sequence[str]) -> None:
        self._folder, self._ids = folder, ids

    def one(self, index: int) -> Array:
        row: Array = np.load(self._folder / f"{self._ids[index]}.npy")
        return row

    def all(self) -> Array:
        return _packed(self, len(self._ids))


class Lhotse:
    """lhotse's uncompressed storage in one file; its other ones lose precision, or are files."""

    needs: Sequence[str] = ("lhotse", "h5py")
    kind = "NumpyHdf5"

    def write(self, folder: Path, ids: Sequence[str], rows: Sequence[Array]) -> None:
        with getattr(import_module("lhotse"), f"{self.kind}Writer")(folder / "features") as out:
            keys = [out.write(id, row) for id, row in zip(ids, rows, strict=True)]
            (folder / "keys.json").write_text(json.dumps([out.storage_path, keys]))

    def open(self, folder: Path, ids: Sequence[str]) -> None:
        storage: Any = import_module("lhotse.features.io")
        path, self._keys = json.loads((folder / "keys.json").read_text())
        self._reader = getattr(storage, f"{self.kind}Reader")(path)

    def one(self, index: int) -> Array:
        row: Array = self._reader.read(self._keys[index])
        return row

    def all(self) -> Array:
        return _packed(self, len(self._keys))


class LhotseFiles(Lhotse):
    """lhotse's uncompressed storage with a file per utterance."""

    kind = "NumpyFiles"


class Arrow:
    """Hugging Face datasets: rows as flat lists, the fastest of its types; read all by Arrow."""

    needs: Sequence[str] = ("datasets",)

    def write(self, folder: Path, ids: Sequence[str], rows: Sequence[Array]) -> None:
        datasets: Any = import_module("datasets")
        pyarrow: Any = import_module("pyarrow")
        lists = pyarrow.LargeListArray.from_arrays(
            np.cumsum([0, *map(np.size, rows)]), np.concatenate([row.reshape(-1) for row in rows])
        )
        table = pyarrow.table({"id": list(ids), "rows": lists})
        datasets.Dataset(table).save_to_disk(folder / "set")
        (folder / "dim").write_text(str(rows[0].shape[1]))

    def open(self, folder: Path, ids: Sequence[str]) -> None:
        datasets: Any = import_module("datasets")
        self._set = datasets.load_from_disk(folder / "set").with_format("numpy")
        self._dim = int((folder / "dim").read_text())

    def one(self, index: int) -> Array:
        row: Array = np.array(self._set[index]["rows"])
        return row.reshape(-1, self._dim)

    def all(self) -> Array:
        chunks = self._set.data.column("rows").chunks
        return np.concatenate([each.flatten().to_numpy() for each in chunks]).reshape(-1, self._dim)


LAYOUTS: Mapping[str, Callable[[], Layout]] = {
    "ours": Shards,
    "ours, mapped": MappedShards,
    "ours, unchecked": UncheckedShards,
    "dataset per utterance": Datasets,
    ".npy per utterance": Files,
    "lhotse NumpyHdf5": Lhotse,
    "lhotse NumpyFiles": LhotseFiles,
    "datasets (Arrow)": Arrow,
}


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
    from ser.cache import Cache, default_cache_folder

    cache = Cache(cache_folder or default_cache_folder())
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


def _packed(layout: Layout, count: int) -> Array:
    return np.concatenate([layout.one(index) for index in range(count)])


def _key(row: Array) -> Any:
    from ser.cache import FeatureKey

    dtype: Any = str(row.dtype)
    return FeatureKey("bench", "bench", 1, None, {}, {}, dtype, "sequence", row.shape[1], None)


def _manifest(ids: Sequence[str]) -> Any:
    import pandas as pd

    from ser.manifests import Manifest

    table = pd.DataFrame({"id": ids})
    same = {"corpus": "bench", "language": "de", "speaker": "", "gender": "", "emotion": "fear"}
    hashes = [f"{number:032x}" for number in range(len(ids))]
    return Manifest(table.assign(**same, path="a.wav", duration=1.0, audio_hash=hashes))


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
