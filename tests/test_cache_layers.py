"""A cache of one's own over shared ones: all is read, as from a merged copy; one is written."""

import json
import os
import pickle
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.cache import Cache, store_manifest
from ser.cli import main
from ser.errors import CorruptShardError, InputError, MissingFeaturesError, SerError
from ser.manifests import FINGERPRINT, Manifest

from .conftest import KEY, VECTOR, fill, make_key, make_manifest, make_rows, same, shards, tree


def ser(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def shared(tmp_path: Path) -> Cache:
    """With KEY of a, b and c, and the manifest of these."""
    cache = Cache(tmp_path / "group drive")
    fill(cache, KEY, make_manifest("abc"))
    store_manifest(cache, make_manifest("abc"))
    return cache


@pytest.fixture
def layered(tmp_path: Path, shared: Cache) -> Cache:
    """An absent folder of one's own over the shared one."""
    return Cache(tmp_path / "own", shared.folder)


# Reading through all, writing into the first


def test_what_is_shared_is_read_and_what_is_missing_is_written_into_the_first(
    layered: Cache, shared: Cache
) -> None:
    before = tree(shared.folder)
    manifest = make_manifest("abcde")
    rows = make_rows(KEY, make_manifest("abc")) | make_rows(KEY, make_manifest("de"), seed=1)
    assert layered.missing(KEY, manifest) == ["d", "e"]
    assert layered.keys() == [KEY]
    fill(layered, KEY, make_manifest("de"), seed=1)
    fill(layered, VECTOR, manifest)
    for mapped in (False, True):
        same(layered, layered.resolve("mfcc", manifest), manifest, rows, mapped)
    assert layered.keys() == [VECTOR, KEY]
    assert [path.name[:4] for path in shards(layered)] == ["mine", "mine"]
    assert tree(shared.folder) == before


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2), st.sets(st.sampled_from("abcdefg"), min_size=1), st.integers(0, 1)
        ),
        min_size=1,
        max_size=7,
    )
)
@settings(max_examples=30)
def test_reading_through_layers_equals_reading_a_merged_copy(
    tmp_path_factory: pytest.TempPathFactory, written: list[tuple[int, set[str], int]]
) -> None:
    place = tmp_path_factory.mktemp("layers")
    folders = [place / name for name in ("own", "near", "far")]
    versions = [make_rows(KEY, make_manifest("abcdefg"), seed) for seed in (0, 1)]
    for folder in folders:
        (folder / "features").mkdir(parents=True)
    for layer, names, version in written:
        with Cache(folders[layer]).write(KEY, make_manifest("abcdefg")) as out:
            for name in sorted(names):
                out.add(name, versions[version][name])
    layered, merged = Cache(*folders), Cache(place / "merged")
    for folder in folders:
        shutil.copytree(folder, merged.folder, dirs_exist_ok=True)
    manifest = make_manifest("".join(sorted(set().union(*(names for _, names, _ in written)))))
    assert layered.keys() == merged.keys()
    assert layered.missing(KEY, make_manifest()) == merged.missing(KEY, make_manifest())
    one, other = layered.read(KEY, manifest), merged.read(KEY, manifest)
    np.testing.assert_array_equal(one.frames, other.frames)
    np.testing.assert_array_equal(one.offsets, other.offsets)
    assert layered.verify().whole


def test_of_one_shard_in_two_layers_the_first_counts(layered: Cache, shared: Cache) -> None:
    rows = fill(layered, KEY, make_manifest("abc"))
    opened = layered.open(KEY, make_manifest("abc"))
    shards(shared)[0].write_bytes(b"damaged")
    same(layered, KEY, make_manifest("abc"), rows)
    shards(layered)[0].unlink()  # and then the other
    with pytest.raises(CorruptShardError, match="group drive"):
        opened.read()


def test_a_shard_that_goes_from_one_layer_is_found_in_the_next(
    layered: Cache, shared: Cache
) -> None:
    rows = fill(layered, KEY, make_manifest("abc"))
    opened = layered.open(KEY, make_manifest("abc"))
    layered.remove("mfcc")
    np.testing.assert_array_equal(opened.read()[1], rows["b"])


def test_a_cache_goes_to_other_processes(layered: Cache) -> None:
    assert layered.missing(KEY, make_manifest("abc")) == []
    again = pickle.loads(pickle.dumps(layered))
    assert again.folders == layered.folders
    assert again.missing(KEY, make_manifest("abcd")) == ["d"]
    assert eval(repr(layered), {"Cache": Cache}).folders == layered.folders
    assert str(layered) == f"{layered.folders[0]}{os.pathsep}{layered.folders[1]}"


# Manifests


def test_the_manifest_of_the_first_layer_that_has_one_counts(layered: Cache, shared: Cache) -> None:
    other = make_manifest("xy", corpus="other")
    store_manifest(layered, other)
    assert layered.corpora() == ["mine", "other"]
    assert layered.manifest("mine").ids == ("a", "b", "c")
    assert not layered.owns_manifest("mine")
    before = tree(shared.folder)
    assert store_manifest(layered, make_manifest("abc")) is None
    assert "these 2 among them" in str(store_manifest(layered, make_manifest("ab")))
    assert not layered.owns_manifest("mine")
    assert "1 utterances are added" in str(store_manifest(layered, make_manifest("abcd")))
    assert layered.manifest("mine").ids == tuple("abcd")
    assert shared.manifest("mine").ids == tuple("abc")
    assert tree(shared.folder) == before


def test_a_shared_manifest_without_fingerprints_is_not_shadowed(layered: Cache) -> None:
    heard = Manifest(make_manifest("abc").table.assign(**{FINGERPRINT: "A" * 63}))
    assert store_manifest(layered, heard) is None
    assert not layered.owns_manifest("mine")


def test_a_shared_manifest_that_is_replaced_stays_as_it_is(layered: Cache, shared: Cache) -> None:
    manifest = make_manifest("ab", take=2)
    with pytest.raises(InputError, match=r"group drive.*another copy"):
        store_manifest(layered, manifest)
    assert "replaced" in str(store_manifest(layered, manifest, replace=True))
    assert layered.manifest("mine").id == manifest.id
    assert shared.manifest("mine").ids == tuple("abc")


# Layers that are not there, or not apart


def test_an_absent_first_folder_is_empty_and_an_absent_shared_one_an_error(
    layered: Cache, shared: Cache
) -> None:
    manifest = make_manifest("abc")
    assert layered.missing(KEY, manifest) == []
    away = shared.folder.rename(shared.folder.with_name("away"))
    for state in ("no such folder", "is empty"):
        for look in (
            layered.keys,
            layered.corpora,
            layered.listing,
            layered.left_out,
            layered.verify,
            lambda: layered.missing(KEY, manifest),
            lambda: layered.manifest("mine"),
            lambda: layered.resolve("mfcc", manifest),
            lambda: store_manifest(layered, manifest),
        ):
            with pytest.raises(InputError, match=f"group drive: {state}.*Mount") as caught:
                look()
            assert caught.value.exit_code == 2
        shared.folder.mkdir(exist_ok=True)  # the mount point, with nothing mounted
    shared.folder.rmdir()
    away.rename(shared.folder)
    assert layered.missing(KEY, manifest) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs links")
def test_layers_are_apart(tmp_path: Path, shared: Cache) -> None:
    (tmp_path / "link").symlink_to(shared.folder)
    for folders in ([shared.folder, shared.folder], [shared.folder, tmp_path / "link"]):
        with pytest.raises(InputError, match="is given twice"):
            Cache(*folders)
    for folders in (
        [shared.folder / "mine", shared.folder],
        [tmp_path, shared.folder],
        [tmp_path / "own", tmp_path / "link" / "features", shared.folder],
    ):
        with pytest.raises(InputError, match="lies in"):
            Cache(*folders)


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="root may read all; needs modes"
)
def test_a_shared_layer_that_one_may_not_read(layered: Cache, shared: Cache) -> None:
    shared.folder.chmod(0)
    try:
        with pytest.raises(SerError, match="cannot be listed"):
            layered.keys()
    finally:
        shared.folder.chmod(0o755)


def test_a_damaged_shared_layer_is_named(layered: Cache, shared: Cache) -> None:
    folder = shared.folder / "features" / KEY.folder
    (folder / "key.json").write_text("{}")
    fill(layered, VECTOR, make_manifest("abc"))
    assert layered.keys() == [VECTOR]
    assert [problem.path for problem in layered.left_out()] == [folder / "key.json"]
    with pytest.raises(MissingFeaturesError, match=r"group drive.*key\.json.*Delete"):
        layered.resolve("mfcc", make_manifest("abc"))
    shards(shared)[0].write_bytes(b"x")
    with pytest.raises(CorruptShardError, match="group drive"):
        layered.missing(KEY, make_manifest("abc"))


# The command line


def test_what_is_missing_is_told_with_all_layers(
    layered: Cache, shared: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MissingFeaturesError) as caught:
        layered.resolve("logmel", layered.manifest("mine"))
    message = str(caught.value)
    assert message.endswith(f"--cache {layered.folder} --cache '{shared.folder}'")
    assert f"--manifest '{shared.folder / 'manifests' / 'mine.csv'}'" in message
    monkeypatch.setenv("SER_CACHE", str(layered))
    assert Cache.of().folders == layered.folders
    with pytest.raises(MissingFeaturesError, match=r"--features logmel$"):
        layered.resolve("logmel", layered.manifest("mine"))


def test_layers_on_the_command_line(
    layered: Cache, shared: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def corpora(*options: object) -> list[str]:
        done = ser("corpora", "--json", *options)
        assert done.exit_code == 0, done.output
        return [row["name"] for row in json.loads(done.stdout) if row["cached"]]

    both = ("--cache", layered.folder, "--cache", shared.folder)
    assert corpora(*both) == ["mine"]
    assert corpora("--cache", layered.folder) == []
    monkeypatch.setenv("SER_CACHE", str(layered))
    assert corpora() == ["mine"]
    wrong = ser("corpora", "--cache", layered)
    assert wrong.exit_code == 2
    assert "--cache A --cache B" in wrong.stderr
    twice = ser("corpora", "--cache", shared.folder, *both)
    assert twice.exit_code == 2
    assert "is given twice" in twice.stderr
    monkeypatch.setenv("SER_CACHE", f"{layered.folder}{os.pathsep}/nowhere")
    absent = ser("corpora")
    assert absent.exit_code == 2
    assert "no such folder" in absent.stderr


def test_a_spare_key_is_not_confused(layered: Cache, shared: Cache) -> None:
    newer = make_key(version=2)
    fill(layered, newer, make_manifest("ab"))
    assert layered.resolve("mfcc", make_manifest("abc")) == KEY
    with pytest.raises(InputError, match="in several versions"):
        layered.resolve("mfcc", make_manifest("ab"))
