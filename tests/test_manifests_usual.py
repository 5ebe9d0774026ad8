"""What cells usually look like: it must be fine as it stands."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ser.manifests.csv_files import read_csv
from ser.manifests.csv_paths import path_in_root
from ser.manifests.fingerprint import FINGERPRINT
from ser.manifests.manifest import _problem_with_cell
from ser.manifests.missing import WORDS, is_missing
from ser.manifests.text import plain
from ser.manifests.usual import _USUAL, unusual

LIKE_IDS = st.text("NnAa0129-_.", min_size=1, max_size=8) | st.sampled_from(
    ["nan_12", "con.12", "com12", "com1.22", "lpt99", "-99", "99", "nan-nan"]
)


@given(st.data())
@pytest.mark.parametrize("column", list(_USUAL))
def test_a_usual_cell_has_no_problem_and_is_as_it_would_be_tidied(column, data):
    text = data.draw(st.from_regex(_USUAL[column], fullmatch=True))
    assert unusual(column, [text]) == set()
    assert _problem_with_cell(column, text) is None
    assert plain(text) == text


@given(LIKE_IDS | st.sampled_from(sorted(WORDS)))
@example("nan")
def test_an_id_that_says_it_is_not_known_is_looked_at(text):
    if is_missing(text) or _problem_with_cell("id", text):
        assert unusual("id", [text]) == {text}


@given(st.from_regex(_USUAL["path"], fullmatch=True))
def test_a_usual_path_of_a_table_is_that_of_the_manifest(text):
    assert path_in_root(text, Path("nowhere")) == text


def test_each_unusual_value_comes_once_and_columns_without_a_look_are_all_unusual():
    assert unusual("id", ["a01", "nan", "nan", "a02"]) == {"nan"}
    assert unusual("speaker", ["a01", "a01", "b"]) == {"a01", "b"}
    assert unusual(FINGERPRINT, ["", "A" * 63]) == {""}


CELLS = st.text("ab é,;\t\n\"'\u200b", max_size=4)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=4), st.sampled_from(["\n", "\r\n"]))
def test_a_table_is_read_alike_with_quotes_and_without(rows, end):
    """Quotes, and lines that end in another way, send a table down another path."""
    tables = []
    for quoting, terminator in ((csv.QUOTE_MINIMAL, "\n"), (csv.QUOTE_ALL, end)):
        file = io.StringIO()
        writer = csv.writer(file, quoting=quoting, lineterminator=terminator)
        writer.writerows([("path", "emotion", "more"), *rows])
        table = read_csv("it.csv", ("path", "emotion"), data=file.getvalue().encode())
        tables.append((table.columns, list(table.lines), table.notes, table.rows))
    assert tables[0] == tables[1]


@pytest.mark.parametrize(
    ("text", "lines", "paths"),
    [
        ("path,emotion\na,x\nb,y\n", [2, 3], ["a", "b"]),
        ("path,emotion\na,x\nb,y", [2, 3], ["a", "b"]),
        ("path,emotion\na,x\n\n , \nb,y\n", [2, 5], ["a", "b"]),
        ("\npath,emotion\na,x\n", [3], ["a"]),
        ("sep=,\npath,emotion\na,x\n", [3], ["a"]),
        ("path,emotion,\na,x\nb,y,\n", [2, 3], ["a", "b"]),
    ],
)
def test_lines_are_numbered_whatever_lies_between(text, lines, paths):
    table = read_csv("it.csv", ("path", "emotion"), data=text.encode())
    assert (list(table.lines), table.columns["path"]) == (lines, paths)
