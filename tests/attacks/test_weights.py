"""Weights from strangers: archives, models, checkpoints, servers, and what lies in the folder."""

import gzip
import io
import json
import os
import pickle
import shutil
import socket
import struct
import tarfile
import zipfile
from dataclasses import replace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from ser.checkpoints import read_checkpoint
from ser.errors import SerError
from ser.extract import make_backbone
from ser.extract.weights.archive import BadArchiveError, unpack
from ser.extract.weights.fetch import fetch
from ser.extract.weights.holdings import find_holding
from ser.extract.weights.known import Weights
from ser.tests.weights_server import serving, sha
from ser.transfer import download

posix = pytest.mark.skipif(os.name == "nt", reason="needs links and pipes")


def snapshot(root):
    """Everything below a folder: kinds, links and bytes."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            found[name] = path.readlink()
        else:
            found[name] = path.read_bytes() if path.is_file() else path.lstat().st_mode
    return found


def check_message(error):
    """It says something, and not only the name of an exception."""
    assert 10 < len(str(error)) < 3000, error


def damage(case, content):
    """Flip, cut, repeat or insert some bytes."""
    content = bytearray(content)
    for _ in range(case.choice([1, 1, 2, 20])):
        where = case.randrange(len(content) or 1)
        kind = case.choice(["flip", "cut", "insert", "repeat", "zero"])
        if kind == "flip" and content:
            content[where % len(content)] ^= 1 << case.randrange(8)
        elif kind == "cut":
            del content[where:]
        elif kind == "insert":
            content[where:where] = case.randbytes(case.randrange(40))
        elif kind == "repeat":
            content[where:where] = content[where : where + case.randrange(2000)]
        else:
            content[where : where + 16] = bytes(len(content[where : where + 16]))
    return bytes(content)


# Archives

NAMES = [
    "in/a",
    "in/b/c",
    "in/./a",
    "./in/a",
    "in/../../evil",
    "../evil",
    "/evil",
    "//evil",
    "in\\..\\e",
]
NAMES += [
    "C:evil",
    "in/CON",
    "in/a.",
    " in/a",
    "in/A",
    "in/é",
    "in/e\u0301",
    "in/\udcff",
    "in/\n",
    "",
]
NAMES += ["in/" + "x" * 300, "a/" * 30 + "b", ".", "..", "in/..", "in/a/", "~/evil", "in/.ssh/keys"]
TYPES = [tarfile.REGTYPE] * 6 + [
    tarfile.AREGTYPE,
    tarfile.DIRTYPE,
    tarfile.SYMTYPE,
    tarfile.LNKTYPE,
]
TYPES += [tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.CONTTYPE, b"S", b"L", b"Z"]


def hostile_archive(case, target):
    """Good files, odd ones among them, and now and then damage on top."""
    buffer = io.BytesIO()
    form = case.choice([tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
    with tarfile.open(fileobj=buffer, mode="w", format=form, errors="surrogateescape") as tar:
        for number in range(case.randrange(1, 6)):
            odd = case.random() < 0.35
            member = tarfile.TarInfo(case.choice(NAMES) if odd else f"in/file{number}")
            member.type = case.choice(TYPES) if odd else tarfile.REGTYPE
            member.linkname = case.choice(["../../evil", str(target), "in/file0", "/etc/passwd"])
            content = case.choice([b"", b"x" * case.randrange(3000), bytes(300_000)])
            if member.type in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE):
                member.size = len(content)
            if form == tarfile.PAX_FORMAT and case.random() < 0.15:
                member.pax_headers = case.choice(
                    [
                        {"path": "../evil"},
                        {"linkpath": "/x"},
                        {"size": "99999999999"},
                        {"GNU.sparse.map": "0,9", "GNU.sparse.size": "9"},
                        {"x": "y" * 99_999},
                    ]
                )
            tar.addfile(member, io.BytesIO(content))
    content = buffer.getvalue()
    if case.random() < 0.3:
        content = damage(case, content)
    content = gzip.compress(content, 1)
    return damage(case, content) if case.random() < 0.2 else content


def test_archives(attack, outcome, tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("precious")
    for number, case in enumerate(attack(220)):
        folder = tmp_path / str(number) / "deep"
        folder.mkdir(parents=True)
        path = folder.parent / "a.tar.gz"
        path.write_bytes(hostile_archive(case, outside))
        before = snapshot(folder.parent) | {"deep": None}
        try:
            unpack(path, folder, 1 << 20)
        except BadArchiveError:
            outcome("refused")
        else:
            outcome("unpacked")
        after = snapshot(folder.parent)
        inside = {name: value for name, value in after.items() if name.startswith("deep/")}
        assert after.keys() - inside.keys() == before.keys()
        files = [folder.parent / name for name in inside]
        assert all((p.is_file() or p.is_dir()) and not p.is_symlink() for p in files)
        assert sum(p.stat().st_size for p in files if p.is_file()) <= 1 << 20
        assert not any(part.startswith(".") for name in inside for part in name.split("/"))
        shutil.rmtree(folder.parent)
    assert outside.read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir()] == ["outside"]


# Checkpoints of torch


class Evil:
    """Asks for a function to be called when it is unpickled."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def zipped(records, compress=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compress) as archive:
        for name, content in records:
            archive.writestr(f"a/{name}", content)
    return buffer.getvalue()


STORAGE = b"((X\7\0\0\0storagectorch\nFloatStorage\nX\1\0\0\0" + b"0X\3\0\0\0cpu"
TENSOR = b"ctorch._utils\n_rebuild_tensor_v2\n"


def tensor_pickle(count, size, stride=1):
    """A pickle of one tensor whose storage claims `count` numbers, and which claims `size`."""
    storage = STORAGE + b"J" + struct.pack("<i", count) + b"tQ"
    shape = b"K\0J" + struct.pack("<i", size) + b"\x85J" + struct.pack("<i", stride) + b"\x85"
    return (
        b"\x80\2}X\1\0\0\0w" + TENSOR + storage + shape + b"\x89ccollections\nOrderedDict\n)RtRs."
    )


def nested(depth):
    """Tuples in tuples, each there twice: 2 ** depth leaves, to be hashed as a key."""
    return b"\x80\2}K\1K\1\x86" + b"q\0h\0\x86" * depth + b"K\1s."


LEGACY = b"\x80\2\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\2M\xe9\3.\x80\2}."


def hostile_checkpoint(case, path):
    state = {"w": torch.arange(6.0).reshape(2, 3), "more": {"x": [1, (2, "y")]}}
    kind = case.choice(
        ["damaged", "code", "lies", "bomb", "memory", "nested", "twice", "legacy", "sound", "text"]
    )
    newer = case.random() < 0.6
    buffer = io.BytesIO()
    if kind in ("damaged", "sound"):
        torch.save(state, buffer, _use_new_zipfile_serialization=newer)
        content = buffer.getvalue()
        return kind, content if kind == "sound" else damage(case, content)
    if kind == "code":
        evil = case.choice(
            [
                Evil(os.mkdir, str(path)),
                Evil(eval, "1"),
                Evil(getattr, "a", "b"),
                Evil(bytearray, 9),
            ]
        )
        torch.save({"w": evil}, buffer, _use_new_zipfile_serialization=newer)
        return kind, buffer.getvalue()
    if kind == "lies":
        made = tensor_pickle(case.choice([-1, 0, 5, 2**31 - 1]), case.choice([4, 99, 2**31 - 1]))
        if newer:
            return kind, zipped([("data.pkl", made), ("data/0", bytes(16)), ("version", "3")])
        return kind, LEGACY + made + b"\x80\2]X\1\0\0\0" + b"0a." + struct.pack("<q", 4) + bytes(16)
    if kind == "bomb":
        records = [
            ("data.pkl", tensor_pickle(4, 4)),
            ("data/0", bytes(9_000_000)),
            ("version", "3"),
        ]
        return kind, zipped(records, zipfile.ZIP_DEFLATED)
    if kind == "memory":
        made = case.choice(
            [
                pickle.dumps({"w": Evil(bytearray, 10**10)}, 2),
                b"\x80\2r\xff\xff\xff\x7fN.",
                b"\x80\2" + b"(" * 300_000,
                b"\x80\2\x8b\xff\xff\xff\x7f1.",
                b"\x80\2T\xff\xff\xff\x7fxx.",
                b"\x80\4\x8e\xff\xff\xff\xff\xff\xff\xff\x7fx.",
            ]
        )
    elif kind == "nested":
        made = nested(case.randrange(25, 3000))
    else:
        made = damage(case, tensor_pickle(4, 4))
    if kind == "text":
        return kind, case.choice([b"", b"<html>", b"PK", b"PK\3\4", b"\x80\2.", LEGACY, b"{}"])
    if kind == "twice":
        with pytest.warns(UserWarning, match="Duplicate"):
            return kind, zipped([("data.pkl", tensor_pickle(4, 4)), ("data.pkl", nested(9))])
    if kind == "legacy" or not newer:
        return kind, LEGACY + made
    return kind, zipped([("data.pkl", made), ("data/0", bytes(16)), ("version", "3")])


def test_checkpoints(attack, outcome, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, canary = tmp_path / "weights.pt", tmp_path / "ran"
    for case in attack(200):
        kind, content = hostile_checkpoint(case, canary)
        path.write_bytes(content)
        try:
            state = read_checkpoint(path, "weights")
        except SerError as error:
            check_message(error)
            sound = kind == "sound"
            outcome("refused")
        else:
            sound = False
            assert kind in ("sound", "damaged", "legacy"), kind
            assert kind != "sound" or torch.equal(state["w"], torch.arange(6.0).reshape(2, 3))
            outcome("read")
        assert not sound
        assert not canary.exists()


# Folders of models


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    pytest.importorskip("transformers", reason="the hf extra is not installed")
    from ser.tests.speech_models import SMALL, write_speech_model

    folder = tmp_path_factory.mktemp("model") / "hubert"
    return write_speech_model(folder, "hubert", **{**SMALL, "num_hidden_layers": 1})


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a socket was opened")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)


VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2,
    7,
    1 << 20,
    1 << 62,
    10**300,
    0.5,
    1e308,
    "x",
    "",
    "../x",
]
VALUES += [[], {}, [0], [[]], ["x"] * 9, [1] * 7, [2**40] * 7, {"a": {"b": []}}, float("nan")]
VALUES += [
    "flash_attention_2",
    "kernels-community/x",
    "org/x--evil.Evil",
    "gelu",
    "relu",
    float("inf"),
]
EXTRA = ["attn_implementation", "_attn_implementation", "auto_map", "dtype", "torch_dtype"]
EXTRA += [
    "quantization_config",
    "per_layer_config",
    "transformers_weights",
    "use_kernels",
    "_name_or_path",
]
EXTRA += [
    "name_or_path",
    "trust_remote_code",
    "fusion_config",
    "id2label",
    "adapter_attn_dim",
    "return_dict",
]


def tried(folder, load):
    backbone = make_backbone(f"hf:{folder}")
    backbone.key()
    if load:
        backbone.load()


@pytest.mark.usefixtures("no_network")
def test_configurations(attack, outcome, model, tmp_path):
    folder = shutil.copytree(model, tmp_path / "m" / "hubert")
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    files = {
        name: (model / name).read_text() for name in ("config.json", "preprocessor_config.json")
    }
    loads = 0
    for case in attack(160):
        name = case.choice(["config.json", "config.json", "preprocessor_config.json"])
        values = json.loads(files[name])
        for _ in range(case.choice([1, 1, 2, 5])):
            key = case.choice([*values, *EXTRA])
            values[key] = case.choice(VALUES)
            if case.random() < 0.1:
                del values[key]
        text = json.dumps(values)
        if case.random() < 0.15:
            text = damage(case, text.encode()).decode("latin-1")
        (folder / name).write_text(text)
        before = snapshot(tmp_path)
        try:
            tried(folder, load=loads < 15)
        except SerError as error:
            check_message(error)
            outcome("refused")
        else:
            loads += 1
            outcome("used")
        assert snapshot(tmp_path) == before
        (folder / name).write_text(files[name])


@pytest.mark.usefixtures("no_network")
def test_indices_and_headers(attack, outcome, model, tmp_path):
    folder = shutil.copytree(model, tmp_path / "m" / "hubert")
    whole = (folder / "model.safetensors").read_bytes()
    (tmp_path / "m" / "outside.safetensors").write_bytes(whole)
    length = struct.unpack("<Q", whole[:8])[0]
    header = json.loads(whole[8 : 8 + length])
    tensors = list(load_file(folder / "model.safetensors"))
    index = folder / "model.safetensors.index.json"
    names = ["../outside.safetensors", str(tmp_path / "m" / "outside.safetensors"), "a.safetensors"]
    names += [
        "sub/../../outside.safetensors",
        "b.safetensors",
        "NUL.safetensors",
        "a.bin",
        "",
        1,
        None,
    ]
    for case in attack(110):
        for path in (*folder.glob("*.safetensors"), *folder.glob("*.index.json")):
            path.unlink()
        kind = case.choice(["index", "header", "bytes"])
        if kind == "index":
            (folder / "a.safetensors").write_bytes(whole)
            map_ = {t: case.choice(names) if case.random() < 0.01 else names[2] for t in tensors}
            text = json.dumps({"weight_map": case.choice([map_, map_, map_, [], None, {"x": {}}])})
            index.write_text(text if case.random() < 0.8 else text[: case.randrange(len(text))])
        elif kind == "header":
            changed = dict(header)
            entry = changed[case.choice(tensors)] = {
                "dtype": case.choice(["F32", "F16", "I64", "F8_E4M3", "BOOL", "X", 1]),
                "shape": case.choice([[1], [1 << 40], [-1], [], [2**32, 2**32], "x", [0]]),
                "data_offsets": case.choice([[0, 4], [4, 0], [0, 1 << 60], [-8, 8], [0], None]),
            }
            if case.random() < 0.3:
                entry["data_offsets"] = header[tensors[0]]["data_offsets"]
            text = json.dumps(changed).encode()
            said = case.choice([len(text), len(text), 1 << 63, 0, len(text) * 2])
            content = struct.pack("<Q", said) + text + whole[8 + length :]
            (folder / "model.safetensors").write_bytes(content)
        else:
            (folder / "model.safetensors").write_bytes(
                damage(case, whole[: 8 + length]) + b"x" * 99
            )
        before = snapshot(tmp_path)
        try:
            tried(folder, load=kind != "index")
        except SerError as error:
            check_message(error)
            outcome("refused")
        else:
            assert kind == "index"
            outcome("used")
        assert snapshot(tmp_path) == before


# Servers, and what lies in the weights folder

CONTENT = bytes(range(256)) * 40
TAG = f'"{sha(CONTENT)}"'


def hostile_answer(case):
    """Status, headers and body that may fit each other."""
    status = case.choice(
        ["200 OK"] * 6 + ["206 P", "302 F", "308 F", "416 R", "204 N", "500 X", "0 ?"]
    )
    body = case.choice(
        [CONTENT] * 4 + [CONTENT[5000:], CONTENT[:5000], b"", b"<html>", CONTENT * 200]
    )
    headers = [("Content-Length", case.choice([len(body)] * 3 + [0, 9, 10**6, 10**15, -1, "x"]))]
    if case.random() < 0.5:
        headers.append(("ETag", case.choice([TAG, '"other"', "W/x", "\x01", "\xff"])))
    if case.random() < 0.5:
        span = case.choice(
            ["5000-10239/10240", "0-10239/10240", "5000-9/10", "x", "*/10240", "*/5000"]
        )
        headers.append(("Content-Range", f"bytes {span}"))
    if case.random() < 0.4:
        to = [
            "file:///etc/passwd",
            "/a.pt",
            "ftp://x/",
            "data:,x",
            "http://127.0.0.1:1/",
            "//",
            "?",
            "\\",
        ]
        headers.append(("Location", case.choice(to)))
    if case.random() < 0.1:
        headers.append(("Content-Encoding", case.choice(["gzip", "identity", "x"])))
    if case.random() < 0.1:
        headers.append(("Transfer-Encoding", "chunked"))
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    content = f"HTTP/1.1 {status}\r\n{lines}\r\n".encode("latin-1") + body
    return damage(case, content) if case.random() < 0.1 else content


def lay(case, path, outside):
    """Something odd in the weights folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = case.choice(["link", "hard", "pipe", "device", "folder", "noise", "dangling"])
    if kind == "link":
        path.symlink_to(outside)
    elif kind == "hard":
        os.link(outside, path)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    elif kind == "dangling":
        path.symlink_to(outside.with_name("made"))
    else:
        path.write_bytes(case.choice([b"", b"{}", b"[" * 9999, b'{"sha256": 1}', CONTENT[:5000]]))


PLACES = ["a.pt", "a.pt.json", ".partial-a.pt", ".partial-a.pt.note", ".locks", ".locks/a.pt.lock"]


@posix
def test_servers_and_what_lies_there(attack, outcome, tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(download, "PAUSE", 0.0)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_bytes(CONTENT[:5000])
    before = snapshot(outside)
    with serving() as server:
        weights = Weights(
            "a.pt", f"{server.url}/a.pt", "MIT", sha256=sha(CONTENT), size=len(CONTENT)
        )
        for number, case in enumerate(attack(130)):
            folder = tmp_path / "weights" / str(number)
            monkeypatch.setenv("SER_WEIGHTS", str(folder))
            server.raw["/a.pt"] = [hostile_answer(case) for _ in range(case.randrange(1, 5))]
            server.raw["/a.pt"].append(hostile_answer(case))
            for _ in range(case.choice([0, 0, 1, 2])):
                place = folder / case.choice(PLACES)
                above = place.parent
                if not os.path.lexists(place) and (above.is_dir() or not os.path.lexists(above)):
                    lay(case, place, outside / "precious")
            known = case.random() < 0.7
            try:
                path = fetch(weights if known else replace(weights, sha256=None))
            except SerError as error:
                check_message(error)
                outcome("refused")
            else:
                assert path.read_bytes() == CONTENT or not known
                assert path.stat().st_size > 0
                outcome("fetched")
            assert find_holding(weights).state in ("here", "missing", "damaged")
            assert snapshot(outside) == before
            assert sorted(p.name for p in tmp_path.iterdir()) == ["outside", "weights"]
