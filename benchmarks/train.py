"""How fast and in how much memory models are trained: see README.md beside this file.

    python benchmarks/train.py --cache ~/ser-cache
    python benchmarks/train.py --synthetic 1.0

Every measurement is made in processes of its own, held to the same few cores.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import click
import torch

from ser.benchmarks.synthetic import CORPORA, FEATURES, write_corpora
from ser.benchmarks.usual import UsualLoop, write_utterances
from ser.cache import Cache
from ser.train.config import load_config
from ser.train.data import Domain
from ser.train.loop import DomainSplit, Training, mixed_batches
from ser.train.network.spec import ModelSpec
from ser.train.runs.experiment import resolve
from ser.train.runs.load import encode, load_domains
from ser.train.runs.processes import LARGE_PAGES
from ser.train.runs.request import Request

WARM_UP = 3


@dataclass(frozen=True)
class Case:
    """What is measured: corpora and features of a cache."""

    cache: str
    corpora: tuple[str, ...]
    features: tuple[str, ...]
    preset: str
    steps: int
    cores: int
    about: str = ""

    @property
    def method(self) -> str:
        return "ours" if len(self.corpora) > 1 else "single"

    @property
    def name(self) -> str:
        corpora = ", ".join(self.corpora) + self.about
        return f"{self.method}, {self.preset}; {corpora}; {', '.join(self.features)}"


@click.command()
@click.option("--cache", "folder", default="", help="A cache with the corpora and features.")
@click.option("--corpus", default="emodb,ravdess,emovo", show_default=True)
@click.option("--features", default="mfcc,ge2e", show_default=True)
@click.option("--presets", default="paper,strong", show_default=True)
@click.option("--steps", default=60, show_default=True, help="Measured of each.")
@click.option("--rounds", default=3, show_default=True, help="The fastest of each counts.")
@click.option("--cores", default=2, show_default=True)
@click.option("--synthetic", default=0.0, help="Share of the paper's utterances, such as 1.0.")
@click.option("--json", "as_json", is_flag=True)
@click.option("--measure", nargs=2, hidden=True, help="Internal: one measurement of one case.")
def main(
    folder: str,
    corpus: str,
    features: str,
    presets: str,
    steps: int,
    rounds: int,
    cores: int,
    synthetic: float,
    as_json: bool,
    measure: tuple[str, str] | None,
) -> None:
    """Steps a second of ours, of the model alone and of the usual loop; peak memory."""
    if measure:
        values = json.loads(measure[1])
        case = Case(
            **{**values, "corpora": tuple(values["corpora"]), "features": tuple(values["features"])}
        )
        click.echo(json.dumps(MEASUREMENTS[measure[0]](case)))
        return
    sets = []
    if folder:
        corpora, names = tuple(corpus.split(",")), tuple(features.split(","))
        sets += [(folder, corpora[:1], names, ""), (folder, corpora, names, "")]
    with tempfile.TemporaryDirectory() as temporary:
        if synthetic:
            write_corpora(Path(temporary), synthetic)
            about = f" (synthetic, {synthetic:g} of full size)"
            sets.append((temporary, tuple(CORPORA), tuple(FEATURES), about))
        rows = []
        for (cache, corpora, names, about), preset in product(sets, presets.split(",")):
            case = Case(cache, corpora, names, preset, steps, cores, about)
            click.echo(f"{case.name} ...", err=True)
            tries = [{kind: _measure(kind, case) for kind in MEASUREMENTS} for _ in range(rounds)]
            found = {kind: _best([each[kind] for each in tries]) for kind in MEASUREMENTS}
            rows.append({"case": case.name, **found})
    click.echo(json.dumps(rows, indent=2) if as_json else _markdown(rows))


def _best(tries: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The highest rate, which other processes disturbed least, and the highest peak of memory."""
    return {name: max(each[name] for each in tries) for name in tries[0]}


def _measure(kind: str, case: Case) -> dict[str, float]:
    command = [sys.executable, __file__, "--measure", kind, json.dumps(asdict(case))]
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, **LARGE_PAGES},
        preexec_fn=lambda: _hold(case.cores),
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _hold(cores: int) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])


def load(case: Case) -> tuple[list[DomainSplit], ModelSpec]:
    """The domains of a case, split, and the model for them."""
    single = case.method == "single"
    request = Request(
        setting="single" if single else "multidomain",
        corpora=case.corpora,
        features=case.features,
        config=load_config(case.preset),
        method="" if single else case.method,
        repeats=1,
    )
    experiment = resolve(request, Cache(Path(case.cache)))
    encoded = encode(load_domains(Cache(Path(case.cache)), [experiment]), [experiment])
    parts = [
        DomainSplit(encoded[c], encoded[c].rows(s.train), encoded[c].rows(s.validation))
        for c, s in experiment.jobs[0].splits.items()
    ]
    spec = experiment.jobs[0].spec
    assert spec is not None
    return parts, spec


def batches_of(training: Training, steps: int) -> Iterator[tuple[int, torch.Tensor]]:
    """The batches of as many epochs as it takes."""
    while True:
        for each in mixed_batches(training.splits, training.lengths, 32, training.order):
            yield each
            steps -= 1
            if steps == 0:
                return


def side_by_side(case: Case, work: Callable[..., None]) -> dict[str, float]:
    """One run per core at once, a thread each, over the same features; their rates added."""
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(case.cores), context.Queue()
    with Memory() as memory:
        parts, spec = load(case)
        shared = [DomainSplit(each.domain.share(), each.train, each.validation) for each in parts]
        processes = [
            context.Process(target=work, args=(case, shared, spec, barrier, results))
            for _ in range(case.cores)
        ]
        for process in processes:
            process.start()
        rates = [results.get() for _ in processes]
        for process in processes:
            process.join()
    size = sum(each.domain.bytes for each in parts) / 1e6
    return {"steps_per_s": sum(rates), "memory_mb": memory.peak, "features_mb": size}


def _ours(
    case: Case, parts: list[DomainSplit], spec: ModelSpec, barrier: Any, results: Any
) -> None:
    """Training as `fit` does it: gathering, augmentation, both passes, the optimiser."""
    torch.set_num_threads(1)
    training = Training(parts, spec, load_config(case.preset), 0)
    training.model.train()
    for number, rows in batches_of(training, WARM_UP):
        training.step(number, rows)
    barrier.wait()
    started = time.perf_counter()
    for number, rows in batches_of(training, case.steps):
        training.step(number, rows)
    results.put(case.steps / (time.perf_counter() - started))


def _bare(
    case: Case, parts: list[DomainSplit], spec: ModelSpec, barrier: Any, results: Any
) -> None:
    """Forward and backward pass alone, over batches that are padded and standardised."""
    torch.set_num_threads(1)
    config = load_config(case.preset, ["augment.noise=0"])
    training = Training(parts, spec, config, 0)
    model = training.model.train()
    ready = []
    for number, rows in batches_of(training, min(case.steps, 60)):
        domain = parts[number].domain
        ready.append((domain, model.standardised(domain.batch(rows), domain.corpus), rows, number))
    model.standardised = lambda batch, corpus: batch  # type: ignore[method-assign]

    def passes(chosen: Sequence[Any]) -> None:
        for domain, batch, rows, number in chosen:
            training.splits[number] = DomainSplit(ReadyDomain(domain, batch), rows, rows)  # type: ignore[arg-type]
            loss = training.loss(number, rows)
            model.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]

    passes(ready[:WARM_UP])
    barrier.wait()
    started = time.perf_counter()
    passes(ready)
    results.put(len(ready) / (time.perf_counter() - started))


class ReadyDomain:
    """A domain whose next batch is there already."""

    def __init__(self, domain: Domain, batch: Any) -> None:
        self.corpus, self.language, self._batch = domain.corpus, domain.language, batch

    def batch(self, rows: torch.Tensor) -> Any:
        return self._batch


def usual(case: Case) -> dict[str, float]:
    """A file per utterance, DataLoader with workers, pad_sequence, PackedSequence; all cores."""
    parts, spec = load(case)
    torch.set_num_threads(case.cores)
    with tempfile.TemporaryDirectory() as folder:
        datasets = [write_utterances(part, Path(folder) / part.domain.corpus) for part in parts]
        size = sum(each.domain.bytes for each in parts) / 1e6
        del parts
        with Memory() as memory:
            loop = UsualLoop(spec, datasets, workers=case.cores)
            loop.run(WARM_UP)
            started = time.perf_counter()
            loop.run(case.steps)
            seconds = time.perf_counter() - started
            loop.close()
    return {"steps_per_s": case.steps / seconds, "memory_mb": memory.peak, "features_mb": size}


MEASUREMENTS: Mapping[str, Callable[[Case], dict[str, float]]] = {
    "ours": lambda case: side_by_side(case, _ours),
    "bare": lambda case: side_by_side(case, _bare),
    "usual": usual,
}


class Memory:
    """Peak of what this process and its children hold, shared pages counted once (Linux)."""

    def __enter__(self) -> Memory:
        self.peak = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.2):
            self.peak = max(self.peak, proportional_mb())


def proportional_mb() -> float:
    """PSS of this process and all below it, in MB; 0 where the system does not tell."""
    total, waiting = 0.0, [os.getpid()]
    while waiting:
        process = Path(f"/proc/{waiting.pop()}")
        try:
            for line in (process / "smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) / 1e3
            for task in (process / "task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return total


def _markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    head = ["case", "(a) ours", "(b) bare", "(c) usual loop", "a / b", "a / c"]
    head += ["features, MB", "ours, MB", "usual, MB"]
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    for row in rows:
        ours, bare, slow = (row[kind]["steps_per_s"] for kind in MEASUREMENTS)
        lines.append(
            [
                row["case"],
                *(f"{rate:.1f}" if rate < 100 else f"{rate:.0f}" for rate in (ours, bare, slow)),
                f"{ours / bare:.2f}",
                f"{ours / slow:.1f}",
                f"{row['ours']['features_mb']:.0f}",
                f"{row['ours']['memory_mb']:.0f}",
                f"{row['usual']['memory_mb']:.0f}",
            ]
        )
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


if __name__ == "__main__":
    main()
