"""What others lay into a cache: pipes, devices, links, foreign keys. It stops nothing else."""

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from ser.cache import Cache, FeatureKey, store_manifest
from ser.cli import main
from ser.errors import InputError, MissingFeaturesError, SerError

from .conftest import KEY, VECTOR, fill, make_key, make_manifest, same, shards, tree

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs pipes and links")
OTHER = make_key("logmel")
SECRET = "nobody's business"


def key_file(cache: Cache, key: FeatureKey = KEY) -> Path:
    return cache.folder / "features" / key.folder / "key.json"


def folder(cache: Cache, key: FeatureKey = KEY) -> Path:
    return cache.folder / "features" / key.folder


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder of somebody else, with a good feature folder in it."""
    other = Cache(tmp_path / "outside")
    fill(other, KEY, make_manifest())
    (other.folder / "secret").write_text(SECRET)
    return other.folder


def pipe(path: Path, _: Path) -> None:
    os.mkfifo(path)


def device(path: Path, _: Path) -> None:
    path.symlink_to("/dev/zero")


def directory(path: Path, _: Path) -> None:
    path.mkdir()


def loop(path: Path, _: Path) -> None:
    path.symlink_to(path.name)


def link(path: Path, outside: Path) -> None:
    path.symlink_to(outside / "secret")


def link_of_the_right_kind(path: Path, outside: Path) -> None:
    path.symlink_to(outside / "features" / KEY.folder / "key.json")


def endless(path: Path, _: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


def foreign_key(path: Path, _: Path) -> None:
    path.write_text(VECTOR.to_json())


def huge_numbers(path: Path, _: Path) -> None:
    path.write_text(KEY.to_json().replace("100.0", "1" + "0" * 400))


def nesting(path: Path, _: Path) -> None:
    path.write_text("[" * 60_000)


def not_text(path: Path, _: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00")


THINGS = [
    pipe,
    device,
    directory,
    loop,
    link,
    link_of_the_right_kind,
    endless,
    foreign_key,
    huge_numbers,
    nesting,
    not_text,
]


@pytest.mark.parametrize("lay", THINGS, ids=lambda lay: lay.__name__)
def test_one_foreign_key_stops_no_other_feature(
    cache: Cache, outside: Path, lay: Callable[[Path, Path], None]
) -> None:
    manifest = make_manifest()
    fill(cache, KEY, manifest)
    rows = fill(cache, VECTOR, manifest)
    path = key_file(cache)
    path.unlink()
    lay(path, outside)
    before = tree(outside)
    assert cache.keys() == [VECTOR]
    assert [problem.path for problem in cache.left_out()] == [path]
    assert [holding.key for holding in cache.listing()] == [VECTOR]
    assert [problem.path for problem in cache.verify().problems] == [path]
    same(cache, cache.resolve("ge2e", manifest), manifest, rows)
    with pytest.raises(MissingFeaturesError, match=r"key\.json: .*(Delete|Remove)") as caught:
        cache.resolve("mfcc", manifest)
    assert "ser extract" not in str(caught.value)  # which would find that nothing is missing
    with pytest.raises(MissingFeaturesError, match=r"key\.json, see .*Run: ser extract"):
        cache.resolve("logmel", manifest)
    with pytest.raises(InputError, match=r"not to be used: .*key\.json, see"):
        cache.remove("mfcc")
    cache.collect()
    assert cache.remove("ge2e").shards == 1
    assert tree(outside) == before


def test_ls_says_what_it_left_out(cache: Cache) -> None:
    fill(cache, KEY, make_manifest())
    fill(cache, VECTOR, make_manifest())
    path = key_file(cache)
    path.unlink()
    os.mkfifo(path)

    def ls(*options: str) -> str:
        done = CliRunner().invoke(main, ["cache", "ls", "--cache", str(cache.folder), *options])
        assert done.exit_code == 0
        return done.stdout

    assert f"left out: {path}: cannot be read (it is not a regular file). Remove it" in ls()
    rows = json.loads(ls("--json"))
    assert [(row["feature"], row["problem"] is None) for row in rows] == [
        ("ge2e", True),
        (None, False),
    ]
    assert str(path) in rows[1]["problem"]
    assert set(rows[0]) == set(rows[1])


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read all")
@pytest.mark.parametrize("mode", [0o000, 0o400, 0o100])
def test_a_folder_that_one_may_not_read_stops_no_other(cache: Cache, mode: int) -> None:
    fill(cache, KEY, make_manifest())
    rows = fill(cache, VECTOR, make_manifest())
    folder(cache).chmod(mode)
    try:
        assert [holding.key for holding in cache.listing()] == [VECTOR]
        assert len(cache.left_out()) == 1
        assert not cache.verify().whole
        same(cache, VECTOR, make_manifest(), rows)
    finally:
        folder(cache).chmod(0o755)


@pytest.mark.parametrize("lay", [pipe, device, loop, link, link_of_the_right_kind, endless])
def test_a_shard_that_is_no_file_hangs_nothing_and_is_named(
    cache: Cache, outside: Path, lay: Callable[[Path, Path], None]
) -> None:
    rows = fill(cache, KEY, make_manifest())
    path = folder(cache) / f"mine-{'0' * 16}.h5"
    lay(path, outside)
    assert [problem.path for problem in cache.verify().problems] == [path]
    assert cache.listing()[0].utterances == 6
    try:
        same(cache, KEY, make_manifest(), rows)
    except SerError as error:
        assert str(path) in str(error)  # noqa: PT017
    cache.collect()
    assert os.path.lexists(path)
    before = tree(outside)
    cache.remove("mfcc")
    assert tree(outside) == before


def shards_elsewhere(cache: Cache, outside: Path) -> None:
    """Shards are links to good ones outside."""
    for path in shards(cache):
        path.unlink()
    for path in (outside / "features" / KEY.folder).glob("*.h5"):
        (folder(cache) / path.name).symlink_to(path)


def folder_elsewhere(cache: Cache, outside: Path) -> None:
    """A feature folder is a link to a good one outside."""
    shutil.rmtree(folder(cache))
    folder(cache).symlink_to(outside / "features" / KEY.folder)


def folder_below(cache: Cache, outside: Path) -> None:
    """A feature folder is a link to another folder of the same cache."""
    shutil.rmtree(folder(cache))
    folder(cache).symlink_to(VECTOR.folder)


def features_elsewhere(cache: Cache, outside: Path) -> None:
    shutil.rmtree(cache.folder / "features")
    (cache.folder / "features").symlink_to(outside / "features")


LINKS = [shards_elsewhere, folder_elsewhere, folder_below, features_elsewhere]


@pytest.mark.parametrize("lay", LINKS, ids=lambda lay: lay.__name__)
def test_links_out_of_a_cache_are_not_followed(
    cache: Cache, outside: Path, lay: Callable[[Cache, Path], None]
) -> None:
    manifest = make_manifest()
    fill(cache, KEY, manifest)
    fill(cache, VECTOR, manifest)
    lay(cache, outside)
    partial = outside / "features" / KEY.folder / ".partial-old.h5"
    partial.write_bytes(b"x")
    os.utime(partial, (0, 0))
    before, own = tree(outside), tree(cache.folder / "features" / VECTOR.folder)
    for reading in (cache.missing, cache.open, cache.read):
        with pytest.raises(SerError, match="link"):
            reading(KEY, manifest)
    assert any("link" in problem.reason for problem in cache.verify().problems)
    attempts: list[Callable[[], object]] = [
        cache.listing,
        cache.collect,
        lambda: cache.remove("mfcc"),
        cache.check_writable,
        lambda: fill(cache, OTHER, make_manifest("xyz")),
        lambda: fill(cache, KEY, make_manifest("xyz")),
    ]
    refused = 0
    for attempt in attempts:
        try:
            attempt()
        except SerError as error:
            refused += 1
            assert "link" in str(error) or "is not there" in str(error)  # noqa: PT017
    assert tree(outside) == before
    assert tree(cache.folder / "features" / VECTOR.folder) in (own, before, {})
    assert refused or lay is shards_elsewhere


def test_manifests_behind_links_are_not_read_or_written(cache: Cache, outside: Path) -> None:
    fill(cache, KEY, make_manifest())
    make_manifest().save(outside / "mine.csv")
    (cache.folder / "manifests").mkdir()
    (cache.folder / "manifests" / "mine.csv").symlink_to(outside / "mine.csv")
    with pytest.raises(SerError, match="leads out of"):
        cache.manifest("mine")
    assert cache.listing()[0].hours is None
    before = tree(outside)
    store_manifest(cache, make_manifest("ab"), replace=True)  # takes the place of the link
    assert cache.manifest("mine").ids == ("a", "b")
    assert tree(outside) == before
    shutil.rmtree(cache.folder / "manifests")
    (cache.folder / "manifests").symlink_to(outside)
    for attempt in (cache.corpora, lambda: store_manifest(cache, make_manifest())):
        with pytest.raises(SerError, match="reached through a link"):
            attempt()
    assert len(cache.listing()) == 1
    assert not cache.verify().whole
    assert tree(outside) == before


@pytest.mark.parametrize("lay", [pipe, device, directory, loop, endless])
def test_a_manifest_that_is_no_file_hangs_nothing(
    cache: Cache, outside: Path, lay: Callable[[Path, Path], None]
) -> None:
    rows = fill(cache, KEY, make_manifest())
    path = cache.folder / "manifests" / "mine.csv"
    path.parent.mkdir()
    lay(path, outside)
    with pytest.raises(SerError):
        cache.manifest("mine")
    assert [problem.path for problem in cache.verify().problems] == [path]
    assert cache.listing()[0].hours is None
    same(cache, KEY, make_manifest(), rows)


def test_the_whole_cache_may_be_a_link(cache: Cache, tmp_path: Path) -> None:
    (tmp_path / "drive").mkdir()
    cache.folder.symlink_to("drive")
    rows = fill(cache, KEY, make_manifest())
    store_manifest(cache, make_manifest())
    same(cache, KEY, cache.manifest("mine"), rows)
    assert cache.verify().whole
    assert cache.collect().removals == ()
    assert cache.remove("mfcc").shards == 1


def test_hdf5_reads_the_file_that_was_opened(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = fill(cache, KEY, make_manifest())
    (path,) = shards(cache)
    opened = os.open

    def swapped(name: object, *arguments: int, **options: object) -> int:
        """As soon as a shard is open, a pipe lies in its place."""
        descriptor = opened(name, *arguments, **options)
        if name == path and path.is_file():
            path.unlink()
            os.mkfifo(path)
        return descriptor

    monkeypatch.setattr(os, "open", swapped)
    assert cache.missing(KEY, make_manifest()) == []
    assert len(rows) == 6


def test_a_damaged_version_does_not_hide_what_to_do(cache: Cache) -> None:
    fill(cache, KEY, make_manifest())
    shards(cache)[0].write_bytes(b"x")
    with pytest.raises(MissingFeaturesError, match=r"mfcc@\w{8} \(damaged\).*Run: ser extract"):
        cache.resolve("ge2e", make_manifest())


def test_a_long_utterance_is_verified_piece_by_piece(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ser.cache import verify

    manifest = make_manifest("abc")
    with cache.write(KEY, manifest) as out:
        for length, name in enumerate("abc", start=1):
            out.add(name, np.full((length * 5, 3), length, "f4"))
    monkeypatch.setattr(verify, "PIECE_BYTES", 48)
    assert cache.verify().whole
    (path,) = shards(cache)
    good = path.read_bytes()
    place = good.index(np.full(45, 3, "f4").tobytes())
    for at in (place, place + 100, place + 179):
        path.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        assert "utterance c" in cache.verify().problems[0].reason


def test_more_utterances_than_a_shard_may_have_are_refused(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ser.cache import layout

    fill(cache, KEY, make_manifest())
    monkeypatch.setattr(layout, "MAX_UTTERANCES", 5)
    assert "claims 6 utterances" in cache.verify().problems[0].reason
