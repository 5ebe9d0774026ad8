"""Copies of a recording: known whatever was done to them, and never seen in other recordings."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ser.cache import Cache, store_manifest
from ser.errors import AudioError, InputError, LeakError
from ser.extract.audio import to_recipe
from ser.manifests import (
    FINGERPRINT,
    Manifest,
    build_manifest,
    check_leaks,
    check_leaks_between,
    make_splits,
    read_audio,
    read_splits,
    write_splits,
)
from ser.manifests.audio import mix
from ser.manifests.fingerprint import (
    ALIKE,
    alike,
    distances,
    fingerprint,
    is_fingerprint,
    read,
    recordings,
)

FOLDER = os.environ.get("SER_TEST_CORPORA", "")
RATE = 16000


def speech(seed, seconds=1.6):
    """Something like speech: gliding harmonics under moving formants, in syllables; 16 kHz."""
    draw = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    knots = np.arange(0, seconds + 0.2, 0.1)

    def track(low, high):
        return np.interp(time, knots, draw.uniform(low, high, len(knots)))

    phase = 2 * np.pi * np.cumsum(track(90, 260)) / RATE
    pitch, formants = np.gradient(phase) * RATE / 2 / np.pi, (track(300, 800), track(900, 2500))
    sound = np.zeros_like(time)
    for number in range(1, 30):
        gain = sum(np.exp(-(((number * pitch - formant) / 150) ** 2)) for formant in formants)
        sound += (gain + 0.01) * np.sin(number * phase)
    sound *= np.clip(track(-0.3, 1), 0, 1)
    sound += 0.002 * draw.normal(size=len(time))
    return (0.4 * sound / np.abs(sound).max()).astype(np.float32)


def heard(path):
    audio = read_audio(path)
    return fingerprint(audio.mono, audio.rate)


def distance(one, other):
    return float(distances(read([one])[0], read([other])[0])[0])


# --- what several channels are heard as ---


@given(
    arrays(np.float32, st.integers(1, 50), elements=st.floats(-2, 2, width=32)), st.integers(1, 40)
)
def test_the_mean_of_equal_channels_is_each_of_them(mono, channels):
    mono = np.append(mono, np.float32([1, -1]))
    np.testing.assert_array_equal(mix(np.repeat(mono[:, None], channels, axis=1)), mono)


@given(arrays(np.float32, (20, 2), elements=st.floats(-2, 2, width=32)))
def test_the_mean_of_two_channels_is_that_of_float32(samples):
    samples[0], samples[1] = 1, -1
    np.testing.assert_array_equal(mix(samples), samples.mean(axis=1, dtype=np.float32))
    np.testing.assert_array_equal(to_recipe(samples, RATE), mix(samples))


def test_channels_that_cancel_each_other_out_are_a_bad_file(tmp_path):
    sound = speech(0)
    for name, other in (("good", sound), ("bad", -sound)):
        soundfile.write(tmp_path / f"{name}.wav", np.stack([sound, other], axis=1), RATE)
    with pytest.raises(AudioError, match="cancel each other out"):
        _ = read_audio(tmp_path / "bad.wav").sha
    (tmp_path / "list.csv").write_text("path,emotion\ngood.wav,anger\nbad.wav,fear\n")
    made = build_manifest("mine", tmp_path, csv=tmp_path / "list.csv", language="pt")
    assert made.manifest.ids == ("good",)
    assert [(bad.id, bad.reason.split(":")[0]) for bad in made.bad] == [
        ("bad", "the channels cancel each other out")
    ]


# --- fingerprints ---


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    seconds=st.floats(0.4, 4),
    gain=st.floats(-3, 0.3).map(lambda power: 10.0**power),
    sign=st.sampled_from([-1, 1]),
    rate=st.sampled_from([6000, 8000, 11025, 12000, 22050, 32000, 44100, 48000, 96000]),
    before=st.floats(0, 3),
    after=st.floats(0, 3),
)
def test_a_copy_has_the_same_fingerprint(seed, seconds, gain, sign, rate, before, after):
    sound = speech(seed, seconds)
    silence = (round(before * RATE), round(after * RATE))
    copy = soxr.resample(np.pad(sign * gain * sound, silence), RATE, rate, quality="VHQ")
    texts = [fingerprint(sound, RATE), fingerprint(copy.astype(np.float32), rate)]
    assert all(len(text) == 63 and is_fingerprint(text) for text in texts)
    assert distance(*texts) < 0.2
    assert alike(texts, [seconds, seconds + before + after]).tolist() == [[0, 1]]


@settings(max_examples=20)
@given(
    seeds=st.lists(st.integers(0, 10**6), min_size=6, max_size=6, unique=True),
    seconds=st.floats(0.3, 6),
    level=st.floats(0.001, 0.5),
    kind=st.sampled_from(["speech", "noise", "speech in noise"]),
)
def test_other_recordings_have_other_fingerprints(seeds, seconds, level, kind):
    texts = []
    for seed in seeds:
        voice = speech(seed, seconds)
        noise = np.random.default_rng(seed).normal(size=len(voice)).astype(np.float32)
        texts.append(
            fingerprint(
                (voice if "speech" in kind else 0) + level * noise * ("noise" in kind), RATE
            )
        )
    one, other = np.triu_indices(len(texts), 1)
    vectors, _ = read(texts)
    apart = distances(vectors[one], vectors[other])
    assert apart.min() > ALIKE + 0.1
    assert not len(alike(texts, [seconds] * len(texts)))


LOSSY = [
    ("MP3", "MPEG_LAYER_III", RATE),
    ("MP3", "MPEG_LAYER_III", 44100),
    ("OGG", "VORBIS", RATE),
    ("OGG", "OPUS", RATE),
    ("WAV", "PCM_U8", RATE),
    ("WAV", "ULAW", 8000),
    ("WAV", "ALAW", 8000),
    ("WAV", "IMA_ADPCM", RATE),
    ("WAV", "MS_ADPCM", RATE),
    ("AIFF", "PCM_S8", RATE),
]


@pytest.mark.parametrize(("form", "subtype", "rate"), LOSSY)
def test_lossy_copies(tmp_path, form, subtype, rate):
    if not soundfile.check_format(form, subtype):
        pytest.skip(f"this libsndfile does not write {subtype} in {form}")
    for seed in range(5):
        sound = speech(seed)
        path = tmp_path / f"{seed}.{form.lower()}"
        soundfile.write(path, soxr.resample(sound, RATE, rate), rate, subtype, format=form)
        assert distance(heard(path), fingerprint(sound, RATE)) < ALIKE


def test_copies_that_are_not_quite_the_same(tmp_path):
    sound = speech(1)
    draw = np.random.default_rng(0)
    noise = draw.normal(size=sound.shape).astype(np.float32)
    copies = {
        "one channel beside silence": np.stack([sound, 0 * sound], axis=1),
        "left and right differ": np.stack([sound, 0.7 * sound + 0.001 * noise], axis=1),
        "the right channel is late": np.stack([sound, np.roll(sound, 1)], axis=1),
        "one sample less": sound[1:],
        "one sample more": np.pad(sound, (1, 0)),
        "offset": sound + 0.1,
        "dither": sound + noise / 32768,
        "hum": sound + 0.02 * np.sin(2 * np.pi * 50 / RATE * np.arange(len(sound))),
        "cut by 10 ms": sound[160:-160],
        "clipped": np.clip(1.5 * sound, -0.4, 0.4),
    }
    for name, copy in copies.items():
        soundfile.write(tmp_path / "copy.wav", copy, RATE, "FLOAT")
        assert distance(heard(tmp_path / "copy.wav"), fingerprint(sound, RATE)) < 0.25, name


def test_sounds_that_say_nothing():
    """Silence has no fingerprint; nothing else makes trouble, however short or odd it is."""
    assert fingerprint(np.zeros(1600, np.float32), RATE) == ""
    assert fingerprint(np.ones(1600, np.float32), RATE) == ""
    draw = np.random.default_rng(0)
    for rate in (5, 600, 4000, 16000, 384000):
        for count in (rate // 10 or 1, rate, rate * 3):
            text = fingerprint(draw.normal(size=count).astype(np.float32), rate)
            assert is_fingerprint(text)
    tones = [np.sin(2 * np.pi * hertz * np.arange(16000) / RATE) for hertz in (440, 500, 1200)]
    texts = [fingerprint(tone.astype(np.float32), RATE) for tone in tones]
    assert not len(alike([text for text in texts if text], [1.0] * 3))


def test_a_long_sound_takes_little_memory():
    """No more than the sound does, twice over."""
    import tracemalloc

    sound = np.tile(speech(0, 10.0), 60)
    tracemalloc.start()
    fingerprint(sound, RATE)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 3 * sound.nbytes


def test_the_same_piece_twice_and_an_excerpt_are_other_recordings():
    sound = speech(3, 3.0)
    texts = [fingerprint(part, RATE) for part in (sound, np.tile(sound, 2), sound[: 2 * RATE])]
    assert not len(alike(texts, [3.0, 6.0, 2.0]))


def test_synthetic_speech_that_differs_in_pitch_alone(tmp_path):
    pytest.importorskip("espeakng_loader")
    from ser.demo.studio import Delivery, Take, record

    takes = [
        Take(tmp_path / f"{pitch}.wav", "Der Lappen liegt auf dem Eisschrank.", "de+m1", delivery)
        for pitch in range(20, 80, 4)
        for delivery in [Delivery(rate=165, pitch=pitch, range=46, volume=75)]
    ]
    record(takes)
    audios = [read_audio(take.path) for take in takes]
    texts = [fingerprint(audio.mono, audio.rate) for audio in audios]
    assert not len(alike(texts, [audio.duration for audio in audios]))


# --- recordings ---


def table(sounds, corpus="mine", **columns):
    """A manifest's table of (id, speaker, audio hash, fingerprint, duration)."""
    rows = [
        {
            "id": name,
            "corpus": corpus,
            "language": "pt",
            "speaker": speaker,
            "gender": "",
            "emotion": "fear",
            "path": f"{name}.wav",
            "duration": seconds,
            "audio_hash": f"{audio:032x}",
            FINGERPRINT: text,
        }
        for name, speaker, audio, text, seconds in sounds
    ]
    return pd.DataFrame(rows).assign(**columns)


@pytest.fixture(scope="module")
def texts():
    """Fingerprints of eight recordings, and of a copy of each."""
    draw = np.random.default_rng(0)
    sounds = [speech(seed) for seed in range(8)]
    noisy = [sound + 0.01 * draw.normal(size=sound.shape).astype(np.float32) for sound in sounds]
    return [[fingerprint(sound, RATE) for sound in each] for each in (sounds, noisy)]


def test_recordings_by_hand(texts):
    first, second = texts
    sounds = [
        ("a", "s", 9, first[0], 1.6),
        ("b", "s", 5, second[0], 1.6),  # sounds like a
        ("c", "s", 7, first[1], 1.6),
        ("d", "s", 7, "", 1.6),  # has the hash of c
        ("e", "s", 3, "", 1.6),  # a sound without a fingerprint
        ("f", "s", 2, second[1], 1.6),  # sounds like c, and so like d
    ]
    assert recordings([table(sounds)]) == [
        tuple(f"{number:032x}" for number in (5, 5, 2, 2, 3, 2)),
    ]
    without = table(sounds).drop(columns=FINGERPRINT)
    assert recordings([without]) == [tuple(without["audio_hash"])]
    assert recordings([table(sounds[:1]), table(sounds[1:3])]) == [
        (f"{5:032x}",),
        (f"{5:032x}", f"{7:032x}"),
    ]
    assert recordings([]) == []


def test_pairs_are_found_among_many(texts):
    """Beyond one block of comparisons, whatever the order."""
    draw = np.random.default_rng(0)
    noise = draw.normal(size=(1500, 1600)).astype(np.float32)
    many = [fingerprint(sound, RATE) for sound in noise] + texts[0] + texts[1]
    order = draw.permutation(len(many))
    found = alike([many[place] for place in order], [1.6] * len(many))
    pairs = {tuple(sorted(order[list(pair)].tolist())) for pair in found}
    assert pairs == {(1500 + number, 1508 + number) for number in range(8)}


def made(texts, copies=2, speakers=4):
    """A manifest of eight recordings, each several times, every time with another hash."""
    sounds = [
        (f"u{copy}-{number}", f"s{number % speakers}", 100 * copy + number, text, 1.6)
        for copy in range(copies)
        for number, text in enumerate(texts[copy % 2])
    ]
    return Manifest(table(sounds))


@pytest.mark.parametrize("protocol", ["paper", "authors", "speaker"])
@pytest.mark.parametrize("copies", [2, 3])
def test_splits_keep_copies_together(texts, protocol, copies):
    manifest = made(texts, copies)
    for seed in range(10):
        for split in make_splits(manifest, protocol, seed):
            check_leaks(manifest, split)
            for ids in split.parts().values():
                numbers = [name.split("-")[1] for name in ids]
                assert all(numbers.count(number) == copies for number in numbers)


def test_a_copy_under_another_speaker_joins_the_two(texts):
    joined = table([("x", "s0", 1, texts[0][0], 1.6), ("y", "s1", 2, texts[1][0], 1.6)])
    others = table([(f"z{n}", f"s{n}", 10 + n, texts[0][n], 1.6) for n in range(2, 8)])
    manifest = Manifest(pd.concat([joined, others]))
    for seed in range(5):
        for split in make_splits(manifest, "speaker", seed):
            check_leaks(manifest, split)
            assert all(("x" in ids) == ("y" in ids) for ids in split.parts().values())


@pytest.mark.parametrize("protocol", ["paper", "speaker"])
def test_a_split_that_parts_copies_leaks(texts, tmp_path, protocol):
    manifest = made(texts, speakers=8)
    splits = make_splits(manifest, protocol, 0)
    write_splits(tmp_path / "split.csv", manifest, splits)
    moved = splits[0].test[0]
    text = (tmp_path / "split.csv").read_text()
    (tmp_path / "split.csv").write_text(text.replace(f"0,0,{moved},test", f"0,0,{moved},train"))
    with pytest.raises(LeakError) as caught:
        read_splits(tmp_path / "split.csv", manifest)
    other = moved.replace("u0", "u1")
    expected = f"copies that sound alike in more than one part (1): in train ({moved}) and test ("
    assert f"{expected}{other})" in str(caught.value)
    plain = Manifest(manifest.table.drop(columns=FINGERPRINT))
    if protocol == "paper":  # nothing but the sound shows it
        check_leaks(plain, replace(splits[0], train=(*splits[0].train, moved), test=(other,)))


def test_copies_in_two_corpora(texts):
    one = Manifest(made(texts, copies=1).table)
    copy = made(texts, copies=2).table[8:].assign(corpus="other", language="de")
    other = Manifest(copy.assign(id=[name.replace("u1", "v") for name in copy["id"]]))
    (split,) = make_splits(one, "paper", 0)
    parts = {
        part: tuple(name.replace("u0", "v") for name in ids) for part, ids in split.parts().items()
    }
    both = {"mine": one, "other": other}
    check_leaks_between(both, {"mine": [split], "other": [replace(split, **parts)]})
    moved = replace(split, **{**parts, "test": parts["validation"], "validation": parts["test"]})
    with pytest.raises(LeakError, match=r"in validation \(.* of .*\) and test \(.* of .*\)"):
        check_leaks_between(both, {"mine": [split], "other": [moved]})
    bare = {name: Manifest(each.table.drop(columns=FINGERPRINT)) for name, each in both.items()}
    check_leaks_between(bare, {"mine": [split], "other": [moved]})


# --- the column of a manifest ---


def test_the_column_is_kept_checked_and_no_part_of_the_id(texts, tmp_path):
    manifest = made(texts)
    bare = Manifest(manifest.table.drop(columns=FINGERPRINT))
    assert manifest.id == bare.id
    assert list(manifest.table.columns)[-1] == FINGERPRINT
    for number, each in enumerate((manifest, bare)):
        each.save(tmp_path / f"{number}.csv")
        assert Manifest.load(tmp_path / f"{number}.csv").table.equals(each.table)
    for wrong in ("x", "1.5E+07", texts[0][0] + "A"):
        with pytest.raises(InputError, match=r"rows 1, 2.* is no fingerprint"):
            Manifest(manifest.table.assign(fingerprint=wrong))
    later = manifest.table.assign(age="31")[[*bare.table.columns, "age", FINGERPRINT]]
    assert list(Manifest(later).table.columns)[-2:] == [FINGERPRINT, "age"]


def test_a_cache_from_before_gets_the_column_and_keeps_all_else(texts, tmp_path):
    new = made(texts)
    corrected = new.table.drop(columns=FINGERPRINT).assign(emotion=["anger"] * 8 + ["fear"] * 8)
    for labels, told in ((corrected, "has other labels"), (corrected.assign(emotion="fear"), None)):
        cache = Cache(tmp_path / str(told))
        store_manifest(cache, Manifest(labels), replace=True)
        note = store_manifest(cache, new)
        assert told in note if told else note is None
        stored = cache.manifest("mine")
        assert stored.table.equals(
            Manifest(labels).table.assign(fingerprint=new.table[FINGERPRINT])
        )
        assert stored.id == new.id
        # Another machine may round otherwise: that is no other manifest.
        rounded = new.table.assign(fingerprint=texts[1] * 2)
        if not told:
            assert store_manifest(cache, Manifest(rounded)) is None
        assert cache.manifest("mine").table.equals(stored.table)


def test_corrected_labels_do_not_cost_the_column(texts, tmp_path):
    cache = Cache(tmp_path)
    store_manifest(cache, made(texts), replace=True)
    labels = Manifest(made(texts).table.drop(columns=FINGERPRINT).assign(emotion="anger"))
    store_manifest(cache, labels, replace=True)
    assert list(cache.manifest("mine").table[FINGERPRINT]) == list(made(texts).table[FINGERPRINT])


def test_files_of_several_channels_that_were_hashed_otherwise(texts, tmp_path):
    cache = Cache(tmp_path)
    new = made(texts)
    hashes = [f"{number + (number > 3):030x}ff" for number in range(16)]
    store_manifest(
        cache, Manifest(new.table.drop(columns=FINGERPRINT).assign(audio_hash=hashes)), replace=True
    )
    with pytest.raises(InputError) as caught:
        store_manifest(cache, new)
    assert "another copy" not in str(caught.value)
    assert "several channels" in str(caught.value)
    assert "--replace" in str(caught.value)


# --- from files to splits ---

COPIERS = {
    "stereo.wav": lambda sound: (np.stack([sound, sound], axis=1), RATE),
    "four.wav": lambda sound: (np.tile(sound[:, None], 4), RATE),
    "left.wav": lambda sound: (np.stack([sound, 0 * sound], axis=1), RATE),
    "fast.flac": lambda sound: (soxr.resample(sound, RATE, 48000), 48000),
    "phone.wav": lambda sound: (soxr.resample(sound, RATE, 8000), 8000),
    "quiet.wav": lambda sound: (-0.1 * sound, RATE),
    "late.wav": lambda sound: (np.pad(sound, (0, 2 * RATE)), RATE),
    "lossy.ogg": lambda sound: (sound, RATE),
}


def copied_corpus(folder, sounds):
    """A CSV corpus: every sound, and one copy of each, which is said to be another person's."""
    rows = ["path,emotion,speaker,take"]
    for number, sound in enumerate(sounds):
        soundfile.write(folder / f"{number}.wav", sound, RATE)
        name = f"{number}-{list(COPIERS)[number % len(COPIERS)]}"
        soundfile.write(folder / name, *COPIERS[name.split("-")[1]](sound))
        rows += [f"{number}.wav,anger,s{number % 6},{number}"]
        rows += [f"{name},anger,s{number % 6},{number}"]
    (folder / "list.csv").write_text("\n".join(rows))
    return build_manifest("mine", folder, csv=folder / "list.csv", language="pt")


def check_that_copies_stay_together(build, count):
    """No split of any protocol parts the two of a take, and one that does is refused."""
    manifest = build.manifest
    assert (len(manifest), build.bad) == (2 * count, [])
    take = dict(zip(manifest.ids, manifest.table["take"], strict=True))
    assert len(set(manifest.recordings)) == count
    for protocol in ("paper", "authors", "speaker"):
        for seed in range(5):
            for split in make_splits(manifest, protocol, seed):
                check_leaks(manifest, split)
                takes = [{take[name] for name in ids} for ids in split.parts().values()]
                assert sum(map(len, takes)) == count
    (split,) = make_splits(manifest, "paper", 0)
    moved = split.test[0]
    parted = replace(split, train=(*split.train, moved), test=split.test[1:])
    with pytest.raises(LeakError, match=r"(audio|alike) in more than one part \(1\)"):
        check_leaks(manifest, parted)


def test_a_corpus_with_copies(tmp_path):
    build = copied_corpus(tmp_path, [speech(seed) for seed in range(24)])
    check_that_copies_stay_together(build, 24)
    same, sounding = build.warnings
    assert same.startswith("12 utterances share their audio with another; splits keep them in one")
    assert sounding.startswith("36 utterances sound like a copy of another; splits keep them in")
    assert "0 = 0-stereo" in same
    assert "10 ~ 10-left" in sounding


@pytest.mark.parametrize("corpus", ["emodb", "ravdess", "emovo"])
def test_real_speech_with_copies(tmp_path, corpus):
    files = sorted((Path(FOLDER) / corpus).rglob("*.flac"))[::16] if FOLDER else []
    if len(files) < 30:
        pytest.skip(f"{corpus} is not in SER_TEST_CORPORA")
    build = copied_corpus(tmp_path, [soundfile.read(file, dtype="float32")[0] for file in files])
    check_that_copies_stay_together(build, len(files))


@pytest.mark.parametrize(("corpus", "pairs"), [("emodb", 0), ("ravdess", 1), ("emovo", 0)])
def test_takes_of_the_same_sentence_are_no_copies(corpus, pairs):
    root = Path(FOLDER) / corpus
    if not FOLDER or not root.is_dir():
        pytest.skip(f"{corpus} is not in SER_TEST_CORPORA")
    manifest = build_manifest(corpus, root).manifest
    assert len(set(manifest.recordings)) == len(manifest) - pairs
    bare = Manifest(manifest.table.drop(columns=FINGERPRINT))
    for protocol in ("paper", "authors", "speaker"):
        for seed in range(5):
            assert make_splits(manifest, protocol, seed) == make_splits(bare, protocol, seed)
