"""The CSV of a corpus of one's own: labels, paths, what spreadsheets add; every remedy is tried."""

import re
import shlex
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser.errors import InputError
from ser.manifests import Manifest, build_manifest, id_from_path
from ser.manifests.csv_corpus import scan_csv
from ser.manifests.paths import audio_path, composed_path
from ser.manifests.vocabulary import (
    EMOTIONS,
    LEFT_OUT,
    SYNONYMS,
    option_for,
    parse_declarations,
    problem_with_emotion,
    read_emotion,
)

from .test_manifests_build import speak


def scan(folder, text, root=None, language="pt", **options):
    file = folder / "mine.csv"
    file.write_bytes(text.encode())
    return scan_csv(file, language, root or folder, options)


def labelled(labels, **columns):
    """A table with these labels, one row each."""
    names = ["path", "emotion", *columns]
    rows = zip(labels, *columns.values(), strict=True)
    return "\n".join(
        [",".join(names), *(",".join((f"{n}.wav", *row)) for n, row in enumerate(rows))]
    )


def message(folder, text, **kwargs):
    with pytest.raises(InputError) as caught:
        scan(folder, text, **kwargs)
    return str(caught.value)


def suggested(text):
    """The option that a message says to type, as (name, value)."""
    words = shlex.split(re.search(r"--option .*", text)[0])
    return words[1].partition("=")[::2]


# --- labels ---


def test_a_label_in_many_rows_is_told_once(tmp_path):
    told = message(tmp_path, labelled(["frustrated", "angr"] * 100))
    assert told.splitlines()[:3] == [
        f"{tmp_path / 'mine.csv'}: 200 problems",
        "  lines 2, 4, 6, 8, 10 and 95 more: unknown emotion 'frustrated'",
        "  lines 3, 5, 7, 9, 11 and 95 more: unknown emotion 'angr' (did you mean 'angry' or "
        "'anger'?)",
    ]
    assert len(told) < 900


@pytest.mark.parametrize(
    ("label", "read"),
    [
        ("anger2", "anger"),
        ("angr", "anger"),
        ("Hapiness", "happiness"),
        ("anger-", "anger"),
        ("surprise-neg", "surprise-neg"),
        ("anger_hot", "anger_hot"),
        ("unhappiness", "unhappiness"),
        ("unhappy", "unhappy"),
        ("Non-neutral", "non-neutral"),
        ("unhapiness", "unhapiness"),
        ("awe", "awe"),
        ("Spaß", "spaß"),
        ("愤怒", "愤怒"),
        ("खुशी", "खुशी"),
        ("hot anger", "hot-anger"),
        ("a/b", "a-b"),
        ("happy;sad", "happy-sad"),
        ("it's", "it-s"),
        ("1", "label-1"),
        ("x" * 50, "x" * 32),
        ("😀", None),
        ("nan", None),
        ("Unknown", None),
        ("", None),
        ("-", None),
        ("#N/A", None),
    ],
)
def test_what_a_message_suggests_works(tmp_path, label, read):
    table = labelled([label, "fear", "calm", label])
    name, value = suggested(message(tmp_path, table))
    made = scan(tmp_path, table, **{name: value})
    expected = ["fear", "calm"] if read is None else [read, "fear", "calm", read]
    assert [entry.emotion for entry in made.entries] == expected
    assert made.notes or read == label.lower()


def test_one_suggestion_covers_all_and_keeps_what_was_given(tmp_path):
    labels = ["awe", "angr", "hot anger", "hot_anger", "N/A", "", "anger2", "xxx", "fear", "Awe "]
    told = message(tmp_path, labelled(labels), emotions="xxx=,pain")
    name, value = suggested(told)
    assert value == "xxx=,pain,awe,angr=anger,hot anger=hot-anger,hot_anger=hot-anger,missing=," + (
        "anger2=anger"
    )
    made = scan(tmp_path, labelled(labels), **{name: value})
    assert [entry.emotion for entry in made.entries] == [
        *("awe", "anger", "hot-anger", "hot-anger", "anger", "fear", "awe")
    ]


def test_labels_that_no_option_can_say(tmp_path):
    told = message(tmp_path, labelled(['"happy, sad"', "a=b", "\uffffcalm", "fear"]))
    assert (
        r"Write 'happy, sad', 'a=b', '\uffffcalm' in the table without ',', '=' and what cannot be "
        "printed."
    ) in told
    assert "--option" not in told


WORDS = st.one_of(
    st.sampled_from([*EMOTIONS, *SYNONYMS, "nan", "?", "unhappy", "surprise-neg", "anger2"]),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40),
)


@given(st.lists(WORDS, max_size=6))
def test_any_words_that_are_refused_get_an_option_that_reads_them(words):
    refused = []
    for word in words:
        try:
            read_emotion(word, {})
        except ValueError:
            refused.append(word)
    option = option_for(refused, "")
    assert option.isprintable()
    declared = parse_declarations(option)
    for word in refused:
        text = unicodedata.normalize("NFKC", word)
        if text.isprintable() and not {",", "="} & set(text):
            read = read_emotion(word, declared)
            assert read == LEFT_OUT or problem_with_emotion(read) is None


def test_rows_are_left_out_and_counted(tmp_path):
    made = scan(tmp_path, labelled(["xxx", "fear", "XXX ", "anger"]), emotions="xxx=")
    assert [entry.emotion for entry in made.entries] == ["fear", "anger"]
    assert made.notes == ["2 rows were left out, whose emotion is 'xxx'"]
    made = scan(tmp_path, labelled(["oth", "fear", "nan", "", "anger"]), emotions="oth=, NaN= ")
    assert [entry.id for entry in made.entries] == ["1", "4"]
    assert made.notes == [
        "1 rows were left out, whose emotion is 'oth'",
        "1 rows were left out, whose emotion is 'nan'",
        "1 rows were left out, whose emotion is ''",
    ]


def test_what_is_left_out_is_not_looked_at(tmp_path):
    text = labelled(["xxx", "fear", "calm"], speaker=["ANNA", "Anna", "b"], gender=["q", "f", "m"])
    assert len(scan(tmp_path, text, emotions="xxx=").entries) == 2


@pytest.mark.parametrize(
    ("labels", "option", "expected"),
    [
        (["xxx", "xxx"], "xxx=", "emotions=xxx= leaves out all 2 rows"),
        (["xxx", "fear"], "xxx=", "leaves out all rows but those of 'fear'"),
        (["fear", "fear"], "fear=", "leaves out all 2 rows"),
    ],
)
def test_nothing_is_left_to_tell_apart(tmp_path, labels, option, expected):
    assert expected in message(tmp_path, labelled(labels), emotions=option)


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("=anger", "no word stands before '='"),
        ("=", "no word stands before '='"),
        (" = ", "no word stands before '='"),
        ("xxx==", "more than one '='"),
        ("xxx=a=b", "more than one '='"),
        ("nan", "'nan' means that the emotion is not known"),
        ("Unknown", "'unknown' means that the emotion is not known"),
        ("-", "'-' means that the emotion is not known"),
        ("?,awe", "'?' means that the emotion is not known"),
        ("xxx=nan", "'nan' means that the emotion is not known"),
        ("xxx=N/A", "'n/a' means that the emotion is not known"),
        ("a=anger,A=fear", "two meanings, 'anger' and 'fear'"),
        ("a=anger,a=", "two meanings, 'anger' and 'left out'"),
        ("a=,a", "two meanings, 'left out' and 'a'"),
        ("hot-anger,hot_anger", "'hot_anger'"),
        ("anger2", "anger2=anger"),
        ("hapy", "hapy=happy"),
    ],
)
def test_declarations_that_cannot_be(option, expected):
    try:
        declared = parse_declarations(option)
    except InputError as error:
        assert expected in str(error)  # noqa: PT017
    else:
        assert option == "hapy"  # no name of the vocabulary is that near
        assert declared == {"hapy": "hapy"}


def test_an_own_emotion_beside_one_like_it(tmp_path):
    labels = ["unhappiness", "happiness", "danger", "anger"]
    made = scan(tmp_path, labelled(labels), emotions="unhappiness,danger=felt-danger")
    assert [entry.emotion for entry in made.entries] == [
        *("unhappiness", "happiness", "felt-danger", "anger")
    ]
    made = scan(tmp_path, labelled(labels), emotions="unhappiness=sadness,danger=fear")
    assert [entry.emotion for entry in made.entries] == ["sadness", "happiness", "fear", "anger"]


def test_declared_words_that_no_row_has_are_told(tmp_path):
    made = scan(tmp_path, labelled(["fear", "calm"]), emotions="awe,xxx=,nan=")
    assert made.notes == ["no row has the emotion 'awe', 'xxx' of --option"]


def test_a_word_for_missing_can_be_read_as_an_emotion_if_one_says_so(tmp_path):
    made = scan(tmp_path, labelled(["none", "fear"]), emotions="none=neutral")
    assert [entry.emotion for entry in made.entries] == ["neutral", "fear"]
    assert made.notes == ["'none' was read as 'neutral' (1 rows)"]


# --- speakers, ids, languages ---


def test_missing_speakers_and_ids_are_told(tmp_path):
    text = labelled(
        ["fear", "calm", "fear"],
        speaker=["Unknown", "2.0", "3"],
        id=["nan", "u2", "NaN"],
        gender=["N/A", "W", "u"],
    )
    made = scan(tmp_path, text)
    assert [entry.id for entry in made.entries] == ["0", "u2", "2"]
    assert [entry.speaker for entry in made.entries] == ["", "2", "3"]
    assert [entry.gender for entry in made.entries] == ["", "female", ""]
    assert made.notes == [
        "speaker: what means 'not known' was read so in one row: 'Unknown' (1)",
        "speaker: whole numbers were read without '.0': 2.0 is 2",
        "gender: what means 'not known' was read so in one row: 'N/A' (1)",
        "id: made of the path where it is missing: 'nan' (1), 'NaN' (1)",
    ]


def test_a_speaker_in_two_spellings(tmp_path):
    told = message(tmp_path, labelled(["fear"] * 4, speaker=["03", "3", "x", "3"]))
    assert told.splitlines()[1] == "  line 2: speaker '03' (one row) is '3' in 2 rows"
    assert "Write what is one in one way." in told


@pytest.mark.parametrize("word", ["nan", "NaN", "unknown", "?", "und"])
def test_a_language_that_is_not_known(tmp_path, word):
    text = labelled(["fear", "calm"], language=[word, word])
    assert "which language is" in message(tmp_path, text, language=None) or word == "und"
    with pytest.raises(InputError):
        scan(tmp_path, text, language=None)
    if word != "und":
        made = scan(tmp_path, text, language="de")
        assert (made.language, made.notes) == (
            "de",
            [f"language: {word.lower()!r} means 'not known'"],
        )


def test_min_nan_can_be_said(tmp_path):
    told = message(tmp_path, labelled(["fear", "calm"], language=["nan", "nan"]), language=None)
    assert "'nan-tw'" in told
    assert (
        scan(tmp_path, labelled(["fear"], language=["nan-TW"]), language=None).language == "nan-tw"
    )
    with pytest.raises(InputError, match="nan-tw"):
        build_manifest("mine", tmp_path, csv=tmp_path / "mine.csv", language="nan")


def test_one_language_in_two_forms(tmp_path):
    made = scan(tmp_path, labelled(["fear", "calm"], language=["pt_BR", "PT-br"]), language=None)
    assert made.language == "pt-br"


def test_two_paths_that_give_one_id(tmp_path):
    told = message(tmp_path, "path,emotion\na/b.wav,fear\na-b.wav,calm\n")
    assert "line 3: the path gives the id 'a-b', which line 2 has already" in told
    assert "add a column 'id'" in told
    told = message(tmp_path, "path,emotion,id\na.wav,fear,x\nb.wav,calm,X\nc.wav,calm,x\n")
    assert "line 3: the ids 'X' and 'x', of line 2, differ in upper and lower case alone" in told
    assert "line 4: duplicate id 'x', which line 2 has already" in told
    assert len(scan(tmp_path, "path,emotion,id\na/b.wav,fear,\na-b.wav,calm,x\n").entries) == 2
    told = message(tmp_path, "path,emotion\na.wav,fear\na.wav,calm\n")
    assert "One path stands in several rows" in told


# --- what spreadsheets and pandas make of a table ---


@pytest.mark.parametrize(
    "text",
    [
        "path;emotion;speaker\n1.wav;fear;a\n2.wav;calm;b\n",
        'sep=;\r\npath;emotion;speaker\r\n1.wav;fear;"a"\r\n2.wav;calm;b\r\n',
        "sep=,\npath,emotion,speaker\n1.wav,fear,a\n2.wav,calm,b\n",
        "path\temotion\tspeaker\n1.wav\tfear\ta\n2.wav\tcalm\tb\n",
        '"path";"emotion";"speaker"\n"1.wav";"fear";"a"\n"2.wav";"calm";"b"\n',
        "path,emotion,speaker,,\n1.wav,fear,a,,\n2.wav,calm,b,,\n,,,,\n,,,,\n",
        "path,emotion,speaker\n1.wav,fear,a,,\n2.wav,calm,b\n",
        ",path,emotion,speaker\n0,1.wav,fear,a\n1,2.wav,calm,b\n",
        '"","path","emotion","speaker"\n"1","1.wav","fear","a"\n"2","2.wav","calm","b"\n',
        "Unnamed: 0.1,Unnamed: 0,path,emotion,speaker\n7,0,1.wav,fear,a\n9,1,2.wav,calm,b\n",
        "path,emotion,,speaker\n1.wav,fear,,a\n2.wav,calm, ,b\n",
        "\ufeffＰａｔｈ,EMOTION\u200b,\ufeffSpeaker\n1.wav,fear\xa0,a\n2.wav,\u200bcalm,b\n",
        "path,emotion,speaker\r1.wav,fear,a\r2.wav,calm,b\r",
        "\n\n  \npath,emotion,speaker\n\n1.wav,fear,a\n\n2.wav,calm,b\n",
    ],
)
def test_what_is_added_to_a_table_does_no_harm(tmp_path, text):
    made = scan(tmp_path, text)
    assert [(entry.path, entry.emotion, entry.speaker) for entry in made.entries] == [
        ("1.wav", "fear", "a"),
        ("2.wav", "calm", "b"),
    ]
    assert all(not entry.extra for entry in made.entries)


def test_a_column_that_was_left_out_is_told(tmp_path):
    made = scan(tmp_path, "Unnamed: 0,path,emotion\n0,1.wav,fear\n1,2.wav,calm\n")
    assert made.notes == ["column 1 ('Unnamed: 0') was left out: it numbers the rows"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"path;emotion"\n"1.wav;fear"\n', "the whole line stands in quotes as one cell"),
        ('"path,emotion"\n"1.wav,fear"\n', "the whole line stands in quotes as one cell"),
        (",path,emotion\nx,1.wav,fear\n", "column 1 has no name"),
        ("path,emotion,\n1.wav,fear,x\n", "column 3 has no name"),
        (",path,emotion\n5,1.wav,fear\n5,2.wav,calm\n", "column 1 has no name"),
        ("path;emotion\n1.wav;fear;x\n", "line 2: 3 cells"),
        ("path,emotion,speaker\n1.wav,fear\n", "line 2: 2 cells"),
        ("Path,emotion,PATH\n1.wav,fear,x\n", "two columns are named 'path'"),
        ("PK\x03\x04 and so on", "a spreadsheet or an archive"),
    ],
)
def test_what_cannot_be_read_safely(tmp_path, text, expected):
    assert expected in message(tmp_path, text)


def test_a_semicolon_inside_a_cell_is_no_separator(tmp_path):
    made = scan(tmp_path, 'path,emotion,note\n1.wav,fear,"a;b;c"\n2.wav,calm,d;e\n')
    assert [entry.extra["note"] for entry in made.entries] == ["a;b;c", "d;e"]


# --- paths ---


@pytest.mark.parametrize("word", ["", "nan", "None", "N/A", "-"])
def test_a_path_that_is_missing(tmp_path, word):
    assert "line 3: the path is missing" in message(
        tmp_path, f"path,emotion\na.wav,fear\n{word},calm\n"
    )
    (tmp_path / "nan").touch()
    assert scan(tmp_path, "path,emotion\nnan,fear\n").entries[0].path == "nan"


def test_absolute_paths_get_the_root_that_works(tmp_path):
    audio = tmp_path / "some where" / "audio"
    for number in range(185):
        (audio / f"s{number % 3}").mkdir(parents=True, exist_ok=True)
        (audio / f"s{number % 3}" / f"{number}.wav").touch()
    files = sorted(audio.rglob("*.wav"))
    text = "path,emotion\n" + "".join(f"{file},fear\n" for file in files)
    (tmp_path / "elsewhere").mkdir()
    told = message(tmp_path, text, root=tmp_path / "elsewhere")
    assert told.count("\n") == 1
    assert "185 absolute paths do not lie in the corpus root" in told
    assert f"Their common folder is {audio}" in told
    words = shlex.split(told[told.index("--root") :])
    made = scan(tmp_path, text, root=type(tmp_path)(words[1]))
    assert [entry.path for entry in made.entries] == [
        file.relative_to(audio).as_posix() for file in files
    ]
    urls = "path,emotion\n" + "".join(f"{file.as_uri()},fear\n" for file in files)
    assert f"--root {shlex.quote(str(audio))}" in message(
        tmp_path, urls, root=tmp_path / "elsewhere"
    )
    assert len(scan(tmp_path, urls, root=audio).entries) == 185


@pytest.mark.parametrize(
    "prefix", ["/home/somebody/data/", "C:\\Users\\x\\data\\", "\\\\server\\share\\", "D:/data/"]
)
def test_absolute_paths_of_another_machine(tmp_path, prefix):
    (tmp_path / "wav").mkdir()
    (tmp_path / "wav" / "1.wav").touch()
    joint = "\\" if "\\" in prefix else "/"
    told = message(tmp_path, f"path,emotion\n{prefix}wav{joint}1.wav,fear\n{prefix}2.wav,calm\n")
    assert "2 absolute paths" in told
    assert "No such file exists on this machine." in told
    assert f"Write paths relative to {tmp_path}: 'wav/1.wav' is there" in told
    told = message(tmp_path, f"path,emotion\n{prefix}9.wav,fear\n")
    assert "an absolute path does not lie" in told
    assert "Write paths relative to the folder that holds the audio here" in told


def test_absolute_paths_that_no_root_fits(tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "a.wav").touch()
    (tmp_path / "here" / "b.wav").touch()
    text = f"path,emotion\n{tmp_path / 'a.wav'},fear\nb.wav,calm\n"
    told = message(tmp_path, text, root=tmp_path / "here")
    assert "1 of them exist. Write all paths relative to one folder" in told


def test_some_absolute_paths_that_do_not_exist(tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "a.wav").touch()
    text = f"path,emotion\n{tmp_path / 'a.wav'},fear\n{tmp_path / 'b.wav'},calm\n"
    told = message(tmp_path, text, root=tmp_path / "here")
    assert f"folder is {tmp_path}, where 1 of them exist: --root" in told


# --- one path in two Unicode forms ---

NAMES = [
    "Colère/é1.wav",
    "naïve/ü.wav",
    "한국어/말.wav",
    "Å/Ångström.wav",
    "がぎ.wav",
    "plain/a.wav",
]
FORMS = ["NFC", "NFD"]


@given(st.text(min_size=1, max_size=40))
def test_ids_are_those_of_the_composed_path(path):
    ids = {id_from_path(unicodedata.normalize(form, path)) for form in FORMS}
    assert ids == {id_from_path(path)}


def lay(folder, form):
    """Audio under these names, in one form; skips where the file system has a form of its own."""
    for seed, name in enumerate(NAMES):
        speak(folder / unicodedata.normalize(form, name), seed)
    return folder


@pytest.mark.parametrize("listed", FORMS)
@pytest.mark.parametrize("disk", FORMS)
def test_lists_and_disks_of_two_systems_give_one_manifest(tmp_path, listed, disk):
    root = lay(tmp_path / "audio", disk)
    emotions = [*EMOTIONS[:5], "anger"]
    rows = [
        f"{unicodedata.normalize(listed, name)},{emotion}"
        for name, emotion in zip(NAMES, emotions, strict=True)
    ]
    (tmp_path / "mine.csv").write_text("\n".join(["path,emotion", *rows]), encoding="utf-8")
    made = build_manifest("mine", root, csv=tmp_path / "mine.csv", language="fr")
    assert made.bad == []
    assert list(made.manifest.ids) == sorted(id_from_path(name) for name in NAMES)
    assert sorted(made.manifest.table["path"]) == sorted(
        unicodedata.normalize("NFC", name) for name in NAMES
    )
    made.manifest.save(tmp_path / "m.csv")
    loaded = Manifest.load(tmp_path / "m.csv")
    assert all(audio_path(root, path).is_file() for path in loaded.table["path"])


def test_a_folder_and_a_file_in_different_forms(tmp_path):
    name = f"{unicodedata.normalize('NFD', 'Colère')}/{unicodedata.normalize('NFC', 'né.wav')}"
    speak(tmp_path / name, 1)
    for form in FORMS:
        assert audio_path(tmp_path, unicodedata.normalize(form, name)).is_file()
    # U+212B is an A with a ring that no form keeps.
    speak(tmp_path / "\u212b" / "x.wav", 2)
    for name in ("\u212b/x.wav", "\xc5/x.wav", "A\u030a/x.wav"):
        assert audio_path(tmp_path, name).is_file()
    assert not audio_path(tmp_path, "\xc5/y.wav").exists()


def test_two_files_that_differ_in_form_alone_are_two(tmp_path):
    one, other = (unicodedata.normalize(form, "é.wav") for form in FORMS)
    speak(tmp_path / one, 1)
    speak(tmp_path / other, 2)
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("this file system knows one form only")
    assert composed_path(tmp_path, other) == other
    told = message(tmp_path, f"path,emotion\n{one},fear\n{other},calm\n")
    assert "add a column 'id'" in told
    text = f"path,emotion,id\n{one},fear,a\n{other},calm,b\n"
    (tmp_path / "mine.csv").write_text(text, encoding="utf-8")
    made = build_manifest("mine", tmp_path, csv=tmp_path / "mine.csv", language="fr")
    assert made.manifest.table["audio_hash"].nunique() == 2


def test_paths_with_blanks_at_their_ends_come_back(tmp_path):
    try:
        speak(tmp_path / " a" / "b .wav", 1)
        speak(tmp_path / "c\xa0.wav", 2)
    except OSError:
        pytest.skip("this file system does not take such names")
    text = "path,emotion\n a/b .wav,fear\n c\xa0.wav ,calm\n"
    (tmp_path / "mine.csv").write_text(text, encoding="utf-8")
    made = build_manifest("mine", tmp_path, csv=tmp_path / "mine.csv", language="fr")
    assert made.bad == []
    made.manifest.save(tmp_path / "m.csv")
    assert Manifest.load(tmp_path / "m.csv").table.equals(made.manifest.table)
