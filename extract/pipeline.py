"""From audio files to the cache: `extract`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from ..cache import Cache, ShardWriter
from ..cores import cores
from ..errors import InputError
from ..manifests import BadFile, Manifest
from .backbone import Array, Backbone
from .batches import Batcher
from .prepare import Prepared, Task
from .registry import make_backbones
from .report import ExtractReport
from .workers import environment, preparing

Progress = Callable[[int, int, float], None]

_WORTH_A_WORKER = 16
"""Utterances for which it pays to start a process, which takes seconds."""

_WAITING = "OMP_WAIT_POLICY"
"""How a model's threads wait for each other, read when torch is imported. Spinning, as they would,
they keep the cores from the workers and from whoever else uses the machine."""


def extract(
    manifest: Manifest,
    root: Path | str,
    features: Sequence[str],
    cache: Cache,
    *,
    device: str = "auto",
    workers: int | None = None,
    progress: Progress | None = None,
) -> ExtractReport:
    """Compute what the cache lacks of some features of a corpus, and write it there.

    Every utterance is decoded once for all features. However the run ends, what was finished is
    in the cache, and the next run computes the rest. Memory does not grow with the corpus.

    Args:
        manifest: which utterances.
        root: the folder that the manifest's paths begin from.
        features: specs, such as "mfcc" or "mfcc:hop_length=160".
        cache: where the features are and go.
        device: for the models, as torch names it; "auto" is a GPU where there is one.
        workers: processes that decode and run the front ends; 0 does it in this process; None
            takes a process per core, or fewer where there is little to do.
        progress: called with utterances done, utterances to do, and seconds of audio done.

    Returns:
        What was done, and which files could not be used.

    Raises:
        InputError: an unknown feature, parameter or device, or no such folder.
        MissingPackageError: a package that a feature needs is not installed.
        SerError: the cache cannot be written, or a worker process ended unexpectedly.
    """
    started = time.perf_counter()
    root = Path(root)
    if workers is not None and workers < 0:
        raise InputError(f"workers must be 0 or more, got {workers}")
    backbones = make_backbones(features, device)
    keys = {spec: backbone.key() for spec, backbone in backbones.items()}
    missing = {spec: cache.missing(key, manifest) for spec, key in keys.items()}
    tasks = _tasks(manifest, missing)
    results = _Results(manifest, backbones)
    if tasks:
        if not root.is_dir():
            raise InputError(f"{root}: no such folder; expected the root of {manifest.corpus}")
        if workers is None:
            workers = min(cores(), len(tasks) // _WORTH_A_WORKER)
        with ExitStack() as stack:
            # Entered first, left last: what was finished is published whatever happens below.
            for spec in missing:
                if missing[spec]:
                    terms = {"licence": backbones[spec].terms()}
                    writer = cache.write(keys[spec], manifest, provenance=terms)
                    results.writers[spec] = stack.enter_context(writer)
            lacking = [backbones[spec] for spec in results.writers]
            _run(tasks, root, lacking, results, min(workers, len(tasks)), progress)
    return ExtractReport(
        computed=results.computed,
        present={spec: len(manifest) - len(missing[spec]) for spec in backbones},
        bad=results.bad(),
        seconds=time.perf_counter() - started,
        audio_seconds=results.audio_seconds,
    )


def _tasks(manifest: Manifest, missing: Mapping[str, Sequence[str]]) -> list[Task]:
    """What is to be done, in the order of the manifest."""
    specs: dict[str, list[str]] = {}
    for spec, utterances in missing.items():
        for utterance in utterances:
            specs.setdefault(utterance, []).append(spec)
    table = manifest.table
    rows = zip(table["id"], table["path"], table["audio_hash"], strict=True)
    return [Task(id, path, sha, tuple(specs[id])) for id, path, sha in rows if id in specs]


def _run(
    tasks: Sequence[Task],
    root: Path,
    backbones: Sequence[Backbone],
    results: _Results,
    workers: int,
    progress: Progress | None,
) -> None:
    """Prepare the utterances, run the models over them, and hand over what comes out."""
    report = progress or (lambda done, total, seconds: None)
    specs = [backbone.spec for backbone in backbones]
    with (
        _model_thread() as executor,
        preparing(tasks, root, specs, workers) as stream,
    ):
        report(0, len(tasks), 0.0)
        with environment({_WAITING: os.environ.get(_WAITING, "passive")}):
            for backbone in backbones:  # while the workers start
                backbone.load()
        batchers = {
            backbone.spec: Batcher(backbone, partial(results.store, backbone.spec), executor)
            for backbone in backbones
        }
        for done, prepared in enumerate(stream, start=1):
            results.note(prepared)
            for spec, array in prepared.arrays.items():
                batchers[spec].add(prepared.task.id, array)
            report(done, len(tasks), results.audio_seconds)
        for batcher in batchers.values():
            batcher.finish()


@contextmanager
def _model_thread() -> Iterator[Executor]:
    """A thread for the models; when something fails, batches that wait for it are dropped."""
    executor = ThreadPoolExecutor(max_workers=1)
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)


class _Results:
    """What has come out so far."""

    def __init__(self, manifest: Manifest, specs: Iterable[str]) -> None:
        table = manifest.table
        self.writers: dict[str, ShardWriter] = {}
        self.computed = dict.fromkeys(specs, 0)
        self.audio_seconds = 0.0
        self._paths: dict[str, str] = dict(zip(table["id"], table["path"], strict=True))
        self._durations: dict[str, float] = dict(zip(table["id"], table["duration"], strict=True))
        self._bad: dict[str, list[BadFile]] = {}

    def note(self, prepared: Prepared) -> None:
        """Remember what was wrong with an utterance, and count it."""
        utterance = prepared.task.id
        if prepared.bad_file is not None:
            self._add_bad(utterance, prepared.bad_file)
            return
        self.audio_seconds += self._durations[utterance]
        for spec, reason in prepared.bad.items():
            self._add_bad(utterance, f"{spec}: {reason}")

    def store(self, spec: str, utterance: str, feature: Array) -> None:
        """Write a feature; one that cannot be stored makes a bad file."""
        try:
            self.writers[spec].add(utterance, feature)
        except InputError as error:
            self._add_bad(utterance, f"{spec}: {error}")
        else:
            self.computed[spec] += 1

    def bad(self) -> list[BadFile]:
        """In the order of the manifest."""
        return [bad for utterance in self._paths for bad in self._bad.get(utterance, [])]

    def _add_bad(self, utterance: str, reason: str) -> None:
        found = BadFile(utterance, self._paths[utterance], reason)
        self._bad.setdefault(utterance, []).append(found)
