"""Features from elsewhere into the cache: what is checked, what they are called, and their use."""

import json
import string
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from ser.cache import Cache, store_manifest, writer
from ser.cache.exchange import export_features, import_features
from ser.cache.exchange.rates import USUAL, fits, frame_rate
from ser.cli import main
from ser.errors import InputError, MissingFeaturesError
from ser.extract import make_backbone
from ser.manifests import Manifest, text_files

from .conftest import make_manifest, same, shards, toy_manifest, tree
from .test_exchange_sources import npy, packed


def ser(*arguments: object):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def held(cache: Cache) -> Cache:
    """A cache with the manifest of corpus `mine`, utterances a to f of 1.8 s, and no feature."""
    store_manifest(cache, make_manifest())
    return cache


def rows_of(frames: int = 90, manifest: Manifest | None = None, dim: int = 3):
    """90 frames are fifty a second."""
    draw = np.random.default_rng(0)
    ids = (manifest or make_manifest()).ids
    return {id: draw.standard_normal((frames, dim)).astype("f4") for id in ids}


# What comes of it


@pytest.fixture
def source(tmp_path):
    """A folder of the six utterances."""
    return npy(tmp_path / "wavlm", rows_of())


def test_what_the_key_says(held, source):
    report = import_features(held, source, "mine", "wavlm9", licence="MIT")
    key = report.key
    assert (key.feature, key.backbone, key.weights) == ("import:wavlm9", "import", None)
    assert key.parameters["source"] == "wavlm"
    assert len(key.parameters["sha256"]) == 64
    assert (key.kind, key.dim, key.frame_rate, key.dtype) == ("sequence", 3, 50.0, "float32")
    assert (report.written, report.present) == (6, 0)
    same(held, key, make_manifest(), rows_of())
    assert held.listing()[0].licence == "MIT"
    assert held.verify().whole


def test_a_second_time_changes_nothing(held, source):
    import_features(held, source, "mine", "x")
    before = tree(held.folder)
    report = import_features(held, source, "mine", "import:x")
    assert (report.written, report.present) == (0, 6)
    assert tree(held.folder) == before


def test_a_cut_import_goes_on(held, source, monkeypatch):
    monkeypatch.setattr(writer, "SHARD_UTTERANCES", 2)
    calls = []

    def stop(done, total):
        calls.append(done)
        if len(calls) == 6 + 3:  # all were looked at, three were written
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_features(held, source, "mine", "x", progress=stop)
    assert len(shards(held)) == 2
    report = import_features(held, source, "mine", "x")
    assert (report.written, report.present) == (3, 3)
    same(held, report.key, make_manifest(), rows_of())


def test_the_container_makes_no_difference(held, source, tmp_path):
    rows = rows_of()
    np.savez(tmp_path / "a.npz", **dict(reversed(rows.items())))
    swapped = {id: np.asfortranarray(array.astype(">f8")) for id, array in rows.items()}
    np.savez_compressed(tmp_path / "b.npz", **swapped)
    keys = {
        import_features(held, path, "mine", "x", source="WavLM").key
        for path in (source, tmp_path / "a.npz", tmp_path / "b.npz")
    }
    assert len(keys) == 1
    rows["a"][0, 0] += 1
    other = import_features(held, npy(source, rows), "mine", "x", source="WavLM").key
    assert other not in keys


def test_float16(held, tmp_path):
    halves = {id: array.astype("f2") for id, array in rows_of().items()}
    key = import_features(held, npy(tmp_path / "x", halves), "mine", "x").key
    assert key.dtype == "float16"
    same(held, key, make_manifest(), halves)
    rows = npy(tmp_path / "y", rows_of())
    rounded = import_features(held, rows, "mine", "y", dtype="float16")
    same(held, rounded.key, make_manifest(), halves)


@pytest.mark.parametrize("shape", [(3,), (1, 3)])
def test_a_row_each_is_a_vector(held, tmp_path, shape):
    rows = {id: array[0].reshape(shape) for id, array in rows_of().items()}
    key = import_features(held, npy(tmp_path / "x", rows), "mine", "x").key
    assert (key.kind, key.frame_rate) == ("vector", None)
    same(held, key, make_manifest(), rows)
    assert import_features(held, tmp_path / "x", "mine", "x", kind="sequence").key.dim == 3


def test_several_corpora_have_one_key(held, tmp_path):
    other = make_manifest("uv", corpus="other")
    one, two = npy(tmp_path / "one", rows_of()), npy(tmp_path / "two", rows_of(manifest=other))
    report = import_features(held, [one, two], ["mine", other], "x")
    assert report.written == 8
    for manifest in (make_manifest(), held.manifest("other")):
        assert held.resolve("import:x", manifest) == report.key
    again = npy(tmp_path / "three", {f"other/{id}": a for id, a in rows_of(manifest=other).items()})
    assert import_features(held, [again, one], [other, "mine"], "x", source="one").written == 0


def test_several_corpora_one_by_one_do_not_train_together(toy_cache, tmp_path):
    tic = toy_manifest(45, language="it", corpus="tic")
    for manifest in (toy_cache.manifest("toy"), tic):
        rows = {id: np.full(3, n, "f4") for n, id in enumerate(manifest.ids)}
        import_features(toy_cache, npy(tmp_path / manifest.corpus, rows), manifest, "x")
    arguments = ["--setting", "multidomain", "--corpus", "toy,tic", "--features", "import:x"]
    arguments += ["--method", "sb", "--cache", toy_cache.folder, "--out", tmp_path / "run"]
    done = ser("train", *arguments)
    assert done.exit_code == 2
    assert "import:x of tic is another version than that of toy" in done.stderr
    assert "import both together" in done.stderr


def test_memory_does_not_grow_with_the_source(cache, tmp_path, monkeypatch):
    """Of 26 MB; nor with what is exported again."""
    monkeypatch.setattr(writer, "SHARD_BYTES", 2 << 20)
    monkeypatch.setattr(text_files, "MOST_BYTES", 1 << 20)  # which a reader sets aside at once
    manifest = make_manifest(string.ascii_lowercase)
    rows = {id: np.full((1024, 256), n, "f4") for n, id in enumerate(manifest.ids)}
    np.savez(tmp_path / "x.npz", **packed(rows))
    del rows
    store_manifest(cache, manifest)
    tracemalloc.start()
    key = import_features(cache, tmp_path / "x.npz", manifest, "x").key
    export_features(cache, tmp_path / "out", "mine", key.feature, form="npz")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 << 20
    exported = np.load(tmp_path / "out" / "import-x.npz")
    assert exported["frames"].shape == (26 * 1024, 256)


def test_the_manifest_may_come_along(cache, source, tmp_path):
    with pytest.raises(InputError, match=r"no manifest of mine in the cache .* --manifest FILE"):
        import_features(cache, source, "mine", "x")
    assert not cache.folder.exists()
    make_manifest().save(tmp_path / "mine.csv")
    options = ["--corpus", "mine", "--manifest", tmp_path / "mine.csv", "--feature", "x"]
    done = ser("cache", "import", source, *options, "--cache", cache.folder)
    assert done.exit_code == 0, done.output
    assert "import:x@" in done.stdout
    assert "6 utterances imported, 0 there before; sequences of 3 columns, 50 frames" in done.stdout
    assert cache.corpora() == ["mine"]
    wrong = ser("cache", "import", source, *options, "--corpus", "b", "--cache", cache.folder)
    assert wrong.exit_code == 2
    assert "no manifest of b" in wrong.stderr


# Names


def path_manifest() -> Manifest:
    """Two utterances whose ids are not the names of their files."""
    table = make_manifest("ab").table
    return Manifest(table.assign(path=["s1/x.wav", "s2/x.flac"]))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a", "b"),
        ("s1/x.wav", "s2/x.flac"),
        ("s1/x", "s2/x"),
        ("mine/a", "mine/s2/x"),
        ("data/mine/s1/x.wav", "data/mine/b"),
        ("C:\\corpora\\s1\\x.wav", "C:\\corpora\\s2\\x.flac"),
    ],
)
def test_an_utterance_has_many_names(cache, tmp_path, first, second):
    one, two = rows_of(manifest=path_manifest()).values()
    np.savez(tmp_path / "x.npz", **{first: one, second: two})
    key = import_features(cache, tmp_path / "x.npz", path_manifest(), "x").key
    same(cache, key, cache.manifest("mine"), {"a": one, "b": two})


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        ("../b", "names there are no utterances of mine: '../b'"),
        ("x", "names there are no utterances of mine: 'x'"),
        ("y/s2/x", "below 'y', and others of mine below 'nothing'"),
        ("s1/x", "is the utterance that 'a' is"),
    ],
)
def test_a_name_that_is_none(cache, tmp_path, second, reason):
    one, two = rows_of(manifest=path_manifest()).values()
    np.savez(tmp_path / "x.npz", **{"a": one, second: two})
    with pytest.raises(InputError, match=reason):
        import_features(cache, tmp_path / "x.npz", path_manifest(), "x")


def test_a_name_of_two(cache, tmp_path):
    clash = Manifest(make_manifest("ab").table.assign(path=["b.wav", "a.wav"]))
    with pytest.raises(InputError, match="is a name of mine/a and mine/b; name utterances CORPUS"):
        import_features(cache, npy(tmp_path / "x", rows_of(manifest=clash)), clash, "x")
    other = make_manifest("ab", corpus="other")
    with pytest.raises(InputError, match="is a name of mine/a and other/a"):
        import_features(cache, tmp_path / "x", [make_manifest("ab"), other], "x")


# What is refused, and nothing written


def refused(cache: Cache, path: Path, reason: str, /, **options) -> None:
    before = tree(cache.folder)
    with pytest.raises(InputError, match=reason):
        import_features(cache, path, "mine", **{"feature": "x"} | options)
    assert tree(cache.folder) == before


def test_what_is_not_of_the_corpus(held, tmp_path):
    rows = rows_of()
    more = npy(tmp_path / "more", rows | {"zz": rows["a"]})
    refused(held, more, "1 names there are no utterances of mine: 'zz'. --skip-unknown")
    assert import_features(held, more, "mine", "x", skip_unknown=True).unknown == ("zz",)
    del rows["b"]
    less = npy(tmp_path / "less", rows)
    refused(held, less, "1 of 6 utterances have no such feature there: mine/b. --skip-missing")
    report = import_features(held, less, "mine", "y", skip_missing=True)
    assert (report.missing, report.written) == (("mine/b",), 5)
    with pytest.raises(MissingFeaturesError, match="ser cache import SOURCE --corpus mine"):
        held.read(report.key, make_manifest())
    none = npy(tmp_path / "none", {"zz": rows["a"]})
    refused(held, none, "none of the names there is an utterance of mine: 'zz'. A name is an id")


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (np.full((90, 3), np.nan, "f4"), "b: 270 of 270 values are not finite"),
        (np.zeros((90, 4), "f4"), "b: 4 columns, and others have 3"),
        (np.zeros((90, 3), int), "b: expected floats of 16, 32 or 64 bits, got int64"),
        (np.zeros((2, 90, 3), "f4"), r"b: expected the shape \(frames, dim\)"),
        (np.zeros((0, 3), "f4"), "b: is empty"),
        (np.full((90, 3), 1e300), r"b: 1e\+300 does not fit into float32"),
    ],
)
def test_an_array_that_is_none(held, tmp_path, wrong, reason):
    refused(held, npy(tmp_path / "x", rows_of() | {"b": wrong}), reason)


def test_all_that_is_wrong_is_said_once(held, tmp_path):
    rows = {id: np.full((90, 3), np.inf, "f4") for id in "abcd"} | {"e": np.zeros((90, 3), int)}
    with pytest.raises(InputError) as error:
        import_features(held, npy(tmp_path / "x", rows_of() | rows), "mine", "x")
    lines = str(error.value).splitlines()
    assert lines[0] == "5 utterances cannot be imported, and nothing was"
    assert lines[1] == "  a, b, c and 1 more: 270 of 270 values are not finite"
    assert len(lines) == 3


def test_axes_the_wrong_way_round(held, tmp_path):
    rows = {id: np.zeros((3, 80 + n), "f4") for n, id in enumerate("abcdef")}
    refused(held, npy(tmp_path / "x", rows), r"if they are \(dim, frames\), transpose them")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"feature": "x:y"}, "'x:y' cannot name a feature"),
        ({"feature": ""}, "cannot name a feature"),
        ({"kind": "vector"}, "90 rows; a vector has one"),
        ({"frame_rate": 100}, "6 of 6 utterances have other counts .* the median is 50"),
        ({"column": "x"}, "--column is for Parquet"),
        ({"source": "a\x1bb"}, "source: expected at most 1000 characters that can be printed"),
        ({"licence": "x" * 5000}, "licence: expected at most 4000"),
    ],
)
def test_options_that_cannot_be(held, source, options, reason):
    refused(held, source, reason, **options)


def test_a_source_that_changes_meanwhile(held, source):
    def change(done, total):
        if done == 6:
            np.save(source / "b.npy", np.zeros((90, 3), "f4"))

    with pytest.raises(InputError, match="b: changed while it was imported"):
        import_features(held, source, "mine", "x", progress=change)


# Frames


def test_counts_that_deviate_are_said(held, tmp_path):
    many = make_manifest("abcdefghijklmnopqrstuvwxyz")
    rows = rows_of(manifest=many) | {"q": np.zeros((50, 3), "f4")}
    source = npy(tmp_path / "x", rows)
    report = import_features(held, source, many, "x")
    assert report.key.frame_rate == 50
    assert report.deviating == (("mine/q", 50, 1.8),)
    done = ser(
        "cache", "import", source, "--corpus", "mine", "--feature", "x", "--cache", held.folder
    )
    assert "warning: 1 utterances have other counts" in done.stderr
    assert "mine/q (50 frames in 1.8 s)" in done.stderr


def test_no_rate_that_fits(held, tmp_path):
    rows = {id: np.zeros((40 + 10 * n, 3), "f4") for n, id in enumerate("abcdef")}
    report = import_features(held, npy(tmp_path / "x", rows), "mine", "x")
    assert report.key.frame_rate is None
    assert report.notes == ["no rate of frames fits the durations, and the key says none"]


@given(
    rate=st.sampled_from(USUAL[6:]),
    seconds=st.lists(st.floats(2, 20), min_size=5, max_size=30),
    lost=st.floats(-0.02, 0.02),
)
def test_a_usual_rate_is_found(rate, seconds, lost):
    frames = [int(rate * (each + lost)) + 1 for each in seconds]
    found = frame_rate(frames, seconds)
    assert found is not None
    assert fits(frames, seconds, found).mean() >= 0.95
    assert found == pytest.approx(rate, rel=0.2)


# Used


def test_a_run_trains_on_them_and_does_not_hear(toy_cache, tmp_path):
    vectors = {id: rows[0] for id, rows in toy_vectors(toy_cache).items()}
    where = ["--cache", toy_cache.folder]
    source = npy(tmp_path / "x", vectors)
    done = ser("cache", "import", source, "--corpus", "toy", "--feature", "mine", *where)
    assert done.exit_code == 0, done.output
    assert "vectors of 7" in done.stdout
    run = tmp_path / "run"
    arguments = ["--setting", "single", "--corpus", "toy", "--features", "import:mine"]
    quick = ["--preset", "paper", "--set", "train.epochs=1", "--repeats", 1, "--workers", 1]
    done = ser("train", *arguments, *quick, "--out", run, *where)
    assert done.exit_code == 0, done.output
    config = json.loads((run / "config.json").read_text())
    assert "import:mine" in json.dumps(config)
    (tmp_path / "new.wav").write_bytes(b"")
    heard = ser("predict", "--run", run, tmp_path / "new.wav")
    assert heard.exit_code == 2
    assert "was trained on import:mine, which was made elsewhere (source: x)" in heard.stderr


def toy_vectors(cache: Cache):
    manifest = cache.manifest("toy")
    features = cache.read(cache.resolve("ge2e", manifest), manifest)
    return {id: features[n] for n, id in enumerate(features.ids)}


def test_nothing_computes_them():
    with pytest.raises(InputError, match=r"nothing here computes it; .* `ser cache import`"):
        make_backbone("import:wavlm9")


def test_a_missing_one_is_to_be_imported(held):
    store_manifest(held, make_manifest())
    with pytest.raises(MissingFeaturesError) as error:
        held.resolve_all(["import:x", "mfcc"], make_manifest())
    assert "ser cache import SOURCE --corpus mine --feature import:x --cache" in str(error.value)
    assert "--features mfcc" in str(error.value)
