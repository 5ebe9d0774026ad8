"""Building manifests from real small audio: known corpora, one's own, bad files, and the memory."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser.errors import InputError, SerError
from ser.manifests import (
    CORPORA,
    Corpus,
    Entry,
    Manifest,
    ProbeCache,
    Scan,
    build,
    build_manifest,
    read_audio,
)
from ser.registry import Registry


def speak(path, seed, seconds=0.12):
    """Write noise that differs with the seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sound = np.random.default_rng(seed).integers(-9000, 9000, round(seconds * 8000), np.int16)
    soundfile.write(path, sound, 8000)
    return path


@pytest.fixture
def emodb(tmp_path):
    for seed, name in enumerate(("03a01Fa", "03a01Wa", "08a02Na")):
        speak(tmp_path / "emodb" / "wav" / f"{name}.wav", seed)
    return tmp_path / "emodb"


def table(tmp_path, text, encoding="utf-8"):
    file = tmp_path / "mine.csv"
    file.write_text(text, encoding=encoding)
    return file


def test_a_small_emodb(emodb):
    calls = []
    made = build_manifest("emodb", emodb, workers=2, progress=lambda *done: calls.append(done))
    assert made.manifest.ids == ("03a01Fa", "03a01Wa", "08a02Na")
    assert (made.manifest.corpus, made.manifest.language) == ("emodb", "de")
    assert made.bad == []
    assert calls == [(1, 3), (2, 3), (3, 3)]
    first = made.manifest.table.iloc[0]
    audio = read_audio(emodb / first["path"])
    assert (first["duration"], first["audio_hash"]) == (0.12, audio.sha)


def test_short_classes_are_named(emodb):
    (warning,) = build_manifest("emodb", emodb).warnings
    assert warning == (
        "this copy of emodb is incomplete: 7 of 7 classes are short: neutral 1 of 79, "
        "happiness 1 of 71, anger 1 of 127, sadness 0 of 62, fear 0 of 69, boredom 0 of 81, "
        "disgust 0 of 46"
    )


def test_a_whole_copy_and_more_than_one(emodb):
    small = replace(CORPORA["emodb"], counts={"neutral": 1, "happiness": 1, "anger": 1})
    assert build_manifest(small, emodb).warnings == []
    speak(emodb / "wav" / "08a02Nb.wav", 99)
    (warning,) = build_manifest(small, emodb).warnings
    assert "more than was published in 1 of 3 classes: neutral 2 of 1" in warning


def test_a_copy_of_a_corpus_of_which_only_the_size_is_known(emodb):
    sized = replace(CORPORA["emodb"], counts={}, size=535)
    (warning,) = build_manifest(sized, emodb).warnings
    assert warning == "this copy of emodb gives 3 of 535 utterances"
    assert build_manifest(replace(sized, size=3), emodb).warnings == []


def test_bad_files_do_not_stop_the_others(emodb):
    (emodb / "wav" / "09a01Fa.wav").write_text("no sound")
    speak(emodb / "wav" / "10a01Fa.wav", 5, seconds=0.01)
    made = build_manifest("emodb", emodb)
    assert len(made.manifest) == 3
    assert [(bad.id, bad.path) for bad in made.bad] == [
        ("09a01Fa", "wav/09a01Fa.wav"),
        ("10a01Fa", "wav/10a01Fa.wav"),
    ]
    assert "Format not recognised" in made.bad[0].reason
    assert "too short" in made.bad[1].reason


def test_only_bad_files(tmp_path):
    (tmp_path / "wav").mkdir()
    (tmp_path / "wav" / "09a01Fa.wav").write_text("no sound")
    with pytest.raises(InputError, match="none of 1 files"):
        build_manifest("emodb", tmp_path)


def test_a_flac_copy_gives_the_same_manifest(emodb, tmp_path):
    for wav in (emodb / "wav").iterdir():
        sound, rate = soundfile.read(wav, dtype="int16")
        (tmp_path / "copy").mkdir(exist_ok=True)
        soundfile.write(tmp_path / "copy" / f"{wav.stem}.flac", sound, rate)
    one, two = (build_manifest("emodb", root).manifest for root in (emodb, tmp_path / "copy"))
    assert one.id == two.id
    assert one.table.drop(columns="path").equals(two.table.drop(columns="path"))


def test_two_copies_of_one_utterance(emodb):
    speak(emodb / "wav" / "03a01Fa.flac", 0)
    with pytest.raises(InputError, match=r"two files for the utterance 03a01Fa: wav/03a01Fa\.flac"):
        build_manifest("emodb", emodb)


def test_the_same_audio_twice_is_told(emodb):
    speak(emodb / "wav" / "03b01Fa.wav", 0)  # as 03a01Fa
    speak(emodb / "wav" / "09b01Ta.wav", 1)  # as 03a01Wa, with another emotion and speaker
    same, emotion, speaker, _ = build_manifest("emodb", emodb).warnings
    assert same.startswith("4 utterances share their audio")
    assert "03a01Fa = 03b01Fa" in same
    assert "03a01Wa (anger) = 09b01Ta (sadness)" in emotion
    assert "03a01Wa (03) = 09b01Ta (09)" in speaker
    assert "03b01Fa" not in emotion + speaker


def test_a_stereo_copy_is_the_same_audio_and_a_louder_one_sounds_alike(emodb):
    sound, rate = soundfile.read(emodb / "wav" / "03a01Fa.wav")
    soundfile.write(emodb / "wav" / "09a01Fa.wav", np.stack([sound, sound], axis=1), rate)
    sound, rate = soundfile.read(emodb / "wav" / "03a01Wa.wav")
    soundfile.write(emodb / "wav" / "09a01Ta.wav", 2 * sound, rate)
    same, alike, emotion, speaker, _ = build_manifest("emodb", emodb).warnings
    assert same == (
        "2 utterances share their audio with another; splits keep them in one part: "
        "03a01Fa = 09a01Fa"
    )
    assert alike == (
        "2 utterances sound like a copy of another; splits keep them in one part: 03a01Wa ~ 09a01Ta"
    )
    assert "03a01Wa (anger) = 09a01Ta (sadness)" in emotion
    assert "03a01Fa (03) = 09a01Fa (09), 03a01Wa (03) = 09a01Ta (09)" in speaker


def test_wrong_roots(tmp_path, emodb):
    with pytest.raises(InputError, match="no such folder"):
        build_manifest("emodb", tmp_path / "none")
    with pytest.raises(InputError, match="is a file"):
        build_manifest("emodb", emodb / "wav" / "03a01Fa.wav")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="saw nothing: the folder is empty") as caught:
        build_manifest("emodb", tmp_path / "empty")
    assert "wav/03a01Fa.wav" in str(caught.value)
    with pytest.raises(InputError, match="saw wav"):
        build_manifest("ravdess", emodb)


def test_names_and_options(emodb, tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"corpus 'emod' .did you mean 'emodb'.*--csv FILE"):
        build_manifest("emod", emodb)
    with pytest.raises(InputError, match="no option 'intensty'"):
        build_manifest("cafe", emodb, options={"intensty": "all"})
    with pytest.raises(InputError, match="strong, all"):
        build_manifest("cafe", emodb, options={"intensity": "weak"})
    with pytest.raises(InputError, match="'de', not 'fr'"):
        build_manifest("emodb", emodb, language="fr")
    with pytest.raises(InputError, match="another name"):
        build_manifest("emodb", emodb, csv=tmp_path / "x.csv")
    with pytest.raises(InputError, match="SER_EMODB_ROOT"):
        build_manifest("emodb", None)
    monkeypatch.setenv("SER_EMODB_ROOT", str(emodb))
    assert len(build_manifest("emodb", None).manifest) == 3


def test_a_garbled_folder_gives_a_file_that_is_valid_text(tmp_path):
    try:
        garbled = b"Col\x8are".decode("utf-8", "surrogateescape")
        speak(tmp_path / "plain.wav", 1).rename(tmp_path / "plain")
        (tmp_path / "cafe" / garbled / "Fort").mkdir(parents=True)
    except (OSError, UnicodeError):
        pytest.skip("this file system takes only names that are valid text")
    (tmp_path / "plain").rename(tmp_path / "cafe" / garbled / "Fort" / "01-C-2-6.wav")
    memory = ProbeCache(tmp_path / "probes")
    made = build_manifest("cafe", tmp_path / "cafe", known=memory)
    assert (made.manifest.ids, made.bad) == (("01-C-2-6",), [])
    made.manifest.save(tmp_path / "cafe.csv")
    loaded = Manifest.load(tmp_path / "cafe.csv")
    assert loaded.table["path"][0] == "Col%8Are/Fort/01-C-2-6.wav"
    again = build_manifest("cafe", tmp_path / "cafe", known=memory)
    assert again.manifest.table.equals(made.manifest.table)


# --- a scanner of one's own ---


def scan_texts(root, options):
    """A label in a text file beside each recording."""
    labels = sorted(root.glob("*.txt"))
    return Scan([Entry(f.stem, f"{f.stem}.wav", f.read_text()) for f in labels], notes=["a note"])


MINE = Corpus("mine", "pt", scan_texts, options={"depth": ("1", "2")})


@pytest.fixture
def texts(tmp_path):
    for seed, emotion in enumerate(("fear", "awe")):
        speak(tmp_path / "texts" / f"u{seed}.wav", seed).with_suffix(".txt").write_text(emotion)
    return tmp_path / "texts"


def test_a_corpus_of_ones_own_is_handed_over(texts):
    made = build_manifest(MINE, texts, options={"depth": "1"})
    assert made.manifest.counts() == {"fear": 1, "awe": 1}
    assert (made.manifest.corpus, made.manifest.language) == ("mine", "pt")
    assert made.warnings == ["a note"]
    with pytest.raises(InputError, match="choose one of 1, 2"):
        build_manifest(MINE, texts, options={"depth": "3"})
    with pytest.raises(InputError, match="'pt', not 'de'"):
        build_manifest(MINE, texts, language="de")
    with pytest.raises(InputError, match=r"found no mine in .*: expected there its audio"):
        build_manifest(MINE, texts.parent)
    with pytest.raises(InputError, match=r"give the corpus of x\.csv another name"):
        build_manifest(MINE, texts, csv=Path("x.csv"))
    with pytest.raises(InputError, match="'Mine' cannot name a corpus"):
        build_manifest(replace(MINE, name="Mine"), texts)


def test_a_corpus_that_was_added_is_known_by_name(texts, monkeypatch):
    monkeypatch.setattr(build, "CORPORA", Registry("corpus", "ser.corpora", dict(CORPORA)))
    build.CORPORA.add("mine", MINE)
    monkeypatch.setenv("SER_MINE_ROOT", str(texts))
    assert len(build_manifest("mine", None).manifest) == 2
    build.CORPORA.add("other", MINE)
    with pytest.raises(SerError, match=r"'other' of ser\.corpora is no Corpus of that name"):
        build_manifest("other", texts)


BROUGHT = """
from ser.manifests import Corpus, Entry, Scan

def scan(root, options):
    return Scan([Entry(f.stem, f.name, "fear", f.stem[0]) for f in sorted(root.glob("*.wav"))])

THEIRS = Corpus("theirs", "pt", scan, title="What a package brings")
"""


def test_a_corpus_that_a_package_brings_is_known_to_the_commands(texts, tmp_path):
    info = tmp_path / "brought-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: brought\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[ser.corpora]\ntheirs = brought:THEIRS\n")
    (tmp_path / "brought.py").write_text(BROUGHT)
    found = {"PYTHONPATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}

    def ser(*words):
        command = [sys.executable, "-m", "ser.cli", *map(str, words)]
        environment = {**os.environ, **found}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True)

    assert re.search(r"^theirs +What a package brings$", ser("corpora").stdout, re.MULTILINE)
    file = tmp_path / "theirs.csv"
    ser("manifest", "build", "--corpus", "theirs", "--root", texts, "--out", file)
    assert Manifest.load(file).counts() == {"fear": 2}


# --- the CSV of a corpus of one's own ---


@pytest.fixture
def mine(tmp_path):
    for seed, name in enumerate(("a.wav", "b.wav", "c d.wav")):
        speak(tmp_path / "audio" / name, seed)
    return tmp_path


def build_mine(mine, text, **options):
    return build_manifest("mine", mine / "audio", csv=table(mine, text), language="pt", **options)


def test_the_least_that_a_csv_can_be(mine):
    made = build_mine(mine, "path,emotion\na.wav,anger\nb.wav,Happy\n")
    assert made.manifest.ids == ("a", "b")
    assert list(made.manifest.table["emotion"]) == ["anger", "happiness"]
    assert set(made.manifest.table["speaker"]) == {""}
    assert made.manifest.language == "pt"
    assert made.warnings == ["'happy' was read as 'happiness' (1 rows)"]


def test_all_that_a_csv_can_be(mine):
    text = (
        "\ufeffPath, Emotion ,id,speaker,GENDER,language,age,Session\r\n"
        f'"{mine / "audio" / "a.wav"}",fear,u1,s1,F,pt,31,"x, y"\r\n'
        "\r\n./c d.wav,awe,u2,s2,,PT,,\r\n"
    )
    table = build_mine(mine, text, options={"emotions": "awe"}).manifest.table
    assert table.drop(columns=["duration", "audio_hash", "fingerprint"]).to_dict("records") == [
        {
            "id": "u1",
            "corpus": "mine",
            "language": "pt",
            "speaker": "s1",
            "gender": "female",
            "emotion": "fear",
            "path": "a.wav",
            "age": "31",
            "Session": "x, y",
        },
        {
            "id": "u2",
            "corpus": "mine",
            "language": "pt",
            "speaker": "s2",
            "gender": "",
            "emotion": "awe",
            "path": "c d.wav",
            "age": "",
            "Session": "",
        },
    ]


def test_a_manifest_is_a_csv_too(mine):
    made = build_mine(mine, "path,emotion,age\na.wav,anger,5\nc d.wav,fear,6\n").manifest
    made.save(mine / "saved.csv")
    again = build_manifest("mine", mine / "audio", csv=mine / "saved.csv").manifest
    assert again.table.equals(made.table)


def test_paths_from_windows(mine):
    speak(mine / "audio" / "sub" / "x.wav", 9)
    made = build_mine(mine, "path,emotion\nsub\\x.wav,anger\n").manifest
    assert list(made.table["path"]) == ["sub/x.wav"]


def test_missing_audio_is_bad_not_fatal(mine):
    made = build_mine(mine, "path,emotion\na.wav,anger\nnone.wav,fear\n")
    (bad,) = made.bad
    assert (bad.id, bad.reason) == ("none", "no such file (mine.csv, line 3)")
    with pytest.raises(InputError, match=r"none of 1 files .* line 2"):
        build_mine(mine, "path,emotion\nnone.wav,fear\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("file,emotion\na.wav,anger\n", "line 1: the column 'path' is missing"),
        ("path,emotions\na.wav,anger\n", "did you mean 'emotions'"),
        ("path;emotions\na.wav;anger\n", "separated by semicolons, are 'path', 'emotions'"),
        ("path,emotion,path\na.wav,anger,b.wav\n", "two columns are named 'path'"),
        ("path,emotion,\na.wav,anger,x\n", "column 3 has no name"),
        ("path,emotion\n", "no utterances"),
        ("path,emotion\n\na.wav,angr\n", "line 3: unknown emotion 'angr' (did you mean"),
        ("path,emotion\na.wav,\n", "line 2: the emotion is missing"),
        ("path,emotion\n,anger\n", "line 2: the path is missing"),
        ("path,emotion\na.wav,anger\n../a.wav,fear\n", "line 3: the path '../a.wav' leaves"),
        ("path,emotion\n/etc/x.wav,fear\n", "line 2: the path '/etc/x.wav'"),
        (
            "path,emotion,id\na.wav,anger,x\nb.wav,fear,x\n",
            "line 3: duplicate id 'x', which line 2",
        ),
        ("path,emotion,id\na.wav,anger,a/b\n", "line 2: 'a/b' is no id"),
        ("path,emotion\na.wav,anger\na.wav,anger\n", "line 3: the path gives the id 'a'"),
        ("path,emotion,gender\na.wav,anger,x\n", "line 2: gender 'x'"),
        ("path,emotion,language\na.wav,anger,pt\nb.wav,fear,de\n", "line 3: language 'de'"),
        ("path,emotion,language\na.wav,anger,de\n", "'pt' was asked for"),
        ('path,emotion,note\na.wav,anger,"x\ny"\nb.wav,angr,\n', "line 4: unknown emotion"),
        ("path,emotion\na.wav,anger,x\n", "line 2: 3 cells"),
        (f"path,emotion\n{'x' * 5000}.wav,anger\nb.wav,angr\n", "line 3"),
    ],
)
def test_what_is_wrong_with_a_csv(mine, text, expected):
    with pytest.raises(InputError) as caught:
        build_mine(mine, text)
    assert expected in str(caught.value)
    assert "mine.csv" in str(caught.value)


def test_a_corpus_needs_a_language(mine):
    file = table(mine, "path,emotion\na.wav,anger\n")
    with pytest.raises(InputError, match="--language pt"):
        build_manifest("mine", mine / "audio", csv=file)
    with pytest.raises(InputError, match="'portuguese' is no language code"):
        build_manifest("mine", mine / "audio", csv=file, language="Portuguese")


def test_the_root_of_a_csv_is_its_folder_unless_told(mine):
    file = table(mine, "path,emotion,language\naudio/a.wav,anger,pt\n")
    assert len(build_manifest("mine", None, csv=file).manifest) == 1


# --- what is remembered of earlier builds ---


@pytest.fixture
def memory(tmp_path, monkeypatch):
    """Of which files of this very moment count."""
    monkeypatch.setattr("ser.manifests.memory._SETTLED", -3_000_000_000)
    return ProbeCache(tmp_path / "probes")


@pytest.fixture
def decoded(monkeypatch):
    """The names of the files that are decoded."""
    names = []
    monkeypatch.setattr(
        build, "read_audio", lambda path: names.append(path.name) or read_audio(path)
    )
    return names


def test_a_second_build_decodes_nothing(emodb, memory, decoded):
    calls = []
    first = build_manifest("emodb", emodb, known=memory)
    assert len(decoded) == 3
    second = build_manifest("emodb", emodb, known=memory, progress=lambda *n: calls.append(n))
    assert len(decoded) == 3
    assert calls == [(3, 3)]
    assert second.manifest.table.equals(first.manifest.table)


def test_what_changed_is_decoded_again(emodb, memory, decoded):
    build_manifest("emodb", emodb, known=memory)
    decoded.clear()
    changed = speak(emodb / "wav" / "03a01Fa.wav", 77)
    speak(emodb / "wav" / "11a01Fa.wav", 78)
    again = build_manifest("emodb", emodb, known=memory).manifest
    assert sorted(decoded) == ["03a01Fa.wav", "11a01Fa.wav"]
    assert again.table["audio_hash"][0] == read_audio(changed).sha


def test_corpora_that_are_used_no_longer_are_forgotten(emodb, memory):
    build_manifest("emodb", emodb, known=memory)
    (own,) = memory.folder.iterdir()
    long_ago = own.with_name("0123456789abcdef-bad.json")
    long_ago.write_text("{}")
    other = own.with_name("notes.txt")
    other.write_text("not ours")
    for path in (own, long_ago, other):
        os.utime(path, (0, 0))
    build_manifest("emodb", emodb, known=memory)
    speak(emodb / "wav" / "03a01Fa.wav", 77)
    build_manifest("emodb", emodb, known=memory)
    assert sorted(memory.folder.iterdir()) == [own, other]


def test_files_of_this_moment_are_not_trusted(emodb, memory, decoded, monkeypatch):
    """A file could change once more without its times showing it."""
    monkeypatch.setattr("ser.manifests.memory._SETTLED", 3_000_000_000)
    for _ in range(2):
        build_manifest("emodb", emodb, known=memory)
    assert len(decoded) == 6


def test_another_root_is_another_corpus(emodb, tmp_path, memory, decoded):
    build_manifest("emodb", emodb, known=memory)
    emodb.rename(tmp_path / "moved")
    build_manifest("emodb", tmp_path / "moved", known=memory)
    assert len(decoded) == 6


def test_bad_files_are_looked_at_each_time(emodb, memory, decoded):
    (emodb / "wav" / "09a01Fa.wav").write_text("no sound")
    for _ in range(2):
        assert len(build_manifest("emodb", emodb, known=memory).bad) == 1
    assert decoded.count("09a01Fa.wav") == 2


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[" * 100_000,
        lambda text: "[1, 2]",
        lambda text: text.replace('"format":2', '"format":3'),
        lambda text: text.replace('"root":"', '"root":"/other'),
        lambda text: json.dumps({**json.loads(text), "files": [1]}),
        lambda text: json.dumps(
            {**json.loads(text), "files": {"wav/03a01Fa.wav": [1, 2], "wav/03a01Wa.wav": None}}
        ),
        lambda text: text.replace("0.12,", "-0.12,"),
        lambda text: text.replace("0.12,", "NaN,"),
        lambda text: text.replace("0.12,", "true,"),
    ],
)
def test_a_damaged_memory_does_no_harm(emodb, memory, decoded, damage):
    first = build_manifest("emodb", emodb, known=memory).manifest
    (file,) = memory.folder.iterdir()
    file.write_text(damage(file.read_text()))
    again = build_manifest("emodb", emodb, known=memory).manifest
    assert again.table.equals(first.table)
    assert len(decoded) == 6


def test_a_memory_that_cannot_be_written_does_no_harm(emodb, tmp_path):
    (tmp_path / "file").write_text("in the way")
    made = build_manifest("emodb", emodb, known=ProbeCache(tmp_path / "file" / "probes"))
    assert len(made.manifest) == 3


def test_what_was_done_is_remembered_when_stopped(emodb, memory, decoded):
    def stop(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_manifest("emodb", emodb, workers=1, known=memory, progress=stop)
    decoded.clear()
    build_manifest("emodb", emodb, known=memory)
    assert len(decoded) == 1
