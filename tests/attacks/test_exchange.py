"""Features from strangers: every file ends in right rows or in our error, and nothing of it runs.

Nothing outside the source is read, memory stays bounded, and what is refused leaves no trace.
"""

import io
import os
import pickle
import struct
import tracemalloc
import zipfile
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
import pytest

from ser.cache import Cache, store_manifest
from ser.cache.exchange import import_features
from ser.cache.exchange.arrays import MOST_BYTES
from ser.cache.exchange.sources import find_source
from ser.errors import InputError

from ..conftest import make_manifest, shards, tree
from ..test_exchange_sources import npy, packed, read

ROWS = {id: np.full((90, 3), number + 0.5, "f4") for number, id in enumerate("abcdef")}
MEMORY = 30 << 20
"""That reading a refused file may take."""


class Loot:
    """Unpickled, it would say so."""

    def __reduce__(self):
        return os.mkdir, ("unpickled",)


@pytest.fixture(autouse=True)
def nothing_ran(tmp_path, monkeypatch):
    """And a folder of one's own, in which what would run would leave something."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    yield
    assert not Path("unpickled").exists()


@pytest.fixture
def held(cache: Cache) -> Cache:
    store_manifest(cache, make_manifest())
    return cache


def refused(cache: Cache, source: Path, reason: str) -> None:
    """Said in our words, and nothing is imported; all of it read takes little memory."""
    before = tree(cache.folder)
    with pytest.raises(InputError, match=reason):
        import_features(cache, source, "mine", "x")
    assert tree(cache.folder) == before
    tracemalloc.start()
    with suppress(InputError):
        for _, load in find_source(source)():
            with suppress(InputError):
                load()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MEMORY


def header(text: str, version: int = 1) -> bytes:
    """The begin of a `.npy` that says this of itself."""
    data = text.encode("latin1")
    return (
        b"\x93NUMPY"
        + bytes([version, 0])
        + struct.pack("<H" if version == 1 else "<I", len(data))
        + data
    )


def declared(shape: object, kind: str = "<f4") -> bytes:
    return header(f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n")


def pickled() -> bytes:
    memory = io.BytesIO()
    np.save(memory, np.array([Loot()], object), allow_pickle=True)
    return memory.getvalue()


HOSTILE_NPY = {
    "pickled": (pickled(), "would have to be unpickled"),
    "a pickle": (pickle.dumps(Loot()), r"is no \.npy"),
    "giant": (declared((1 << 40, 3)), "one utterance may take"),
    "overflowing": (declared((1 << 62, 1 << 62)), "at most 65536"),
    "negative": (declared((-1, 3)), "says the shape"),
    "wide": (declared((1, 1 << 20)), "1048576 columns"),
    "short": (declared((90, 3)) + bytes(100), "the file ends early"),
    "long": (declared((90, 3)) + bytes(90 * 12 + 1), "more than one array"),
    "records": (declared((3,), "V4"), "expected floats"),
    "subarray": (declared((90,), "(3,)f4"), "floats|header"),
    "long double": (declared((90, 3), "<f16") + bytes(90 * 48), "16, 32 or 64 bits"),
    "text": (declared((90, 3), "<U1"), "expected floats"),
    "complex": (declared((90, 3), "<c8"), "expected floats"),
    "code": (header("__import__('os').mkdir('unpickled')"), "header cannot be read"),
    "deep": (header("(" * 5000), "header cannot be read"),
    "long header": (header(" " * 60_000), "header would be of 60000 bytes"),
    "giant header": (header("", 2)[:8] + b"\xff\xff\xff\xff", "header would be of 4294967295"),
    "version 3": (header("{}", 3), "of a version"),
    "empty": (b"", r"is no \.npy"),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE_NPY)
def test_a_hostile_npy(held, tmp_path, what):
    data, reason = HOSTILE_NPY[what]
    folder = npy(tmp_path / "x", ROWS)
    (folder / "c.npy").write_bytes(data)
    refused(held, folder, f"c: .*({reason})")
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for id in ROWS:
            archive.writestr(f"{id}.npy", (folder / f"{id}.npy").read_bytes())
    refused(held, tmp_path / "x.npz", f"c: .*({reason})")


def bomb(name: str, archive: zipfile.ZipFile, size: int) -> None:
    """A member of so many zeros, which take a thousandth of it."""
    with archive.open(name, "w", force_zip64=True) as member:
        member.write(declared((90, 3)))
        for _ in range(size >> 20):
            member.write(bytes(1 << 20))


def test_a_zip_that_unpacks_to_much(held, tmp_path):
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        bomb("a.npy", archive, 64 << 20)
    refused(held, tmp_path / "x.npz", "more than one array")
    with zipfile.ZipFile(tmp_path / "y.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("frames.npy", declared((1 << 30, 3)))
        archive.writestr("ids.npy", declared((1 << 30,), "<U100"))
    refused(held, tmp_path / "y.npz", "are too many")


def test_names_in_a_zip_are_no_paths(held, tmp_path):
    memory = io.BytesIO()
    np.save(memory, ROWS["a"])
    for name in ("../../a.npy", "/etc/a.npy", "..\\a.npy", "a\x1b[2J.npy", "a/" * 4000 + "a.npy"):
        with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
            archive.writestr(name, memory.getvalue())
        with pytest.raises(InputError, match=r"none of the names|5 of 6 utterances") as error:
            import_features(held, tmp_path / "x.npz", "mine", "x")
        assert "\x1b" not in str(error.value)
    assert shards(held) == []


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_packed_otherwise(held, tmp_path, method):
    with zipfile.ZipFile(tmp_path / "x.npz", "w", method) as archive:
        archive.writestr("a.npy", b"")
    refused(held, tmp_path / "x.npz", "is not packed as numpy does it")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice(held, tmp_path):
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("a.npy", b"")
        archive.writestr("a.npy", b"")
    refused(held, tmp_path / "x.npz", "two arrays are named 'a'")


@pytest.mark.skipif(os.name == "nt", reason="needs links and pipes")
def test_links_that_lead_outside(held, tmp_path):
    folder = npy(tmp_path / "x", ROWS)
    np.save(tmp_path / "secret.npy", ROWS["a"])
    for lay in (
        lambda path: path.symlink_to(tmp_path / "secret.npy"),
        lambda path: path.symlink_to("/dev/zero"),
        lambda path: path.symlink_to(path.name),
        os.mkfifo,
    ):
        (folder / "c.npy").unlink()
        lay(folder / "c.npy")
        refused(held, folder, "c: cannot be read|c is a loop|1 of 6 utterances")
    (folder / "c.npy").unlink()
    (folder / "c.npy").symlink_to("d.npy")
    refused(held, folder, "1 of 6 utterances")  # once, by its own name


# HDF5


def hdf5(path: Path, change) -> Path:
    with h5py.File(path, "w") as file:
        for id, array in ROWS.items():
            if id != "c":
                file[id] = array
        change(file)
    return path


@pytest.fixture
def outside(tmp_path):
    """Rows in a file of somebody else."""
    with h5py.File(tmp_path / "outside.h5", "w") as file:
        file["c"] = ROWS["c"]
    (tmp_path / "raw").write_bytes(ROWS["c"].tobytes())
    return tmp_path


def external_link(file, outside):
    file["c"] = h5py.ExternalLink(str(outside / "outside.h5"), "/c")


def soft_link(file, outside):
    file["c"] = h5py.SoftLink("/a")


def external_storage(file, outside):
    file.create_dataset(
        "c", (90, 3), "f4", external=[(str(outside / "raw"), 0, h5py.h5f.UNLIMITED)]
    )


def virtual(file, outside):
    layout = h5py.VirtualLayout((90, 3), "f4")
    layout[:] = h5py.VirtualSource(str(outside / "outside.h5"), "c", (90, 3))
    file.create_virtual_dataset("c", layout)


def foreign_filter(file, outside):
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk((90, 3))
    plan.set_filter(32015, h5py.h5z.FLAG_OPTIONAL)  # zstd, where a plugin has it
    h5py.h5d.create(file.id, b"c", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((90, 3)), plan)


def never_written(file, outside):
    file.create_dataset("c", (90, 3), "f4", chunks=(10, 3))


def half_written(file, outside):
    file.create_dataset("c", (90, 3), "f4", chunks=(10, 3))[:10] = 1


def giant(file, outside):
    file.create_dataset("c", (1 << 40, 3), "f4", chunks=(10, 3))[:10] = 1


def giant_pieces(file, outside):
    file.create_dataset("c", (1 << 28, 3), "f4", chunks=(1 << 28, 1), compression="gzip")


def other_type(kind):
    return lambda file, outside: file.create_dataset("c", (90, 3), kind)


def texts(file, outside):
    file["c"] = ["x"] * 90


def references(file, outside):
    file.create_dataset("c", (90,), h5py.ref_dtype)[:] = file["a"].ref


def scalar(file, outside):
    file["c"] = 1.0


HOSTILE_HDF5 = {
    external_link: "is a link, and none is followed",
    soft_link: "is a link, and none is followed",
    external_storage: "its values are in other files",
    virtual: "its values are in other files",
    foreign_filter: "a filter other than gzip, shuffle, fletcher32, lzf",
    never_written: "never written",
    half_written: "never written",
    giant: "never written|one utterance may take",
    giant_pieces: "pieces of more than 512 MB",
    other_type("i4"): "expected floats|never written",
    texts: "expected floats",
    references: "expected floats",
    scalar: "is not an array",
}


@pytest.mark.parametrize("change", HOSTILE_HDF5)
def test_a_hostile_hdf5(held, outside, change):
    path = hdf5(outside / "x.h5", lambda file: change(file, outside))
    refused(held, path, f"c:? .*({HOSTILE_HDF5[change]})")


def test_groups_in_a_circle(held, tmp_path):
    def circle(file):
        file.create_group("g")["c"] = ROWS["c"]
        file["g/again"] = file["g"]
        file["g/root"] = file["/"]

    refused(held, hdf5(tmp_path / "x.h5", circle), "below 'g'")
    deep = hdf5(tmp_path / "y.h5", lambda file: file.create_group("/".join("g" * 100)))
    refused(held, deep, "more than 64 deep")


def test_hostile_packings_in_hdf5(held, tmp_path):
    good = packed(ROWS) | {"ids": np.array(list(ROWS), "S")}
    long = np.array(["x" * 5000], "S")
    for wrong, reason in (
        ({"ids": h5py.SoftLink("/frames")}, "ids is a link"),
        ({"ids": np.arange(6)}, "ids: expected at most"),
        ({"ids": long}, "texts of 5000 bytes"),
        ({"offsets": np.array([0, 1])}, "expected 7 integers"),
        ({"offsets": np.arange(7)}, "rise from 0 to the 540 rows"),
        ({"frames": h5py.Empty("f4")}, "frames: is not an array"),
    ):
        with h5py.File(tmp_path / "x.h5", "w") as file:
            for name, value in (good | wrong).items():
                file[name] = value
        refused(held, tmp_path / "x.h5", reason)


# Any bytes


def good_files(folder: Path) -> dict[str, bytes]:
    """One of every kind, by its name."""
    np.savez(folder / "x.npz", **ROWS)
    np.savez_compressed(folder / "p.npz", **packed(ROWS))
    hdf5(folder / "x.h5", lambda file: file.create_dataset("c", data=ROWS["c"], compression="gzip"))
    lines = ["file,start,F0,F1,F2"]
    for id, rows in ROWS.items():
        lines += [f"{id}.wav,{n / 50},{','.join(map(str, row))}" for n, row in enumerate(rows)]
    (folder / "x.csv").write_text("\n".join(lines))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def damage(case, data: bytes) -> bytes:
    """Some bytes changed, lost or doubled, mostly where a file says what it is."""
    changed = bytearray(data)
    for _ in range(case.randrange(1, 6)):
        near = case.choice([200, 2000, len(changed)])
        at = case.randrange(min(near, len(changed)))
        if case.random() < 0.5:
            at = len(changed) - 1 - at
        kind = case.choice(["flip", "flip", "flip", "cut", "insert", "zero", "ones"])
        if kind == "flip":
            changed[at] ^= 1 << case.randrange(8)
        elif kind == "cut":
            del changed[at : at + case.choice([1, 100, len(changed)])]
        elif kind == "insert":
            changed[at:at] = case.randbytes(case.randrange(1, 9))
        else:
            changed[at : at + 8] = (b"\0" if kind == "zero" else b"\xff") * 8
        if not changed:
            break
    return bytes(changed)


def test_damaged_files(attack, outcome, held, tmp_path):
    (tmp_path / "good").mkdir()
    files = good_files(tmp_path / "good")
    for case in attack(300):
        name = case.choice(sorted(files))
        path = tmp_path / name
        path.write_bytes(damage(case, files[name]))
        try:
            got = read(path)
        except InputError:
            outcome("refused")
        else:
            assert all(each.nbytes <= MOST_BYTES for each in got.values())
            outcome("read")


def test_damaged_parquet(attack, outcome, tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    lists = pa.array([rows.tolist() for rows in ROWS.values()], pa.list_(pa.list_(pa.float32())))
    parquet.write_table(pa.table({"id": list(ROWS), "x": lists}), tmp_path / "good.parquet")
    good = (tmp_path / "good.parquet").read_bytes()
    path = tmp_path / "x.parquet"
    for case in attack(100):
        path.write_bytes(damage(case, good))
        try:
            read(path)
        except InputError:
            outcome("refused")
        else:
            outcome("read")


def test_parquet_of_which_one_bit_of_the_schema_or_of_the_sizes_is_wrong(tmp_path):
    """At counts of levels that do not fit the schema, pyarrow 26 ends the process where it can."""
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    lists = pa.array([rows.tolist() for rows in ROWS.values()], pa.list_(pa.list_(pa.float32())))
    path = tmp_path / "x.parquet"
    parquet.write_table(pa.table({"id": list(ROWS), "x": lists}), path)
    good = path.read_bytes()
    footer = len(good) - 8 - int.from_bytes(good[-8:-4], "little")
    reasons = []
    for at in range(footer, len(good)):
        changed = bytearray(good)
        changed[at] ^= 1 << 4
        path.write_bytes(changed)
        try:
            read(path)
        except InputError as error:
            reasons.append(str(error))
    assert any("size mismatch" in reason for reason in reasons)


def test_nested_nonsense_in_parquet(held, tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    deep = pa.array([[[[1.0]]]] * 6)
    for columns, reason in (
        ({"id": list(ROWS), "x": deep}, "expected lists of floats"),
        ({"id": list(ROWS), "x": [{"a": 1.0}] * 6}, "the column 'x' is struct<a: double>"),
        ({"id": list(ROWS), "x": [pickle.dumps(Loot())] * 6}, "the column 'x' is binary"),
        ({"id": list(ROWS), "x": pa.array([[("k", 1.0)]] * 6, pa.map_(pa.string(), pa.float32()))},
         "map<"),
        ({"id": [None] * 6, "x": [[1.0]] * 6}, "none of the names"),
        ({"id": deep, "x": [1.0] * 6}, "none of the names|several|lists"),
    ):  # fmt: skip
        parquet.write_table(pa.table(columns), tmp_path / "x.parquet")
        refused(held, tmp_path / "x.parquet", reason)
