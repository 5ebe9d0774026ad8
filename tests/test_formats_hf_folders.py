"""Folders that `load_dataset` reads: which of their files it takes, and whose classes."""

import json
import zipfile

import pyarrow
import pytest

from .test_formats_hf import (
    datasets,
    message,
    own_cache,  # noqa: F401
    read,
)
from .test_manifests_build import speak

ALL_IN_ONE = '---\nconfigs: [{config_name: default, data_files: "**"}]\n---\n'


def classes(names, path="a.wav"):
    """A row whose class is number 0."""
    kinds = {"path": datasets.Value("string"), "emotion": datasets.ClassLabel(names=names.split())}
    columns = {"path": [path], "emotion": [0]}
    return datasets.Dataset.from_dict(columns, features=datasets.Features(kinds))


def stream(folder, name, made, form=pyarrow.ipc.new_stream):
    folder.mkdir(exist_ok=True)
    table = made.data.table
    with form(folder / f"{name}.arrow", table.schema) as writer:
        writer.write_table(table)


def sounds(folder, *paths):
    for seed, path in enumerate(paths):
        speak(folder / path, seed)
    return folder


@pytest.mark.parametrize("form", [pyarrow.ipc.new_stream, pyarrow.ipc.new_file])
def test_classes_that_differ_between_files_of_arrow(tmp_path, form):
    sounds(tmp_path, "a.wav", "b.wav")
    stream(tmp_path / "ds", "train", classes("anger fear neutral"), form)
    stream(tmp_path / "ds", "test", classes("neutral anger fear", "b.wav"), form)
    told = message(tmp_path / "ds", tmp_path)
    assert "the classes of emotion are anger, fear, neutral in train.arrow, and neutral" in told
    stream(tmp_path / "ds", "test", classes("anger fear neutral", "b.wav"), form)
    table = read(tmp_path / "ds", tmp_path).manifest.table
    assert table["emotion"].tolist() == ["anger", "anger"]


def test_classes_that_the_card_says_otherwise(tmp_path):
    sounds(tmp_path, "a.wav")
    (tmp_path / "ds").mkdir()
    classes("anger fear").to_parquet(tmp_path / "ds" / "train.parquet")
    card = tmp_path / "ds" / "README.md"

    def write_card(*names):
        kind = {"class_label": {"names": dict(enumerate(names))}}
        features = [{"name": "path", "dtype": "string"}, {"name": "emotion", "dtype": kind}]
        card.write_text(f"---\n{json.dumps({'dataset_info': {'features': features}})}\n---\n")

    write_card("fear", "anger")
    told = message(tmp_path / "ds", tmp_path)
    assert "are anger, fear in train.parquet, and fear, anger in its card, by the same" in told
    assert "Correct the card (README.md), or save it anew" in told
    write_card("anger", "fear")
    assert read(tmp_path / "ds", tmp_path).manifest.table["emotion"].tolist() == ["anger"]


@pytest.mark.parametrize(
    ("paths", "splits", "lost"),
    [
        (("fear/a_test.wav", "anger/b_test.wav", "fear/c.wav"), "test", "fear/c.wav"),
        (("train/fear/a.wav", "train/joy/b.wav", "fold3/fear/c.wav"), "train", "fold3/fear/c.wav"),
    ],
)
def test_files_that_are_in_no_split(tmp_path, paths, splits, lost):
    folder = sounds(tmp_path / "ds", *paths)
    (folder / ".hidden.wav").write_bytes(b"")
    build = read(folder)
    assert len(build.manifest.table) == 2
    note = f"1 of 3 files are in none of its splits ({splits}), and were left out, such as {lost}"
    assert [warning for warning in build.warnings if note in warning]
    (folder / "README.md").write_text(ALL_IN_ONE)
    build = read(folder)
    assert len(build.manifest.table) == 3
    assert not [warning for warning in build.warnings if "left out" in warning]


def test_files_of_parquet_that_are_in_no_split(tmp_path):
    sounds(tmp_path, "a.wav", "b.wav", "c.wav")
    (tmp_path / "ds").mkdir()
    for name, path in (("train", "a.wav"), ("test", "b.wav"), ("extra", "c.wav")):
        classes("fear", path).to_parquet(tmp_path / "ds" / f"{name}.parquet")
    (tmp_path / "ds" / "notes.txt").write_text("no data")
    build = read(tmp_path / "ds", tmp_path)
    assert len(build.manifest.table) == 2
    (told,) = [warning for warning in build.warnings if "left out" in warning]
    assert told.startswith("1 of 3 files are in none of its splits (train, test)")
    assert "such as extra.parquet. Splits are made of names such as train" in told


def test_a_table_that_is_in_no_split(tmp_path):
    paths = ("train/a.wav", "test/b.wav", "extra/c.wav")
    folder = sounds(tmp_path / "ds", *paths)
    rows = zip(paths, ("fear", "anger", "fear"), strict=True)
    table = "file_name,emotion\n" + "".join(f"{path},{emotion}\n" for path, emotion in rows)
    (folder / "metadata.csv").write_text(table)
    told = message(folder)
    assert "metadata.csv is in none of its splits (train, test), and would not be read" in told
    (folder / "README.md").write_text(ALL_IN_ONE)
    assert read(folder).manifest.table["emotion"].tolist() == ["fear", "anger", "fear"]
    for part, emotion in (("train", "fear"), ("test", "anger"), ("extra", "fear")):
        (name,) = [path.name for path in (folder / part).iterdir()]
        (folder / part / "metadata.csv").write_text(f"file_name,emotion\n{name},{emotion}\n")
    (folder / "metadata.csv").unlink()
    (folder / "README.md").unlink()
    build = read(folder)
    assert len(build.manifest.table) == 2
    assert [warning for warning in build.warnings if "such as extra/c.wav" in warning]


def test_names_that_leave_no_classes(tmp_path):
    folder = sounds(tmp_path / "ds", "fear/a_dev.wav", "fear/b_dev.wav", "anger/c.wav")
    told = message(folder)
    assert "which column has the emotions?" in told
    assert "1 of 3 files are in none of its splits (validation)" in told


def test_sound_that_has_no_row(tmp_path):
    folder = sounds(tmp_path / "ds", "data/a.wav", "data/b.wav", "data/c.wav")
    rows = "data/a.wav,fear\ndata/b.wav,anger\n"
    (folder / "metadata.csv").write_text(f"file_name,emotion\n{rows}")
    build = read(folder)
    assert build.manifest.table["emotion"].tolist() == ["fear", "anger"]
    assert "1 of 3 files of sound have no row, and were left out, such as c.wav" in build.warnings


def test_sound_in_an_archive(tmp_path):
    folder = sounds(tmp_path / "made", "a.wav", "b.wav")
    (tmp_path / "ds").mkdir()
    with zipfile.ZipFile(tmp_path / "ds" / "data.zip", "w") as archive:
        for name in ("a.wav", "b.wav"):
            archive.write(folder / name, name)
        archive.writestr("metadata.csv", "file_name,emotion\na.wav,fear\nb.wav,anger\n")
    told = message(tmp_path / "ds")
    assert told.count("its audio is in the archive data.zip; unzip that into a folder") == 1
    assert "no such file" not in told


def test_several_configurations(tmp_path):
    sounds(tmp_path, "a.wav")
    for name in ("en", "de"):
        (tmp_path / "ds" / name).mkdir(parents=True)
        classes("fear").to_parquet(tmp_path / "ds" / name / "train.parquet")
    configs = "".join(f"- config_name: {n}\n  data_files: {n}/*.parquet\n" for n in ("en", "de"))
    (tmp_path / "ds" / "README.md").write_text(f"---\nconfigs:\n{configs}---\n")
    told = message(tmp_path / "ds", tmp_path)
    assert "has several configurations; there are en, de: --option config=en" in told
    told = message(tmp_path / "ds", tmp_path, config="dee")
    assert "has no configuration 'dee' (did you mean 'de'?); there are en, de" in told
    build = read(tmp_path / "ds", tmp_path, config="de")
    assert not [warning for warning in build.warnings if "left out" in warning]


def linked(tmp_path, name, file, blobs="blobs"):
    """A file as the cache of the hub has it: a link out of a snapshot."""
    snapshot = tmp_path / "hub" / "snapshots" / "abc"
    target = tmp_path / "hub" / blobs / f"hash-of-{name.replace('/', '-')}"
    target.parent.mkdir(parents=True, exist_ok=True)
    file.rename(target)
    (snapshot / name).parent.mkdir(parents=True, exist_ok=True)
    (snapshot / name).symlink_to(target)
    return snapshot


def test_a_snapshot_of_the_hub(tmp_path):
    sounds(tmp_path, "a.wav")
    classes("fear").to_parquet(tmp_path / "x.parquet")
    snapshot = linked(tmp_path, "train.parquet", tmp_path / "x.parquet")
    assert read(snapshot, tmp_path).manifest.table["emotion"].tolist() == ["fear"]


def test_a_snapshot_with_sound_beside(tmp_path):
    for seed, path in enumerate(("fear/a.wav", "anger/b.wav")):
        snapshot = linked(tmp_path, path, speak(tmp_path / "x.wav", seed))
    assert read(snapshot).manifest.table["path"].tolist() == ["anger/b.wav", "fear/a.wav"]


def test_a_snapshot_with_files_of_elsewhere(tmp_path):
    classes("fear").to_parquet(tmp_path / "x.parquet")
    snapshot = linked(tmp_path, "train.parquet", tmp_path / "x.parquet", blobs="secret")
    assert "has a file read that is none of its own" in message(snapshot, tmp_path)


def test_a_table_beside_sound_by_another_name_is_told(tmp_path):
    folder = sounds(tmp_path / "ds", "audio/a.wav", "audio/b.wav")
    (folder / "labels.csv").write_text("file_name,emotion\naudio/a.wav,fear\naudio/b.wav,anger\n")
    told = message(folder)
    assert "labels.csv was not read: in a folder of sound, the table is metadata.csv" in told
    (folder / "labels.csv").rename(folder / "metadata.csv")
    assert read(folder).manifest.table["emotion"].tolist() == ["fear", "anger"]
