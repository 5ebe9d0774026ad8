"""The cache as a whole: reuse, merging, damage, crashes, read-only folders, two writers at once."""

import errno
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser import files
from ser.cache import Cache, FeatureKey, default_cache_folders, publish, store_manifest, writer
from ser.cache.shard import read_index
from ser.errors import CorruptShardError, InputError, MissingFeaturesError, SerError
from ser.manifests import Manifest

from .conftest import KEY, VECTOR, fill, make_key, make_manifest, same, shards, tree

# Writing, and what is missing


@pytest.mark.parametrize("key", [KEY, VECTOR], ids=["sequence", "vector"])
def test_what_is_written_is_read(cache: Cache, key: FeatureKey) -> None:
    manifest = make_manifest()
    assert cache.missing(key, manifest) == list("abcdef")
    rows = fill(cache, key, manifest)
    assert cache.missing(key, manifest) == []
    assert cache.keys() == [key]
    same(Cache(cache.folder), key, manifest, rows)
    assert cache.verify().whole


def test_a_shard_is_in_the_order_of_the_manifest(cache: Cache) -> None:
    fill(cache, KEY, make_manifest("cab"))
    index = read_index(shards(cache)[0])
    assert index is not None
    assert index.ids == ["a", "b", "c"]


def test_only_what_is_missing_is_missing(cache: Cache) -> None:
    fill(cache, KEY, make_manifest("bd"))
    manifest = make_manifest("abcde")
    assert cache.missing(KEY, manifest) == ["a", "c", "e"]
    assert cache.missing(VECTOR, manifest) == list("abcde")
    assert cache.missing(KEY, make_manifest("bd", corpus="other")) == ["b", "d"]
    with pytest.raises(MissingFeaturesError, match=r"3 of 5 utterances .*a, c, e"):
        cache.read(KEY, manifest)


def test_other_audio_under_the_same_id_is_another_utterance(cache: Cache) -> None:
    old, new = make_manifest("ab"), make_manifest("ab", take=2)
    rows = fill(cache, KEY, old)
    assert cache.missing(KEY, new) == ["a", "b"]
    others = fill(cache, KEY, new, seed=1)
    same(cache, KEY, old, rows)
    same(cache, KEY, new, others)


def test_a_corrected_label_invalidates_nothing(cache: Cache) -> None:
    manifest = make_manifest()
    fill(cache, KEY, manifest)
    assert cache.missing(KEY, Manifest(manifest.table.assign(emotion="anger"))) == []


def test_a_file_that_changed_on_the_disk_is_read_anew(cache: Cache) -> None:
    fill(cache, KEY, make_manifest())
    assert cache.missing(KEY, make_manifest()) == []
    shards(cache)[0].write_bytes(b"damaged")
    with pytest.raises(CorruptShardError):
        cache.missing(KEY, make_manifest())


@pytest.mark.parametrize("limit", ["SHARD_UTTERANCES", "SHARD_BYTES", "SHARD_SECONDS"])
def test_a_shard_is_published_when_due(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(writer, limit, {"SHARD_UTTERANCES": 2, "SHARD_BYTES": 24}.get(limit, 0))
    with cache.write(KEY, make_manifest()) as out:
        out.add("a", np.zeros((1, 3)))
        out.add("b", np.zeros((1, 3)))
        assert cache.missing(KEY, make_manifest("ab")) == []


def test_what_was_finished_before_an_exception_is_kept(cache: Cache) -> None:
    def crash() -> None:
        with cache.write(KEY, make_manifest()) as out:
            out.add("a", np.ones((1, 3)))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crash()
    assert cache.missing(KEY, make_manifest("ab")) == ["b"]


def test_nothing_added_leaves_nothing_to_find(cache: Cache) -> None:
    with cache.write(KEY, make_manifest()):
        pass
    assert cache.keys() == []
    assert cache.listing() == []
    assert cache.verify().whole


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        (KEY, np.zeros((2, 4)), "expected shape"),
        (KEY, np.zeros(3), "expected shape"),
        (KEY, np.zeros((0, 3)), "expected shape"),
        (VECTOR, np.zeros((1, 8)), "expected shape"),
        (KEY, np.zeros((2, 3), int), "expected floats"),
        (KEY, [[1.0, "x", 2.0]], "expected floats"),
        (KEY, [[1.0, np.nan, np.inf]], "2 of 3 values are not finite"),
        (KEY, [[1.0, 1e300, 0.0]], "1e[+]300 does not fit into float32"),
        (VECTOR, np.full(8, -70_000.0, "f4"), "70000 does not fit into float16"),
    ],
)
def test_bad_values_are_refused_and_named(
    cache: Cache, key: FeatureKey, value: Any, reason: str
) -> None:
    with cache.write(key, make_manifest()) as out:
        with pytest.raises(InputError, match=f"utterance b: .*{reason}"):
            out.add("b", value)
        out.add("a", np.zeros((1, 3) if key is KEY else 8))
    assert cache.missing(key, make_manifest("ab")) == ["b"]


def test_unknown_and_repeated_utterances_are_refused(cache: Cache) -> None:
    with cache.write(KEY, make_manifest("a")) as out:
        out.add("a", np.zeros((1, 3)))
        out.publish()
        with pytest.raises(InputError, match="utterance a: added twice"):
            out.add("a", np.zeros((1, 3)))
        with pytest.raises(InputError, match="utterance z: not in the manifest"):
            out.add("z", np.zeros((1, 3)))


# Travelling


def test_a_copy_works_elsewhere_and_reading_writes_nothing(cache: Cache, tmp_path: Path) -> None:
    manifest = make_manifest()
    rows = fill(cache, KEY, manifest)
    store_manifest(cache, manifest)
    copy = Cache(tmp_path / "else where")
    shutil.copytree(cache.folder, copy.folder)
    shutil.rmtree(cache.folder)
    before = tree(copy.folder)
    loaded = copy.manifest("mine")
    assert copy.resolve("mfcc", loaded) == KEY
    same(copy, KEY, loaded, rows)
    assert copy.verify().whole
    assert len(copy.listing()) == 1
    assert tree(copy.folder) == before


def test_copies_merge_by_copying_one_into_the_other(tmp_path: Path) -> None:
    one, two = Cache(tmp_path / "one"), Cache(tmp_path / "two")
    other = make_manifest("xyz", corpus="other")
    rows = fill(one, KEY, make_manifest("abc")) | fill(two, KEY, make_manifest("def"))
    fill(two, KEY, make_manifest("abc"), seed=0)  # twice the same
    vectors = fill(two, VECTOR, other)
    store_manifest(two, other)
    shutil.copytree(two.folder, one.folder, dirs_exist_ok=True)
    same(one, KEY, make_manifest(), rows)
    same(one, VECTOR, one.manifest("other"), vectors)
    assert one.verify().whole
    assert {(entry.key, entry.corpus, entry.utterances) for entry in one.listing()} == {
        (KEY, "mine", 6),
        (VECTOR, "other", 3),
    }


def test_shards_alone_carry_their_key(cache: Cache) -> None:
    rows = fill(cache, KEY, make_manifest())
    (cache.folder / "features" / KEY.folder / "key.json").unlink()
    assert cache.keys() == [KEY]
    assert cache.verify().whole
    same(cache, cache.resolve("mfcc", make_manifest()), make_manifest(), rows)


# Resolving names


def test_resolve_names_the_command_and_what_is_there(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(cache, VECTOR, make_manifest("abc"))
    manifest = make_manifest()
    with pytest.raises(MissingFeaturesError) as caught:
        cache.resolve("mfcc", manifest)
    message = str(caught.value)
    command = "ser extract --corpus mine --csv FILE --language LANGUAGE --root DIR --features mfcc"
    assert message.endswith(f"Run: {command} --cache {cache.folder}")
    assert f"ge2e@{VECTOR.hash[:8]} (3 of 6 utterances)" in message
    monkeypatch.setenv("SER_CACHE", str(cache.folder))
    with pytest.raises(MissingFeaturesError, match=f"Run: {command}$"):
        cache.resolve("mfcc", manifest)


def test_resolve_by_prefix_and_by_coverage(cache: Cache) -> None:
    manifest, newer = make_manifest(), make_key(version=2)
    fill(cache, KEY, manifest)
    fill(cache, newer, make_manifest("abc"))
    assert cache.resolve("mfcc", manifest) == KEY  # the only one that covers all
    assert cache.resolve(f"mfcc@{newer.hash[:6]}", manifest) == newer
    with pytest.raises(MissingFeaturesError, match="--features mfcc "):
        cache.resolve("mfcc@0000", manifest)
    with pytest.raises(InputError) as caught:
        cache.resolve("mfcc", make_manifest("abc"))
    for key in (KEY, newer):
        assert f"mfcc@{key.hash[:8]} (3 of 3 utterances)" in str(caught.value)


def test_manifests_come_back(cache: Cache) -> None:
    manifest = make_manifest()
    assert cache.corpora() == []
    store_manifest(cache, manifest)
    assert cache.corpora() == ["mine"]
    assert cache.manifest("mine").id == manifest.id
    with pytest.raises(MissingFeaturesError, match="there: mine"):
        cache.manifest("other")
    for name in ("../mine", ""):
        with pytest.raises(InputError, match="cannot name a corpus"):
            cache.manifest(name)


def test_listing_and_removal(cache: Cache) -> None:
    manifest, other = make_manifest(), make_manifest("xyz", corpus="other")
    newer = make_key(version=2)
    for key, corpus in ((KEY, manifest), (KEY, other), (newer, manifest)):
        fill(cache, key, corpus)
    store_manifest(cache, manifest)
    entries = {(entry.key, entry.corpus): entry for entry in cache.listing()}
    assert set(entries) == {(KEY, "mine"), (KEY, "other"), (newer, "mine")}
    mine = entries[KEY, "mine"]
    assert (mine.utterances, mine.shards, mine.damaged) == (6, 1, 0)
    assert mine.bytes == next(path for path in shards(cache) if "mine" in path.name).stat().st_size
    assert mine.hours == pytest.approx(6 * 1.8 / 3600)
    assert entries[KEY, "other"].hours is None

    with pytest.raises(InputError, match="several versions"):
        cache.remove("mfcc")
    with pytest.raises(InputError, match="not there"):
        cache.remove("ge2e")
    assert cache.remove("mfcc", "other").shards == 1
    assert cache.remove(f"mfcc@{KEY.hash}").bytes == mine.bytes
    assert cache.keys() == [newer]
    assert cache.remove("mfcc").shards == 1
    assert list((cache.folder / "features").iterdir()) == []
    assert cache.corpora() == ["mine"]


# Damage


def flips(data: bytes, seed: int, count: int) -> list[int]:
    draw = random.Random(seed)
    return [draw.randrange(len(data)) for _ in range(count)]


def test_every_flipped_byte_is_found_and_never_read(cache: Cache) -> None:
    manifest = make_manifest("ab")
    rows = fill(cache, KEY, manifest)
    path = shards(cache)[0]
    good = path.read_bytes()
    places = [*range(0, 300), *range(len(good) - 200, len(good)), *flips(good, 1, 300)]
    refused = 0
    for place in places:
        damaged = bytearray(good)
        damaged[place] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        fresh = Cache(cache.folder)
        assert not fresh.verify().whole, place
        try:
            same(fresh, KEY, manifest, rows)
        except (CorruptShardError, MissingFeaturesError):
            refused += 1
    assert refused > len(places) / 4
    path.write_bytes(good)
    assert cache.verify().whole


def test_values_that_are_not_finite_are_found_by_verify(cache: Cache) -> None:
    folder = cache.folder / "features" / KEY.folder
    folder.mkdir(parents=True)
    rows = [np.array([[1, np.nan, 2]], "f4")]
    publish.write_shard(folder, KEY, "mine", "0" * 16, {}, ["a"], ["0" * 16], rows)
    assert "not finite" in str(cache.verify().problems[0])


def test_a_shard_under_another_hash_is_found_by_verify(cache: Cache) -> None:
    fill(cache, KEY, make_manifest())
    path = shards(cache)[0]
    path.rename(path.with_name(f"mine-{'0' * 16}.h5"))
    assert "name" in cache.verify().problems[0].reason


@pytest.mark.parametrize(
    "text",
    ["", "{}", "\xff", make_key(version=2).to_json(), KEY.to_json().replace("16000", "8000")],
)
def test_a_changed_key_is_found(cache: Cache, text: str) -> None:
    fill(cache, KEY, make_manifest())
    path = cache.folder / "features" / KEY.folder / "key.json"
    path.write_bytes(text.encode("latin-1"))
    assert cache.keys() == []
    (problem,) = cache.left_out()
    assert problem.path == path
    assert "Delete this file" in problem.reason
    assert [problem.path for problem in cache.verify().problems] == [path]
    path.unlink()
    assert cache.verify().whole


def test_foreign_files_and_bad_manifests_are_found(cache: Cache) -> None:
    fill(cache, KEY, make_manifest())
    folder = cache.folder / "features"
    (folder / "notes.txt").write_text("x")
    (folder / "mfcc").mkdir()
    (folder / f"mfcc-{'a' * 16}").write_text("x")
    (folder / KEY.folder / "x.h5").write_bytes(b"")
    (folder / KEY.folder / ".DS_Store").write_bytes(b"")
    manifests = cache.folder / "manifests"
    manifests.mkdir()
    (manifests / "bad.csv").write_text("id,path\n")
    make_manifest().save(manifests / "yours.csv")
    found = {problem.path.name: problem.reason for problem in cache.verify().problems}
    assert set(found) == {"notes.txt", "mfcc", f"mfcc-{'a' * 16}", "x.h5", "bad.csv", "yours.csv"}
    assert found[f"mfcc-{'a' * 16}"] == "is not a folder. Move it out of the cache."
    assert len(cache.listing()) == 1


def test_an_empty_or_absent_cache_is_whole(cache: Cache) -> None:
    for _ in range(2):
        report = cache.verify()
        assert (report.whole, report.shards, report.utterances, report.bytes) == (True, 0, 0, 0)
        assert (cache.keys(), cache.listing(), cache.corpora()) == ([], [], [])
        cache.folder.mkdir(exist_ok=True)


def test_verify_reports_progress(cache: Cache) -> None:
    fill(cache, KEY, make_manifest("abc"))
    fill(cache, KEY, make_manifest("def"))
    seen: list[tuple[int, int]] = []
    report = cache.verify(lambda done, total: seen.append((done, total)))
    assert (report.shards, report.utterances) == (2, 6)
    assert seen[-1] == (report.bytes, report.bytes)
    assert len(seen) == 2


def test_a_damaged_shard_is_listed_as_damaged(cache: Cache) -> None:
    fill(cache, KEY, make_manifest("abc"))
    fill(cache, KEY, make_manifest("def"))
    shards(cache)[0].write_bytes(b"x")
    (entry,) = cache.listing()
    assert (entry.shards, entry.damaged, entry.utterances) == (2, 1, 3)


# Disks and processes


def fail_with(number: int) -> Any:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_read_only_cache_is_found_before_any_work(
    cache: Cache, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    rows = fill(cache, KEY, make_manifest())
    before = tree(cache.folder)
    monkeypatch.setattr(Path, "write_bytes", fail_with(number))
    for attempt in (
        cache.check_writable,
        cache.write(KEY, make_manifest()).__enter__,
        lambda: store_manifest(cache, make_manifest()),
    ):
        with pytest.raises(SerError, match="read-only for you") as caught:
            attempt()
        assert caught.value.exit_code == 1
    assert tree(cache.folder) == before
    same(cache, KEY, make_manifest(), rows)


def test_a_cache_that_is_a_file_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    cache = Cache(tmp_path / "file")
    with pytest.raises(SerError, match="cannot be written"):
        cache.check_writable()
    with pytest.raises(SerError, match="is not a folder"):
        cache.keys()


def test_a_full_disk_leaves_earlier_shards_whole(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = fill(cache, KEY, make_manifest("abc"))
    monkeypatch.setattr(files, "sync", fail_with(errno.ENOSPC))
    with pytest.raises(SerError, match="no space left"):
        fill(cache, KEY, make_manifest("def"))
    same(cache, KEY, make_manifest("abc"), rows)
    assert cache.verify().whole
    assert not list(cache.folder.rglob(".partial-*"))


def test_half_written_files_are_invisible_and_swept_when_old(cache: Cache) -> None:
    fill(cache, KEY, make_manifest("abc"))
    folder = cache.folder / "features" / KEY.folder
    old, young = folder / ".partial-old.h5", folder / ".partial-young.h5"
    for path in (old, young):
        shutil.copy(shards(cache)[0], path)
    two_days_ago = time.time() - 2 * 24 * 3600
    os.utime(old, (two_days_ago, two_days_ago))
    assert cache.verify().shards == 1
    assert cache.listing()[0].shards == 1
    fill(cache, KEY, make_manifest("def"))
    assert not old.exists()
    assert young.exists()


WRITER = """
import sys, time
from pathlib import Path
import numpy as np
from ser.cache import Cache, writer
from ser.manifests import Manifest
cache, text, manifest = Cache(Path(sys.argv[1])), sys.argv[2], Manifest.load(Path(sys.argv[3]))
from ser.cache import FeatureKey
key = FeatureKey.from_json(text)
writer.SHARD_UTTERANCES = int(sys.argv[4])
with cache.write(key, manifest) as out:
    for number, id in enumerate(manifest.ids):
        out.add(id, np.full((4, 3), number, "f4"))
        print(id, flush=True)
        if sys.argv[5] == "hang" and number == 8:
            time.sleep(60)
"""


def start(cache: Cache, manifest: Path, size: int, then: str = "end") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(cache.folder), KEY.canonical, str(manifest)]
    return subprocess.Popen([*command, str(size), then], stdout=subprocess.PIPE, text=True)


def test_two_processes_may_extract_into_one_cache_at_once(cache: Cache, tmp_path: Path) -> None:
    manifest = make_manifest("abcdefghijklmnop")
    manifest.save(tmp_path / "manifest.csv")
    running = [start(cache, tmp_path / "manifest.csv", size) for size in (2, 2, 3)]
    for process in running:
        process.communicate(timeout=60)
        assert process.returncode == 0
    assert len(shards(cache)) == 8 + 6  # two of them wrote the same files
    rows = {name: np.full((4, 3), n, "f4") for n, name in enumerate(manifest.ids)}
    same(cache, KEY, manifest, rows)
    assert cache.verify().whole


def test_after_a_kill_the_next_run_completes(cache: Cache, tmp_path: Path) -> None:
    manifest = make_manifest("abcdefghijklmnop")
    manifest.save(tmp_path / "manifest.csv")
    process = start(cache, tmp_path / "manifest.csv", 4, "hang")
    assert process.stdout is not None
    for _ in range(9):
        process.stdout.readline()
    process.kill()
    process.communicate(timeout=60)
    assert cache.missing(KEY, manifest) == list("ijklmnop")  # two shards of four were published
    assert cache.verify().whole
    process = start(cache, tmp_path / "manifest.csv", 99)
    process.communicate(timeout=60)
    assert cache.missing(KEY, manifest) == []
    assert cache.verify().whole


def test_the_default_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SER_CACHE", str(tmp_path))
    assert default_cache_folders() == [tmp_path]
    monkeypatch.setenv("SER_CACHE", f"~/features{os.pathsep}{tmp_path}")
    assert default_cache_folders() == [Path.home() / "features", tmp_path]
    monkeypatch.setenv("SER_CACHE", f"{tmp_path}{os.pathsep}")  # as of $A:$B, B not set
    with pytest.raises(InputError, match=r"a name between .* is empty"):
        default_cache_folders()
    monkeypatch.delenv("SER_CACHE")
    (folder,) = default_cache_folders()
    assert folder.name.lower() in ("ser", "cache")


def test_folders_are_told_apart_as_the_system_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "pathsep", ";")
    monkeypatch.setenv("SER_CACHE", r"C:\Users\me\ser;D:\group")
    assert list(map(str, default_cache_folders())) == [r"C:\Users\me\ser", r"D:\group"]


def test_the_cache_is_light_to_import() -> None:
    code = "import ser.cache, sys; print({'torch', 'h5py', 'pandas', 'librosa'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
