"""What strangers may have made, for `siege`: good samples, hostile hands, and all the readings."""

from __future__ import annotations

import gzip
import hashlib
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ser.cache import Cache, StoredFeatures
from ser.cache.access import ShortError
from ser.cache.shard import read_index
from ser.errors import SerError
from ser.manifests import Manifest
from ser.train.runs.run import Run
from ser.train.runs.survey import find_runs

from .. import test_cache_shard as good_shard
from ..conftest import KEY, fill
from ..sound import assert_sound
from . import cache_hands, test_runs, test_tables


class WholeCache:
    """Two features of two corpora, and all that is done with a cache."""

    make = staticmethod(cache_hands.make_cache)
    lay_outside = staticmethod(cache_hands.make_outside)

    def attack(self, case: random.Random, folder: Path, outside: Path) -> None:
        for _ in range(case.choice([1, 1, 1, 2, 3])):
            hand = case.choice(cache_hands.HANDS)
            try:
                hand(case, folder, outside)
            except (IndexError, FileNotFoundError):
                continue  # an earlier hand took what this one wants

    def read(self, case: random.Random, folder: Path) -> None:
        cache_hands.use(Cache(folder), case)


class Keys:
    """What key.json says of a feature, beside a shard that says it too."""

    lay_outside = staticmethod(cache_hands.make_outside)

    def make(self, folder: Path) -> None:
        fill(Cache(folder), KEY, cache_hands.MINE)

    def attack(self, case: random.Random, folder: Path, outside: Path) -> None:
        hands = [cache_hands.foreign_key] * 8 + [cache_hands.damage]
        case.choice(hands)(case, folder, outside)
        if case.random() < 0.1:
            (path,) = folder.glob("features/*/key.json")
            path.unlink()
            cache_hands.anything(case, path, outside)

    def read(self, case: random.Random, folder: Path) -> str:
        cache = Cache(folder)
        keys, left_out = cache.keys(), cache.left_out()
        assert keys == [KEY] or (keys == [] and len(left_out) == 1)
        if case.random() < 0.2:
            assert cache.verify().problems or not left_out
            cache.resolve("mfcc", cache_hands.MINE)
        return "read" if keys else "left out"


class Shards:
    """One shard, of HDF5's older form, in which bytes of the index are not checked by HDF5."""

    lay_outside = staticmethod(cache_hands.make_outside)

    def make(self, folder: Path) -> None:
        good_shard.published(folder)

    def attack(self, case: random.Random, folder: Path, outside: Path) -> None:
        (path,) = folder.glob("features/*/*.h5")
        if case.random() < 0.7:
            path.unlink()
            path = good_shard.forge(folder, libver=case.choice(["earliest", "v108", "latest"]))
        data = bytearray(path.read_bytes())
        for _ in range(case.choice([1, 1, 2, 4, 16])):
            at = case.randrange(len(data))
            some = bytes(case.choice([1, 2, 4, 8]))
            kind = case.choice(["flip", "flip", "huge", "zero", "number", "copy", "cut"])
            if kind == "flip":
                data[at] ^= 1 << case.randrange(8)
            elif kind == "huge":
                data[at : at + len(some)] = b"\xff" * len(some)
            elif kind == "zero":
                data[at : at + len(some)] = some
            elif kind == "number":
                number = case.choice([1, 8, 48, 96, len(data), 1 << 20, 1 << 31, (1 << 63) - 1])
                at -= at % 8
                data[at : at + 8] = number.to_bytes(8, "little")
            elif kind == "copy":
                start = case.randrange(len(data))
                data[at : at + 40] = data[start : start + len(data[at : at + 40])]
            elif case.random() < 0.2:
                del data[at:]
                break
        path.write_bytes(data)
        named = path.with_name(f"mine-{hashlib.sha256(data).hexdigest()[:16]}.h5")
        path.rename(case.choice([path, named]))

    def read(self, case: random.Random, folder: Path) -> str:
        cache, rows = Cache(folder), dict(zip(good_shard.IDS, good_shard.ROWS, strict=True))
        cache.verify()
        cache.listing()
        cache.keys()
        (path,) = folder.glob("features/*/*.h5")
        index = read_index(path)
        if index is None:
            return "unfinished"
        key = index.key
        stored = StoredFeatures(key, index.ids, [index], np.arange(len(index)))
        for number, id in enumerate(index.ids):
            np.testing.assert_array_equal(stored[number], rows[id])
        np.testing.assert_array_equal(
            stored.read(mapped=case.random() < 0.5).frames,
            np.concatenate([rows[id] for id in index.ids]),
        )
        return "read"


class Manifests:
    """A manifest in a cache, or a table of one's own."""

    lay_outside = staticmethod(cache_hands.make_outside)

    def make(self, folder: Path) -> None:
        Manifest(test_tables.good()).save(folder / "manifests" / "mine.csv")

    def attack(self, case: random.Random, folder: Path, outside: Path) -> None:
        path = folder / "manifests" / "mine.csv"
        if case.random() < 0.05:
            path.unlink()
            cache_hands.anything(case, path, outside)
        elif case.random() < 0.15:
            path.write_bytes(case.choice(HUGE)(case, path.read_bytes()))
        else:
            data = test_tables.written(test_tables.hostile_rows(case), case)
            data = test_tables.damaged(data, case) if case.random() < 0.3 else data
            path.write_bytes(data[: 8 << 20])  # what is longer may take its time

    def read(self, case: random.Random, folder: Path) -> str:
        path = folder / "manifests" / "mine.csv"
        if case.random() < 0.3 and path.is_file() and not path.is_symlink():
            assert_sound(test_tables.scanned(path, case), folder)
        else:
            assert_sound(Cache(folder).manifest("mine"), folder)
        return "read"


def many_columns(case: random.Random, data: bytes) -> bytes:
    head, *rows = data.splitlines()
    count = case.choice([200, 5000, 1_000_000])
    more = b"".join(b",c%d" % n for n in range(count))
    cells = case.choice([b",", b",x", b""]) * count
    return b"\n".join([head + more, *(row + cells for row in rows[:2])])


def many_lines(case: random.Random, data: bytes) -> bytes:
    head, row, *_ = data.splitlines()
    line = case.choice([b"", b"\r", b",", row, b",,,,,,,,,", b'"', b'""', b"x"])
    return head + b"\n" + (line + b"\n") * 1000


def bomb(case: random.Random, data: bytes) -> bytes:
    """Little that unpacks to much."""
    filling = case.choice([b"\n", b",", b"x", b"\0", data.splitlines(keepends=True)[1]])
    return gzip.compress(data) + test_tables.packed(filling, case.choice([10, 100, 300]))


def long_cell(case: random.Random, data: bytes) -> bytes:
    length = case.choice([99_999, 100_001, 5_000_000])
    cell = case.choice([b"x", b"9", "é".encode(), b'""', b" ", "e\u0301".encode(), b"="]) * length
    old = case.choice([b"s1", b"u1", b"fear", b"1.0000", b"pt", b"u1.wav"])
    return data.replace(old, b'"' + cell + b'"', 6 if length < 1 << 20 else 1)


def mixed(case: random.Random, data: bytes) -> bytes:
    """Lines in several encodings, with marks of byte order and zeros among them."""
    lines = data.decode().replace("s1", "Zoë").splitlines(keepends=True)
    kinds = ["utf-8", "utf-8", "latin-1", "utf-16", "utf-8-sig", "cp1252", "utf-7"]
    return b"".join(line.encode(case.choice(kinds)) for line in lines)


def one_letter(case: random.Random, data: bytes) -> bytes:
    """Ids, speakers and emotions that differ in case alone, or in what cannot be seen."""
    twin = case.choice([b"U0", b"u0 ", "u0\u200b".encode(), b"u0", b"u00", "ｕ0".encode(), b"u0\t"])
    return data.replace(b"\nu1,", b"\n" + twin + b",")


HUGE = [many_columns, many_lines, bomb, long_cell, long_cell, mixed, mixed, one_letter, one_letter]


READINGS = (
    *("config", "metrics", "predictions", "splits", "history", "structure", "temperatures"),
    *("choices", "spec"),
)
"""What is read of a run."""


@dataclass(frozen=True)
class Runs:
    """The folder of a run.

    Args:
        run: a good one.
    """

    run: Path

    def make(self, folder: Path) -> None:
        shutil.copytree(self.run, folder, dirs_exist_ok=True)

    def lay_outside(self, folder: Path) -> None:
        (folder / "secret").write_bytes((self.run / "metrics.json").read_bytes())

    def attack(self, case: random.Random, folder: Path, outside: Path) -> None:
        test_runs.damage(case, folder, outside / "secret")
        if case.random() < 0.1:
            name = case.choice(["split.csv", "history.json", "../x.json", "CON", "a:b", "x."])
            path = folder / name.replace("/", "_")
            if path.is_dir() and not path.is_symlink():
                return
            path.unlink(missing_ok=True)  # it may be a link by now, to itself or to the secret
            path.write_bytes(case.randbytes(100))

    def read(self, case: random.Random, folder: Path) -> str:
        runs, problems = find_runs(folder)
        assert len(runs) + len(problems) <= 1
        run, readings = Run.open(folder), 0
        for name in READINGS:
            readings += not refused(partial(getattr, run, name))
        refused(run.verify)
        if case.random() < 0.1:
            refused(run.ensemble)
        return "whole" if readings == len(READINGS) else "in part"


def refused(do: Callable[[], object]) -> bool:
    """Whether something ends in one of our errors, and not for want of memory."""
    try:
        do()
    except ShortError:
        raise
    except SerError:
        return True
    return False
