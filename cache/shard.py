"""Reading one shard. A shard may come from a stranger: nothing in it is believed unchecked."""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from io import BufferedReader
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from ..errors import CorruptShardError, InputError, SerError
from ..files import open_regular, parse_json
from . import layout
from .access import enough_memory, read_error
from .keys import FeatureKey


@dataclass(frozen=True, eq=False)
class ShardIndex:
    """All of a shard except its rows, checked.

    Attributes:
        path: the file, below a feature folder of a cache.
        key: what the rows are.
        corpus, manifest_id: which manifest they were extracted for.
        provenance: versions of the software that wrote the shard.
        utterances: what each of the n is found by: see `layout.utterances`.
        bounds: int64, (n + 1): utterance i is the bytes bounds[i] to bounds[i + 1] of the file.
        digests: XXH3-128 of each utterance's bytes, n times 16 bytes.
    """

    path: Path
    key: FeatureKey
    corpus: str
    manifest_id: str
    provenance: dict[str, str]
    utterances: list[str]
    bounds: npt.NDArray[np.int64]
    digests: bytes

    def __len__(self) -> int:
        return len(self.utterances)

    @cached_property
    def ids(self) -> list[str]:
        """Of each utterance."""
        return [utterance.partition(" ")[0] for utterance in self.utterances]

    @cached_property
    def audio_hashes(self) -> list[str]:
        """Of each utterance."""
        return [utterance.partition(" ")[2] for utterance in self.utterances]

    @cached_property
    def checksums(self) -> list[bytes]:
        """The digest of each utterance."""
        checksums: list[bytes] = np.frombuffer(self.digests, f"V{layout.CHECKSUM_BYTES}").tolist()
        return checksums


def read_index(path: Path, key: FeatureKey | None = None) -> ShardIndex | None:
    """Read and check all of a shard but its rows.

    Args:
        path: a shard below its feature folder.
        key: the key that the shard must have, where it is known; saves parsing it again.

    Returns:
        The index, or None for a shard that was never finished (no completion mark).

    Raises:
        CorruptShardError: the file is not a whole, valid shard of this folder.
        GoneError: it is not there.
        SerError: the file cannot be opened at all, or is a link that leads out of the cache.
    """
    with open_shard(path) as file:
        return index_in(file, os.fstat(file.fileno()).st_size, path, key)


def index_in(
    file: BinaryIO, size: int, path: Path, key: FeatureKey | None = None
) -> ShardIndex | None:
    """As `read_index`, of a shard that is open, wherever its bytes come from.

    Args:
        size: of the file, in bytes.
        path: where it lies, or would lie, below a cache: its name and that of its folder count.
    """
    with enough_memory(str(path)):
        import h5py  # late: it takes a tenth of a second

        try:
            return _read_index(h5py, path, file, size, key)
        except (_InvalidError, InputError) as error:
            raise corrupt(path, str(error)) from None
        except (MemoryError, SerError):
            raise
        except Exception as error:  # h5py raises nearly anything for damaged metadata
            raise corrupt(path, f"HDF5 cannot read it ({error})".splitlines()[0]) from error


def open_shard(path: Path) -> BufferedReader:
    """Open a shard: a regular file, wherever links lead still below the cache's folder.

    Raises:
        GoneError: it is not there.
        SerError: it cannot be opened, is no regular file, or is a link that leads elsewhere.
    """
    try:
        return open_regular(path, path.parents[2])
    except OSError as error:
        raise read_error(path, error) from error


def map_shard(index: ShardIndex, access: int = mmap.ACCESS_READ) -> mmap.mmap:
    """The file of a shard up to the end of its rows, as a memory map.

    Needs no memory of its own. A drive that fails while the map is looked at ends the process,
    where `reading` gives an error message.

    Args:
        access: `ACCESS_READ`, or `ACCESS_COPY` for a map that can be written to: what is written
            is seen by this process alone, and never reaches the file.

    Raises:
        CorruptShardError: the file is shorter than it was.
        GoneError: it is not there.
        SerError: it cannot be opened.
    """
    with open_shard(index.path) as file:
        size = int(index.bounds[-1])
        if os.fstat(file.fileno()).st_size < size:
            raise corrupt(index.path, "the file ends early")
        try:
            return mmap.mmap(file.fileno(), size, access=access)
        except OSError as error:
            raise SerError(f"{index.path}: cannot be mapped ({error.strerror})") from error


@contextmanager
def reading(index: ShardIndex) -> Iterator[Callable[[int, memoryview], None]]:
    """Open a shard, and give what fills a buffer with its bytes from a place on, unchecked.

    Raises:
        CorruptShardError: the file is shorter than it was.
        GoneError: it is not there.
        SerError: it cannot be read.
    """
    with open_shard(index.path) as file:
        at = 0

        def read(start: int, buffer: memoryview) -> None:
            nonlocal at
            if start != at:  # seeking costs as much as reading something small
                file.seek(start)
            at = start + len(buffer)
            if file.readinto(buffer) < len(buffer):
                raise corrupt(index.path, "the file ends early")

        try:
            yield read
        except OSError as error:
            raise read_error(index.path, error) from error


def damaged(index: ShardIndex, row: int) -> CorruptShardError:
    """The error for an utterance whose bytes are not those that were written."""
    return corrupt(index.path, f"the features of utterance {index.ids[row]} are damaged")


def corrupt(path: Path, reason: str) -> CorruptShardError:
    """The error for a damaged shard: which file, what is wrong, what to do."""
    return CorruptShardError(
        f"{path}: {reason}. Delete this file and run again what brought it (`ser extract`, "
        "`ser cache pull` or `import`): it brings only what is missing then. `ser cache verify` "
        "finds all damaged files."
    )


class _InvalidError(Exception):
    """What is wrong with a shard, without its path."""


def _require(condition: object, reason: str) -> None:
    if not condition:
        raise _InvalidError(reason)


def _read_index(
    h5py: Any, path: Path, file: BinaryIO, size: int, key: FeatureKey | None
) -> ShardIndex | None:
    name = layout.SHARD_NAME.fullmatch(path.name)
    _require(name, "its name is not <corpus>-<16 hex digits>.h5")
    assert name is not None
    _require(file.read(8) == layout.SIGNATURE, "not an HDF5 file")

    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_fclose_degree(h5py.h5f.CLOSE_STRONG)
    # HDF5 reads the file that is open here, whatever lies at its path by now. It takes no lock.
    access.set_fileobj_driver(h5py.h5fd.fileobj_driver, file)
    hdf = h5py.h5f.open(b"shard", h5py.h5f.ACC_RDONLY, access)
    try:
        root = h5py.h5g.open(hdf, b"/")
        if not h5py.h5a.exists(root, b"complete"):
            return None
        attributes = _attributes(h5py, root)
        if attributes["complete"] != "1":
            return None
        _require(attributes["format"] == layout.FORMAT, "not a shard of features")
        version = attributes["format_version"]
        if version != str(layout.VERSION):
            raise _InvalidError(f"format version {version}; this ser reads {layout.VERSION}")
        key = _key(attributes["feature_key"], key, path)
        places = _datasets(h5py, root, key, size)
    finally:
        hdf.close()

    def stored(dataset: str) -> bytes:
        start, shape, width = places[dataset]
        file.seek(start)
        data = file.read(size := prod(shape) * width)
        _require(len(data) == size, f"{dataset}: the file ends early")
        return data

    arrays = [stored(dataset) for dataset in layout.DATASETS[1:]]
    expected = layout.index_checksum(attributes, arrays)
    _require(attributes["index_checksum"] == expected, "the checksum of its index is wrong")

    corpus, manifest_id = attributes["corpus"], attributes["manifest_id"]
    _require(corpus == name[1], f"its name says corpus {name[1]}, its index {corpus:.80}")
    _require(layout.MANIFEST_ID.fullmatch(manifest_id), "manifest_id is not 16 hex digits")
    frames_at, (rows, _), _ = places["frames"]
    offsets = np.frombuffer(arrays[0], "<i8")
    _check_offsets(offsets, rows, key)
    ids = _texts(arrays[1], places["ids"][2], "ids")
    _require(len(set(ids)) == len(ids), "an utterance id occurs twice")
    audio_hashes = _texts(arrays[2], places["audio_hashes"][2], "audio_hashes")
    row_bytes = key.dim * np.dtype(key.dtype).itemsize
    return ShardIndex(
        path=path,
        key=key,
        corpus=corpus,
        manifest_id=manifest_id,
        provenance=_provenance(attributes["provenance"]),
        utterances=layout.utterances(ids, audio_hashes),
        bounds=frames_at + offsets * row_bytes,
        digests=arrays[3],
    )


def _attributes(h5py: Any, root: Any) -> dict[str, str]:
    """The attributes of the root group, integers in decimal."""
    count = h5py.h5a.get_num_attrs(root)
    _require(count == len(layout.ATTRIBUTES), f"it has {count} attributes")
    values = {}
    for name in layout.ATTRIBUTES:
        attribute = h5py.h5a.open(root, name.encode())
        kind = attribute.get_type()
        scalar = attribute.get_space().get_simple_extent_type() == h5py.h5s.SCALAR
        if name in ("format_version", "complete"):
            good = kind.equal(h5py.h5t.STD_U32LE)
            value: npt.NDArray[Any] = np.zeros((), "<u4")
        else:
            good = _is_fixed_text(h5py, kind) and kind.get_size() <= layout.MAX_TEXT
            value = np.zeros((), f"S{kind.get_size() if good else 1}")
        _require(scalar and good, f"attribute {name} has the wrong type")
        attribute.read(value, mtype=kind)
        item = value.item()
        values[name] = item.decode("ascii") if isinstance(item, bytes) else str(item)
    return values


def _datasets(
    h5py: Any, root: Any, key: FeatureKey, size: int
) -> dict[str, tuple[int, tuple[int, ...], int]]:
    """Where the bytes of each dataset lie: (position in the file, shape, bytes of an element)."""
    count = root.get_num_objs()
    _require(count == len(layout.DATASETS), f"it has {count} objects")
    types = {
        "frames": h5py.h5t.IEEE_F32LE if key.dtype == "float32" else h5py.h5t.IEEE_F16LE,
        "offsets": h5py.h5t.STD_I64LE,
        "checksums": h5py.h5t.STD_U8LE,
    }
    places: dict[str, tuple[int, tuple[int, ...], int]] = {}
    for name in layout.DATASETS:
        # Looked at before it is followed: a link may lead to any file on this machine.
        hard = root.links.get_info(name.encode()).type == h5py.h5l.TYPE_HARD
        _require(hard, f"{name} is a link to elsewhere")
        dataset = h5py.h5d.open(root, name.encode())
        # Only what is contiguous, and in this file, has an offset; and only chunks have filters.
        start = dataset.get_offset()
        _require(start is not None, f"{name} is not contiguous inside this file")
        kind = dataset.get_type()
        width = kind.get_size()
        if name in types:
            good = kind.equal(types[name])
        else:
            good = _is_fixed_text(h5py, kind) and width <= layout.ID_LENGTHS[1]
        _require(good, f"{name} has the wrong type")
        space = dataset.get_space()
        simple = space.get_simple_extent_type() == h5py.h5s.SIMPLE
        shape = space.get_simple_extent_dims() if simple else ()
        inside = start + prod(shape) * width <= size  # of Python's integers: no overflow
        _require(shape and inside, f"{name} does not lie inside the file")
        places[name] = (start, shape, width)
    count = places["ids"][1][0]
    _require(count <= layout.MAX_UTTERANCES, f"it claims {count} utterances")
    expected = {
        "frames": (places["frames"][1][0], key.dim),
        "offsets": (count + 1,),
        "ids": (count,),
        "audio_hashes": (count,),
        "checksums": (count, layout.CHECKSUM_BYTES),
    }
    for name, (_, shape, _) in places.items():
        _require(shape == expected[name], f"{name} has shape {shape}, expected {expected[name]}")
    return places


def _is_fixed_text(h5py: Any, kind: Any) -> bool:
    return kind.get_class() == h5py.h5t.STRING and not kind.is_variable_str()


def _check_offsets(offsets: npt.NDArray[np.int64], rows: int, key: FeatureKey) -> None:
    _require(offsets[0] == 0 and offsets[-1] == rows, "offsets do not span the rows")
    _require((offsets[1:] > offsets[:-1]).all(), "offsets do not increase")
    if key.kind == "vector":
        _require(rows == len(offsets) - 1, "a vector has more than one row")


def _texts(data: bytes, width: int, name: str) -> list[str]:
    """Split fixed-width texts padded with zero bytes; in few passes, for there may be many."""
    allowed, (shortest, longest) = {
        "ids": (layout.ID_BYTES, layout.ID_LENGTHS),
        "audio_hashes": (layout.HASH_BYTES, layout.HASH_LENGTHS),
    }[name]
    items: list[bytes] = np.frombuffer(data, f"S{width}").tolist()
    lengths = list(map(len, items))
    joined = b"\n".join(items)
    _require(
        not joined.translate(None, allowed + b"\n")
        and joined.count(b"\n") == len(items) - 1
        and shortest <= min(lengths)
        and max(lengths) <= longest,
        f"{name} has a malformed entry",
    )
    return joined.decode("ascii").split("\n")


def _key(text: str, expected: FeatureKey | None, path: Path) -> FeatureKey:
    key = expected
    if key is None or text != key.canonical:
        key = FeatureKey.from_json(text)
        _require(text == key.canonical, "its feature key is not in canonical form")
    _require(
        path.parent.name == key.folder and (expected is None or expected is key),
        f"it belongs into the folder {key.folder}",
    )
    return key


def _provenance(text: str) -> dict[str, str]:
    try:
        return parse_json(text.encode(), dict[str, str], "provenance")
    except ValueError as error:
        raise _InvalidError(str(error)) from None
