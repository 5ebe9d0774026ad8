"""What is remembered between commands, and what becomes of it."""

import os
import time

import pytest

from ser.remembered import UNUSED, Remembered


@pytest.fixture
def remembered(tmp_path):
    return Remembered(tmp_path / "known", ".bin", most_bytes=1000, most_files=3)


def test_what_is_written_is_read(remembered):
    assert remembered.read("a") is None
    remembered.write("a", b"what is known")
    remembered.write("b", b"")
    assert remembered.read("a") == b"what is known"
    assert remembered.read("b") == b""
    remembered.write("a", b"what is better known")
    assert Remembered(remembered.folder, ".bin").read("a") == b"what is better known"


def test_what_is_damaged_or_too_long_is_not_known(remembered):
    remembered.write("a", b"what is known")
    file = remembered.folder / "a.bin"
    whole = file.read_bytes()
    for damage in (b"", whole[:-1], whole[:8], whole.replace(b"known", b"knowm"), whole * 100):
        file.write_bytes(damage)
        assert remembered.read("a") is None


def test_what_was_used_last_is_kept(remembered):
    for place, name in enumerate("abc"):
        remembered.write(name, name.encode())
        os.utime(remembered.folder / f"{name}.bin", (place, time.time() - 1000 + place))
    assert remembered.read("a") == b"a"  # and so used again
    remembered.write("d", b"d")
    assert {path.stem for path in remembered.folder.iterdir()} == {"a", "c", "d"}


def test_what_was_not_used_for_long_is_forgotten(remembered):
    remembered.write("a", b"a")
    (remembered.folder / "other.txt").write_text("not ours")
    for path in remembered.folder.iterdir():
        os.utime(path, (0, time.time() - UNUSED - 10))
    remembered.write("b", b"b")
    assert {path.name for path in remembered.folder.iterdir()} == {"b.bin", "other.txt"}


def test_a_folder_that_cannot_be_written_is_no_harm(tmp_path):
    (tmp_path / "file").write_text("in the way")
    remembered = Remembered(tmp_path / "file" / "known", ".bin")
    remembered.write("a", b"a")
    assert remembered.read("a") is None
