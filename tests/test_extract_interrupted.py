"""Runs that are ended from outside: killed, or by Ctrl-C. In processes of their own."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import soundfile

from ser.cache import Cache
from ser.extract import extract, make_backbone
from ser.manifests import Manifest, read_audio
from ser.signals import handled

pytestmark = pytest.mark.skipif(os.name != "posix", reason="process groups and signals")

COUNT = 40
SCRIPT = """
import os, signal, sys, time
from pathlib import Path
from ser.cache import Cache, writer
from ser.extract import extract
from ser.manifests import Manifest

def progress(done, total, seconds):
    if done == int(at):
        if how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        else:
            # As a terminal does: to every process. This one hears of it last, so that a worker
            # that would say something has the time to.
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
            time.sleep(0.4)
            os.killpg(0, signal.SIGINT)
            time.sleep(1)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])

if __name__ == "__main__":
    folder, how, at = Path(sys.argv[1]), *sys.argv[2:]
    writer.SHARD_UTTERANCES = 4
    manifest = Manifest.load(folder / "mine.csv")
    try:
        extract(manifest, folder / "corpus", ["mfcc"], Cache(folder / "cache"), workers=2,
                progress=progress)
    except KeyboardInterrupt:
        sys.exit(130)
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("interrupted")
    (folder / "corpus").mkdir()
    rng = np.random.default_rng(0)
    rows = []
    for number in range(COUNT):
        path = folder / "corpus" / f"u{number:02}.wav"
        soundfile.write(path, rng.normal(scale=0.1, size=4000 + 100 * number), 16000)
        row = {"id": path.stem, "corpus": "mine", "language": "pt", "speaker": "s", "gender": ""}
        audio = read_audio(path)
        row |= {"emotion": "fear", "path": path.name, "duration": audio.duration}
        rows.append({**row, "audio_hash": audio.sha})
    Manifest(pd.DataFrame(rows)).save(folder / "mine.csv")
    (folder / "script.py").write_text(SCRIPT)
    return folder


def run(corpus, folder, how, at):
    """Run the script until it is ended; return its exit code and what it wrote to stderr."""
    for name in ("corpus", "mine.csv", "script.py"):
        (folder / name).symlink_to(corpus / name)
    command = [sys.executable, str(folder / "script.py"), str(folder), how, str(at)]
    # Into a file: workers that stay behind would keep a pipe open.
    with (folder / "stderr").open("wb") as stderr:
        # Where this is run in the background, the signal may be ignored here, and would be there.
        with handled({signal.SIGINT: signal.default_int_handler}):
            process = subprocess.Popen(command, stderr=stderr, start_new_session=True)
        code = process.wait(timeout=120)
    assert group_ends(process.pid), "worker processes stay behind"
    return code, (folder / "stderr").read_text()


def group_ends(group, seconds=30):
    """Whether all processes of a group end within some time."""
    for _ in range(seconds * 20):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    os.killpg(group, signal.SIGKILL)
    return False


def missing(folder):
    manifest = Manifest.load(folder / "mine.csv")
    return len(Cache(folder / "cache").missing(make_backbone("mfcc").key(), manifest))


def test_kill_and_resume(corpus, tmp_path):
    code, stderr = run(corpus, tmp_path, "kill", 14)
    assert code == -signal.SIGKILL
    assert "Traceback" not in stderr
    assert missing(tmp_path) == COUNT - 12  # three shards of four were published
    cache = Cache(tmp_path / "cache")
    manifest = Manifest.load(tmp_path / "mine.csv")
    report = extract(manifest, tmp_path / "corpus", ["mfcc"], cache, workers=0)
    assert report.computed == {"mfcc": COUNT - 12}
    assert report.present == {"mfcc": 12}
    assert missing(tmp_path) == 0
    assert not cache.verify().problems
    cache.read(make_backbone("mfcc").key(), manifest)


@pytest.mark.parametrize("at", [0, 14])
def test_interrupt_is_clean(corpus, tmp_path, at):
    # At 0 the workers have only just been started, and are importing.
    code, stderr = run(corpus, tmp_path, "interrupt", at)
    assert code == 130
    assert stderr == ""
    assert missing(tmp_path) == COUNT - at  # all that was finished is there
    assert not Cache(tmp_path / "cache").verify().problems
    assert not list((tmp_path / "cache").rglob(".*"))
