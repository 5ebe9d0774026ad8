"""Full disks, small limits and kills: one message each, nothing lost, nothing left behind."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ser.cache import Cache

from .conftest import KEY, fill, make_manifest, same, tree

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits are Linux's here")

BEGIN = """
import resource, sys
from pathlib import Path
import h5py
import numpy as np
from ser.cache import Cache, FeatureKey, store_manifest
from ser.errors import SerError
from ser.manifests import Manifest

cache, key = Cache(Path(sys.argv[1])), FeatureKey.from_json(sys.argv[2])
manifest, number = Manifest.load(Path(sys.argv[3])), int(sys.argv[4])

def limit_memory(more):
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + more, used + more))

def attempt(do):
    try:
        do()
    except SerError as error:
        print(error)

"""


def run(cache: Cache, code: str, number: int = 0, ids: str = "abcdef") -> str:
    """Run code in a process of its own; what it prints."""
    manifest = cache.folder.parent / "manifest.csv"
    make_manifest(ids).save(manifest)
    arguments = [str(cache.folder), KEY.canonical, str(manifest), str(number)]
    command = [sys.executable, "-c", BEGIN + code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


LIMITED_WRITE = """
resource.setrlimit(resource.RLIMIT_FSIZE, (number, number))

def write():
    with cache.write(key, manifest) as out:
        out.add("a", np.ones((99, 3), "f4"))

attempt(write)
attempt(lambda: store_manifest(cache, manifest))
attempt(cache.check_writable)
"""


@pytest.mark.parametrize("limit", [0, 300, 1000])
def test_a_limit_on_the_size_of_files_is_one_message_each(cache: Cache, limit: int) -> None:
    rows = fill(cache, KEY, make_manifest("def"))
    before = tree(cache.folder)
    lines = run(cache, LIMITED_WRITE, limit).splitlines()
    assert lines
    assert all("ulimit -f" in line and str(cache.folder) in line for line in lines)
    after = tree(cache.folder)
    assert {name: after[name] for name in before} == before
    assert {Path(name).name for name in after.keys() - before.keys()} <= {"mine.csv"}
    same(cache, KEY, make_manifest("def"), rows)
    assert cache.verify().whole


BIG = 40 << 20


@pytest.fixture
def large(cache: Cache) -> Cache:
    """Two shards, 40 MB in all."""
    manifest = make_manifest()
    with cache.write(KEY, manifest) as out:
        for number, name in enumerate("abcdef"):
            out.add(name, np.full((BIG // 6 // 12, 3), number, "f4"))
            if name == "c":
                out.publish()
    return cache


READ = """
limit_memory(24 << 20)
attempt(lambda: cache.read(key, manifest))
"""
MAP = """
stored = cache.open(key, manifest.select("abc"))
limit_memory(1 << 20)
attempt(lambda: stored.read(mapped=True))
attempt(lambda: stored[0])
"""
COPY = """
stored = cache.open(key, manifest)
limit_memory(20 << 20)
attempt(lambda: stored.read(mapped=True))
"""
VERIFY = """
limit_memory(1 << 20)
attempt(cache.verify)
"""


@pytest.mark.parametrize("code", [READ, MAP, COPY, VERIFY], ids=len)
def test_reading_without_memory_is_one_message(large: Cache, code: str) -> None:
    lines = run(large, code).splitlines()
    assert lines
    for line in lines:
        assert "not enough memory" in line or "allocate" in line
        assert "Delete" not in line


WRITE_WITHOUT_MEMORY = """
def write():
    with cache.write(key, manifest) as out:
        out.add("a", np.ones((2_000_000, 3), "f4"))
        limit_memory(4 << 20)

attempt(write)
"""


def test_writing_without_memory_is_one_message_or_works(cache: Cache) -> None:
    printed = run(cache, WRITE_WITHOUT_MEMORY)
    assert printed.count("\n") <= 1
    assert not printed or "not enough memory" in printed
    assert not list(cache.folder.rglob(".partial-*"))
    assert cache.verify().whole


KILLED = """
import os, signal, tempfile
tempfile.tempdir = str(cache.folder.parent / "tmp")
kept = cache.read(key, manifest, mapped=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_reader_leaves_no_temporary_file(cache: Cache, tmp_path: Path) -> None:
    fill(cache, KEY, make_manifest("ace"))
    fill(cache, KEY, make_manifest("bdf"))
    (tmp_path / "tmp").mkdir()
    with pytest.raises(AssertionError, match="-9"):
        run(cache, KILLED)
    assert list((tmp_path / "tmp").iterdir()) == []
