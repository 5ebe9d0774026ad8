"""The emotion vocabulary, a user's additions to it, and the rules for names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser.errors import InputError, did_you_mean, listing
from ser.manifests import EMOTIONS, is_corpus_name, problem_with_id
from ser.manifests.names import check_corpus_name, id_from_path, is_language
from ser.manifests.paths import is_inside, restored_path, stored_path
from ser.manifests.vocabulary import (
    option_for,
    ordered,
    parse_declarations,
    problem_with_emotion,
    read_emotion,
)


def test_words_that_are_read():
    assert [read_emotion(word, {}) for word in ("anger", " Angry ", "HAPPY", "sad")] == [
        "anger",
        "anger",
        "happiness",
        "sadness",
    ]


def test_unknown_words_offer_near_misses():
    with pytest.raises(ValueError, match=r"unknown emotion 'angr' \(did you mean 'ang"):
        read_emotion("angr", {})
    with pytest.raises(ValueError, match="missing"):
        read_emotion("  ", {})


def test_abbreviations_are_advised_as_what_they_begin():
    words = ["ang", "hap", "neu", "dis", "exc", "awe", "an"]
    assert option_for(words, "") == (
        "ang=anger,hap=happiness,neu=neutral,dis=disgust,exc=excitement,awe,an"
    )


def test_declarations():
    declared = parse_declarations("awe, Ärger=anger,pain")
    assert declared == {"awe": "awe", "ärger": "anger", "anger": "anger", "pain": "pain"}
    assert read_emotion("A\u0308rger", declared) == "anger"  # decomposed
    assert read_emotion("Awe", declared) == "awe"
    assert parse_declarations("") == {}


@pytest.mark.parametrize("text", ["angr", "happy", "x=sadnes", "two words", "=", "a/b"])
def test_declarations_that_look_like_mistakes(text):
    with pytest.raises(InputError, match="emotions="):
        parse_declarations(text)


def test_order_of_labels():
    assert ordered(["zeal", "calm", "awe", "fear", "neutral", "fear"]) == (
        "neutral",
        "fear",
        "calm",
        "awe",
        "zeal",
    )


def test_what_may_stand_in_a_manifest():
    assert all(problem_with_emotion(word) is None for word in (*EMOTIONS, "awe", "frustration"))
    assert all(
        problem_with_emotion(word) for word in ("Anger", "happy", "boredome", "", "a b", "1st")
    )


@pytest.mark.parametrize("name", ["emodb", "my-corpus_2", "a" * 64, "7"])
def test_good_corpus_names(name):
    check_corpus_name(name)


@pytest.mark.parametrize("name", ["", "EmoDB", "-a", "a" * 65, "con", "com1", "a.b", "a/b", "ä"])
def test_bad_corpus_names(name):
    assert not is_corpus_name(name)
    with pytest.raises(InputError, match="cannot name a corpus"):
        check_corpus_name(name)


@pytest.mark.parametrize("name", ["03a01Fa", "a.b", "-a", "_", "a" * 128])
def test_good_ids(name):
    assert problem_with_id(name) is None


@pytest.mark.parametrize(
    "name", ["", "a b", "a/b", ".a", "a.", "..", "ä", "a" * 129, "nul", "CON.x"]
)
def test_bad_ids(name):
    assert problem_with_id(name)


def test_ids_from_paths():
    assert id_from_path("a/b.wav") == "a-b"
    assert id_from_path("x.y.wav") == "x.y"
    assert id_from_path("noext") == "noext"
    one, two = id_from_path("愤怒.wav"), id_from_path("悲伤.wav")
    assert one != two
    assert one.startswith("utterance-")


@given(st.text(min_size=1, max_size=300))
def test_ids_from_any_path_are_ids(path):
    assert problem_with_id(id_from_path(path)) is None


ANY_NAME = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")) | st.binary(
    max_size=20
).map(lambda raw: raw.replace(b"\0", b"").decode("utf-8", "surrogateescape"))


@given(ANY_NAME)
def test_any_path_can_be_stored_and_restored(path):
    stored = stored_path(path)
    stored.encode("utf-8")
    assert not set(stored) & {"\r", "\n"}
    assert restored_path(stored) == path


@pytest.mark.parametrize("path", ["a.wav", "a/b.wav", "..a/b..wav", "a/...wav"])
def test_paths_inside(path):
    assert is_inside(path)


@pytest.mark.parametrize(
    "path", ["", ".", "/a", "\\a", "C:a", "c:\\a", "..", "../a", "a/../b", "a\\..\\b", "a\0b"]
)
def test_paths_outside(path):
    assert not is_inside(path)


def test_small_words():
    assert is_language("pt-br")
    assert not is_language("German")
    assert did_you_mean("emodv", ["emodb", "cafe"]) == " (did you mean 'emodb'?)"
    assert did_you_mean("xyz", ["emodb"]) == ""
    assert listing("abcdef", 3) == "a, b, c and 3 more"
    assert listing("ab") == "a, b"
