"""What killed processes left in the temporary folder goes, and nothing else."""

import os
import socket

import pytest

from ser.train.runs.processes import sweep_sockets

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sockets with names")


def listening(folder):
    folder.mkdir()
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(folder / "listener"))
    server.listen()
    return server


@pytest.fixture
def short(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the names of sockets are short
    return tmp_path.relative_to(tmp_path)


def test_sockets_of_the_dead_go_and_those_of_the_living_stay(short):
    listening(short / "pymp-dead").close()
    (short / "pymp-empty").mkdir()
    living = listening(short / "pymp-living")
    (short / "pymp-other").mkdir()
    (short / "pymp-other" / "notes.txt").touch()
    (short / "elsewhere").mkdir()
    (short / "pymp-link").symlink_to("elsewhere")
    sweep_sockets(short, older_than=-1)
    left = ["elsewhere", "pymp-link", "pymp-living", "pymp-other"]
    assert sorted(path.name for path in short.iterdir()) == left
    living.close()


def test_what_is_new_stays(short):
    (short / "pymp-new").mkdir()
    sweep_sockets(short)
    assert (short / "pymp-new").is_dir()
