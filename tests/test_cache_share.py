"""`ser cache push`, `pull` and `diff` as they are typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ser.cache import Cache, store_manifest
from ser.cli import main
from ser.manifests import Manifest

from .conftest import KEY, fill, make_manifest


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["cache", *map(str, words)])


@pytest.fixture
def mine(tmp_path: Path) -> Cache:
    cache = Cache(tmp_path / "mine")
    store_manifest(cache, make_manifest(corpus="iemocap"))
    fill(cache, KEY, make_manifest(corpus="iemocap"))
    return cache


def test_licensees_are_asked_for(mine: Cache, tmp_path: Path) -> None:
    drive = tmp_path / "drive"
    refused = run("push", drive, "--cache", mine.folder)
    assert refused.exit_code == 2
    assert "for licensees only" in refused.output
    assert not drive.exists()
    assert run("push", drive, "--cache", mine.folder, "--dry-run").exit_code == 0
    assert not drive.exists()
    pushed = run("push", drive, "--cache", mine.folder, "--yes")
    assert pushed.exit_code == 0
    assert "pushed 1 shards" in pushed.output
    assert "University of Southern California" in pushed.output


def test_the_place_of_the_team(
    mine: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    nowhere = run("pull", "--cache", other)
    assert nowhere.exit_code == 2
    assert "SER_REMOTE" in nowhere.output
    run("push", tmp_path / "drive", "--cache", mine.folder, "--yes", "--remember")
    assert run("push", "--cache", mine.folder).exit_code == 0
    monkeypatch.setenv("SER_REMOTE", str(tmp_path / "drive"))
    found = run("pull", "--cache", other, "--dry-run", "--json", "-q")
    assert found.exit_code == 0
    said = json.loads(found.output)
    assert (len(said["shards"]), said["present"]) == (1, 0)
    assert run("pull", "--cache", other).exit_code == 0
    assert Cache(other).verify().shards == 1


def test_passwords_are_not_remembered(mine: Cache) -> None:
    place = "https://me:secret@127.0.0.1:9/a"
    told = run("pull", place, "--cache", mine.folder, "--remember")
    assert told.exit_code == 1
    assert "secret" not in told.output
    (mine.folder / "settings.toml").write_text('remote = 3\nother = "a"\n')
    assert "expected one line" in run("pull", "--cache", mine.folder).output


def test_differences_are_shown(mine: Cache, tmp_path: Path) -> None:
    run("push", tmp_path / "drive", "--cache", mine.folder, "--yes")
    same = run("diff", mine.folder, tmp_path / "drive")
    assert "no difference" in same.output
    table = mine.manifest("iemocap").table
    changed = Manifest(table.assign(speaker=["t", *table["speaker"][1:]]))
    store_manifest(mine, changed, True)
    more = make_manifest("abcdefgh", corpus="iemocap")
    fill(mine, KEY, more, seed=1)
    told = run("diff", mine.folder, tmp_path / "drive").output
    assert "a  speaker: t | s" in told
    assert "iemocap mfcc@" in told
    assert "2 utterances only in A (1 shard)" in told
    assert json.loads(run("diff", mine.folder, tmp_path / "drive", "--json", "-q").output)
    conflict = run("push", tmp_path / "drive", "--cache", mine.folder, "--yes")
    assert conflict.exit_code == 2
    assert "another speaker (a)" in conflict.output


def test_a_place_is_listed_and_verified(mine: Cache, tmp_path: Path) -> None:
    drive = tmp_path / "drive"
    run("push", drive, "--cache", mine.folder, "--yes", "--remember")
    told = run("ls", "--remote", "--cache", mine.folder)
    assert str(drive) in told.output
    assert KEY.hash[:8] in told.output
    assert json.loads(run("ls", "--remote", drive, "--json").output)[0]["shards"] == 1
    for quick in ([], ["--quick"]):
        assert run("verify", "--remote", drive, *quick).exit_code == 0
    (shard,) = drive.rglob("*.h5")
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(bytes(data))
    told = run("verify", "--remote", drive)
    assert told.exit_code == 1
    assert shard.name in told.output
    shard.write_bytes(bytes(data[:300]))
    assert run("verify", "--remote", drive, "--quick").exit_code == 1
