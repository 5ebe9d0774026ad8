"""The power is cut: what was published is there and whole, and nothing half-written is taken."""

import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from ser.cache import Cache, store_manifest
from ser.errors import CorruptShardError
from ser.files import PARTIAL, atomic_text

from .conftest import KEY, VECTOR, fill, make_manifest, make_rows, same, shards, tree
from .drawn import SEED
from .power import Disk, cuts, lay_down, recorded

FEW, ALL = make_manifest("abc"), make_manifest("abcdef")


@dataclass(frozen=True)
class Scenario:
    """Something that the power may be cut in.

    Attributes:
        do: does it, in a folder that is empty.
        check: given what a cut left of the folder, and the names of the files in it that were
            published by then.
    """

    do: Callable[[Path], object]
    check: Callable[[Path, set[str]], object]


def write(folder: Path) -> None:
    """Two manifests, one in place of the other, and two features; one in three shards."""
    cache = Cache(folder)
    store_manifest(cache, FEW)
    rows = make_rows(KEY, ALL)
    with cache.write(KEY, ALL) as out:
        for name in ALL.ids:
            out.add(name, rows[name])
            if name in "bd":
                out.publish()
    store_manifest(cache, ALL)
    fill(cache, VECTOR, ALL)


def rest_is_written(folder: Path, published: set[str]) -> None:
    cache = Cache(folder)
    assert cache.verify().problems == ()
    store_manifest(cache, ALL)
    for key in (KEY, VECTOR):
        rows = make_rows(key, ALL)
        with cache.write(key, ALL) as out:
            for name in cache.missing(key, ALL):
                out.add(name, rows[name])
        same(cache, key, cache.manifest("mine"), rows)


def write_texts(folder: Path) -> None:
    """Texts in new folders, one in place of another."""
    for text in ("one", "two" * 50, ""):
        atomic_text(folder / "a" / "b" / "text", text)


def texts_are_written(folder: Path, published: set[str]) -> None:
    write_texts(folder)
    assert tree(folder)["a/b/text"] == b""


def write_where_another_began(folder: Path) -> None:
    """The folders were made by a process that was killed before it forced them to the disk."""
    (folder / "manifests").mkdir()
    (folder / "features").mkdir()
    (folder / "features" / KEY.folder).mkdir()
    store_manifest(Cache(folder), ALL)
    fill(Cache(folder), KEY, ALL)


def rest_of_one_is_written(folder: Path, published: set[str]) -> None:
    cache = Cache(folder)
    assert cache.verify().problems == ()
    store_manifest(cache, ALL)
    same(cache, KEY, ALL, fill(cache, KEY, ALL))


def collect(folder: Path) -> None:
    """A shard becomes superfluous by one that was copied into the cache, and not by us."""
    cache = Cache(folder)
    rows = make_rows(KEY, ALL)
    with cache.write(KEY, ALL) as out:
        for name in FEW.ids:
            out.add(name, rows[name])
    other = Cache(Path(f"{folder}-copied"))
    fill(other, KEY, ALL)
    for path in shards(other):
        (folder / path.relative_to(other.folder)).write_bytes(path.read_bytes())
    assert len(cache.collect().removals) == 1


def few_are_there(folder: Path, published: set[str]) -> None:
    """Once what is damaged is removed, as the message about it says."""
    if any(name.endswith(".h5") for name in published):
        cache = Cache(folder)
        try:
            cache.read(KEY, FEW)
        except CorruptShardError:
            for problem in cache.verify().problems:
                problem.path.unlink()
        same(cache, KEY, FEW, make_rows(KEY, ALL))


SCENARIOS = {
    "write": Scenario(write, rest_is_written),
    "texts": Scenario(write_texts, texts_are_written),
    "begun": Scenario(write_where_another_began, rest_of_one_is_written),
    "collect": Scenario(collect, few_are_there),
}
PROGRAM = """
import sys
from pathlib import Path
from ser.tests.test_cache_power import SCENARIOS

for name, scenario in SCENARIOS.items():
    scenario.do(Path(sys.argv[1], name))
"""


@pytest.fixture(scope="module")
def calls(tmp_path_factory):
    """The folder of all scenarios, and what was done in it."""
    folder = tmp_path_factory.mktemp("power")
    for name in SCENARIOS:
        (folder / name).mkdir()
    try:
        return folder, recorded(PROGRAM, folder, folder / "trace")
    except OSError as error:
        pytest.skip(f"no system calls to see: {error}")


@pytest.mark.parametrize("every", [10, pytest.param(1, marks=pytest.mark.soak)])
@pytest.mark.parametrize("name", SCENARIOS)
def test_after_any_cut_what_was_published_is_there(calls, tmp_path, name, every):
    folder, done = calls
    disk = Disk(folder / name)
    disk.replay(done)
    files = {path: data for path, data in disk.now().items() if data is not None}
    assert files == tree(folder / name)  # all that was done is in the model
    draw = random.Random(f"{SEED}/{name}")
    states = list(cuts(disk, draw))
    for step, state in states:
        for path in disk.versions:
            if not path.rpartition("/")[2].startswith(PARTIAL):
                assert state.get(path) in disk.possible(path, step), f"{path} after call {step}"
    for number, (step, state) in enumerate(states):
        if draw.randrange(every) == 0:
            at = tmp_path / str(number)
            lay_down(state, at)
            SCENARIOS[name].check(at, disk.published(step))
            shutil.rmtree(at)
    assert len(states) > 30
