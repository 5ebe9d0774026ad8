"""Data sets of Hugging Face, made by the library itself, saved and as folders."""

import io
import json
import os
import subprocess
import sys
import tarfile

import numpy as np
import pytest
import soundfile

from ser.errors import InputError, MissingPackageError
from ser.manifests import build_manifest, corpus_from

from .conftest import tree
from .hub_server import REPO, hub_meant  # noqa: F401
from .test_manifests_build import speak
from .voices import build_voices, read_back, same, voices  # noqa: F401
from .weights_server import COMMIT

datasets = pytest.importorskip("datasets", reason="the extra `datasets` is not installed")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """What the library prepares is not the user's."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf-cache")


def read(place, root=None, language="de", **options):
    return read_back(f"hf:{place}", root, language, **options)


def message(*args, **kwargs):
    with pytest.raises(InputError) as caught:
        read(*args, **kwargs)
    return str(caught.value)


def dataset(tmp_path, kinds=None, **columns):
    """Two rows with sound, in a data set that has the bytes of it once it is saved."""
    files = [str(speak(tmp_path / f"made/{name}.wav", seed)) for seed, name in enumerate("ab")]
    made = datasets.Dataset.from_dict({"audio": files} | columns)
    return made.cast(datasets.Features(made.features | {"audio": datasets.Audio()} | (kinds or {})))


def kept():
    """The type of sound that is not decoded."""
    return datasets.Audio(decode=False)


def saved(tmp_path, *args, **kwargs):
    dataset(tmp_path, *args, **kwargs).save_to_disk(tmp_path / "ds")
    return tmp_path / "ds"


@pytest.mark.parametrize("bits", ["inside", "beside"])
def test_there_and_back(voices, tmp_path, bits):  # noqa: F811
    manifest = build_voices(voices)
    table = manifest.table.drop(columns=["duration", "audio_hash", "fingerprint"])
    rows = {name: table[name].tolist() for name in table if name != "path"}
    if bits == "beside":
        made = datasets.Dataset.from_dict(rows | {"path": table["path"].tolist()})
        made.save_to_disk(tmp_path / "ds")
        same(read(tmp_path / "ds", voices, None).manifest, manifest)
        return
    audio = [{"path": path, "bytes": (voices / path).read_bytes()} for path in table["path"]]
    kinds = {name: datasets.Value("string") for name in rows}
    kinds["emotion"] = datasets.ClassLabel(names=[*manifest.labels, "joy"])
    kinds["audio"] = datasets.Audio(decode=False)
    made = datasets.Dataset.from_dict(rows | {"audio": audio}).cast(datasets.Features(kinds))
    made.info.license = "CC0-1.0"
    made.save_to_disk(tmp_path / "ds")
    build = read(tmp_path / "ds", tmp_path / "new", None)
    assert build.licence == "CC0-1.0"
    # save_to_disk keeps the names of files, not their folders.
    names = [path.rpartition("/")[2] for path in manifest.table["path"]]
    assert build.manifest.table["path"].tolist() == names
    same(type(manifest)(build.manifest.table.assign(path=manifest.table["path"])), manifest)


def test_classes_and_columns(tmp_path):
    kinds = {
        "label": datasets.ClassLabel(names=["sad", "angry"]),
        "actor": datasets.Value("int64"),
        "sex": datasets.ClassLabel(names=["F", "M"]),
        "score": datasets.Value("float64"),
        "scores": datasets.List(datasets.Value("float64")),
    }
    columns = {"label": [1, 0], "actor": [3, 4], "sex": [0, -1], "score": [0.5, float("nan")]}
    columns |= {"scores": [[1.0], [2.0]], "path": ["of", "old"], "duration": [3.0, 4.0]}
    folder = saved(tmp_path, kinds, **columns)
    build = read(folder, tmp_path / "wavs")
    table = build.manifest.table
    assert table["path"].tolist() == ["a.wav", "b.wav"]
    assert table["emotion"].tolist() == ["anger", "sadness"]
    assert table["speaker"].tolist() == ["3", "4"]
    assert table["gender"].tolist() == ["female", ""]
    assert table["score"].tolist() == ["0.5", ""]
    assert "scores" not in table
    assert "columns of other types were left out: scores" in build.warnings


def test_audio_inside_is_written_once(tmp_path):
    folder = saved(tmp_path, emotion=["fear", "anger"])
    told = message(folder)
    assert "its audio is inside; say in which folder the files are to be written: --root" in told
    root = tmp_path / "wavs" / "deep"
    first = read(folder, root)
    before = {path: path.stat().st_mtime_ns for path in root.iterdir()}
    assert {path.name for path in before} == {"a.wav", "b.wav"}
    (root / "other.txt").write_text("stays")
    same(read(folder, root).manifest, first.manifest)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    speak(root / "a.wav", 7)
    told = message(folder, root)
    assert "a.wav: is there and is other audio" in told
    assert (root / "b.wav").stat().st_mtime_ns == before[root / "b.wav"]


def test_audio_without_names_or_with_one_name(tmp_path):
    data = {}
    for name, form in (("x", "WAV"), ("y", "FLAC"), ("z", "WAV")):
        sound = np.random.default_rng(len(data)).normal(scale=0.1, size=4000)
        soundfile.write(tmp_path / name, sound, 16000, format=form)
        data[name] = (tmp_path / name).read_bytes()
    rows = [("x", None), ("y", None), ("z", "/abs/one.wav"), ("x", "one.wav"), ("z", "../../e.wav")]
    audio = [{"bytes": data[name], "path": path} for name, path in rows]
    columns = {"audio": audio, "emotion": ["fear", "anger", "fear", "anger", "fear"]}
    made = datasets.Dataset.from_dict(columns).cast_column("audio", kept())
    datasets.DatasetDict({"train": made}).save_to_disk(tmp_path / "ds")
    read(tmp_path / "ds", tmp_path / "wavs")
    names = {path.name for path in (tmp_path / "wavs").iterdir()}
    assert names == {
        *("train-000000.wav", "train-000001.flac", "one.wav", "train-000003.wav", "e.wav")
    }
    assert not list(tmp_path.parent.glob("e.wav"))


def coded(tmp_path):
    """Two parts, in each of which the numbers of the classes are those of its own names."""
    parts = {}
    for name, emotions, people in (("train", "anger fear", "ann bob"), ("test", "fear joy", "c d")):
        made = dataset(tmp_path / name, emotion=emotions.split(), speaker=people.split(), id=[0, 1])
        parts[name] = made.cast_column("audio", kept())
    both = datasets.DatasetDict(parts)
    return both.class_encode_column("emotion").class_encode_column("speaker")


def test_classes_are_those_of_each_part(tmp_path):
    coded(tmp_path).save_to_disk(tmp_path / "ds")
    build = read(tmp_path / "ds", tmp_path / "out")
    table = build.manifest.table.set_index("id")
    assert table["emotion"].to_dict() == {
        "train-0": "anger", "train-1": "fear", "test-0": "fear", "test-1": "happiness",
    }  # fmt: skip
    assert table["speaker"].to_dict() == {
        "train-0": "ann", "train-1": "bob", "test-0": "c", "test-1": "d",
    }  # fmt: skip
    assert table["source_id"].to_dict()["test-1"] == "1"
    note = "ids count anew in every split, and have its name before them: train-0"
    assert note in build.warnings


def test_classes_that_differ_between_files_of_parquet(tmp_path):
    for name, part in coded(tmp_path).items():
        part.to_parquet(tmp_path / "folder" / "data" / f"{name}-00000-of-00001.parquet")
    told = message(tmp_path / "folder", tmp_path / "out")
    assert "the classes of emotion are anger, fear in train-00000-of-00001.parquet" in told
    assert "and fear, joy in test-00000-of-00001.parquet, by the same numbers" in told


def test_parts(tmp_path):
    whole = dataset(tmp_path, emotion=["fear", "anger"])
    parts = {"train": whole.select([0]), "test": whole.select([1])}
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "ds")
    table = read(tmp_path / "ds", tmp_path / "wavs").manifest.table
    assert table["split"].tolist() == ["train", "test"]
    table = read(tmp_path / "ds", tmp_path / "wavs", split="test").manifest.table
    assert table["path"].tolist() == ["b.wav"]
    told = message(tmp_path / "ds", tmp_path / "wavs", split="tset")
    assert "has no split 'tset' (did you mean 'test'?); there are train, test" in told


@pytest.mark.parametrize("ids", [{}, {"id": ["0", "1"]}])
def test_a_part_that_repeats_the_others(tmp_path, ids):
    whole = dataset(tmp_path, emotion=["fear", "anger"], **ids)
    parts = {"all": whole, "train": whole.select([0]), "test": whole.select([1])}
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "ds")
    told = message(tmp_path / "ds", tmp_path / "wavs")
    assert "2 of 2 utterances are in several splits, such as 'a.wav' in all, train" in told
    assert "--option split=all, several with commas between" in told
    assert len(list((tmp_path / "wavs").iterdir())) == 2
    assert len(read(tmp_path / "ds", tmp_path / "wavs", split="all").manifest) == 2
    table = read(tmp_path / "ds", tmp_path / "wavs", split="train,test").manifest.table
    assert table["split"].tolist() == ["train", "test"]


def folder_of_audio(tmp_path):
    """As the library's own `audiofolder` wants it, with a card."""
    folder = tmp_path / "repo"
    for seed, name in enumerate(("a", "b")):
        speak(folder / "data" / f"{name}.wav", seed)
    (folder / "data" / "metadata.csv").write_text("file_name,emotion\na.wav,fear\nb.wav,anger\n")
    (folder / "README.md").write_text("---\nlicense: mit\nlanguage: [pt]\n---\nA card.\n")
    return folder


def test_a_folder_as_a_repository_has_it(tmp_path):
    folder = folder_of_audio(tmp_path)
    build = read(folder, language=None)
    table = build.manifest.table
    assert table["path"].tolist() == ["data/a.wav", "data/b.wav"]
    assert table["emotion"].tolist() == ["fear", "anger"]
    assert (build.manifest.language, build.licence) == ("pt", "mit")
    assert "says language 'pt', but 'de' was asked for" in message(folder)
    corpus = corpus_from("voices", f"hf:{folder}", "de")
    assert build_manifest(corpus, None, options={"language": ""}).manifest.language == "de"


def test_a_folder_of_parquet_with_sound_inside(tmp_path):
    files = [speak(tmp_path / f"made/{name}.wav", seed) for seed, name in enumerate("ab")]
    audio = [{"path": file.name, "bytes": file.read_bytes()} for file in files]
    made = datasets.Dataset.from_dict({"audio": audio, "emotion": ["fear", "anger"]})
    made = made.cast_column("audio", kept())
    (tmp_path / "repo").mkdir()
    made.to_parquet(tmp_path / "repo" / "train.parquet")
    table = read(tmp_path / "repo", tmp_path / "wavs").manifest.table
    assert table["path"].tolist() == ["a.wav", "b.wav"]


def in_a_process_of_its_own(hub, tmp_path):
    """Build the manifest of the hub's repository: its address is read when the library loads."""
    command = ["manifest", "build", "--corpus", "mine", "--from", f"hf:{REPO}", "-q"]
    command += ["--root", "wavs", "--language", "de"]
    run = "from ser.cli import main; main()"
    hub.branches[COMMIT] = hub.branches["main"]
    environment = os.environ | {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf")}
    return subprocess.run(
        [sys.executable, "-c", run, *command],
        cwd=tmp_path,
        env=environment | {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_a_repository(hub, tmp_path):
    files = [speak(tmp_path / f"{name}.wav", seed) for seed, name in enumerate("ab")]
    audio = [{"path": file.name, "bytes": file.read_bytes()} for file in files]
    made = datasets.Dataset.from_dict({"audio": audio, "emotion": ["fear", "anger"]})
    made.cast_column("audio", kept()).to_parquet(tmp_path / "x.parquet")
    card = b"---\nlicense: mit\n---\n"
    parquet = {"data/train-0.parquet": (tmp_path / "x.parquet").read_bytes()}
    hub.commit("main", {"README.md": card, **parquet}, "first")
    done = in_a_process_of_its_own(hub, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 utterances" in done.stdout
    assert "licence: mit" in done.stdout
    assert {path.name for path in (tmp_path / "wavs").iterdir()} == {"a.wav", "b.wav"}


def test_a_repository_that_has_files_of_another_read(hub, tmp_path):
    (tmp_path / "secret.csv").write_text("audio,emotion\na.wav,fear\n")
    card = f"---\nconfigs:\n- config_name: default\n  data_files: {tmp_path}/secret.csv\n---\n"
    hub.commit("main", {"README.md": card.encode(), "data/a.csv": b"audio\n"}, "first")
    done = in_a_process_of_its_own(hub, tmp_path)
    assert done.returncode == 2
    assert "none of its own" in done.stderr or "cannot read the repository" in done.stderr
    assert "wavs" not in done.stdout


def test_shards_of_tar(tmp_path):
    (tmp_path / "repo").mkdir()
    with tarfile.open(tmp_path / "repo" / "train-000.tar", "w") as tar:
        for seed, (name, emotion) in enumerate((("a", "fear"), ("b", "anger"))):
            sound = speak(tmp_path / f"{name}.wav", seed).read_bytes()
            facts = json.dumps({"emotion": emotion, "actor": {"age": 3}, "wav": "x"}).encode()
            for suffix, data in ((".wav", sound), (".json", facts)):
                info = tarfile.TarInfo(name + suffix)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    table = read(tmp_path / "repo", tmp_path / "wavs").manifest.table
    assert table["emotion"].tolist() == ["fear", "anger"]
    assert table["path"].tolist() == ["a.wav", "b.wav"]
    assert table["json.wav"].tolist() == ["x", "x"]


def test_a_card_that_names_files_of_elsewhere(tmp_path):
    folder = folder_of_audio(tmp_path)
    (tmp_path / "secret.csv").write_text("audio,emotion\nx,fear\n")
    card = "---\nconfigs:\n- config_name: default\n  data_files: ../secret.csv\n---\n"
    (folder / "README.md").write_text(card)
    told = message(folder)
    assert "has a file read that is none of its own" in told or "cannot read it" in told


@pytest.mark.parametrize("file", ["../../made/a.wav", "/etc/passwd"])
def test_metadata_that_leave(tmp_path, file):
    folder = folder_of_audio(tmp_path)
    (folder / "README.md").unlink()
    speak(tmp_path / "made" / "a.wav", 3)
    (folder / "data" / "metadata.csv").write_text(f"file_name,emotion\n{file},fear\nb.wav,anger\n")
    assert str(folder) in message(folder)


@pytest.mark.parametrize("name", ["../secret.arrow", "/secret.arrow"])
def test_saved_data_that_lie_elsewhere(tmp_path, name):
    folder = saved(tmp_path, emotion=["fear", "anger"])
    (arrow,) = folder.glob("*.arrow")
    arrow.rename(tmp_path / "secret.arrow")
    state = json.loads((folder / "state.json").read_text())
    state["_data_files"] = [{"filename": name}]
    (folder / "state.json").write_text(json.dumps(state))
    assert "is no file in" in message(folder, tmp_path / "wavs")
    arrow.symlink_to(tmp_path / "secret.arrow")
    state["_data_files"] = [{"filename": arrow.name}]
    (folder / "state.json").write_text(json.dumps(state))
    assert "is no file in" in message(folder, tmp_path / "wavs")


def test_what_is_damaged(tmp_path):
    folder = saved(tmp_path, emotion=["fear", "anger"])
    whole = tree(folder)
    for name, data in (
        ("state.json", b"{"),
        ("state.json", b"[]"),
        ("state.json", b'{"_data_files": [3]}'),
        ("dataset_info.json", b"\xff\x00"),
        ("dataset_info.json", b'{"features": {"a": {"_type": "Evil"}}}'),
        (next(name for name in whole if name.endswith(".arrow")), b"\xff" * 100),
    ):
        for path, was in whole.items():
            (folder / path).write_bytes(was)
        (folder / name).write_bytes(data)
        told = message(folder, tmp_path / "wavs")
        assert str(folder) in told, name
        assert len(told) < 900


def test_columns_that_are_not_there(tmp_path):
    folder = saved(tmp_path, mood=["fear", "anger"], other=["x", "y"])
    told = message(folder, tmp_path / "wavs")
    assert "which column has the emotions? There are mood, other: --option label=COLUMN" in told
    table = read(folder, tmp_path / "wavs", label="mood").manifest.table
    assert table["emotion"].tolist() == ["fear", "anger"]
    assert "has no column 'mod'" in message(folder, tmp_path / "wavs", label="mod")
    none = datasets.Dataset.from_dict({"mood": ["fear"], "sound": ["a.wav"]})
    none.save_to_disk(tmp_path / "none")
    assert "no column has audio, or paths of it; there are mood, sound" in message(
        tmp_path / "none", tmp_path
    )


def test_labels_that_are_missing_or_unknown(tmp_path):
    kinds = {"label": datasets.ClassLabel(names=["fear", "bliss"])}
    told = message(saved(tmp_path, kinds, label=[-1, 1]), tmp_path / "wavs")
    assert "row 1: the emotion is missing" in told
    assert "row 2: unknown emotion 'bliss'" in told
    told = message(tmp_path / "ds", tmp_path / "wavs", emotions="bliss,missing=")
    assert "leaves out all rows but those of 'bliss'" in told


def test_a_place_that_is_none(tmp_path):
    assert "no such folder" in message(tmp_path / "nothing", tmp_path)
    assert "where is voices? Give --root DIR" in message("somebody/dataset")
    (tmp_path / "empty").mkdir()
    assert "datasets cannot read it" in message(tmp_path / "empty")


def test_without_the_library(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingPackageError, match=r"\[datasets\]"):
        read(tmp_path, tmp_path)


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_files_with_sound_that_the_library_would_decode(tmp_path, form):
    kinds = {"emotion": datasets.ClassLabel(names=["fear", "anger"])}
    files = [speak(tmp_path / f"made/{name}.wav", seed) for seed, name in enumerate("ab")]
    sound = [{"path": path.name, "bytes": path.read_bytes()} for path in files]
    kinds |= {"audio": kept()}
    columns = {"emotion": [0, 1], "audio": sound}
    made = datasets.Dataset.from_dict(columns).cast(datasets.Features(kinds))
    made = made.cast_column("audio", datasets.Audio())
    assert made.features["audio"].decode
    (tmp_path / "ds").mkdir()
    if form == "parquet":
        made.to_parquet(tmp_path / "ds" / "train.parquet")
    else:
        made.save_to_disk(tmp_path / "saved")
        (arrow,) = (tmp_path / "saved").glob("*.arrow")
        arrow.rename(tmp_path / "ds" / "train.arrow")
    table = read(tmp_path / "ds", tmp_path / "wavs").manifest.table
    assert table["emotion"].tolist() == ["fear", "anger"]


def test_a_column_split_is_kept_beside_the_parts(tmp_path):
    parts = {
        name: dataset(tmp_path / name, emotion=emotions, split=["k1", "k2"])
        for name, emotions in (("train", ["fear", "anger"]), ("test", ["anger", "fear"]))
    }
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "ds")
    build = read(tmp_path / "ds", tmp_path / "wavs")
    table = build.manifest.table
    assert sorted(table["split"]) == ["test", "test", "train", "train"]
    assert sorted(table["source_split"]) == ["k1", "k1", "k2", "k2"]
    assert "the column 'split' is kept as 'source_split'" in " ".join(build.warnings)


def test_columns_by_our_names_that_are_something_else_are_told(tmp_path):
    columns = {"emotion": ["joy", "joy"], "speaker": ["x", "y"], "corpus": ["savee", "tess"]}
    folder = saved(tmp_path, gold=["fear", "anger"], actor=["ann", "bob"], **columns)
    build = read(folder, tmp_path / "wavs", label="gold", speaker="actor")
    assert build.manifest.table["speaker"].tolist() == ["ann", "bob"]
    said = "columns were left out, as a manifest has its own: "
    assert f"{said}emotion, speaker" in build.warnings
    assert "column 'corpus' was left out: a manifest has its own 'corpus'" in build.warnings
    build = read(folder, tmp_path / "wavs", label="gold", speaker="")
    assert f"{said}emotion" in build.warnings  # as was asked for


def test_numbers_have_the_digits_that_they_were_stored_with(tmp_path):
    kinds = {"arousal": datasets.Value("float32")}
    folder = saved(tmp_path, kinds, emotion=["fear", "anger"], arousal=[0.1, float("nan")])
    assert read(folder, tmp_path / "wavs").manifest.table["arousal"].tolist() == ["0.1", ""]
