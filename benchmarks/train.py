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
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from ser.benchmarks.usual import UsualLoop, write_utterances
from ser.cache import Cache
from ser.train.config import load_config
from ser.train.data import Domain, Packed
from ser.train.experiment import encode, load_domains, resolve
from ser.train.loop import Part, Training, mixed_batches, training_loss
from ser.train.request import Request
from ser.train.spec import ModelSpec

WARM_UP = 3

SYNTHETIC = {
    "iemocap": ("en", 4, 5531, 4.55),
    "emodb": ("de", 7, 535, 2.78),
    "cafe": ("fr", 7, 504, 4.4),
}
"""Language, emotions, utterances and mean duration in seconds of the paper's corpora."""

FEATURES = {
    "mfcc": (24, 31.25),
    "allosaurus": (230, 33.3),
    "wav2vec": (512, 100.0),
    "ge2e": (256, 0),
    "byol": (2048, 0),
}
"""Size and frames a second of the paper's features; 0 for a vector."""


@dataclass(frozen=True)
class Case:
    """What is measured: real corpora of a cache, or a synthetic set of so large a share."""

    cache: str
    corpora: tuple[str, ...]
    features: tuple[str, ...]
    preset: str
    method: str
    steps: int
    cores: int
    synthetic: float = 0.0

    @property
    def name(self) -> str:
        data = (
            f"synthetic, {self.synthetic:g} of full size"
            if self.synthetic
            else ", ".join(self.corpora)
        )
        return f"{self.method}, {self.preset}; {data}; {', '.join(self.features)}"


@click.command()
@click.option("--cache", "folder", default="", help="A cache with the corpora and features.")
@click.option("--corpus", default="emodb,ravdess,emovo", show_default=True)
@click.option("--features", default="mfcc,ge2e", show_default=True)
@click.option("--presets", default="paper,strong", show_default=True)
@click.option("--steps", default=60, show_default=True, help="Measured of each.")
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
    cases = []
    for preset in presets.split(","):
        if folder:
            corpora, names = tuple(corpus.split(",")), tuple(features.split(","))
            cases.append(Case(folder, corpora[:1], names, preset, "single", steps, cores))
            cases.append(Case(folder, corpora, names, preset, "ours", steps, cores))
        if synthetic:
            cases.append(
                Case("", tuple(SYNTHETIC), tuple(FEATURES), preset, "ours", steps, cores, synthetic)
            )
    rows = []
    for case in cases:
        click.echo(f"{case.name} ...", err=True)
        rows.append({"case": case.name, **{kind: _measure(kind, case) for kind in MEASUREMENTS}})
    click.echo(json.dumps(rows, indent=2) if as_json else _markdown(rows))


def _measure(kind: str, case: Case) -> dict[str, float]:
    command = [sys.executable, __file__, "--measure", kind, json.dumps(asdict(case))]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, preexec_fn=lambda: _hold(case.cores)
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _hold(cores: int) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])


def load(case: Case) -> tuple[list[Part], ModelSpec]:
    """The domains of a case, split, and the model for them."""
    if case.synthetic:
        domains = {name: synthetic_domain(name, case.synthetic) for name in case.corpora}
        config = load_config(case.preset)
        if config.model.encoder != "attention":
            from ser.train.functionals import as_encoded

            domains = {
                name: as_encoded(each, config.model.encoder) for name, each in domains.items()
            }
        parts = [
            Part(each, torch.arange(len(each.ids))[: int(0.64 * len(each.ids))], torch.arange(8))
            for each in domains.values()
        ]
        return parts, ModelSpec.of(case.method, case.features, list(domains.values()), config)
    single = case.method == "single"
    request = Request(
        setting="single" if single else "multidomain",
        corpora=case.corpora,
        features=case.features,
        config=load_config(case.preset),
        method="" if single else case.method,
        repeats=1,
    )
    cache = Cache(Path(case.cache))
    experiment = resolve(request, cache)
    encoded = encode(load_domains(cache, [experiment]), [experiment])
    parts = [
        Part(encoded[c], encoded[c].rows(s.train), encoded[c].rows(s.validation))
        for c, s in experiment.jobs()[0].splits.items()
    ]
    return parts, experiment.spec(encoded)


def synthetic_domain(corpus: str, share: float) -> Domain:
    """Random features of the paper's sizes, float16, for a share of a corpus' utterances."""
    language, labels, utterances, seconds = SYNTHETIC[corpus]
    count = max(64, int(share * utterances))
    random = np.random.default_rng(0)
    durations = seconds * random.lognormal(-0.125, 0.5, count)
    features = {}
    for name, (dim, rate) in FEATURES.items():
        frames = np.maximum(1, (durations * rate).astype(np.int64)) if rate else np.ones(count, int)
        offsets = torch.from_numpy(np.concatenate([[0], np.cumsum(frames)]))
        values = torch.empty(int(offsets[-1]), dim, dtype=torch.float16)
        for start in range(0, len(values), 1 << 16):
            values[start : start + (1 << 16)].normal_()
        features[name] = Packed(values, offsets, rate > 0, name)
    return Domain(
        corpus=corpus,
        language=language,
        labels=tuple(f"emotion{n}" for n in range(labels)),
        ids=tuple(map(str, range(count))),
        speakers=("",) * count,
        targets=torch.arange(count) % labels,
        features=features,
    )


def batches_of(training: Training, steps: int) -> Iterator[tuple[int, torch.Tensor]]:
    """The batches of as many epochs as it takes."""
    while True:
        for each in mixed_batches(training.parts, training.lengths, 32, training.order):
            yield each
            steps -= 1
            if steps == 0:
                return


def side_by_side(case: Case, work: Callable[..., None]) -> dict[str, float]:
    """One run per core at once, a thread each, over the same features; their rates added."""
    parts, spec = load(case)
    shared = [Part(each.domain.share(), each.train, each.validation) for each in parts]
    context = multiprocessing.get_context("spawn")
    barrier, results = context.Barrier(case.cores), context.Queue()
    processes = [
        context.Process(target=work, args=(case, shared, spec, barrier, results))
        for _ in range(case.cores)
    ]
    with Memory() as memory:
        for process in processes:
            process.start()
        rates = [results.get() for _ in processes]
        for process in processes:
            process.join()
    size = sum(each.domain.bytes for each in parts) / 1e6
    return {"steps_per_s": sum(rates), "memory_mb": memory.peak, "features_mb": size}


def _ours(case: Case, parts: list[Part], spec: ModelSpec, barrier: Any, results: Any) -> None:
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


def _bare(case: Case, parts: list[Part], spec: ModelSpec, barrier: Any, results: Any) -> None:
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
            there = ReadyDomain(domain, batch)
            loss = training_loss(model, there, rows, training.targets[number][rows], config)  # type: ignore[arg-type]
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
