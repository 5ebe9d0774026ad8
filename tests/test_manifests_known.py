"""Which corpus a folder is, and the sound of videos."""

import json
import os
import shlex
import shutil
import subprocess

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from ser.cli import main
from ser.errors import InputError
from ser.manifests import CORPORA, build_manifest, convert_videos
from ser.progress import Progress

QUIET = Progress(quiet=True)
NAME = "subject 1/anger/sentence 1/s1_an_1"


def tree(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def ser(*arguments):
    return CliRunner().invoke(main, ["corpora", "-q", *map(str, arguments)])


def test_a_folder_is_known_by_its_names(tmp_path):
    tree(tmp_path, "wav/03a01Fa.wav", "wav/08a02Na.wav", "readme.txt")
    done = ser("--check", tmp_path)
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "emodb: Berlin Database of Emotional Speech (EmoDB): 2 of 535 utterances",
        f"  ser extract --corpus emodb --root {tmp_path}",
    ]
    (row,) = json.loads(ser("--check", tmp_path, "--json").stdout)
    assert row == {"name": "emodb", "utterances": 2, "expected": 535, "problem": None}


def test_commands_can_be_given_as_they_are_told(tmp_path):
    names = {"emodb": "wav/03a01Fa.wav", "enterface": f"{NAME}.avi"}
    for corpus, name in names.items():
        tree(tmp_path / f"it's {corpus}", name)
    command = ser("--check", tmp_path / "it's emodb").stdout.splitlines()[1]
    assert shlex.split(command)[-2:] == ["--root", f"{tmp_path}/it's emodb"]
    problem = ser("--check", tmp_path / "it's enterface").stdout.splitlines()[1]
    _, _, command = problem.partition("writes a FLAC beside each: ")
    convert = ["ser", "corpora", "--convert", f"{tmp_path}/it's enterface"]
    assert shlex.split(command) == convert


def test_files_of_another_kind_and_strays_hide_no_corpus(tmp_path):
    views = [f"M003/video/{view}/angry/level_1/001.mp4" for view in ("front", "down", "top")]
    tree(tmp_path / "mead", "M003/audio/angry/level_1/001.m4a", *views)
    assert ser("--check", tmp_path / "mead").stdout.startswith("mead: ")
    chinese = [f"{speaker:04}/Angry/{speaker:04}_000001.wav" for speaker in range(1, 11)]
    english = [f"{speaker:04}/Angry/{speaker:04}_000001.wav" for speaker in range(11, 20)]
    tree(tmp_path / "esd", *chinese, *english, "x.wav")
    names = [row["name"] for row in json.loads(ser("--check", tmp_path / "esd", "--json").stdout)]
    assert sorted(names) == ["esd-en", "esd-zh"]


def test_a_folder_of_something_else(tmp_path):
    tree(tmp_path, "a.wav", "b.wav", "wav/03a01Fa.wav")
    done = ser("--check", tmp_path)
    assert done.exit_code == 2
    assert (
        "is no corpus that is known here, but has of emodb (1 files) (3 files of sound"
        in done.stderr
    )
    assert "ser manifest build --corpus NAME --csv FILE" in done.stderr


def test_every_layout_that_names_a_file_is_recognised(tmp_path):
    """The example of a record is of that corpus, and of no other."""
    for name, corpus in CORPORA.items():
        if " and " in corpus.layout:  # of several files, which say it together
            continue
        root = tree(tmp_path / name, corpus.layout.partition(" or ")[0])
        fitting = [other for other, of in CORPORA.items() if of.scan(root, {}).entries]
        assert fitting == [name]


def test_videos_are_refused_with_what_to_do(tmp_path):
    tree(tmp_path, f"{NAME}.avi")
    assert f"ser corpora --convert {tmp_path}" in ser("--check", tmp_path).stdout
    with pytest.raises(InputError) as error:
        build_manifest("enterface", tmp_path)
    assert str(error.value) == (
        "enterface: 1 of 1 utterances are videos or coded sound, not to be read: "
        f"{NAME}.avi. With ffmpeg, this writes a FLAC beside each: "
        f"ser corpora --convert {tmp_path}"
    )


def test_the_sound_beside_a_video_is_read(tmp_path):
    tree(tmp_path, f"{NAME}.avi", f"{NAME}.flac")
    (entry,) = CORPORA["enterface"].scan(tmp_path, {}).entries
    assert entry.path == f"{NAME}.flac"


def test_without_ffmpeg(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    done = ser("--convert", tmp_path)
    assert done.exit_code == 1
    assert "converting needs ffmpeg, which is not installed" in done.stderr


@pytest.fixture
def slow_ffmpeg(tmp_path_factory, monkeypatch):
    """A stand-in that takes its time, and whose sound is the name of what it is given."""
    if os.name == "nt":
        pytest.skip("the stand-in is a script of a shell")
    program = tmp_path_factory.mktemp("bin") / "ffmpeg"
    program.write_text(
        '#!/bin/sh\nfor out in "$@"; do :; done\n'
        'case "$6" in *broken*) echo no sound >&2; exit 1;; esac\n'
        'for part in 1 2; do echo "$part ${6##*/}" >> "$out"; sleep 0.1; done\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)


def flacs(root):
    return sorted(file.relative_to(root).as_posix() for file in root.rglob("*.flac"))


@pytest.mark.usefixtures("slow_ffmpeg")
def test_of_two_videos_by_one_name_one_is_converted(tmp_path):
    tree(tmp_path, "s/001.mp4", "s/001.M4A", "s/002.mkv", "s/002.avi", "t/001.mp4")
    done = ser("--convert", tmp_path)
    assert (done.exit_code, done.stdout) == (0, f"{tmp_path}: 3 files written\n")
    assert (tmp_path / "s" / "001.flac").read_text() == "1 001.M4A\n2 001.M4A\n"
    assert (tmp_path / "s" / "002.flac").read_text() == "1 002.avi\n2 002.avi\n"
    assert done.stderr == (
        "note: 2 videos were left out, as another file by their name gives the sound: "
        "s/001.mp4 (beside s/001.M4A), s/002.mkv (beside s/002.avi)\n"
    )
    again = json.loads(ser("--convert", tmp_path, "--json").stdout)
    assert again == {"written": 0, "failed": {}, "notes": []}


@pytest.mark.usefixtures("slow_ffmpeg")
def test_a_video_that_gives_no_sound_is_told(tmp_path):
    tree(tmp_path, "broken.mp4", "whole.mp4")
    done = ser("--convert", tmp_path)
    assert (done.exit_code, done.stdout) == (3, f"{tmp_path}: 1 files written\n")
    assert done.stderr == "  broken.mp4: no sound\n"
    left = {file.name for file in tmp_path.iterdir()}
    assert left == {"broken.mp4", "whole.flac", "whole.mp4"}


@pytest.mark.usefixtures("slow_ffmpeg")
@pytest.mark.parametrize("suffix", [".wav", ".WAV", ".aiff"])
def test_a_video_with_its_sound_beside_it_is_not_converted(tmp_path, suffix):
    tree(tmp_path, f"{NAME}.avi", f"{NAME}{suffix}", "subject 1/anger/sentence 2/s1_an_2.avi")
    assert convert_videos(tmp_path, QUIET).written == 1
    assert flacs(tmp_path) == ["subject 1/anger/sentence 2/s1_an_2.flac"]
    assert len(CORPORA["enterface"].scan(tmp_path, {}).entries) == 2


@pytest.mark.usefixtures("slow_ffmpeg")
def test_videos_that_a_known_corpus_does_not_read_are_not_converted(tmp_path):
    tree(tmp_path, "M003/audio/angry/level_1/001.m4a", "M003/video/front/angry/level_1/001.mp4")
    for written in (1, 0):
        done = convert_videos(tmp_path, QUIET)
        assert (done.written, done.failed) == (written, {})
        assert done.notes == [
            "1 videos were left out, as mead is read from .m4a alone: "
            "M003/video/front/angry/level_1/001.mp4"
        ]
    assert flacs(tmp_path) == ["M003/audio/angry/level_1/001.flac"]
    assert convert_videos(tmp_path / "M003" / "video", QUIET).written == 1


def test_videos_become_flac(tmp_path):
    program = shutil.which("ffmpeg")
    if program is None:
        pytest.skip("ffmpeg is not installed")
    tree(tmp_path, f"{NAME}.avi")
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (4800, 2))
    soundfile.write(tmp_path / "sound.wav", noise, 48000, "PCM_16")
    picture = ("-f", "lavfi", "-i", "color=size=16x16:duration=0.1")
    sound = ("-i", tmp_path / "sound.wav", "-c:a", "pcm_s16le", tmp_path / f"{NAME}.avi")
    subprocess.run([program, "-v", "error", "-y", *picture, *sound], check=True)
    tree(tmp_path, "broken.avi")
    done = convert_videos(tmp_path, QUIET)
    assert done.written == 1
    assert list(done.failed) == ["broken.avi"]
    heard, rate = soundfile.read(tmp_path / f"{NAME}.flac")
    assert rate == 48000
    assert np.array_equal(heard, soundfile.read(tmp_path / "sound.wav")[0])
    assert not [name for _, _, names in os.walk(tmp_path) for name in names if "part" in name]
    assert convert_videos(tmp_path, QUIET).written == 0
    assert build_manifest("enterface", tmp_path).manifest.ids == ("s1-an-1",)


def test_tables_without_their_sound_are_no_copy(tmp_path):
    (tmp_path / "metadata").mkdir()
    table = tmp_path / "metadata" / "samples.csv"
    table.write_text("file_name,actor,emotion_expressed\n1.wav,a,joy\n2.wav,b,fear\n")
    told = ser("--check", tmp_path).stderr
    assert "but has of emozionalmente (its table, and none of its files)" in told
    tree(tmp_path, "audio/1.wav")
    assert "1 of 6902 utterances" in ser("--check", tmp_path).stdout


def test_sound_deep_below_a_root_that_is_too_high(tmp_path):
    parts = tmp_path / "MELD-RAW" / "MELD.Raw"
    parts.mkdir(parents=True)
    header = "Utterance,Speaker,Emotion,Dialogue_ID,Utterance_ID"
    rows = "Hi,Joey,joy,0,0\nNo,Ross,anger,0,1"
    (parts / "train_sent_emo.csv").write_text(f"{header}\n{rows}\n")
    names = [f"train/train_splits/dia0_utt{number}.wav" for number in (0, 1)]
    tree(parts, *names)
    for seed, name in enumerate(names):
        soundfile.write(parts / name, np.random.default_rng(seed).normal(0, 0.1, 1600), 16_000)
    build = build_manifest("meld", tmp_path)
    assert build.manifest.labels == ("happiness", "anger")


def test_what_is_of_none_of_several_corpora_is_told(tmp_path):
    tree(tmp_path, "emodb/wav/03a01Fa.wav", "emodb/wav/08a02Na.wav", "own/x/y/z/1.wav")
    done = ser("--check", tmp_path)
    assert done.stdout.startswith("emodb: ")
    assert done.stderr == "note: 1 of 3 audio files are not of this corpus: own/x/y/z/1.wav\n"


def test_speakers_of_anybody_are_not_those_of_casia(tmp_path):
    tree(tmp_path, *(f"ann/{emotion}/{n:03}.wav" for emotion in ("angry", "sad") for n in (1, 2)))
    assert "is no corpus that is known here" in ser("--check", tmp_path).stderr


def test_what_a_wrong_root_has_is_told(tmp_path):
    tree(tmp_path, "Actor_01/03-02-01-01-01-01-01.wav")
    with pytest.raises(InputError, match="1 audio files were left out, as their names are not"):
        build_manifest("ravdess", tmp_path)
