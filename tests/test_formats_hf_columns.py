"""What columns of data sets of Hugging Face are: parts of others, sound in several types."""

import io
import json
import tarfile

from .test_formats_hf import (
    datasets,
    kept,
    message,
    own_cache,  # noqa: F401
    read,
)
from .test_manifests_build import speak

EMOTIONS = ["fear", "anger"]


def saved(tmp_path, **columns):
    """Two rows with the paths of sound that lies beside them."""
    paths = [speak(tmp_path / f"wavs/{name}.wav", seed).name for seed, name in enumerate("ab")]
    made = datasets.Dataset.from_dict({"path": paths} | columns)
    made.save_to_disk(tmp_path / "ds")
    return tmp_path / "ds"


def read_wavs(tmp_path, **options):
    return read(tmp_path / "ds", tmp_path / "wavs", **options).manifest.table


def test_parts_of_a_speaker(tmp_path):
    speaker = [{"id": "ann", "gender": "f"}, {"id": "bob", "gender": "m"}]
    saved(tmp_path, emotion=EMOTIONS, speaker=speaker)
    table = read_wavs(tmp_path)
    assert table["id"].tolist() == ["a", "b"]
    assert table["speaker"].tolist() == ["ann", "bob"]
    assert table["gender"].tolist() == ["female", "male"]
    assert read_wavs(tmp_path, id="speaker.id")["id"].tolist() == ["ann", "bob"]


def test_parts_that_are_called_alike(tmp_path):
    gold = [{"label": emotion, "n": 1} for emotion in EMOTIONS]
    saved(tmp_path, arater=[{"label": "joy"}] * 2, gold=gold)
    told = message(tmp_path / "ds", tmp_path / "wavs")
    assert "which column has the emotions? There are arater.label, gold.label, n" in told
    table = read_wavs(tmp_path, label="gold.label")
    assert table["emotion"].tolist() == EMOTIONS
    assert table["arater.label"].tolist() == ["joy", "joy"]


def test_a_part_by_its_whole_name(tmp_path):
    gold = [{"label": emotion, "by": {"id": "x", "age": 3}} for emotion in EMOTIONS]
    saved(tmp_path, gold=gold)
    for options in ({}, {"label": "label"}, {"label": "gold.label"}):
        table = read_wavs(tmp_path, **options)
        assert table["emotion"].tolist() == EMOTIONS
        assert table["by.id"].tolist() == ["x", "x"]
        assert table["age"].tolist() == ["3", "3"]


def test_parts_of_some_splits_alone(tmp_path):
    paths = [speak(tmp_path / f"wavs/{name}.wav", seed).name for seed, name in enumerate("ab")]
    gold = {"gold": [{"label": "fear"}]}
    parts = {
        "train": {"path": paths[:1], "rater": [{"label": "joy"}]} | gold,
        "test": {"path": paths[1:]} | gold,
    }
    made = {name: datasets.Dataset.from_dict(part) for name, part in parts.items()}
    datasets.DatasetDict(made).save_to_disk(tmp_path / "ds")
    table = read_wavs(tmp_path, label="gold.label")
    assert table["emotion"].tolist() == ["fear", "fear"]
    assert table["rater.label"].tolist() == ["joy", ""]


def test_bytes_of_sound(tmp_path):
    files = [speak(tmp_path / f"made/{name}.wav", seed) for seed, name in enumerate("ab")]
    data = [file.read_bytes() for file in files]
    made = datasets.Dataset.from_dict({"audio": data, "emotion": EMOTIONS})
    assert made.features["audio"].dtype == "binary"
    made.save_to_disk(tmp_path / "ds")
    assert "its audio is inside" in message(tmp_path / "ds")
    table = read_wavs(tmp_path)
    assert table["path"].tolist() == ["all-000000.wav", "all-000001.wav"]
    assert (tmp_path / "wavs" / "all-000001.wav").read_bytes() == data[1]


def test_numbers_that_are_no_sound(tmp_path):
    made = datasets.Dataset.from_dict({"audio": [[0.1, 0.2]] * 2, "emotion": EMOTIONS})
    made.save_to_disk(tmp_path / "ds")
    told = message(tmp_path / "ds", tmp_path)
    assert "the column audio has List(Value('float64')); expected paths of files of sound" in told
    saved(tmp_path / "too", emotion=EMOTIONS, audio=[[0.1, 0.2]] * 2)
    assert read_wavs(tmp_path / "too")["path"].tolist() == ["a.wav", "b.wav"]
    assert "the column audio has List" in message(
        tmp_path / "too" / "ds", tmp_path / "too" / "wavs", audio="audio"
    )


def test_columns_of_the_library(tmp_path):
    (tmp_path / "repo").mkdir()
    with tarfile.open(tmp_path / "repo" / "train-000.tar", "w") as tar:
        for seed, (name, emotion) in enumerate(zip("ab", EMOTIONS, strict=True)):
            sound = speak(tmp_path / f"{name}.wav", seed).read_bytes()
            facts = {"emotion": emotion, "id": f"u{name}", "speaker": {"id": f"s{name}"}}
            for suffix, data in ((".wav", sound), (".json", json.dumps(facts).encode())):
                info = tarfile.TarInfo(name + suffix)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    table = read(tmp_path / "repo", tmp_path / "wavs").manifest.table
    assert table["id"].tolist() == ["ua", "ub"]
    assert table["speaker"].tolist() == ["sa", "sb"]
    assert not [name for name in table if name.startswith("__")]
    table = read(tmp_path / "repo", tmp_path / "wavs", id="__key__").manifest.table
    assert table["id"].tolist() == ["a", "b"]


def test_sound_of_a_type_that_is_not_kept(tmp_path):
    """A column that is made of the path and the bytes, as the library writes one."""
    file = speak(tmp_path / "made" / "a.wav", 1)
    sound = [{"bytes": file.read_bytes(), "path": None}] * 2
    made = datasets.Dataset.from_dict({"audio": sound, "emotion": EMOTIONS})
    made.save_to_disk(tmp_path / "ds")
    assert len(read_wavs(tmp_path)) == 2
    assert made.features["audio"] != kept()


def test_emotions_in_lists_are_told(tmp_path):
    saved(tmp_path, emotion=[["fear", "anger"], ["anger"]])
    told = message(tmp_path / "ds", tmp_path / "wavs")
    assert "Columns of lists and the like are not read: emotion" in told


def test_decoded_samples_are_not_taken_for_a_path(tmp_path):
    samples = [{"array": [0.1, 0.2], "path": path, "sampling_rate": 16_000} for path in "ab"]
    made = datasets.Dataset.from_dict({"audio": samples, "emotion": EMOTIONS})
    made.save_to_disk(tmp_path / "ds")
    told = message(tmp_path / "ds", tmp_path / "wavs")
    assert "the column audio has decoded samples, which are not read; save it anew" in told
