"""Push and pull that are killed, at any moment: what is seen is whole, and the rest is done."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from ser.cache import Cache, store_manifest
from ser.cache.remotes import open_place, plan_pull, plan_push, pull, push
from ser.files import PARTIAL

from .conftest import KEY, VECTOR, fill, make_manifest, tree
from .crash import Command, crash
from .drawn import cases

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills processes that were forked")


def push_all(folder: Path) -> None:
    push(plan_push(Cache(folder / "here"), open_place(folder / "there")), at_once=2)


def pull_all(folder: Path) -> None:
    pull(plan_pull(Cache(folder / "there"), open_place(folder / "here")), at_once=2)


def published(folder: Path) -> set[Path]:
    found = [*folder.glob("there/features/*/*.h5"), *folder.glob("there/manifests/*.csv")]
    return {path for path in found if not path.name.startswith(PARTIAL)}


def nothing_half_done(folder: Path) -> None:
    """And what lies around is made to look old, so that the next run may remove it."""
    cache = Cache(folder / "there")
    assert cache.verify().problems == ()
    assert cache.left_out() == []
    for path in cache.folder.rglob("*"):
        if path.name.startswith(PARTIAL):
            os.utime(path, (0, 0))


def all_is_there(folder: Path) -> None:
    nothing_half_done(folder)
    assert tree(folder / "there") == tree(folder / "here")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """The folder of one with several shards of two features."""
    cache = Cache(tmp_path / "template")
    store_manifest(cache, make_manifest(corpus="emodb"))
    for some in ("abc", "def"):
        fill(cache, KEY, make_manifest(some, corpus="emodb"))
        fill(cache, VECTOR, make_manifest(some, corpus="emodb"))
    return cache.folder


@cases(200)
@pytest.mark.parametrize("run", [push_all, pull_all], ids=["push", "pull"])
def test_killed_at_any_moment(cache, tmp_path, count, run):
    def lay_out(folder: Path) -> None:
        folder.mkdir()
        shutil.copytree(cache, folder / "here")

    crash(Command(lay_out, run, published, nothing_half_done, all_is_there), tmp_path, count)
