"""The files that features come in: what each may look like, and what is said of others."""

import gzip
import json
import sys
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from ser.cache.exchange.sources import find_source
from ser.errors import InputError, MissingPackageError

ROWS = {
    "a": np.arange(6, dtype="f4").reshape(2, 3),
    "b": np.arange(9, dtype="f4").reshape(3, 3) / 7,
}


def read(path: Path, column: str | None = None) -> dict[str, np.ndarray]:
    """All that a source gives."""
    return {name: load() for name, load in find_source(path, column)()}


def same(path: Path, rows=ROWS, column: str | None = None) -> None:
    got = read(path, column)
    assert list(got) == list(rows)
    for name, expected in rows.items():
        assert got[name].dtype.kind == "f"
        np.testing.assert_array_equal(got[name], expected)


def npy(folder: Path, rows=ROWS) -> Path:
    for name, array in rows.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        np.save(folder / f"{name}.npy", array)
    return folder


def packed(rows=ROWS) -> dict[str, np.ndarray]:
    offsets = np.cumsum([0, *map(len, rows.values())])
    return {"ids": np.array(list(rows)), "frames": np.vstack([*rows.values()]), "offsets": offsets}


# Arrays


def test_a_folder_of_npy(tmp_path):
    same(npy(tmp_path / "x"))
    deep = {"s1/a": ROWS["a"], "s2/b": ROWS["b"]}
    same(npy(tmp_path / "deep", deep), deep)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no \.npy file in this folder"):
        read(tmp_path / "empty")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_with_an_array_for_each(tmp_path, save):
    save(tmp_path / "x.npz", **ROWS)
    same(tmp_path / "x.npz")


def test_arrays_in_any_byte_order_size_and_axis_order(tmp_path):
    for kind in (">f4", "<f2", ">f8"):
        rows = {name: array.astype(kind) for name, array in ROWS.items()}
        np.savez(tmp_path / "x.npz", **{n: np.asfortranarray(array) for n, array in rows.items()})
        same(tmp_path / "x.npz", rows)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_packed(tmp_path, save):
    save(tmp_path / "x.npz", **packed())
    same(tmp_path / "x.npz")
    parts = packed()
    del parts["offsets"]
    save(tmp_path / "v.npz", **parts | {"ids": np.array([b"a", b"b", b"c", b"d", b"e"])})
    got = read(tmp_path / "v.npz")
    assert list(got) == ["a", "b", "c", "d", "e"]
    assert got["c"].shape == (1, 3)


def test_a_packing_that_makes_no_sense(tmp_path):
    for wrong, reason in (
        ({"offsets": np.array([0, 3])}, "expected 3 integers"),
        ({"offsets": np.array([0, 5, 2])}, "rise from 0 to the 5 rows"),
        ({"offsets": np.array([0, 2, 6])}, "rise from 0 to the 5 rows"),
        ({"frames": np.zeros(5, "f4")}, "shape"),
        ({"frames": np.asfortranarray(packed()["frames"])}, "column by column"),
        ({"ids": np.arange(2)}, "expected texts"),
    ):
        np.savez(tmp_path / "x.npz", **packed() | wrong)
        with pytest.raises(InputError, match=reason) as error:
            read(tmp_path / "x.npz")
        assert str(error.value).startswith(f"{tmp_path / 'x.npz'}: ")


@pytest.mark.parametrize("options", [{}, {"compression": "gzip", "shuffle": True, "chunks": True}])
def test_hdf5(tmp_path, options):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        for name, array in ROWS.items():
            file.create_dataset(f"s/{name}", data=array, **options)
    same(tmp_path / "x.h5", {f"s/{name}": array for name, array in ROWS.items()})
    for ids in (["a", "b"], np.array([b"a", b"b"])):
        with h5py.File(tmp_path / "p.hdf5", "w") as file:
            for name, array in (packed() | {"ids": ids}).items():
                file.create_dataset(name, data=array, **(options if name == "frames" else {}))
        same(tmp_path / "p.hdf5")


# Tables


def by_frame() -> pd.DataFrame:
    """As opensmile gives low-level descriptors, saved with its index as columns."""
    rows = [
        {
            "file": f"wav/{name}.wav",
            "start": pd.Timedelta(at * 0.01, "s"),
            "end": pd.Timedelta(1, "s"),
        }
        | {f"F{place}": value for place, value in enumerate(values)}
        for name, array in ROWS.items()
        for at, values in enumerate(array)
    ]
    return pd.DataFrame(rows)


FILES = {f"wav/{name}.wav": array for name, array in ROWS.items()}


def test_a_csv_of_opensmile(tmp_path):
    table = by_frame()
    table.to_csv(tmp_path / "x.csv", index=False)
    got = read(tmp_path / "x.csv")
    assert list(got) == list(FILES)
    for name, rows in got.items():
        np.testing.assert_array_equal(rows.astype("f4"), FILES[name])
    backwards = table.sort_values(["file", "start"], ascending=[True, False])
    backwards.to_csv(tmp_path / "y.csv")  # with pandas' numbers of rows
    np.testing.assert_allclose(read(tmp_path / "y.csv")["wav/b.wav"], ROWS["b"])
    seconds = backwards.assign(start=backwards["start"].dt.total_seconds())
    seconds.to_csv(tmp_path / "z.csv", index=False)
    np.testing.assert_allclose(read(tmp_path / "z.csv")["wav/b.wav"], ROWS["b"])


def test_the_real_opensmile(tmp_path):
    opensmile = pytest.importorskip("opensmile")
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    sound = np.random.default_rng(0).normal(size=16000).astype("f4") / 10
    table = smile.process_signal(sound, 16000, file="u.wav")
    table.to_csv(tmp_path / "x.csv")
    (rows,) = read(tmp_path / "x.csv").values()
    np.testing.assert_allclose(rows, table.to_numpy(), rtol=1e-6)
    pytest.importorskip("pyarrow")
    table.reset_index().to_parquet(tmp_path / "x.parquet")
    same(tmp_path / "x.parquet", {"u.wav": table.to_numpy()})


def test_a_table_that_is_none(tmp_path):
    path = tmp_path / "x.csv"
    for text, reason in (
        ("name,F0\na,1\n", "no column file or id, which name utterances"),
        ("id,speaker\na,1\n", "no column of features"),
        ("id,F0,label\na,1,x\n", "line 2: label is 'x', no number"),
        ("id,F0\na,1_0\n", "line 2: F0 is '1_0', no number"),
        ("id,F0\n", "no rows"),
        ("id,F0\na,1\nb,2\na,3\n", "the rows of 'a' stand apart"),
        ("id,F0\na\n", "line 2: 1 cells"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=reason):
            read(path)
    for text, reason in (
        ("id,start,F0\na,0,1\na,0,2\n", "two of its rows have one start"),
        ("id,start,F0\na,0,1\na,,2\n", "others have none"),
        ("id,start,F0\na,0,1\na,soon,2\n", "start cannot be read"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=reason):
            read(path)


# Parquet


def test_parquet_of_frames(tmp_path):
    pytest.importorskip("pyarrow")
    by_frame().to_parquet(tmp_path / "x.parquet")
    same(tmp_path / "x.parquet", FILES)
    by_frame().astype({"file": "category"}).to_parquet(tmp_path / "x.parquet", row_group_size=2)
    same(tmp_path / "x.parquet", FILES)
    by_frame().astype({"F1": int}).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(InputError, match="the column 'F1' is int64, not floats"):
        read(tmp_path / "x.parquet")


def test_parquet_of_lists(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    lists = [array.tolist() for array in ROWS.values()]
    for row in (pa.list_(pa.float32()), pa.list_(pa.float32(), 3), pa.large_list(pa.float32())):
        columns = {"id": list(ROWS), "duration": [1.0, 2.0], "x": pa.array(lists, pa.list_(row))}
        parquet.write_table(pa.table(columns), tmp_path / "x.parquet")
        same(tmp_path / "x.parquet")
    columns["y"] = pa.array([each[0] for each in lists])
    parquet.write_table(pa.table(columns), tmp_path / "x.parquet")
    same(tmp_path / "x.parquet", {name: array[0] for name, array in ROWS.items()}, column="y")
    with pytest.raises(InputError, match=r"several columns of lists: x, y\. Name one: --column"):
        read(tmp_path / "x.parquet")
    with pytest.raises(InputError, match="no column 'z' of lists"):
        read(tmp_path / "x.parquet", column="z")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "is missing"),
        ([[1.0], None], "a frame is missing"),
        ([[1.0, 2.0], [3.0]], "of different lengths: 1, 2"),
        ([[1.0, None]], "a value is missing"),
        ([], "is empty"),
        ([[[1.0]]], "expected lists of floats"),
        ([["x"]], "expected lists of floats"),
        ([[1]], "expected lists of floats"),
    ],
)
def test_lists_that_are_no_features(tmp_path, value, reason):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    kind = pa.list_(pa.list_(pa.float32())) if value in (None, []) else None
    table = pa.table({"id": ["a"], "x": pa.array([value], kind)})
    parquet.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(InputError, match=reason):
        read(tmp_path / "x.parquet")


def test_without_pyarrow_it_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingPackageError, match=r"pyarrow: .*exchange"):
        read(tmp_path / "x.parquet")


# lhotse


def lhotse_features(folder: Path, writer: str) -> Path:
    """As lhotse stores features."""
    features = pytest.importorskip("lhotse.features")
    storages = pytest.importorskip("lhotse.features.io")
    with getattr(storages, writer)(folder / "feats") as out:
        entries = [
            features.Features(
                type="fbank", num_frames=len(array), num_features=3, frame_shift=0.01,
                sampling_rate=16000, start=0, duration=1.0, storage_type=out.name,
                storage_path=str(out.storage_path), storage_key=out.write(f"key-{name}", array),
                recording_id=name, channels=0,
            )
            for name, array in ROWS.items()
        ]  # fmt: skip
    features.FeatureSet(entries).to_file(folder / "feats.jsonl.gz")
    return folder / "feats.jsonl.gz"


def test_lhotse_npy(tmp_path, monkeypatch):
    path = lhotse_features(tmp_path / "x", "NumpyFilesWriter")
    same(path)
    (tmp_path / "x").rename(tmp_path / "y")  # where its storage is, by the name that it had
    path = tmp_path / "y" / path.name
    same(path)
    path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
    same(path.with_suffix(""))


@pytest.mark.parametrize("writer", ["LilcomFilesWriter", "LilcomChunkyWriter"])
def test_lhotse_compressed(tmp_path, monkeypatch, writer):
    pytest.importorskip("lilcom")
    path = lhotse_features(tmp_path, writer)
    for name, rows in read(path).items():
        np.testing.assert_allclose(rows, ROWS[name], atol=0.1)
    monkeypatch.setitem(sys.modules, "lilcom", None)
    with pytest.raises(MissingPackageError, match="lhotse"):
        read(path)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"storage_type": "lilcom_url"}, "stored as 'lilcom_url'"),
        ({"storage_path": "/etc"}, "not in the folder of the manifest"),
        ({"storage_key": "../x.npy"}, "no place below"),
        ({"storage_key": "gone.npy"}, "cannot be read"),
        ({"num_frames": 7}, "the manifest says 7 x 3"),
        ({"num_frames": "many"}, "line 1"),
        ({"start": 1.5}, "expected whole recordings"),
        ({"recording_id": None}, "no recording_id"),
    ],
)
def test_a_lhotse_manifest_that_leads_astray(tmp_path, changed, reason):
    entry = {
        "num_frames": 2, "num_features": 3, "start": 0, "storage_type": "numpy_files",
        "storage_path": "x", "storage_key": "a.npy", "recording_id": "a",
    }  # fmt: skip
    npy(tmp_path / "x")
    path = tmp_path / "feats.jsonl"
    path.write_text(json.dumps(entry))
    same(path, {"a": ROWS["a"]})
    path.write_text(json.dumps(entry | changed))
    with pytest.raises(InputError, match=reason):
        read(path)


# Others


def test_what_is_no_source(tmp_path):
    for name, reason in (
        ("x.pkl", "nothing is unpickled"),
        ("x.pt", "nothing is unpickled"),
        ("x.txt", r"expected a folder of \.npy files, or a file that ends in \.npz, \.h5"),
    ):
        (tmp_path / name).write_bytes(b"x")
        with pytest.raises(InputError, match=reason):
            find_source(tmp_path / name)
    with pytest.raises(InputError, match="no such file or folder"):
        find_source(tmp_path / "gone.npz")
    for name in ("x.npz", "x.h5", "x.parquet", "x.csv", "x.jsonl", "x.jsonl.gz"):
        for content in (b"", b"no such thing", b"\x1f\x8b\x00"):
            (tmp_path / name).write_bytes(content)
            with pytest.raises(InputError, match=str(tmp_path / name)):
                read(tmp_path / name)
