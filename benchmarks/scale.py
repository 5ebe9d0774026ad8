"""How time and memory grow to a million utterances: see README.md beside this file.

    python benchmarks/scale.py --sizes 10000,100000
    python benchmarks/scale.py --folder /scratch/scale

A corpus that does not exist, with all that the steps look at: a manifest with fingerprints, small
features in 500 utterances a shard, files of audio without a byte, and what an earlier scan of them
would have found. Every step is a process of its own; Linux, where an earlier scan is found by
XDG_CACHE_HOME.
"""

from __future__ import annotations

import base64
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path

import click
import numpy as np
import pandas as pd
import psutil

from ser.benchmarks.startup import FIRST_STEP
from ser.cache import Cache, store_manifest
from ser.extract import make_backbone
from ser.manifests import EMOTIONS, FINGERPRINT, Manifest, check_leaks, make_splits
from ser.manifests.audio import HASH_DIGITS
from ser.manifests.memory import Probe, ProbeCache, stamp

CORPUS, FEATURE = "made", "egemaps"
SHARD = 500
"""Utterances of a shard: 2000 shards for a million."""
SPEAKER = 200
"""Utterances of a speaker, about."""


@dataclass(frozen=True)
class Taken:
    """What a step took: seconds, those of processors, and megabytes of its largest process."""

    seconds: float
    processor: float
    megabytes: float = 0.0


@dataclass(frozen=True)
class Made:
    """What is looked at, below one folder."""

    folder: Path

    @property
    def cache(self) -> Cache:
        """Manifest and features."""
        return Cache(self.folder / "cache")

    @property
    def audio(self) -> Path:
        """The root of the corpus."""
        return self.folder / "audio"

    @property
    def csv(self) -> Path:
        """The corpus as its owner lists it."""
        return self.folder / "corpus.csv"

    @property
    def home(self) -> Path:
        """Where an earlier scan of the audio is remembered."""
        return self.folder / "home"


@click.command()
@click.option("--sizes", default="10000,100000,1000000", show_default=True, help="Utterances.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    help="Where to write, and to find what was written before [default: TMPDIR, for once].",
)
@click.option("--steps", default="", help="Those that begin with one of these, commas between.")
@click.option("--json", "as_json", is_flag=True)
@click.option("--measure", nargs=2, hidden=True, help="Internal: one step on one corpus.")
def main(
    sizes: str, folder: Path | None, steps: str, as_json: bool, measure: tuple[str, str] | None
) -> None:
    """Seconds and peak memory of each step at each size, and the exponent between sizes."""
    if measure:
        click.echo(json.dumps(asdict(CALLS[measure[0]](Made(Path(measure[1]))))))
        return
    names = [name for name in (*CALLS, *COMMANDS) if name.startswith(tuple(steps.split(",")))]
    found: dict[str, dict[int, Taken]] = {name: {} for name in names}
    with tempfile.TemporaryDirectory() as temporary:
        for size in map(int, sizes.split(",")):
            made = Made((folder or Path(temporary)) / str(size))
            if not made.home.exists():
                click.echo(f"making {size} utterances", err=True)
                make(made, size)
            for name in names:
                found[name][size] = taken = _measure(name, made)
                click.echo(f"{size}: {name}: {taken}", err=True)
    if as_json:
        plain = {name: {n: asdict(taken) for n, taken in of.items()} for name, of in found.items()}
        click.echo(json.dumps(plain, indent=2))
    else:
        click.echo(_markdown(found))


def make(made: Made, size: int) -> None:
    """Write a corpus of so many utterances."""
    table = _table(size)
    for place in sorted({Path(path).parent for path in table["path"]}):
        (made.audio / place).mkdir(parents=True)
    for path in table["path"]:
        (made.audio / path).touch()
    table[["id", "path", "speaker", "gender", "emotion"]].to_csv(made.csv, index=False)
    manifest = Manifest(table)
    store_manifest(made.cache, manifest)
    _write_features(made.cache, manifest)
    time.sleep(4)  # a file that was changed as recently as that is not remembered
    heard = table[["path", "duration", "audio_hash", FINGERPRINT]].itertuples(index=False)
    probes = {
        path: Probe(*(stamp(made.audio / path) or (0, 0, 0)), *values) for path, *values in heard
    }
    ProbeCache(made.home / "ser-probes").save(made.audio, probes)


def _table(size: int) -> pd.DataFrame:
    draw = np.random.default_rng(0)
    ids = [f"u{number:07}" for number in range(size)]
    speakers = draw.integers(max(10, size // SPEAKER), size=size)
    return pd.DataFrame(
        {
            "id": ids,
            "corpus": CORPUS,
            "language": "de",
            "speaker": [f"s{number:05}" for number in speakers],
            "gender": np.array(["female", "male"])[speakers % 2],
            "emotion": np.array(EMOTIONS[:7])[draw.integers(7, size=size)],
            "path": [f"{id[:-3]}/{id}.wav" for id in ids],
            "duration": draw.lognormal(1.2, 0.5, size).round(3),
            "audio_hash": [draw.bytes(HASH_DIGITS // 2).hex() for _ in ids],
            FINGERPRINT: _fingerprints(size, draw),
        }
    )


def _fingerprints(size: int, draw: np.random.Generator) -> list[str]:
    """Of sounds that have nothing in common; in the form that `manifests.fingerprint` writes."""
    steps = np.clip(np.floor(draw.standard_normal((size, 90)) / 0.35), -8, 7).astype(int) + 8
    spreads = np.round(2000 * draw.normal(-0.2, 0.5, size) + 20000).astype(">u2")
    values = (16 * steps[:, :45] + steps[:, 45:]).astype(np.uint8)
    data = np.hstack([spreads.view(np.uint8).reshape(size, 2), values])
    return [base64.urlsafe_b64encode(row.tobytes()).decode().rstrip("=") for row in data]


def _write_features(cache: Cache, manifest: Manifest) -> None:
    """A vector of each utterance; those of all shards are the same."""
    key = make_backbone(FEATURE).key()
    vectors = np.random.default_rng(0).standard_normal((SHARD, key.dim), np.float32)
    with cache.write(key, manifest) as writer:
        for number, id in enumerate(manifest.ids):
            writer.add(id, vectors[number % SHARD])
            if writer.pending == SHARD:
                writer.publish()


def _splits(protocol: str) -> Callable[[Made], Taken]:
    """Of one repeat, checked for leaks."""

    def measure(made: Made) -> Taken:
        manifest = made.cache.manifest(CORPUS)

        def split() -> None:
            for each in make_splits(manifest, protocol, 0):
                check_leaks(manifest, each)

        return _taken(split)

    return measure


def _read_manifest(made: Made) -> Taken:
    return _taken(lambda: made.cache.manifest(CORPUS))


def _write_manifest(made: Made) -> Taken:
    manifest = made.cache.manifest(CORPUS)
    return _taken(lambda: manifest.save(made.folder / "written.csv"))


def _missing(made: Made) -> Taken:
    cache = made.cache
    manifest, (key,) = cache.manifest(CORPUS), cache.keys()
    return _taken(lambda: cache.missing(key, manifest))


def _open(made: Made) -> Taken:
    cache = made.cache
    manifest, (key,) = cache.manifest(CORPUS), cache.keys()
    return _taken(lambda: cache.open(key, manifest)[0])


def _taken(call: Callable[[], object]) -> Taken:
    started, processor = time.perf_counter(), time.process_time()
    call()
    return Taken(time.perf_counter() - started, time.process_time() - processor)


CALLS: dict[str, Callable[[Made], Taken]] = {
    "manifest, read": _read_manifest,
    "manifest, write": _write_manifest,
    "splits, paper": _splits("paper"),
    "splits, speaker": _splits("speaker"),
    "missing": _missing,
    "open": _open,
}
"""Steps that are a part of commands; what they need is there before."""

COMMANDS: dict[str, Callable[[Made], list[str]]] = {
    "ser extract --csv": lambda made: [
        *("extract", "--corpus", CORPUS, "--features", FEATURE, "--language", "de"),
        *("--csv", str(made.csv), "--root", str(made.audio)),
    ],
    "ser extract --manifest": lambda made: [
        *("extract", "--corpus", CORPUS, "--features", FEATURE, "--root", str(made.audio)),
        *("--manifest", str(made.cache.folder / "manifests" / f"{CORPUS}.csv")),
    ],
    "ser cache ls": lambda made: ["cache", "ls"],
    "ser cache verify --quick": lambda made: ["cache", "verify", "--quick"],
    "ser train, first step": lambda made: [
        *("train", "--setting", "single", "--corpus", CORPUS, "--features", FEATURE),
        *("--repeats", "1", "--out", str(made.folder / "run")),
    ],
}
"""Whole commands, from before they start."""


def _measure(name: str, made: Made) -> Taken:
    """What a step takes; training is ended after its first step."""
    mark = made.folder / "mark"
    mark.unlink(missing_ok=True)
    own = [sys.executable, __file__, "--measure", name, str(made.folder)]
    ser = [sys.executable, "-c", "from ser.cli import main; main()"]
    command = own if name in CALLS else [*ser, *COMMANDS[name](made)]
    started = time.perf_counter()
    process = subprocess.Popen(
        command,
        env=os.environ
        | {"SER_CACHE": str(made.cache.folder), "XDG_CACHE_HOME": str(made.home)}
        | {"PYTHONPATH": str(FIRST_STEP), "SER_BENCHMARK_FIRST_STEP": str(mark)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    processor = megabytes = 0.0
    try:
        while process.poll() is None and not mark.exists():
            used, held = _used(process.pid)
            processor, megabytes = max(processor, used), max(megabytes, held)
            time.sleep(0.02)
        seconds = time.perf_counter() - started
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        said, _ = process.communicate()
    if process.returncode and not mark.exists():
        raise SystemExit(f"failed: {' '.join(command)}")
    if name in CALLS:
        return replace(Taken(**json.loads(said)), megabytes=megabytes)
    return Taken(seconds, processor, megabytes)


def _used(pid: int) -> tuple[float, float]:
    """Seconds of processors that a process and all that it started took, and megabytes of the
    largest."""
    times, sizes = [0.0], [0]
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                times.append(sum(each.cpu_times()[:2]))
                sizes.append(each.memory_info().rss)
    return sum(times), max(sizes) / 1e6


def _markdown(found: Mapping[str, Mapping[int, Taken]]) -> str:
    """By size; the exponent is of the seconds of processors, which other work disturbs least."""
    sizes = list(next(iter(found.values())))
    head = [f"{size}, {unit}" for unit in ("s", "processor s", "MB") for size in sizes]
    head += [f"{one} to {other}, exponent" for one, other in pairwise(sizes)]
    lines = [["step", *head], ["---", *["---:"] * len(head)]]
    for name, of in found.items():
        cells = [f"{taken.seconds:.2f}" for taken in of.values()]
        cells += [f"{taken.processor:.2f}" for taken in of.values()]
        cells += [f"{taken.megabytes:.0f}" for taken in of.values()]
        cells += [
            f"{math.log(of[other].processor / of[one].processor, other / one):.2f}"
            for one, other in pairwise(sizes)
        ]
        lines.append([name, *cells])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    main()
