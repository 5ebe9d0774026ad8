"""Corpora of strangers in forms of others: each ends in paths below the root, or in our error.

Nothing in them is run, and nothing outside is written.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ser.errors import InputError
from ser.manifests import corpus_from, export_manifest
from ser.manifests.paths import is_inside

from ..conftest import make_manifest, tree
from ..drawn import cases
from ..test_manifests_build import speak

IDS = "abcdef"
HOSTILE = (
    *(b"../../x.wav", b"/etc/passwd", b"C:\\x", b"a/../../b", b"\x00", b"\xff\xfe", b"nan", b"NaN"),
    *(b"touch here/ran |", b"| touch here/ran", b"x.ark:12", b"-1", b"1e999", b"99999999999999"),
    *(b"!!python/object/apply:os.mkdir [ran]", b"{}", b"[]", b"null", b'"', b"\n", b"\t", b" "),
    *(b"&a [*a]", b"file:///etc/passwd", b"http://127.0.0.1:9/x", b"pipe:touch ran", b"%2F..%2F"),
    *(b"command", b"url", b"memory", b"a" * 500, "é\u202e".encode(), b"[" * 2000),
)


@pytest.fixture(autouse=True)
def nothing_ran(tmp_path, monkeypatch):
    """No process is started, and a folder of one's own stays empty."""

    def never(*args, **kwargs):
        raise AssertionError(f"a process was started: {args}")

    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    yield monkeypatch.setattr(subprocess, "Popen", never), monkeypatch.setattr(os, "system", never)
    assert not list(Path().iterdir())


def kaldi(folder):
    export_manifest(make_manifest(), folder, "kaldi")
    (folder / "segments").write_text("".join(f"{id} {id} 0 -1\n" for id in IDS))


def audformat(folder):
    pytest.importorskip("audformat", reason="the extra `audformat` is not installed")
    export_manifest(make_manifest(), folder, "audformat")


def emobox(folder):
    (folder / "fold_1").mkdir(parents=True)
    lines = [{"key": id, "wav": f"{id}.wav", "emo": "fear", "length": 0.12} for id in IDS]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "mine.jsonl").write_text(text)
    (folder / "fold_1" / "mine_test_fold_1.jsonl").write_text(text)
    (folder / "label_map.json").write_text('{"fear": "Fear"}')


def lhotse(folder):
    library = pytest.importorskip("lhotse", reason="the extra `lhotse` is not installed")
    folder.mkdir()
    recordings, said = [], []
    for id in IDS:
        file = speak(folder.parent / "root" / f"{id}.wav", ord(id))
        recordings.append(library.Recording.from_file(file, recording_id=id))
        facts = {"custom": {"emotion": "fear"}, "language": "de"}
        said.append(library.SupervisionSegment(id, id, 0.0, 0.12, **facts))
    library.RecordingSet.from_recordings(recordings).to_file(folder / "recordings.jsonl")
    library.SupervisionSet.from_segments(said).to_file(folder / "supervisions.jsonl")


def hf(folder):
    library = pytest.importorskip("datasets", reason="the extra `datasets` is not installed")
    audio = [{"path": f"{id}.wav", "bytes": id.encode()} for id in IDS]
    made = library.Dataset.from_dict({"audio": audio, "emotion": ["fear"] * len(IDS)})
    made = made.cast_column("audio", library.Audio(decode=False))
    library.DatasetDict({"train": made}).save_to_disk(folder)


def damage(case, folder):
    """Hurt one file in one of the ways that attackers find."""
    file = case.choice(sorted(path for path in folder.rglob("*") if path.is_file()))
    data = file.read_bytes()
    at = case.randrange(len(data) + 1)
    how = case.randrange(5)
    if how == 0:
        data = data[:at]
    elif how == 1:
        data = data[:at] + case.choice(HOSTILE) + data[at:]
    elif how == 2:
        word = case.choice((b"fear", b"a.wav", b"b", b"files", b"emotion", b"0", b".wav", b"file"))
        data = data.replace(word, case.choice(HOSTILE), case.choice((1, 1000)))
    elif how == 3:
        other = case.choice(sorted(path for path in folder.rglob("*") if path.is_file()))
        data = other.read_bytes()
    else:
        data = data[:at] + case.randbytes(case.choice((1, 20))) + data[at + 1 :]
    file.write_bytes(data)


@cases(300)
@pytest.mark.parametrize("make", [kaldi, audformat, emobox, lhotse, hf])
def test_what_strangers_made(make, count, attack, outcome, tmp_path):
    (tmp_path / "root").mkdir()
    make(tmp_path / "whole")
    outside = tree(tmp_path)
    for case in attack(count):
        shutil.rmtree(tmp_path / "place", ignore_errors=True)
        shutil.copytree(tmp_path / "whole", tmp_path / "place")
        damage(case, tmp_path / "place")
        told, paths = "", []
        try:
            corpus = corpus_from("mine", f"{make.__name__}:{tmp_path / 'place'}", "de")
            paths = [entry.path for entry in corpus.scan(tmp_path / "root", {}).entries]
        except InputError as error:
            told = str(error)
        assert all(map(is_inside, paths))
        assert len(told) < 5000
        outcome("refused" if told else "read")
        written = {path for path in tree(tmp_path) if not path.startswith(("place", "root"))}
        assert written == {path for path in outside if not path.startswith("root")}
