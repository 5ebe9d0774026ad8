"""Audio below a URL, fetched a file at a time."""

import shutil
from pathlib import Path

import pytest

from ser.cache import Cache
from ser.cli import main
from ser.errors import InputError, SerError
from ser.extract import extract, extract_corpus, plan_corpus
from ser.extract.distant import as_root, audio_file

from .remote_servers import s3_bucket, web_of
from .test_extract_pipeline import write_corpus
from .test_extract_portions import rows


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    root = tmp_path_factory.mktemp("corpora") / "mine"
    return root, write_corpus(root, 6)


@pytest.fixture(params=["s3", "http", "file"])
def url(request, corpus, tmp_path):
    """Of all files of the corpus but one."""
    root, _ = corpus
    some = tmp_path / "some"
    shutil.copytree(root, some)
    (some / "u02.wav").unlink()
    if request.param == "file":
        yield f"file://{some}"
    elif request.param == "http":
        with web_of(some) as web:
            yield f"http://127.0.0.1:{web.port}"
    else:
        pytest.importorskip("moto", reason="the S3 server moto is not installed")
        with pytest.MonkeyPatch.context() as patch, s3_bucket(patch, "team") as client:
            for path in some.iterdir():
                client.upload_file(str(path), "team", f"audio/{path.name}")
            yield "s3://team/audio"


@pytest.mark.parametrize("workers", [0, 2])
def test_features_are_those_of_the_same_files_here(url, corpus, tmp_path, workers):
    root, manifest = corpus
    here, there = Cache(tmp_path / "here"), Cache(tmp_path / "there")
    extract(manifest, root, "mfcc,logmel", here, workers=0)
    report = extract(manifest, url, "mfcc,logmel", there, workers=workers)
    shown = url.removeprefix("file://")
    assert [(bad.id, bad.reason) for bad in report.bad] == [("u02", f"no such file at {shown}")]
    left = manifest.select(set(manifest.ids) - {"u02"})
    assert rows(there, left) == rows(here, left)


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
    assert as_root(str(tmp_path)) == tmp_path
    assert as_root("s3://bucket/a") == "s3://bucket/a"
    (tmp_path / "Col%8Are.wav").touch()
    with audio_file(tmp_path, "a.wav") as file:
        assert file == Path(tmp_path / "a.wav")
