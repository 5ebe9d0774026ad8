"""Opening what strangers have laid down: pipes, devices, links, folders, files that never end."""

import os
import socket
import tracemalloc
from pathlib import Path

import pytest

from ser.files import open_regular, read_regular

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs POSIX files")


def lay(case, path, outside):
    """Put something at `path`; returns its bytes where it is an ordinary file."""
    kind = case.choice(["pipe", "device", "endless", "link", "folder", "socket", "loop", "file"])
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to(case.choice(["/dev/null", "/dev/tty", "/dev/random", "/dev/full"]))
    elif kind == "endless":
        path.symlink_to("/dev/zero")
    elif kind == "link":
        path.symlink_to(outside)
    elif kind == "folder":
        path.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    elif kind == "loop":
        path.symlink_to(path.name)
    else:
        path.write_bytes(case.randbytes(case.randrange(200)))
        return path.read_bytes()
    return None


def test_only_regular_files_below_their_folder_are_read(attack, outcome, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the names of sockets are short
    outside = tmp_path / "secret"
    outside.write_bytes(b"secret")
    (tmp_path / "in").mkdir()
    for number, case in enumerate(attack(200)):
        path = (tmp_path / "in" / str(number)).relative_to(tmp_path)
        expected = lay(case, path, outside)
        if expected is None:
            with pytest.raises(OSError, match=r".") as error:
                read_regular(path, 100, below=path.parent)
            assert error.value.strerror
            outcome("refused")
        elif len(expected) > 100:
            with pytest.raises(OSError, match="longer than 100 bytes"):
                read_regular(path, 100)
            outcome("too long")
        else:
            assert read_regular(path, 100, below=path.parent) == expected
            outcome("read")


def test_a_link_that_stays_below_is_followed(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").symlink_to("a")
    with open_regular(tmp_path / "b", below=tmp_path) as file:
        assert file.read() == b"1"


def test_no_more_memory_is_taken_than_a_file_is_long(tmp_path):
    small, sparse = tmp_path / "small", tmp_path / "sparse"
    small.write_bytes(b"x" * 100)
    with sparse.open("wb") as file:
        file.truncate(1 << 40)
    tracemalloc.start()
    try:
        assert read_regular(small, 1 << 30) == b"x" * 100
        with pytest.raises(OSError, match="longer than"):
            read_regular(sparse, 256 << 20)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_file_that_does_not_know_its_length_is_read():
    """As those of /proc, and what grows meanwhile."""
    path = Path("/proc/self/status")
    if not path.is_file():
        pytest.skip("there is no /proc")
    assert path.stat().st_size == 0
    assert read_regular(path, 1 << 20).startswith(b"Name:")
    with pytest.raises(OSError, match="longer than"):
        read_regular(path, 10)
