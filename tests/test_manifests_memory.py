"""What is remembered of bad files; what is of good ones is in the tests of building."""

import json
import os

import pytest

from ser.manifests import BadFile, BadFileMemory

SHORT = BadFile("a", "a.wav", "too short")
MUTE = BadFile("b", "b.wav", "ge2e: no speech found")
GONE = BadFile("c", "c.wav", "no such file")


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "corpus"
    root.mkdir()
    for name in ("a.wav", "b.wav"):
        (root / name).write_text(name)
    return root


@pytest.fixture
def memory(tmp_path):
    return BadFileMemory(tmp_path / "memory")


def test_a_bad_file_is_new_once(root, memory):
    assert memory.remember(root, [SHORT, GONE]) == [SHORT, GONE]
    assert memory.remember(root, [MUTE, SHORT, GONE]) == [MUTE]
    assert BadFileMemory(memory.folder).remember(root, [MUTE, SHORT, GONE]) == []
    assert memory.remember(root.parent, [SHORT]) == [SHORT]  # of another root


def test_one_is_known_for_a_feature_and_a_reason(root, memory):
    assert memory.remember(root, [MUTE], lambda _: "key 1") == [MUTE]
    assert memory.remember(root, [MUTE], lambda _: "key 2") == [MUTE]
    assert memory.remember(root, [MUTE], lambda _: "key 1") == []
    other = BadFile("b", "b.wav", "ge2e: cut off")
    assert memory.remember(root, [other], lambda _: "key 1") == [other]


def test_a_file_that_changed_is_new(root, memory):
    memory.remember(root, [SHORT, MUTE])
    (root / "a.wav").write_text("longer than it was")
    assert memory.remember(root, [SHORT, MUTE]) == [SHORT]
    assert memory.remember(root, [SHORT, MUTE]) == []
    file = next(memory.folder.iterdir())
    assert len(json.loads(file.read_text())["bad"]) == 2  # what was said of it before is gone


@pytest.mark.parametrize(
    "damage",
    ["", "{", "[" * 10_000, "null", '{"format": 1}', '{"format": 2, "root": "", "bad": []}'],
)
def test_a_damaged_memory_is_none(root, memory, damage):
    memory.remember(root, [SHORT])
    next(memory.folder.iterdir()).write_text(damage)
    assert memory.remember(root, [SHORT]) == [SHORT]
    assert memory.remember(root, [SHORT]) == []


@pytest.mark.parametrize("odd", [None, 3, [], ["a.wav"], ["a.wav", 1, "", "x"], "four"])
def test_a_memory_with_odd_records_is_none(root, memory, odd):
    memory.remember(root, [SHORT])
    file = next(memory.folder.iterdir())
    content = json.loads(file.read_text())
    content["bad"].append(odd)
    file.write_text(json.dumps(content))
    assert memory.remember(root, [SHORT]) == [SHORT]


def test_a_root_whose_name_is_no_text(tmp_path, memory):
    try:
        root = tmp_path / os.fsdecode(b"Col\x8are")
        root.mkdir()
    except (OSError, UnicodeError):
        pytest.skip("this file system takes only names that are valid text")
    assert memory.remember(root, [SHORT]) == [SHORT]
    assert memory.remember(root, [SHORT]) == []


def test_a_url_is_the_same_root_from_every_folder(memory, tmp_path, monkeypatch):
    assert memory.remember("s3://team/audio", [SHORT]) == [SHORT]
    monkeypatch.chdir(tmp_path)
    assert memory.remember("s3://team/audio", [SHORT]) == []
    assert memory.remember("s3://team/other", [SHORT]) == [SHORT]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes")
def test_a_pipe_in_its_place_is_not_waited_for(root, memory):
    memory.remember(root, [SHORT])
    file = next(memory.folder.iterdir())
    file.unlink()
    os.mkfifo(file)
    assert memory.remember(root, [SHORT]) == [SHORT]


def test_a_folder_that_cannot_be_written_forgets(root, memory):
    memory.folder.write_text("in the way")
    assert memory.remember(root, [SHORT]) == [SHORT]
    assert memory.remember(root, [SHORT]) == [SHORT]
