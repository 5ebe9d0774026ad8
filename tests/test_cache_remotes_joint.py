"""A cache and a place side by side."""

import pytest

from ser.cache import Cache, Terms, save_terms, store_manifest
from ser.cache.contents import utterances_of
from ser.cache.remotes import open_place
from ser.cache.remotes.joint import JointCache, send_all
from ser.errors import InputError
from ser.extract import extract_corpus, plan_corpus
from ser.extract.claims import Claims
from ser.extract.share import Share
from ser.workers import Processes

from .conftest import KEY, VECTOR, fill, make_manifest, same, shards, tree

MANIFEST = make_manifest()


@pytest.fixture
def caches(tmp_path):
    """One beside an empty place, and one whose features are to go there."""
    here, made = Cache(tmp_path / "here"), Cache(tmp_path / "made")
    return JointCache(here, str(tmp_path / "place")), made


def test_what_is_at_the_place_is_not_missing(caches, tmp_path):
    joint, made = caches
    assert joint.missing(KEY, MANIFEST) == list(MANIFEST.ids)
    fill(made, KEY, MANIFEST)
    send_all(made, joint.url)
    assert joint.missing(KEY, MANIFEST) == []
    there = shards(Cache(tmp_path / "place"))
    assert joint.shard_names(KEY, MANIFEST.corpus) == {path.name for path in there}
    assert joint.held_by(KEY, MANIFEST.corpus, [there[0].name]) == utterances_of(MANIFEST)
    assert not joint.folder.exists()
    damaged = next((tmp_path / "place").rglob("*.h5"))
    damaged.write_bytes(damaged.read_bytes()[:500])
    assert JointCache(Cache(tmp_path / "here"), joint.url).missing(KEY, MANIFEST)


def test_what_the_cache_had_and_the_manifest_come_last(caches, tmp_path):
    joint, _ = caches
    store_manifest(joint, MANIFEST)
    rows = fill(joint, KEY, MANIFEST)
    fill(joint, VECTOR, MANIFEST)
    place = open_place(joint.url)
    with joint.sharing(MANIFEST.corpus, [KEY]):
        assert not place.names()
    there = Cache(tmp_path / "place")
    same(there, KEY, there.manifest(MANIFEST.corpus), rows)
    assert there.missing(VECTOR, MANIFEST) == list(MANIFEST.ids)
    assert not there.feature_folder(VECTOR).exists()
    before = tree(tmp_path / "place")
    with joint.sharing(MANIFEST.corpus, [KEY]):
        pass
    assert tree(tmp_path / "place") == before


def test_what_contradicts_it_is_said_before_hours_of_work(caches, tmp_path):
    joint, _ = caches
    store_manifest(Cache(tmp_path / "place"), MANIFEST)
    other = make_manifest().table.assign(emotion="anger")
    store_manifest(joint, type(MANIFEST)(other))
    with pytest.raises(InputError, match="emotion"), joint.sharing(MANIFEST.corpus, [KEY]):
        pytest.fail("the work was begun")


def test_a_corpus_for_licensees_only_stays_here(caches):
    joint, _ = caches
    store_manifest(joint, MANIFEST)
    save_terms(joint.folder, MANIFEST.corpus, Terms("", licensees_only=True))
    with (
        pytest.raises(InputError, match="for licensees only"),
        joint.sharing(MANIFEST.corpus, [KEY]),
    ):
        pytest.fail("the work was begun")


def test_without_a_cluster_nothing_goes_elsewhere(tmp_path):
    with pytest.raises(InputError, match="--remote: is for the workers of a cluster"):
        extract_corpus("emodb", tmp_path, cache=tmp_path / "cache", remote="s3://b/cache")


@pytest.mark.parametrize("folder", ["place", "~/place", "file:///tmp/place"])
def test_nothing_goes_to_a_folder_that_may_be_another_elsewhere(tmp_path, folder):
    for call in (extract_corpus, plan_corpus):
        with pytest.raises(InputError, match="a folder may be another on every machine"):
            call("emodb", tmp_path, cache=tmp_path / "c", remote=folder, crew=Processes(1))


def test_two_commands_share_what_goes_to_a_place(caches, monkeypatch):
    joint, made = caches
    other = JointCache(Cache(joint.folder), joint.url)
    with Claims() as claims, Claims() as others:
        mine = Share(MANIFEST, joint, {"mfcc": KEY}, claims)
        theirs = Share(MANIFEST, other, {"mfcc": KEY}, others)
        assert [task.id for task in mine.tasks()] == list(MANIFEST.ids)
        assert not list(theirs.tasks())
        fill(made, KEY, MANIFEST)
        send_all(made, joint.url)
        mine.settle("mfcc", MANIFEST.ids)
        monkeypatch.setattr(other, "missing", None)  # nothing is looked through once more
        assert not theirs.wait(None)
        assert (theirs.given, theirs.left) == ({"mfcc": 0}, 0)
