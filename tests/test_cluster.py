"""Extraction and training by the workers of a Ray cluster, whose nodes may be killed."""

import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ray", reason="the extra ray is not installed")

from ser.cache import Cache
from ser.cache.remotes import open_place, plan_pull, pull
from ser.errors import InputError, SerError
from ser.extract import extract_corpus, make_backbone, pieces
from ser.progress import Progress
from ser.reproduce.run import PLANS, reproduce
from ser.tests.cluster_backbones import Deadly, Elsewhere, Slow
from ser.tests.conftest import make_toy_cache, make_two_corpora
from ser.tests.jobs import doubling, ending, far_away, refusing
from ser.tests.ray_cluster import client_server, ray_cluster
from ser.tests.remote_servers import s3_bucket
from ser.tests.test_extract_pipeline import write_corpus
from ser.tests.test_extract_portions import rows
from ser.tests.test_train_portions import numbers
from ser.train.config import load_config
from ser.train.runs.request import Request
from ser.train.runs.train import train_request
from ser.workers import Lost
from ser.workers import cluster as workers_cluster
from ser.workers.cluster import Cluster

if sys.platform == "win32":
    pytest.skip(
        "Ray's clusters of several nodes on one machine are for Linux", allow_module_level=True
    )
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def bucket():
    """A client of an S3 server with the bucket `team`, which the nodes know too."""
    pytest.importorskip("moto", reason="the S3 server moto is not installed")
    with pytest.MonkeyPatch.context() as patch, s3_bucket(patch, "team") as client:
        yield client


@pytest.fixture(scope="module")
def nodes(bucket):
    with pytest.MonkeyPatch.context() as patch, ray_cluster(patch) as found:
        yield found


@pytest.fixture
def crew(nodes):
    """Workers on both nodes; what a test killed is there again."""
    while len(nodes.nodes) < 2:
        nodes.add()
    cluster = Cluster(nodes.address)
    for _ in range(600):
        if Cluster(nodes.address).count == 2:
            break
        time.sleep(0.1)
    return cluster


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    root = tmp_path_factory.mktemp("corpora") / "mine"
    return root, write_corpus(root, 24)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """Of two seconds, of which the corpus has about twenty."""
    monkeypatch.setattr(pieces, "SHORTEST", 2.0)
    monkeypatch.setattr(pieces, "LONGEST", 2.0)


def once(cache, key, manifest):
    """Assert that every utterance of a manifest is in a cache, once."""
    held = [index.utterances for index in cache._contents.indices(key, manifest.corpus)]
    assert sorted(name.split()[0] for each in held for name in each) == sorted(manifest.ids)


def when(condition, act):
    """Do something, in a thread, once a condition holds."""

    def watch():
        while not condition():
            time.sleep(0.02)
        act()

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def test_jobs_are_done_on_all_nodes(crew):
    with crew.running(partial(doubling, 2), iter(range(12))) as results:
        found = sorted(results)
    assert found == [(n, 2 * n) for n in range(12)]
    with crew.running(partial(ending, {4}), iter(range(8))) as results:
        found = dict(results)
    assert isinstance(found.pop(4), Lost)
    assert found == {n: n for n in range(8) if n != 4}
    with (
        pytest.raises(InputError, match="no such thing"),
        crew.running(partial(refusing, InputError("no such thing")), iter(range(9))) as results,
    ):
        list(results)


def test_a_worker_out_of_reach_gives_up_its_place(crew, monkeypatch):
    import ray

    get, failures = ray.get, [ray.exceptions.ActorUnavailableError("no network", None)] * 2

    def fails_twice(reference):
        answer = get(reference)
        if isinstance(answer, int) and failures:
            raise failures.pop()
        return answer

    monkeypatch.setattr(ray, "get", fails_twice)
    with replace(crew, workers=2).running(partial(doubling, 2), iter(range(8))) as results:
        found = dict(results)
    assert sum(isinstance(result, Lost) for result in found.values()) == 2
    assert sorted(found) == list(range(8))


def test_a_result_that_is_lost_with_its_node_is_made_again(crew, nodes, tmp_path):
    import ray

    with crew.running(partial(far_away, tmp_path), iter(range(2))) as results:
        job, (node, _) = next(results)
        assert job == 0
        (tmp_path / "first heard").touch()
        while not (tmp_path / "second done").exists():
            time.sleep(0.02)
        time.sleep(1)  # until its result lies there
        nodes.kill(but=node)
        while sum(each["Alive"] for each in ray.nodes()) > 2:
            time.sleep(0.1)
        assert [(job, where) for job, (where, _) in results] == [(1, node)]


def test_extraction_gives_the_rows_of_this_machine(crew, corpus, tmp_path):
    root, manifest = corpus
    here, there = Cache(tmp_path / "here"), Cache(tmp_path / "there")
    features = "mfcc,logmel"
    local = extract_corpus(manifest, root, features, here, workers=0)
    report = extract_corpus(manifest, root, features, there, crew=crew)
    assert report.computed == local.computed == {"mfcc": 24, "logmel": 24}
    assert report.audio_seconds == pytest.approx(local.audio_seconds)
    assert rows(there, manifest) == rows(here, manifest)
    once(there, report.keys["mfcc"], manifest)
    assert not there.verify().problems
    again = extract_corpus(manifest, root, features, there, crew=crew)
    assert again.computed == {"mfcc": 0, "logmel": 0}


def test_a_machine_that_is_not_of_the_cluster_works_with_it(crew, nodes, corpus, tmp_path):
    root, manifest = corpus
    manifest.save(tmp_path / "mine.csv")
    cache = make_toy_cache(tmp_path / "cache")
    config = load_config("paper", ["train.epochs=1"])
    request = Request("single", ["toy"], ["mfcc", "ge2e"], config, repeats=2, device="cpu")
    local = train_request(request, cache, tmp_path / "here")

    def ser(*words):
        command = [sys.executable, "-m", "ser.cli", *map(str, words), "--cache", str(cache.folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    with client_server(nodes) as address:
        found = ["--corpus", "mine", "--manifest", tmp_path / "mine.csv", "--root", root]
        said = ser("extract", *found, "--features", "mfcc", "--cluster", address)
        assert "mine mfcc: 24 of 24 cached, 24 new" in said
        asked = ["--setting", "single", "--corpus", "toy", "--preset", "paper", "--repeats", 2]
        asked += ["--set", "train.epochs=1", "--out", tmp_path / "there", "--cluster", address]
        ser("train", *asked)
    assert numbers(tmp_path / "there") == numbers(local.folder)


def test_a_node_that_is_killed_costs_nothing(crew, nodes, corpus, tmp_path):
    root, manifest = corpus
    cache = Cache(tmp_path / "cache")
    folder = cache.feature_folder(Slow().key())
    killer = when(lambda: len(list(folder.glob("*.h5"))) > 1, nodes.kill)
    report = extract_corpus(manifest, root, Slow(), cache, crew=crew)
    killer.join()
    assert report.bad == []
    assert report.computed == {"slow": 24}
    once(cache, report.keys["slow"], manifest)
    stored = cache.read(report.keys["slow"], manifest)
    here = Cache(tmp_path / "here")
    extract_corpus(manifest, root, Slow({"seconds": 0.0}), here, workers=0)
    local = here.read(Slow({"seconds": 0.0}).key(), manifest)
    np.testing.assert_array_equal(stored.frames, local.frames)


def test_audio_comes_from_a_bucket_and_features_go_to_one(crew, nodes, bucket, corpus, tmp_path):
    root, manifest = corpus
    for path in root.iterdir():
        bucket.upload_file(str(path), "team", f"corpora/mine/{path.name}")
    here, mine, other = (Cache(tmp_path / name) for name in ("here", "mine", "other"))
    local = extract_corpus(manifest, root, "mfcc,logmel", here, workers=0)

    def extracted():
        where = {"root": "s3://team/corpora/mine", "remote": "s3://team/cache"}
        return extract_corpus(manifest, features="mfcc,logmel", cache=mine, crew=crew, **where)

    place = open_place("s3://team/cache")
    killer = when(lambda: len(place.names()) > 2, nodes.kill)
    report = extracted()
    killer.join()
    assert (report.computed, report.bad) == (local.computed, [])
    assert not list(mine.folder.rglob("*.h5"))
    assert extracted().computed == {"mfcc": 0, "logmel": 0}
    pull(plan_pull(other, place))
    assert other.manifest("mine").id == manifest.id
    assert rows(other, manifest) == rows(here, manifest)
    once(other, report.keys["mfcc"], manifest)
    assert not other.verify().problems


def test_a_file_that_kills_its_worker_is_named(crew, corpus, tmp_path):
    root, manifest = corpus
    cache = Cache(tmp_path / "cache")
    seconds = manifest.table.set_index("id")["duration"]
    deadly = Deadly({"samples": round(16_000 * float(seconds["u07"]))})
    report = extract_corpus(manifest, root, [deadly], cache, crew=crew)
    assert [bad.id for bad in report.bad] == ["u07"]
    assert "a worker that had it alone ended, 2 times" in report.bad[0].reason
    assert report.computed == {deadly.spec: 23}
    once(cache, report.keys[deadly.spec], manifest.select(set(manifest.ids) - {"u07"}))


def test_a_table_is_that_of_this_machine_though_a_node_is_killed(crew, nodes, tmp_path):
    cache = make_two_corpora(tmp_path / "cache")
    config = load_config("paper", ["train.epochs=1"])
    common = Request("single", ["toy", "tic"], ["mfcc", "ge2e"], config, repeats=1, workers=1)
    common = replace(common, device="cpu")

    def table(out, crew):
        made = reproduce(PLANS["table4"], common, cache, out, "ser", Progress(True), crew=crew)
        return {path.name: numbers(path) for path in (out / "runs").iterdir()}, made.markdown

    local = table(tmp_path / "here", None)
    runs = tmp_path / "there" / "runs"
    killer = when(lambda: len(list(runs.glob("[!.]*"))) > 0, nodes.kill)
    assert table(tmp_path / "there", crew) == local
    killer.join()


def test_a_model_of_a_cluster_is_gone_on_with_here(crew, toy_cache, tmp_path, monkeypatch, capsys):
    config = load_config("paper", ["train.epochs=2"])
    request = Request("single", ["toy"], ["mfcc", "ge2e"], config, repeats=3, device="cpu")
    whole = train_request(request, toy_cache, tmp_path / "whole" / "run")
    running = Cluster.running

    def cut(self, *arguments, **options):
        context = running(self, *arguments, **options)

        class Cut:
            def __enter__(self):
                self.results = context.__enter__()
                return self.some()

            def some(self):
                yield next(self.results)
                raise KeyboardInterrupt

            def __exit__(self, *error):
                return context.__exit__(*error)

        return Cut()

    monkeypatch.setattr(Cluster, "running", cut)
    with pytest.raises(KeyboardInterrupt):
        train_request(request, toy_cache, tmp_path / "run", crew=crew)
    capsys.readouterr()
    run = train_request(replace(request, workers=1), toy_cache, tmp_path / "run")
    assert capsys.readouterr().err.count(": repeat ") == 2
    assert numbers(run.folder) == numbers(whole.folder)


@pytest.mark.parametrize("wanted", [{"gpus": 1.0}, {"gpus": 0.5}, {"cpus": 64.0}])
def test_a_worker_that_has_no_room(crew, nodes, wanted):
    with pytest.raises(SerError, match=r"no machine has room for a worker of .*-per-worker"):
        _ = Cluster(nodes.address, **wanted).count


def test_a_cache_that_a_node_does_not_see(crew, corpus, tmp_path, monkeypatch):
    root, manifest = corpus
    monkeypatch.setattr(pieces, "new_file", lambda path, data: None)
    with pytest.raises(SerError, match=r"does not see the cache .*must be a folder that all"):
        extract_corpus(manifest, root, "mfcc", Cache(tmp_path / "cache"), crew=crew)


def test_weights_that_a_node_has_otherwise(crew, corpus, tmp_path):
    root, manifest = corpus
    with pytest.raises(SerError, match="would compute elsewhere otherwise, by other weights"):
        extract_corpus(manifest, root, Elsewhere(), Cache(tmp_path / "cache"), crew=crew)


def test_a_worker_of_other_versions(crew, monkeypatch):
    here = ("0.2.0 (abcdef01)", "3.99.1")
    monkeypatch.setattr(workers_cluster, "versions", lambda: here)
    with (
        pytest.raises(SerError, match=r"has ser .* \(here 0.2.0 \(abcdef01\)\) and Python 3.* \(h"),
        crew.running(partial(doubling, 2), iter([1])) as results,
    ):
        list(results)


corpora = os.environ.get("SER_TEST_CORPORA")


@pytest.mark.soak
@pytest.mark.skipif(not corpora, reason="SER_TEST_CORPORA names no folder")
@pytest.mark.parametrize("killed", [False, True])
def test_emodb_is_byte_for_byte_that_of_this_machine(crew, nodes, tmp_path, monkeypatch, killed):
    pytest.importorskip("opensmile", reason="the extra opensmile is not installed")
    monkeypatch.setattr(pieces, "LONGEST", 60.0)
    root, features = Path(corpora) / "emodb", ["mfcc", "ge2e", "egemaps"]
    here, there = Cache(tmp_path / "here"), Cache(tmp_path / "there")
    local = extract_corpus("emodb", root, features, here)
    folder = there.feature_folder(make_backbone("egemaps").key())
    if killed:
        killer = when(lambda: len(list(folder.glob("*.h5"))) > 2, nodes.kill)
    report = extract_corpus("emodb", root, features, there, crew=crew)
    if killed:
        killer.join()
    assert report.computed == local.computed
    manifest = here.manifest("emodb")
    for key in report.keys.values():
        one, other = here.read(key, manifest), there.read(key, manifest)
        assert one.frames.tobytes() == other.frames.tobytes()
        np.testing.assert_array_equal(one.offsets, other.offsets)
        once(there, key, manifest)


@pytest.mark.soak
@pytest.mark.skipif(not corpora, reason="SER_TEST_CORPORA names no folder")
def test_a_table_of_real_corpora_is_that_of_this_machine(crew, nodes, tmp_path):
    cache, names = Cache(tmp_path / "cache"), ["emodb", "ravdess", "emovo"]
    for corpus in names:
        extract_corpus(corpus, Path(corpora) / corpus, ["mfcc", "ge2e"], cache)
    config = load_config("paper", ["train.epochs=10"])
    common = Request("single", names, ["mfcc", "ge2e"], config, repeats=1)
    common = replace(common, device="cpu", workers=2)

    def table(out, crew):
        made = reproduce(PLANS["table3"], common, cache, out, "ser", Progress(True), crew=crew)
        return {path.name: numbers(path) for path in (out / "runs").iterdir()}, made.markdown

    local = table(tmp_path / "here", None)
    assert table(tmp_path / "there", crew) == local
    runs = tmp_path / "killed" / "runs"
    killer = when(lambda: len(list(runs.glob("[!.]*"))) > 2, nodes.kill)
    assert table(tmp_path / "killed", crew) == local
    killer.join()
