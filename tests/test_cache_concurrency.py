"""Eight writers and eight readers at one cache, two of the writers killed: nothing is lost or torn,
or computed more than once without need."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from ser.manifests import Manifest, read_audio

from .drawn import SEED, cases

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks its writers and readers")

UTTERANCES = 96

SCRIPT = '''
import hashlib, os, random, signal, sys, time, traceback
from itertools import count
from pathlib import Path
import h5py, numpy as np, soundfile
from ser.cache import Cache, writer
from ser.errors import MissingFeaturesError
from ser.extract import Backbone, extract, share
from ser.extract.audio import load_utterance
from ser.manifests import Manifest

folder, seconds, draw = Path(sys.argv[1]), float(sys.argv[2]), random.Random(sys.argv[3])
manifest = Manifest.load(folder / "mine.csv")
end = time.monotonic() + seconds
share.PIECE, share.LOOK_SECONDS = 4, 0.1

def digest(samples):
    return hashlib.sha256(samples.tobytes()).digest()[:16]

class Counted(Backbone):
    """A digest of the samples; each utterance that is computed is a line of a file."""

    name = "counted"
    kind = "sequence"
    dim = 16
    frame_rate = 1.0
    defaults = {"round": 0}

    def prepare(self, samples):
        found = digest(samples)
        line = f"{self.parameters['round']} {found.hex()} {os.getpid()}\\n"
        os.write(log, line.encode())
        time.sleep(draw.uniform(0, 0.02))
        return rows(found, self.parameters["round"])

def rows(found, number):
    return np.tile(np.frombuffer(found, "u1"), (1 + found[0] % 5, 1)) + np.float32(number)

def write():
    for number in count():
        if time.monotonic() > end:
            return
        writer.SHARD_UTTERANCES = draw.randint(1, 20)
        features = [Counted({"round": number}), Counted({"round": -number - 1})]
        report = extract(manifest, folder / "corpus", features, Cache(folder / "cache"), workers=0)
        assert not report.bad and not report.notes, report
        for spec, key in report.keys.items():
            assert report.computed[spec] + report.present[spec] == len(manifest)
            assert Cache(folder / "cache").missing(key, manifest) == []

def read():
    cache = Cache(folder / "cache")
    while time.monotonic() < end:
        time.sleep(draw.uniform(0, 0.3))
        for key in draw.sample(keys := cache.keys(), min(2, len(keys))):
            missing = set(cache.missing(key, manifest))
            held = [id for id in manifest.ids if id not in missing]
            if held:
                check(cache, key, manifest.select(sorted(draw.sample(held, min(40, len(held))))))
        if draw.random() < 0.1:
            assert not cache.verify().problems and not cache.left_out()
            assert not any(holding.damaged for holding in cache.listing())

def check(cache, key, manifest):
    found = cache.read(key, manifest, mapped=draw.random() < 0.5)
    for index, id in enumerate(found.ids):
        np.testing.assert_array_equal(found[index], rows(wanted[id], key.parameters["round"]))

def start(do):
    own = draw.randrange(2**32)
    if pid := os.fork():
        return pid
    draw.seed(own)
    try:
        do()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)

wanted = {
    row.id: digest(load_utterance(folder / "corpus" / row.path, row.audio_hash))
    for row in manifest.table.itertuples()
}
log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
writers = [start(write) for _ in range(8)]
readers = [start(read) for _ in range(8)]
victims = draw.sample(writers, 2)
for victim in victims:
    time.sleep(draw.uniform(0, seconds / 2))
    os.kill(victim, signal.SIGKILL)
for pid in writers + readers:
    status = os.waitpid(pid, 0)[1]
    assert os.waitstatus_to_exitcode(status) == (-signal.SIGKILL if pid in victims else 0)

cache = Cache(folder / "cache")
assert cache.verify().whole
holdings = {holding.key: holding for holding in cache.listing()}
for key in cache.keys():
    check(cache, key, manifest)
    in_shards = sum(len(index) for index in cache._contents.indices(key, manifest.corpus))
    assert in_shards == len(manifest), "published twice"
for claim in (folder / "cache").rglob(".partial-*.claim"):
    assert any(f'"pid": {pid},' in claim.read_text() for pid in victims), claim
lines = [line.split() for line in (folder / "log").read_text().splitlines()]
survivors = [tuple(line[:2]) for line in lines if int(line[2]) not in victims]
assert len(survivors) == len(set(survivors)), "computed twice"
killed = {tuple(line[:2]) for line in lines if int(line[2]) in victims}
assert {digest for _, digest in {*survivors, *killed}} == {found.hex() for found in wanted.values()}
print(len({line[2] for line in lines}), len(lines), len(killed & set(survivors)))
'''


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with short files of noise and their manifest."""
    folder = tmp_path_factory.mktemp("concurrency")
    (folder / "corpus").mkdir()
    draw = np.random.default_rng(0)
    rows = []
    for number in range(UTTERANCES):
        path = folder / "corpus" / f"u{number:03}.wav"
        soundfile.write(path, draw.normal(scale=0.1, size=4000), 16000)
        audio = read_audio(path)
        row = {"id": path.stem, "corpus": "mine", "language": "pt", "speaker": "s", "gender": ""}
        row |= {"emotion": "fear", "path": path.name, "audio_hash": audio.sha}
        rows.append({**row, "duration": audio.duration})
    Manifest(pd.DataFrame(rows)).save(folder / "mine.csv")
    (folder / "script.py").write_text(SCRIPT)
    return folder


@cases(60)
def test_writers_and_readers_of_whom_two_are_killed(
    corpus: Path, tmp_path: Path, count: int
) -> None:
    """For so many seconds."""
    for name in ("corpus", "mine.csv"):
        (tmp_path / name).symlink_to(corpus / name)
    command = [sys.executable, str(corpus / "script.py"), str(tmp_path), str(count), SEED]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120 + 5 * count
    )
    assert done.returncode == 0, f"SER_TEST_SEED={SEED}\n{done.stdout}{done.stderr}"
    computing, _, _ = map(int, done.stdout.split())
    assert computing >= 6, f"SER_TEST_SEED={SEED}: not all writers had their share"
