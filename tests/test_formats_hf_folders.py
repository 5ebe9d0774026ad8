"""Folders that `load_dataset` reads: which of their files it takes, and whose classes."""

import json

import pyarrow
import pytest

from .test_formats_hf import (
    datasets,
    message,
    own_cache,  # noqa: F401
    read,
)
from .test_manifests_build import speak


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
