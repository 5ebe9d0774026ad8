"""The ways to keep features on disk that `benchmarks/cache.py` compares, ours among them.

Each imports its library when it is used: not all of them need be installed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


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
        from ser.cache import Cache, store_manifest

        cache, manifest = Cache(folder), _manifest(ids)
        store_manifest(cache, manifest)
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
