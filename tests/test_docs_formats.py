"""The commands and the Python of docs/formats.md, as they stand there."""

import json
import re
import shlex
import shutil
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from ser.cli import main
from ser.manifests import FORMATS, build_manifest, export_manifest

from .test_manifests_build import speak

PAGE = (Path(__file__).parents[1] / "docs" / "formats.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """One corpus in all the forms that the page names, each made by its own library."""
    datasets = pytest.importorskip("datasets", reason="the extra `datasets` is not installed")
    lhotse = pytest.importorskip("lhotse", reason="the extra `lhotse` is not installed")
    pytest.importorskip("audformat", reason="the extra `audformat` is not installed")
    monkeypatch.chdir(tmp_path)
    rows = []
    for number in range(24):
        emotion, speaker = ("fear", "anger", "neutral")[number % 3], f"s{number // 3}"
        speak(Path("recordings") / f"{speaker}-{emotion}.wav", number, 0.4)
        rows.append((f"{speaker}-{emotion}.wav", emotion, speaker))
    pd.DataFrame(rows, columns=["path", "emotion", "speaker"]).to_csv("mine.csv", index=False)
    made = build_manifest("mine", Path("recordings"), csv=Path("mine.csv"), language="de").manifest
    Path("mine.csv").unlink()
    Path("data").mkdir()
    export_manifest(made, "data/train", "kaldi")
    export_manifest(made, "database", "audformat")
    Path("list.txt").write_text("".join(f"{path}|{emotion}\n" for path, emotion, _ in rows))
    folder = Path("EmoBox/data/mine")
    folder.mkdir(parents=True)
    lines = [
        {"key": f"mine-{path[:-4]}", "wav": f"downloads/mine/{path}", "emo": emotion}
        for path, emotion, _ in rows
    ]
    for fold in range(1, 5):
        part = [line for n, line in enumerate(lines) if n // 3 % 4 == fold - 1]
        (folder / f"fold_{fold}").mkdir()
        (folder / f"fold_{fold}" / f"mine_test_fold_{fold}.jsonl").write_text(
            "".join(json.dumps(line) + "\n" for line in part)
        )
    (folder / "mine.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    audio = [{"path": path, "bytes": (Path("recordings") / path).read_bytes()} for path, *_ in rows]
    mood = [emotion for _, emotion, _ in rows]
    speech = datasets.Dataset.from_dict(
        {"audio": audio, "mood": mood, "lang": ["de"] * len(rows)}
    ).cast_column("audio", datasets.Audio(decode=False))
    speech.save_to_disk("dataset")
    recordings, said = [], []
    for path, emotion, speaker in rows:
        shutil.copytree("recordings", "manifests", dirs_exist_ok=True)
        recording = lhotse.Recording.from_file(f"manifests/{path}", recording_id=path[:-4])
        facts = {"speaker": speaker, "language": "de", "custom": {"emotion": emotion}}
        recordings.append(recording)
        said.append(
            lhotse.SupervisionSegment(path[:-4], path[:-4], 0.0, recording.duration, **facts)
        )
    lhotse.RecordingSet.from_recordings(recordings).to_file("manifests/recordings.jsonl.gz")
    lhotse.SupervisionSet.from_segments(said).to_file("manifests/supervisions.jsonl.gz")
    monkeypatch.setenv("SER_CACHE", "cache")


def test_what_the_page_says_is_so(place, monkeypatch):
    formats, runs = dict(FORMATS._items), 0
    try:
        for kind, block in BLOCKS:
            if kind == "python":
                exec(compile(block, "formats.md", "exec"), {})
                continue
            for line in block.splitlines():
                command, *arguments = shlex.split(line, comments=True)
                assert command == "ser"
                if arguments[0] == "extract":
                    arguments += ["--features", "mfcc"]
                if arguments[0] == "train":
                    arguments += ["--features", "mfcc", "--preset", "paper"]
                    arguments += ["--set", "train.epochs=1", "--out", "run"]
                result = CliRunner().invoke(main, arguments, catch_exceptions=False)
                assert result.exit_code == 0, f"{line}\n{result.output}"
                runs += 1
    finally:
        FORMATS._items.clear()
        FORMATS._items.update(formats)
        FORMATS._added.discard("bars")
    assert runs == 11


def test_the_page_names_all_formats_and_their_options():
    (table,) = re.findall(r"^\| `--from` .*?\n\n", PAGE, re.DOTALL | re.MULTILINE)
    for name, form in FORMATS.items():
        lines = [line for line in table.splitlines() if line.startswith(f"| `{name}:")]
        assert lines, name
        assert {*re.findall(r"`([\w.]+)`", " ".join(line.split("|")[-2] for line in lines))} == {
            *form.options
        }
