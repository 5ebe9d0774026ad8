"""One shard: written as the format says, and every way of damaging or forging one is refused."""

import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xxhash

from ser.cache import FeatureKey, StoredFeatures, layout
from ser.cache.access import GoneError
from ser.cache.publish import write_shard
from ser.cache.shard import ShardIndex, map_shard, read_index, reading
from ser.errors import CorruptShardError

KEY = FeatureKey("mfcc", "mfcc", 1, None, {}, {}, "float32", "sequence", 3, 100.0)
VECTOR = FeatureKey("ge2e", "ge2e", 1, "ab", {}, {}, "float16", "vector", 3, None)
ROWS = [np.arange(3 * n, dtype=np.float32).reshape(n, 3) + n for n in (2, 1, 4)]
IDS = ["a01", "b-2", "c_.3"]
HASHES = [f"{n:032x}" for n in range(3)]
DOCUMENT = Path(__file__).parent.parent / "docs" / "shard-format.md"


def place(folder: Path, key: FeatureKey) -> Path:
    path = folder / "features" / key.folder
    path.mkdir(parents=True, exist_ok=True)
    return path


def published(folder: Path) -> Path:
    return write_shard(place(folder, KEY), KEY, "mine", "0" * 16, {"ser": "1"}, IDS, HASHES, ROWS)


def xxh3(data: bytes) -> bytes:
    return xxhash.xxh3_128(data).digest()


def parts(key: FeatureKey = KEY) -> dict[str, Any]:
    """Datasets and attributes of a good shard, made from the documentation alone."""
    rows = ROWS if key is KEY else [row[:1].astype("<f2") for row in ROWS]
    return {
        "frames": np.concatenate(rows),
        "offsets": np.cumsum([0, *map(len, rows)]).astype("<i8"),
        "ids": np.array(IDS, "S4"),
        "audio_hashes": np.array(HASHES, "S32"),
        "checksums": np.array([list(xxh3(row.tobytes())) for row in rows], "u1"),
        "format": b"ser-shard",
        "format_version": np.uint32(1),
        "feature_key": key.canonical.encode(),
        "manifest_id": b"0123456789abcdef",
        "corpus": b"mine",
        "provenance": b'{"ser": "0"}',
    }


def signature(part: dict[str, Any]) -> bytes:
    names = ("format", "format_version", "feature_key", "manifest_id", "corpus", "provenance")
    texts = [value if isinstance(value := part[name], bytes) else b"%d" % value for name in names]
    arrays = [part[name].tobytes() for name in ("offsets", "ids", "audio_hashes", "checksums")]
    return xxh3(b"".join(struct.pack("<Q", len(data)) + data for data in texts + arrays))


def forge(
    folder: Path,
    edit: Callable[[h5py.File], None] | None = None,
    key: FeatureKey = KEY,
    libver: Any = ("v108", "latest"),
    **new: Any,
) -> Path:
    """A shard with parts replaced (None: left out) and an index checksum and name that fit."""
    part = {**parts(key), **new}
    signed = {name: parts(key)[name] if value is None else value for name, value in part.items()}
    part["index_checksum"] = signature(signed).hex().encode()
    part["complete"] = np.uint32(1)
    path = place(folder, key) / "forged"
    with h5py.File(path, "w", libver=libver) as file:
        for name, value in part.items():
            if value is None:
                continue
            if name in layout.DATASETS:
                file.create_dataset(name, data=value)
            else:
                file.attrs[name] = np.bytes_(value) if isinstance(value, bytes) else value
        if edit is not None:
            edit(file)
    name = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    return path.rename(path.with_name(f"mine-{name}.h5"))


def read_row(index: ShardIndex, row: int) -> np.ndarray[Any, Any]:
    start, stop = index.bounds[row : row + 2].tolist()
    data = np.empty(stop - start, np.uint8)
    with reading(index) as read:
        read(start, data.data)
    return data.view(index.key.dtype).reshape(-1, index.key.dim)


def rows_of(path: Path) -> list[np.ndarray[Any, Any]]:
    index = read_index(path)
    assert index is not None
    return [read_row(index, row) for row in range(len(index))]


def test_round_trip(tmp_path: Path) -> None:
    path = published(tmp_path)
    index = read_index(path)
    assert index is not None
    assert (index.ids, index.audio_hashes, index.corpus) == (IDS, HASHES, "mine")
    assert (index.key, index.manifest_id, index.provenance) == (KEY, "0" * 16, {"ser": "1"})
    for got, expected in zip(rows_of(path), ROWS, strict=True):
        np.testing.assert_array_equal(got, expected)


def test_the_file_is_what_the_documentation_says(tmp_path: Path) -> None:
    path = published(tmp_path)
    assert path.name == f"mine-{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}.h5"
    data = path.read_bytes()
    with h5py.File(path, "r") as file:
        assert set(file) == set(layout.DATASETS)
        assert set(file.attrs) == set(layout.ATTRIBUTES)
        frames = file["frames"]
        assert (frames.shape, frames.dtype.str, frames.chunks) == ((7, 3), "<f4", None)
        start = frames.id.get_offset()
        mapped = np.frombuffer(data, "<f4", 21, start).reshape(7, 3)
        np.testing.assert_array_equal(mapped, np.concatenate(ROWS))
        assert file["offsets"][:].tolist() == [0, 2, 3, 7]
        assert file["ids"][:].tolist() == [name.encode() for name in IDS]
        for sums, row in zip(file["checksums"][:], ROWS, strict=True):
            assert sums.tobytes() == xxh3(row.tobytes())
        stored = {name: file.attrs[name] for name in layout.DESCRIPTION}
        arrays = {name: file[name][:] for name in layout.DATASETS}
        assert file.attrs["index_checksum"].decode() == signature({**stored, **arrays}).hex()
        assert FeatureKey.from_json(file.attrs["feature_key"].decode()) == KEY


def test_equal_content_gives_an_equal_file(tmp_path: Path) -> None:
    first = published(tmp_path / "a")
    time.sleep(1.1)  # HDF5 notes when an object was made, in seconds, unless told not to
    second = published(tmp_path / "b")
    assert first.name == second.name
    assert first.read_bytes() == second.read_bytes()
    again = published(tmp_path / "a")
    assert again == first
    assert [path.name for path in first.parent.iterdir()] == [first.name]


def test_a_writer_that_knows_only_the_documentation_is_understood(tmp_path: Path) -> None:
    for key in (KEY, VECTOR):
        got = np.concatenate(rows_of(forge(tmp_path, key=key)))
        np.testing.assert_array_equal(got, parts(key)["frames"])


def test_the_documentation_names_what_the_code_names() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    tables = [re.findall(r"^\| `(\w+)` \|", block, re.M) for block in text.split("\n## ")]
    assert list(layout.DATASETS) in tables
    assert list(layout.ATTRIBUTES) in tables
    for item in (layout.FORMAT, layout.SHARD_NAME.pattern, layout.FOLDER_NAME.pattern):
        assert f"`{item}`" in text


def test_an_unfinished_shard_is_invisible(tmp_path: Path) -> None:
    def unmark(file: h5py.File) -> None:
        del file.attrs["complete"]

    def unset(file: h5py.File) -> None:
        file.attrs.modify("complete", np.uint32(0))

    assert read_index(forge(tmp_path, unmark)) is None
    assert read_index(forge(tmp_path, unset)) is None


# Forgeries. Each has an index checksum that fits unless said otherwise.


def replaced(name: str, **options: Any) -> Callable[[h5py.File], None]:
    """Store a dataset again, in a way that HDF5 allows and the format does not."""

    def edit(file: h5py.File) -> None:
        data = file[name][()]
        del file[name]
        file.create_dataset(name, data=data, **options)

    return edit


def external_storage(file: h5py.File) -> None:
    Path(file.filename).with_name("outside").write_bytes(bytes(84))
    del file["frames"]
    file.create_dataset("frames", (7, 3), "<f4", external=[("outside", 0, 84)])


def virtual(file: h5py.File) -> None:
    source = Path(file.filename).with_name("source.h5")
    with h5py.File(source, "w") as other:
        other["frames"] = parts()["frames"]
    plan = h5py.VirtualLayout((7, 3), "<f4")
    plan[:] = h5py.VirtualSource(str(source), "frames", (7, 3))
    del file["frames"]
    file.create_virtual_dataset("frames", plan)


def external_link(file: h5py.File) -> None:
    source = Path(file.filename).with_name("source.h5")
    with h5py.File(source, "w") as other:
        other["frames"] = parts()["frames"]
    del file["frames"]
    file["frames"] = h5py.ExternalLink(str(source), "frames")


def soft_link(file: h5py.File) -> None:
    file.move("ids", "elsewhere")
    file["ids"] = h5py.SoftLink("/elsewhere")
    del file["audio_hashes"]  # keeps the number of objects


def group_instead(file: h5py.File) -> None:
    del file["frames"]
    file.create_group("frames")


def objects(file: h5py.File) -> None:
    del file["ids"]
    file.create_dataset("ids", data=IDS, dtype=h5py.string_dtype())


def huge(file: h5py.File) -> None:
    del file["frames"]
    file.create_dataset("frames", (1 << 58, 3), "<f4")  # claimed, never allocated


def huge_attribute(file: h5py.File) -> None:
    del file.attrs["provenance"]
    file.attrs["provenance"] = np.bytes_(b"{" + b" " * 62_000 + b"}")


def array_attribute(file: h5py.File) -> None:
    del file.attrs["corpus"]
    file.attrs["corpus"] = np.array([b"mine"] * 100)


def text_attribute(file: h5py.File) -> None:
    del file.attrs["corpus"]
    file.attrs["corpus"] = "mine"  # variable length


def extra_dataset(file: h5py.File) -> None:
    file["more"] = 1


def extra_attribute(file: h5py.File) -> None:
    file.attrs["more"] = 1


def unsigned_index(file: h5py.File) -> None:
    file["offsets"][1] = 1


OTHER = FeatureKey("mfcc", "mfcc", 2, None, {}, {}, "float32", "sequence", 3, 100.0)
EDITS = [
    replaced("frames", chunks=(2, 3)),
    replaced("frames", compression="gzip"),
    replaced("frames", fletcher32=True),
    replaced("frames", maxshape=(None, 3)),
    replaced("frames", dtype="<f8"),
    replaced("frames", dtype=">f4"),
    replaced("frames", dtype="<i4"),
    replaced("frames", dtype="<f2"),
    replaced("offsets", dtype="<i4"),
    replaced("offsets", dtype=">i8"),
    replaced("offsets", dtype="<u8"),
    replaced("checksums", dtype="i1"),
    replaced("ids", chunks=(1,)),
    replaced("ids", dtype="S200"),
    external_storage,
    virtual,
    external_link,
    soft_link,
    group_instead,
    objects,
    huge,
    huge_attribute,
    array_attribute,
    text_attribute,
    extra_dataset,
    extra_attribute,
    unsigned_index,
]
PARTS: list[dict[str, Any]] = [
    {"offsets": np.array([0, 3, 2, 7], "<i8")},
    {"offsets": np.array([0, 2, 2, 7], "<i8")},
    {"offsets": np.array([1, 2, 3, 7], "<i8")},
    {"offsets": np.array([0, 2, 3, 8], "<i8")},
    {"offsets": np.array([0, 2, 3, 6], "<i8")},
    {"offsets": np.array([0, -1, 3, 7], "<i8")},
    {"offsets": np.array([0, 2, 1 << 62, 7], "<i8")},
    {"offsets": np.array([0, 3, 7], "<i8")},
    {"offsets": np.array([[0, 2, 3, 7]], "<i8")},
    {"ids": np.array(["a01", "a01", "c"], "S4")},
    {"ids": np.array(["a01", "../x", "c"], "S4")},
    {"ids": np.array([b"a01", b"a\0b", b"c"], "S4")},
    {"ids": np.array([b"a01", b"a\nb", b"c"], "S4")},
    {"ids": np.array([b"a01", b"a\xe4b", b"c"], "S4")},
    {"ids": np.array(["a01", "", "c"], "S4")},
    {"ids": np.array(["a01", "b" * 129, "c"], "S129")},
    {"ids": np.array(["a01", "b"], "S4")},
    {"ids": np.array([], "S4")},
    {"audio_hashes": np.array([*HASHES[:2], "0" * 15], "S32")},
    {"audio_hashes": np.array([*HASHES[:2], "A" * 32], "S32")},
    {"audio_hashes": np.array(HASHES[:2], "S32")},
    {"audio_hashes": np.array([*HASHES[:2], "0" * 65], "S65")},
    {"checksums": np.zeros((3, 15), "u1")},
    {"checksums": np.zeros(48, "u1")},
    {"frames": np.zeros((7, 4), "<f4")},
    {"frames": np.zeros(21, "<f4")},
    {"frames": np.zeros((0, 3), "<f4")},
    {"frames": np.float32(1)},
    {"frames": h5py.Empty("<f4")},
    {"frames": None},
    {"format": b"other"},
    {"format": None},
    {"format_version": np.uint32(2)},
    {"format_version": np.int64(1)},
    {"format_version": b"1"},
    {"feature_key": OTHER.canonical.encode()},
    {"feature_key": KEY.to_json().encode()},
    {"feature_key": b"{}"},
    {"feature_key": b"\xff"},
    {"manifest_id": b"0123"},
    {"corpus": b"other"},
    {"corpus": b"../mine"},
    {"provenance": b"[]"},
    {"provenance": b'{"a": 1}'},
    {"provenance": b"[" * 9999},
]


def refused(path: Path) -> None:
    with pytest.raises(CorruptShardError) as caught:
        read_index(path)
    message = str(caught.value)
    assert str(path) in message
    assert "ser cache verify" in message
    assert "ser extract" in message
    assert "Delete this file" in message
    assert "\n" not in message


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__qualname__)
def test_forged_structure_is_refused(tmp_path: Path, edit: Callable[[h5py.File], None]) -> None:
    refused(forge(tmp_path, edit))


@pytest.mark.parametrize("new", PARTS, ids=lambda new: f"{new}"[:40].replace("\n", ""))
def test_forged_content_is_refused(tmp_path: Path, new: dict[str, Any]) -> None:
    refused(forge(tmp_path, **new))


def test_a_vector_with_two_rows_is_refused(tmp_path: Path) -> None:
    frames = np.zeros((4, 3), "<f2")
    refused(forge(tmp_path, key=VECTOR, frames=frames, offsets=np.array([0, 1, 2, 4], "<i8")))


def test_a_forged_row_is_refused(tmp_path: Path) -> None:
    index = read_index(forge(tmp_path, frames=np.concatenate(ROWS) + 1))
    assert index is not None
    with pytest.raises(CorruptShardError, match="utterance b-2"):
        StoredFeatures(KEY, ["b-2"], [index], np.array([1])).read()


OTHERS = [b"", b"not a shard", layout.SIGNATURE, layout.SIGNATURE + bytes(500)]


@pytest.mark.parametrize("data", OTHERS, ids=len)
def test_other_files_are_refused(tmp_path: Path, data: bytes) -> None:
    path = place(tmp_path, KEY) / f"mine-{'0' * 16}.h5"
    path.write_bytes(data)
    refused(path)


def test_a_shard_behind_a_user_block_is_refused(tmp_path: Path) -> None:
    path = published(tmp_path)
    path.write_bytes(bytes(512) + path.read_bytes())
    refused(path)


def test_a_shard_cut_short_is_refused_at_any_length(tmp_path: Path) -> None:
    path = published(tmp_path)
    data = path.read_bytes()
    for length in range(0, len(data), 97):
        path.write_bytes(data[:length])
        refused(path)


def test_a_shard_in_the_wrong_place_is_refused(tmp_path: Path) -> None:
    path = published(tmp_path)
    foreign = shutil.copy(path, place(tmp_path, OTHER) / path.name)
    refused(foreign)
    with pytest.raises(CorruptShardError, match=re.escape(KEY.folder)):
        read_index(foreign, OTHER)
    refused(path.rename(path.with_name(path.name.replace("mine", "yours"))))


def test_a_shard_that_shrinks_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    path = published(tmp_path)
    index = read_index(path)
    assert index is not None
    os.truncate(path, index.bounds[-1] - 1)
    with pytest.raises(CorruptShardError, match="ends early"):
        read_row(index, 2)
    with pytest.raises(CorruptShardError, match="ends early"):
        map_shard(index)


def test_a_file_that_went_away_is_an_error(tmp_path: Path) -> None:
    path = published(tmp_path)
    index = read_index(path)
    assert index is not None
    path.unlink()
    for look in (
        lambda: read_index(path),
        lambda: read_row(index, 0),
        lambda: map_shard(index),
    ):
        with pytest.raises(GoneError, match="another process removed it") as caught:
            look()
        assert "Delete" not in str(caught.value)


FILL_DISK = """
import resource, sys
from pathlib import Path
import numpy as np
from ser.cache import FeatureKey
from ser.cache.publish import write_shard
from ser.errors import SerError
import h5py
folder, limit, text = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
key = FeatureKey.from_json(text)
try:
    write_shard(folder, key, "mine", "0" * 16, {}, ["a"], ["0" * 16], [np.zeros((9999, 3), "f4")])
except SerError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
@pytest.mark.parametrize("limit", [0, 700, 50_000])
def test_a_full_disk_is_one_message_and_leaves_nothing(tmp_path: Path, limit: int) -> None:
    path = published(tmp_path)
    before = path.read_bytes()
    command = [sys.executable, "-c", FILL_DISK, str(path.parent), str(limit), KEY.canonical]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "ulimit -f" in done.stdout
    assert done.stdout.count("\n") == 1
    assert (done.returncode, done.stderr) == (0, "")
    assert list(path.parent.iterdir()) == [path]
    assert path.read_bytes() == before


def test_provenance_is_json(tmp_path: Path) -> None:
    with h5py.File(published(tmp_path), "r") as file:
        assert json.loads(file.attrs["provenance"]) == {"ser": "1"}
