"""Who computes what: claims on files, and extraction that heeds them."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pytest

from ser.cache import Cache
from ser.extract import Backbone, claims, extract, extract_corpus, share
from ser.extract.claims import Claims, claim_file
from ser.progress import Progress
from ser.tests.test_extract_pipeline import write_corpus

linux = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux whether a process lives")


class Level(Backbone):
    """The level of an utterance; what was computed is kept."""

    name = "level"
    kind = "vector"
    dim = 1
    computed: list[float] = []  # noqa: RUF012

    def prepare(self, samples):
        level = float(np.sqrt(np.mean(samples**2)))
        self.computed.append(level)
        return np.array([level], "f4")


@pytest.fixture
def clock(monkeypatch):
    """The clock by which this process tells silence, which goes as a test likes."""
    now = SimpleNamespace(seconds=1000.0)
    monkeypatch.setattr(claims.time, "monotonic", lambda: now.seconds)
    return now


@pytest.fixture
def path(tmp_path):
    return claim_file(tmp_path / "cache" / "features" / "level-0", "mine", "0" * 32)


def elsewhere(path, **said):
    """Lay down the claim of a process of another machine."""
    holder = replace(Claims()._holder, host="far", machine="another", token="theirs", **said)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(holder)))


def test_a_claim_is_held_by_one_at_a_time(path):
    with Claims() as one, Claims() as other:
        assert one.take(path)
        assert not other.take(path)
        assert json.loads(path.read_text())["pid"] == os.getpid()
        one.release(path)
        assert other.take(path)
        assert not one.take(path)
        assert one.problem is other.problem is None
    assert list(path.parent.iterdir()) == []


def test_it_is_shown_to_be_alive(path, monkeypatch):
    monkeypatch.setattr(claims, "BEAT_SECONDS", 0.01)
    with Claims() as own:
        own.take(path)
        os.utime(path, (0, 0))
        while path.stat().st_mtime == 0:
            time.sleep(0.01)


@pytest.mark.parametrize("year", [1971, 2026, 2100])
def test_it_is_silence_that_frees_it_whatever_the_clocks_say(path, clock, year):
    elsewhere(path)
    own = Claims()
    for day in range(3):  # it is alive, by a clock that may go backwards
        os.utime(path, ((year - 1970) * 365.25 * 86400 - day * 86400,) * 2)
        assert own.holder(path) == "far"
        clock.seconds += claims.SILENT_SECONDS - 1
        assert not own.take(path)
    clock.seconds += 2
    with own:
        assert own.take(path)
        assert "theirs" not in path.read_text()


@linux
@pytest.mark.parametrize("reaped", [True, False])
def test_that_of_a_dead_process_of_this_machine_is_free_at_once(path, reaped):
    code = "import sys, time; from pathlib import Path; from ser.extract.claims import Claims\n"
    code += "Claims().take(Path(sys.argv[1])); print(flush=True); time.sleep(99)"
    process = subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE)
    process.stdout.readline()
    with Claims() as own:
        assert not own.take(path)
        process.kill()
        if reaped:
            process.wait()
        else:
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert own.take(path)
    process.communicate()


@linux
def test_a_number_that_another_process_has_now_or_that_of_another_machine_tells_nothing(path):
    elsewhere(path, pid=2**22 + 1)
    assert Claims().holder(path) == "far"
    mine = Claims()._holder
    assert not mine.is_gone()
    assert replace(mine, born="1").is_gone()
    assert not replace(mine, pid=1, born=claims._state(1)[1]).is_gone()
    assert not replace(mine, pid=2**70).is_gone()


def test_of_many_that_would_take_one_over_one_does(path, monkeypatch):
    monkeypatch.setattr(claims, "_ENDED", {"theirs"})
    takers = [Claims() for _ in range(6)]
    paths = [path.with_name(f"{number}{path.name}") for number in range(100)]
    for each in paths:
        elsewhere(each)
    start = threading.Barrier(len(takers))
    taken = []

    def take(taker):
        start.wait()
        taken.extend(each for each in paths if taker.take(each))

    threads = [threading.Thread(target=take, args=[taker]) for taker in takers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for taker in takers:
        taker.__exit__()
        assert taker.problem is None
    assert sorted(taken) == sorted(paths)
    assert list(path.parent.iterdir()) == []


def test_one_that_was_taken_over_is_not_removed(path, clock):
    suspended, other = Claims(), Claims()
    suspended.take(path)
    other.holder(path)
    clock.seconds += claims.SILENT_SECONDS + 1
    assert other.take(path)
    suspended.__exit__()
    assert path.exists()
    other.__exit__()
    assert not path.exists()


@pytest.mark.parametrize("content", [b"", b"\xff{", b'{"host": 1}', bytes(1 << 20)])
def test_one_that_says_nothing_is_held_until_it_is_silent(path, clock, content):
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with Claims() as own:
        assert own.holder(path) == "another process"
        assert not own.take(path)
        clock.seconds += claims.SILENT_SECONDS + 1
        assert own.take(path)


def test_what_cannot_be_removed_is_computed_all_the_same(path, clock):
    path.mkdir(parents=True)
    own = Claims()
    assert not own.take(path)
    clock.seconds += claims.SILENT_SECONDS + 1
    assert own.take(path)
    assert own.problem.startswith(f"{path.parent}: ")


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """Twelve files in `corpus`, in pieces of one utterance."""
    monkeypatch.setattr(share, "PIECE", 1)
    monkeypatch.setattr(share, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(Level, "computed", [])
    return write_corpus(tmp_path / "corpus", 12)


def test_runs_in_threads_of_one_process_share_the_work(corpus, tmp_path):
    (tmp_path / "corpus" / "u03.wav").write_bytes(b"no audio")  # which both are to find out
    cache, reports = Cache(tmp_path / "cache"), []
    start = threading.Barrier(3)

    def run():
        start.wait()
        features = [Level(), Level({"dtype": "float16"})]
        reports.append(extract(corpus, tmp_path / "corpus", features, cache, workers=0))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Level.computed) == 2 * 11
    for spec in ("level", "level:dtype=float16"):
        assert sum(report.computed[spec] for report in reports) == 11
        assert all(report.computed[spec] + report.present[spec] == 11 for report in reports)
    for report in reports:
        assert [bad.id for bad in report.bad] == ["u03"]
        assert len(cache.missing(report.keys["level"], corpus)) == 1
    assert not list(cache.folder.rglob(".*"))
    assert cache.verify().whole


def claim_of(cache, manifest, id):
    """Where the claim of an utterance lies, in pieces of one."""
    found = share.Share(manifest, cache, {"level": Level().key()}, Claims())
    return found._claim("level", found._piece_of[id])


@pytest.mark.parametrize("end", ["done", "given up", "silent", "dead"])
def test_what_others_compute_is_waited_for(corpus, tmp_path, monkeypatch, end):
    cache, told = Cache(tmp_path / "cache"), []
    claim = claim_of(cache, corpus, "u05")
    elsewhere(claim)

    def waiting(left, hosts):
        told.append((left, *hosts, len(Level.computed)))
        if end == "done":
            with cache.write(Level().key(), corpus) as out:
                out.add("u05", np.ones(1, "f4"))
        if end == "silent":
            monkeypatch.setattr(claims, "SILENT_SECONDS", 0.0)
        elif end == "dead":
            elsewhere(claim, pid=0)
            claim.write_text(json.dumps(asdict(replace(Claims()._holder, born="1"))))
        else:
            claim.unlink()

    if end == "dead" and sys.platform != "linux":
        pytest.skip("asks Linux whether a process lives")
    report = extract(corpus, tmp_path / "corpus", Level(), cache, workers=0, waiting=waiting)
    assert told == [(1, "far", 11)]
    computed = 11 if end == "done" else 12
    assert len(Level.computed) == computed
    assert report.computed == {"level": computed}
    assert report.present == {"level": 12 - computed}
    assert cache.missing(Level().key(), corpus) == []
    assert not claim.exists()


def test_waiting_is_shown(corpus, tmp_path, monkeypatch):
    cache, shown = Cache(tmp_path / "cache"), []
    claim = claim_of(cache, corpus, "u05")
    elsewhere(claim)

    class Shown(Progress):
        def show(self, text, done=0, total=0, details=()):
            shown.append(text)
            if text.startswith("mine: waiting"):
                claim.unlink(missing_ok=True)

    extract_corpus(corpus, tmp_path / "corpus", Level(), cache, workers=0, progress=Shown())
    assert "mine: waiting for 1 utterances, computed on far" in shown
    assert shown[-1] == "mine: 12 of 12 utterances"


def test_what_is_given_up_in_the_middle_others_can_have(corpus, tmp_path):
    def progress(done, total, seconds):
        if done == 4:
            raise KeyboardInterrupt

    cache = Cache(tmp_path / "cache")
    with pytest.raises(KeyboardInterrupt):
        extract(corpus, tmp_path / "corpus", Level(), cache, workers=0, progress=progress)
    assert len(cache.missing(Level().key(), corpus)) == 12 - 4
    assert not list(cache.folder.rglob(".*"))


def test_no_more_is_claimed_than_is_worked_on(corpus, tmp_path):
    cache, held = Cache(tmp_path / "cache"), []

    def progress(done, total, seconds):
        held.append(len(list(cache.folder.rglob("*.claim"))) - done)

    extract(corpus, tmp_path / "corpus", Level(), cache, workers=0, progress=progress)
    assert max(held) <= 1


def test_where_no_claims_can_be_made_it_goes_on_and_says_so(corpus, tmp_path, monkeypatch):
    def refuse(path, data):
        raise OSError(95, "Operation not supported", str(path))

    monkeypatch.setattr(claims, "new_file", refuse)
    said = []
    progress = Progress()
    monkeypatch.setattr(progress, "say", said.append)
    report = extract_corpus(
        corpus, tmp_path / "corpus", Level(), tmp_path / "cache", workers=0, progress=progress
    )
    assert report.computed == {"level": 12}
    (note,) = report.notes
    assert note.endswith("Operation not supported. " + note.partition(". ")[2])
    assert note.startswith("note: no claims can be made in ")
    assert note in said


def test_manifests_that_differ_a_little_are_cut_alike(tmp_path, monkeypatch):
    manifest = write_corpus(tmp_path / "corpus", 40)
    monkeypatch.setattr(share, "PIECE", 4)
    ids = set(manifest.ids)
    whole = {task.id: name for name, piece in share._cut(manifest, ids).items() for task in piece}
    assert 3 < len(set(whole.values())) < 30
    lacking = set(manifest.ids[10:])
    rest = share._cut(manifest, lacking)
    assert {task.id: name for name, piece in rest.items() for task in piece} == {
        id: whole[id] for id in lacking
    }
    beginnings = {piece[0].id for piece in share._cut(manifest, ids).values()}
    gone = next(id for id in manifest.ids if id not in beginnings)
    fewer = manifest.select([id for id in manifest.ids if id != gone])
    cut = share._cut(fewer, ids)
    assert {task.id: name for name, piece in cut.items() for task in piece} == {
        id: name for id, name in whole.items() if id != gone
    }


def test_nobody_trips_over_a_claim(corpus, tmp_path):
    cache = Cache(tmp_path / "cache")
    claim = claim_of(cache, corpus, "u05")
    elsewhere(claim)
    assert cache.verify().whole
    assert cache.keys() == cache.listing() == cache.left_out() == []
    claim.unlink()
    extract(corpus, tmp_path / "corpus", Level(), cache, workers=0)
    elsewhere(claim)
    assert cache.verify().whole
    assert len(cache.listing()) == 1
    assert cache.collect().leftovers == ()
    os.utime(claim, (time.time() - 2 * 86400,) * 2)
    assert cache.collect().leftovers == (claim,)
    assert not claim.exists()


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_command_that_is_stopped_leaves_no_claim(corpus, tmp_path):
    corpus.save(tmp_path / "mine.csv")
    script = (
        "import sys, time; from ser.extract.backbones.mfcc import Mfcc\n"
        "def prepare(self, samples): print(flush=True); time.sleep(60)\n"
        "Mfcc.prepare = prepare\n"
        "from ser.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    where = ["--root", tmp_path / "corpus", "--cache", tmp_path / "cache"]
    command = [sys.executable, "-c", script, "extract", "--corpus", "mine", "--workers", "0"]
    command += ["--manifest", tmp_path / "mine.csv", "--features", "mfcc", *where]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        assert len(list((tmp_path / "cache").rglob("*.claim"))) == 1
        process.terminate()
        assert process.wait(timeout=60) == 128 + signal.SIGTERM
    assert not list((tmp_path / "cache").rglob(".*"))
