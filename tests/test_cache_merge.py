"""Merging small shards: the same bytes are read, whoever reads, writes or is killed meanwhile."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.cache import Cache, FeatureKey, Features, merge
from ser.cache.contents import Contents
from ser.cache.publish import write_shard
from ser.cache.shard import ShardIndex, read_index
from ser.cli import main
from ser.errors import SerError
from ser.manifests import Manifest

from .conftest import KEY, VECTOR, Rows, make_manifest, make_rows, same, shards, tree

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def write_each(
    cache: Cache, key: FeatureKey, manifest: Manifest, rows: Rows, size: int = 1, **of: str
) -> None:
    """A shard for every `size` utterances."""
    with cache.write(key, manifest, of) as out:
        for number, name in enumerate(manifest.ids, 1):
            out.add(name, rows[name])
            if number % size == 0:
                out.publish()


def indices(cache: Cache) -> list[ShardIndex]:
    return [index for path in shards(cache) if (index := read_index(path)) is not None]


def equal(one: Features, other: Features) -> None:
    np.testing.assert_array_equal(one.frames, other.frames)
    np.testing.assert_array_equal(one.offsets, other.offsets)


@pytest.mark.parametrize("key", [KEY, VECTOR], ids=["sequence", "vector"])
def test_many_small_shards_become_few_and_read_the_same(
    cache: Cache, key: FeatureKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merge, "SHARD_UTTERANCES", 10)
    manifest = make_manifest(LETTERS)
    rows = make_rows(key, manifest)
    write_each(cache, key, manifest, rows, licence="MIT")
    opened = cache.open(key, manifest)
    before = tree(cache.folder)
    (planned,) = cache.collect(dry_run=True).merges
    assert tree(cache.folder) == before
    (done,) = cache.collect().merges
    assert done == planned
    assert (done.key, done.corpus, done.shards, done.into) == (key, "mine", 26, 3)
    assert [len(index) for index in sorted(indices(cache), key=lambda i: i.ids)] == [10, 10, 6]
    for index in indices(cache):
        assert index.ids == sorted(index.ids)
        assert index.provenance["licence"] == "MIT"
        assert index.manifest_id == manifest.id
    same(Cache(cache.folder), key, manifest, rows)
    np.testing.assert_array_equal(opened.read()[3], np.atleast_2d(rows["d"]))
    assert cache.verify().whole
    assert cache.collect().merges == ()  # and no more, however often
    assert not list(cache.folder.rglob(".*"))


def test_the_command_says_what_it_merged(cache: Cache) -> None:
    manifest = make_manifest("abcd")
    write_each(cache, KEY, manifest, make_rows(KEY, manifest), 2)
    for option, verb in (("--dry-run", "would merge"), ("--quiet", "merged")):
        done = CliRunner().invoke(main, ["cache", "gc", option, "--cache", str(cache.folder)])
        assert done.stdout == f"{verb} 2 shards into 1, 0.0 MB, of {KEY.short} (corpus mine)\n"
    assert len(shards(cache)) == 1


def test_what_grows_by_the_day_is_merged_over_its_manifests(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merge, "SHARD_UTTERANCES", 4)
    days = LETTERS[:14]
    rows = make_rows(KEY, make_manifest(days))
    written: list[int] = []
    for day, name in enumerate(days):
        with cache.write(KEY, make_manifest(days[: day + 1])) as out:
            out.add(name, rows[name])
        written += [merged.bytes for merged in cache.collect().merges]
    same(cache, KEY, make_manifest(days), rows)
    assert max(map(len, indices(cache))) <= 4
    assert len(shards(cache)) <= 2 * len(days) / 4 + 1
    once = sum(array.nbytes for array in rows.values())
    assert sum(written) < 4 * once  # what is merged is not rewritten for ever


def test_what_other_software_made_stays_apart(cache: Cache) -> None:
    manifest = make_manifest("abcdef")
    rows = make_rows(KEY, manifest)
    for names, version in (("ab", "1"), ("cd", "2"), ("e", "1"), ("f", "2")):
        write_each(cache, KEY, manifest.select(list(names)), rows, backbone=version)
    assert cache.collect().merges[0].into == 2
    found = {"".join(index.ids): index.provenance["backbone"] for index in indices(cache)}
    assert found == {"abe": "1", "cdf": "2"}
    same(cache, KEY, manifest, rows)


def test_other_audio_under_one_id_stays_apart(cache: Cache) -> None:
    for take in (1, 2):
        manifest = make_manifest("abc", take=take)
        write_each(cache, KEY, manifest, make_rows(KEY, manifest, seed=take))
    cache.collect()
    assert sorted(map(len, indices(cache))) == [3, 3]
    for take in (1, 2):
        manifest = make_manifest("abc", take=take)
        same(cache, KEY, manifest, make_rows(KEY, manifest, seed=take))


def test_a_damaged_shard_is_left_where_it_is(cache: Cache) -> None:
    manifest = make_manifest("abcdef")
    rows = make_rows(KEY, manifest)
    write_each(cache, KEY, manifest, rows)
    bad = next(index for index in indices(cache) if index.ids == ["c"])
    data = bytearray(bad.path.read_bytes())
    data[int(bad.bounds[0])] ^= 1
    bad.path.write_bytes(data)
    assert cache.collect().merges[0].shards == 5
    assert {"".join(index.ids) for index in indices(cache)} == {"abdef", "c"}
    assert [problem.path for problem in cache.verify().problems] == [bad.path]


@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.sets(st.sampled_from("abcdefg"), min_size=1),
            st.integers(0, 1),
            st.sampled_from(["MIT", "GPL"]),
        ),
        min_size=1,
        max_size=7,
    )
)
@settings(max_examples=20)
def test_over_a_shared_cache_the_same_bytes_are_read(
    tmp_path_factory: pytest.TempPathFactory, written: list[tuple[bool, set[str], int, str]]
) -> None:
    place = tmp_path_factory.mktemp("cache")
    own, shared = Cache(place / "own"), Cache(place / "shared")
    (shared.folder / "features").mkdir(parents=True)
    versions = [make_rows(KEY, make_manifest("abcdefg"), seed) for seed in (0, 1)]
    for is_own, names, version, licence in written:
        manifest = make_manifest("".join(sorted(names)))
        of = {"licence": licence}
        write_each(own if is_own else shared, KEY, manifest, versions[version], 9, **of)
    both = Cache(own.folder, shared.folder)
    manifest = make_manifest("".join(sorted(set().union(*(names for _, names, _, _ in written)))))
    held = [id for id in manifest.ids if id not in own.missing(KEY, manifest)]
    before, kept = both.read(KEY, manifest), tree(shared.folder)
    both.collect()
    equal(Cache(*both.folders).read(KEY, manifest), before)
    assert tree(shared.folder) == kept
    assert own.missing(KEY, manifest.select(held)) == [] if held else True  # without the drive too
    assert both.verify().whole
    again = both.collect()
    assert (again.removals, again.merges) == ((), ())


# Ended at any moment


class Killed(BaseException):
    """No handler of ours sees it."""


STEPS = ("write_shard", "check_shard", "take_out")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("after", [False, True])
def test_whatever_ends_it_nothing_is_lost_and_a_repeat_completes(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, step: str, after: bool
) -> None:
    monkeypatch.setattr(merge, "SHARD_UTTERANCES", 4)
    manifest = make_manifest("abcdefgh")
    rows = make_rows(KEY, manifest)
    write_each(cache, KEY, manifest, rows)
    real = getattr(merge, step)
    calls: list[object] = []

    def ends(*arguments: object) -> object:
        calls.append(arguments)
        if len(calls) < 2:
            return real(*arguments)
        if after:
            real(*arguments)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(merge, step, ends)
        with pytest.raises(Killed):
            cache.collect()
    same(cache, KEY, manifest, rows)
    assert cache.verify().whole
    cache.collect()
    assert sorted(map(len, indices(cache))) == [4, 4]
    same(cache, KEY, manifest, rows)


def test_shards_that_a_killed_process_was_about_to_remove_come_back(cache: Cache) -> None:
    manifest = make_manifest("ab")
    rows = make_rows(KEY, manifest)
    write_each(cache, KEY, manifest, rows)
    lost = shards(cache)[0]
    lost.rename(lost.with_name(f".aside-{'0' * 32}-{lost.name}"))
    assert len(cache.missing(KEY, manifest)) == 1
    assert cache.collect(dry_run=True).merges == ()
    assert cache.collect().merges[0].shards == 2
    same(cache, KEY, manifest, rows)


def test_a_full_disk_loses_nothing(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = make_manifest("abcdefgh")
    rows = make_rows(KEY, manifest)
    write_each(cache, KEY, manifest, rows)
    before = tree(cache.folder)

    def full(*_: object) -> Path:
        raise SerError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(merge, "write_shard", full)
        with pytest.raises(SerError, match="no space"):
            cache.collect()
    assert tree(cache.folder) == before


def test_a_merged_shard_that_does_not_read_back_replaces_nothing(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = make_manifest("abcdefgh")
    rows = make_rows(KEY, manifest)
    write_each(cache, KEY, manifest, rows)
    before = tree(cache.folder)

    def bad_disk(*arguments: Any) -> Path:
        path = write_shard(*arguments)
        path.write_bytes(path.read_bytes()[:-1] + b"\xff")
        return path

    monkeypatch.setattr(merge, "write_shard", bad_disk)
    with pytest.raises(SerError, match=r"does not read back .*Nothing was removed"):
        cache.collect()
    assert tree(cache.folder) == before


# Several at once

COLLECT = """
import sys
from pathlib import Path
from ser.cache import Cache, merge
merge.SHARD_UTTERANCES = int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
Cache(Path(sys.argv[1])).collect()
"""


def collecting(cache: Cache, size: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", COLLECT, str(cache.folder), str(size)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def test_two_at_once_beside_a_reader_lose_nothing(cache: Cache) -> None:
    manifest = make_manifest(LETTERS)
    rows = make_rows(KEY, manifest)
    for size in (1, 2, 3):  # and much is there twice
        write_each(cache, KEY, manifest, rows, size)
    running = [collecting(cache, size) for size in (9, 13)]
    for process in running:
        go(process)
    while any(process.poll() is None for process in running):
        same(cache, KEY, manifest, rows)
    for process in running:
        process.communicate(timeout=60)
        assert process.returncode == 0
    same(cache, KEY, manifest, rows)
    cache.collect()
    same(cache, KEY, manifest, rows)
    assert cache.verify().whole
    assert not list(cache.folder.rglob(".*"))


@pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.1])
def test_killed_at_some_moment_it_loses_nothing(cache: Cache, seconds: float) -> None:
    manifest = make_manifest(LETTERS)
    rows = make_rows(KEY, manifest)
    write_each(cache, KEY, manifest, rows)
    process = collecting(cache, 8)
    go(process)
    timer = threading.Timer(seconds, lambda: os.kill(process.pid, signal.SIGKILL))
    timer.start()
    process.communicate(timeout=60)
    timer.join()
    cache.collect()
    same(cache, KEY, manifest, rows)
    assert cache.verify().whole
    assert not list(cache.folder.rglob(".*"))


def test_of_many_features_one_is_held_at_a_time(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = make_manifest("abcd")
    for key in (KEY, VECTOR):
        write_each(cache, key, manifest, make_rows(key, manifest))
    held: list[int] = []
    look = Contents.look_at

    def looking(contents: Contents, paths: list[Path], key: FeatureKey) -> object:
        held.append(len(contents._indices))
        return look(contents, paths, key)

    monkeypatch.setattr(Contents, "look_at", looking)
    assert len(Cache(cache.folder).collect().merges) == 2
    assert set(held) == {0}
