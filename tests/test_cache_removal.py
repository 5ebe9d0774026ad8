"""Removing: what is named, after asking; what merging doubled; what killed writers left."""

import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.cache import Cache, store_manifest
from ser.cli import main
from ser.errors import MissingFeaturesError, SerError

from .conftest import KEY, VECTOR, Rows, fill, make_manifest, make_rows, same, shards, tree


def ser(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def write(cache: Cache, rows: Rows, names: Sequence[str], licence: str = "") -> None:
    """Write some utterances of `rows` as one shard."""
    provenance = {"licence": licence} if licence else {}
    with cache.write(KEY, make_manifest("".join(sorted(rows))), provenance) as out:
        for name in names:
            out.add(name, rows[name])


def merge(into: Cache, other: Cache) -> None:
    shutil.copytree(other.folder, into.folder, dirs_exist_ok=True)


def aged(path: Path) -> Path:
    """A file, two days old."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"half")
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(path, (two_days_ago, two_days_ago))
    return path


# What is named


def test_rm_without_a_terminal_wants_a_yes(cache: Cache) -> None:
    fill(cache, KEY, make_manifest())
    fill(cache, KEY, make_manifest("xyz", corpus="other"))
    before = tree(cache.folder)
    refused = ser("cache", "rm", "mfcc", "--cache", cache.folder)
    assert refused.exit_code == 2
    assert "2 shards, 0.0 MB, of mfcc@" in refused.stderr
    assert "(corpora mine, other)" in refused.stderr
    assert "--yes" in refused.stderr
    assert tree(cache.folder) == before
    done = ser("cache", "rm", "mfcc", "--corpus", "other", "--yes", "--cache", cache.folder)
    assert done.stdout == "removed 1 shard, 0.0 MB\n"
    assert [path.name[:5] for path in shards(cache)] == ["mine-"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a terminal of its own")
@pytest.mark.parametrize(("answer", "left"), [("y", 0), ("n", 1), ("", 1), ("\x04", 1)])
def test_rm_asks_at_a_terminal(cache: Cache, answer: str, left: int) -> None:
    import pty

    fill(cache, KEY, make_manifest())
    child, terminal = pty.fork()
    if not child:
        arguments = ["cache", "rm", "mfcc", "--cache", str(cache.folder)]
        code = f"from ser.cli import main; main({arguments})"
        os.execv(sys.executable, [sys.executable, "-c", code])
    shown = b""
    while b"[y/N]" not in shown:
        shown += os.read(terminal, 1000)
    os.write(terminal, answer.encode() + b"\n")
    try:
        while chunk := os.read(terminal, 1000):
            shown += chunk
    except OSError:  # on Linux: the other side is closed
        pass
    os.waitpid(child, 0)
    os.close(terminal)
    assert b"remove 1 shard" in shown
    assert len(shards(cache)) == left


def test_rm_takes_what_it_listed_and_no_more(cache: Cache) -> None:
    fill(cache, KEY, make_manifest("abc"))
    removal = cache.removal("mfcc")
    later = fill(cache, KEY, make_manifest("def"))
    assert removal.carry_out().shards == 1
    same(cache, KEY, make_manifest("def"), later)
    assert removal.carry_out().shards == 0
    assert cache.keys() == [KEY]
    cache.remove("mfcc")
    assert list((cache.folder / "features").iterdir()) == []


def test_what_else_lies_in_a_folder_keeps_the_folder(cache: Cache) -> None:
    fill(cache, KEY, make_manifest())
    folder = cache.folder / "features" / KEY.folder
    (folder / "notes.txt").write_text("mine")
    assert cache.remove("mfcc").shards == 1
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


# What goes while it is read


def test_open_features_are_found_again_or_named_as_missing(cache: Cache) -> None:
    manifest = make_manifest("abc")
    rows = make_rows(KEY, manifest)
    write(cache, rows, "abc")
    write(cache, rows, "ab")
    write(cache, rows, "c")
    opened = [cache.open(KEY, manifest) for _ in range(4)]
    largest = max(shards(cache), key=lambda path: path.stat().st_size)
    largest.unlink()
    np.testing.assert_array_equal(opened[0][1], rows["b"])
    for mapped in (False, True):
        np.testing.assert_array_equal(opened[1 + mapped].read(mapped)[2], rows["c"])
    frames = np.empty(opened[3].shape, "f4")
    for path in shards(cache):
        path.unlink()
    for reading in (lambda: opened[3].read(), lambda: opened[3].read_into(frames)):
        with pytest.raises(MissingFeaturesError, match=r"3 of 3 .*\n?.*Run: ser extract"):
            reading()
    with pytest.raises(MissingFeaturesError):
        opened[3][0]


def test_features_of_another_length_do_not_take_their_place(cache: Cache) -> None:
    manifest = make_manifest("a")
    write(cache, {"a": np.zeros((3, 3), "f4")}, "a")
    opened = cache.open(KEY, manifest)
    shards(cache)[0].unlink()
    write(cache, {"a": np.zeros((4, 3), "f4")}, "a")
    with pytest.raises(SerError, match="took the place"):
        opened.read()


# What nobody needs


def test_two_copies_merge_into_what_one_had(tmp_path: Path) -> None:
    one, two = Cache(tmp_path / "one"), Cache(tmp_path / "two")
    rows = make_rows(KEY, make_manifest("abcdefghi"))
    for names in ("abc", "def", "ghi"):
        write(one, rows, names)
    for names in ("abcd", "ef", "ghi"):
        write(two, rows, names, licence="MIT")
    merge(one, two)
    (holding,) = one.listing()
    assert (holding.shards, holding.superfluous, holding.utterances) == (6, 3, 9)
    listed = ser("cache", "ls", "--cache", one.folder).stdout
    assert "3 of 6 shards hold nothing that others do not: ser cache gc" in listed
    before = tree(one.folder)
    dry = ser("cache", "gc", "--dry-run", "--cache", one.folder)
    assert dry.stdout.startswith("would remove 3 shards")
    assert tree(one.folder) == before
    opened = one.open(KEY, make_manifest("abcdefghi"))
    done = ser("cache", "gc", "--cache", one.folder)
    assert done.exit_code == 0
    assert f"removed 3 shards, 0.0 MB, of mfcc@{KEY.hash[:8]} (corpus mine)" in done.stdout
    assert len(shards(one)) < 3  # those of one licence were merged
    same(one, KEY, make_manifest("abcdefghi"), rows)
    np.testing.assert_array_equal(opened.read()[4], rows["e"])
    assert one.verify().whole
    assert "nothing to remove or merge" in ser("cache", "gc", "--cache", one.folder).stdout


@given(
    st.lists(
        st.tuples(st.sets(st.sampled_from("abcdefg"), min_size=1), st.integers(0, 1)),
        min_size=1,
        max_size=7,
    )
)
@settings(max_examples=40)
def test_collecting_changes_no_byte_that_is_read(
    tmp_path_factory: pytest.TempPathFactory, written: list[tuple[set[str], int]]
) -> None:
    cache = Cache(tmp_path_factory.mktemp("cache"))
    versions = [make_rows(KEY, make_manifest("abcdefg"), seed) for seed in (0, 1)]
    for names, version in written:  # of which one does not have the bytes of the other
        write(cache, versions[version], sorted(names))
    manifest = make_manifest("".join(sorted(set().union(*(names for names, _ in written)))))
    before = cache.read(KEY, manifest)
    (holding,) = cache.listing()
    found = cache.collect()
    assert sum(removal.shards for removal in found.removals) == holding.superfluous
    after = Cache(cache.folder).read(KEY, manifest)
    np.testing.assert_array_equal(after.frames, before.frames)
    np.testing.assert_array_equal(after.offsets, before.offsets)
    (holding,) = cache.listing()
    assert holding.superfluous == 0
    assert cache.verify().whole


def test_a_damaged_shard_replaces_no_whole_one(cache: Cache) -> None:
    rows = make_rows(KEY, make_manifest("abc"))
    write(cache, rows, "abc")
    write(cache, rows, "abc", licence="MIT")
    for damaged in shards(cache):
        good = damaged.read_bytes()
        data = bytearray(good)
        data[data.index(rows["b"].tobytes())] ^= 1
        damaged.write_bytes(data)
        assert cache.collect().removals == ()
        damaged.write_bytes(good)
    assert len(shards(cache)) == 2
    assert cache.collect().removals[0].shards == 1


def test_a_shard_stays_where_those_that_hold_the_same_are_gone(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = make_rows(KEY, make_manifest("abc"))
    write(cache, rows, "abc")
    write(cache, rows, "abc", licence="MIT")
    rename, two = Path.rename, shards(cache)

    def rename_beside_another(path: Path, target: Path) -> Path:
        """Another process takes the other shard at the same time."""
        next(other for other in two if other != path).unlink()
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", rename_beside_another)
    assert cache.collect().removals == ()
    same(cache, KEY, make_manifest("abc"), rows)


# What killed writers left


def test_leftovers_go_when_the_cache_is_next_written_anywhere(cache: Cache) -> None:
    fill(cache, VECTOR, make_manifest())
    name = f".partial-{'0' * 32}"
    places = [
        cache.folder / "features" / VECTOR.folder / f"{name}.h5",
        cache.folder / "features" / name,
        cache.folder / "manifests" / f"{name}-mine.csv",
        cache.folder / name,
    ]
    kept = [aged(cache.folder / ".partial-thesis"), cache.folder / "features" / ".partial-young"]
    kept[1].write_bytes(b"")
    for act in (
        lambda: fill(cache, KEY, make_manifest()),
        lambda: store_manifest(cache, make_manifest()),
        cache.collect,
    ):
        for place in places:
            aged(place)
        act()
        assert not [place for place in places if place.exists()]
    assert all(path.exists() for path in kept)


def test_collecting_says_what_it_swept(cache: Cache) -> None:
    fill(cache, KEY, make_manifest())
    left = aged(cache.folder / "features" / KEY.folder / ".partial-x.h5")
    dry = ser("cache", "gc", "--dry-run", "--cache", cache.folder)
    assert dry.stdout == "would remove 1 file of killed writers\n"
    assert left.exists()
    (cache.folder / "features" / VECTOR.folder).mkdir()  # as a writer that wrote nothing leaves it
    done = ser("cache", "gc", "--cache", cache.folder)
    assert done.stdout == "removed 1 file of killed writers\n"
    assert not left.exists()
    assert [path.name for path in (cache.folder / "features").iterdir()] == [KEY.folder]


# Licences


def test_the_licence_travels_with_the_features(cache: Cache) -> None:
    rows = make_rows(KEY, make_manifest("abc"))
    write(cache, rows, "abc", licence="research only")
    fill(cache, VECTOR, make_manifest("abc"))
    text = (cache.folder / "features" / KEY.folder / "LICENCE.txt").read_text(encoding="utf-8")
    assert text.startswith(f"Feature: mfcc ({KEY.hash})\nLicence: research only\n")
    assert not (cache.folder / "features" / VECTOR.folder / "LICENCE.txt").exists()
    assert {each.key.feature: each.licence for each in cache.listing()} == {
        "mfcc": "research only",
        "ge2e": None,
    }
    assert cache.verify().whole
    listed = ser("cache", "ls", "--cache", cache.folder).stdout
    assert listed.endswith(f"\nlicence of mfcc@{KEY.hash[:8]}: research only\n")
    rows_of = json.loads(ser("cache", "ls", "--json", "--cache", cache.folder).stdout)
    assert {row["feature"]: row["licence"] for row in rows_of} == {
        "mfcc": "research only",
        "ge2e": None,
    }
    cache.remove("mfcc")
    assert [path.name for path in (cache.folder / "features").iterdir()] == [VECTOR.folder]


def test_the_key_does_not_depend_on_the_licence(cache: Cache) -> None:
    rows = make_rows(KEY, make_manifest("abc"))
    write(cache, rows, "ab", licence="MIT")
    write(cache, rows, "c", licence="GPL-3.0")
    same(cache, KEY, make_manifest("abc"), rows)
    (holding,) = cache.listing()
    assert holding.licence == "GPL-3.0; MIT"
