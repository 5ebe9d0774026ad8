"""Label maps, ready ones and one's own."""

import pandas as pd
import pytest

from ser.errors import InputError
from ser.manifests import EMOTIONS, LabelMap, Manifest, ready_maps


def corpus(*emotions):
    rows = [
        {
            "id": f"u{number}",
            "corpus": "mine",
            "language": "de",
            "speaker": "s",
            "gender": "",
            "emotion": emotion,
            "path": f"{number}.wav",
            "duration": 1.0,
            "audio_hash": f"{number:016x}",
        }
        for number, emotion in enumerate(emotions)
    ]
    return Manifest(pd.DataFrame(rows))


def written(folder, *rows):
    file = folder / "map.csv"
    file.write_text("\n".join(("from,to", *rows)) + "\n")
    return LabelMap.load(str(file))


MANIFEST = corpus("neutral", "calm", "joyful", "anger", "boredom")


def test_it_merges_drops_and_renames(tmp_path):
    label_map = written(tmp_path, "calm,neutral", "boredom,", "joyful,happiness")
    label_map.check(MANIFEST.labels)
    table = label_map.applied(MANIFEST).table
    assert dict(zip(table["id"], table["emotion"], strict=True)) == {
        "u0": "neutral",
        "u1": "neutral",
        "u2": "happiness",
        "u3": "anger",
    }
    assert MANIFEST.labels == ("neutral", "anger", "boredom", "calm", "joyful")
    assert label_map.note(MANIFEST) == (
        f"Labels by the map {tmp_path / 'map.csv'}: calm as neutral (1), joyful as happiness (1); "
        "left out boredom (1)."
    )


def test_a_map_that_changes_nothing_says_so(tmp_path):
    label_map = written(tmp_path, "sadness,grief")
    assert label_map.applied(MANIFEST).table.equals(MANIFEST.table)
    assert label_map.note(MANIFEST) == (f"The map {tmp_path / 'map.csv'} changes no label of mine.")


def test_words_are_read_as_tables_of_labels_are(tmp_path):
    assert written(tmp_path, " Calm ,Happy").meanings == {"calm": "happiness"}


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("four", {"neutral": 2, "anger": 1}),
        ("six", {"neutral": 2, "anger": 1}),
        ("seven", {"neutral": 2, "anger": 1}),
        ("valence", {"neutral": 2, "negative": 2}),
    ],
)
def test_ready_maps(name, kept):
    label_map = LabelMap.load(name)
    label_map.check(MANIFEST.labels)
    assert label_map.applied(MANIFEST).counts() == kept


def test_ready_maps_give_the_classes_of_their_names():
    made = {name: {*map(LabelMap.load(name), EMOTIONS)} - {""} for name in ready_maps()}
    four = {"neutral", "happiness", "anger", "sadness"}
    assert made == {
        "four": four,
        "six": four | {"fear", "disgust"},
        "seven": four | {"fear", "disgust", "surprise"},
        "valence": {"negative", "neutral", "positive"},
    }


def test_a_map_of_an_emotion_that_no_corpus_has(tmp_path):
    label_map = written(tmp_path, "joyfull,happiness")
    with pytest.raises(InputError) as error:
        label_map.check(MANIFEST.labels)
    assert str(error.value) == (
        f"label map {tmp_path / 'map.csv'}: no corpus has the emotion 'joyfull' (did you mean "
        "'joyful'?); they have neutral, anger, boredom, calm, joyful"
    )


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "has no labels"),
        (["neutral,", "*,"], "maps to no label, so that nothing would be left"),
        (["neutral,none"], "line 2: 'none' is no label; to leave out 'neutral', leave the column"),
        (["neutral,", "neutral,calm"], "line 3: 'neutral' is given two labels, 'left out' and"),
        ([",calm"], "line 2: nothing stands in the column from"),
        (["calm,*"], "line 2: '*' can only stand in the column from"),
        (["calm,angr"], "line 2: unknown emotion 'angr' (did you mean 'anger'?)"),
    ],
)
def test_maps_that_cannot_be(tmp_path, rows, message):
    with pytest.raises(InputError) as error:
        written(tmp_path, *rows)
    assert message in str(error.value)


def test_what_stands_for_the_rest_leaves_alone_what_others_become(tmp_path):
    label_map = written(tmp_path, "calm,neutral", "boredom,", "*,other")
    assert list(map(label_map, MANIFEST.labels)) == ["neutral", "other", "", "neutral", "other"]


def test_one_s_own_is_read_as_a_file_is():
    assert LabelMap.of({" Happy": "Calm", "BORED": ""}).meanings == {
        "happiness": "calm",
        "boredom": "",
    }
    with pytest.raises(InputError, match=r"entry 1: 'none' is no label"):
        LabelMap.of({"calm": "none"})
    with pytest.raises(InputError, match=r"entry 2: 'happiness' is given two labels"):
        LabelMap.of({"happy": "calm", "joy": "anger"})
    with pytest.raises(InputError, match="has no labels"):
        LabelMap.of({})


@pytest.mark.parametrize(
    ("rows", "left"),
    [
        (["anger,", "*,neutral"], "leaves only 'neutral' of mine"),
        (["neutral,", "calm,", "joyful,", "anger,", "boredom,"], "leaves nothing of mine"),
    ],
)
def test_maps_that_leave_too_little(tmp_path, rows, left):
    with pytest.raises(InputError, match=left):
        written(tmp_path, *rows).applied(MANIFEST)


def test_a_map_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"no label map 'for' \(did you mean 'four'"):
        LabelMap.load("for")


def test_labels_that_look_like_one():
    label_map = LabelMap.of({"calm": "high-joy", "anger": "high_joy"})
    with pytest.raises(InputError, match=r"leaves mine the labels .* which look like one\."):
        label_map.applied(MANIFEST)


@pytest.mark.parametrize("meanings", [{1: "calm"}, {"calm": 0}, {"calm": ["x"]}])
def test_what_is_no_text_is_refused(meanings):
    with pytest.raises(InputError, match="expected an emotion and its label as text"):
        LabelMap.of(meanings)
