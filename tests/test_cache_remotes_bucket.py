"""What S3 alone has: profiles, regions, parts of large shards, conditions."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("obstore", reason="the extra remotes is not installed")
pytest.importorskip("moto", reason="the S3 server moto is not installed")
import boto3

from ser.cache import Cache, store_manifest
from ser.cache.remotes import bucket, open_place, plan_pull, plan_push, pull, push
from ser.errors import InputError, SerError

from .conftest import KEY, fill, make_key, make_manifest, shards, tree
from .remote_servers import s3_server


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of an S3 server with the bucket `team`."""
    with s3_server() as port:
        url = f"http://127.0.0.1:{port}"
        login = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
        boto3.client("s3", endpoint_url=url, **login).create_bucket(Bucket="team")
        yield url


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No credentials, no settings, and no Amazon."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(bucket, "AMAZON", "http://127.0.0.1:9")


@pytest.fixture
def keys(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-someone")
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)


@contextmanager
def answering(headers: dict[str, str], status: int = 404) -> Iterator[tuple[str, list[Any]]]:
    """A server with one answer; its address, and the headers of what it was asked."""
    asked: list[Any] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers)
            self.send_response(status)
            for name, value in {"Content-Length": "0", **headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()


def test_a_profile_says_who_and_where(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ".aws"
    folder.mkdir()
    (folder / "config").write_text(
        f"[profile group]\nregion = eu-central-1\nendpoint_url = {address}\n"
    )
    (folder / "credentials").write_text(
        "[group]\naws_access_key_id = k\naws_secret_access_key = s\n"
    )
    monkeypatch.setenv("AWS_PROFILE", "group")
    cache = Cache(tmp_path / "mine")
    store_manifest(cache, make_manifest())
    fill(cache, KEY, make_manifest())
    push(plan_push(cache, open_place("s3://team/by-profile")))
    other = Cache(tmp_path / "other")
    pull(plan_pull(other, open_place("s3://team/by-profile")))
    assert tree(other.folder) == tree(cache.folder)


def test_without_keys_a_bucket_is_read_as_the_public_may(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering({}, 403) as (url, asked):
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        with pytest.raises(SerError, match=r"s3://team/a: cannot be listed"):
            open_place("s3://team/a").names()
    assert asked
    assert not any("Authorization" in headers for headers in asked)


def test_a_bucket_says_its_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with answering({"x-amz-bucket-region": "ap-south-1"}, 403) as (url, _):
        monkeypatch.setattr(bucket, "AMAZON", url)
        assert bucket.BucketPlace("s3://team")._store.config["region"] == "ap-south-1"
    assert bucket.BucketPlace("s3://team")._store.config["region"] == "eu-west-1"


def test_a_large_shard_goes_in_parts(
    keys: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket, "PART", 5 << 20)  # of fewer bytes S3 takes none
    cache = Cache(tmp_path / "mine")
    manifest = make_manifest("abcdefghijklmnopqrst")
    store_manifest(cache, manifest)
    fill(cache, make_key("wide", dim=60_000), manifest)
    (shard,) = shards(cache)
    size = shard.stat().st_size
    assert size > 2 * bucket.PART
    told: list[tuple[int, int, int]] = []
    push(plan_push(cache, open_place("s3://team/parts")), progress=lambda *now: told.append(now))
    assert told[-1] == (size, size, 1)
    other = Cache(tmp_path / "other")
    pull(plan_pull(other, open_place("s3://team/parts")))
    assert tree(other.folder) == tree(cache.folder)


def test_what_another_writes_in_between_is_not_lost(
    keys: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, name = bucket.BucketPlace("s3://team/race"), "manifests/a.csv"
    assert place.replace(name, None, b"first")
    look = place._read

    def then_another(name: str) -> Any:
        seen = look(name)
        place.write(name, b"another's")
        return seen

    for before, seen in ((None, lambda _: (None, None)), (b"first", then_another)):
        monkeypatch.setattr(place, "_read", seen)
        assert not place.replace(name, before, b"ours")
    assert look(name)[0] == b"another's"


def test_reasons_are_said(keys: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="names no bucket"):
        open_place("s3:///a")
    with pytest.raises(InputError, match="keys do not belong into the URL") as told:
        open_place("s3://key:secret@team/a")
    assert "secret@" not in str(told.value)
    with pytest.raises(SerError, match=r"cannot be listed \(NoSuchBucket: "):
        open_place("s3://nobody/a").names()
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "none.pem"))
    with pytest.raises(SerError, match=r"none\.pem"):
        open_place("s3://team/a")
    monkeypatch.delenv("AWS_CA_BUNDLE")
    monkeypatch.setenv("AWS_PROFILE", "unknown")
    with pytest.raises(SerError, match="unknown"):
        open_place("s3://team/a")
    monkeypatch.delenv("AWS_PROFILE")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(SerError, match="refused"):
        open_place("s3://team/a").names()
