import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ser.files import (
    PARTIAL,
    atomic_path,
    atomic_text,
    atomic_write,
    make_folder,
    partial_beside,
    stale_partials,
)
from ser.machine import is_running, machine_id


def test_a_file_is_written_whole(tmp_path):
    atomic_text(tmp_path / "new" / "a.txt", "Grüße\n")
    assert (tmp_path / "new" / "a.txt").read_bytes() == "Grüße\n".encode()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.txt"]


def test_an_interrupted_write_leaves_what_was_there(tmp_path):
    target = tmp_path / "a.txt"
    atomic_text(target, "before")

    def interrupted() -> None:
        with atomic_path(target) as partial:
            partial.write_text("half of")
            assert partial.name.startswith(PARTIAL)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert target.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_folders_are_made_with_those_above_them(tmp_path):
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_a_folder_that_goes_meanwhile_is_made_anew(tmp_path):
    target = tmp_path / "new" / "a.txt"
    tries = []

    def write(partial):
        if not tries:
            partial.parent.rmdir()  # as another process does that tidies up
        tries.append(partial)
        partial.write_text("x")

    atomic_write(target, write)
    assert target.read_text() == "x"
    assert len(tries) == 2
    assert list(target.parent.iterdir()) == [target]


def test_what_killed_writers_left_is_told_by_name_and_age(tmp_path):
    old, young, other = (tmp_path / name for name in (f"{PARTIAL}old", f"{PARTIAL}young", "old"))
    for path in (old, young, other):
        path.write_text("half")
    (tmp_path / f"{PARTIAL}folder").mkdir()
    for path in (old, other, tmp_path / f"{PARTIAL}folder"):
        os.utime(path, (0, 0))
    assert stale_partials(tmp_path) == [old]
    assert stale_partials(tmp_path / "absent") == []


CRASH = """
import os, sys
from pathlib import Path
from ser.files import partial_beside
path = partial_beside(Path(sys.argv[1]))
path.write_text("half")
print(path, flush=True)
os._exit(1)
"""


def test_what_processes_left_that_are_gone_is_stale_at_once(tmp_path):
    made = subprocess.run(
        [sys.executable, "-c", CRASH, tmp_path / "a b.h5"],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    left = Path(made.stdout.strip())
    assert re.fullmatch(r"\.partial-[0-9a-f]{32}-a b\.h5", left.name)
    own = partial_beside(tmp_path / "a b.h5")
    own.write_text("half")
    assert own.name[:21] == left.name[:21]  # one machine
    elsewhere = left.with_name(left.name.replace(machine_id(), "0" * 12))
    elsewhere.write_text("half")
    assert left in stale_partials(tmp_path)
    assert not {own, elsewhere} & set(stale_partials(tmp_path))
    assert is_running(os.getpid())


@pytest.mark.skipif(os.name != "posix", reason="as macOS does")
@pytest.mark.parametrize("known", [True, False])
def test_macos_is_asked_to_empty_the_memory_of_the_disk_too(tmp_path, monkeypatch, known):
    import fcntl

    asked = []

    def control(descriptor: int, command: int) -> None:
        asked.append(command)
        if not known:
            raise OSError("not on this drive")

    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", control)
    monkeypatch.setattr(os, "fsync", lambda descriptor: asked.append("fsync"))
    monkeypatch.setattr(sys, "platform", "darwin")
    atomic_text(tmp_path / "a.txt", "x")
    assert asked == [51, 51] if known else [51, "fsync"] * 2  # the file, and then the folder
