"""Reading features: packed, mapped or one by one, from any shards, and never a damaged row."""

import random
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser.cache import Cache, FeatureKey, writer
from ser.errors import CorruptShardError, SerError

from .conftest import KEY, VECTOR, fill, make_manifest, same, shards, tree


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=12),
    st.integers(1, 5),
    st.randoms(use_true_random=False),
)
@settings(max_examples=25, deadline=None)
def test_any_order_any_shards(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], size: int, order: random.Random
) -> None:
    cache = Cache(tmp_path_factory.mktemp("cache"))
    manifest = make_manifest("abcdefghijkl"[: len(lengths)])
    draw = np.random.default_rng(0)
    rows = {
        name: draw.standard_normal((length, 3)).astype("f4")
        for name, length in zip(manifest.ids, lengths, strict=True)
    }
    names = list(manifest.ids)
    order.shuffle(names)
    with pytest.MonkeyPatch.context() as patch, cache.write(KEY, manifest) as out:
        patch.setattr(writer, "SHARD_UTTERANCES", size)
        for name in names:
            out.add(name, rows[name])
        out.publish()
        same(cache, KEY, manifest, rows)
    assert len(shards(cache)) == -(-len(names) // size)


def test_a_part_of_a_manifest_is_read_in_its_order(cache: Cache) -> None:
    manifest = make_manifest()
    rows = fill(cache, KEY, manifest)
    same(cache, KEY, manifest.select(["e", "b"]), rows)


def test_of_two_shards_with_the_same_utterance_the_first_by_name_counts(cache: Cache) -> None:
    both = [fill(cache, KEY, make_manifest("a"), seed) for seed in (1, 2)]
    first = Cache(cache.folder.parent / "first")
    target = first.folder / shards(cache)[0].relative_to(cache.folder)
    target.parent.mkdir(parents=True)
    shutil.copy(shards(cache)[0], target)
    expected = first.read(KEY, make_manifest("a")).frames
    assert any(np.array_equal(expected, rows["a"]) for rows in both)
    same(cache, KEY, make_manifest("a"), {"a": expected})


def test_what_is_read_belongs_to_the_caller(cache: Cache) -> None:
    manifest = make_manifest()
    rows = fill(cache, KEY, manifest)
    cache.read(KEY, manifest).frames[:] = 0
    same(cache, KEY, manifest, rows)


def test_a_map_of_one_shard_is_the_shard(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = make_manifest()
    rows = fill(cache, KEY, manifest)
    before = tree(cache.folder)
    monkeypatch.setattr(tempfile, "TemporaryFile", None)  # none is needed
    mapped = cache.read(KEY, manifest, mapped=True)
    assert not mapped.frames.flags.owndata
    assert mapped.frames.flags.aligned
    for part in ("abcdef", "bcd"):
        same(cache, KEY, manifest.select(part), rows, mapped=True)
    mapped.frames[:] = 0  # the caller's own
    same(cache, KEY, manifest, rows, mapped=True)
    assert tree(cache.folder) == before


@pytest.mark.parametrize("key", [KEY, VECTOR], ids=["sequence", "vector"])
def test_a_map_of_several_shards_is_a_file_of_its_own(
    cache: Cache, key: FeatureKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    rows = fill(cache, key, make_manifest("ace")) | fill(cache, key, make_manifest("bdf"))
    with pytest.raises(SerError, match="TMPDIR"):
        cache.read(key, make_manifest(), mapped=True)
    (tmp_path / "gone").mkdir()
    same(cache, key, make_manifest(), rows, mapped=True)
    assert not any((tmp_path / "gone").iterdir())


def test_single_utterances_are_read_and_checked_one_by_one(cache: Cache) -> None:
    manifest = make_manifest()
    rows = fill(cache, KEY, make_manifest("ace")) | fill(cache, KEY, make_manifest("bdf"), 1)
    path = next(path for path in shards(cache) if rows["c"].tobytes() in path.read_bytes())
    data = bytearray(path.read_bytes())
    data[data.index(rows["c"].tobytes())] ^= 1
    path.write_bytes(data)
    stored = cache.open(KEY, manifest)
    assert (len(stored), stored.ids) == (6, manifest.ids)
    for index in (5, 0, 3):
        np.testing.assert_array_equal(stored[index], rows[manifest.ids[index]])
        assert len(stored[index]) == stored.offsets[index + 1] - stored.offsets[index]
        assert not stored[index].flags.writeable
    with pytest.raises(IndexError):
        stored[6]
    with pytest.raises(CorruptShardError, match="utterance c"):
        stored[2]
    for mapped in (False, True):
        with pytest.raises(CorruptShardError, match="utterance c"):
            stored.read(mapped)


def test_a_flipped_row_names_utterance_and_remedy(cache: Cache) -> None:
    manifest = make_manifest()
    rows = fill(cache, KEY, manifest)
    path = shards(cache)[0]
    data = bytearray(path.read_bytes())
    data[data.index(rows["c"].tobytes())] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptShardError, match=r"utterance c .*Delete this file") as caught:
        cache.read(KEY, manifest)
    assert str(path) in str(caught.value)
    report = cache.verify()
    assert [problem.path for problem in report.problems] == [path]
    assert str(report.problems[0]).startswith(f"{path}: the features of utterance c")
    same(cache, KEY, make_manifest("abdef"), rows)  # the others are whole
    path.unlink()
    same(cache, KEY, manifest, fill(cache, KEY, manifest))
    assert cache.verify().whole
