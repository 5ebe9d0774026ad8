"""What disks, rights and clocks do to an extraction: one clear message, and nothing that was
finished is hurt."""

import errno
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from ser import files
from ser.cache import Cache, writer
from ser.cache.folders import remove_leftovers
from ser.errors import SerError
from ser.extract import Backbone, ExtractReport, extract
from ser.manifests import Manifest
from ser.tests.test_extract_pipeline import write_corpus

from .conftest import tree

Mount = Callable[[str], Path]
COUNT = 12


class Wide(Backbone):
    """64 kB for each utterance."""

    name = "wide"
    kind = "vector"
    dim = 1 << 14

    def prepare(self, samples: np.ndarray) -> np.ndarray:
        return np.full(self.dim, np.mean(samples**2), "f4")


KEY = Wide().key()


@pytest.fixture
def manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Manifest:
    """Twelve files in `corpus`; shards are of two utterances."""
    monkeypatch.setattr(writer, "SHARD_UTTERANCES", 2)
    found: Manifest = write_corpus(tmp_path / "corpus", COUNT)
    return found


@pytest.fixture
def run(manifest: Manifest, tmp_path: Path) -> Callable[..., ExtractReport]:
    """Extracts into a cache."""
    return lambda cache, **options: extract(
        *(manifest, tmp_path / "corpus", Wide(), cache), **{"workers": 0, **options}
    )


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """Makes a small disk; the options of a tmpfs say how small."""
    folders: list[Path] = []

    def make(options: str) -> Path:
        if sys.platform != "linux" or os.geteuid() != 0:
            pytest.skip("only root on Linux can make a small disk")
        folder = tmp_path / f"disk{len(folders)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no disk can be mounted here: {done.stderr}")
        folders.append(folder)
        return folder

    yield make
    for folder in folders:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def held(cache: Cache, manifest: Manifest) -> int:
    """How many utterances are in a cache in which all is whole, and nothing unfinished."""
    assert cache.verify().whole
    assert not list(cache.folder.rglob(".*"))
    return len(manifest) - len(cache.missing(KEY, manifest))


@pytest.mark.parametrize(
    ("small", "large"), [("size=500k", "size=8m"), ("size=8m,nr_inodes=9", "nr_inodes=99")]
)
def test_a_disk_that_fills_up(
    run: Callable[..., ExtractReport], manifest: Manifest, mount: Mount, small: str, large: str
) -> None:
    disk = mount(small)
    cache = Cache(disk / "cache")
    with pytest.raises(SerError, match="no space left on the disk") as caught:
        run(cache)
    assert str(caught.value).endswith("run the same command again.")
    before = held(cache, manifest)
    assert 2 <= before < COUNT
    files_before = tree(cache.folder)
    with pytest.raises(SerError, match="no space left"):
        run(cache)
    assert files_before.items() <= tree(cache.folder).items()
    remount(disk, large)
    between = held(cache, manifest)
    assert run(cache).computed == {"wide": COUNT - between}
    assert held(cache, manifest) == COUNT


def test_a_quota_that_is_used_up(
    run: Callable[..., ExtractReport], manifest: Manifest, tmp_path: Path, monkeypatch
) -> None:
    """As the system says it at the last moment, of the fifth file."""
    calls, sync = [], files.sync

    def refuse(path: Path) -> None:
        calls.append(path)
        if len(calls) > 5:
            raise OSError(getattr(errno, "EDQUOT", errno.ENOSPC), "Disk quota exceeded")
        sync(path)

    monkeypatch.setattr(files, "sync", refuse)
    cache = Cache(tmp_path / "cache")
    with pytest.raises(SerError, match="no space left on the disk"):
        run(cache)
    monkeypatch.setattr(files, "sync", sync)
    before = held(cache, manifest)
    assert 2 <= before < COUNT
    assert run(cache).computed == {"wide": COUNT - before}


def test_a_drive_that_becomes_read_only_in_the_middle(
    run: Callable[..., ExtractReport], manifest: Manifest, mount: Mount
) -> None:
    disk = mount("size=8m")
    cache = Cache(disk / "cache")

    def progress(done: int, total: int, seconds: float) -> None:
        if done == 5:
            remount(disk, "ro")

    with pytest.raises(SerError, match="the cache is read-only for you"):
        run(cache, progress=progress)
    with pytest.raises(SerError, match="the cache is read-only for you"):
        run(cache)
    assert cache.verify().whole
    assert len(cache.missing(KEY, manifest)) == COUNT - 4
    remount(disk, "rw")
    assert run(cache).computed == {"wide": COUNT - 4}  # its own claims are in nobody's way
    assert held(cache, manifest) == COUNT


def test_a_read_only_drive_is_read_and_left_alone(
    run: Callable[..., ExtractReport], manifest: Manifest, mount: Mount
) -> None:
    disk = mount("size=8m")
    cache = Cache(disk / "cache")
    run(cache)
    remount(disk, "ro")
    assert run(cache).present == {"wide": COUNT}
    assert held(cache, manifest) == COUNT
    assert len(cache.read(KEY, manifest, mapped=True).ids) == COUNT
    assert [holding.utterances for holding in cache.listing()] == [COUNT]
    with pytest.raises(SerError, match="the cache is read-only for you"):
        cache.check_writable()


def test_a_full_folder_for_temporary_files(
    run: Callable[..., ExtractReport], manifest: Manifest, tmp_path: Path, mount: Mount, monkeypatch
) -> None:
    """Extraction needs none; only a map of scattered rows does."""
    full = mount("size=4k")
    with pytest.raises(OSError, match="No space left"):
        (full / "file").write_bytes(bytes(1 << 16))
    monkeypatch.setenv("TMPDIR", str(full))
    monkeypatch.setattr(tempfile, "tempdir", None)
    cache = Cache(tmp_path / "cache")
    assert run(cache, workers=1).computed == {"wide": COUNT}
    monkeypatch.setattr(tempfile, "tempdir", str(full))
    with pytest.raises(SerError, match=f"{full}: no temporary file of .* set TMPDIR to a folder"):
        cache.read(KEY, manifest, mapped=True)
    assert len(cache.read(KEY, manifest).ids) == COUNT
    assert held(cache, manifest) == COUNT


DENIED = """
import os, sys
from pathlib import Path
from ser.cache import Cache, writer
from ser.errors import SerError
from ser.extract import extract
from ser.manifests import Manifest
from ser.tests.test_cache_faults import KEY, Wide

folder = Path(sys.argv[1])
manifest = Manifest.load(folder / "mine.csv")
writer.SHARD_UTTERANCES = 2

def run(name, deny=lambda done: None):
    cache = Cache(folder / name)
    shown = lambda done, total, seconds: deny(done)
    report = extract(manifest, folder / "corpus", Wide(), cache, workers=0, progress=shown)
    assert cache.verify().whole
    return report

def deny(done):
    if done == 5:
        Cache(folder / "cache").feature_folder(KEY).chmod(0o555)

run("own")  # so that all is imported: the user may not be able to read where Python lies
if os.geteuid() == 0:
    os.chown(folder, 40001, 40001)
    os.setgid(40001)
    os.setuid(40001)
for how in (deny, deny):
    try:
        run("cache", how)
    except SerError as error:
        print(error)
cache = Cache(folder / "cache")
assert cache.verify().whole
cache.feature_folder(KEY).chmod(0o755)
print(run("cache").computed)
assert not list((folder / "cache").rglob(".*"))
"""


@pytest.mark.skipif(os.name != "posix", reason="modes")
def test_rights_that_are_taken_away_in_the_middle() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_corpus(folder / "corpus", COUNT).save(folder / "mine.csv")
        (folder / "corpus").chmod(0o755)
        command = [sys.executable, "-c", DENIED, name]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
        assert (done.returncode, done.stderr) == (0, "")
        first, second, report = done.stdout.splitlines()
        assert "the cache is read-only for you" in first
        assert "the cache is read-only for you" in second
        assert report == "{'wide': 8}"


@pytest.mark.parametrize("days", [-400, 400])
def test_a_clock_that_jumps_while_a_file_is_written(
    run: Callable[..., ExtractReport], manifest: Manifest, tmp_path: Path, monkeypatch, days: int
) -> None:
    """Another machine, whose clock it is, tidies up: claims and unfinished files may go."""
    cache, sync, now = Cache(tmp_path / "cache"), files.sync, time.time
    removed: list[list[Path]] = []

    def tidy(path: Path) -> None:
        if len(removed) < 3 and path.name.endswith(".h5"):
            monkeypatch.setattr(time, "time", lambda: now() + days * 86400)
            removed.append(remove_leftovers(cache.folder))
            monkeypatch.setattr(time, "time", now)
        sync(path)

    monkeypatch.setattr(files, "sync", tidy)
    assert run(cache).computed == {"wide": COUNT}
    assert any(removed) == (days > 0)
    assert held(cache, manifest) == COUNT


def test_what_killed_writers_left_in_the_future_or_the_past_hurts_nothing(
    run: Callable[..., ExtractReport], manifest: Manifest, tmp_path: Path
) -> None:
    cache = Cache(tmp_path / "cache")
    folder = cache.feature_folder(KEY)
    folder.mkdir(parents=True)
    old, new = (files.partial_beside(folder / "mine-0000000000000000.h5") for _ in range(2))
    for path, year in ((old, 1971), (new, 2100)):
        path.write_bytes(b"half")
        os.utime(path, ((year - 1970) * 365.25 * 86400,) * 2)
    assert run(cache).computed == {"wide": COUNT}
    assert [path for path in folder.iterdir() if path.name.startswith(".")] == [new]
    assert cache.verify().whole
