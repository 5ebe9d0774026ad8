"""Manifests that go into a cache beside an earlier one: rows, spellings, ids of other systems."""

import unicodedata

import pytest
from click.testing import CliRunner

from ser.cache import Cache, store_manifest, with_known_ids
from ser.cli import main
from ser.errors import InputError
from ser.manifests import Manifest, build_manifest, id_from_form, id_from_path

from .conftest import KEY, fill, make_manifest, same
from .sound import assert_sound
from .test_manifests_build import speak


def spoken(ids, **columns):
    """A manifest of these utterances; columns hold a value for each."""
    return Manifest(make_manifest(ids).table.assign(**columns))


def edit(cache, old, new):
    """Write in a manifest of the cache, as an earlier version or a person could have."""
    path = cache.folder / "manifests" / "mine.csv"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


# --- rows that are added ---


def test_rows_that_spell_a_speaker_otherwise_are_refused(cache):
    store_manifest(cache, spoken("abc", speaker=["Anna", "Anna", "03"]))
    more = spoken("abcdef", speaker=["anna", "anna", "3", "anna", "3", "x"])
    before = (cache.folder / "manifests" / "mine.csv").read_bytes()
    with pytest.raises(InputError) as caught:
        store_manifest(cache, more)
    told = str(caught.value)
    assert "the 3 new utterances do not go with the 3 in the cache" in told
    assert "row 4: speaker 'anna' (one row) is 'Anna' in 2 rows" in told
    assert "row 5: speaker '3' (one row) is '03' in one row" in told
    assert "Rows from 4 are the new ones." in told
    assert (cache.folder / "manifests" / "mine.csv").read_bytes() == before
    assert "replaced" in store_manifest(cache, spoken("abcdef", speaker=list("uvwxyz")), True)


def test_rows_whose_numbers_became_floats_are_joined(cache, tmp_path):
    store_manifest(cache, spoken("abc", speaker=["1", "2", "10"]))
    table = make_manifest("abcd").table.assign(speaker=["1", "2", "10", "2"])
    told = store_manifest(cache, Manifest(table.assign(speaker=[1.0, 2.0, 10.0, 2.0])))
    assert told == "mine: 1 utterances are added to the 3 there"
    assert list(cache.manifest("mine").table["speaker"]) == ["1", "2", "10", "2"]
    assert_sound(cache.manifest("mine"), tmp_path)


@pytest.mark.parametrize("word", ["nan", "Unknown", "N/A", "-1", "?", "\u200b"])
def test_added_rows_whose_speaker_is_missing(cache, word):
    store_manifest(cache, spoken("abc", speaker=["s1", "s2", word]))
    store_manifest(cache, spoken("abcde", speaker=["s1", "s2", word, word, word.lower()]))
    assert list(cache.manifest("mine").table["speaker"]) == ["s1", "s2", "", "", ""]


# --- a manifest that an earlier version left ---


@pytest.mark.parametrize("word", ["nan", "Unknown", "N/A"])
def test_missing_speakers_of_an_old_manifest(cache, word):
    store_manifest(cache, spoken("abc", speaker=["s1", "gone", "gone"]))
    edit(cache, "gone", word)
    old = cache.manifest("mine")
    assert list(old.table["speaker"]) == ["s1", "", ""]
    assert f"{word!r} (2)" in old.notes[0]
    assert store_manifest(cache, spoken("abc", speaker=["s1", "", ""])) is None


@pytest.mark.parametrize(
    ("column", "old", "new", "says"),
    [
        ("speaker", "gone", "ANNA", "line 3: speaker 'Anna' (one row) is 'ANNA' in one row"),
        ("emotion", "gone", "unknown", "line 4: the emotion is missing ('unknown')"),
        ("emotion", "gone", "nan", "line 4: the emotion is missing ('nan')"),
    ],
)
def test_an_old_manifest_that_cannot_be_kept(cache, column, old, new, says):
    made = {"speaker": ["b", "Anna", "gone"], "emotion": ["fear", "calm", "gone"]}
    store_manifest(cache, spoken("abc", **{column: made[column]}))
    edit(cache, old, new)
    with pytest.raises(InputError) as caught:
        cache.manifest("mine")
    assert says in str(caught.value)
    assert str(cache.folder / "manifests" / "mine.csv") in str(caught.value)
    with pytest.raises(InputError, match="--replace"):
        store_manifest(cache, spoken("abc"))
    assert "is replaced" in store_manifest(cache, spoken("abc"), replace=True)
    assert len(cache.manifest("mine")) == 3


# --- ids whose path had another Unicode form ---

NAMES = ["Colère/é.wav", "Peur/ü 1.wav", "plain.wav"]


def listed(folder, form, more=()):
    """A list of audio, written in this form; the files are composed."""
    names = [*NAMES, *more]
    for seed, name in enumerate(names):
        speak(folder / "audio" / name, seed)
    rows = [
        f"{unicodedata.normalize(form, name)},{'fear' if i else 'calm'}"
        for i, name in enumerate(names)
    ]
    file = folder / f"{form}.csv"
    file.write_text("\n".join(["path,emotion", *rows]) + "\n", encoding="utf-8")
    return file


def as_made_before(made, form):
    """The manifest that a list in this form gave when ids depended on it."""
    paths = [unicodedata.normalize(form, path) for path in made.table["path"]]
    return Manifest(made.table.assign(path=paths, id=list(map(id_from_form, paths))))


@pytest.mark.parametrize("before", ["NFC", "NFD"])
def test_an_old_manifest_comes_to_a_new_cache(cache, tmp_path, before):
    file = listed(tmp_path, "NFC")
    made = build_manifest("mine", tmp_path / "audio", csv=file, language="fr").manifest
    store_manifest(cache, made)
    old = as_made_before(made, before)
    assert store_manifest(cache, old) is None
    assert with_known_ids(cache, old).ids == made.ids


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("before", ["NFC", "NFD"])
def test_a_cache_of_another_system_is_of_the_same_corpus(cache, tmp_path, form, before):
    file = listed(tmp_path, form)
    made = build_manifest("mine", tmp_path / "audio", csv=file, language="fr").manifest
    old = as_made_before(made, before)
    assert (old.id == made.id) == (before == "NFC")
    store_manifest(cache, old)
    rows = fill(cache, KEY, old)
    assert store_manifest(cache, made) is None
    known = with_known_ids(cache, made)
    assert known.ids == old.ids
    assert cache.missing(KEY, known) == []
    same(cache, KEY, known, rows)
    assert with_known_ids(cache, known).ids == known.ids
    assert with_known_ids(Cache(tmp_path / "other"), made) is made


def test_rows_are_added_to_a_cache_of_another_system(cache, tmp_path):
    part = build_manifest(
        "mine", tmp_path / "audio", csv=listed(tmp_path, "NFC"), language="fr"
    ).manifest
    old = as_made_before(part, "NFD")
    store_manifest(cache, old)
    rows = fill(cache, KEY, old)
    file = listed(tmp_path, "NFC", ["Joie/à.wav"])
    whole = build_manifest("mine", tmp_path / "audio", csv=file, language="fr").manifest
    assert store_manifest(cache, whole) == "mine: 1 utterances are added to the 3 there"
    now = cache.manifest("mine")
    assert set(now.ids) == {*old.ids, id_from_path("Joie/à.wav")}
    assert cache.missing(KEY, now) == [id_from_path("Joie/à.wav")]
    same(cache, KEY, now.select(old.ids), rows)


def test_replacing_keeps_the_ids_of_the_features(cache, tmp_path):
    made = build_manifest(
        "mine", tmp_path / "audio", csv=listed(tmp_path, "NFC"), language="fr"
    ).manifest
    store_manifest(cache, as_made_before(made, "NFD"))
    relabelled = Manifest(made.table.assign(emotion="anger"))
    assert "replaced" in store_manifest(cache, relabelled, replace=True)
    assert cache.manifest("mine").ids == as_made_before(made, "NFD").ids
    assert cache.manifest("mine").labels == ("anger",)


def test_other_audio_under_the_same_path_is_another_copy(cache, tmp_path):
    made = build_manifest(
        "mine", tmp_path / "audio", csv=listed(tmp_path, "NFC"), language="fr"
    ).manifest
    old = as_made_before(made, "NFD")
    hashes = ["0" * 32, *old.table["audio_hash"][1:]]
    store_manifest(cache, Manifest(old.table.assign(audio_hash=hashes)))
    with pytest.raises(InputError, match="of another copy"):
        store_manifest(cache, made)


def test_ids_that_were_given_are_left_alone(cache):
    store_manifest(cache, spoken("ab", path=["é.wav", "b.wav"]))
    new = spoken("ab", path=["e\u0301.wav", "b.wav"])
    assert with_known_ids(cache, new) is new
    assert store_manifest(cache, new) is None


def test_lists_of_two_systems_at_the_command_line(tmp_path):
    made = []
    for form in ("NFC", "NFD"):
        file = listed(tmp_path, form)
        out = tmp_path / f"manifest-{form}.csv"
        arguments = ["manifest", "build", "--corpus", "mine", "--csv", file, "--language", "fr"]
        result = CliRunner().invoke(
            main, [*map(str, [*arguments, "--root", tmp_path / "audio", "--out", out])]
        )
        assert result.exit_code == 0, result.output
        made.append(out.read_bytes())
    assert made[0] == made[1]
