"""Files, folders and lists, as they are named."""

import os
import sys

import pytest

from ser.errors import InputError
from ser.recognizer.sources import find_sources


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b/2.wav", "b/1.MP3", "b/deep/er/3.opus", "b/notes.txt", "b/.hidden.wav", "a.ogg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def found(*named):
    sources = find_sources([*map(type(named[0]), named)])
    assert sources.count == len(list(sources))
    return sources


def test_files_and_folders_in_the_order_in_which_they_are_named(place):
    from pathlib import Path

    sources = found(Path("b"), Path("a.ogg"), Path("b/2.wav"))
    names = [source.name.replace(os.sep, "/") for source in sources]
    assert names == ["b/1.MP3", "b/2.wav", "b/deep/er/3.opus", "a.ogg", "b/2.wav"]
    assert [source.path.exists() for source in sources] == [True] * 5
    assert sources.widest == len("b/deep/er/3.opus")
    assert not sources.with_ids
    assert not sources.notes


def test_a_list_is_relative_to_its_folder_and_may_have_ids(place):
    (place / "b" / "list.csv").write_text(
        "sep=;\nemotion;Path;ID\nanger;2.wav;x\n\n;deep\\er\\3.opus;\n;../a.ogg;z\n"
    )
    sources = found(place / "b" / "list.csv")
    assert [(source.name, source.id) for source in sources] == [
        ("2.wav", "x"),
        ("deep\\er\\3.opus", ""),
        ("../a.ogg", "z"),
    ]
    assert all(source.path.exists() for source in sources)
    assert sources.with_ids


def test_a_list_streams(place):
    (place / "list.csv").write_text("path\n" + "a.ogg\n" * 1000)
    sources = iter(found(place / "list.csv"))
    next(sources)
    (place / "list.csv").write_text("path\n")
    assert sum(1 for _ in sources) < 1000  # what was read ahead, and no more


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("file,emotion\na.ogg,anger\n", "line 1: the column 'path' is missing; the columns there"),
        ("paht\na.ogg\n", "the column 'path' is missing (did you mean 'paht'?)"),
        ("path,path\na.ogg,b\n", "two columns are named 'path'"),
        ("id,path\nx\n", "line 2: 1 cells, but the header has 2"),
        ("path,id\na.ogg,1\n ,2\n", "line 3: the path is missing"),
        ('path\n"a.ogg\n', "this is no CSV"),
        ("path\n\n", "has a header, and lists no file"),
        ("\n", "is empty; expected a header line"),
        ("", "is empty; expected a header line"),
        ("path\na\0.ogg\n", "line 2: not a text file"),
        (b"path\nM\xfcll.ogg\n", "not UTF-8"),
        (b"PK\x03\x04path", "is a spreadsheet or an archive"),
        ("path\n" + "x" * 2_000_000, "line 2: longer than"),
    ],
)
def test_a_list_that_is_none(place, text, said):
    (place / "list.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError) as caught:
        find_sources([place / "list.csv"])
    assert said in str(caught.value)
    assert str(place / "list.csv") in str(caught.value)


def test_what_is_not_there(place):
    (place / "empty").mkdir()
    (place / "other").mkdir()
    (place / "other" / "x.m4a").write_bytes(b"")
    for name, said in (
        ("gone.wav", "gone.wav: no such file or folder"),
        ("gone.csv", "no such file: "),
        ("empty", "empty: no audio file in it; expected some with the suffixes .aif, "),
        ("other", "other: no audio file that can be read; there are x.m4a: of another format, "),
    ):
        with pytest.raises(InputError) as caught:
            find_sources([place / name])
        assert said in str(caught.value)
    (place / "other" / "y.wav").write_bytes(b"")
    sources = found(place / "other")
    assert [source.path.name for source in sources] == ["y.wav"]
    (note,) = sources.notes
    assert note.endswith("left out x.m4a: of another format, convert: ffmpeg -i OLD NEW.wav")


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes in the file system")
def test_a_pipe_is_no_list(place):
    os.mkfifo(place / "list.csv")
    with pytest.raises(InputError, match="not a regular file"):
        find_sources([place / "list.csv"])


def test_whose_the_files_are(place):
    (place / "list.csv").write_text("who;Path\n a ;b/2.wav\n;a.ogg\n  ;./a.ogg\n")

    def speakers(*named, speaker):
        sources = find_sources([place / name for name in named], speaker)
        return [(source.path.name, source.speaker) for source in sources]

    listed = [("2.wav", "a"), ("a.ogg", ""), ("a.ogg", "")]
    assert speakers("list.csv", speaker="WHO") == listed
    (place / "odd.csv").write_text("path,who\nb/2.wav,a\na.ogg,nan\na.ogg,nan\na.ogg,Unknown\n")
    assert speakers("odd.csv", speaker="who") == [("2.wav", "a"), *[("a.ogg", "")] * 3]
    assert find_sources([place / "odd.csv"], "who").notes == [
        "--speaker who: 'nan' (2), 'Unknown' (1) is nobody's name, and taken for unknown"
    ]
    assert not find_sources([place / "list.csv"], "who").notes
    (place / "twice.csv").write_text("path,who\nb/2.wav,S1\na.ogg,s1\na.ogg,s1\na.ogg,s2\n")
    assert find_sources([place / "twice.csv"], "who").notes == [
        "--speaker who 'S1' (one row) is 's1' in 2 rows: they are heard as two people"
    ]
    assert speakers("list.csv", "b", speaker="all")[2:4] == [("a.ogg", "all"), ("1.MP3", "all")]
    by_folder = dict(speakers("b", "b/../a.ogg", "list.csv", speaker="folder"))
    base = os.path.realpath(place)
    assert by_folder["1.MP3"] == by_folder["2.wav"] == os.path.join(base, "b")  # noqa: PTH118
    assert by_folder["3.opus"] != by_folder["2.wav"]
    assert by_folder["a.ogg"] == base
    with pytest.raises(InputError, match=r"line 1: the column 'age' is missing; the columns there"):
        speakers("list.csv", speaker="age")
    with pytest.raises(InputError, match=r"2.wav is no list that could have this column; expected"):
        speakers("list.csv", "b/2.wav", speaker="who")
