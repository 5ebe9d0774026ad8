"""From a corpus to its features in the cache: `extract_corpus`, all that `ser extract` does."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace as changed
from pathlib import Path

from ..cache import Cache, Terms, read_terms, save_terms, store_manifest, with_known_ids
from ..errors import listing
from ..manifests import BadFileLimit, Corpus, Manifest
from ..portion import ALL, Portion
from ..progress import Progress
from ..workers import Workers
from .backbones.backbone import Backbone
from .backbones.registry import make_backbones
from .found import find_corpus
from .joined import joint_cache
from .pipeline import ExtractReport, extract


def extract_corpus(
    corpus: str | Corpus | Manifest,
    root: Path | str | None = None,
    features: str | Backbone | Iterable[str | Backbone] = ("mfcc", "ge2e"),
    cache: Cache | Path | str | None = None,
    *,
    csv: Path | str | None = None,
    language: str | None = None,
    options: Mapping[str, str] | None = None,
    manifest: Manifest | Path | str | None = None,
    replace: bool = False,
    terms: Terms | None = None,
    device: str = "auto",
    workers: int | None = None,
    fail_over: float | None = None,
    portion: Portion = ALL,
    crew: Workers | None = None,
    remote: str | None = None,
    progress: Progress | None = None,
) -> ExtractReport:
    """Find the utterances of a corpus, and compute what the cache lacks of their features.

    The manifest goes into the cache first, so that training finds the features by the name of the
    corpus. What is there is not computed again; what an interrupted run had finished is kept; what
    another run computes at the same time, on whatever machine, is waited for at the end.

    >>> extract_corpus("emodb", "/data/emodb", ["mfcc", Mine(gain=2.0)])  # doctest: +SKIP

    Args:
        corpus: a known one, a name of one's own with `csv` or `manifest`, a manifest, or a corpus
            of one's own, such as `corpus_from` makes of what others made.
        root: its folder; None: what `SER_<CORPUS>_ROOT` names, or that of the CSV or the like. With
            `manifest` also the URL of one elsewhere, whose files are fetched one by one.
        features: specs, such as "mfcc:hop_length=160", and backbones of one's own: instances of
            subclasses of `Backbone`, which a notebook may define.
        cache: or its folder; None: the user's.
        csv: for a corpus of one's own; see `build_manifest`.
        language: of a corpus of one's own, such as "pt".
        options: of the corpus, such as {"intensity": "all"}.
        manifest: to use instead of looking for the files; its labels replace those in the cache.
        replace: whether a manifest that was found replaces one in the cache that is another.
        terms: under which the corpus is, kept in the cache and told whoever it is shared with; of a
            corpus that is known by name, or was read from files that say so, they are known.
        device, workers: as for `extract`.
        fail_over: the share of the files that may be bad, 0 to 1; None: any. It ends in any case
            where all of the first hundred are.
        portion: of the utterances, by their ids, to compute; the manifest is whole.
        crew: workers that do it, as for `extract`.
        remote: URL of a place that these workers bring the features to, in place of the cache; what
            is there is not computed again.
        progress: where it is shown; None is one of its own.

    Raises:
        InputError: an unknown corpus, feature, option or device, no such folder, a manifest that
            does not go with that in the cache, or more bad files than `fail_over` allows.
        MissingPackageError, MissingWeightsError: a feature needs what is not installed.
        SerError: the cache cannot be written, or worker processes do not come to work.
    """
    progress = progress or Progress()
    limit = BadFileLimit(fail_over)
    cache = Cache.of(cache)
    joint = None if remote is None else joint_cache(cache, remote, crew)
    cache = joint or cache
    # What is wrong with one, missing weights included, comes out before any audio is read.
    backbones = make_backbones(features, device)
    with progress:
        found = find_corpus(
            *(corpus, root, progress),
            csv=csv,
            language=language,
            options=options,
            manifest=manifest,
            limit=limit,
        )
        name, build = found.name, found.build
        notes = [f"warning: {warning}" for warning in build.warnings]
        utterances = with_known_ids(cache, build.manifest)
        if told := store_manifest(cache, utterances, replace or found.given):
            notes.append(f"note: {told}")
            progress.say(notes[-1])
        if terms is None and build.licence and read_terms(cache.folders, name) is None:
            terms = Terms(build.licence)
        if terms is not None:
            save_terms(cache.folder, name, terms)
        bad = [file for file in build.bad if portion.has(file.id)]
        asked = sum(map(portion.has, utterances.ids))
        progress.started = time.monotonic()  # of what the rates below are about

        def show(done: int, total: int, seconds: float) -> None:
            cached = f"{asked - total} of {asked} were cached"
            if not done:
                starting = f"{name}: {total} utterances to do, starting {', '.join(backbones)}"
                progress.show(starting, details=[cached])
                return
            files, hours = done / progress.seconds, seconds / progress.seconds
            rates = f"{files:.1f} files a second, {hours:.0f} hours of audio an hour"
            progress.show(f"{name}: {done} of {total} utterances", done, total, [rates, cached])

        def wait(left: int, hosts: Sequence[str]) -> None:
            progress.show(f"{name}: waiting for {left} utterances, computed on {listing(hosts)}")

        keys = [backbone.key() for backbone in backbones.values()]
        with joint.sharing(name, keys) if joint else nullcontext():
            report = extract(
                *(utterances, found.folder, backbones.values(), cache),
                device=device,
                workers=workers,
                progress=show,
                waiting=wait,
                limit=limit.after(bad),
                portion=portion,
                crew=crew,
            )
        for note in report.notes:
            progress.say(note)
    return changed(report, bad=[*bad, *report.bad], notes=[*notes, *report.notes])
