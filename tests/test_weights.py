"""Fetching from a server that breaks off, forgets, changes and lies; what is listed; messages."""

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
from ser.extract import download as downloading
from ser.extract import weights as known
from ser.extract.fetch import fetch
from ser.extract.holdings import survey
from ser.extract.records import read_record
from ser.extract.weights import (
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
from ser.tests.weights_server import blob, serving, sha

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
    monkeypatch.setattr("ser.extract.records.atomic_text", refuse)
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


def archive(members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
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


@pytest.mark.parametrize(
    "content", [b"no archive", archive({"../evil": b"!"}), archive({"a": b"x"})[:-20]]
)
def test_bad_archives(server, folder, content):
    server.files["/m.tar.gz"] = content
    with pytest.raises(SerError, match="not an archive that can be unpacked"):
        fetch(Weights("m", f"{server.url}/m.tar.gz", "GPL", archive=True))
    assert names(folder) == []
    assert not (folder.parent / "evil").exists()


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
from ser.extract.holdings import survey
import ser.extract.fetch
survey()
heavy = {"torch", "transformers", "huggingface_hub", "librosa"}
sys.exit(", ".join(heavy & set(sys.modules)) or None)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
