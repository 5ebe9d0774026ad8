"""Databases of audformat, made and read by the library itself; and what is never run."""

import pickle
import shutil

import pandas as pd
import pytest

from ser.errors import InputError
from ser.manifests import Manifest, export_manifest

from .conftest import tree
from .test_manifests_build import speak
from .voices import OWN, build_voices, read_back, same, voices  # noqa: F401

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
    assert export_manifest(manifest, tmp_path / "db", "audformat", licence="mine alone") == OWN
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


@pytest.mark.parametrize(
    "columns",
    [
        {"speaker": "", "actor": "a"},
        {"gender": "", "sex": "x"},
        {"locale": "at", "lang": "x"},
        {"session": "", "label": "fear", "key": "3", "rater.gender": "male"},
    ],
)
def test_columns_that_others_could_be_taken_for_there_and_back(voices, tmp_path, columns):  # noqa: F811
    table = build_voices(voices).table.assign(**columns)
    export_manifest(Manifest(table), tmp_path / "db", "audformat")
    build = read(tmp_path / "db", root=voices)
    same(build.manifest, Manifest(table))


def test_a_long_language_is_told_when_it_is_exported(voices, tmp_path):  # noqa: F811
    manifest = Manifest(build_voices(voices).table.assign(language="fra"))
    for form in ("audformat", "kaldi"):
        notes = export_manifest(manifest, tmp_path / form, form)
        assert notes == ["the language fra is read again as fr", *OWN]
        assert read_back(f"{form}:{tmp_path / form}", voices).manifest.language == "fr"


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
    assert export_manifest(odd, tmp_path / "db", "audformat") == [
        "audformat has no column start",
        *OWN,
    ]
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


def rated(database, tmp_path):
    """Tables of raters beside those of gold, and gold that is missing where raters have a say."""
    for split in ("train", "test"):
        gold, name = database[f"emotion.{split}"], f"raters.{split}"
        database[name] = audformat.Table(gold.index, split_id=split)
        for rater in ("rater1", "rater2"):
            database[name][rater] = audformat.Column(scheme_id="emotion")
            database[name][rater].set(["anger" if rater == "rater1" else "fear"] * 2)
    return saved(database, tmp_path)


def test_gold_is_read_whole_and_raters_do_not_fill_it(database, tmp_path):
    folder = rated(database, tmp_path)
    table = read(folder).manifest.table
    assert table["emotion"].tolist() == ["anger", "fear", "neutral", "anger"]
    assert table["rater1"].tolist() == ["anger"] * 4
    database["emotion.test"]["emotion"].set([None, "anger"])
    told = message(saved(database, tmp_path))
    assert "the emotion is missing" in told
    build = read(folder, label="rater1", table="raters.train,raters.test")
    assert build.manifest.table["emotion"].tolist() == ["anger"] * 4


def test_raters_by_their_scheme(database, tmp_path):
    folder = rated(database, tmp_path)
    told = message(folder, table="raters.test")
    assert "wav/2.wav is 'anger' and 'fear'" in told
    assert told.endswith("commas between: --option label=rater1|rater2")
    assert "--option table=raters.test|raters.train" in message(
        folder, table="raters.test,raters.train"
    )
    told = message(folder, table="files")
    assert "files has no emotion, but emotion.test, emotion.train" in told


def test_codes_of_emotions_are_read_as_their_words(database, tmp_path):
    database.schemes["code"] = audformat.Scheme("str", labels={"W": "anger", "A": "fear"})
    database["files"]["heard"] = audformat.Column(scheme_id="code")
    database["files"]["heard"].set(["W", "A", "A", "W"])
    table = read(saved(database, tmp_path), label="heard").manifest.table
    assert table["emotion"].tolist() == ["anger", "fear", "fear", "anger"]


def test_what_labels_say_of_raters_is_not_of_speakers(database, tmp_path):
    facts = {"r1": {"gender": "male", "language": "eng"}, "r2": {"gender": "female"}}
    database.schemes["speaker"].replace_labels({3: {"age": 31}, 8: {"age": 34}})
    database.schemes["rater"] = audformat.Scheme("str", labels=facts)
    database["files"]["rater"] = audformat.Column(scheme_id="rater")
    database["files"]["rater"].set(["r1", "r2", "r1", "r2"])
    folder = saved(database, tmp_path)
    build = read(folder)
    table = build.manifest.table
    assert build.manifest.language == "de"
    assert table["gender"].tolist() == [""] * 4
    assert table["age"].tolist() == ["31", "31", "34", "34"]
    assert table["rater.gender"].tolist() == ["male", "female", "male", "female"]
    assert any("rater.gender may be of others than the speakers" in w for w in build.warnings)
    table = read(folder, gender="rater.gender").manifest.table
    assert table["gender"].tolist() == ["male", "female", "male", "female"]


def test_a_partner_of_the_speakers_scheme(database, tmp_path):
    database.schemes["speaker"].replace_labels({3: {"gender": "male"}, 8: {"age": 34}})
    database["files"]["partner"] = audformat.Column(scheme_id="speaker")
    database["files"]["partner"].set([8, 8, 3, 3])
    table = read(saved(database, tmp_path)).manifest.table
    assert table["gender"].tolist() == ["male", "male", "", ""]
    assert table["partner.gender"].tolist() == ["", "", "male", "male"]


def test_splits_are_those_of_the_emotions(database, tmp_path):
    whole = database["files"].index
    database["age.test"] = audformat.Table(whole, split_id="test")
    column(database, "age.test", "age", ["3", "4", "5", "6"])
    assert read(saved(database, tmp_path)).manifest.table["split"].tolist() == [
        *("train", "train", "test", "test")
    ]
    database["again"] = audformat.Table(whole[:1], split_id="test")
    column(database, "again", "emotion", ["anger"])
    build = read(saved(database, tmp_path))
    assert "1 files are in several splits, of which the first is kept: wav/0.wav" in build.warnings
    assert read(saved(database, tmp_path), table="again").manifest.table["split"].tolist() == [
        "test"
    ]


def test_files_without_emotions_are_told(database, tmp_path):
    build = read(saved(database, tmp_path), table="emotion.test")
    told = "2 of 4 files have no emotion in the tables that were chosen, and were left out: "
    assert f"{told}wav/0.wav, wav/1.wav" in build.warnings


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
