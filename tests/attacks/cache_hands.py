"""Hands that lay hostile and damaged things into a cache, and all the uses of one afterwards."""

import hashlib
import json
import os
import shutil
import socket
import stat
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ser.cache import Cache, layout, store_manifest
from ser.cache.access import ShortError
from ser.errors import InputError, SerError

from ..conftest import KEY, VECTOR, fill, make_manifest, make_rows
from ..test_cache_shard import parts, signature
from .siege import for_people

MINE, OTHER = make_manifest("abcdef"), make_manifest("uv", corpus="other")
HELD = [(KEY, MINE, make_rows(KEY, MINE)), (VECTOR, OTHER, make_rows(VECTOR, OTHER, 1))]


def make_cache(folder):
    """A good cache: two features of two corpora, three shards of one, two with the same rows."""
    cache = Cache(folder)
    store_manifest(cache, MINE)
    for key, manifest, rows in HELD:
        names = manifest.ids
        for number, part in enumerate([names[::2], names[1::2], names[::2]][: len(names) // 2]):
            with cache.write(key, manifest, {"licence": f"MIT {number}"}) as out:
                for name in part:
                    out.add(name, rows[name])


def make_outside(folder):
    """Somebody else's folder, with a good cache of other rows under the same names."""
    other = Cache(folder / "cache")
    for key, manifest, _ in HELD:
        fill(other, key, manifest, seed=7)
        store_manifest(other, manifest)
    with h5py.File(folder / "rows.h5", "w") as file:
        file["frames"] = np.ones((40, 3), "f4")
    (folder / "raw").write_bytes(bytes(4000))
    os.mkfifo(folder / "pipe")


# What can lie where


def anything(case, path, outside):
    """Put something that is no good file at `path`, which is free."""
    kind = case.choice(
        ["pipe", "device", "loop", "file", "folder", "socket", "sparse", "bytes", "dangling"]
    )
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to(case.choice(["/dev/zero", "/dev/null", "/dev/tty", "/dev/random"]))
    elif kind == "loop":
        path.symlink_to(path.name)
    elif kind == "file":
        files = [each for each in sorted(outside.rglob("*")) if each.is_file()]
        path.symlink_to(case.choice(files))
    elif kind == "folder":
        case.choice([path.mkdir, lambda: path.symlink_to(outside / "cache" / "features")])()
    elif kind == "socket":
        here = Path.cwd()
        os.chdir(path.parent)  # the names of sockets are short
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("s")
        Path("s").rename(path.name)
        os.chdir(here)
    elif kind == "sparse":
        with path.open("wb") as file:
            file.write(case.choice([b"", layout.SIGNATURE, b"{", b"id,"]))
            file.truncate(1 << 40)
    elif kind == "dangling":
        path.symlink_to("nowhere")
    else:
        path.write_bytes(case.randbytes(case.randrange(300)))


def things_in(folder):
    """The files and folders that lie in a cache, nothing that links lead to."""
    walk = os.walk(folder)
    return sorted(Path(at) / name for at, folders, files in walk for name in (*folders, *files))


def files_in(folder):
    """The regular files of a cache, but for endless ones."""
    found = [path for path in things_in(folder) if stat.S_ISREG(path.lstat().st_mode)]
    return [path for path in found if path.stat().st_size < 1 << 20]


def clear(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def hostile_place(case, folder, outside):
    """Something takes the place of a file or folder, or is a new one under a good name."""
    places = things_in(folder)
    path = case.choice(places)
    if case.random() < 0.3:
        digits = f"{case.getrandbits(64):016x}"
        name = case.choice(["mine-{}.h5", "other-{}.h5", "LICENCE.txt", ".partial-{}", "mfcc-{}"])
        folders = [each for each in places if each.is_dir() and not each.is_symlink()]
        path = case.choice(folders) / name.format(digits)
    clear(path)
    anything(case, path, outside)
    if ".partial-" in path.name:
        os.utime(path, (0, 0), follow_symlinks=False)


def elsewhere(case, folder, outside):
    """A good part of the cache is replaced by a link to a good part of another one."""
    place = case.choice([path for path in things_in(folder) if not path.is_symlink()])
    target = outside / "cache" / place.relative_to(folder)
    clear(place)
    if not target.exists():
        target = case.choice(sorted(outside.rglob("*.h5")))
    place.symlink_to(target)


def damage(case, folder, outside):
    """Bytes of a file change."""
    path = case.choice(files_in(folder))
    data = bytearray(path.read_bytes())
    for _ in range(case.choice([1, 1, 2, 8])):
        kind = case.choice(["flip", "flip", "cut", "zero", "insert", "random"])
        at = case.randrange(len(data) + 1)
        if kind == "flip" and at < len(data):
            data[at] ^= 1 << case.randrange(8)
        elif kind == "cut":
            del data[at : at + case.choice([1, 100, 1 << 20])]
        elif kind == "zero":
            data[at : at + 16] = bytes(len(data[at : at + 16]))
        elif kind == "insert":
            data[at:at] = case.randbytes(case.choice([1, 8, 512]))
        else:
            data[at : at + 8] = case.randbytes(len(data[at : at + 8]))
    path.write_bytes(data)


def misplace(case, folder, outside):
    """A good file lies where another should."""
    source, target = case.choice(files_in(folder)), case.choice(files_in(folder))
    if case.random() < 0.5:
        target = target.with_name(
            f"{case.choice(['mine', 'other'])}-{case.getrandbits(64):016x}.h5"
        )
    if source != target:
        shutil.copyfile(source, target)


VALUES: list[Any] = [
    *(None, True, -1, 0, 1.5, 1e308, 10**400, "", "x" * 300, "\x1b[2J", "../..", "é", "\ud800"),
    *([], {}, {"a": {"b": 1}}, {"a": [1]}, {"": 1}, {"a": float("nan")}, {"a": 10**400}, 1 << 62),
]


def foreign_key(case, folder, outside):
    """A key.json with fields that are missing, unknown, or of other types and sizes."""
    path = case.choice([path for path in files_in(folder) if path.name == "key.json"])
    fields = json.loads(KEY.to_json())
    for _ in range(case.choice([1, 1, 2])):
        name = case.choice([*fields, "more"])
        if case.random() < 0.2:
            fields.pop(name, None)
        else:
            fields[name] = case.choice(VALUES)
    text = json.dumps(fields)
    edits = ["", "[" * 90_000, '{"a":' * 9000, "\ufeff" + text, text[: len(text) // 2], text * 2]
    text = case.choice([text] * 6 + [*edits, text[:-1] + f', "dim": {case.choice([3, 8])}}}'])
    path.write_bytes(text.encode("utf-8", "surrogatepass"))


def forged(case, folder, outside):
    """A shard made with HDF5, well signed, with something in it that must not be."""
    part = parts()
    ids = [*"abc"]
    hashes = [f"1{ord(name):031x}" for name in ids]
    part["ids"], part["audio_hashes"] = np.array(ids, "S4"), np.array(hashes, "S32")
    part["feature_key"] = KEY.canonical.encode()
    tricks = {
        "frames": [np.zeros((7, 4), "<f4"), np.full((7, 3), np.nan, "<f4"), np.zeros(21, "<f4")],
        "offsets": [np.array(each, "<i8") for each in ([0, 1, 2, 7], [0, 7, 7, 7], [0, -1, 3, 7])],
        "ids": [np.array(each, "S9") for each in (["a", "a", "c"], ["../a", "b", "c"], [""] * 3)],
        "audio_hashes": [
            np.array([*hashes[:2], text], "S65") for text in ("0", "A" * 32, "0" * 65)
        ],
        "checksums": [np.zeros((3, 16), "u1"), np.zeros((3, 17), "u1"), np.zeros(48, "u1")],
        "provenance": [b"[]", b"[" * 9000, b'{"licence": 1}', b'{"licence": "\\u001b[2J"}'],
        "corpus": [b"other", b"../x", b""],
        "manifest_id": [b"x", b""],
        "feature_key": [VECTOR.canonical.encode(), b"{}", b"[" * 9000, KEY.to_json().encode()],
        "format_version": [np.uint32(2), np.uint32(0)],
    }
    trick = case.choice(["rows", *tricks])
    if trick in tricks:
        part[trick] = case.choice(tricks[trick])
    if trick in ("rows", "provenance"):  # rows that are not those of the checksums
        part["frames"] = part["frames"] + 1
    part["index_checksum"] = signature(part).hex().encode()
    part["complete"] = np.uint32(1)
    target = folder / "features" / KEY.folder
    path = target / "forged"
    if not target.is_dir() or os.path.realpath(target) != str(target):
        return  # an earlier hand has put something else in its place
    version = case.choice(["earliest", ("v108", "latest"), "latest"])
    with h5py.File(path, "w", libver=version) as file:
        for name, value in part.items():
            if name in layout.DATASETS:
                store(case, file, name, value, outside)
            else:
                file.attrs[name] = np.bytes_(value) if isinstance(value, bytes) else value
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    # The first by name is read, where several have the same utterance.
    path.rename(target / f"mine-{case.choice([digest, '0' * 16])}.h5")


def store(case, file, name, value, outside):
    """Store a dataset as the format says, or now and then in another way that HDF5 knows."""
    way = case.choice(
        ["good"] * 30 + ["chunks", "gzip", "external", "virtual", "link", "soft", "huge"]
    )
    if way == "chunks" or (way == "gzip" and value.ndim == 0):
        file.create_dataset(name, data=value, chunks=value.shape)
    elif way == "gzip":
        file.create_dataset(name, data=value, compression="gzip", shuffle=True)
    elif way == "external":
        target = case.choice([outside / "raw", outside / "pipe", Path("/dev/zero")])
        place = [(str(target), 0, h5py.h5f.UNLIMITED)]
        file.create_dataset(name, value.shape, value.dtype, external=place)
    elif way == "virtual":
        plan = h5py.VirtualLayout(value.shape, value.dtype)
        source = case.choice([outside / "rows.h5", outside / "pipe"])
        plan[...] = h5py.VirtualSource(str(source), "frames", value.shape, value.dtype)
        file.create_virtual_dataset(name, plan)
    elif way == "link":
        file[name] = h5py.ExternalLink(str(case.choice(["rows.h5", outside / "pipe"])), "frames")
    elif way == "soft":
        file[name] = h5py.SoftLink(case.choice([f"/{name}", "/frames", "/"]))
    elif way == "huge":
        shape = (1 << case.choice([30, 45, 50]), *value.shape[1:])
        file.create_dataset(name, shape, value.dtype)
    else:
        file.create_dataset(name, data=value)


HANDS = [hostile_place, hostile_place, elsewhere, damage, damage, misplace, foreign_key, forged]


# What is done with it


def attempt(do):
    """Do something: its result, or None where it ended in one of our errors."""
    try:
        return do()
    except ShortError:
        raise
    except SerError as error:
        assert for_people(str(error))  # noqa: PT017
        return None


@lru_cache(None)
def select(corpus, names):
    """The manifest of some utterances: making one takes longer than reading them."""
    return (MINE if corpus == MINE.corpus else OTHER).select(names)


def read_right(cache):
    """Read everything in every way; what is read is right. The bytes, None where refused."""
    found = []
    for key, manifest, rows in HELD:
        absent = attempt(lambda: cache.missing(key, manifest))  # noqa: B023
        there = [name for name in manifest.ids if absent is not None and name not in absent]
        if not there:
            found.append(None)
            continue
        part = select(manifest.corpus, tuple(there))
        mapped = len(there) % 2 == 0
        got = attempt(lambda: cache.read(key, part, mapped))  # noqa: B023
        for at, name in enumerate(there if got else ()):
            np.testing.assert_array_equal(got[at], np.atleast_2d(rows[name]))
        stored = attempt(lambda: cache.open(key, part))  # noqa: B023
        for at, name in enumerate(there if stored else ()):
            row = attempt(lambda: stored[at])  # noqa: B023
            assert row is None or np.array_equal(row, np.atleast_2d(rows[name]))
        found.append(None if got is None else got.frames.tobytes())
    return found


def write_missing(cache):
    for key, manifest, rows in HELD:
        with cache.write(key, manifest) as out:
            for name in cache.missing(key, manifest):
                out.add(name, rows[name])


def use(cache, case):
    """All that is done with a cache, each ending as it should."""
    looks = {
        "verify": cache.verify,
        "ls": lambda: [cache.listing(), cache.left_out(), cache.corpora()],
        "manifest": lambda: cache.manifest("mine").id,
        "resolve": lambda: [cache.resolve("mfcc", MINE), cache.resolve("ge2e", OTHER)],
    }
    for name, look in looks.items():
        if name != "manifest" or case.random() < 0.2:  # which takes as long as all the rest
            attempt(look)
    first = read_right(cache)
    kind = case.choice(["gc", "rm", "write"])
    if kind == "gc":
        attempt(cache.collect)
        assert read_right(Cache(cache.folder)) == first
    elif kind == "write":
        attempt(lambda: write_missing(cache))
        read_right(Cache(cache.folder))
    else:
        removed = attempt(lambda: cache.remove("mfcc"))
        if removed:
            with pytest.raises(InputError, match="is not there"):
                cache.remove("mfcc")
