"""From audio files to the cache: `extract`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

import numpy as np

from ..cache import Cache, FeatureKey, ShardWriter
from ..errors import InputError
from ..machine import cores
from ..manifests import ANY_MAY_BE_BAD, BadFile, BadFileLimit, Manifest
from ..portion import ALL, Portion
from .backbones.backbone import Backbone
from .backbones.registry import make_backbones
from .claims import Claims
from .faults import Fault, fault_of_file
from .prepare import Prepared, Task
from .share import Share, Waiting
from .work import work

Progress = Callable[[int, int, float], None]

_UNCLAIMED = (
    "note: no claims can be made in {}. Should another process extract the same at the same time, "
    "both compute all of it"
)
_WORTH_A_WORKER = 16
"""Utterances for which it pays to start a process, which takes seconds."""


@dataclass(frozen=True)
class ExtractReport:
    """What a run of the extraction did. What is by feature is by canonical spec.

    Attributes:
        manifest: of the corpus.
        ids: the utterances that were asked for, in the order of the manifest.
        root: the folder of their audio.
        computed: utterances that were computed and written, by feature.
        present: utterances that were in the cache before, or that another process has put there
            meanwhile, by feature.
        bad: utterances that lack a feature now, in the order of the manifest. The reason begins
            with the feature, unless the file is of no use to any. `extract_corpus` puts files
            first that are of no use and so not in the manifest.
        audio_seconds: duration of the utterances that were processed.
        notes: what the user should know besides.
    """

    manifest: Manifest
    ids: Sequence[str]
    root: Path
    keys: dict[str, FeatureKey]
    computed: dict[str, int]
    present: dict[str, int]
    bad: list[BadFile]
    seconds: float
    audio_seconds: float
    notes: list[str] = field(default_factory=list)


def extract(
    manifest: Manifest,
    root: Path | str,
    features: str | Backbone | Iterable[str | Backbone],
    cache: Cache,
    *,
    device: str = "auto",
    workers: int | None = None,
    progress: Progress | None = None,
    waiting: Waiting | None = None,
    limit: BadFileLimit = ANY_MAY_BE_BAD,
    portion: Portion = ALL,
) -> ExtractReport:
    """Compute what the cache lacks of some features of a corpus, and write it there.

    Every utterance is decoded once for all features. However the run ends, what was finished is
    in the cache, and the next run computes the rest. Memory does not grow with the corpus. On a CPU
    the bits of a feature do not depend on workers, cores, the order of the work, or what else is
    missing.

    What fails over one utterance, whatever it is, ends nothing: an utterance that takes too much
    memory, or at which a worker process ends, is tried once more, alone, when all others are
    published, and is listed as bad where it fails again.

    Several processes that do this at once, on one machine or on several that share the cache,
    share the work: each computes what the others do not, and at the end waits for what they have
    begun, or does it where they have ended.

    Args:
        root: the folder that the manifest's paths begin from.
        features: specs, such as "mfcc" or "mfcc:hop_length=160", and backbones of one's own.
        device: for the models, as torch names it; "auto" is a GPU where there is one.
        workers: processes that decode and run the front ends; 0 does it in this process; None
            takes a process per core, or fewer where there is little to do.
        progress: called with utterances done, utterances to do, and seconds of audio done.
        waiting: called every few seconds with the number of utterances that only others are at
            work on, and the names of their hosts.
        limit: to the files that may be bad.
        portion: of the utterances, by their ids; the others are nothing to this process.

    Raises:
        InputError: an unknown feature, parameter or device, a backbone of one's own that cannot be
            used, no such folder, or more bad files than `limit` allows.
        MissingPackageError: a package that a feature needs is not installed.
        SerError: the cache cannot be written, or worker processes do not come to work.
    """
    started = time.perf_counter()
    root = Path(root)
    if workers is not None and workers < 0:
        raise InputError(f"workers must be 0 or more, got {workers}")
    backbones = make_backbones(features, device)
    keys = {spec: backbone.key() for spec, backbone in backbones.items()}
    claims = Claims()
    share = Share(manifest, cache, keys, claims, portion)
    results = _Results(backbones, share, progress, limit)
    if share.left:
        if not root.is_dir():
            raise InputError(f"{root}: no such folder; expected the root of {manifest.corpus}")
        with ExitStack() as stack:
            # Entered first, left last: what was finished is published whatever happens below, and
            # only then does another process hear that it may compute what was not.
            stack.enter_context(claims)
            for spec, ids in share.missing.items():
                if ids:
                    terms = {"licence": backbones[spec].terms()}
                    writer = cache.write(keys[spec], manifest, provenance=terms)
                    results.writers[spec] = stack.enter_context(writer)
            lacking = {spec: backbones[spec] for spec in results.writers}
            while True:
                processes = workers_for(share.left) if workers is None else workers
                _run(share.tasks(), root, lacking, results, min(processes, share.left))
                if second := results.second_chances():
                    _run(iter(second), root, lacking, results, min(processes, 1), alone=True)
                results.publish()
                if not share.wait(waiting):
                    break
    return ExtractReport(
        manifest=manifest,
        ids=share.ids,
        root=root,
        keys=keys,
        computed=results.computed,
        present={spec: len(share.ids) - share.given[spec] for spec in backbones},
        bad=[bad for id in share.ids for bad in results.bad.get(id, [])],
        seconds=time.perf_counter() - started,
        audio_seconds=results.audio_seconds,
        notes=[_UNCLAIMED.format(claims.problem)] if claims.problem else [],
    )


def workers_for(utterances: int) -> int:
    """Processes that pay for so many utterances: one per core, or fewer."""
    return min(cores(), utterances // _WORTH_A_WORKER)


def _run(
    tasks: Iterator[Task],
    root: Path,
    backbones: Mapping[str, Backbone],
    results: _Results,
    workers: int,
    alone: bool = False,
) -> None:
    """Do all of it, and show how far it is."""
    results.last_chance = alone
    results.show()
    if (first := next(tasks, None)) is None:
        return  # before processes are started and models loaded for nothing
    with closing(work(chain([first], tasks), root, backbones, results, workers, alone)) as steps:
        for _ in steps:
            results.show()
            results.check()


class _Results:
    """What has come out so far."""

    def __init__(
        self,
        specs: Iterable[str],
        share: Share,
        progress: Progress | None,
        limit: BadFileLimit,
    ) -> None:
        self.last_chance = False
        """Whether what fails now is not tried once more."""
        self.writers: dict[str, ShardWriter] = {}
        self.computed = dict.fromkeys(specs, 0)
        self.audio_seconds = 0.0
        self.bad: dict[str, list[BadFile]] = {}
        """By utterance."""
        self._share = share
        self._progress = progress
        self._limit = limit
        self._first_bad: list[BadFile] = []
        """Of every utterance one."""
        self._stored: dict[str, list[str]] = {spec: [] for spec in self.computed}
        """What is not published yet, by spec."""
        self._put_off: dict[Task, list[str]] = {}
        self._decoded: set[str] = set()
        self._done = 0

    def show(self) -> None:
        """Show how far it is."""
        if self._progress:
            self._progress(self._done - len(self._put_off), self._share.total, self.audio_seconds)

    def check(self) -> None:
        """Raise InputError where too many files are bad."""
        done = self._share.present + self._done - len(self._put_off)
        self._limit.check(self._share.corpus, self._first_bad, done, len(self._share.ids))

    def second_chances(self) -> list[Task]:
        """What is to be tried once more, for the last time: all that was finished is published."""
        put_off = [replace(task, specs=tuple(specs)) for task, specs in self._put_off.items()]
        if put_off:
            self.publish()
        self._done -= len(put_off)
        self._put_off = {}
        return put_off

    def publish(self) -> None:
        """Publish all that was stored."""
        for spec, writer in self.writers.items():
            writer.publish()
            self._settle(spec)

    def note(self, prepared: Prepared) -> None:
        """Remember what was wrong with an utterance, and count it."""
        task = prepared.task
        self._done += 1
        if prepared.bad_file:
            self._lacks(task, task.specs, *prepared.bad_file)
        elif task.id not in self._decoded:
            self._decoded.add(task.id)
            self.audio_seconds += task.seconds
        for spec, fault in prepared.bad.items():
            self.refuse(spec, task, fault)

    def store(self, spec: str, task: Task, feature: object) -> None:
        """Write a feature; one that cannot be stored makes a bad file."""
        try:
            rows = np.asarray(feature)
        except Exception as error:
            self.refuse(spec, task, Fault(fault_of_file(error)))
            return
        try:
            self.writers[spec].add(task.id, rows)
        except InputError as error:
            self.refuse(spec, task, Fault(str(error)))
        else:
            self.computed[spec] += 1
            self._stored[spec].append(task.id)
            if not self.writers[spec].pending:  # a shard was due
                self._settle(spec)

    def refuse(self, spec: str, task: Task, fault: Fault) -> None:
        """Hear why there is no feature."""
        self._lacks(task, [spec], f"{spec}: {fault.reason}", fault.again)

    def _lacks(self, task: Task, specs: Iterable[str], reason: str, again: bool) -> None:
        if again and not self.last_chance:
            self._put_off.setdefault(task, []).extend(specs)
        else:
            bad, known = BadFile(task.id, task.path, reason), self.bad.setdefault(task.id, [])
            if not known:
                self._first_bad.append(bad)
            if bad not in known:  # as where its features came to this process one after the other
                known.append(bad)
            for spec in specs:
                self._share.settle(spec, [task.id])

    def _settle(self, spec: str) -> None:
        self._share.settle(spec, self._stored[spec])
        self._stored[spec] = []
