"""A run of two corpora on real sound, and `ser serve` as a user starts it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import soundfile

from ser import Cache, extract_corpus, train

RATE = 16000

HOSTILE = "<img src=x onerror=alert(1)>" if os.name == "posix" else "served"
"""Name of the run folder."""


def write_sounds(folder: Path, emotions: dict[str, float], seed: int) -> Path:
    """A list of thirty files of noise in three emotions, which differ in loudness and colour."""
    random = np.random.default_rng(seed)
    folder.mkdir()
    lines = ["path,emotion,speaker"]
    for number in range(30):
        emotion = [*emotions][number % 3]
        noise = random.normal(scale=emotions[emotion], size=8000 + 200 * number)
        samples = noise.cumsum() / 20 % 0.6 - 0.3 if emotion == "anger" else noise
        soundfile.write(folder / f"{number:02}.wav", samples, 16000, subtype="PCM_16")
        lines.append(f"{number:02}.wav,{emotion},s{number // 3 % 5}")
    (folder / "list.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder / "list.csv"


@pytest.fixture(scope="session")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `mine` and `yours`, and the folder of a run on both, called `HOSTILE`."""
    place = tmp_path_factory.mktemp("served")
    cache = Cache(place / "cache")
    for corpus, language, emotions in (
        ("mine", "de", {"anger": 0.3, "sadness": 0.02, "neutral": 0.1}),
        ("yours", "it", {"anger": 0.2, "fear": 0.02, "neutral": 0.05}),
    ):
        csv = write_sounds(place / corpus, emotions, seed=len(corpus))
        extract_corpus(corpus, csv=csv, features="mfcc", cache=cache, language=language, workers=0)
    train(
        *("multidomain", "mine,yours"),
        features="mfcc",
        method="sb",
        cache=cache,
        changes=["train.epochs=5", "train.members=1"],
        repeats=1,
        workers=1,
        out=place / HOSTILE,
    )
    return place


@dataclass
class Served:
    """A page that is served by a process of its own."""

    url: str
    process: subprocess.Popen[str]
    temporary: Path

    def ask(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, dict[str, str], Any]:
        """Status, headers and JSON, or text, of an answer; in names of headers, _ is -."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection = self.connect()
        connection.request(method, path, body, names)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        found = {name.lower(): value for name, value in answer.getheaders()}
        is_json = found.get("content-type") == "application/json"
        return answer.status, found, json.loads(text) if is_json else text

    def lines(self, body: Any, heads: str = "other", **headers: str) -> tuple[int, list[Any]]:
        """Status and lines of JSON of the one question."""
        headers = {"Content_Type": "application/octet-stream", **headers}
        status, _, said = self.ask("POST", f"/recognise?heads={heads}", body, **headers)
        return status, [said] if status != 200 else [*map(json.loads, said.splitlines())]

    def recognise(self, body: Any, heads: str = "other", **headers: str) -> tuple[int, Any]:
        """Status and the answer, or what is said instead."""
        status, lines = self.lines(body, heads, **headers)
        return status, lines[0].get("answer", lines[0])

    def connect(self) -> http.client.HTTPConnection:
        """A connection of one's own."""
        return http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=60)

    def stop(self, number: int = signal.SIGINT) -> tuple[int, str]:
        """Exit code and stderr."""
        self.process.send_signal(number)
        _, stderr = self.process.communicate(timeout=60)
        return self.process.returncode, stderr


def start(run: Path, temporary: Path, *arguments: str) -> Served:
    """Start `ser serve` on any free port, with a folder for its temporary files."""
    temporary.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "ser.cli", "serve", str(run), "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))},
    )
    assert process.stdout
    url = process.stdout.readline().strip()
    if not url:
        raise AssertionError(process.communicate(timeout=60)[1])
    return Served(url, process, temporary)


@pytest.fixture(scope="session")
def served(sounds: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The page of that run; left as it was found."""
    page = start(sounds / HOSTILE, tmp_path_factory.mktemp("temporary"))
    yield page
    page.process.kill()
    page.process.communicate()


@pytest.fixture(scope="session")
def speech() -> np.ndarray[Any, np.dtype[np.float64]]:
    """Twelve seconds of EmoDB at 16 kHz, with pauses."""
    corpora = os.environ.get("SER_TEST_CORPORA")
    if not corpora:
        pytest.skip("SER_TEST_CORPORA is not set")
    pieces = []
    for path in sorted(Path(corpora, "emodb", "wav").iterdir())[:5]:
        samples, rate = soundfile.read(path)
        assert rate == RATE
        pieces += [samples, np.zeros(RATE)]
    return np.concatenate(pieces)[: 12 * RATE]


def emptied(folder: Path, seconds: float = 20) -> bool:
    """Whether a folder is empty, soon."""
    end = time.monotonic() + seconds
    while any(folder.iterdir()):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
