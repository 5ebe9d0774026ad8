"""What the hub alone has: commits, large files elsewhere, logins, terms."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

pytest.importorskip("huggingface_hub", reason="the extra remotes is not installed")

from ser.cache import Cache, store_manifest
from ser.cache.remotes import hub as place
from ser.cache.remotes import open_place, plan_pull, plan_push, pull, push, transfers
from ser.cli import main
from ser.errors import InputError, MissingPackageError, SerError
from ser.transfer import download

from .conftest import KEY, VECTOR, fill, make_key, make_manifest, shards, tree
from .hub_server import READER, REPO, Hub, hub_meant  # noqa: F401
from .remote_servers import line_to

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

URL = f"hf://datasets/{REPO}"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "PAUSE", 0.01)
    monkeypatch.setattr(download, "PAUSE", 0.01)


@pytest.fixture
def full(tmp_path: Path) -> Cache:
    """A cache of two corpora and two features: four shards, two keys, two manifests."""
    cache = Cache(tmp_path / "mine")
    for corpus in ("one", "two"):
        manifest = make_manifest("abcdef", corpus=corpus)
        store_manifest(cache, manifest)
        fill(cache, KEY, manifest)
        fill(cache, VECTOR, manifest)
    return cache


def send(cache: Cache, url: str = URL) -> None:
    push(plan_push(cache, open_place(url)))


def fetch(folder: Path, url: str = URL) -> Cache:
    cache = Cache(folder)
    pull(plan_pull(cache, open_place(url)))
    return cache


def message_of(call: Callable[[], object]) -> str:
    """What is said of a call that fails: one line, and no token."""
    with pytest.raises(SerError) as told:
        call()
    said = str(told.value)
    assert "hf_" not in said
    assert "\n" not in said
    return said


def test_many_files_are_one_commit_and_each_manifest_another(full: Cache, hub: Hub) -> None:
    send(full)
    assert hub.summaries == [f"Files of a ser cache: {count}" for count in (6, 1, 1)]
    sent = {name: data for name, data in hub.tree().items() if name != ".gitattributes"}
    assert sent == tree(full.folder)
    send(full)
    assert len(hub.summaries) == 3


def test_more_files_are_some_commits(
    full: Cache, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "FILES", 4)
    send(full)
    assert hub.summaries == [f"Files of a ser cache: {count}" for count in (4, 2, 1, 1)]


def test_a_login_stays_with_the_hub(full: Cache, hub: Hub, tmp_path: Path) -> None:
    hub.private = True
    send(full)
    assert tree(fetch(tmp_path / "other").folder) == tree(full.folder)
    assert len(hub.storage.arrived) == 4
    assert len(hub.storage.requests) == 4
    assert hub.storage.logins == []


def test_a_folder_a_branch_and_pages(full: Cache, hub: Hub, tmp_path: Path) -> None:
    hub.branches |= {"refs/pr/1": hub.branches["main"], "by/me": hub.branches["main"]}
    hub.page = 2
    for url in (f"{URL}@refs/pr/1/a/b/", f"{URL}@by%2Fme/a/b"):
        send(full, url)
        assert open_place(url).names().keys() == tree(full.folder).keys()
        assert tree(fetch(tmp_path / url[-5:-2], url).folder) == tree(full.folder)
    assert open_place(URL).names() == {}
    assert open_place(f"{URL}@by%2Fme/a").names() == {}
    assert all(name.startswith(("a/b/", ".git")) for name in hub.tree("by/me"))
    commit = hub.branches["by/me"]
    hub.commit("by/me", {"a/b/manifests/one.csv": b"later"}, "")
    assert tree(fetch(tmp_path / "then", f"{URL}@{commit}/a/b").folder) == tree(full.folder)


@pytest.mark.parametrize("lfs", [(), (".h5", ".csv", ".json")])
def test_the_hub_says_what_is_large(
    full: Cache, hub: Hub, tmp_path: Path, lfs: tuple[str, ...]
) -> None:
    hub.lfs = lfs
    send(full)
    assert len(hub.storage.arrived) == (8 if lfs else 0)
    assert tree(fetch(tmp_path / "other").folder) == tree(full.folder)


def test_what_git_ignores_is_sent(full: Cache, hub: Hub) -> None:
    hub.commit("main", {".gitignore": b"*.h5\n*.csv\n*.json\n"}, "")
    send(full)
    assert open_place(URL).names().keys() == tree(full.folder).keys()


@pytest.mark.parametrize("part_size", [None, 1 << 20])
def test_progress_is_told(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part_size: int | None
) -> None:
    hub.part_size = part_size
    cache = Cache(tmp_path / "wide")
    store_manifest(cache, make_manifest())
    fill(cache, make_key("wide", dim=30_000), make_manifest())
    (shard,) = shards(cache)
    size = shard.stat().st_size
    assert size > 2 << 20
    name, told = f"features/{shard.parent.name}/{shard.name}", list[int]()

    def stop(count: int) -> None:
        raise InterruptedError

    with pytest.raises(SerError, match="cannot be written"):
        open_place(URL).send(shard, name, stop)
    assert hub.storage.arrived == []
    open_place(URL).send(shard, name, told.append)
    assert sum(told) == size
    assert len(told) > 10
    assert min(told) > 0
    assert hub.summaries == []
    told.clear()
    open_place(URL).send(shard, name, told.append)
    assert told == [size]
    send(cache)
    assert len(hub.storage.arrived) == 1
    assert tree(fetch(tmp_path / "other").folder) == tree(cache.folder)


def test_what_was_not_committed_is_not_sent_twice(full: Cache, hub: Hub) -> None:
    hub.refuse = [503] * place.TRIES
    assert "cannot be written (the hub says 503 not now)" in message_of(lambda: send(full))
    assert hub.summaries == []
    assert len(hub.storage.arrived) == 4
    send(full)
    assert len(hub.storage.arrived) == 4
    assert open_place(URL).names().keys() == tree(full.folder).keys()


def test_a_commit_that_comes_too_late_is_made_again(full: Cache, hub: Hub) -> None:
    hub.refuse = [412, 409, 500]
    send(full)
    assert open_place(URL).names().keys() == tree(full.folder).keys()


def test_what_arrived_before_another_failed_is_seen(full: Cache, hub: Hub) -> None:
    *whole, damaged = shards(full)
    data = bytearray(damaged.read_bytes())
    data[-1] ^= 1
    damaged.write_bytes(data)
    with pytest.raises(SerError, match=damaged.name):
        push(plan_push(full, open_place(URL)), at_once=1)
    names = {Path(name).name for name in open_place(URL).names()}
    assert names == {path.name for path in whole}


def test_labels_of_others_are_not_lost(hub: Hub, tmp_path: Path) -> None:
    """Others commit between the look and the deed: first labels, then something else."""
    mine, other = Cache(tmp_path / "mine"), Cache(tmp_path / "other")
    store_manifest(mine, make_manifest("ab", corpus="one"))
    store_manifest(other, make_manifest("bc", corpus="one"))
    hub.before_commit = [
        lambda: send(other),
        lambda: None,  # the commit of the other
        lambda: hub.commit("main", {"README.md": b"# Ours"}, "a page"),
    ]
    send(mine)
    assert list(fetch(tmp_path / "last").manifest("one").ids) == ["a", "b", "c"]
    assert hub.tree()["README.md"] == b"# Ours"
    assert hub.before_commit == []


def test_a_manifest_is_compared_with_the_newest(hub: Hub) -> None:
    name = "manifests/one.csv"
    assert open_place(URL).replace(name, None, b"first")
    assert not open_place(URL).replace(name, None, b"second")
    assert not open_place(URL).replace(name, b"other", b"second")
    hub.before_commit = [lambda: hub.commit("main", {name: b"theirs"}, "")]
    assert not open_place(URL).replace(name, b"first", b"second")
    assert hub.tree()[name] == b"theirs"


def test_what_is_silent_is_given_up(
    full: Cache, hub: Hub, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(place, "SILENCE", 1.0)
    monkeypatch.setattr(transfers, "TRIES", 1)
    with line_to(urlsplit(hub.storage.url).port) as line:
        hub.storage_url = f"http://127.0.0.1:{line.port}"
        line.stalls = [0] * 100
        assert "timed out" in message_of(lambda: send(full))
    assert "signature" not in capfd.readouterr().err


def test_on_the_command_line(full: Cache, hub: Hub, tmp_path: Path) -> None:
    def run(*words: object) -> str:
        result = CliRunner().invoke(main, ["cache", *map(str, words)])
        assert result.exit_code == 0, result.output
        assert "hf_" not in result.output
        return result.output

    run("push", URL, "--cache", full.folder, "--remember")
    assert "nothing was missing, 4 shards are there" in run("push", "--cache", full.folder)
    assert "pulled 4 shards" in run("pull", URL, "--cache", tmp_path / "other")
    assert "mfcc" in run("ls", "--remote", URL)
    assert "4 shards" in run("verify", "--remote", URL, "--quick")
    assert "no difference" in run("diff", URL, tmp_path / "other")


# What is said


def test_nobody_and_somebody_else(full: Cache, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", READER)
    said = message_of(lambda: send(full))
    assert "403" in said
    assert f"{hub.url}/settings/tokens" in said
    assert hub.storage.arrived == []
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    said = message_of(open_place(URL).names)
    assert "the hub says 401 Invalid credentials" in said
    assert "the token of HF_TOKEN is wrong, or may not do so" in said
    monkeypatch.delenv("HF_TOKEN")
    assert open_place(URL).names() == {}
    hub.private = True
    said = message_of(open_place(URL).names)
    assert "you are not logged in: run `hf auth login`, or set HF_TOKEN" in said
    assert f"hf repos create {REPO} --repo-type dataset" in said
    assert "cannot be read: the server says 401" in message_of(
        lambda: open_place(URL).read("manifests/one.csv")
    )


def test_a_login_from_a_file(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.private = True
    (tmp_path / "token").write_text(READER)
    monkeypatch.delenv("HF_TOKEN")
    assert open_place(URL).names() == {}
    assert open_place(URL).read("manifests/one.csv") is None
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_IMPLICIT_TOKEN", True)
    assert "not logged in" in message_of(open_place(URL).names)


def test_there_is_no_such_thing(hub: Hub) -> None:
    said = message_of(open_place("hf://datasets/org/none").names)
    assert f"no such repository on {hub.url}, or a private one" in said
    assert "hf repos create org/none --repo-type dataset" in said
    assert "has no branch, tag or commit v9" in message_of(open_place(f"{URL}@v9").names)


def test_terms_are_to_be_accepted(full: Cache, hub: Hub, tmp_path: Path) -> None:
    send(full)
    hub.gated = True
    said = message_of(lambda: fetch(tmp_path / "other"))
    assert f"its terms are to be accepted first, at {hub.url}/datasets/{REPO}" in said


def test_too_much_is_asked(full: Cache, hub: Hub) -> None:
    hub.refuse = [429]
    assert "(the hub says 429 not now). What was uploaded need not be again" in message_of(
        lambda: send(full)
    )


def test_a_hub_that_is_gone(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9/")
    assert "cannot be listed" in message_of(open_place(URL).names)
    assert "no connection" in message_of(lambda: open_place(URL).read("manifests/one.csv"))


def test_addresses_and_tokens_that_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("hf://org/repo", "hf://datasets/repo", "hf://models/org/repo", "hf://buckets/a/b"):
        with pytest.raises(InputError, match=r"expected hf://datasets/ORG/REPO\[@REVISION\]"):
            open_place(url)
    monkeypatch.setenv("HF_TOKEN", "hf_\x01secret")
    assert "has signs that no token has" in message_of(lambda: open_place(URL))
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingPackageError, match=r"\[remotes\]"):
        open_place(URL)
