import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser.progress import LONGEST, message, plain

HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@given(st.text(st.characters(), max_size=40))
def test_nothing_that_controls_or_hides_is_left(text):
    shown = plain(text)
    shown.encode("utf-8")  # no lone surrogate
    assert {unicodedata.category(c) for c in shown.replace("\n", "").replace("\t", "")}.isdisjoint(
        HIDDEN
    )
    assert shown.count("\n") == text.count("\n")


@given(st.text(st.characters(categories=["L", "M", "N", "P", "S"])))
def test_words_of_any_language_stay_as_they_are(text):
    assert plain(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Grüße, Ärger, 悲しみ, گفتار", "Grüße, Ärger, 悲しみ, گفتار"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("a\rb\x08\x7f\x9b", "a\\x0db\\x08\\x7f\\x9b"),
        ("evil\u202egnp.wav", "evil\\u202egnp.wav"),
        ("zero\u200bwidth\ufeff\xad\u2066", "zero\\u200bwidth\\ufeff\\xad\\u2066"),
        ("Col\udc8are", "Col\\x8are"),
        ("\ud83d alone", "\\ud83d alone"),
        ("a\u2028b\xa0c", "a\\u2028b\\xa0c"),
        ("\U000e0041tag", "\\U000e0041tag"),
    ],
)
def test_what_is_escaped_is_told_by_its_number(text, shown):
    assert plain(text) == shown


def test_an_endless_line_is_cut_in_the_middle_and_the_others_stay():
    text = message(f"first\n{'a' * 500}{'x' * 99_000}{'z' * 500}\nlast")
    lines = text.split("\n")
    assert lines[0] == "first"
    assert lines[2] == "last"
    assert lines[1] == f"{'a' * 500} [... 99000 characters ...] {'z' * 500}"


@given(st.text(st.characters(), max_size=3 * LONGEST))
def test_a_line_of_a_message_is_never_long(text):
    assert all(len(line) <= LONGEST + 40 for line in message(text).split("\n"))
