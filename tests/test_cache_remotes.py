"""Push and pull against real servers: a folder, the web, SFTP, S3, a hub."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytest.importorskip("obstore", reason="the extra remotes is not installed")
pytest.importorskip("sshfs", reason="the extra remotes is not installed")

from ser.cache import Cache, store_manifest
from ser.cache.remotes import (
    bucket,
    diff,
    filesystem,
    open_place,
    plan_pull,
    plan_push,
    pull,
    push,
    transfers,
)
from ser.cache.remotes.place import BrokenOffError, Place, without_credentials
from ser.errors import InputError, SerError
from ser.manifests import Manifest
from ser.transfer import download, transport

from .conftest import KEY, VECTOR, fill, make_key, make_manifest, same, shards, tree
from .hub_server import REPO, hub_meant  # noqa: F401
from .remote_servers import SSHD, Line, line_to, s3_server, sftp_server, web_of


@pytest.fixture(scope="module")
def s3() -> Iterator[int]:
    pytest.importorskip("moto", reason="the S3 server moto is not installed")
    with s3_server() as port:
        yield port


@pytest.fixture(scope="module")
def ssh_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int, object]]:
    if SSHD is None:
        pytest.skip("no OpenSSH server is installed")
    home = tmp_path_factory.mktemp("home")
    with sftp_server(home) as (port, reach):
        yield home, port, reach


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "PAUSE", 0.01)
    monkeypatch.setattr(download, "PAUSE", 0.01)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-someone")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


class Remote:
    """A place under test.

    Attributes:
        url: to push to and pull from.
        line: what its bytes come over, where that is a line.
    """

    def __init__(self, url: str, line: Line | None = None) -> None:
        self.url, self.line = url, line


@pytest.fixture(params=["folder", "s3", "sftp", "hub"])
def remote(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Remote]:
    if request.param == "folder":
        yield Remote(str(tmp_path / "drive"))
        return
    if request.param == "s3":
        import boto3

        with line_to(request.getfixturevalue("s3")) as line:
            endpoint = f"http://127.0.0.1:{line.port}"
            monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
            bucket = f"bucket-{abs(hash(tmp_path)) % 10**9}"
            boto3.client("s3", endpoint_url=endpoint).create_bucket(Bucket=bucket)
            yield Remote(f"s3://{bucket}/team", line)
        return
    if request.param == "hub":
        hub = request.getfixturevalue("hub")
        with line_to(urlsplit(hub.storage.url).port) as line:
            hub.storage_url = f"http://127.0.0.1:{line.port}"
            yield Remote(f"hf://datasets/{REPO}/team", line)
        return
    home, port, reach = request.getfixturevalue("ssh_home")
    monkeypatch.setenv("HOME", str(home))
    with line_to(port) as line:
        reach(line.port)
        yield Remote(f"sftp://team{tmp_path}/server", line)


@pytest.fixture
def full(tmp_path: Path) -> Cache:
    """A cache of two corpora and two features."""
    cache = Cache(tmp_path / "mine")
    for corpus in ("one", "two"):
        manifest = make_manifest("abcdef", corpus=corpus)
        store_manifest(cache, manifest)
        fill(cache, KEY, manifest)
        fill(cache, VECTOR, manifest)
    return cache


def test_what_was_cut_is_connected_anew(remote: Remote) -> None:
    if remote.line is None:
        pytest.skip("a folder has no line")
    place, text = open_place(remote.url), "features/mfcc-0123456789abcdef/key.json"
    place.write(text, b"one")
    place.publish()
    remote.line.cut()
    with suppress(BrokenOffError):  # the one try that finds out
        place.read(text)
    assert place.read(text) == b"one"


def test_many_write_the_same_at_once(remote: Remote) -> None:
    if remote.url.startswith("hf:"):
        pytest.skip("of the hub, each writes a commit of his own")
    text = "features/mfcc-0123456789abcdef/key.json"

    def write(place: Place) -> None:
        for _ in range(10):
            place.write(text, b"one")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, [open_place(remote.url) for _ in range(4)]))
    assert open_place(remote.url).read(text) == b"one"


def send(cache: Cache, url: str | Path, **chosen: object) -> None:
    push(plan_push(cache, open_place(url), **chosen))


def fetch(cache: Cache, url: str | Path, **chosen: object) -> None:
    pull(plan_pull(cache, open_place(url), **chosen))


def content(cache: Cache) -> dict[str, bytes]:
    return {name: data for name, data in tree(cache.folder).items() if not name.startswith(".")}


def test_what_was_pushed_is_pulled(full: Cache, remote: Remote, tmp_path: Path) -> None:
    send(full, remote.url)
    other = Cache(tmp_path / "other")
    fetch(other, remote.url)
    assert content(other) == content(full)
    assert other.verify().whole
    assert not diff(open_place(remote.url), open_place(full.folder))
    again = plan_pull(other, open_place(remote.url))
    assert (again.shards, again.manifests, again.present) == ({}, {}, 4)
    assert not plan_push(full, open_place(remote.url)).shards
    assert not any(name.startswith(".") for path in other.folder.rglob("*") for name in [path.name])


def test_only_what_is_missing_travels(full: Cache, remote: Remote, tmp_path: Path) -> None:
    send(full, remote.url, corpora=["one"], features=[KEY.feature])
    other = Cache(tmp_path / "other")
    fetch(other, remote.url)
    assert other.corpora() == ["one"]
    assert {holding.key for holding in other.listing()} == {KEY}
    plan = plan_push(full, open_place(remote.url))
    assert (len(plan.shards), plan.present, list(plan.manifests)) == (3, 1, ["two"])
    assert plan.bytes == sum((full.folder / name).stat().st_size for name in plan.shards)
    push(plan)
    plan = plan_pull(other, open_place(remote.url), features=[VECTOR.short])
    assert len(plan.shards) == 2
    with pytest.raises(InputError, match="did you mean 'two'"):
        plan_pull(other, open_place(remote.url), corpora=["twoo"])
    with pytest.raises(InputError, match="has no feature 'wavlm'"):
        plan_pull(other, open_place(remote.url), features=["wavlm"])


def test_labels_are_never_overwritten_in_silence(full: Cache, tmp_path: Path) -> None:
    drive = tmp_path / "drive"
    send(full, drive)
    other = Cache(tmp_path / "other")
    fetch(other, drive)
    table = other.manifest("one").table
    store_manifest(other, Manifest(table.assign(emotion=["anger", *table["emotion"][1:]])), True)
    before = content(other)
    for plan in (plan_pull, plan_push):
        with pytest.raises(InputError, match=r"another emotion \(a\)[\s\S]*--labels ours"):
            plan(other, open_place(drive))
    found = diff(open_place(other.folder), open_place(drive))
    assert found.values == {"one": [("a", "emotion", "anger", "fear")]}
    assert not found.features
    fetch(other, drive, labels="ours")
    assert content(other) == before
    send(other, drive, labels="theirs")
    fetch(full, drive)
    assert full.manifest("one").table.equals(table)
    send(other, drive, labels="ours")
    fetch(full, drive, labels="theirs")
    assert full.manifest("one").table["emotion"][0] == "anger"


def test_manifests_grow_together(full: Cache, tmp_path: Path) -> None:
    drive = tmp_path / "drive"
    send(full, drive, corpora=["one"])
    other = Cache(tmp_path / "other")
    manifest = make_manifest("fgh", corpus="one")
    store_manifest(other, manifest)
    rows = fill(other, KEY, manifest)
    send(other, drive)
    fetch(full, drive, corpora=["one"])
    assert list(full.manifest("one").ids) == list("abcdefgh")
    same(full, KEY, manifest, rows)


def test_a_manifest_is_replaced_only_where_it_is_what_was_seen(remote: Remote) -> None:
    place, name = open_place(remote.url), "manifests/one.csv"
    assert not place.replace(name, b"old", b"new")
    assert place.read(name) is None
    assert place.replace(name, None, b"new")
    assert not place.replace(name, None, b"newer")
    assert not place.replace(name, b"other", b"newer")
    assert place.replace(name, b"new", b"newer")
    assert place.read(name) == b"newer"


def test_what_others_push_in_between_stays(full: Cache, remote: Remote, tmp_path: Path) -> None:
    send(full, remote.url, corpora=["one"])
    other = Cache(tmp_path / "other")
    store_manifest(other, make_manifest("fg", corpus="one"))
    plan = plan_push(other, open_place(remote.url))
    third = Cache(tmp_path / "third")
    store_manifest(third, make_manifest("fh", corpus="one"))
    send(third, remote.url)
    push(plan)
    last = Cache(tmp_path / "last")
    fetch(last, remote.url)
    assert list(last.manifest("one").ids) == list("abcdefgh")


WIDE = make_key("wide", dim=30_000)
"""Of which six utterances take some megabytes."""


@pytest.fixture
def wide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    """A cache of one large shard, which travels in small pieces and is tried once."""
    monkeypatch.setattr(transfers, "TRIES", 1)
    monkeypatch.setattr(filesystem, "PIECE", 1 << 18)
    monkeypatch.setattr(bucket, "PIECE", 1 << 18)
    cache = Cache(tmp_path / "wide")
    store_manifest(cache, make_manifest())
    fill(cache, WIDE, make_manifest())
    return cache


def test_a_cut_pull_goes_on_where_it_was_cut(wide: Cache, remote: Remote, tmp_path: Path) -> None:
    if (line := remote.line) is None:
        pytest.skip("a folder has no line")
    (shard,) = shards(wide)
    size = shard.stat().st_size
    send(wide, remote.url)
    other = Cache(tmp_path / "other")
    plan = plan_pull(other, open_place(remote.url))
    line.breaks_at = line.passed + line.sent + size // 2
    with pytest.raises(SerError) as told:
        pull(plan)
    line.broken = False
    assert "secret" not in str(told.value)
    (staged,) = (other.folder / ".incoming").rglob("*.h5")
    assert 0 < staged.stat().st_size < size
    assert not other.keys()
    line.passed = 0
    fetch(other, remote.url)
    assert line.passed < size
    assert content(other) == content(wide)


@pytest.mark.parametrize("share", [0.2, 0.8])
def test_a_cut_push_leaves_nothing_to_be_seen(
    wide: Cache, remote: Remote, tmp_path: Path, share: float
) -> None:
    if (line := remote.line) is None:
        pytest.skip("a folder has no line")
    (shard,) = shards(wide)
    size = shard.stat().st_size
    plan = plan_push(wide, open_place(remote.url))
    line.breaks_at = line.passed + line.sent + int(share * size)
    with pytest.raises(SerError):
        push(plan)
    line.broken = False
    place = open_place(remote.url)
    assert not [name for name in place.names() if not Path(name).name.startswith(".")]
    line.sent = 0
    send(wide, remote.url)
    if remote.url.startswith("sftp"):
        assert line.sent < size
    other = Cache(tmp_path / "other")
    fetch(other, remote.url)
    assert content(other) == content(wide)


def test_without_credentials() -> None:
    assert without_credentials("s3://key:secret@bucket/a") == "s3://bucket/a"
    assert without_credentials("sftp://me:secret@host:22/a") == "sftp://me@host:22/a"
    assert without_credentials("https://me:secret@host/a?sig=secret") == "https://host/a"


# The web


def test_the_web_gives_what_a_folder_has(full: Cache, tmp_path: Path) -> None:
    with web_of(full.folder) as web:
        other = Cache(tmp_path / "other")
        plan = plan_pull(other, open_place(web.url))
        assert plan.bytes == sum((full.folder / name).stat().st_size for name in plan.shards)
        pull(plan)
        assert content(other) == content(full)
        assert not diff(open_place(web.url), open_place(full.folder))
        with pytest.raises(InputError, match="can only be pulled from"):
            plan_push(full, open_place(web.url))


def test_a_login_is_sent_and_never_shown(full: Cache, tmp_path: Path) -> None:
    with web_of(full.folder) as web:
        web.login = "Basic bWU6c2VjcmV0"
        url = web.url.replace("http://", "http://me:secret@")
        fetch(Cache(tmp_path / "other"), url)
        web.login = "Basic other"
        with pytest.raises(SerError) as told:
            fetch(Cache(tmp_path / "third"), url)
        assert "secret" not in str(told.value)
        assert "401" in str(told.value)


def test_bytes_that_changed_on_the_way_are_not_kept(full: Cache, tmp_path: Path) -> None:
    with web_of(full.folder) as web, line_to(web.port) as line:
        other = Cache(tmp_path / "other")
        plan = plan_pull(other, open_place(f"http://127.0.0.1:{line.port}"), ["one"], [KEY.feature])
        line.flips = [shards(full)[0].stat().st_size // 2 + 500]
        with pytest.raises(SerError, match="is not the shard that its name says"):
            pull(plan)
        assert not list(other.folder.rglob("*.h5"))
        pull(plan)
        assert other.verify().whole


@pytest.mark.parametrize("lie", [-100, 100])
def test_a_server_that_lies_about_length(full: Cache, tmp_path: Path, lie: int) -> None:
    other = Cache(tmp_path / "other")
    with web_of(full.folder) as web:
        plan = plan_pull(other, open_place(web.url))
        web.lie = lie
        with pytest.raises(SerError):
            pull(plan)
        assert not list(other.folder.glob("features/*/*.h5"))
        web.lie = 0
        fetch(other, web.url)
        assert content(other) == content(full)


def test_a_server_in_trouble(full: Cache, tmp_path: Path) -> None:
    other = Cache(tmp_path / "other")
    with web_of(full.folder) as web:
        web.fail = [500] * 100
        with pytest.raises(SerError, match="500"):
            fetch(other, web.url)
        web.fail = []
        plan = plan_pull(other, open_place(web.url))
        web.fail = [500, 503]
        pull(plan)
        assert other.verify().whole


def test_a_server_that_stalls(full: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "TIMEOUT", 0.3)
    monkeypatch.setattr(transfers, "TRIES", 1)
    other = Cache(tmp_path / "other")
    with web_of(full.folder) as web, line_to(web.port) as line:
        plan = plan_pull(other, open_place(f"http://127.0.0.1:{line.port}"), ["one"], [KEY.feature])
        line.stalls = [600] * 10
        with pytest.raises(SerError, match="timed out"):
            pull(plan)
        line.stalls = []
        pull(plan)
        assert other.verify().whole


def test_a_place_that_is_no_cache(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no cache"):
        plan_pull(Cache(tmp_path / "a"), open_place(tmp_path / "nothing"))
    (tmp_path / "empty").mkdir()
    with web_of(tmp_path / "empty") as web, pytest.raises(InputError, match="there is no cache"):
        plan_pull(Cache(tmp_path / "a"), open_place(web.url))
    with pytest.raises(InputError, match="no such protocol"):
        open_place("gopher://host/a")
    shutil.rmtree(tmp_path / "empty")
