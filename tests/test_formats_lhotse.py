"""Manifests that lhotse itself makes: recordings and supervisions, cuts, and what is no file."""

import gzip
import json

import numpy as np
import pytest
import soundfile

from ser.errors import InputError

from .test_manifests_build import speak
from .voices import build_voices, read_back, same, voices  # noqa: F401

lhotse = pytest.importorskip("lhotse", reason="the extra `lhotse` is not installed")

LENGTH = 0.12


def read(place, root=None, language=None, **options):
    return read_back(f"lhotse:{place}", root, language, **options)


def message(*args, **kwargs):
    with pytest.raises(InputError) as caught:
        read(*args, **kwargs)
    return str(caught.value)


def recording(root, name="a.wav", seed=1):
    return lhotse.Recording.from_file(speak(root / name, seed), recording_id=name[:-4])


def supervision(record, start=0.0, duration=LENGTH, **facts):
    facts = {"custom": {"emotion": "fear"}, "language": "de"} | facts
    id = facts.pop("id", f"{record.id}-said")
    return lhotse.SupervisionSegment(id, record.id, start, duration, **facts)


def store(folder, recordings, supervisions, part="", end=".jsonl.gz"):
    folder.mkdir(parents=True, exist_ok=True)
    lhotse.RecordingSet.from_recordings(recordings).to_file(folder / f"recordings{part}{end}")
    said = lhotse.SupervisionSet.from_segments(supervisions)
    said.to_file(folder / f"v_supervisions{part}{end}")
    return folder


def lines(folder, name):
    with gzip.open(folder / name, "rt") as file:
        return [json.loads(line) for line in file]


def store_line(folder, name, value):
    with gzip.open(folder / name, "wt") as file:
        file.write(json.dumps(value) + "\n")


@pytest.fixture
def one(tmp_path):
    """A folder with the manifests of one recording and what is said in it."""
    record = recording(tmp_path / "m")
    return store(tmp_path / "m", [record], [supervision(record)])


@pytest.mark.parametrize("form", ["manifests", "cuts"])
def test_there_and_back(voices, tmp_path, form):  # noqa: F811
    manifest = build_voices(voices)
    recordings, supervisions = [], []
    for row in manifest.table.to_dict("records"):
        record = lhotse.Recording.from_file(voices / row["path"], recording_id=row["id"])
        custom = {name: row[name] for name in ("emotion", "session", "sentence")}
        said = {name: row[name] or None for name in ("speaker", "gender", "language")}
        recordings.append(record)
        supervisions.append(supervision(record, id=row["id"], custom=custom, **said))
    folder = store(tmp_path / "m", recordings, supervisions)
    if form == "cuts":
        cuts = lhotse.CutSet.from_manifests(
            recordings=lhotse.RecordingSet.from_recordings(recordings),
            supervisions=lhotse.SupervisionSet.from_segments(supervisions),
        )
        folder = tmp_path / "my-cuts.jsonl.gz"
        cuts.to_file(folder)
    same(read(folder, voices).manifest, manifest)
    shorter = read(folder, voices.parent).manifest  # absolute paths, another root
    assert shorter.table["path"].tolist() == [f"voices/{p}" for p in manifest.table["path"]]


def test_parts_are_a_column_and_jsonl_does(tmp_path):
    first, second = recording(tmp_path / "m"), recording(tmp_path / "m", "b.wav", 2)
    folder = store(tmp_path / "m", [first, second], [supervision(first)], "_train", ".jsonl")
    store(folder, [second], [supervision(second, text="ja")], "_test", ".jsonl")
    table = read(folder).manifest.table
    assert table["split"].tolist() == ["train", "test"]
    assert table["text"].tolist() == ["", "ja"]


@pytest.mark.parametrize(
    ("names", "parts"),
    [
        (("cuts_train", "cuts.test"), ["test", "train"]),
        (("cuts.1", "cuts.00000002"), None),
        (("cuts_train.1", "cuts_train.2"), ["train", "train"]),
        (("my.cuts", "my_cuts_train-clean-100"), ["", "train-clean-100"]),
    ],
)
def test_files_of_parts_and_of_shards(tmp_path, names, parts):
    for seed, name in enumerate(names):
        record = recording(tmp_path / "m", f"{seed}.wav", seed)
        cut = record.to_cut()
        cut.supervisions = [supervision(record)]
        lhotse.CutSet.from_cuts([cut]).to_file(tmp_path / "m" / f"{name}.jsonl.gz")
    build = read(tmp_path / "m")
    table = build.manifest.table
    assert sorted(table["path"]) == ["0.wav", "1.wav"]
    assert (sorted(table["split"]) if parts else "split" not in table) == (parts or True)


def test_lists_that_are_none_of_its_manifests_are_told(one):
    (one / "features.jsonl.gz").write_text("")
    (one / "mycuts.jsonl").write_text("")
    told = "2 files are no recordings*, supervisions* or cuts* by their names, and were not read: "
    assert told + "features.jsonl.gz, mycuts.jsonl" in read(one).warnings
    for file in one.glob("*s.jsonl.gz"):
        file.rename(file.with_name(f"{file.name.removesuffix('s.jsonl.gz')}.jsonl.gz"))
    assert "nor .jsonl.gz, but feature.jsonl.gz, mycuts.jsonl, recording.jsonl.gz" in message(one)


def test_numbers_that_lhotse_has_not(tmp_path):
    first, second = recording(tmp_path / "m"), recording(tmp_path / "m", "b.wav", 2)
    said = [{"emotion": "fear", "valence": float("nan"), "text": 'says "NaN'}, {"valence": 0.5}]
    custom = [{"emotion": "fear"} | each for each in said]
    pairs = zip((first, second), custom, strict=True)
    supervisions = [supervision(record, custom=each) for record, each in pairs]
    table = read(store(tmp_path / "m", [first, second], supervisions)).manifest.table
    assert table["valence"].tolist() == ["", "0.5"]
    assert table["text"].tolist() == ['says "NaN', ""]


def test_languages_of_three_letters(one):
    (line,) = lines(one, "v_supervisions.jsonl.gz")
    store_line(one, "v_supervisions.jsonl.gz", line | {"language": "eng"})
    assert read(one).manifest.language == read(one, language="en").manifest.language == "en"


def test_parts_that_repeat_others(tmp_path):
    records = [recording(tmp_path / "m", f"{n}.wav", n) for n in range(2)]
    parts = {"_all": records, "_test": records[:1], "_train": records[1:]}
    for part, kept in parts.items():
        store(tmp_path / "m", kept, list(map(supervision, kept)), part)
    told = message(tmp_path / "m")
    assert "2 of 2 utterances are in several splits, such as " in told
    assert "0.wav' in all, test; leave lists there that have each utterance once" in told
    for file in (tmp_path / "m").glob("*_all.*"):
        file.unlink()
    assert len(read(tmp_path / "m").manifest) == 2


def two_parts(tmp_path):
    """Manifests of two parts, in each of which one recording is called `a`."""
    for part, seed in (("_train", 1), ("_test", 2)):
        record = recording(tmp_path / "m" / part, seed=seed)
        said = supervision(record, id=part[1:], custom={"emotion": "fear" if seed == 1 else "joy"})
        store(tmp_path / "m", [record], [said], part)
    return tmp_path / "m"


def test_recordings_that_every_part_counts_anew(tmp_path):
    folder = two_parts(tmp_path)
    table = read(folder).manifest.table.set_index("id")
    assert table["path"].to_dict() == {"train": "_train/a.wav", "test": "_test/a.wav"}
    assert table["emotion"].to_dict() == {"train": "fear", "test": "happiness"}
    (folder / "v_supervisions_test.jsonl.gz").rename(folder / "v_supervisions.jsonl.gz")
    assert "there are 2 recordings 'a', of which the supervision 'test' is" in message(folder)
    two = lines(folder, "recordings_train.jsonl.gz") + lines(folder, "recordings_test.jsonl.gz")
    (folder / "recordings.jsonl").write_text("\n".join(map(json.dumps, two)))
    assert "recordings.jsonl, line 2: another recording has the id 'a'" in message(folder)


def test_cuts_of_one_part_hide_no_other(tmp_path):
    folder = two_parts(tmp_path)
    record = lhotse.Recording.from_dict(lines(folder, "recordings_train.jsonl.gz")[0])
    cut = record.to_cut()
    cut.supervisions = [supervision(record, id="train")]
    lhotse.CutSet.from_cuts([cut]).to_file(folder / "cuts_train.jsonl.gz")
    told = message(folder)
    assert "1 of 2 supervisions are in none of the 1 cuts, such as 'test': name the file" in told
    (folder / "v_supervisions_test.jsonl.gz").unlink()
    assert read(folder).manifest.ids == ("train",)


def test_a_supervision_of_one_channel_of_a_cut(tmp_path):
    speak(tmp_path / "m" / "a.wav", 1)
    sound, rate = soundfile.read(tmp_path / "m" / "a.wav")
    soundfile.write(tmp_path / "m" / "a.wav", np.stack([sound, sound], 1), rate)
    record = lhotse.Recording.from_file(tmp_path / "m" / "a.wav", recording_id="a")
    cut = record.to_cut()
    cut.supervisions = [supervision(record, channel=0)]
    lhotse.CutSet.from_cuts([cut]).to_file(tmp_path / "m" / "cuts.jsonl.gz")
    assert "1 of 1 utterances are pieces" in message(
        tmp_path / "m" / "cuts.jsonl.gz", tmp_path / "m"
    )


def test_labels_in_another_field(one):
    (line,) = lines(one, "v_supervisions.jsonl.gz")
    line["custom"] = {"mood": "angry", "arousal": 0.5}
    store_line(one, "v_supervisions.jsonl.gz", line)
    assert "which column has the emotions? There are id, language, mood, arousal" in message(one)
    table = read(one, label="mood").manifest.table
    assert (table["emotion"][0], table["arousal"][0]) == ("anger", "0.5")
    assert "has no column 'moood'" in message(one, label="moood")


def test_a_language_that_is_no_code(one):
    (line,) = lines(one, "v_supervisions.jsonl.gz")
    store_line(one, "v_supervisions.jsonl.gz", line | {"language": "German"})
    assert "which language is" in message(one)
    build = read(one, language="de")
    assert build.manifest.language == "de"
    assert "language: what is no code, such as en, was left out: 'German' (1)" in build.warnings


@pytest.mark.parametrize("times", [(0.0, 0.06), (0.06, 0.06)])
def test_pieces(tmp_path, times):
    record = recording(tmp_path / "m")
    folder = store(tmp_path / "m", [record], [supervision(record, *times)])
    told = message(folder)
    assert "1 of 1 utterances are pieces of longer recordings" in told
    assert "trim_to_supervisions" in told


def test_cuts_of_pieces_and_of_several_speakers(tmp_path):
    record = recording(tmp_path / "m")
    whole = record.to_cut()
    whole.supervisions = [supervision(record), supervision(record, id="b")]
    lhotse.CutSet.from_cuts([whole, whole.truncate(duration=0.06)]).to_file(
        tmp_path / "cuts.jsonl.gz"
    )
    assert "4 of 4 utterances are pieces" in message(tmp_path / "cuts.jsonl.gz")
    mixed = record.to_cut().append(record.to_cut())
    lhotse.CutSet.from_cuts([mixed]).to_file(tmp_path / "cuts.jsonl.gz")
    assert "line 1: is a MixedCut" in message(tmp_path / "cuts.jsonl.gz")


def test_nothing_is_run_or_fetched(one, tmp_path):
    (line,) = lines(one, "recordings.jsonl.gz")
    mark = tmp_path / "was-run"
    for kind, source in (("command", f"touch {mark}"), ("url", "http://localhost:9/x.wav")):
        line["sources"][0] |= {"type": kind, "source": source}
        store_line(one, "recordings.jsonl.gz", line)
        told = message(one)
        assert f"1 of the type {kind}, such as a; expected recordings that are a file each" in told
        assert not mark.exists()


def test_recordings_that_are_changed_or_several_files(one):
    (line,) = lines(one, "recordings.jsonl.gz")
    fast = lhotse.Recording.from_dict(json.loads(json.dumps(line))).perturb_speed(1.1)
    store_line(one, "recordings.jsonl.gz", fast.to_dict() | {"id": "a"})
    assert "1 changed by transforms" in message(one)
    line["sources"] = line["sources"] * 2
    store_line(one, "recordings.jsonl.gz", line)
    assert "1 2 files, such as a" in message(one)


def test_recordings_without_words_and_words_without_recordings(one, tmp_path):
    first, second = recording(one), recording(one, "b.wav", 2)
    store(one, [first, second], [supervision(first)])
    assert "1 recordings have no supervision, and were left out: b" in read(one).warnings
    store(one, [second], [supervision(first)])
    assert "there is no recording 'a', of which the supervision 'a-said' is" in message(one)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "line 1: Input data was truncated"),
        ("[1]", "Expected `object`"),
        ('{"duration": Infinity}', "JSON is malformed"),
        ('{"duration": NaN}', "lhotse cannot read it"),
        ('"' + '\\"' * 400_000 + "NaN", "line 1: Input data was truncated"),
        ('{"id": "a"}', "lhotse cannot read it"),
        ('{"id": "a", "type": "Cat"}', "lhotse cannot read it: ValueError"),
        ('{"shape": [99999999999, 9999999999]}', "lhotse cannot read it"),
        ('{"a":' * 100_000, "nested too deep"),
        ("", "has no utterances"),
    ],
)
def test_lines_that_are_none_of_lhotse(tmp_path, text, told):
    (tmp_path / "cuts.jsonl").write_text(text)
    assert told in message(tmp_path)


def test_files_that_are_none_of_lhotse(tmp_path, one):
    assert "no recordings*.jsonl" in message(tmp_path)
    assert "no such file or folder" in message(tmp_path / "nothing")
    for data, told in (
        (b"PK\x03\x04", "a spreadsheet or an archive"),
        (b"\x1f\x8b\x08\x00", "a compressed file that is damaged"),
        (gzip.compress(b" " * 10_000_000), "unpacks to more than"),
        (b"\xff\x00", "not UTF-8"),
    ):
        (one / "recordings.jsonl.gz").write_bytes(data)
        assert told in message(one)
    (tmp_path / "secret").write_text("{}")
    (one / "recordings.jsonl.gz").unlink()
    (one / "recordings.jsonl.gz").symlink_to(tmp_path / "secret")
    assert "it is a link that leads out of" in message(one)


@pytest.mark.parametrize("path", ["../secret.wav", "/etc/passwd", "a/../../x.wav"])
def test_paths_that_leave(one, path):
    (line,) = lines(one, "recordings.jsonl.gz")
    line["sources"][0]["source"] = path
    store_line(one, "recordings.jsonl.gz", line)
    told = message(one)
    assert "leaves the corpus root" in told or "does not lie in the corpus root" in told


def test_custom_fields_that_are_left_out_are_told(tmp_path):
    record = recording(tmp_path / "m")
    custom = {"emotion": "fear", "votes": ["fear", "joy"], "speaker": "x", "arousal": 3}
    said = supervision(record, custom=custom, speaker="ann")
    build = read(store(tmp_path / "m", [record], [said]))
    assert build.manifest.table["arousal"].tolist() == ["3"]
    assert build.manifest.table["speaker"].tolist() == ["ann"]
    assert "custom fields were left out, as lhotse's own say it: speaker" in build.warnings
    assert "custom fields of other types were left out: votes" in build.warnings


def test_channels_can_be_cut_as_is_told(tmp_path):
    both = np.random.default_rng(0).uniform(-0.5, 0.5, (int(16_000 * LENGTH), 2))
    (tmp_path / "m").mkdir()
    soundfile.write(tmp_path / "m" / "a.wav", both, 16_000)
    record = lhotse.Recording.from_file(tmp_path / "m" / "a.wav", recording_id="a")
    sides = [supervision(record, id=f"side-{side}", channel=side) for side in (0, 1)]
    folder = store(tmp_path / "m", [record], sides)
    assert "or one channel of several" in message(folder)
    cuts = lhotse.CutSet.from_manifests(
        recordings=lhotse.RecordingSet.from_recordings([record]),
        supervisions=lhotse.SupervisionSet.from_segments(sides),
    )
    cut = cuts.trim_to_supervisions(keep_overlapping=False).save_audios(tmp_path / "cut")
    cut.to_file(tmp_path / "cut" / "cuts.jsonl.gz")
    table = read(tmp_path / "cut").manifest.table
    assert table["id"].tolist() == ["side-0", "side-1"]
    heard, _ = soundfile.read(tmp_path / "cut" / table["path"][1])
    assert np.allclose(heard, both[:, 1], atol=1e-3)


def test_a_word_for_a_language_is_told_where_none_is_left(tmp_path):
    record = recording(tmp_path / "m")
    folder = store(tmp_path / "m", [record], [supervision(record, language="English")])
    assert "language: what is no code, such as en, was left out: 'English' (1)" in message(folder)
