"""Fetching from a server that breaks off, forgets, changes and lies; what is listed; messages."""

import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
from dataclasses import replace

import pytest
from click.testing import CliRunner

from ser.cli import main
from ser.errors import InputError, MissingWeightsError, SerError
from ser.extract.weights import known
from ser.extract.weights.fetch import fetch
from ser.extract.weights.holdings import survey
from ser.extract.weights.known import (
    ALLOSAURUS,
    BYOL,
    KNOWN,
    WAV2VEC,
    Weights,
    digest,
    find_weights,
    git_blob,
    hub_weights,
    is_hub_id,
    locate,
    weights_folder,
)
from ser.extract.weights.records import read_record
from ser.tests.weights_server import blob, serving, sha
from ser.transfer import download as downloading
from ser.transfer import transport
from ser.transfer.transport import next_address

posix = pytest.mark.skipif(os.name == "nt", reason="needs links and pipes")
CONTENT = bytes(range(256)) * 12_000  # 3 MB: more than one chunk


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SER_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(downloading, "PAUSE", 0.0)
    return tmp_path / "weights"


@pytest.fixture
def server():
    with serving() as found:
        found.files["/a.pt"] = CONTENT
        yield found


@pytest.fixture
def weights(server):
    return Weights("a.pt", f"{server.url}/a.pt", "MIT", feature="a")


def names(folder):
    """What lies there; only locks are kept besides, not unfinished downloads."""
    return sorted(path.name for path in folder.iterdir() if path.name != ".locks")


def test_a_fetch_lands_whole_and_is_recorded(weights, server, folder):
    seen = []
    path = fetch(weights, lambda *now: seen.append(now))
    assert path == folder / "a.pt" == locate(weights)
    assert path.read_bytes() == CONTENT
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert names(folder) == ["a.pt", "a.pt.json"]
    record = json.loads((folder / "a.pt.json").read_text())
    assert record["sha256"] == record["digest"] == sha(CONTENT) == digest(path)
    assert (record["url"], record["licence"], record["size"]) == (weights.url, "MIT", len(CONTENT))
    fetch(weights)  # what is there is not fetched again
    assert len(server.requests) == 1


@pytest.mark.parametrize("proof", ["sha256", "git_blob"])
def test_verified_against_what_is_known(weights, folder, proof):
    right = {"sha256": sha(CONTENT), "git_blob": blob(CONTENT)}[proof]
    with pytest.raises(SerError, match="wrong bytes") as caught:
        fetch(replace(weights, **{proof: "0" + right[1:] if right[0] != "0" else "1" + right[1:]}))
    assert right in str(caught.value)
    assert names(folder) == []
    path = fetch(replace(weights, **{proof: right}))
    assert git_blob(path) == blob(CONTENT)


def test_the_first_fetch_is_remembered(weights, server, folder):
    fetch(weights).unlink()
    server.files["/a.pt"] = CONTENT[::-1]
    with pytest.raises(SerError, match="recorded at the first fetch"):
        fetch(weights)
    assert not (folder / "a.pt").exists()


def test_damage_is_seen(weights, folder):
    path = fetch(weights)
    path.write_bytes(CONTENT[:-1] + b"!")
    with pytest.raises(SerError, match="Remove it and fetch it again"):
        fetch(weights)


def test_a_broken_connection_is_gone_on_from(weights, server):
    server.break_after = [1_500_000, 700_000]
    assert fetch(weights).read_bytes() == CONTENT
    assert server.sent("/a.pt") == [None, "bytes=1500000-", "bytes=2200000-"]


def test_the_next_run_goes_on(weights, server, folder, monkeypatch):
    monkeypatch.setattr(downloading, "TRIES", 1)
    server.break_after = [1_500_000, 0]
    with pytest.raises(SerError, match=r"broke off after 1500000 of 3072000 bytes.*run again"):
        fetch(weights)
    assert not (folder / "a.pt").exists()
    with pytest.raises(MissingWeightsError):
        locate(weights)
    assert fetch(weights).read_bytes() == CONTENT
    assert server.sent("/a.pt")[-1] == "bytes=1500000-"


def test_ctrl_c_keeps_what_has_arrived(weights, server, folder):
    arrived = []

    def stop(done, total):
        arrived.append(done)
        if done > 1 << 20:
            raise KeyboardInterrupt

    with pytest.raises(
        SerError, match=r"interrupted; what has arrived of a\.pt is kept: run again"
    ):
        fetch(weights, stop)
    assert fetch(weights).read_bytes() == CONTENT
    assert server.sent("/a.pt")[-1] == f"bytes={arrived[-1]}-"


def test_two_processes_do_not_write_into_each_other(weights, server, folder):
    def meanwhile(done, total):
        if done == 0:
            with pytest.raises(SerError, match="is being fetched by another process"):
                fetch(weights)

    assert fetch(weights, meanwhile).read_bytes() == CONTENT
    assert server.sent("/a.pt") == [None]


def test_a_folder_that_can_only_be_read(weights, folder, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    folder.mkdir()
    (folder / ".locks").write_text("")  # a folder cannot be made here
    with pytest.raises(SerError, match=r"a\.pt is not there, and nothing can be written there"):
        fetch(weights)
    (folder / "a.pt").write_bytes(CONTENT)
    monkeypatch.setattr("ser.extract.weights.records.atomic_text", refuse)
    assert fetch(weights) == folder / "a.pt"  # copied there by someone else, without a record
    with pytest.raises(SerError, match="wrong bytes"):
        fetch(replace(weights, sha256="0" * 64))


@pytest.mark.parametrize("how", ["changed", "no ranges", "no etag", "other address"])
def test_bytes_of_two_files_are_never_mixed(weights, server, folder, monkeypatch, how):
    monkeypatch.setattr(downloading, "TRIES", 1)
    server.etag = how != "no etag"
    server.break_after = [1_500_000, 0]
    with pytest.raises(SerError, match="broke off"):
        fetch(weights)
    new = CONTENT[::-1]
    server.files["/a.pt"] = server.files["/b.pt"] = new
    server.ranges = how != "no ranges"
    if how == "other address":
        weights = replace(weights, url=f"{server.url}/b.pt")
    assert fetch(weights).read_bytes() == new


def test_all_had_arrived(weights, server, folder):
    folder.mkdir()
    (folder / ".partial-a.pt").write_bytes(CONTENT)
    note = {"url": weights.url, "validator": f'"{sha(CONTENT)}"'}
    (folder / ".partial-a.pt.note").write_text(json.dumps(note))
    assert fetch(weights).read_bytes() == CONTENT
    assert server.sent("/a.pt") == [f"bytes={len(CONTENT)}-"]


def test_busy_servers_are_asked_again(weights, server):
    server.fail = [503, 429]
    assert fetch(weights).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("status", "says"),
    [(404, "there is no such file"), (403, "access is refused"), (500, "the server says 500")],
)
def test_servers_that_refuse(weights, server, folder, status, says):
    server.fail = [status] * 9
    with pytest.raises(SerError, match=says) as caught:
        fetch(weights)
    assert str(folder / "a.pt") in str(caught.value)  # where to put it by hand
    assert len(server.requests) == (1 if status < 500 else downloading.TRIES)


def test_no_network(folder):
    with serving() as gone:
        url = gone.url
    with pytest.raises(SerError, match="no connection: Connection refused") as caught:
        fetch(Weights("a.pt", f"{url}/a.pt", "MIT"))
    assert f"copy it to {folder / 'a.pt'}" in str(caught.value)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/a"])
def test_other_schemes(url):
    with pytest.raises(InputError, match="not an http"):
        fetch(Weights("a.pt", url, "MIT"))


def answer(body=b"", status="200 OK", **headers):
    """What a server sends, byte for byte; a header that is None is left out."""
    headers = {"Content_Length": len(body), **headers}
    lines = [
        f"{name.replace('_', '-')}: {value}" for name, value in headers.items() if value is not None
    ]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode("latin-1") + body


def redirect(to):
    return answer(b"x" * 10, "302 Found", Location=to)


@pytest.mark.parametrize(
    ("location", "says"),
    [
        ("file:///etc/passwd", "leads on to file:"),
        ("ftp://127.0.0.1/a", "leads on to ftp:"),
        ("data:text/plain,hello", "leads on to data:"),
        ("gopher://127.0.0.1/", "leads on to gopher:"),
        ("http://user:secret@127.0.0.1/a", "leads on to"),
        ("http://[::1/a", "leads on to"),
        ("", "leads on to nowhere"),
        ("/a.pt", "more than 5 redirects"),
    ],
)
def test_redirects_that_are_not_followed(weights, server, folder, location, says):
    server.raw["/a.pt"] = [redirect(location)]
    with pytest.raises(SerError, match=says):
        fetch(weights)
    assert names(folder) == []


def test_redirects_that_are_followed(weights, server):
    server.files["/b.pt"] = CONTENT
    server.raw["/a.pt"] = [redirect("/c.pt")]
    server.raw["/c.pt"] = [redirect(f"{server.url}/b.pt")]
    assert fetch(weights).read_bytes() == CONTENT


def test_what_a_redirect_holds_is_not_read(weights, server):
    """It may never end; here it ends the connection before its length."""
    server.files["/b.pt"] = CONTENT
    server.raw["/a.pt"] = [answer(b"", "302 Found", Location="/b.pt", Content_Length=1 << 60)]
    assert fetch(weights).read_bytes() == CONTENT


def test_https_never_becomes_http():
    assert next_address("http://a/x", "https://b/y") == "https://b/y"
    assert next_address("https://a/x", "/y z") == "https://a/y%20z"
    for location in ("http://a/x", "HTTP://a/x", "//user@a/x"):
        with pytest.raises(SerError, match="only https addresses are followed"):
            next_address("https://a/x", location)


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (answer(b""), "the server sends an empty file"),
        (answer(b"", Content_Length=None), "the server sends an empty file"),
        (answer(b"", "204 No Content"), "the server says 204"),
        (answer(b"  <!DOCTYPE html><p>Log in"), "sends a web page"),
        (answer(b"<HTML><p>" + b"x" * 9999, Content_Type="application/zip"), "sends a web page"),
        (answer(b"Log in", Content_Type="text/html; charset=utf-8"), "sends a web page"),
        (answer(b"\x1f\x8b123", Content_Encoding="gzip"), r"sends it encoded \(gzip\)"),
        (answer(b"123", Content_Encoding="br"), r"sends it encoded \(br\)"),
        (answer(b"123", Content_Length=5), "broke off after 3 of 5 bytes"),
        (answer(b"123", Content_Length=1 << 50), "has 1125899906842624 bytes, expected at most"),
        (answer(b"", Content_Length=9**99), "the server sends an empty file"),
        (answer(b"12", "206 Partial", Content_Range="bytes 0-1/9"), "asked for bytes from 0 on"),
        (answer(b"1\r\nx\r\n", Content_Length=None, Transfer_Encoding="chunked"), "cannot be fet"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 1000 + b"\r\n", "more than 100 headers"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000, "got more than 65536 bytes"),
        (b"\0\1\2", "cannot be fetched"),
        (b"", "cannot be fetched"),
    ],
)
def test_answers_that_are_no_file(weights, server, folder, sent, says):
    server.raw["/a.pt"] = [sent]
    with pytest.raises(SerError, match=says):
        fetch(weights)
    assert not (folder / "a.pt").exists()
    if "broke off" not in says and "cannot" not in says:
        assert names(folder) == []


def test_more_than_there_can_be(weights, server, folder):
    weights = replace(weights, size=1000)  # roughly: up to twice that and a megabyte
    with pytest.raises(SerError, match=r"has 3072000 bytes, expected at most 1050576"):
        fetch(weights)
    assert server.sent("/a.pt") == [None]
    endless = answer(
        b"%x\r\n%b\r\n" % (len(CONTENT), CONTENT), Content_Length=None, Transfer_Encoding="chunked"
    )
    server.raw["/a.pt"] = [endless]
    with pytest.raises(SerError, match="has more than 1050576 bytes"):
        fetch(weights)
    assert names(folder) == []


def test_what_only_trickles_is_given_up(weights, monkeypatch):
    monkeypatch.setattr(transport, "WINDOW", 0.0)
    monkeypatch.setattr(transport, "LEAST", 1 << 40)
    with pytest.raises(SerError, match=r"too slow: [0-9]+ bytes in 0 s"):
        fetch(weights)


def test_a_few_bytes_are_no_progress(weights, server):
    """A server that gives a little each time would never be done with."""
    tag = f'"{sha(CONTENT)}"'
    server.raw["/a.pt"] = [answer(CONTENT[:10], Content_Length=len(CONTENT), ETag=tag)]
    server.raw["/a.pt"] += [
        answer(
            CONTENT[n : n + 10],
            "206 Partial",
            Content_Length=len(CONTENT) - n,
            ETag=tag,
            Content_Range=f"bytes {n}-{len(CONTENT) - 1}/{len(CONTENT)}",
        )
        for n in range(10, 200, 10)
    ]
    with pytest.raises(SerError, match="40 bytes have arrived and are kept"):
        fetch(weights)
    assert len(server.requests) == downloading.TRIES


@pytest.mark.parametrize(
    "lie",
    [
        answer(b"!" * 99, "206 Partial", Content_Range="bytes 1500000-1500098/1500099"),
        answer(b"!" * 99, "206 Partial", Content_Range="bytes 1500000-1500098/*"),
        answer(b"!" * 99, "206 Partial", Content_Range="bytes 7-105/3072000"),
        answer(b"!" * 99, "206 Partial"),
        answer(b"!" * 99, "206 Partial", Content_Range="bytes \xb2-\xb3/\xb9"),
        answer(
            b"!" * 1_572_000,
            "206 Partial",
            ETag='"another"',
            Content_Range="bytes 1500000-3071999/3072000",
        ),
        answer(b"", "416 No", Content_Range="bytes */1500000"),
        answer(b"", "416 No"),
    ],
)
def test_a_server_that_lies_when_it_is_gone_on(weights, server, lie):
    server.raw["/a.pt"] = [
        answer(CONTENT[:1_500_000], Content_Length=len(CONTENT), ETag=f'"{sha(CONTENT)}"'),
        lie,
        answer(CONTENT, ETag=f'"{sha(CONTENT)}"'),
    ]
    assert fetch(weights).read_bytes() == CONTENT
    assert server.sent("/a.pt") == [None, "bytes=1500000-", None]


def planted(path, kind, outside):
    """Lay something where an unfinished file is expected."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "link":
        path.symlink_to(outside)
    elif kind == "hard link":
        os.link(outside, path)
    elif kind == "dangling link":
        path.symlink_to(outside.with_name("made through a link"))
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        (path / "x").mkdir(parents=True)
    else:
        path.symlink_to("/dev/zero")


KINDS = ["link", "hard link", "dangling link", "pipe", "folder", "device"]


@posix
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [".partial-a.pt", ".partial-a.pt.note", ".locks/a.pt.lock"])
def test_nothing_is_written_through_what_lies_there(weights, server, folder, tmp_path, name, kind):
    outside = tmp_path / "precious"
    outside.write_bytes(b"precious")
    planted(folder / name, kind, outside)
    assert fetch(weights).read_bytes() == CONTENT
    assert outside.read_bytes() == b"precious"
    assert not (tmp_path / "made through a link").exists()
    assert not (folder / "a.pt").is_symlink()


@posix
def test_locks_are_not_made_elsewhere(weights, folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    folder.mkdir()
    (folder / ".locks").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SerError, match="a link is in the way"):
        fetch(weights)
    assert list((tmp_path / "elsewhere").iterdir()) == []


@posix
@pytest.mark.parametrize("name", ["a.pt", "a.pt.json"])
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_pipes_and_devices_are_not_waited_for(weights, server, folder, monkeypatch, name, kind):
    monkeypatch.setattr(known, "KNOWN", (weights,))
    fetch(weights)
    (folder / name).unlink()
    planted(folder / name, kind, None)
    with pytest.raises(SerError, match=r"cannot be read \((it is not a regular file|it is a link)"):
        fetch(weights)
    held = survey()[0]
    assert held.state == "damaged"
    assert "cannot be read" in held.problem
    assert "cannot be read" in ser("weights", "ls").stdout


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "3", "[" * 99_999, '{"sha256": ' + "1" * 70_000]
)
def test_damaged_records_are_no_missing_ones(weights, folder, content):
    fetch(weights)
    (folder / "a.pt.json").write_text(content)
    with pytest.raises(SerError, match=r"a\.pt\.json: what was recorded.*cannot be read"):
        fetch(weights)


def test_odd_values_of_a_record(weights, folder):
    fetch(weights)
    (folder / "a.pt.json").write_text(
        '{"sha256": 3, "digest": [], "revision": {}, "fetched": null}'
    )
    assert survey()[0].path.name  # no exception
    assert fetch(weights) == folder / "a.pt"


def test_a_full_disk_is_named(weights, folder, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ser.transfer.download.open_own", full)
    with pytest.raises(SerError, match=r"cannot be written \(No space left on device\)"):
        fetch(weights)


def test_what_killed_fetches_left_is_removed(weights, folder):
    left = folder / f".partial-{'0' * 32}-a.pt"
    (left / "x").mkdir(parents=True)
    other = folder / f".partial-{'0' * 32}-b.pt"
    other.mkdir()
    fetch(weights)
    assert not left.exists()
    assert other.exists()


def test_first_seen_is_said(weights, server, folder, monkeypatch):
    monkeypatch.setattr(known, "KNOWN", (weights,))
    result = ser("weights", "fetch", "a")
    assert result.stdout == f"a: {folder / 'a.pt'}\n"
    assert "nothing to compare with" in result.stderr
    assert sha(CONTENT) in result.stderr
    assert "first seen 2" in ser("weights", "ls").stdout
    assert json.loads(ser("weights", "ls", "--json").stdout)[0]["first_seen"].startswith("2")
    monkeypatch.setattr(known, "KNOWN", (replace(weights, sha256=sha(CONTENT)),))
    assert "nothing to compare" not in ser("weights", "fetch", "a").stderr
    assert "first seen" not in ser("weights", "ls").stdout


def archive(members):
    """A .tar.gz of bytes by name, or of members made beforehand."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
            if isinstance(content, dict):
                member = tarfile.TarInfo(name)
                for attribute, value in content.items():
                    setattr(member, attribute, value)
                tar.addfile(member)
                continue
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def test_an_archive_becomes_a_folder(server, folder):
    server.files["/m.tar.gz"] = archive({"inside/x": b"1", "inside/deep/y": b"2"})
    weights = Weights("m", f"{server.url}/m.tar.gz", "GPL", archive=True)
    path = fetch(weights)
    assert (path / "deep" / "y").read_bytes() == b"2"
    assert names(folder) == ["m", "m.json"]
    assert read_record(path)["digest"] == digest(path)
    assert digest(path) == sha(f"{sha(b'2')}  deep/y\n{sha(b'1')}  x\n".encode())
    assert fetch(weights) == path
    (path / "x").write_text("changed")
    with pytest.raises(SerError, match="not those that were fetched"):
        fetch(weights)


def test_only_expected_files_are_unpacked(server):
    server.files["/m.tar.gz"] = archive(
        {"in/model.pt": b"1", "in/inventory/eng.txt": b"2", "in/.bashrc": b"3", "in/run.sh": b"4"}
    )
    weights = Weights("m", f"{server.url}/m.tar.gz", "", archive=True, files=("model.pt", "inv*"))
    path = fetch(weights)
    found = sorted(file.relative_to(path).as_posix() for file in path.rglob("*"))
    assert found == ["inventory", "inventory/eng.txt", "model.pt"]


LINK, HARD = {"type": tarfile.SYMTYPE}, {"type": tarfile.LNKTYPE}


@pytest.mark.parametrize(
    "content",
    [
        b"no archive",
        archive({"a": b"x"})[:-20],
        archive({"../evil": b"!"}),
        archive({"/tmp/evil": b"!"}),
        archive({"in/a": b"", "in/../../evil": b"!"}),
        archive({"in/a": b"", "in\\..\\..\\evil": b"!"}),
        archive({"C:evil": b"!"}),
        archive({"in/NUL.txt": b"!"}),
        archive({"in/a.": b"!"}),
        archive({"in//a": b"!"}),
        archive({"in/a\n": b"!"}),
        archive({"in/" + "a/" * 20 + "b": b"!"}),
        archive({"in/A": b"1", "in/a": b"2"}),
        archive({"in/\u00e9": b"1", "in/e\u0301": b"2"}),
        archive({"in/a": b"1", "in/a/b": b"2"}),
        archive({"in/a": b"1", "in/link": {**LINK, "linkname": "../../evil"}}),
        archive({"in/a": b"1", "in/link": {**LINK, "linkname": "a"}}),
        archive({"in/a": b"1", "in/link": {**HARD, "linkname": "in/a"}}),
        archive({"in/a": b"1", "in/p": {"type": tarfile.FIFOTYPE}}),
        archive({"in/a": b"1", "in/d": {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 5}}),
        archive({"in/a": b"1", "in/s": {"type": tarfile.GNUTYPE_SPARSE}}),
        archive({"in/a": {"pax_headers": {"GNU.sparse.map": "0,1", "GNU.sparse.size": "9"}}}),
        archive({"in/a": {"pax_headers": {"path": "../evil"}}}),
        archive({"in/a": {"pax_headers": {"comment": "x" * 100_000}}}),
        archive({"in/a": b"\0" * 60_000_000}),
        archive({}),
        archive({".hidden": b"1"}),
    ],
    ids=lambda content: f"{len(content)} bytes",  # which tell when they were packed
)
def test_bad_archives(server, folder, content):
    server.files["/m.tar.gz"] = content
    weights = Weights("m", f"{server.url}/m.tar.gz", "GPL", archive=True, size=1000)
    with pytest.raises(SerError, match="not an archive that can be unpacked"):
        fetch(weights)
    assert names(folder) == []
    assert not (folder.parent / "evil").exists()


def test_a_damaged_header_is_no_end(server, folder):
    whole = bytearray(gzip.decompress(archive({"in/a": b"1", "in/b": b"2", "in/c": b"3"})))
    whole[1024 + 148] ^= 1  # the checksum of the second
    server.files["/m.tar.gz"] = gzip.compress(bytes(whole))
    with pytest.raises(SerError, match="a damaged header at byte 1024"):
        fetch(Weights("m", f"{server.url}/m.tar.gz", "GPL", archive=True))
    assert names(folder) == []


def test_a_folders_digest(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_text("a")
        (tmp_path / name / ".hidden").write_text(name)
    assert digest(tmp_path / "one") == digest(tmp_path / "two")
    (tmp_path / "two" / "a").rename(tmp_path / "two" / "b")
    assert digest(tmp_path / "one") != digest(tmp_path / "two")
    (tmp_path / "two" / "b").write_text("b")
    assert digest(tmp_path / "two", ["b"]) == digest(tmp_path / "two")
    with pytest.raises(SerError, match="cannot be read"):
        digest(tmp_path / "two", ["c"])


def test_a_digest_is_of_the_bytes_now(tmp_path):
    path = tmp_path / "a"
    path.write_text("1")
    before = digest(path)
    path.write_text("2")
    os.utime(path, ns=(1, 1))
    assert digest(path) != before


def test_missing_weights_say_what_to_do(folder):
    with pytest.raises(MissingWeightsError) as caught:
        locate(WAV2VEC)
    text = str(caught.value)
    assert str(folder / "wav2vec_large.pt") in text
    assert "ser weights fetch wav2vec" in text
    assert WAV2VEC.url in text
    with pytest.raises(MissingWeightsError, match="ser weights fetch hf:a/b"):
        locate(hub_weights("a/b"))
    folder.mkdir()
    (folder / "uni2005").write_text("a file where a folder should be")
    with pytest.raises(MissingWeightsError, match="ser weights fetch allosaurus"):
        locate(ALLOSAURUS)


def test_the_folder(monkeypatch):
    monkeypatch.setenv("SER_WEIGHTS", "~/elsewhere")
    assert weights_folder().name == "elsewhere"
    assert weights_folder().is_absolute()
    monkeypatch.delenv("SER_WEIGHTS")
    assert weights_folder().name == "weights"


def test_names():
    assert find_weights("byol") is find_weights(BYOL.name) is find_weights(BYOL.url) is BYOL
    assert find_weights("wav2vec2") is find_weights("facebook/wav2vec2-base")
    assert find_weights("hf:org/x").url == "hf:org/x"
    assert find_weights("hf:org/x:layer=9").url == "hf:org/x"
    assert find_weights("wav2vec2:layer=9") is find_weights("wav2vec2")
    assert find_weights("org/x").name == "hub/org--x"
    for name in ("nothing", "hf:", "hf:a/b/c", "../x", "/etc"):
        with pytest.raises(InputError, match="no weights are known as"):
            find_weights(name)
    assert is_hub_id("facebook/wav2vec2-base")
    assert not any(map(is_hub_id, ("a//b", "a/..", "-a/b", "a/b.", "a--b/c", "é/b", "a b", "")))
    assert len({weights.name for weights in KNOWN}) == len(KNOWN)


def ser(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_listing(weights, server, folder, monkeypatch):
    monkeypatch.setattr(known, "KNOWN", (weights, WAV2VEC))
    fetch(weights)
    (folder / "hub" / "org--mine").mkdir(parents=True)
    (folder / "hub" / "org--mine" / "config.json").write_text("{}")
    rows = json.loads(ser("weights", "ls", "--json").stdout)
    assert [(row["feature"], row["state"]) for row in rows] == [
        ("a", "here"),
        ("wav2vec", "missing"),
        ("hf:org/mine", "here"),
    ]
    assert (rows[0]["sha256"], rows[0]["bytes"]) == (sha(CONTENT), len(CONTENT))
    assert rows[1]["sha256"] is None
    text = ser("weights", "ls").stdout
    assert all(word in text for word in (str(folder), "MIT", weights.url, sha(CONTENT)[:12]))
    (folder / "a.pt").write_bytes(b"damage")
    assert survey()[0].state == "damaged"
    assert "NOT the bytes" in ser("weights", "ls").stdout
    assert ser("weights", "fetch", "a").exit_code == 1


def test_fetch_on_the_command_line(weights, server, folder, monkeypatch):
    monkeypatch.setattr(known, "KNOWN", (weights,))
    result = ser("weights", "fetch", "a")
    assert (result.exit_code, result.stdout) == (0, f"a: {folder / 'a.pt'}\n")
    assert ser("weights", "fetch", "b").exit_code == 2
    assert ser("weights", "fetch", "--revision", "x").exit_code == 2
    result = ser("weights", "fetch", "a", "--revision", "x")
    assert result.exit_code == 2
    assert "no revisions" in result.stderr


@pytest.mark.parametrize("feature", ["allosaurus", "wav2vec2:layer=3", "hf:org/x", "wav2vec"])
def test_missing_weights_stop_an_extraction_before_any_audio(tmp_path, feature):
    (tmp_path / "wav").mkdir()
    (tmp_path / "wav" / "03a01Fa.wav").write_text("reading this would be an error")
    result = ser(
        *("extract", "--corpus", "emodb", "--root", tmp_path, "--cache", tmp_path / "cache"),
        *("--features", f"mfcc,{feature}"),
    )
    assert result.exit_code == 1
    assert result.stderr.count("ser: ") == 1
    assert "ser weights fetch" in result.stderr
    assert "03a01Fa" not in result.stderr
    assert not (tmp_path / "cache").exists()


def test_nothing_heavy_is_needed():
    code = """
import sys
from ser.extract.weights.holdings import survey
import ser.extract.weights.fetch
survey()
heavy = {"torch", "transformers", "huggingface_hub", "librosa"}
sys.exit(", ".join(heavy & set(sys.modules)) or None)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
