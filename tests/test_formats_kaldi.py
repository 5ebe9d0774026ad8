"""Data folders of Kaldi: there and back, what they may hold, and what is never run."""

import json
import unicodedata

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from ser.errors import InputError
from ser.manifests import Manifest, build_manifest, export_manifest
from ser.manifests.formats.kaldi_folder import as_said, as_word
from ser.new_folder import MARK

from .test_manifests_build import speak
from .voices import OWN, build_voices, read_back, same, voices  # noqa: F401


def folder(tmp_path, **files):
    """A data folder: the text of each file."""
    data = tmp_path / "data"
    data.mkdir(exist_ok=True)
    for name, text in files.items():
        (data / name.replace("_", ".")).write_text(text, encoding="utf-8")
    return data


def two(tmp_path, **files):
    """A data folder of two utterances, with the sound of both."""
    speak(tmp_path / "data" / "u1.wav", 1)
    speak(tmp_path / "data" / "u2.wav", 2)
    lines = {"wav_scp": "u1 u1.wav\nu2 u2.wav\n", "utt2emo": "u1 anger\nu2 sad\n"}
    return folder(tmp_path, **lines | files)


def read(data, language="de", root=None, **options):
    return read_back(f"kaldi:{data}", root, language, **options)


def message(*args, **kwargs):
    with pytest.raises(InputError) as caught:
        read(*args, **kwargs)
    return str(caught.value)


def test_there_and_back(voices, tmp_path):  # noqa: F811
    manifest = build_voices(voices)
    assert export_manifest(manifest, tmp_path / "data", "kaldi") == OWN
    same(read(tmp_path / "data", None, voices).manifest, manifest)


def test_what_is_written(voices, tmp_path):  # noqa: F811
    manifest = build_voices(voices)
    export_manifest(manifest, tmp_path / "data", "kaldi", root=voices)
    files = {path.name: path.read_text("utf-8") for path in (tmp_path / "data").iterdir()}
    assert json.loads(files.pop(MARK)) == sorted(files)
    ids = list(manifest.ids)
    first, second = ids[:2]
    assert set(files) == {
        *("wav.scp", "utt2spk", "spk2utt", "utt2emo", "utt2lang", "utt2dur", "utt2gender"),
        *("utt2session", "utt2sentence"),
    }
    assert files["wav.scp"].splitlines()[0] == f"{first} {voices.absolute().as_posix()}/05.wav"
    assert files["utt2spk"].splitlines()[:2] == [f"{first} {first}", f"{second} s6"]
    assert "Anna%20B." in files["spk2utt"]
    assert all(text.endswith("\n") and "\r" not in text for text in files.values())
    for name, text in files.items():
        keys = [line.split(" ")[0] for line in text.splitlines()]
        assert keys == sorted({*keys}, key=str.encode), name
    same(read(tmp_path / "data", None, voices).manifest, manifest)


def test_genders_by_speaker_where_that_says_all(tmp_path):
    data = two(tmp_path, utt2spk="u1 a\nu2 b\n", spk2gender="a f\nb m\n")
    manifest = read(data).manifest
    assert manifest.table["gender"].tolist() == ["female", "male"]
    export_manifest(manifest, tmp_path / "out", "kaldi")
    assert (tmp_path / "out" / "spk2gender").read_text() == "a f\nb m\n"
    same(read(tmp_path / "out", root=data).manifest, manifest)


@given(st.text())
def test_a_name_as_one_word_and_back(name):
    assert as_said(as_word(name)) == name
    assert " " not in as_word(name)


def test_what_kaldi_cannot_hold(tmp_path):
    speak(tmp_path / "x |.wav", 1)
    speak(tmp_path / "b.wav", 2)
    table = pd.DataFrame({"path": ["x |.wav", "b.wav"], "emotion": ["fear", "anger"]})
    table["speaker"], table["spk"], table["a b"] = ["x", "b"], ["1", "2"], ["3", "4"]
    table.to_csv(tmp_path / "mine.csv", index=False)
    manifest = build_manifest("v", tmp_path, csv=tmp_path / "mine.csv", language="de").manifest
    notes = export_manifest(manifest, tmp_path / "data", "kaldi")
    assert notes == [
        "Kaldi has no file for spk, a b",
        "1 speakers have the name of their utterance, which tells Kaldi that they are not known: b",
    ]
    for path in ("x|", "|x", "a.ark:12", "-", "a ", "a%0Ab.wav"):
        wrong = Manifest(manifest.table.assign(path=[path, "b.wav"]))
        with pytest.raises(InputError, match="would take 1 paths for commands"):
            export_manifest(wrong, tmp_path / "never", "kaldi")
        assert not (tmp_path / "never").exists()


def test_names_and_labels(tmp_path):
    data = two(tmp_path, utt2spk="u1 u1\nu2 Anna%20B.\n", text="u1 guten Tag\n", utt2lang="u1 de\n")
    build = read(data, None)
    table = build.manifest.table
    assert table["emotion"].tolist() == ["anger", "sadness"]
    assert table["speaker"].tolist() == ["", "Anna B."]
    assert table["text"].tolist() == ["guten Tag", ""]
    assert build.manifest.language == "de"
    assert build.root == data


def test_blanks_between_and_tabs_in_values(tmp_path):
    speak(tmp_path / "data" / "a\tb.wav", 3)
    lines = {"wav_scp": "u1 a\tb.wav\nu2 \t u2.wav\n", "text": "u1\tja  nun\tgut\nu2\n"}
    manifest = read(two(tmp_path, **lines)).manifest
    table = manifest.table
    assert table["path"].tolist() == ["a%09b.wav", "u2.wav"]
    assert table["text"].tolist() == ["ja nun gut", ""]
    export_manifest(manifest, tmp_path / "out", "kaldi")
    same(read(tmp_path / "out", root=tmp_path / "data").manifest, manifest)


def test_files_of_kaldi_come_before_others_of_that_column(tmp_path):
    others = {"utt2speaker": "u1 x\nu2 x\n", "utt2gender": "u1 other\n", "utt2emotion": "u1 joy\n"}
    build = read(two(tmp_path, utt2spk="u1 a\nu2 b\n", spk2gender="a f\nb m\n", **others))
    assert build.manifest.table["speaker"].tolist() == ["a", "b"]
    assert "utt2speaker was not read, as utt2spk says the speaker" in build.warnings
    assert "utt2emotion was not read, as utt2emo says the emotion" in build.warnings
    assert "spk2gender was not read, as utt2gender says the gender" in build.warnings
    assert set(build.manifest.table) >= {"speaker", "gender"}
    assert "emo" not in build.manifest.table
    (tmp_path / "data" / "utt2spk").unlink()
    assert read(tmp_path / "data").manifest.table["speaker"].tolist() == ["x", "x"]


def test_labels_in_another_file(tmp_path):
    data = two(tmp_path, text="u1 fear\nu2 anger\n")
    (data / "utt2emo").unlink()
    told = message(data)
    assert "which file has the emotions?" in told
    assert "text, u1.wav" in told
    assert "--option label=FILE" in told
    assert read(data, label="text").manifest.table["emotion"].tolist() == ["fear", "anger"]
    assert "has no file 'mood'" in message(data, label="mood")


def test_commands_are_never_run(tmp_path):
    mark = tmp_path / "was-run"
    data = two(tmp_path, wav_scp=f"u1 touch {mark} |\nu2 u2.wav\n")
    told = message(data)
    assert "1 of 2 recordings are commands, which are not run here" in told
    assert "wav-copy" in told
    assert not mark.exists()


def test_archives(tmp_path):
    data = two(tmp_path, wav_scp="u1 wav.ark:1234\nu2 wav.ark:99999[0:3]\n")
    assert "2 of 2 recordings are in archives, such as 'wav.ark:1234'" in message(data)


def test_segments_of_whole_recordings(tmp_path):
    data = two(tmp_path, segments="s1 u1 0 0.12\ns2 u2 0.0 -1\n", utt2emo="s1 fear\ns2 anger\n")
    manifest = read(data).manifest
    assert manifest.ids == ("s1", "s2")
    assert manifest.table["path"].tolist() == ["u1.wav", "u2.wav"]
    (data / "segments").write_text("s2 u2 0.0 -1\n")
    assert "1 recordings of wav.scp have no segment, and were left out" in read(data).warnings


@pytest.mark.parametrize("times", ["0 0.08", "0.04 0.12", "0.04 -1", "nan 1", "0 nan"])
def test_pieces_are_told(tmp_path, times):
    lines = f"s1 u1 {times}\ns2 u2 0 0.12\n"
    told = message(two(tmp_path, segments=lines, utt2emo="s1 fear\ns2 anger\n"))
    assert "1 of 2 utterances are pieces of longer recordings" in told
    assert "extract-segments scp:wav.scp segments scp:cut.scp" in told


@pytest.mark.parametrize("times", ["0 0.08", "0.01 0.08"])
def test_pieces_of_what_was_elsewhere_are_told(tmp_path, times):
    files = "u1 /mnt/kaldi/u1.wav\nu2 /mnt/kaldi/u2.wav\n"
    lines = f"s1 u1 {times}\ns2 u2 0 0.12\n"
    data = two(tmp_path, wav_scp=files, segments=lines, utt2emo="s1 fear\ns2 anger\n")
    assert "1 of 2 utterances are pieces of longer recordings" in message(data)


@pytest.mark.parametrize("path", ["wav\\u1.wav", "wav/é.wav", "ROOT/wav/é.wav"])
def test_pieces_are_told_of_files_whose_paths_are_written_in_another_form(tmp_path, path):
    data = two(tmp_path)
    speak(data / "wav" / "u1.wav", 1)
    speak(data / "wav" / unicodedata.normalize("NFD", "é.wav"), 1)
    path = path.replace("ROOT", str(data))
    (data / "wav.scp").write_text(f"u1 {path}\nu2 u2.wav\n", encoding="utf-8")
    (data / "segments").write_text("s1 u1 0 0.08\ns2 u2 0 0.12\n")
    (data / "utt2emo").write_text("s1 fear\ns2 anger\n")
    assert "1 of 2 utterances are pieces of longer recordings" in message(data)


def test_a_piece_is_told_where_the_header_says_no_length(tmp_path):
    lines = "s1 u1 0 0.08\ns2 u2 0 0.12\n"
    data = two(tmp_path, segments=lines, utt2emo="s1 fear\ns2 anger\n")
    sound = bytearray((data / "u1.wav").read_bytes())
    sound[40:44] = bytes(4)  # as it is written to where nobody can go back
    (data / "u1.wav").write_bytes(sound)
    assert "1 of 2 utterances are pieces of longer recordings" in message(data)


def test_names_that_are_of_no_utterance_are_told(tmp_path):
    data = two(tmp_path, utt2spk="U1 a\nU2 b\n", utt2emo="u1 anger\nu2 fear\nu3 fear\n")
    warnings = read(data).warnings
    assert "utt2spk: 2 of 2 names are of no utterance: U1, U2" in warnings
    assert "utt2emo: 1 of 3 names are of no utterance: u3" in warnings


def test_wrong_segments(tmp_path):
    twice = two(tmp_path, wav_scp="u1 u1.wav\nu1 u2.wav\n", segments="s1 u1 0 1\n")
    assert "wav.scp, line 2: a second value for 'u1'" in message(twice)
    two(tmp_path)
    assert "no recording 'u9'" in message(two(tmp_path, segments="s1 u9 0 1\n"))
    assert "line 1: 'u1 0 x': expected a recording" in message(two(tmp_path, segments="s u1 0 x\n"))


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"utt2emo": "u1 anger\n"}, "line 2: the emotion is missing"),
        ({"utt2emo": "u1 anger\nu2 bliss\n"}, "unknown emotion 'bliss'"),
        ({"wav_scp": "u1 u1.wav\nu1 u2.wav\n"}, "duplicate id 'u1', which line 1 has already"),
        ({"utt2emo": "u1 anger\nu1 fear\nu2 fear\n"}, "utt2emo, line 2: a second value for 'u1'"),
        ({"utt2spk": "u1 Anna\nu2 anna\n"}, "speaker 'anna'"),
        ({"wav_scp": "u1 ../x.wav\nu2 u2.wav\n"}, "leaves the corpus root"),
        ({"wav_scp": "u1 /etc/passwd\nu2 u2.wav\n"}, "absolute path does not lie in"),
        ({"wav_scp": "u1 a/../../x.wav\nu2 u2.wav\n"}, "leaves the corpus root"),
        ({"wav_scp": "\x00\x01"}, "not a text file"),
        ({"wav_scp": ""}, "has no utterances"),
        ({"wav_scp": "u1\nu2 u2.wav\n"}, "the path is missing"),
    ],
)
def test_what_is_wrong_is_told(tmp_path, files, told):
    assert told in message(two(tmp_path, **files))


def test_absent_audio_is_a_bad_file(tmp_path):
    data = two(tmp_path)
    (data / "u2.wav").unlink()
    build = read(data)
    assert build.manifest.ids == ("u1",)
    assert [file.id for file in build.bad] == ["u2"]


def test_lists_are_read_where_they_lie(tmp_path):
    data = two(tmp_path)
    (tmp_path / "secret").write_text("u1 u1.wav\n")
    (data / "wav.scp").unlink()
    (data / "wav.scp").symlink_to(tmp_path / "secret")
    assert "it is a link that leads out of" in message(data)


def test_paths_that_were_written_elsewhere(tmp_path):
    data = two(tmp_path, wav_scp="u1 /mnt/kaldi/data/u1.wav\nu2 /mnt/kaldi/data/u2.wav\n")
    build = read(data)
    assert build.manifest.table["path"].tolist() == ["u1.wav", "u2.wav"]
    assert "all paths begin with '/mnt/kaldi/data', and were read without it" in build.warnings


def test_one_channel_of_several_is_a_piece(tmp_path):
    data = two(tmp_path, segments="s1 u1 0 0.12 0\ns2 u2 0 0.12 1\n", utt2emo="s1 fear\ns2 sad\n")
    assert read(data).manifest.ids == ("s1", "s2")  # of one channel each
    sound, rate = soundfile.read(data / "u1.wav")
    soundfile.write(data / "u1.wav", np.stack([sound, sound[::-1]], 1), rate)
    assert "1 of 2 utterances are pieces of longer recordings, or one channel" in message(data)


def test_speakers_by_what_they_say_and_what_is_said_of_them(tmp_path):
    data = two(tmp_path, spk2utt="a u1\nb u2\n", spk2gender="a f\nb m\n", spk2age="a 31\nb 34\n")
    table = read(data).manifest.table
    assert table["speaker"].tolist() == ["a", "b"]
    assert table["gender"].tolist() == ["female", "male"]
    assert table["age"].tolist() == ["31", "34"]
    (data / "spk2utt").unlink()
    build = read(data)
    assert build.manifest.table["speaker"].tolist() == ["", ""]
    assert "spk2age was not read, as no file says who speaks" in build.warnings


def test_a_column_of_ours_is_told(tmp_path):
    data = two(tmp_path, utt2corpus="u1 savee\nu2 tess\n")
    told = "column 'corpus' was left out: a manifest has its own 'corpus'"
    assert told in read(data).warnings


def test_why_labels_are_missing_is_told(tmp_path):
    told = message(two(tmp_path, utt2emo="x1 fear\nx2 sad\n"))
    assert "Note: utt2emo: 2 of 2 names are of no utterance: x1, x2" in told


def exported(tmp_path, *rows):
    """What is told of an export of utterances, each by its speaker, gender, text and a rating."""
    columns = ("path", "speaker", "gender", "text", "rating")
    lines = [",".join(("emotion", *columns))]
    for seed, row in enumerate(rows):
        speak(tmp_path / "sound" / f"{seed:03}.wav", seed)
        lines.append(",".join(("fear" if seed % 2 else "anger", f"{seed:03}.wav", *row)))
    (tmp_path / "mine.csv").write_text("\n".join(lines) + "\n")
    root = tmp_path / "sound"
    manifest = build_manifest("mine", root, csv=tmp_path / "mine.csv", language="en").manifest
    notes = export_manifest(manifest, tmp_path / "data", "kaldi")
    assert read(tmp_path / "data", "en", root).manifest.table["speaker"].tolist() == [
        row[0] for row in rows
    ]
    return notes


def test_what_kaldi_takes_for_something_else_is_told(tmp_path):
    notes = exported(tmp_path, ("001", "m", "ja", ""), ("", "", "", ""), ("b", "f", "so", ""))
    assert "1 utterances without a speaker have the name of one, who is taken" in notes[1]
    assert "theirs by Kaldi: 001" in " ".join(notes)
    assert "2 of 3" not in " ".join(notes)
    assert "1 of 3 utterances have no text, which Kaldi's scripts and lhotse want" in notes[-1]


def test_blank_columns_are_told_and_lhotse_reads_the_rest(tmp_path):
    lhotse = pytest.importorskip("lhotse", reason="the extra `lhotse` is not installed")
    notes = exported(tmp_path, ("a", "m", "", ""), ("b", "", "", ""))
    assert notes == ["columns without a value have no file: rating"]
    root = tmp_path / "sound"
    scp = (tmp_path / "data" / "wav.scp").read_text().replace(" 00", f" {root.as_posix()}/00")
    (tmp_path / "data" / "wav.scp").write_text(scp)
    _, supervisions, _ = lhotse.kaldi.load_kaldi_data_dir(tmp_path / "data", 16000)
    assert sorted(each.speaker for each in supervisions) == ["a", "b"]
