"""How fast features are extracted, and in how much memory: see README.md beside this file.

    python benchmarks/extract.py --corpus-root ~/corpora/emodb

Every measurement is a process of its own, held to the same few cores. The obvious loop and ours are
timed from the start of that process, imports and loading included, and once more from the first
utterance on; the bare pass is timed alone.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any

import click

STARTED = time.perf_counter()

FEATURES = "mfcc,logmel,egemaps,ge2e,ge2e_mel,allosaurus,wav2vec,wav2vec2,byol"


@click.command()
@click.option("--corpus", default="emodb", show_default=True)
@click.option("--corpus-root", required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--features", default=FEATURES, show_default=True)
@click.option("--limit", type=int, help="Only so many utterances, spread over the corpus.")
@click.option("--cores", default=2, show_default=True)
@click.option("--copies", default=4, show_default=True, help="Size of the larger corpus.")
@click.option("--memory", default="logmel,ge2e,byol", show_default=True, help="Features for it.")
@click.option("--tries", default=4, show_default=True, help="Of a measurement that is disturbed.")
@click.option("--measure", nargs=2, hidden=True, help="Internal: one measurement, one feature.")
@click.option("--json", "as_json", is_flag=True)
def main(
    corpus: str,
    corpus_root: Path,
    features: str,
    limit: int | None,
    cores: int,
    copies: int,
    memory: str,
    tries: int,
    measure: tuple[str, str] | None,
    as_json: bool,
) -> None:
    """Audio hours per hour of the obvious loop, of ours and of the model alone; peak memory.

    And seconds of each part of the work, over the corpus.
    """
    if measure:
        kind, feature = measure
        click.echo(json.dumps(MEASUREMENTS[kind](feature, Path(corpus), corpus_root, cores)))
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        names = [name for name in features.split(",") if name]
        random = _weights(folder / "weights", names)
        small, large = _manifests(corpus, corpus_root, folder, limit, copies)

        def run(kind: str, feature: str, manifest: Path) -> dict[str, float]:
            def once() -> dict[str, float]:
                return _measure(kind, feature, manifest, corpus_root, cores, folder / "weights")

            return _undisturbed(once, tries)

        results = []
        for name in names:
            click.echo(f"{name} ...", err=True)
            row: dict[str, Any] = {"feature": name, "random_weights": name in random}
            row.update({kind: run(kind, name, small) for kind in MEASUREMENTS})
            if name in memory.split(","):
                row["large"] = run("ours", name, large)
            results.append(row)
    click.echo(json.dumps(results, indent=2) if as_json else _markdown(results, copies))


def _measure(
    kind: str, feature: str, manifest: Path, root: Path, cores: int, weights: Path
) -> dict[str, float]:
    """One measurement in a process of its own."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(cores))
    command = [sys.executable, __file__, "--measure", kind, feature, "--corpus", str(manifest)]
    command += ["--corpus-root", str(root), "--cores", str(cores)]
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, **threads, "SER_WEIGHTS": str(weights)},
        preexec_fn=lambda: _hold(cores),
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _undisturbed(once: Callable[[], dict[str, float]], tries: int) -> dict[str, float]:
    """The measurement during which other processes took least, of several if they took much.

    Adds `others`: the cores that they took, on average.
    """
    best: dict[str, float] = {}
    for _ in range(tries):
        _wait_for_quiet()
        before, started = _others(), time.perf_counter()
        found = once()
        found["others"] = round((_others() - before) / (time.perf_counter() - started), 2)
        if not best or found["others"] < best["others"]:
            best = found
        if best["others"] < _QUIET:
            break
        click.echo(f"  disturbed: other processes took {found['others']} cores", err=True)
    return best


_QUIET = 0.1  # cores


def _wait_for_quiet(seconds: int = 300) -> None:
    """Wait until other processes leave the machine alone, but not for ever."""
    for _ in range(seconds // 3):
        before = _others()
        time.sleep(3)
        if (_others() - before) / 3 < _QUIET:
            return


def _others() -> float:
    """Seconds of processor time that all but this process and its children have taken so far."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return 0.0
    user, nice, system, _idle, _wait, *interrupts = map(int, stat.read_text().split()[1:9])
    busy = (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")
    own = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return busy - sum(usage.ru_utime + usage.ru_stime for usage in own)


def _hold(cores: int) -> None:
    """Keep this process and its children on a few cores, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])


def _weights(folder: Path, features: Sequence[str]) -> set[str]:
    """Gather the weights that are here, random ones of the same architecture for the others."""
    from ser.extract.weights.known import KNOWN, place
    from ser.tests.speech_models import write_allosaurus, write_speech_model
    from ser.tests.stand_ins import write_byol, write_wav2vec

    folder.mkdir()
    writers: Mapping[str, Callable[[Path], object]] = {
        "allosaurus": lambda path: write_allosaurus(path),
        "byol": lambda path: write_byol(path.parent),
        "wav2vec": lambda path: write_wav2vec(path.parent),
        "wav2vec2": lambda path: write_speech_model(path, "wav2vec2", real_size=True),
    }
    random = set()
    for weights in KNOWN:
        if weights.feature not in features:
            continue
        target = folder / weights.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if place(weights).exists():
            target.symlink_to(place(weights).absolute())
        elif weights.feature in writers:
            writers[weights.feature](target)
            random.add(weights.feature)
    return random


def _manifests(
    corpus: str, root: Path, folder: Path, limit: int | None, copies: int
) -> tuple[Path, Path]:
    """The manifest of the corpus, and one that has every utterance several times."""
    import pandas as pd

    from ser.manifests import Manifest, build_manifest

    manifest = build_manifest(corpus, root).manifest
    if limit:
        manifest = manifest.select(manifest.ids[:: max(1, len(manifest) // limit)][:limit])
    table = manifest.table
    parts = [table.assign(id=[f"{id}-{n}" for id in table["id"]]) for n in range(copies)]
    small, large = folder / "small.csv", folder / "large.csv"
    manifest.save(small)
    Manifest(pd.concat(parts, ignore_index=True)).save(large)
    return small, large


def _obvious(feature: str, manifest: Path, root: Path, cores: int) -> dict[str, float]:
    from ser.benchmarks.obvious import obvious
    from ser.manifests import Manifest

    table = Manifest.load(manifest).table
    call = obvious(feature)
    call(root / table["path"].iloc[0])  # what is imported or compiled at first use belongs to it
    begun = time.perf_counter()
    for path in table["path"].iloc[1:]:
        call(root / path)
    return _result(table["duration"], begun)


def _ours(feature: str, manifest: Path, root: Path, cores: int) -> dict[str, float]:
    from ser.cache import Cache
    from ser.extract import extract
    from ser.manifests import Manifest

    loaded = Manifest.load(manifest)
    times = []
    with tempfile.TemporaryDirectory() as folder:
        report = extract(
            loaded,
            root,
            [feature],
            Cache(Path(folder)),
            device="cpu",
            workers=cores,
            progress=lambda done, total, seconds: times.append(time.perf_counter()),
        )
    if report.bad:
        raise SystemExit(f"{feature}: {report.bad[0]}")
    return _result(loaded.table["duration"], times[1])


def _bare(feature: str, manifest: Path, root: Path, cores: int) -> dict[str, float]:
    """The model over ready batches; without a model, the front end over ready samples.

    And on the way, the seconds of each part of the work, in this process alone.
    """
    from ser.cache import Cache
    from ser.extract import make_backbone
    from ser.extract.audio import to_recipe
    from ser.manifests import Manifest, read_audio

    threadpoolctl: Any = import_module("threadpoolctl")
    loaded = Manifest.load(manifest)
    durations = loaded.table["duration"]
    backbone = make_backbone(feature, "cpu")
    backbone.load()
    parts: dict[str, float] = {}

    def timed(part: str, work: Callable[[], list[Any]]) -> list[Any]:
        started = time.perf_counter()
        done = work()
        parts[part] = round(time.perf_counter() - started, 2)
        return done

    with threadpoolctl.threadpool_limits(1):  # as in a worker
        files = timed("decode", lambda: [read_audio(root / path) for path in loaded.table["path"]])
        timed("hash", lambda: [audio.sha for audio in files])
        samples = timed("mono", lambda: [to_recipe(audio.samples, audio.rate) for audio in files])
        backbone.prepare(samples[0])  # what is imported at first use
        prepared = timed("front", lambda: [backbone.prepare(part) for part in samples])
        if not backbone.batch_rows:
            started = time.perf_counter()
            _prepare_all(backbone.prepare, samples, cores)
            result = _result(durations, started, started)
    if backbone.batch_rows:
        _run_model(backbone, prepared[:2])
        started = time.perf_counter()
        prepared = timed("model", lambda: _run_model(backbone, prepared))
        result = _result(durations, started, started)
    with tempfile.TemporaryDirectory() as folder:

        def store() -> list[Any]:
            with Cache(Path(folder)).write(backbone.key(), loaded) as writer:
                for utterance, found in zip(loaded.ids, prepared, strict=True):
                    writer.add(utterance, found)
            return []

        timed("write", store)
    return {**result, **parts}


def _run_model(backbone: Any, prepared: Sequence[Any]) -> list[Any]:
    """What a run of the extraction does with a model, and nothing beside it."""
    import torch

    from ser.extract.faults import Fault
    from ser.extract.models import Models
    from ser.extract.prepare import Task

    found: dict[int, Any] = {}

    class Kept:
        def store(self, spec: str, task: Task, feature: object) -> None:
            found[int(task.id)] = feature

        def refuse(self, spec: str, task: Task, fault: Fault) -> None:
            raise SystemExit(f"{spec}: {fault.reason}")

    with Models(Kept(), torch.device("cpu")) as models:
        for number, array in enumerate(prepared):
            models.add(backbone, Task(str(number), "", "", (), 0.0), array)
        models.finish()
    return [found[number] for number in range(len(prepared))]


def _prepare_all(prepare: Callable[[Any], object], samples: Sequence[Any], cores: int) -> None:
    """Run a front end in as many processes."""

    def prepare_some(number: int) -> None:
        for part in samples[number::cores]:
            prepare(part)

    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=prepare_some, args=(n,)) for n in range(cores)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()


MEASUREMENTS: Mapping[str, Callable[[str, Path, Path, int], dict[str, float]]] = {
    "obvious": _obvious,
    "ours": _ours,
    "bare": _bare,
}


PARTS: Mapping[str, str] = {
    "decode": "decode",
    "hash": "audio hash",
    "mono": "mono, 16 kHz",
    "front": "front end",
    "model": "model",
    "write": "write",
}


def _result(durations: Any, begun: float, started: float = STARTED) -> dict[str, float]:
    """What one measurement found.

    Args:
        durations: seconds of each utterance.
        begun: when the first of them was done.
        started: when the measurement began.

    Returns:
        Audio hours per hour, from the start and from the first utterance on; seconds in all and to
        the first utterance; peak memory in MB of this process and of its largest child.
    """
    now = time.perf_counter()
    return {
        "speed": round(durations.sum() / (now - started), 2),
        "steady": round(durations.iloc[1:].sum() / (now - begun), 2),
        "seconds": round(now - started, 2),
        "start": round(begun - started, 2),
        "main_mb": round(_peak()),
        "worker_mb": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / _UNIT),
    }


_UNIT = 1e6 if sys.platform == "darwin" else 1e3


def _peak() -> float:
    """Peak memory of this process in MB."""
    status = Path("/proc/self/status")
    if status.exists():
        # On Linux, what getrusage says begins with the size of the process that started this one.
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) / 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _UNIT


def _markdown(results: Sequence[Mapping[str, Any]], copies: int) -> str:
    from ser.benchmarks.obvious import has_reference

    head = ["feature", "obvious loop", "ours", "bare", "ours / obvious", "after start-up"]
    head += ["ours / bare", "after start-up"]
    memory = ("main, MB", "worker, MB", f"main, MB, {copies}x", f"worker, MB, {copies}x")
    lines: list[Sequence[str]] = [[*head, *memory], ["---", *["---:"] * (len(head) + 3)]]
    for row in results:
        slow, ours, bare = (row[kind]["speed"] for kind in MEASUREMENTS)
        steady = row["ours"]["steady"]
        large = row.get("large", {})
        lines.append(
            [
                row["feature"] + (" (random weights)" if row["random_weights"] else ""),
                _short(slow) + ("" if has_reference(row["feature"]) else " (our module)"),
                _short(ours),
                _short(bare),
                f"{ours / slow:.2f}",
                f"{steady / row['obvious']['steady']:.2f}",
                f"{ours / bare:.2f}",
                f"{steady / bare:.2f}",
                *(str(row["ours"][name]) for name in ("main_mb", "worker_mb")),
                *(str(large.get(name, "")) for name in ("main_mb", "worker_mb")),
            ]
        )
    parts: list[Sequence[str]] = [
        ["feature", *PARTS.values(), "ours in all", "of that start-up"],
        ["---", *["---:"] * (len(PARTS) + 2)],
    ]
    for row in results:
        cells = [f"{row['bare'][part]:.2f}" if part in row["bare"] else "" for part in PARTS]
        both = (f"{row['ours'][name]:.2f}" for name in ("seconds", "start"))
        parts.append([row["feature"], *cells, *both])
    return "\n\n".join(
        "\n".join(f"| {' | '.join(cells)} |" for cells in table) for table in (lines, parts)
    )


def _short(speed: float) -> str:
    return f"{speed:.1f}" if speed < 10 else f"{speed:.0f}"


if __name__ == "__main__":
    main()
