"""Features as one HDF5 file: a dataset for each utterance, or packed as `ids`, `frames`, `offsets`.

The file may come from a stranger: no link in it is followed, nothing outside it is read, and no
filter is run but those that come with h5py.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

from ...errors import InputError
from ...files import open_regular
from ..layout import MAX_UTTERANCES
from .arrays import MOST_BYTES, Item, Rows, check_offsets, check_rising, check_shape, told

_PACKED = {b"ids", b"frames"}
_FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 32000: "lzf"}
_LONGEST_ID = 1024
_DEEPEST = 64


def hdf5_file(path: Path) -> Iterator[Item]:
    """The utterances of an HDF5 file: each dataset is one, by its name or, in groups, its path; or,
    where there are `ids` and `frames`, those of `ids`, whose rows follow one another in `frames`
    (N, dim), from one of `offsets` to the next, or a row each.

    Raises:
        InputError: it cannot be read, something in it leads elsewhere, or its packing makes no
            sense.
    """
    import h5py

    with told("HDF5", path), open_regular(path) as file:
        access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
        access.set_fclose_degree(h5py.h5f.CLOSE_STRONG)
        # HDF5 reads the file that is open here, whatever lies at its path by now. It takes no lock.
        access.set_fileobj_driver(h5py.h5fd.fileobj_driver, file)
        hdf = h5py.h5f.open(b"features", h5py.h5f.ACC_RDONLY, access)
        try:
            root = h5py.h5g.open(hdf, b"/")
            if {*root} >= _PACKED:
                yield from _packed(h5py, root)
            else:
                yield from _each(h5py, root, "", {_address(h5py, root)})
        finally:
            hdf.close()


def _each(h5py: Any, group: Any, above: str, seen: set[Any]) -> Iterator[Item]:
    """The datasets below a group, each group looked at once: they may stand in a circle."""
    if above.count("/") > _DEEPEST:
        raise InputError(f"{above}: groups in groups, more than {_DEEPEST} deep")
    for raw in group:
        name = above + raw.decode("utf-8", "backslashreplace")
        found = _own(h5py, group, raw, name)
        if isinstance(found, h5py.h5g.GroupID):
            if (address := _address(h5py, found)) not in seen:
                seen.add(address)
                yield from _each(h5py, found, f"{name}/", seen)
        elif isinstance(found, h5py.h5d.DatasetID):
            yield name, partial(_one, h5py, found)


def _address(h5py: Any, group: Any) -> Any:
    return h5py.h5o.get_info(group).addr


def _own(h5py: Any, group: Any, raw: bytes, name: str) -> Any:
    """An object of a group that is in this file."""
    # Looked at before it is followed: a link may lead to any file on this machine.
    if group.links.get_info(raw).type != h5py.h5l.TYPE_HARD:
        raise InputError(f"{name} is a link, and none is followed; copy what it leads to")
    return h5py.h5o.open(group, raw)


def _dataset(h5py: Any, group: Any, name: str) -> Any:
    found = _own(h5py, group, name.encode(), name)
    if not isinstance(found, h5py.h5d.DatasetID):
        raise InputError(f"{name} is no dataset")
    _check_stored(h5py, found, name)
    return h5py.Dataset(found)


def _one(h5py: Any, dataset: Any) -> Rows:
    with told("HDF5"):
        _check_stored(h5py, dataset, "")
        array = h5py.Dataset(dataset)
        check_shape(array.shape or (), array.dtype)
        rows: Rows = array[()]
        return rows


def _check_stored(h5py: Any, dataset: Any, name: str) -> None:
    """Refuse a dataset whose values are not all in this file, or take foreign code to read."""
    name = f"{name}: " if name else ""
    plan = dataset.get_create_plist()
    layout = plan.get_layout()
    if layout == h5py.h5d.VIRTUAL or plan.get_external_count():
        raise InputError(
            f"{name}its values are in other files, and none is read; copy them into it"
        )
    if dataset.get_space().get_simple_extent_type() != h5py.h5s.SIMPLE:
        raise InputError(f"{name}is not an array")
    width = dataset.get_type().get_size()
    if layout == h5py.h5d.CHUNKED:
        for number in range(plan.get_nfilters()):
            if plan.get_filter(number)[0] not in _FILTERS:
                raise InputError(
                    f"{name}is packed by a filter other than {', '.join(_FILTERS.values())}, and "
                    "none is run; pack it by gzip, or not"
                )
        chunk = plan.get_chunk()
        if prod(chunk) * width > MOST_BYTES:
            raise InputError(f"{name}is stored in pieces of more than {MOST_BYTES >> 20} MB")
        pieces = prod(-(-extent // of) for extent, of in zip(dataset.shape, chunk, strict=True))
        whole = dataset.get_num_chunks() == pieces
    else:
        whole = dataset.get_storage_size() >= prod(dataset.shape) * width
    if not whole:  # HDF5 would read zeros
        raise InputError(f"{name}some of its values were never written")


def _packed(h5py: Any, root: Any) -> Iterator[Item]:
    ids = _ids(h5py, _dataset(h5py, root, "ids"))
    frames = _dataset(h5py, root, "frames")
    if len(frames.shape) != 2:
        raise InputError(f"frames: expected the shape (N, dim), got {frames.shape}")
    offsets = list(range(len(ids) + 1))
    if b"offsets" in list(root):
        places = _dataset(h5py, root, "offsets")
        check_offsets(places.shape, places.dtype, len(ids))
        offsets = places[()].tolist()
    check_rising(offsets, frames.shape[0])
    for name, (start, stop) in zip(ids, pairwise(offsets), strict=True):
        check_shape((stop - start, frames.shape[1]), frames.dtype)
        yield name, partial(_slice, frames, start, stop)


def _slice(frames: Any, start: int, stop: int) -> Rows:
    with told("HDF5"):
        rows: Rows = frames[start:stop]
        return rows


def _ids(h5py: Any, dataset: Any) -> list[str]:
    text = h5py.check_string_dtype(dataset.dtype)
    if text is None or len(dataset.shape) != 1 or dataset.shape[0] > MAX_UTTERANCES:
        raise InputError(
            f"ids: expected at most {MAX_UTTERANCES} texts of one axis, got {dataset.dtype} of "
            f"shape {dataset.shape}"
        )
    if text.length is not None and text.length > _LONGEST_ID:
        raise InputError(f"ids: texts of {text.length} bytes; at most {_LONGEST_ID} are taken")
    if prod(dataset.shape) * (text.length or 1) > MOST_BYTES:
        raise InputError(f"ids: more than {MOST_BYTES >> 20} MB")
    # Texts of any length are read one at a time: many places may lead to one huge text.
    count = dataset.shape[0]
    texts = dataset[()] if text.length is not None else (dataset[n] for n in range(count))
    return [bytes(each)[:_LONGEST_ID].decode("utf-8", "backslashreplace") for each in texts]
