"""All that `ser extract` does, as one call: from a corpus, a CSV or a manifest to the cache."""

import io
import shutil

import pytest

from ser.cache import Cache
from ser.errors import InputError
from ser.extract import extract_corpus
from ser.manifests import Manifest
from ser.progress import Progress
from ser.tests.test_extract_pipeline import write_corpus


@pytest.fixture
def root(tmp_path):
    return tmp_path / "corpus"


@pytest.fixture
def manifest(root):
    return write_corpus(root)


@pytest.fixture
def csv(root, manifest):
    path = root / "list.csv"
    lines = [f"{row.path},fear,s{row.Index % 2}" for row in manifest.table.itertuples()]
    path.write_text("\n".join(["path,emotion,speaker", *lines, ""]))
    return path


def test_from_a_csv(csv, root, tmp_path):
    (root / "u01.wav").write_text("no sound")
    report = extract_corpus(
        "mine", None, "mfcc", tmp_path / "cache", csv=csv, language="pt", workers=0
    )
    assert report.root == root
    assert report.computed == {"mfcc": 5}
    assert (len(report.manifest), report.manifest.language) == (5, "pt")
    assert [(bad.path, bad.reason[:14]) for bad in report.bad] == [("u01.wav", "cannot be deco")]
    cache = Cache(tmp_path / "cache")
    assert cache.missing(report.keys["mfcc"], cache.manifest("mine")) == []
    again = extract_corpus("mine", str(root), ["mfcc"], cache, csv=str(csv), language="pt")
    assert (again.computed, again.present) == ({"mfcc": 0}, {"mfcc": 5})


@pytest.mark.parametrize("form", ["manifest", "path", "text", "with its name"])
def test_from_a_manifest(manifest, root, tmp_path, form):
    path = tmp_path / "mine.csv"
    manifest.save(path)
    given = {"path": path, "text": str(path), "with its name": manifest}.get(form)
    corpus = manifest if form == "manifest" else "mine"
    report = extract_corpus(corpus, root, "mfcc", tmp_path / "cache", manifest=given, workers=0)
    assert report.computed == {"mfcc": 6}
    assert Cache(tmp_path / "cache").manifest("mine").id == manifest.id


def test_its_labels_replace_those_in_the_cache(manifest, root, tmp_path):
    extract_corpus(manifest, root, "mfcc", tmp_path / "cache", workers=0)
    corrected = Manifest(manifest.table.assign(emotion="anger"))
    report = extract_corpus(corrected, root, "mfcc", tmp_path / "cache", workers=0)
    assert report.computed == {"mfcc": 0}
    assert set(Cache(tmp_path / "cache").manifest("mine").table["emotion"]) == {"anger"}


def test_the_users_cache_and_the_corpus_of_the_environment(manifest, root, tmp_path, monkeypatch):
    monkeypatch.setenv("SER_MINE_ROOT", str(root))
    report = extract_corpus(manifest, features="mfcc", workers=0)
    assert report.computed == {"mfcc": 6}
    assert Cache(tmp_path / "default-cache").corpora() == ["mine"]


def test_what_is_to_be_known_is_said_and_reported(csv, root, tmp_path, monkeypatch):
    said = io.StringIO()
    monkeypatch.setattr("sys.stderr", said)
    shutil.copy(root / "u00.wav", root / "u03.wav")
    progress = Progress()
    call = {"csv": csv, "language": "pt", "workers": 0, "progress": progress}
    report = extract_corpus("mine", root, "mfcc", tmp_path / "cache", **call)
    assert any("same audio" in note or "u03" in note for note in report.notes), report.notes
    lines = said.getvalue().splitlines()
    assert [line for line in lines if line.startswith(("warning: ", "note: "))] == report.notes


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"features": "mfcc,gee2e"}, "did you mean 'ge2e'"),
        ({"features": []}, "expected at least one"),
        ({"corpus": "other"}, "mine.csv is of mine, not of other"),
        ({"language": "pt"}, "--manifest takes the place of --csv"),
        ({"root": "elsewhere"}, "elsewhere: has none of the files of mine, such as u00.wav"),
        ({"root": "nowhere"}, "no such folder: nowhere"),
        ({"root": None}, "where is mine? Give --root DIR, or set SER_MINE_ROOT"),
    ],
)
def test_wrong_usage(manifest, root, tmp_path, monkeypatch, changes, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    manifest.save(tmp_path / "mine.csv")
    call = {"corpus": "mine", "root": "corpus", "manifest": "mine.csv", "cache": "cache"}
    with pytest.raises(InputError) as caught:
        extract_corpus(**call | changes)
    assert says in str(caught.value)
    assert not (tmp_path / "cache").exists()
