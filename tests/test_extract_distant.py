"""Audio below a URL, fetched a file at a time."""

import re
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

from ser.cache import Cache
from ser.cli import main
from ser.errors import InputError, SerError
from ser.extract import distant, extract, extract_corpus, plan_corpus
from ser.extract.distant import audio_file
from ser.files import folder_or_url
from ser.manifests.paths import forms_of

from .remote_servers import s3_bucket, web_of
from .test_extract_pipeline import write_corpus
from .test_extract_portions import rows


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    root = tmp_path_factory.mktemp("corpora") / "mine"
    return root, write_corpus(root, 6)


@contextmanager
def elsewhere(kind, folder):
    """The URL at which the files of a folder are."""
    distant._place.cache_clear()  # servers come and go
    if kind == "file":
        yield folder.as_uri()
    elif kind == "http":
        with web_of(folder) as web:
            yield f"http://127.0.0.1:{web.port}"
    else:
        pytest.importorskip("moto", reason="the S3 server moto is not installed")
        with pytest.MonkeyPatch.context() as patch, s3_bucket(patch, "team") as client:
            for path in folder.rglob("*.wav"):
                name = path.relative_to(folder).as_posix()
                client.upload_file(str(path), "team", f"audio/{name}")
            yield "s3://team/audio"


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("kind", ["s3", "http", "file"])
def test_features_are_those_of_the_same_files_here(kind, corpus, tmp_path, workers):
    root, manifest = corpus
    here, there, some = Cache(tmp_path / "here"), Cache(tmp_path / "there"), tmp_path / "my some"
    extract(manifest, root, "mfcc,logmel", here, workers=0)
    shutil.copytree(root, some)
    (some / "u02.wav").unlink()
    (some / "u03.wav").write_bytes(b"")
    (some / "u04.wav").write_bytes(b"<html><body>log in")
    with elsewhere(kind, some) as url:
        report = extract(manifest, url, "mfcc,logmel", there, workers=workers)
    reasons = {bad.id: bad.reason for bad in report.bad}
    assert reasons["u02"] == "no such file" + ("" if kind == "file" else f" at {url}")
    assert re.search("empty", reasons["u03"])
    assert reasons.keys() == {"u02", "u03", "u04"}
    left = manifest.select(set(manifest.ids) - reasons.keys())
    assert rows(there, left) == rows(here, left)


@pytest.mark.parametrize("kind", ["s3", "http", "file"])
@pytest.mark.parametrize("stored", ["Colère/a.wav", "Cole\u0300re/a.wav", "Col%8Are/a.wav"])
def test_a_file_is_found_in_each_form_of_its_name(kind, stored, tmp_path):
    for number, name in enumerate(forms_of(stored)):
        if kind != "file" and "\udc8a" in name:
            continue  # neither a bucket nor the web server of these tests has such names
        folder = tmp_path / str(number)
        file = folder / name
        file.parent.mkdir(parents=True)
        file.write_bytes(b"sound")
        with elsewhere(kind, folder) as url, audio_file(folder_or_url(url), stored) as found:
            assert found.read_bytes() == b"sound"


def test_a_plan_fetches_nothing(corpus, tmp_path):
    _, manifest = corpus
    plan = plan_corpus(manifest, "s3://nobody/audio", "mfcc", tmp_path / "cache")
    assert (plan.root, plan.features[0].missing) == ("s3://nobody/audio", 6)


def test_what_is_elsewhere_needs_a_manifest(tmp_path, monkeypatch, capsys):
    with pytest.raises(InputError, match="emodb: a corpus is scanned where its files are"):
        extract_corpus("emodb", "s3://b/emodb", cache=tmp_path / "cache")
    for command in ("extract", "manifest build"):
        words = ["ser", *command.split(), "--corpus", "emodb", "--root", "s3://b/emodb"]
        monkeypatch.setattr("sys.argv", words)
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 2
        assert "--manifest FILE --root URL" in capsys.readouterr().err


def test_a_place_that_does_not_answer_ends_the_run(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr("ser.transfer.download.PAUSE", 0.0)
    monkeypatch.setattr("ser.cache.remotes.transfers.PAUSE", 0.0)
    _, manifest = corpus
    with pytest.raises(SerError, match=r"127\.0\.0\.1"):
        extract(manifest, "http://127.0.0.1:9/audio", "mfcc", Cache(tmp_path / "c"), workers=0)


def test_a_root_is_a_path_or_a_url(tmp_path):
    assert folder_or_url(str(tmp_path)) == tmp_path
    assert folder_or_url("s3://bucket/a") == "s3://bucket/a"
    spaced = tmp_path / "my corpus"
    assert folder_or_url(spaced.as_uri()) == spaced
    assert folder_or_url("C://data") == Path("C://data")
    (tmp_path / "Col%8Are.wav").touch()
    with audio_file(tmp_path, "a.wav") as file:
        assert file == Path(tmp_path / "a.wav")
