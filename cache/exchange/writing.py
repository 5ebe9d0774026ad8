"""The containers that features go out in, written utterance by utterance."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import numpy as np

from ..features import StoredFeatures
from .arrays import Rows
from .parquet_files import pyarrow

if TYPE_CHECKING:
    from ...manifests import Manifest

COLUMNS = ("id", "corpus", "language", "speaker", "gender", "emotion", "duration")
"""What a row of Parquet says beside the features."""

_GROUP_BYTES = 32 << 20
"""Of features, gathered before they are written as a row group."""
_LONG_AGO = (1980, 1, 1, 0, 0, 0)  # equal content gives equal bytes

Step = Callable[[], None]


def write_npy(
    folder: Path, manifest: Manifest, stored: Mapping[str, StoredFeatures], step: Step
) -> None:
    """A folder for each feature, in it ID.npy: (frames, dim), or (dim,) for a vector."""
    for name, feature in stored.items():
        (folder / name).mkdir()
        for id, rows in _each(feature):
            np.save(folder / name / f"{id}.npy", rows, allow_pickle=False)
            step()


def write_npz(
    folder: Path, manifest: Manifest, stored: Mapping[str, StoredFeatures], step: Step
) -> None:
    """An `.npz` for each feature: `ids` (n), `frames` (sum T, dim), and `offsets` (n + 1)."""
    for name, feature in stored.items():
        with ZipFile(folder / f"{name}.npz", "w", ZIP_STORED) as archive:
            _add(archive, "ids", np.array(feature.ids, "U"))
            _add(archive, "offsets", feature.offsets)
            with archive.open(ZipInfo("frames.npy", _LONG_AGO), "w", force_zip64=True) as member:
                header = {
                    "descr": np.lib.format.dtype_to_descr(np.dtype(feature.key.dtype)),
                    "fortran_order": False,
                    "shape": feature.shape,
                }
                np.lib.format.write_array_header_1_0(member, header)
                for index in range(len(feature)):
                    member.write(np.ascontiguousarray(feature[index]).data)
                    step()


def _add(archive: ZipFile, name: str, values: np.ndarray[Any, Any]) -> None:
    with archive.open(ZipInfo(f"{name}.npy", _LONG_AGO), "w", force_zip64=True) as member:
        np.lib.format.write_array(member, values, allow_pickle=False)


def write_parquet(
    folder: Path, manifest: Manifest, stored: Mapping[str, StoredFeatures], step: Step
) -> None:
    """`features.parquet`: a row for each utterance, `COLUMNS`, and a column for each feature, lists
    of floats for a vector and lists of these for a sequence; `ser` in the metadata says what they
    are.

    Raises:
        MissingPackageError: pyarrow is not installed.
    """
    pa = pyarrow()
    texts = [name for name in COLUMNS if name != "duration"]
    fields = [(name, pa.string() if name in texts else pa.float64()) for name in COLUMNS]
    fields += [(feature.key.feature, _type(pa, feature)) for feature in stored.values()]
    schema = pa.schema(fields, metadata={"ser": json.dumps(described(manifest, stored.values()))})
    table = manifest.table[list(COLUMNS)]
    with pa.parquet.ParquetWriter(folder / "features.parquet", schema, use_dictionary=texts) as out:
        for start, stop in _groups(stored.values(), len(table)):
            part = table.iloc[start:stop]
            columns = [pa.array(part[name].tolist(), kind) for name, kind in fields[: len(COLUMNS)]]
            for feature in stored.values():
                columns.append(_column(pa, feature, start, stop))
            out.write_table(pa.Table.from_arrays(columns, schema=schema))
            for _ in range((stop - start) * len(stored)):
                step()


def described(manifest: Manifest, features: Any) -> dict[str, Any]:
    """What features are: of which corpus, their keys, and under which licence."""
    return {
        "corpus": manifest.corpus,
        "manifest": manifest.id,
        "features": {
            feature.key.feature: {
                "key": json.loads(feature.key.canonical),
                "hash": feature.key.hash,
                "licence": feature.licence,
            }
            for feature in features
        },
    }


def _each(feature: StoredFeatures) -> Iterator[tuple[str, Rows]]:
    for index, id in enumerate(feature.ids):
        rows = feature[index]
        yield id, rows[0] if feature.key.kind == "vector" else rows


def _type(pa: Any, feature: StoredFeatures) -> Any:
    number = pa.float16() if feature.key.dtype == "float16" else pa.float32()
    row = pa.list_(number, feature.key.dim)
    return row if feature.key.kind == "vector" else pa.list_(row)


def _column(pa: Any, feature: StoredFeatures, start: int, stop: int) -> Any:
    parts = [feature[index] for index in range(start, stop)]
    flat = pa.array(np.concatenate(parts).reshape(-1))
    rows = pa.FixedSizeListArray.from_arrays(flat, feature.key.dim)
    if feature.key.kind == "vector":
        return rows
    offsets = np.cumsum([0, *map(len, parts)], dtype="i4")
    return pa.ListArray.from_arrays(pa.array(offsets), rows)


def _groups(features: Any, count: int) -> Iterator[tuple[int, int]]:
    """Pieces of the utterances, from, to, of about `_GROUP_BYTES` each."""
    sizes = sum(np.diff(f.offsets) * f.key.dim * np.dtype(f.key.dtype).itemsize for f in features)
    start, gathered = 0, 0
    for index in range(count):
        gathered += int(sizes[index])
        if gathered >= _GROUP_BYTES or index == count - 1:
            yield start, index + 1
            start, gathered = index + 1, 0
