"""Corpora in forms of others: names, ids, paths, licences, and the commands that read and write."""

import json
import sys

import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from ser.cache import Cache, Terms, read_terms
from ser.cli import main
from ser.errors import InputError, MissingPackageError
from ser.extract import extract_corpus
from ser.manifests import (
    CORPORA,
    FORMATS,
    Format,
    Manifest,
    build_manifest,
    corpus_from,
    export_manifest,
    problem_with_id,
)
from ser.manifests.foreign import SOURCE_ID
from ser.manifests.languages import short_tag
from ser.manifests.names import id_from_name
from ser.manifests.tables import Table

from .test_manifests_build import speak
from .voices import OWN, build_voices, read_back, same, voices  # noqa: F401


def run(*arguments, code=0):
    result = CliRunner().invoke(main, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def told(tmp_path):
    """A format that gives the table that a test sets, known while the test runs."""
    table = {}

    def read(place, root, options):
        columns = {name: list(cells) for name, cells in table["columns"].items()}
        numbers = range(1, len(columns["path"]) + 1)
        return Table(place, columns, numbers, "row", licence=table.get("licence", ""))

    FORMATS.add("told", Format("what a test says", read, lambda _: tmp_path))
    for name in ("a", "b"):
        speak(tmp_path / f"{name}.wav", ord(name))
    table["columns"] = {"path": ["a.wav", "b.wav"], "emotion": ["fear", "anger"]}
    yield table
    FORMATS._items.pop("told")
    FORMATS._added.discard("told")


def test_columns_that_would_not_be_read_again_are_told(told, tmp_path):
    more = {"Duration": ["9", "9"], "EMOTION": ["x", "y"], "Unnamed: 0": ["0", "1"], "a": ["1", ""]}
    told["columns"] |= more
    found = build_manifest(corpus_from("mine", "told:x", "de"), tmp_path)
    assert {*found.manifest.table.columns} & {*more} == {"a"}
    assert "column 'Duration' was left out: a manifest has its own 'duration'" in found.warnings
    assert "column 'EMOTION' was left out: a manifest has its own 'emotion'" in found.warnings
    assert "column 5 ('Unnamed: 0') was left out: it numbers the rows" in found.warnings
    found.manifest.save(tmp_path / "manifest.csv")
    same(Manifest.load(tmp_path / "manifest.csv"), found.manifest)


@pytest.mark.parametrize("source", ["", "kaldi", "kaldi:", "nothing:x", "C:\\data", ":x"])
def test_sources_that_name_no_format(source):
    with pytest.raises(InputError, match="expected one of audformat:PATH, emobox:PATH, hf:PATH"):
        corpus_from("mine", source)


def test_ids_that_can_name_no_file(told):
    told["columns"]["id"] = ["Ses 01/ä", "fine"]
    build = read_back("told:x", None, "de")
    table = build.manifest.table
    assert table[SOURCE_ID].tolist() == ["Ses 01/ä", "fine"]
    assert table["id"].tolist() == [id_from_name("Ses 01/ä"), "fine"]
    assert "1 ids could not name files, and are kept as source_id" in " ".join(build.warnings)
    told["columns"]["id"] = ["a", "b"]
    assert SOURCE_ID not in read_back("told:x", None, "de").manifest.table


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200))
def test_any_name_gives_an_id(name):
    made = id_from_name(name)
    assert problem_with_id(made) is None
    assert made == name or problem_with_id(name) is not None


def test_names_that_look_alike_have_ids_of_their_own():
    assert id_from_name("a b") != id_from_name("a/b") != id_from_name("a-b") == "a-b"
    assert id_from_name("e\u0301") == id_from_name("\u00e9")


@pytest.mark.parametrize("begins", ["/mnt/x", "x/y", "C:/corpora", "C:\\corpora\\mine"])
def test_paths_that_all_begin_with_folders_that_are_not_here(told, begins):
    told["columns"]["path"] = [f"{begins}/{name}.wav" for name in "ab"]
    assert read_back("told:x", None, "de").manifest.table["path"].tolist() == ["a.wav", "b.wav"]


@pytest.mark.parametrize("path", ["../a.wav", "x/../../a.wav", "/mnt/../../a.wav", "..\\a.wav"])
def test_paths_that_leave_the_root(told, tmp_path, path):
    (tmp_path / "root").mkdir()
    told["columns"] = {"path": [path], "emotion": ["fear"]}
    with pytest.raises(InputError, match=r"leaves the corpus root|lie in the corpus root"):
        read_back("told:x", tmp_path / "root", "de")


@pytest.mark.parametrize("code", ["eng", "EN", "en"])
def test_a_language_by_any_of_its_codes_is_one(told, code):
    told["columns"]["language"] = [code, "eng"]
    for language in ("en", "eng", None):
        assert read_back("told:x", None, language).manifest.language == "en"
    told["columns"]["language"] = ["yue", "Yue"]
    assert read_back("told:x", None).manifest.language == "yue"


def test_short_codes_are_those_of_iso_639():
    known = pytest.importorskip("iso639", reason="the extra `audformat` is not installed")
    for language in known.iter_langs():
        for code in filter(None, (language.pt2b, language.pt2t, language.pt3)):
            # Nauru's, na, is what tables write for "not known".
            assert short_tag(code) == (language.pt1.replace("na", "") or code)


def test_splits_that_repeat_others(told):
    columns = told["columns"]
    columns |= {name: cells * 2 for name, cells in columns.items()}
    columns["split"] = ["all", "all", "train", "test"]
    for ids in ({}, {"id": ["0", "1"] * 2}):
        told["columns"] = columns | ids
        with pytest.raises(InputError) as caught:
            read_back("told:x", None, "de")
        assert "2 of 2 utterances are in several splits, such as 'a.wav' in all, train" in str(
            caught.value
        )
        assert "leave lists there that have each utterance once" in str(caught.value)
    told["columns"] = columns | {"id": ["0", "0", "0", "0"], "path": ["a.wav", "b.wav"] * 2}
    told["columns"]["split"] = ["train", "test", "", ""]
    with pytest.raises(InputError, match="duplicate id"):
        read_back("told:x", None, "de")


def test_a_table_without_utterances(told):
    told["columns"] = {"path": [], "emotion": []}
    with pytest.raises(InputError, match="x: has no utterances"):
        read_back("told:x", None, "de")


def test_a_licence_goes_with_the_cache_unless_another_is_there(told, tmp_path):
    told["licence"] = "CC-BY-4.0"
    cache = Cache(tmp_path / "cache")
    corpus = corpus_from("mine", "told:x", "de")
    extract_corpus(corpus, None, "mfcc", cache, workers=0)
    assert read_terms(cache.folders, "mine") == Terms("CC-BY-4.0")
    extract_corpus(corpus, None, "mfcc", cache, workers=0, terms=Terms("signed"))
    extract_corpus(corpus, None, "mfcc", cache, workers=0)
    assert read_terms(cache.folders, "mine") == Terms("signed")


def test_the_commands(voices, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.chdir(tmp_path)
    build_voices(voices).save(tmp_path / "voices.csv")
    said = run("manifest", "export", "voices.csv", "data", "--format", "kaldi")
    assert said.startswith("data: 6 utterances of voices\n")
    assert OWN[0] in said
    given = ("--corpus", "again", "--from", "kaldi:data", "--root", voices)
    run("manifest", "build", *given, "--option", "emotions=awe")
    again = Manifest.load("again.csv").table.assign(corpus="voices")
    same(Manifest(again), Manifest.load("voices.csv"))
    plan = ("extract", *given, "--option", "emotions=awe", "--features", "mfcc", "--dry-run")
    assert json.loads(run(*plan, "--json", "-q", code=2))["utterances"] == 6
    run("extract", *given, "--option", "emotions=awe", "--features", "mfcc", "--workers", 0, "-q")
    run(*plan, "-q", code=0)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--corpus", "kaldi:data"), "--corpus NAME --from kaldi:data"),
        (("--corpus", "mine", "--from", "kaldi"), "expected one of audformat:PATH"),
        (("--corpus", "emodb", "--from", "kaldi:data"), "has a scanner of its own"),
        (("--corpus", "A B", "--from", "kaldi:data"), "cannot name a corpus"),
        (("--corpus", "mine", "--from", "kaldi:data", "--csv", "x.csv"), "expected one of them"),
        (("--corpus", "mine", "--from", "kaldi:data", "--option", "x=y"), "mine has no option 'x'"),
        (("--corpus", "mine", "--from", "kaldi:nothing"), "no such file or folder: nothing"),
        (("--corpus", "mine"), "--csv FILE, or --from FORMAT:PATH"),
    ],
)
def test_what_is_typed_wrong(tmp_path, monkeypatch, given, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "wav.scp").write_text("a a.wav\n")
    (tmp_path / "x.csv").write_text("path,emotion\na.wav,fear\n")
    assert told in run("manifest", "build", *given, code=2)


def test_exporting_what_cannot_be(voices, tmp_path, monkeypatch):  # noqa: F811
    manifest = build_voices(voices)
    with pytest.raises(InputError, match="form 'wav': expected audformat, kaldi"):
        export_manifest(manifest, tmp_path / "x", "wav")
    odd = Manifest(manifest.table.assign(path=[f"{n}%FF.wav" for n in range(6)]))
    with pytest.raises(InputError, match="holds bytes that are no text"):
        export_manifest(odd, tmp_path / "x", "kaldi")
    monkeypatch.setitem(sys.modules, "audformat", None)
    with pytest.raises(MissingPackageError, match=r"\[audformat\]"):
        export_manifest(manifest, tmp_path / "x", "audformat")
    assert not (tmp_path / "x").exists()


def test_a_known_corpus_has_its_licence_in_what_is_exported(tmp_path):
    audformat = pytest.importorskip("audformat", reason="the extra `audformat` is not installed")
    for name in ("03a01Fa", "03a01Wa"):
        speak(tmp_path / "wav" / f"{name}.wav", len(name))
    manifest = build_manifest("emodb", tmp_path).manifest
    export_manifest(manifest, tmp_path / "db", "audformat")
    loaded = audformat.Database.load(str(tmp_path / "db"))
    assert loaded.license == CORPORA["emodb"].licence
    assert pd.isna(loaded["files"]["speaker"].get()).sum() == 0
