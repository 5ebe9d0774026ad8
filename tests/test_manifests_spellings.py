"""Text in one form, words for "not known", and names that are written in two ways."""

import unicodedata

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ser.errors import InputError
from ser.manifests import Manifest
from ser.manifests.missing import WORDS, is_missing
from ser.manifests.spellings import spelling, spelt_twice, tidy
from ser.manifests.text import alike, plain

from .sound import assert_sound

WRITTEN = [
    # pandas, numpy, R, Stata, SAS, SPSS, SQL, JSON, Go, Praat, Kaldi
    *("", "nan", "NaN", "NA", "N/A", "#N/A", "#NA", "#N/A N/A", "<NA>", "NaT", "None", "null"),
    *("NULL", "nil", "-NaN", "1.#QNAN", "-1.#IND", "nan(ind)", "NA_character_", ".", ".a", "._"),
    *("SYSMIS", "-99", "-1", "-999.0", "−9", "\\N", "(null)", "<nil>", "undefined", "pd.NA"),
    *("--undefined--", "<unk>", "<UNK>", "[unk]", "unk", "unk."),
    *("nan nan", "None_None", "spk_nan", "Speaker: unknown", "subject N/A", "session-nan"),
    # spreadsheets
    *("#VALUE!", "#REF!", "#DIV/0!", "#NULL!", "#NAME?", "#NUM!", "#SPILL!", "#NV", "#WERT!"),
    *("#BEZUG!", "#NOM?", "#¡VALOR!", "#¿NOMBRE?", "#N/D", "Err:502", "########"),
    # people
    *("unknown", "Unknown Speaker", "not known", "not available", "n.a.", "n. a.", "unspecified"),
    *("-", "--", "—", "?", "??", "...", "…", "*", "/", "_", "( )", "\ufffd", "anonymous", "tbd"),
    *("unbekannt", "keine Angabe", "k.A.", "k. A.", "nicht verfügbar", "weiß nicht"),
    *("inconnu", "non spécifié", "NON SPÉCIFIÉ", "indéterminé", "desconocido", "sin datos"),
    *("sconosciuto", "non disponibile", "desconhecido", "não informado", "onbekend", "okänd"),
    *("nieznany", "neznámý", "неизвестно", "Άγνωστος", "bilinmiyor", "未知", "不明", "알 수 없음"),
    # blanks of every kind, and what cannot be seen
    *(" ", "\t", "\xa0", "\u3000", "\u2003", "\u200b", "\ufeff", "\u00ad", "\u2800", "\u3164"),
    *("n\u200ban", "\ufeffnan", "ｎａｎ", "Ｎ／Ａ", "na\u00adn", "\u202enan\u202c"),
]

PEOPLE = [
    *(
        "0",
        "00",
        "1",
        "03",
        "s1",
        "f1",
        "Nana",
        "Nantes",
        "Nanna",
        "Noné",
        "Nán",
        "Naomi",
        "Nilsson",
    ),
    *("Anna", "x", "xxx", "other", "A", "N", "K.A.", "ND", "dk", "una", "Ines", "Ses01F", "-a-1"),
    *(
        "Nan Goldin",
        "nan-tw",
        "speaker",
        "spk_1",
        "spk",
        "unknown_2",
        "unknown1",
        "N1",
        "na2",
        "山田",
        "☺",
        "Ω",
        "Б",
    ),
]


@pytest.mark.parametrize("text", WRITTEN)
def test_what_is_missing(text):
    assert is_missing(text)


@pytest.mark.parametrize("text", PEOPLE)
def test_what_is_not(text):
    assert not is_missing(text)


def test_numbers_below_zero_are_missing_only_where_they_are_names():
    assert is_missing("-1")
    assert not is_missing("-1", numbers=False)
    assert tidy("valence", ["-1.5", "-1", "nan"])[0] == ["-1.5", "-1", ""]
    assert tidy("session", ["-1", "1"])[0] == ["", "1"]


INVISIBLE = st.text("\u200b\u200d\ufeff\u00ad\u2060\u202a\u202c\ufe0f\x00\x07", max_size=2)
BLANK = st.text(" \t\xa0\u3000\u2009\n", max_size=2)
WIDE = {character: character + 0xFEE0 for character in range(0x21, 0x7F)}


@st.composite
def written(draw, words):
    """A word in another case, form and width, with blanks around it and nothing in it."""
    word = draw(st.sampled_from(words))
    word = draw(st.sampled_from([str, str.upper, str.lower, str.title]))(word)
    word = unicodedata.normalize(draw(st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"])), word)
    if draw(st.booleans()):
        word = word.translate(WIDE)
    place = draw(st.integers(0, len(word)))
    return draw(BLANK) + word[:place] + draw(INVISIBLE) + word[place:] + draw(BLANK)


@given(written(sorted(WORDS)))
def test_no_spelling_of_a_word_for_missing_is_a_person(text):
    assert is_missing(text)


@given(st.text())
@example("ẛ̣")
@example("\u0345\u1fb3")
@example("ŉ ﬃ ǅ")
def test_text_has_one_form(text):
    once = plain(text)
    assert plain(once) == once
    assert unicodedata.is_normalized("NFC", once)
    assert once == once.strip()
    folded = alike(text)
    assert alike(folded) == folded
    for form in ("NFC", "NFD"):
        assert plain(unicodedata.normalize(form, text)) == plain(plain(text))
    for form in ("NFKC", "NFKD"):
        assert alike(unicodedata.normalize(form, text)) == folded


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("03", "3"),
        ("03", "3.0"),
        ("003", "3.00"),
        ("3", "3,0"),
        ("Anna", "ANNA"),
        ("José", "Jose\u0301"),
        ("straße", "STRASSE"),
        ("ﬁona", "Fiona"),
        ("Ａ１", "a1"),
        ("s1", "s 1"),
        ("S01", "s_1"),
        ("Spk-1", "spk–01"),
        ("anna maria", "Anna-Maria"),
        ("an\u200bna", "Anna"),
        ("Anna\xa0B", "anna b"),
        ("O'Brien", "O’Brien"),
        ('="03"', "3"),
        ("'03", "03"),
        ("٣", "3"),
        ("М1", "M1"),  # the first is Cyrillic
        ("Ο2", "o2"),  # the first is Greek
        ("spk1.0", "spk1"),
        ("1.", "1"),
    ],
)
def test_one_name_in_two_spellings(one, other):
    assert spelling(one) == spelling(other)
    if plain(one) == plain(other):
        assert len(set(manifest(speaker=[one, other]).table["speaker"])) == 1
    else:
        with pytest.raises(InputError, match=r"speaker .* \(one row\) is .* in 2 rows"):
            manifest(speaker=[one, one, other])


@pytest.mark.parametrize(
    ("one", "other"),
    [("1", "11"), ("1-2", "12"), ("1.1", "1.10"), ("s1", "t1"), ("a", "á"), ("10", "1"), ("0", "")],
)
def test_two_names(one, other):
    assert spelling(one) != spelling(other)
    assert not spelt_twice("speaker", [one, other])


def manifest(**columns):
    """A manifest of as many rows as the columns have, of which these are given."""
    (count,) = {len(values) for values in columns.values()}
    rows = {
        "id": [f"u{n}" for n in range(count)],
        "corpus": ["mine"] * count,
        "language": ["pt"] * count,
        "speaker": ["s"] * count,
        "gender": [""] * count,
        "emotion": ["fear"] * count,
        "path": [f"u{n}.wav" for n in range(count)],
        "duration": [1.0] * count,
        "audio_hash": [f"{n:032x}" for n in range(count)],
    }
    return Manifest(pd.DataFrame({**rows, **columns}))


def test_lines_counts_and_what_to_do(tmp_path):
    made = manifest(speaker=["x1", "x2", "x3", "x4", "b"])
    made.save(tmp_path / "m.csv")
    text = (tmp_path / "m.csv").read_text()
    for number, name in enumerate(("Anna", "Anna", "anna", "ANNA"), 1):
        text = text.replace(f"x{number}", name)
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(InputError) as caught:
        Manifest.load(tmp_path / "m.csv")
    assert str(caught.value).splitlines() == [
        f"{tmp_path / 'm.csv'}: 2 problems",
        "  line 4: speaker 'anna' (one row) is 'Anna' in 2 rows",
        "  line 5: speaker 'ANNA' (one row) is 'Anna' in 2 rows",
        "Write what is one in one way. What is really two needs names that differ by more than "
        "case, zeros, '.0', separators or the form of letters.",
    ]


def test_missing_is_missing_in_a_manifest_and_told():
    made = manifest(
        speaker=["nan", "N/A", "nan", "Unknown", "a"],
        gender=["unknown", "female", "None", "", "-"],
        session=["-1", "1", "NULL", "<NA>", "2"],
        age=["-1", "31", "nan", "n. a.", ""],
    )
    assert list(made.table["speaker"]) == ["", "", "", "", "a"]
    assert list(made.table["gender"]) == ["", "female", "", "", ""]
    assert list(made.table["session"]) == ["", "1", "", "", "2"]
    assert list(made.table["age"]) == ["-1", "31", "", "", ""]
    assert made.notes == (
        "speaker: what means 'not known' was read so in 4 rows: "
        "'nan' (2), 'N/A' (1), 'Unknown' (1)",
        "gender: what means 'not known' was read so in 3 rows: 'unknown' (1), 'None' (1), '-' (1)",
        "session: what means 'not known' was read so in 3 rows: '-1' (1), 'NULL' (1), '<NA>' (1)",
        "age: what means 'not known' was read so in 2 rows: 'nan' (1), 'n. a.' (1)",
    )


@pytest.mark.parametrize("value", [None, float("nan"), pd.NA, pd.NaT])
def test_missing_values_of_pandas(value):
    made = manifest(speaker=[value, "a"], session=[value, 1])
    assert list(made.table["speaker"]) == ["", "a"]
    assert list(made.table["session"]) == ["", "1"]


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        ("emotion", "nan", "the emotion is missing ('nan')"),
        ("emotion", "unknown", "the emotion is missing ('unknown')"),
        ("emotion", "", "the emotion is missing"),
        ("language", "nan", "as in 'nan-tw'"),
        ("language", "und", "the language is not known"),
        ("language", "unk", "the language is not known"),
        ("id", "nan", "the id is missing ('nan')"),
        ("id", "unknown", "the id is missing ('unknown')"),
    ],
)
def test_what_a_manifest_cannot_be_without(column, value, text):
    with pytest.raises(InputError) as caught:
        manifest(**{column: [value]})
    assert text in str(caught.value)


def test_an_id_that_the_path_gives_is_no_missing_one():
    assert manifest(id=["none"], path=["none.wav"]).ids == ("none",)


def test_whole_numbers_that_became_floats():
    for names in (["1.0", "2.0", "10.0"], [1.0, 2.0, 10.0], [1, 2.0, "10.0"]):
        made = manifest(speaker=names)
        assert list(made.table["speaker"]) == ["1", "2", "10"]
        assert "speaker: whole numbers were read without '.0'" in made.notes[0]
    joined = manifest(speaker=["3", "3.0", "4", "pilot"])
    assert list(joined.table["speaker"]) == ["3", "3", "4", "pilot"]
    assert joined.notes == ("speaker: whole numbers were read without '.0': 3.0 is 3",)
    sessions = manifest(speaker=["1.0", "1.1", "2.0"])  # session and number
    assert list(sessions.table["speaker"]) == ["1.0", "1.1", "2.0"]
    assert manifest(weight=["1.0", "2.0"]).notes == ()


@pytest.mark.parametrize("column", ["speaker", "session", "Session", "emotion"])
def test_every_column_of_names(column):
    with pytest.raises(InputError, match=f"{column} 'hot_rage' .* is 'hot-rage'"):
        manifest(**{column: ["hot-rage", "hot_rage", "hot-rage"]})


def test_columns_of_text_may_differ_in_case_alone():
    made = manifest(said=["No.", "no", "NO"], speaker=["a", "b", "c"])
    assert list(made.table["said"]) == ["No.", "no", "NO"]


NAMES = st.one_of(
    written([*PEOPLE, "Anna", "3", "03", "3.0", "4.0", "José"]),
    written(WRITTEN),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)


@given(st.data())
def test_any_manifest_is_sound_or_refused(tmp_path_factory, data):
    count = data.draw(st.integers(1, 6))
    names = st.lists(NAMES, min_size=count, max_size=count)
    columns = {
        "speaker": data.draw(names),
        "session": data.draw(names),
        "said": data.draw(names),
        "gender": data.draw(
            st.lists(
                st.sampled_from(["female", "nan", "", "Male", "?"]), min_size=count, max_size=count
            )
        ),
    }
    try:
        made = manifest(**columns)
    except InputError as error:
        assert "gender 'Male'" in str(error) or " is " in str(error)  # noqa: PT017
    else:
        assert_sound(made, tmp_path_factory.mktemp("m"))
        assert Manifest(made.table).table.equals(made.table)
