"""Databases of audformat, made and read by the library itself; and what is never run."""

import pickle
import shutil

import pandas as pd
import pytest

from ser.errors import InputError
from ser.manifests import export_manifest

from .conftest import tree
from .test_manifests_build import speak
from .voices import build_voices, read_back, same, voices  # noqa: F401

audformat = pytest.importorskip("audformat", reason="the extra `audformat` is not installed")


def read(folder, language=None, root=None, **options):
    return read_back(f"audformat:{folder}", root, language, **options)


def message(*args, **kwargs):
    with pytest.raises(InputError) as caught:
        read(*args, **kwargs)
    return str(caught.value)


def column(database, table, name, values, **scheme):
    """Set a column of a table, of a scheme by its name."""
    if name not in database.schemes:
        database.schemes[name] = audformat.Scheme(**scheme or {"dtype": "str"})
    database[table][name] = audformat.Column(scheme_id=name)
    database[table][name].set(values)


@pytest.fixture
def database(tmp_path):
    """As audb publishes them: speakers as labels with facts, a table for each split."""
    files = [f"wav/{number}.wav" for number in range(4)]
    for seed, file in enumerate(files):
        speak(tmp_path / "db" / file, seed)
    made = audformat.Database("mine", usage="research", languages=["deu"], license="CC-BY-4.0")
    made.schemes["emotion"] = audformat.Scheme("str", labels=["anger", "fear", "neutral"])
    facts = {3: {"gender": "male", "age": 31}, 8: {"gender": "female", "age": 34}}
    made.schemes["speaker"] = audformat.Scheme("int", labels=facts)
    made.splits["train"], made.splits["test"] = audformat.Split("train"), audformat.Split("test")
    made["files"] = audformat.Table(audformat.filewise_index(files))
    column(made, "files", "speaker", [3, 3, 8, 8])
    column(made, "files", "text", ["ja", None, 'so, "nun"', "Ä"])
    emotions = ["anger", "fear", "neutral", "anger"]
    for split, part in (("train", slice(0, 2)), ("test", slice(2, 4))):
        index = audformat.filewise_index(files[part])
        made[f"emotion.{split}"] = audformat.Table(index, split_id=split)
        column(made, f"emotion.{split}", "emotion", emotions[part])
    return made


def saved(database, tmp_path, form="csv"):
    database.save(str(tmp_path / "db"), storage_format=form)
    return tmp_path / "db"


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_database(database, tmp_path, form):
    build = read(saved(database, tmp_path, form))
    table = build.manifest.table
    assert table["emotion"].tolist() == ["anger", "fear", "neutral", "anger"]
    assert table["speaker"].tolist() == ["3", "3", "8", "8"]
    assert table["gender"].tolist() == ["male", "male", "female", "female"]
    assert table["age"].tolist() == ["31", "31", "34", "34"]
    assert table["text"].tolist() == ["ja", "", 'so, "nun"', "Ä"]
    assert table["split"].tolist() == ["train", "train", "test", "test"]
    assert table["path"].tolist() == [f"wav/{number}.wav" for number in range(4)]
    assert (build.manifest.language, build.licence) == ("de", "CC-BY-4.0")
    assert list(map(str, build.manifest.ids)) == ["wav-0", "wav-1", "wav-2", "wav-3"]


def test_languages_of_speakers_are_short_too(database, tmp_path):
    facts = {number: {"language": "deu"} for number in (3, 8)}
    database.schemes["speaker"].replace_labels(facts)
    assert read(saved(database, tmp_path), language="de").manifest.language == "de"


def test_speakers_in_a_table_of_their_own(database, tmp_path):
    people = audformat.MiscTable(pd.Index([3, 8], name="speaker", dtype="Int64"))
    database["speaker"] = people
    database.schemes["gender"] = audformat.Scheme("str")
    people["gender"] = audformat.Column(scheme_id="gender")
    people["gender"].set(["male", "female"])
    database.schemes["speaker"].replace_labels("speaker")
    table = read(saved(database, tmp_path)).manifest.table
    assert table["gender"].tolist() == ["male", "male", "female", "female"]


def test_there_and_back(voices, tmp_path):  # noqa: F811
    manifest = build_voices(voices)
    assert export_manifest(manifest, tmp_path / "db", "audformat", licence="mine alone") == []
    build = read(tmp_path / "db", root=voices)
    same(build.manifest, manifest)
    assert build.licence == "mine alone"
    loaded = audformat.Database.load(str(tmp_path / "db"))
    assert loaded.languages == ["fra"]
    assert list(loaded.files) == manifest.table["path"].tolist()
    assert loaded.schemes["emotion"].labels == list(manifest.labels)
    assert loaded["files"]["duration"].get().dt.total_seconds().tolist() == [0.12] * 6
    assert loaded["emotion"]["emotion"].get().tolist() == manifest.table["emotion"].tolist()


@pytest.mark.parametrize("language", ["de", "yue", "pt-br"])
def test_languages_there_and_back(voices, tmp_path, language):  # noqa: F811
    manifest = build_voices(voices)
    manifest = type(manifest)(manifest.table.assign(language=language))
    export_manifest(manifest, tmp_path / "db", "audformat")
    assert read(tmp_path / "db", root=voices).manifest.language == language


def test_an_export_is_the_same_bytes_again_and_replaces_an_export_alone(voices, tmp_path):  # noqa: F811
    manifest = build_voices(voices)
    export_manifest(manifest, tmp_path / "a", "audformat")
    with pytest.raises(InputError, match="--overwrite replaces it"):
        export_manifest(manifest, tmp_path / "a", "audformat")
    before = tree(tmp_path / "a")
    export_manifest(manifest, tmp_path / "a", "audformat", overwrite=True)
    assert tree(tmp_path / "a") == before
    with pytest.raises(InputError, match="no export that could be replaced"):
        export_manifest(manifest, voices, "audformat", overwrite=True)


def test_what_audformat_cannot_hold(voices, tmp_path):  # noqa: F811
    manifest = build_voices(voices)
    odd = type(manifest)(manifest.table.assign(start="3"))
    assert export_manifest(odd, tmp_path / "db", "audformat") == ["audformat has no column start"]
    same(read(tmp_path / "db", root=voices).manifest, manifest)
    paths = ["05.wav", "05.wav", *manifest.table["path"][2:]]
    with pytest.raises(InputError, match=r"05\.wav is of several"):
        export_manifest(type(odd)(odd.table.assign(path=paths)), tmp_path / "x", "audformat")


def test_a_header_that_would_run_code_is_refused(database, tmp_path):
    folder, mark = saved(database, tmp_path), tmp_path / "was-run"
    header = (folder / "db.yaml").read_text()
    attack = f"name: !!python/object/apply:os.mkdir ['{mark}']"
    (folder / "db.yaml").write_text(header.replace("name: mine", attack))
    told = message(folder)
    assert "audformat cannot read it: ConstructorError" in told
    assert not mark.exists()


class Runs:
    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        import os

        return os.mkdir, (str(self.folder),)


def test_pickled_tables_are_not_read(database, tmp_path):
    folder, mark = saved(database, tmp_path), tmp_path / "was-run"
    (folder / "db.files.pkl").write_bytes(pickle.dumps(Runs(mark)))
    assert len(read(folder).manifest) == 4
    assert not mark.exists()
    (folder / "db.files.csv").unlink()
    told = message(folder)
    assert "the table files is a pickle alone" in told
    assert 'storage_format="csv"' in told
    assert not mark.exists()


def test_pieces_and_whole_files_of_a_segmented_table(database, tmp_path):
    index = audformat.segmented_index(
        ["wav/0.wav", "wav/1.wav"], starts=["0s", "0s"], ends=[pd.NaT, "0.12s"]
    )
    database["parts"] = audformat.Table(index)
    column(database, "parts", "mood", ["fear", "anger"])
    folder = saved(database, tmp_path)
    assert read(folder, label="mood").manifest.table["emotion"].tolist() == ["fear", "anger"]
    near = audformat.segmented_index(["/elsewhere/wav/0.wav"], ["0.01s"], ["0.06s"])
    database["near"] = audformat.Table(near)
    column(database, "near", "tone", ["fear"])
    assert "1 of 1 utterances are pieces" in message(saved(database, tmp_path), label="tone")
    later = audformat.segmented_index(["wav/0.wav"] * 2, ["0s", "0.06s"], ["0.06s", "0.12s"])
    database["later"] = audformat.Table(later)
    column(database, "later", "feeling", ["fear", "anger"])
    folder = saved(database, tmp_path)
    told = message(folder, label="feeling")
    assert "2 of 2 utterances are pieces of longer recordings" in told
    assert "ffmpeg" in told


def test_raters_who_differ(database, tmp_path):
    database["second"] = audformat.Table(database["files"].index)
    column(database, "second", "emotion", ["fear", "fear", "fear", "fear"])
    folder = saved(database, tmp_path)
    told = message(folder)
    assert "emotion is not one for each file" in told
    assert "--option table=emotion.test|emotion.train|second" in told
    assert read(folder, table="emotion.test").manifest.table["emotion"].tolist() == [
        *("neutral", "anger")
    ]
    assert "has no table 'third'" in message(folder, table="third")


def test_labels_that_are_missing(database, tmp_path):
    database["emotion.test"]["emotion"].set([None, "anger"])
    folder = saved(database, tmp_path)
    told = message(folder)
    assert "the emotion is missing" in told
    assert "emotions=awe,missing=" in told
    assert len(read(folder, emotions="missing=").manifest) == 3


@pytest.mark.parametrize("file", ["../secret.wav", "/etc/passwd.wav", "a/../../x.wav"])
def test_paths_that_leave(database, tmp_path, file):
    speak(tmp_path / "secret.wav", 9)
    folder = saved(database, tmp_path)
    for table in folder.glob("db.*.csv"):
        table.write_text(table.read_text().replace("wav/0.wav", file))
    told = message(folder)
    assert "leaves the corpus root" in told or "does not lie in the corpus root" in told


def test_no_database(database, tmp_path):
    assert "no database of audformat; expected db.yaml in it" in message(tmp_path)
    folder = saved(database, tmp_path)
    for text in ("", "[]", "name: x", "a: [", "\x00\xff", "tables: {a: 3}", "a: &a [*a]"):
        (folder / "db.yaml").write_bytes(text.encode("latin-1"))
        assert f"{folder}: audformat cannot read it" in message(folder), text


def test_tables_that_lead_elsewhere(database, tmp_path):
    folder = saved(database, tmp_path)
    shutil.move(folder / "db.files.csv", tmp_path / "files.csv")
    assert "has no db.files.csv or .parquet" in message(folder)
    (folder / "db.files.csv").symlink_to(tmp_path / "files.csv")
    assert "it is a link that leads out of" in message(folder)
    header = (folder / "db.yaml").read_text()
    (folder / "db.yaml").write_text(header.replace("  files:", "  ../files:"))
    assert "'../files' is no name of a table" in message(folder)
