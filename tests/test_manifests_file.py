"""The manifest as a value and as a file: checks with line numbers, stable bytes, its id."""

import hashlib

import pandas as pd
import pytest

from ser.errors import InputError
from ser.manifests import COLUMNS, Manifest


def row(name="a", **changes):
    values = {
        "id": name,
        "corpus": "mine",
        "language": "pt",
        "speaker": "s1",
        "gender": "female",
        "emotion": "fear",
        "path": f"wav/{name}.wav",
        "duration": 1.5,
        "audio_hash": hashlib.sha256(name.encode()).hexdigest()[:32],
    }
    return {**values, **changes}


def manifest(*rows):
    return Manifest(pd.DataFrame(list(rows)))


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "mine.csv"
    manifest(row("b", emotion="awe"), row("a", path="Colère, %8A/a.wav")).save(path)
    return path


def test_a_manifest_by_hand():
    made = manifest(
        row("b", emotion="zeal", duration=1800),
        row("c", emotion="anger", duration=5400.00004),
        row("a", emotion="zeal", duration=0.1),
    )
    assert made.ids == ("a", "b", "c")
    assert len(made) == 3
    assert (made.corpus, made.language) == ("mine", "pt")
    assert made.labels == ("anger", "zeal")
    assert made.counts() == {"anger": 1, "zeal": 2}
    assert made.hours == pytest.approx(7200.1 / 3600)
    assert list(made.table.columns) == list(COLUMNS)


def test_the_bytes_of_a_file(saved):
    a, b = row("a")["audio_hash"], row("b")["audio_hash"]
    assert saved.read_bytes().decode() == (
        "id,corpus,language,speaker,gender,emotion,path,duration,audio_hash\n"
        f'a,mine,pt,s1,female,fear,"Colère, %8A/a.wav",1.5000,{a}\n'
        f"b,mine,pt,s1,female,awe,wav/b.wav,1.5000,{b}\n"
    )


def test_saving_what_was_loaded_gives_the_same_bytes(saved, tmp_path):
    loaded = Manifest.load(saved)
    loaded.save(tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == saved.read_bytes()


def test_durations_survive_a_file(tmp_path):
    made = manifest(row("a", duration=1 / 3), row("b", duration=2.00005))
    made.save(tmp_path / "m.csv")
    pd.testing.assert_frame_equal(Manifest.load(tmp_path / "m.csv").table, made.table)


def test_what_a_spreadsheet_makes_of_a_file(saved):
    """A byte order mark and Windows line ends."""
    before = Manifest.load(saved)
    text = saved.read_text(encoding="utf-8")
    saved.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    pd.testing.assert_frame_equal(Manifest.load(saved).table, before.table)


def test_extra_columns_are_kept_as_text(tmp_path):
    made = manifest(row("a", session="01"), row("b", session=None))
    made.save(tmp_path / "m.csv")
    assert list(Manifest.load(tmp_path / "m.csv").table["session"]) == ["01", ""]


def test_the_id_is_of_ids_and_audio_alone():
    made = manifest(row("b"), row("a"))
    lines = "".join(f"{name}\t{row(name)['audio_hash']}\n" for name in "ab")
    assert made.id == hashlib.sha256(lines.encode()).hexdigest()[:16]
    relabelled = manifest(row("a", emotion="anger", path="x/y.wav", speaker=""), row("b"))
    assert relabelled.id == made.id
    assert manifest(row("a")).id != made.id
    assert manifest(row("a", audio_hash="0" * 32), row("b")).id != made.id
    assert manifest(row("A"), row("b")).id != made.id


def test_select():
    made = manifest(row("a"), row("b"), row("c"))
    assert made.select({"c", "a"}).ids == ("a", "c")
    with pytest.raises(InputError, match="'x'"):
        made.select({"a", "x"})
    with pytest.raises(InputError, match="no utterances"):
        made.select([])


def test_the_table_given_is_left_alone():
    table = pd.DataFrame([row("b"), row("a")])
    Manifest(table)
    assert list(table["id"]) == ["b", "a"]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"id": "a/b"}, "'a/b' is no id"),
        ({"corpus": "Mine"}, "cannot name a corpus"),
        ({"corpus": "other"}, "corpus is 'other'"),
        ({"language": "Portuguese"}, "no language code"),
        ({"language": "de"}, "language is 'de'"),
        ({"gender": "w"}, "female, male, other"),
        ({"emotion": "angr"}, "did you mean 'anger'"),
        ({"emotion": "happy"}, "did you mean 'happiness'"),
        ({"path": "../a.wav"}, "leaves the corpus root"),
        ({"path": "/etc/passwd"}, "leaves the corpus root"),
        ({"duration": 0.0}, "duration"),
        ({"duration": float("nan")}, "duration"),
        ({"duration": "1,5"}, "no number of seconds"),
        ({"audio_hash": "1.23E+15"}, "spreadsheet"),
    ],
)
def test_bad_values_name_their_row(changes, text):
    with pytest.raises(InputError) as caught:
        manifest(row("a"), row("b", **changes), row("c"))
    assert "row 2" in str(caught.value)
    assert text in str(caught.value)


def test_bad_values_name_their_line(saved):
    text = saved.read_text(encoding="utf-8").replace("awe", "angr").replace("pt,s1", "\n", 0)
    saved.write_text(text.replace("\nb,", "\n\nb,"), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        Manifest.load(saved)
    assert str(caught.value).splitlines() == [
        f"{saved}: one problem",
        "  line 4: unknown emotion 'angr' (did you mean 'anger'?)",
    ]


def test_many_problems_are_counted():
    with pytest.raises(InputError, match="and 15 more"):
        manifest(*(row(f"u{n}", gender="x") for n in range(20)))


@pytest.mark.parametrize("twin", ["a", "A"])
def test_duplicate_ids(twin):
    with pytest.raises(InputError, match=r"row 2: duplicate id"):
        manifest(row("a"), row(twin))


def test_missing_columns_and_rows(tmp_path):
    with pytest.raises(InputError, match="audio_hash"):
        Manifest(pd.DataFrame([row()]).drop(columns="audio_hash"))
    with pytest.raises(InputError, match="no utterances"):
        Manifest(pd.DataFrame([row()]).iloc[:0])
    path = tmp_path / "m.csv"
    path.write_text(",".join(COLUMNS) + "\n")
    with pytest.raises(InputError, match="no utterances"):
        Manifest.load(path)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "is empty"),
        (b"id;corpus;language\n", "semicolons"),
        (b"id\tcorpus\tlanguage\n", "tabs"),
        ("id,corpus\n".encode("utf-16"), "UTF-16"),
        (b"id,corpus\nCol\xe8re,x\n", "line 2: not UTF-8"),
        (b"id,corpus\nx,\0\n", "line 2: not a text file"),
        (b"id,corpus\n", "line 1: the columns 'language' and"),
        (b'id,corpus\n"x,y\n', "no CSV"),
    ],
)
def test_files_that_are_no_manifest(tmp_path, data, text):
    path = tmp_path / "m.csv"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        Manifest.load(path)
    assert text in str(caught.value)
    assert str(path) in str(caught.value)


def test_rows_of_the_wrong_length(saved):
    lines = saved.read_text(encoding="utf-8").splitlines()
    lines[2] += ",surplus"
    saved.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(InputError, match="line 3: 10 cells, but the header has 9"):
        Manifest.load(saved)


def test_no_such_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        Manifest.load(tmp_path / "none.csv")


def test_a_failed_save_leaves_the_old_file(saved, monkeypatch):
    before = saved.read_bytes()
    made = manifest(row("z"))
    monkeypatch.setattr(
        "pathlib.Path.write_bytes", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left"))
    )
    with pytest.raises(OSError, match=r"No space left.*\.csv"):
        made.save(saved)
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]
