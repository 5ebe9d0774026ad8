"""The code of docs/extending.md does what the page says, each block in a process of its own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser.cache import Cache

from .conftest import make_toy_cache, toy_manifest

PAGE = (Path(__file__).parents[1] / "docs" / "extending.md").read_text(encoding="utf-8")
BLOCKS = dict(
    re.findall(r"^## An? (\w+)\n.*?^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
)
(POINTS,) = re.findall(r"^```toml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)

EMOTIONS = {"ang": "anger", "joy": "happiness", "neu": "neutral"}


@pytest.fixture
def place(tmp_path):
    """A folder with nine recordings, a list of them, and a cache of two corpora."""
    random = np.random.default_rng(0)
    folder = tmp_path / "recordings"
    folder.mkdir()
    lines = ["path,emotion"]
    for number in range(9):
        word, emotion = list(EMOTIONS.items())[number % 3]
        file = f"s0{number // 3}-{word}-01.wav"
        soundfile.write(folder / file, random.normal(scale=0.1, size=4800 + 800 * number), 16000)
        lines.append(f"{file},{emotion}")
    (tmp_path / "mine.csv").write_text("\n".join(lines))
    make_toy_cache(tmp_path / "cache", toy_manifest(corpus="emodb"))
    make_toy_cache(tmp_path / "cache", toy_manifest(corpus="emovo", language="it"))
    return tmp_path


def called(place, *command, **environment):
    """What a process says."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=place,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def definitions(block):
    """The block up to where something is done."""
    return re.split(r"^(?:report|run) = ", BLOCKS[block], flags=re.MULTILINE)[0]


def test_each_is_less_than_forty_lines():
    assert list(BLOCKS) == ["backbone", "corpus", "method", "loss", "executor"]
    for block, code in BLOCKS.items():
        assert len([line for line in code.splitlines() if line.strip()]) < 40, block


def test_a_backbone(place):
    said = called(place, "-c", BLOCKS["backbone"])
    assert said == "{'mfcc': 9, 'loudness:floor=-50.0': 9} []\n"
    cache = Cache(place / "cache")
    (key,) = (key for key in cache.keys() if key.backbone == "loudness")  # noqa: SIM118
    rows = cache.read(key, cache.manifest("mine"))
    first = rows[rows.ids.index("s00-ang-01")]
    samples, _ = soundfile.read(place / "recordings" / "s00-ang-01.wav", dtype="float32")
    level = 10 * np.log10(np.mean(samples[:160] ** 2))
    assert first.shape == (30, 1)
    assert first[0, 0] == pytest.approx(level, abs=1e-3)


def test_a_corpus(place):
    said = called(place, "-c", BLOCKS["corpus"])
    assert said == "{'neutral': 3, 'happiness': 3, 'anger': 3} []\n"
    assert set(Cache(place / "cache").manifest("voices").table["speaker"]) == {"s00", "s01", "s02"}


@pytest.mark.long
def test_a_method(place):
    said = eval(called(place, "-c", BLOCKS["method"]))
    assert list(said) == ["emodb", "emovo"]
    for learned in said.values():
        assert sum(learned["shares"]) == pytest.approx(1)
        assert learned["shares"] != [0.5, 0.5]


@pytest.mark.long
def test_a_loss(place):
    said = eval(called(place, "-c", BLOCKS["loss"]))
    assert len(said["values"]) == 2
    (run,) = (place / "runs").iterdir()
    assert json.loads((run / "config.json").read_text())["method"] == "contrastive"


@pytest.mark.long
def test_an_executor(place):
    said = called(place, "-c", BLOCKS["executor"])
    assert [line.partition(":")[0] for line in said.splitlines()] == [
        "repeat 0, fold 0",
        "repeat 1, fold 0",
    ]


@pytest.mark.long
def test_a_package_brings_them(place):
    package = place / "installed"
    info = package / "my_package-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    points = re.sub(r'\[project\.entry-points\."(.*)"\]', r"[\1]", POINTS).replace('"', "")
    (info / "entry_points.txt").write_text(points)
    code = "\n".join(map(definitions, ("backbone", "corpus", "method")))
    code += '\nWEIGHTED = Method("weighted", Weighted, several=True)\n'
    (package / "my_package.py").write_text(code)

    def ser(*arguments):
        return called(
            *(place, "-m", "ser.cli", *arguments, "--cache", "cache", "--workers", "2"),
            PYTHONPATH=str(package),
        )

    said = ser("extract", "--corpus", "voices", "--root", "recordings", "--features", "loudness")
    assert said == "voices loudness: 9 of 9 cached, 9 new\n"
    train = ("train", "--setting", "multidomain", "--corpus", "emodb,emovo", "--repeats", "1")
    ser(*train, "--method", "weighted", "--out", "run")
    assert json.loads((place / "run" / "config.json").read_text())["method"] == "weighted"
