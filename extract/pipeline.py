"""From audio files to the cache: `extract`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from ..cache import Cache, FeatureKey
from ..errors import InputError
from ..files import folder_or_url
from ..machine import cores
from ..manifests import ANY_MAY_BE_BAD, BadFile, BadFileLimit, Manifest
from ..portion import ALL, Portion
from ..workers import Workers
from .backbones.backbone import Backbone
from .backbones.registry import make_backbones
from .claims import Claims
from .distant import Root
from .results import Results
from .share import Share, Waiting

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
        root: the folder of their audio, or its URL.
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
    root: Root
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
    crew: Workers | None = None,
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
        root: the folder that the manifest's paths begin from, or its URL.
        features: specs, such as "mfcc" or "mfcc:hop_length=160", and backbones of one's own.
        device: for the models, as torch names it; "auto" is a GPU where there is one.
        workers: processes that decode and run the front ends; 0 does it in this process; None
            takes a process per core, or fewer where there is little to do.
        progress: called with utterances done, utterances to do, and seconds of audio done.
        waiting: called every few seconds with the number of utterances that only others are at
            work on, and the names of their hosts.
        limit: to the files that may be bad.
        portion: of the utterances, by their ids; the others are nothing to this process.
        crew: workers that do all of it where they are, and see `root` and the cache; None: this
            process and `workers`.

    Raises:
        InputError: an unknown feature, parameter or device, a backbone of one's own that cannot be
            used, no such folder, or more bad files than `limit` allows.
        MissingPackageError: a package that a feature needs is not installed.
        SerError: the cache cannot be written, or worker processes do not come to work.
    """
    started = time.perf_counter()
    root = folder_or_url(root)
    if workers is not None and workers < 0:
        raise InputError(f"workers must be 0 or more, got {workers}")
    backbones = make_backbones(features, device)
    keys = {spec: backbone.key() for spec, backbone in backbones.items()}
    claims = Claims()
    share = Share(manifest, cache, keys, claims, portion)
    results = Results(backbones, share.settle)

    def step() -> None:
        if progress:
            progress(results.done, share.total, results.audio_seconds)
        done = share.present + results.done
        limit.check(manifest.corpus, results.first_bad, done, len(share.ids))

    if share.left:
        if isinstance(root, Path) and not root.is_dir():
            raise InputError(f"{root}: no such folder; expected the root of {manifest.corpus}")
        with ExitStack() as stack:
            # Entered first, left last: what was finished is published whatever happens below, and
            # only then does another process hear that it may compute what was not.
            stack.enter_context(claims)
            asked = {spec: backbones[spec] for spec, ids in share.missing.items() if ids}
            for spec in asked if crew is None else ():
                terms = {"licence": backbones[spec].terms()}
                writer = cache.write(keys[spec], manifest, provenance=terms)
                results.writers[spec] = stack.enter_context(writer)
            while True:
                if crew is None:
                    processes = workers_for(share.left) if workers is None else workers
                    processes = min(processes, share.left)
                    results.compute(share.tasks(), root, asked, processes, step)
                else:
                    from .pieces import extract_pieces  # late: it brings what places need

                    extract_pieces(
                        *(share.tasks(), share.seconds, manifest, root, asked),
                        *(cache, results, crew, step),
                    )
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
