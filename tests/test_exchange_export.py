"""Cached features for others: what is written, whole or not at all, and that it comes back."""

import json
import os
import time

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ser.cache import Cache, store_manifest
from ser.cache.exchange import FORMS, export_features, import_features
from ser.cli import main
from ser.errors import InputError, MissingFeaturesError, SerError
from ser.manifests import Manifest
from ser.new_folder import MARK, new_folder

from .conftest import KEY, VECTOR, fill, make_key, make_manifest, same, tree

pytest.importorskip("pyarrow", reason="the exchange extra is not installed")


def ser(*arguments: object):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def held(cache: Cache) -> Cache:
    """`mfcc`, a sequence of 3, and `ge2e`, a vector of 8 halves, of corpus `mine`."""
    store_manifest(cache, make_manifest())
    fill(cache, KEY, make_manifest())
    fill(cache, VECTOR, make_manifest())
    return cache


def held_rows(cache: Cache, key):
    features = cache.read(key, cache.manifest("mine"))
    return {id: features[n] for n, id in enumerate(features.ids)}


# What is written


def test_npy(held, tmp_path):
    report = export_features(held, tmp_path / "x", "mine", "mfcc,ge2e", form="npy")
    assert report.utterances == 6
    assert {path.name for path in (tmp_path / "x").iterdir()} == {
        MARK, "features.json", "ge2e", "manifest.csv", "mfcc",
    }  # fmt: skip
    for id, rows in held_rows(held, KEY).items():
        np.testing.assert_array_equal(np.load(tmp_path / "x" / "mfcc" / f"{id}.npy"), rows)
    assert np.load(tmp_path / "x" / "ge2e" / "a.npy").shape == (8,)
    assert report.bytes == sum(map(len, tree(tmp_path / "x").values()))


def test_npz(held, tmp_path):
    export_features(held, tmp_path / "x", "mine", ["mfcc", "ge2e"], form="npz")
    got = np.load(tmp_path / "x" / "mfcc.npz")
    assert got["ids"].tolist() == list("abcdef")
    for number, rows in enumerate(held_rows(held, KEY).values()):
        start, stop = got["offsets"][number : number + 2]
        np.testing.assert_array_equal(got["frames"][start:stop], rows)
    assert np.load(tmp_path / "x" / "ge2e.npz")["frames"].dtype == "f2"


def test_what_lies_beside(held, tmp_path):
    licensed = make_key("logmel", dim=2)
    with held.write(licensed, make_manifest(), {"licence": "MIT"}) as out:
        for id in make_manifest().ids:
            out.add(id, np.zeros((4, 2), "f4"))
    export_features(held, tmp_path / "x", "mine", "logmel")
    described = json.loads((tmp_path / "x" / "features.json").read_text())
    assert described["corpus"] == "mine"
    assert described["features"]["logmel"]["licence"] == "MIT"
    assert described["features"]["logmel"]["hash"] == licensed.hash
    assert described["features"]["logmel"]["key"]["dim"] == 2
    assert Manifest.load(tmp_path / "x" / "manifest.csv").id == make_manifest().id


def test_parquet(held, tmp_path):
    from pyarrow import parquet

    export_features(held, tmp_path / "x", "mine", "mfcc,ge2e")
    table = parquet.read_table(tmp_path / "x" / "features.parquet")
    columns = ["id", "corpus", "language", "speaker", "gender", "emotion", "duration"]
    assert table.column_names == [*columns, "mfcc", "ge2e"]
    said = json.loads(table.schema.metadata[b"ser"])
    assert said == json.loads((tmp_path / "x" / "features.json").read_text())
    frame = pd.read_parquet(tmp_path / "x" / "features.parquet")
    assert frame["emotion"].tolist() == ["fear"] * 6
    for id, cell in zip(frame["id"], frame["mfcc"], strict=True):
        np.testing.assert_array_equal(np.vstack(cell), held_rows(held, KEY)[id])


def test_parquet_in_hugging_face_datasets(held, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    export_features(held, tmp_path / "x", "mine", "mfcc,ge2e")
    file, where = tmp_path / "x" / "features.parquet", str(tmp_path / "hf")
    loaded = datasets.load_dataset(
        "parquet", data_files=str(file), split="train", cache_dir=where
    ).with_format("numpy")
    assert list(loaded["id"][:]) == list("abcdef")
    for row, rows, vector in zip(
        loaded, held_rows(held, KEY).values(), held_rows(held, VECTOR).values(), strict=True
    ):
        np.testing.assert_array_equal(np.vstack(row["mfcc"]), rows)
        np.testing.assert_array_equal(row["ge2e"], vector[0])


def test_row_groups_are_of_bounded_size(held, tmp_path, monkeypatch):
    from pyarrow import parquet

    from ser.cache.exchange import writing

    monkeypatch.setattr(writing, "_GROUP_BYTES", 100)
    export_features(held, tmp_path / "x", "mine", "mfcc")
    file = parquet.ParquetFile(tmp_path / "x" / "features.parquet")
    assert file.num_row_groups > 1
    assert file.read().num_rows == 6


def test_equal_content_gives_equal_files(held, tmp_path):
    for form in FORMS:
        for name in "xy":
            export_features(held, tmp_path / form / name, "mine", "mfcc", form=form)
        assert tree(tmp_path / form / "x") == tree(tmp_path / form / "y")


# And back


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    frames=st.lists(st.integers(1, 40), min_size=1, max_size=8),
    dim=st.integers(1, 20),
    dtype=st.sampled_from(["float32", "float16"]),
    kind=st.sampled_from(["sequence", "vector"]),
    form=st.sampled_from(FORMS),
    seed=st.integers(0, 1 << 30),
)
def test_a_round_trip_keeps_every_bit(tmp_path_factory, frames, dim, dtype, kind, form, seed):
    folder = tmp_path_factory.mktemp("trip")
    manifest = make_manifest("abcdefgh"[: len(frames)])
    rate = 50.0 if kind == "sequence" else None
    key = make_key("some:x=1", kind=kind, dim=dim, dtype=dtype, frame_rate=rate)
    draw = np.random.default_rng(seed)
    rows = {}
    for id, count in zip(manifest.ids, frames, strict=True):
        shape = (count, dim) if kind == "sequence" else (dim,)
        bits = draw.integers(0, 1 << 16, size=shape, dtype="u2")
        values = bits.view("f2").astype(dtype)
        rows[id] = np.where(np.isfinite(values), values, -0.0).astype(dtype)
    cache = Cache(folder / "cache")
    store_manifest(cache, manifest)
    with cache.write(key, manifest) as out:
        for id, array in rows.items():
            out.add(id, array)
    export_features(cache, folder / "out", "mine", "some:x=1", form=form)
    (source,) = [
        path for path in (folder / "out").iterdir() if path.suffix not in (".json", ".csv")
    ]
    back = import_features(cache, source, manifest, "back", kind=kind).key
    assert (back.dtype, back.kind, back.dim) == (dtype, kind, dim)
    one, two = cache.read(key, manifest), cache.read(back, manifest)
    assert one.frames.tobytes() == two.frames.tobytes()
    assert one.offsets.tolist() == two.offsets.tolist()
    same(cache, back, manifest, rows)


# Whole or not at all


def test_what_is_there_stays(held, tmp_path):
    target = tmp_path / "x"
    export_features(held, target, "mine", "mfcc")
    before = tree(target)
    with pytest.raises(InputError, match="is there; --overwrite replaces it"):
        export_features(held, target, "mine", "ge2e", form="npy")
    assert tree(target) == before
    export_features(held, target, "mine", "ge2e", form="npy", overwrite=True)
    assert (target / "ge2e" / "a.npy").is_file()
    assert not (target / "features.parquet").exists()
    (target / "ge2e" / "notes.txt").write_text("x")
    (target / "code").mkdir()
    with pytest.raises(InputError, match="not all in it is of an export: ge2e/notes"):
        export_features(held, target, "mine", "mfcc", overwrite=True)
    foreign = tmp_path / "mine"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("x")
    for path in (foreign, foreign / "thesis.txt"):
        with pytest.raises(InputError, match="is no export that could be replaced"):
            export_features(held, path, "mine", "mfcc", overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "mine", "x"]


def test_a_failure_leaves_nothing(held, tmp_path):
    target = tmp_path / "deep" / "x"

    def stop(done, total):
        if done == 3:
            raise KeyboardInterrupt

    for form in FORMS:
        with pytest.raises(KeyboardInterrupt):
            export_features(held, target, "mine", "mfcc", form=form, progress=stop)
        assert list(target.parent.iterdir()) == []


def test_what_a_killed_export_left_goes_the_next_day(tmp_path):
    left = tmp_path / f".partial-{'a' * 32}-x"
    other = tmp_path / f".partial-{'a' * 32}-y"
    for folder in (left, other):
        folder.mkdir()
        (folder / "half").write_bytes(b"x")
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(left, (two_days_ago, two_days_ago))
    os.utime(other, (two_days_ago, two_days_ago))
    with new_folder(tmp_path / "x") as made:
        (made / "file").write_text("")
    assert sorted(path.name for path in tmp_path.iterdir()) == [other.name, "x"]


def test_a_place_that_cannot_be_written(held, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SerError, match="cannot be written"):
        export_features(held, tmp_path / "file" / "x", "mine", "mfcc")


# Wrong use


def test_what_cannot_be_exported(held, tmp_path):
    for features, error, reason in (
        ("mfcc,mfcc", InputError, "name each feature once"),
        ("logmel", MissingFeaturesError, "logmel of mine: not in the cache"),
        ([], InputError, "no feature"),
    ):
        with pytest.raises(error, match=reason):
            export_features(held, tmp_path / "x", "mine", features)
    with pytest.raises(MissingFeaturesError, match="no manifest of other"):
        export_features(held, tmp_path / "x", "other", "mfcc")
    with pytest.raises(InputError, match="is in the cache"):
        export_features(held, held.folder / "x", "mine", "mfcc")
    with pytest.raises(InputError, match="expected parquet, npz, npy"):
        export_features(held, tmp_path / "x", "mine", "mfcc", form="pickle")
    assert not (tmp_path / "x").exists()


def test_a_feature_named_as_a_column(held, tmp_path):
    fill(held, make_key("speaker"), make_manifest())
    with pytest.raises(InputError, match="speaker: a column of the manifest has this name"):
        export_features(held, tmp_path / "x", "mine", "speaker")


def test_utterances_that_lack_one(held, tmp_path):
    more = make_manifest("abcdefg")
    store_manifest(held, more)
    with pytest.raises(MissingFeaturesError, match="1 of 7 utterances"):
        export_features(held, tmp_path / "x", "mine", "mfcc")
    report = export_features(held, tmp_path / "x", "mine", "mfcc", skip_missing=True)
    assert (report.utterances, report.skipped) == (6, ("g",))
    assert len(Manifest.load(tmp_path / "x" / "manifest.csv")) == 6


def test_a_damaged_shard_is_not_exported(held, tmp_path):
    (shard,) = (held.folder / "features" / KEY.folder).glob("*.h5")
    data = bytearray(shard.read_bytes())
    at = data.find(held_rows(held, KEY)["c"].tobytes())
    data[at] ^= 1
    shard.write_bytes(data)
    with pytest.raises(SerError, match="the features of utterance c are damaged"):
        export_features(Cache(held.folder), tmp_path / "x", "mine", "mfcc", form="npz")
    assert not (tmp_path / "x").exists()


def test_the_command(held, tmp_path):
    options = ["--corpus", "mine", "--features", "mfcc,ge2e", "--cache", held.folder]
    done = ser("cache", "export", tmp_path / "x", *options)
    assert done.exit_code == 0, done.output
    assert f"{tmp_path / 'x'}: mfcc, ge2e of 6 utterances of mine, 0.0 MB" in done.stdout
    again = ser("cache", "export", tmp_path / "x", *options)
    assert again.exit_code == 2
    assert "--overwrite" in again.stderr
    assert ser("cache", "export", tmp_path / "x", *options, "--overwrite").exit_code == 0
