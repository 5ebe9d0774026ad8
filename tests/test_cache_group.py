"""A cache in a group's folder: what one member writes, the others read and add to, whatever their
umask."""

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ser.cache import Cache, store_manifest
from ser.files import atomic_text, make_folder, new_file
from ser.tests.test_extract_pipeline import write_corpus

from .conftest import KEY, fill, make_manifest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes and umasks")


@pytest.fixture(params=[0o002, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """The umask of who writes."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes(folder: Path) -> dict[str, str]:
    """Of all that lies below a folder."""
    return {str(path.relative_to(folder)): mode(path) for path in folder.rglob("*")}


def mode(path: Path) -> str:
    return oct(stat.S_IMODE(path.lstat().st_mode))


@pytest.mark.parametrize("shared", [0o2770, 0o2775])
def test_in_a_groups_folder_all_is_the_groups(tmp_path: Path, umask: int, shared: int) -> None:
    tmp_path.chmod(shared)
    cache = Cache(tmp_path / "cache")
    store_manifest(cache, make_manifest())
    fill(cache, KEY, make_manifest())
    new_file(cache.folder / "features" / "claim", b"x")
    paths = [cache.folder, *cache.folder.rglob("*")]
    assert len(paths) > 6
    assert {mode(path) for path in paths if path.is_dir()} == {oct(shared)}
    files = [path.stat().st_mode for path in paths if path.is_file()]
    assert all(bits & 0o660 == 0o660 and not bits & 0o111 for bits in files)


@pytest.mark.parametrize("other", [0o755, 0o775, 0o700, 0o2755])
def test_elsewhere_the_umask_decides(tmp_path: Path, umask: int, other: int) -> None:
    tmp_path.chmod(other)
    atomic_text(tmp_path / "new" / "a.txt", "a")
    new_file(tmp_path / "b", b"b")
    inherited = other & stat.S_ISGID
    assert modes(tmp_path) == {
        "new": oct(0o777 & ~umask | inherited),
        "new/a.txt": oct(0o666 & ~umask),
        "b": oct(0o666 & ~umask),
    }


def test_a_private_folder_in_it_stays_private(tmp_path: Path, umask: int) -> None:
    tmp_path.chmod(0o2770)
    (tmp_path / "own").mkdir(0o700)
    (tmp_path / "own").chmod(0o700)
    make_folder(tmp_path / "own" / "new")
    atomic_text(tmp_path / "own" / "new" / "a.txt", "a")
    assert mode(tmp_path / "own") == oct(0o700)
    assert mode(tmp_path / "own" / "new") == oct(0o777 & ~umask)
    assert mode(tmp_path / "own" / "new" / "a.txt") == oct(0o666 & ~umask)


def test_where_modes_cannot_be_changed_it_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    tmp_path.chmod(0o2770)
    monkeypatch.setattr(Path, "chmod", refuse)
    atomic_text(tmp_path / "new" / "a.txt", "a")
    assert (tmp_path / "new" / "a.txt").read_text() == "a"


MEMBERS = """
import os, sys, traceback
from pathlib import Path
import numpy as np
from ser.cache import Cache
from ser.errors import SerError
from ser.extract import Backbone, extract_corpus, share
from ser.extract.claims import Claims
from ser.manifests import Manifest
from ser.progress import Progress

folder = Path(sys.argv[1])
manifest = Manifest.load(folder / "mine.csv")
GROUP, ANNE, BERT, STRANGER = 40000, 40001, 40002, 40003
share.LOOK_SECONDS = 0.1

class Level(Backbone):
    name, kind, dim = "level", "vector", 1

    def prepare(self, samples):
        return np.array([np.sqrt(np.mean(samples**2))], "f4")

KEY = Level().key()

def extracted(cache, ids, computed):
    some, quiet = manifest.select(ids), Progress(quiet=True)
    report = extract_corpus(some, folder / "corpus", Level(), cache, workers=0, progress=quiet)
    assert (report.computed["level"], report.bad) == (computed, []), report
    assert cache.missing(KEY, some) == []
    cache.read(KEY, some)

def all_at_once(cache):
    ids = list(manifest.ids)
    extracted(cache, ids[:3], 3)
    extracted(cache, ids, 3)
    assert cache.verify().whole
    cache.remove("level")
    assert cache.collect().removals == ()

def left_behind(cache):
    assert Claims().take(cache.feature_folder(KEY) / ".partial-claim")

def taken_over(cache):
    with Claims() as claims:
        assert claims.take(cache.feature_folder(KEY) / ".partial-claim")
        assert claims.problem is None

def shut_out(cache):
    for do in (cache.keys, cache.check_writable, lambda: cache.missing(KEY, manifest)):
        try:
            do()
        except SerError as error:
            assert str(cache.folder) in str(error), error
        else:
            raise AssertionError

def by(user, do, *arguments, groups=(GROUP,)):
    if pid := os.fork():
        assert os.waitpid(pid, 0)[1] == 0
        return
    try:
        os.umask(0o077)
        os.setgroups(groups)
        os.setgid(user)
        os.setuid(user)
        do(Cache(folder / "shared" / "cache"), *arguments)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)

# With all rights, so that all is imported: the users may not be able to read where Python lies.
all_at_once(Cache(folder / "own"))
(folder / "shared").mkdir()
os.chown(folder / "shared", 0, GROUP)
(folder / "shared").chmod(0o2770)
ids = list(manifest.ids)
by(ANNE, extracted, ids[:3], 3)
by(BERT, extracted, ids[:3], 0)
by(BERT, extracted, ids, 3)
by(ANNE, extracted, ids, 0)
by(ANNE, left_behind)
by(BERT, taken_over)
by(STRANGER, shut_out, groups=())
by(BERT, lambda cache: cache.remove("level"))
by(ANNE, extracted, ids, 6)
for path in (folder / "shared").rglob("*"):
    status = path.stat()
    assert status.st_gid == GROUP, path
    assert oct(status.st_mode) == oct(0o42770 if path.is_dir() else 0o100660), path
"""


def test_two_members_write_into_each_others_cache() -> None:
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux can be two users")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o711)
        write_corpus(folder / "corpus").save(folder / "mine.csv")
        for path in (folder / "corpus", *folder.rglob("*.*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        done = subprocess.run(
            [sys.executable, "-c", MEMBERS, name],
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert (done.returncode, done.stderr) == (0, "")
