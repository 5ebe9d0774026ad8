"""`ser cache ls`, and `rm` and `verify` over several folders: what people are told."""

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ser.cache import Cache, in_words, places, store_manifest
from ser.cli import main

from .conftest import KEY, VECTOR, fill, make_key, make_manifest, shards, tree

HOP = make_key("mfcc:hop_length=160", parameters={"hop_length": 160, "n_mfcc": 24})
LONG = make_key("hf:wav2vec2-xls-r-300m-0123456789ab:layer=9,window=30,pool=mean")


def ser(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    """KEY of `mine` in both folders, VECTOR of `mine` and HOP and LONG of `other` in the shared one
    alone, and manifests of both corpora there; the environment names both."""
    own, shared = Cache(tmp_path / "own"), Cache(tmp_path / "group drive")
    mine, other = make_manifest("abcdef"), make_manifest("xyz", corpus="other")
    fill(own, KEY, make_manifest("ef"))
    fill(shared, KEY, make_manifest("abcd"))
    fill(shared, VECTOR, mine)
    fill(shared, HOP, other)
    fill(shared, LONG, other)
    store_manifest(shared, mine)
    store_manifest(shared, other)
    cache = Cache(own.folder, shared.folder)
    monkeypatch.setenv("SER_CACHE", str(cache))
    return cache


def age(cache: Cache, days: float) -> None:
    for path in shards(cache):
        os.utime(path, (time.time() - days * 24 * 3600 - 60,) * 2)


# ls


def test_ls_is_a_table_that_fits_a_terminal(both: Cache) -> None:
    own, shared = both.folders
    age(Cache(own), 0)
    age(Cache(shared), 3)
    lines = ser("cache", "ls").stdout.splitlines()
    assert lines[:3] == [f"private   {own}", f"shared    {shared}", ""]
    table = lines[3:]
    assert all(len(line) <= 120 for line in table)
    cells = [line.split() for line in table]
    assert " ".join(cells[0]) == "corpus feature key utterances hours size shards age where"
    assert cells[1][:5] == ["mine", "ge2e", VECTOR.hash[:8], "6", "0.00"]
    assert cells[1][-3:] == ["3", "days", "shared"]
    assert [row[3] for row in cells if row[1] == "mfcc"] == ["2", "4"]
    assert [row[-1] for row in cells if row[1] == "mfcc"] == ["private", "shared"]
    assert cells[2][-3:-1] == ["1", "minute"]
    assert any("hf:wav2vec2-xls-r-...indow=30,pool=mean" in line for line in table)
    only = ser("cache", "ls", "--cache", own).stdout
    assert only.startswith(f"{own}:\n\ncorpus")
    assert "where" not in only
    assert ser("cache", "ls", "--cache", own / "none").stdout == f"{own / 'none'}: empty\n"


def test_ls_has_everything_in_json(both: Cache) -> None:
    rows = json.loads(ser("cache", "ls", "--json").stdout)
    assert [(row["corpus"], row["feature"], row["where"]) for row in rows] == [
        ("mine", "ge2e", "shared"),
        ("mine", "mfcc", "private"),
        ("mine", "mfcc", "shared"),
        ("other", LONG.feature, "shared"),
        ("other", "mfcc:hop_length=160", "shared"),
    ]
    row = rows[1]
    assert row["folder"] == str(both.folder)
    assert row["key"] == KEY.hash
    assert (row["utterances"], row["shards"], row["damaged"], row["problem"]) == (2, 1, 0, None)
    assert row["hours"] == pytest.approx(2 * 1.8 / 3600)  # from the shared manifest
    written = datetime.fromisoformat(row["newest"])
    assert abs((datetime.now(UTC) - written).total_seconds()) < 24 * 3600


def test_ls_says_what_is_not_as_it_should_be(both: Cache) -> None:
    shared = Cache(both.folders[1])
    damaged = next(path for path in shards(shared) if "ge2e" in str(path))
    damaged.write_bytes(b"x")
    told = ser("cache", "ls").stdout
    assert f"ge2e@{VECTOR.hash[:8]} of mine, shared: 1 of 1 shard DAMAGED: run ser" in told


def test_keys_of_one_feature_are_told_apart_in_words() -> None:
    newer = make_key(version=2, audio={"rate": 8000}, weights="f" * 64)
    assert in_words([KEY, newer, KEY, VECTOR, HOP]) == {
        KEY: "mfcc (version 1, weights none, audio rate 16000)",
        newer: "mfcc (version 2, weights ffffffff, audio rate 8000)",
        VECTOR: "ge2e",
        HOP: "mfcc:hop_length=160",
    }


def test_places_are_named_in_the_order_of_the_folders(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "abcd"]
    assert list(places(folders[:1])) == ["private"]
    assert list(places(folders[:2])) == ["private", "shared"]
    assert places(folders)["shared 3"] == folders[3]
    assert list(places(folders)) == ["private", "shared", "shared 2", "shared 3"]


# rm


def test_rm_takes_from_the_first_folder_and_says_what_is_left(both: Cache) -> None:
    before = tree(both.folders[1])
    done = ser("cache", "rm", "mfcc", "--yes")
    assert done.exit_code == 0
    assert done.stdout.startswith("removed 1 shard, ")
    assert "group drive, which is shared, holds of it too" in done.stderr
    again = ser("cache", "rm", "mfcc", "--yes")
    assert again.exit_code == 2
    assert "mfcc lies in" in again.stderr
    assert f"ser cache rm mfcc --cache '{both.folders[1]}'" in again.stderr
    nowhere = ser("cache", "rm", "logmel", "--yes")
    assert nowhere.exit_code == 2
    assert "logmel is not there" in nowhere.stderr
    assert tree(both.folders[1]) == before


def test_rm_of_several_features(cache: Cache) -> None:
    newer = make_key(version=2)
    for key in (KEY, newer, VECTOR, HOP):
        fill(cache, key, make_manifest())
    place = ("--cache", cache.folder)
    asked = ser("cache", "rm", "ge2e", f"mfcc@{newer.hash[:6]}", *place)
    assert asked.exit_code == 2
    assert f"2 shards, 0.0 MB, of {VECTOR.short}, {newer.short} (corpus mine)" in asked.stderr
    done = ser("cache", "rm", "ge2e", "ge2e", f"mfcc@{newer.hash[:6]}", "--yes", *place)
    assert done.stdout == "removed 2 shards, 0.0 MB\n"
    assert cache.keys() == [KEY, HOP]


def test_rm_of_a_corpus_keeps_its_manifest_unless_told(cache: Cache) -> None:
    other = make_manifest("xyz", corpus="other")
    for key in (KEY, make_key(version=2), VECTOR):
        fill(cache, key, make_manifest())
    fill(cache, KEY, other)
    store_manifest(cache, make_manifest())
    store_manifest(cache, other)
    place = ("--yes", "--cache", cache.folder)
    done = ser("cache", "rm", "--corpus", "mine", *place)
    assert done.stdout == "removed 3 shards, 0.0 MB\n"
    assert "the manifest of mine stays; --manifest removes it too" in done.stderr
    assert cache.corpora() == ["mine", "other"]
    assert [holding.corpus for holding in cache.listing()] == ["other"]
    again = ser("cache", "rm", "--corpus", "mine", *place)
    assert again.exit_code == 2
    assert "no features of mine" in again.stderr
    done = ser("cache", "rm", "--corpus", "mine", "--manifest", *place)
    assert done.stdout == f"removed {cache.folder / 'manifests' / 'mine.csv'}\n"
    done = ser("cache", "rm", "--corpus", "other", "--manifest", *place)
    assert done.stdout.startswith("removed 1 shard, 0.0 MB\nremoved ")
    assert cache.corpora() == []
    wrong = [[], ["mfcc", "--manifest"], ["--manifest"], ["--corpus", "mine", "--manifest"]]
    for arguments in wrong:
        assert ser("cache", "rm", *arguments, *place).exit_code == 2


def test_rm_of_a_corpus_that_is_only_shared(both: Cache) -> None:
    done = ser("cache", "rm", "--corpus", "other", "--yes")
    assert done.exit_code == 2
    assert f"ser cache rm --corpus other --cache '{both.folders[1]}'" in done.stderr
    done = ser("cache", "rm", "--corpus", "other", "--manifest", "--yes")
    assert done.exit_code == 2
    assert "no manifest of other in" in done.stderr


# verify


def test_verify_reports_folder_by_folder(both: Cache) -> None:
    done = ser("cache", "verify", "--workers", "3")
    assert done.exit_code == 0
    told = done.stdout.splitlines()
    assert told[0].startswith(f"{both.folders[0]}: 1 shards, 2 utterances, ")
    assert told[1].startswith(f"{both.folders[1]}: 4 shards, 16 utterances, ")
    assert all(line.endswith("MB checked: all whole") for line in told)
    (path,) = shards(both)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1  # where no reader looks
    path.write_bytes(data)
    report = both.verify()
    assert [each.whole for each in report.folders] == [False, True]
    assert [problem.path for problem in report.problems] == [path]
    values = json.loads(ser("cache", "verify", "--json").stdout)
    assert values["whole"] is False
    assert [each["shards"] for each in values["folders"]] == [1, 4]
    assert values["folders"][1]["folder"] == str(both.folders[1])


def test_quick_looks_at_all_but_the_rows(both: Cache) -> None:
    (path,) = shards(both)
    good = path.read_bytes()
    path.write_bytes(good[: len(good) // 2])
    done = ser("cache", "verify", "--quick")
    assert done.exit_code == 1
    assert "MB looked at: 1 damaged" in done.stdout
    path.write_bytes(good)
    assert ser("cache", "verify", "--quick").exit_code == 0
    (path.parent / "key.json").write_text("{}")
    assert ser("cache", "verify", "--quick").exit_code == 1


def test_quick_does_not_read_rows(both: Cache) -> None:
    from ser.cache.shard import read_index

    (path,) = shards(both)
    index = read_index(path)
    assert index is not None
    data = bytearray(path.read_bytes())
    data[int(index.bounds[0])] ^= 1
    path.write_bytes(data)
    assert both.verify(quick=True).whole
    assert not both.verify().whole


def test_as_many_workers_as_one_likes(both: Cache) -> None:
    reports = [both.verify(workers=workers) for workers in (1, 2, 8)]
    assert reports[0] == reports[1] == reports[2]
    assert ser("cache", "verify", "--workers", "0").exit_code == 2
