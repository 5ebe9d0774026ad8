"""The scanners of known corpora, over small trees of empty files: names alone are read."""

import os
import re

import pytest

from ser.errors import InputError
from ser.manifests import CORPORA, EMOTIONS, audio_path, problem_with_id, stored_path
from ser.manifests.vocabulary import problem_with_emotion


def tree(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def scan(corpus, root, **options):
    """Entries by id."""
    entries = CORPORA[corpus].scan(root, options).entries
    found = {entry.id: entry for entry in entries}
    assert len(found) == len(entries)
    assert not any(map(problem_with_id, found))
    return found


def facts(entry):
    return entry.speaker, entry.gender, entry.emotion


def test_the_registry_adds_up():
    totals = {name: sum(corpus.counts.values()) for name, corpus in CORPORA.items()}
    old = {"emodb": 535, "cafe": 504, "iemocap": 5531, "ravdess": 1440, "emovo": 588}
    assert old.items() <= totals.items()
    assert sum(CORPORA["cafe"].expected({"intensity": "all"}).values()) == 936
    assert CORPORA["cafe"].expected({"intensity": "strong"}) == CORPORA["cafe"].counts
    for name, corpus in CORPORA.items():
        assert corpus.name == name
        assert set(corpus.counts) <= {*EMOTIONS, "poker", "breath"}
        assert not any(map(problem_with_emotion, corpus.counts))
        assert corpus.licence
        assert corpus.url.startswith("http")


@pytest.mark.parametrize(
    ("letter", "emotion"),
    [
        ("W", "anger"),
        ("L", "boredom"),
        ("E", "disgust"),
        ("A", "fear"),
        ("F", "happiness"),
        ("T", "sadness"),
        ("N", "neutral"),
    ],
)
def test_emodb_letters(tmp_path, letter, emotion):
    found = scan("emodb", tree(tmp_path, f"wav/03a01{letter}a.wav"))
    assert found[f"03a01{letter}a"].emotion == emotion


def test_emodb_fields(tmp_path):
    found = scan("emodb", tree(tmp_path, "wav/16b10Wb.flac", "wav/03a05Nd.WAV", "erkennung.txt"))
    assert facts(found["16b10Wb"]) == ("16", "female", "anger")
    assert facts(found["03a05Nd"]) == ("03", "male", "neutral")
    assert found["16b10Wb"].path == "wav/16b10Wb.flac"
    assert dict(found["16b10Wb"].extra) == {"sentence": "b10", "take": "b"}


@pytest.mark.parametrize(
    ("corpus", "name"),
    [
        ("emodb", "wav/03a01Fa.wav"),
        ("ravdess", "Actor_01/03-01-05-01-02-01-01.wav"),
        ("emovo", "f1/dis-f1-b1.wav"),
        ("cafe", "Joie/Fort/01-J-2-6.aiff"),
    ],
)
def test_a_root_one_level_off_is_found(tmp_path, corpus, name):
    tree(tmp_path, f"above/corpus/{name}")
    home = tmp_path / "above" / "corpus"
    for root in (home, home.parent, home / name.split("/")[0]):
        (entry,) = scan(corpus, root).values()
        assert (root / entry.path).is_file()


def test_two_levels_off_is_not_found(tmp_path):
    tree(tmp_path, "a/b/wav/03a01Fa.wav")
    assert scan("emodb", tmp_path) == {}


def test_a_copy_inside_the_corpus_is_not_looked_at(tmp_path):
    """One archive of RAVDESS holds the whole corpus a second time, one level down."""
    name = "Actor_01/03-01-05-01-02-01-01.wav"
    (entry,) = scan("ravdess", tree(tmp_path, name, f"copy/{name}")).values()
    assert entry.path == name


def test_what_lies_deeper_and_is_no_copy_is_told(tmp_path):
    name, other = (f"Actor_01/03-01-05-01-02-01-{take}.wav" for take in ("01", "02"))
    tree(tmp_path, name, f"copy/{name}", f"more/of/it/{other}")
    found = CORPORA["ravdess"].scan(tmp_path, {})
    assert [entry.path for entry in found.entries] == [name]
    assert found.notes == [
        "1 audio files were left out, as they lie deeper than the others of this corpus: "
        f"more/of/it/{other}"
    ]


def test_what_systems_leave_behind_is_skipped(tmp_path):
    tree(tmp_path, "wav/03a01Fa.wav", "wav/._03a01Fa.wav", "__MACOSX/03a02Fa.wav", ".x/03a02Fb.wav")
    assert list(scan("emodb", tmp_path)) == ["03a01Fa"]


def test_foreign_audio_is_told(tmp_path):
    tree(tmp_path, "wav/03a01Fa.wav", "wav/interview.wav", "wav/notes.txt")
    (note,) = CORPORA["emodb"].scan(tmp_path, {}).notes
    assert "1 audio files were left out" in note
    assert "wav/interview.wav" in note


def test_cafe_letters_and_intensities(tmp_path):
    names = [f"x/{i}/01-{letter}-{i}-6.wav" for letter in "CDJPST" for i in (1, 2)]
    tree(tmp_path, "Neutre/01-N-6.wav", "Neutre/02-N-1-6.wav", *names)
    strong = scan("cafe", tmp_path)
    assert {name: entry.emotion for name, entry in strong.items()} == {
        "01-N-6": "neutral",
        "02-N-6": "neutral",
        "01-C-2-6": "anger",
        "01-D-2-6": "disgust",
        "01-J-2-6": "happiness",
        "01-P-2-6": "fear",
        "01-S-2-6": "surprise",
        "01-T-2-6": "sadness",
    }
    assert facts(strong["02-N-6"]) == ("02", "female", "neutral")
    assert facts(strong["01-C-2-6"]) == ("01", "male", "anger")
    assert dict(strong["01-C-2-6"].extra) == {"intensity": "strong", "sentence": "6"}
    every = scan("cafe", tmp_path, intensity="all")
    assert len(every) == 14
    assert every["01-C-1-6"].extra["intensity"] == "weak"


def test_cafe_one_level_up_finds_more_than_the_neutral_files(tmp_path):
    tree(tmp_path, "CaFE/Neutre/01-N-6.wav", "CaFE/Joie/Fort/01-J-2-6.wav")
    assert set(scan("cafe", tmp_path)) == {"01-N-6", "01-J-2-6"}


@pytest.mark.parametrize("above", ["", "enterface database/"])
def test_enterface_is_found_with_subject_6_or_not_at_all(tmp_path, above):
    names = ["subject 1/anger/sentence 1/s1_an_1.avi", "subject 6/anger/s6_an.avi"]
    tree(tmp_path, *(f"{above}{name}" for name in names))
    found = CORPORA["enterface"].scan(tmp_path, {})
    assert [entry.path for entry in found.entries] == [f"{above}{name}" for name in names]
    assert found.notes == []


def test_cafe_in_two_archives_is_put_together(tmp_path):
    tree(tmp_path, "part_1/Joie/Fort/01-J-2-6.wav", "part_2/Peur/Fort/01-P-2-6.wav")
    assert set(scan("cafe", tmp_path)) == {"01-J-2-6", "01-P-2-6"}


def test_a_garbled_folder_does_no_harm(tmp_path):
    try:
        tree(tmp_path, os.fsdecode(b"Col\x8are") + "/Fort/01-C-2-6.wav")
    except (OSError, UnicodeError):
        pytest.skip("this file system takes only names that are valid text")
    (entry,) = scan("cafe", tmp_path).values()
    assert entry.path == "Col%8Are/Fort/01-C-2-6.wav"
    assert audio_path(tmp_path, entry.path).is_file()


def test_ravdess_speech_only(tmp_path):
    names = [f"Actor_12/03-01-{e:02}-01-02-01-12.wav" for e in range(1, 9)]
    songs = ["Actor_12/03-02-03-01-02-01-12.wav", "Actor_12/01-01-03-01-02-01-12.wav"]
    found = scan("ravdess", tree(tmp_path, *names, *songs))
    assert [found[name].emotion for name in sorted(found)] == [
        "neutral",
        "calm",
        "happiness",
        "sadness",
        "anger",
        "fear",
        "disgust",
        "surprise",
    ]
    entry = found["03-01-05-01-02-01-12"]
    assert facts(entry) == ("12", "female", "anger")
    assert dict(entry.extra) == {"intensity": "normal", "sentence": "02", "take": "01"}


def test_emovo_words(tmp_path):
    words = ("dis", "gio", "neu", "pau", "rab", "sor", "tri")
    found = scan("emovo", tree(tmp_path, *(f"EMOVO/m2/{w}-m2-l4.wav" for w in words)))
    assert [found[f"{w}-m2-l4"].emotion for w in words] == [
        "disgust",
        "happiness",
        "neutral",
        "fear",
        "anger",
        "surprise",
        "sadness",
    ]
    assert facts(found["dis-m2-l4"]) == ("m2", "male", "disgust")


# --- layouts of publishers that no list here has ---


def test_savee_as_its_publisher_has_it(tmp_path):
    found = scan("savee", tree(tmp_path, "AudioData/DC/sa01.wav", "AudioData/JK/n30.wav"))
    assert facts(found["DC-sa01"]) == ("DC", "male", "sadness")
    assert facts(found["JK-n30"]) == ("JK", "male", "neutral")


@pytest.mark.parametrize("part", ["", "train/", "evaluation/"])
def test_esd_is_two_corpora(tmp_path, part):
    names = [f"{who}/Angry/{part}{who}_000351.wav" for who in ("0004", "0010", "0011", "0020")]
    tree(tmp_path, *names, "0004/0004.txt")
    assert {name: facts(entry) for name, entry in scan("esd-zh", tmp_path).items()} == {
        "0004-000351": ("0004", "male", "anger"),
        "0010-000351": ("0010", "male", "anger"),
    }
    assert set(scan("esd-en", tmp_path)) == {"0011-000351", "0020-000351"}


def test_mead(tmp_path):
    tree(tmp_path, "W009/audio/contempt/level_2/010.m4a", "W009/video/front/contempt/level_2/1.mp4")
    (entry,) = scan("mead", tmp_path).values()
    assert entry.id == "W009-contempt-2-010"
    assert facts(entry) == ("W009", "female", "contempt")
    assert dict(entry.extra) == {"intensity": "2", "number": "010"}


def test_mead_of_archives_that_were_unpacked_in_two_ways(tmp_path):
    speakers = ("M003", "W009/W009", "part2/M005")
    tree(tmp_path, *(f"{speaker}/audio/sad/level_1/001.m4a" for speaker in speakers))
    assert {entry.speaker for entry in scan("mead", tmp_path).values()} == {"M003", "W009", "M005"}


MSP = "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set\n"


@pytest.mark.parametrize("above", ["", "MSP-PODCAST-Publish-1.11/"])
def test_msp_podcast(tmp_path, above):
    tree(tmp_path, f"{above}Labels/x", f"{above}Audios/MSP-PODCAST_0001_0008.wav")
    (tmp_path / above / "Labels" / "labels_consensus.csv").write_text(
        f"{MSP}MSP-PODCAST_0001_0008.wav,N,2.2,4.0,2.6,30,Male,Test1\n"
        "MSP-PODCAST_0001_0009.wav,X,3.7,3.5,3.7,39,Male,Test1\n"
        "MSP-PODCAST_0001_0010.wav,C,3.7,3.5,3.7,Unknown,Unknown,Train\n"
    )
    found = CORPORA["msppodcast"].scan(tmp_path, {})
    one, missing = found.entries
    assert facts(one) == ("30", "male", "neutral")
    assert one.path == f"{above}Audios/MSP-PODCAST_0001_0008.wav"
    assert one.where == "labels_consensus.csv, line 2"
    assert facts(missing) == ("Unknown", "", "contempt")  # blank in a manifest
    assert missing.path == "MSP-PODCAST_0001_0010.wav"
    assert found.notes == [
        f"1 utterances of {above}Labels/labels_consensus.csv have no one emotion, and were left out"
    ]


def test_a_table_by_the_same_name_that_is_another(tmp_path):
    (tmp_path / "labels_consensus.csv").write_text("FileName,Valence\na.wav,3\n")
    with pytest.raises(InputError, match="there is no EmoClass, SpkrID, Gender, Split_Set"):
        scan("msppodcast", tmp_path)


MOSEI = "HITId,Input.VIDEO_ID,Input.CLIP," + ",".join(
    f"Answer.{name}" for name in ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
)


def test_mosei_takes_what_annotators_find_strongest(tmp_path):
    clips = [f"Clips/a-_1_{number}.wav" for number in range(4)]
    tree(tmp_path, "Raw/Labels/x", *clips, "Clips/other_0.wav")
    (tmp_path / "Raw" / "Labels" / "batch.csv").write_text(
        f"{MOSEI}\n"
        "h,a-_1,0,2,0,0,1,0,0\nh,a-_1,0,0,0,0,2,0,0\n"  # anger 2, happiness 3
        "h,a-_1,1,0,0,0,0,0,0\n"
        "h,a-_1,2,1,0,0,0,1,0\n"
        "h,a-_1,3,0,0,,0,0,3\n"
        "h,a-_1,9,0,0,0,0,0,3\n"
        "h,a-_1,3,NA,0,0,9,0,0\nh,a-_1,3,nan,0,0,9,0,0\n"
    )
    (tmp_path / "Raw" / "Labels" / "sentiment.csv").write_text("Input.VIDEO_ID\na\n")
    found = CORPORA["mosei"].scan(tmp_path, {})
    assert {entry.id: entry.emotion for entry in found.entries} == {
        "a-_1_0": "happiness",
        "a-_1_1": "neutral",
        "a-_1_3": "surprise",
    }
    assert {entry.extra["video"] for entry in found.entries} == {"a-_1"}
    assert len(found.notes) == 3
    assert found.notes[0] == "batch.csv: what is no number was left out, in line 8, 9"
    assert "sentiment.csv: expected the columns" in found.notes[1]
    assert found.notes[2] == "1 clips were left out, of which two emotions are as strong"


def test_speakers_of_meld_have_one_spelling(tmp_path):
    names = [f"dev/dev_splits_complete/dia0_utt{number}.mp4" for number in range(2)]
    tree(tmp_path, *names)
    (tmp_path / "dev" / "dev_sent_emo.csv").write_text(
        "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID\n"
        '1,"Oh, no",Dr. Green,joy,positive,0,0\n2,What?,dr green,surprise,negative,0,1\n'
    )
    found = scan("meld", tmp_path)
    assert {entry.speaker for entry in found.values()} == {"Dr. Green"}
    assert found["dev-dia0_utt1"].path == names[1]
    assert dict(found["dev-dia0_utt0"].extra) == {"part": "dev", "dialog": "dev-0"}


def meld(root, *rows):
    """A table of the publisher's, of utterances and emotions."""
    lines = ["Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID"]
    lines += [f"{at},{said},Ross,{how},neutral,0,{at}" for at, (said, how) in enumerate(rows)]
    (root / "train_sent_emo.csv").write_bytes("\r\n".join([*lines, ""]).encode("cp1252"))
    return root


def test_quotes_in_a_table_as_publishers_write_them(tmp_path):
    rows = [
        ("It\u2019s him", "joy"),
        ('"So he says, ""You\u2019re not, are you."""', "anger"),
        ('Well "no" is no', "fear"),
        ('"Two lines,\nof one row"', "sadness"),
    ]
    found = scan("meld", meld(tmp_path, *rows))
    emotions = ["happiness", "anger", "fear", "sadness"]
    assert [entry.emotion for entry in found.values()] == emotions


@pytest.mark.parametrize(
    ("first", "last", "problem"),
    [
        ('"and then', '"end"', "',' expected after '\"'"),
        ('"and then', 'the end"', "one cell holds several lines of the table"),
        ('"and then', "end", "unexpected end of data"),
        ("and, then", "end", "8 cells, but the header has 7"),
    ],
)
def test_a_quote_that_stands_open_swallows_no_rows(tmp_path, first, last, problem):
    meld(tmp_path, ("a", "joy"), (first, "joy"), ("b", "anger"), (last, "joy"), ("c", "joy"))
    with pytest.raises(InputError) as error:
        scan("meld", tmp_path)
    assert f"train_sent_emo.csv, line 3: {problem}. Perhaps a double quote" in str(error.value)


def emns(root, *said):
    lines = ["id|utterance|emotion|gender|audio_recording|user_id"]
    lines += [f"{at}|{text}|Happy|Female|wavs/{at}.webm|3" for at, text in enumerate(said)]
    (root / "metadata.csv").write_text("\n".join([*lines, ""]))
    return root


def test_a_table_that_needs_no_quotes(tmp_path):
    assert len(scan("emns", emns(tmp_path, '"No!" she said', "a", "so"))) == 3
    for said in (['"No', "a", 'so"'], ['"No', "a", "so"]):
        with pytest.raises(InputError, match=r"metadata\.csv, line 2: .* double quote"):
            scan("emns", emns(tmp_path, *said))


HEADER = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"


def turn(name, label):
    return (
        f"[6.2901 - 8.2357]\t{name}\t{label}\t[2.5000, 2.5000, 2.5000]\n"
        "C-E2:\tNeutral;\t()\nA-E3:\tval 3; act 2; dom  2;\t()\n\n"
    )


def iemocap(root, turns, suffix=".wav"):
    """Write label files and empty audio; `turns` maps a turn's name to its label."""
    files = {}
    for name, label in turns.items():
        session, dialog = f"Session{int(name[3:5])}", name[:-5]
        tree(root, f"{session}/sentences/wav/{dialog}/{name}{suffix}")
        labels = root / session / "dialog" / "EmoEvaluation" / f"{dialog}.txt"
        files[labels] = files.get(labels, HEADER) + turn(name, label)
    for labels, text in files.items():
        labels.parent.mkdir(parents=True, exist_ok=True)
        labels.write_text(text)
    return root


def test_iemocap_speakers_whoever_wore_the_markers(tmp_path):
    turns = {
        "Ses01F_impro01_F000": "neu",
        "Ses01F_impro01_M001": "hap",
        "Ses01M_impro01_F002": "exc",
        "Ses01M_script01_1b_M003": "ang",
        "Ses02F_script03_2_M044": "sad",
    }
    found = scan("iemocap", iemocap(tmp_path, turns))
    assert {name: facts(entry) for name, entry in found.items()} == {
        "Ses01F_impro01_F000": ("Ses01F", "female", "neutral"),
        "Ses01F_impro01_M001": ("Ses01M", "male", "happiness"),
        "Ses01M_impro01_F002": ("Ses01F", "female", "happiness"),
        "Ses01M_script01_1b_M003": ("Ses01M", "male", "anger"),
        "Ses02F_script03_2_M044": ("Ses02M", "male", "sadness"),
    }
    entry = found["Ses01M_impro01_F002"]
    assert entry.path == "Session1/sentences/wav/Ses01M_impro01/Ses01M_impro01_F002.wav"
    assert dict(entry.extra) == {
        "session": "Ses01",
        "dialog": "Ses01M_impro01",
        "original": "exc",
    }


def test_iemocap_takes_four_classes_and_only_the_folder_itself(tmp_path):
    others = ("fru", "xxx", "sur", "fea", "oth", "dis")
    turns = {f"Ses01F_impro01_F00{n}": label for n, label in enumerate(others)}
    iemocap(tmp_path, {**turns, "Ses01F_impro01_F009": "ang"}, suffix=".flac")
    labels = tmp_path / "Session1" / "dialog" / "EmoEvaluation"
    for hidden in ("Categorical/Ses01F_impro01_e1.txt", "._Ses01F_impro01.txt"):
        (labels / hidden).parent.mkdir(exist_ok=True)
        (labels / hidden).write_bytes(b"\x00\x05\x16[junk")
    (entry,) = scan("iemocap", tmp_path).values()
    assert entry.emotion == "anger"
    assert entry.path.endswith("Ses01F_impro01_F009.flac")


def test_iemocap_turns_without_audio_stay_to_be_reported(tmp_path):
    iemocap(tmp_path, {"Ses01F_impro01_F000": "neu"})
    (tmp_path / "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav").unlink()
    (entry,) = scan("iemocap", tmp_path).values()
    assert entry.where == "Ses01F_impro01.txt, line 3"


def test_iemocap_root_above_and_below(tmp_path):
    iemocap(tmp_path / "IEMOCAP_full_release", {"Ses01F_impro01_F000": "neu"})
    assert len(scan("iemocap", tmp_path)) == 1
    with pytest.raises(InputError, match="one session"):
        scan("iemocap", tmp_path / "IEMOCAP_full_release" / "Session1")


def test_iemocap_label_lines_that_cannot_be_read(tmp_path):
    iemocap(tmp_path, {"Ses01F_impro01_F000": "neu"})
    labels = tmp_path / "Session1" / "dialog" / "EmoEvaluation" / "Ses01F_impro01.txt"
    labels.write_text(HEADER + "[1.0 - 2.0] Ses01F_impro01_F000 neu\n")
    with pytest.raises(InputError, match="line 3"):
        scan("iemocap", tmp_path)


LABELLED = {
    "emns": (
        "metadata.csv",
        "emotion|gender|audio_recording|user_id\nHappy|Female|wavs/recorded_audio_X.webm|3\n",
        "cleaned_webm/recorded_audio_X.webm",
    ),
    "emozionalmente": (
        "metadata/samples.csv",
        "file_name,actor,emotion_expressed\n1612871026347.wav,1,joy\n",
        "audio/1612871026347.wav",
    ),
    "iemocap": (
        "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt",
        HEADER + turn("Ses01F_impro01_F000", "neu"),
        "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav",
    ),
    "meld": (
        "train/train_sent_emo.csv",
        "Speaker,Emotion,Dialogue_ID,Utterance_ID\nRoss,joy,0,0\n",
        "train/train_splits/dia0_utt0.mp4",
    ),
    "mosei": (
        "Raw/Labels/batch.csv",
        f"{MOSEI}\nh,video,0,0,0,0,1,0,0\n",
        "Raw/Audio/clips/video_0.wav",
    ),
    "msppodcast": (
        "Labels/labels_consensus.csv",
        f"{MSP}MSP-PODCAST_0001_0008.wav,N,2.2,4.0,2.6,30,Male,Test1\n",
        "Audios/MSP-PODCAST_0001_0008.wav",
    ),
}
"""A table, what it says, and the audio of it; of the corpora whose labels are not in names."""


@pytest.mark.parametrize("above", ["", "above/"])
@pytest.mark.parametrize("corpus", sorted(CORPORA))
def test_the_layout_of_every_corpus_is_found_and_from_one_level_above(tmp_path, corpus, above):
    table, text, audio = LABELLED.get(corpus, ("", "", ""))
    layouts = [audio] if audio else re.split(r"(?<=\.wav) (?:or|and) ", CORPORA[corpus].layout)
    for number, layout in enumerate(layouts):
        root = tree(tmp_path / str(number), f"{above}{layout}")
        if table:
            tree(root, f"{above}{table}")
            (root / above / table).write_text(text)
        found = CORPORA[corpus].scan(root, {})
        assert [entry.path for entry in found.entries] == [f"{above}{layout}"]
        assert found.notes == []


@pytest.mark.parametrize(
    ("relative", "stored"),
    [
        ("Colère/01.wav", "Colère/01.wav"),
        ("Col\udc8are/01.wav", "Col%8Are/01.wav"),
        ("100%/50%8A.wav", "100%/50%258A.wav"),
        ("%25", "%2525"),
        ("a\nb.wav", "a%0Ab.wav"),
    ],
)
def test_stored_paths(tmp_path, relative, stored):
    assert stored_path(relative) == stored
    assert audio_path(tmp_path, stored) == tmp_path / relative


def test_accents_composed_or_not(tmp_path):
    decomposed = tree(tmp_path, "Cole\u0300re/a.wav") / "Cole\u0300re"
    found = audio_path(tmp_path, "Col\u00e8re/a.wav")
    assert found.samefile(decomposed / "a.wav")


# --- second copies: laryngograph, links ---


def linked(path, target, folder=True):
    try:
        path.symlink_to(target, target_is_directory=folder)
    except OSError:
        pytest.skip("links cannot be made here")


@pytest.mark.parametrize("above", ["", "EmoDB2/"])
@pytest.mark.parametrize("name", ["laryngo", "Laryngo"])
def test_the_laryngograph_of_emodb_2_is_left_out(tmp_path, above, name):
    tree(
        tmp_path,
        *(f"{above}wav/{stem}.wav" for stem in ("03a01Fa", "08a02Na")),
        *(f"{above}{name}/{stem}.wav" for stem in ("03a01Fa", "08a02Na", "09a01Fa", "x")),
    )
    found = scan("emodb", tmp_path)
    assert {key: entry.path for key, entry in found.items()} == {
        "03a01Fa": f"{above}wav/03a01Fa.wav",
        "08a02Na": f"{above}wav/08a02Na.wav",
    }
    assert CORPORA["emodb"].scan(tmp_path, {}).notes == [
        "4 audio files were left out, as what lies in laryngo/ is no speech: "
        f"{above}{name}/03a01Fa.wav, {above}{name}/08a02Na.wav, {above}{name}/09a01Fa.wav "
        "and 1 more"
    ]
    assert scan("emodb", tmp_path / above / name) == {}


def test_a_link_to_the_root_in_the_root(tmp_path):
    tree(tmp_path, "wav/03a01Fa.wav", "wav/08a02Na.wav")
    linked(tmp_path / "again", tmp_path)
    linked(tmp_path / "wav" / "up", "..")
    linked(tmp_path / "wav" / "here", ".")
    for root in (tmp_path, tmp_path / "wav", tmp_path / "again"):
        assert sorted(scan("emodb", root)) == ["03a01Fa", "08a02Na"]
    assert scan("emodb", tmp_path)["03a01Fa"].path == "wav/03a01Fa.wav"


def test_links_beside_what_they_lead_to(tmp_path):
    tree(tmp_path, "wav/03a01Fa.wav", "wav/08a02Na.wav")
    linked(tmp_path / "audio", "wav")  # sorts before what is really there
    linked(tmp_path / "dead", "nowhere")
    linked(tmp_path / "round", "round")
    linked(tmp_path / "one", "two")
    linked(tmp_path / "two", "one")
    linked(tmp_path / "03a01Fa.wav", "wav/03a01Fa.wav", folder=False)
    found = scan("emodb", tmp_path)
    assert {key: entry.path for key, entry in found.items()} == {
        "03a01Fa": "wav/03a01Fa.wav",
        "08a02Na": "wav/08a02Na.wav",
    }


def test_links_are_followed_where_nothing_else_leads(tmp_path):
    tree(tmp_path / "disk", "03a01Fa.wav")
    (tmp_path / "root").mkdir()
    linked(tmp_path / "root" / "wav", tmp_path / "disk")
    assert scan("emodb", tmp_path / "root")["03a01Fa"].path == "wav/03a01Fa.wav"


def test_a_linked_session_of_iemocap_is_not_read_twice(tmp_path):
    turn = "Ses01F_impro01_F000"
    labels = tmp_path / "Session1" / "dialog" / "EmoEvaluation"
    labels.mkdir(parents=True)
    (labels / "Ses01F_impro01.txt").write_text(f"[6.2 - 8.2]\t{turn}\tneu\t[2, 2, 2]\n")
    linked(tmp_path / "Session0", "Session1")
    linked(tmp_path / "self", ".")
    (entry,) = CORPORA["iemocap"].scan(tmp_path, {}).entries
    assert entry.path == f"Session1/sentences/wav/Ses01F_impro01/{turn}.wav"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_labels_of_iemocap_that_are_a_pipe(tmp_path):
    labels = tmp_path / "Session1" / "dialog" / "EmoEvaluation"
    labels.mkdir(parents=True)
    os.mkfifo(labels / "Ses01F_impro01.txt")
    with pytest.raises(InputError, match="not a regular file"):
        CORPORA["iemocap"].scan(tmp_path, {})
