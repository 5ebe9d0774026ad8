"""Several processes at one cache: removing hurts neither those that write nor those that read."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import numpy as np
import pytest

from ser.cache import Cache
from ser.errors import InputError, MissingFeaturesError

from .conftest import KEY, VECTOR, fill, make_manifest, same

ROUNDS = 150

BESIDE = """
import sys
from pathlib import Path
import numpy as np
from ser.cache import Cache, FeatureKey
from ser.errors import InputError
from ser.manifests import Manifest

folder, text, file, loop, rounds = sys.argv[1:]
cache, key, manifest = Cache(Path(folder)), FeatureKey.from_json(text), Manifest.load(Path(file))

def write(first):
    with cache.write(key, manifest) as out:
        for id in (manifest.ids[first % len(manifest)], manifest.ids[(first + 1) % len(manifest)]):
            out.add(id, np.full((4, 3), ord(id), "f4"))
            out.publish()

def remove():
    try:
        return cache.remove(key.feature).shards
    except InputError as error:  # nothing is there at the moment
        assert "is not there" in str(error), error
        return 0

print("ready", flush=True)
sys.stdin.readline()
removed = 0
if loop == "remove":
    import select
    while not select.select([sys.stdin], [], [], 0)[0]:
        removed += remove()
else:
    for number in range(int(rounds)):
        write(number)
        removed += remove()
print(removed, flush=True)
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="asks a pipe without waiting")


@contextmanager
def beside(cache: Cache, loop: str, rounds: int = 0) -> Iterator[subprocess.Popen[str]]:
    """A process that removes the feature again and again, or writes and removes it in turn."""
    manifest = cache.folder.parent / "manifest.csv"
    make_manifest("abcdef").save(manifest)
    arguments = [str(cache.folder), KEY.canonical, str(manifest), loop, str(rounds)]
    command = [sys.executable, "-c", BESIDE, *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "ready\n"
        process.stdin.write("go\n")
        process.stdin.flush()
        try:
            yield process
        finally:
            if process.poll() is None and loop == "remove":
                process.stdin.write("end\n")
                process.stdin.flush()
            output, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        assert int(output) > 0  # else it has tried nothing


def test_a_writer_beside_a_remover_loses_nothing_and_fails_nowhere(cache: Cache) -> None:
    manifest = make_manifest("abcdefghijklmnopqrstuvwxyz")
    with beside(cache, "remove"):
        for number in range(ROUNDS):
            id = manifest.ids[number % len(manifest)]
            with cache.write(KEY, manifest) as out:
                out.add(id, np.full((4, 3), number, "f4"))
    with suppress(InputError):  # of the last rounds, some may be there
        cache.remove(KEY.feature)
    rows = fill(cache, KEY, manifest)  # what is written after the last removal is all there
    same(cache, KEY, manifest, rows)
    assert cache.verify().whole


def test_who_looks_beside_a_remover_raises_no_false_alarm(cache: Cache) -> None:
    other = make_manifest("xyz", corpus="other")
    rows = fill(cache, VECTOR, other)
    manifest = make_manifest("abcdef")
    with beside(cache, "both", ROUNDS) as process:
        number = 0
        while process.poll() is None or number < ROUNDS:
            number += 1
            report = cache.verify()
            assert report.problems == ()
            assert report.utterances >= len(other)
            assert all(not holding.damaged for holding in cache.listing())
            assert set(cache.missing(KEY, manifest)) <= set("abcdef")
            read_or_missing(cache, number)
    same(cache, VECTOR, other, rows)


def read_or_missing(cache: Cache, number: int) -> None:
    """Read one utterance of those that come and go: it is right, or it is not there."""
    manifest = make_manifest("abcdef").select(["abcdef"[number % 6]])
    try:
        found = cache.read(KEY, manifest, mapped=number % 2 == 0)
    except MissingFeaturesError:
        pass
    else:
        np.testing.assert_array_equal(found.frames, np.full((4, 3), ord(manifest.ids[0]), "f4"))
