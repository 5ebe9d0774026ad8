"""The commands of docs/cluster.md about job arrays, every task of them, in any order."""

import random
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from ser.cache import Cache
from ser.cli import main
from ser.extract import make_backbone

from .drawn import SEED

soundfile = pytest.importorskip("soundfile", reason="the extra extract is not installed")

PAGE = (Path(__file__).parents[1] / "docs" / "cluster.md").read_text(encoding="utf-8")
SECTION = PAGE[PAGE.index("## Job arrays") : PAGE.index("## Ray")]
BLOCKS = re.findall(r"^```\n(.*?)^```", SECTION, re.DOTALL | re.MULTILINE)
SCRIPTS = dict(re.findall(r"^`(\w+\.sh)`:\n\n```\n(.*?)^```", SECTION, re.DOTALL | re.MULTILINE))
QUICKLY = ["--repeats", "1", "--set", "train.epochs=1", "--workers", "1"]
HERE = {"extract": ["--workers", "0"], "reproduce": QUICKLY, "manifest": []}


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    """What the page calls `mine`: noises of three emotions, in the folder where one stands."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SER_CACHE", str(tmp_path / "cache"))
    (tmp_path / "audio").mkdir()
    draw = np.random.default_rng(0)
    lines = ["path,emotion,speaker"]
    for number in range(30):
        samples = draw.normal(scale=0.1, size=int(draw.integers(4000, 8000)))
        soundfile.write(tmp_path / "audio" / f"u{number:02}.wav", samples, 16000)
        emotion = ("fear", "anger", "neutral")[number % 3]
        lines.append(f"u{number:02}.wav,{emotion},s{number // 3 % 5}")
    (tmp_path / "mine.csv").write_text("\n".join([*lines, ""]))


def ser(line):
    words = shlex.split(line)
    assert words[0] == "ser", line
    result = CliRunner().invoke(main, words[1:] + HERE[words[1]], catch_exceptions=False)
    assert result.exit_code == 0, f"{line}\n{result.output}"
    return result


def submit(line, monkeypatch):
    """Run every task of an array, in any order, as SLURM would say it."""
    _, array, script = line.split()
    first, last = map(int, array.removeprefix("--array=").split("-"))
    tasks = [*range(first, last + 1)]
    fixed = {"MIN": first, "MAX": last, "STEP": 1, "COUNT": len(tasks)}
    random.Random(SEED).shuffle(tasks)
    said = []
    for task in tasks:
        for name, value in {**fixed, "ID": task}.items():
            monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", str(value))
        lines = [each for each in SCRIPTS[script].splitlines() if not each.startswith("#")]
        said += map(ser, lines)
    return said


def test_the_arrays_do_all_there_is_to_do(corpus, monkeypatch, tmp_path):
    assert set(SCRIPTS) == {"extract.sh", "table.sh"}
    lines = [line for block in BLOCKS for line in block.splitlines() if "#" not in line]
    submitted = [line for line in lines if line.startswith("sbatch --array")]
    assert [line.split()[-1] for line in submitted] == ["extract.sh", "table.sh"]
    ser(lines[0])
    assert len(submit(submitted[0], monkeypatch)) == 20
    cache = Cache(tmp_path / "cache")
    manifest = cache.manifest("mine")
    for feature in ("mfcc", "logmel"):
        key = make_backbone(feature).key()
        assert cache.missing(key, manifest) == []
        held = [index.utterances for index in cache._contents.indices(key, "mine")]
        assert sum(map(len, held)) == len(manifest) == 30
    last = submit(submitted[1], monkeypatch)[-1]
    assert "| mine" in last.stdout
    assert (tmp_path / "table" / "table4.md").is_file()
    assert not (tmp_path / "table" / "runs" / ".ser-unfinished").exists()
    assert "--shard" not in (tmp_path / "table" / "table4.json").read_text()
