"""From a folder of audio to a manifest: scan, decode every file once, compare with a whole copy."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import AudioError, InputError, SerError, did_you_mean, listing
from ..files import make_folder
from ..progress import Progress
from .audio import blamed_on_the_file, read_audio
from .corpora import CORPORA, Corpus, Entry, Scan
from .csv_corpus import scan_csv
from .findings import (
    confounded_speakers,
    parts_of_files,
    same_audio,
    two_genders,
    wrong_counts,
    wrong_size,
)
from .fingerprint import FINGERPRINT, fingerprint
from .limit import BadFileLimit
from .manifest import COLUMNS, Manifest
from .memory import BadFile, Probe, ProbeCache, stamp
from .names import check_corpus_name, language_tag, problem_with_language
from .paths import audio_path, content, restored_path
from .roots import corpus_root
from .videos import problem_with_videos


@dataclass(frozen=True)
class Build:
    """A manifest, the files that are not in it, and what the user should know.

    Attributes:
        root: that the paths of all of them begin from.
        licence: that what was read names.
    """

    manifest: Manifest
    bad: list[BadFile]
    warnings: list[str]
    root: Path
    licence: str = ""


def build_manifest(
    corpus: str | Corpus,
    root: Path | str | None,
    *,
    csv: Path | None = None,
    language: str | None = None,
    options: Mapping[str, str] | None = None,
    workers: int | None = None,
    known: ProbeCache | None = None,
    progress: Callable[[int, int], None] | None = None,
    limit: BadFileLimit | None = None,
) -> Build:
    """Build the manifest of a corpus that has a scanner, or of one's own from a CSV.

    Args:
        corpus: a name of `CORPORA`, a corpus of one's own, or with `csv` any other name.
        root: the folder that the paths are relative to; None: what `SER_<CORPUS>_ROOT` names, or
            the folder of the CSV, or of what the corpus is read from.
        csv: the CSV of a corpus of one's own; see `scan_csv`.
        language: its language, such as `pt`, unless the CSV has a column for it.
        options: the corpus's options; for a CSV, `emotions`.
        workers: threads that decode; None: one per processor.
        known: probes of earlier builds, read and written.
        progress: called with the files done and the files in all, from this thread.
        limit: to the files that may be bad; None: all but one.

    Raises:
        InputError: unknown corpus or option, wrong root, not one usable file, or more bad ones than
            `limit` allows.
    """
    language = language_tag(language) if language else None
    if language and (problem := problem_with_language(language)):
        raise InputError(problem)
    source = _source(corpus, csv, language)
    if source.unpacks and isinstance(root, Path):
        make_folder(root)
    folder = corpus_root(source.name, root, source.root)
    scan = _scan(source, folder, options or {})
    check = partial(limit.check, source.name) if limit else None
    probes, bad = _probe(folder, scan.entries, workers, known, progress, check)
    good = [entry for entry in scan.entries if entry.id in probes]
    if not good:
        why = listing((f"{file.path}: {file.reason}" for file in bad), 3)
        raise InputError(f"{source.name}: none of {len(bad)} files in {folder} can be used: {why}")
    manifest = _manifest(source.name, scan.language or source.language, good, probes)
    warnings = [*scan.notes, *manifest.notes]
    for finding in (parts_of_files, same_audio, two_genders):
        warnings += finding(manifest)
    if source.counts:
        warnings += wrong_counts(manifest, source.expected(options or {}))
    else:
        warnings += wrong_size(manifest, source.size) + confounded_speakers(manifest)
    return Build(manifest, bad, warnings, folder, scan.licence)


def scan_corpus(
    corpus: str | Corpus,
    root: Path | str | None,
    progress: Progress,
    *,
    csv: Path | None = None,
    language: str | None = None,
    options: Mapping[str, str] | None = None,
    limit: BadFileLimit | None = None,
) -> Build:
    """`build_manifest` for a person: what files were found to be is remembered, it shows how far it
    is, and says what the warnings are."""
    name = corpus if isinstance(corpus, str) else corpus.name
    progress.show(f"{name}: looking for its files")
    build = build_manifest(
        corpus,
        root,
        csv=csv,
        language=language,
        options=options,
        known=ProbeCache.default(),
        progress=lambda done, total: progress.show(
            f"{name}: {done} of {total} files read", done, total
        ),
        limit=limit,
    )
    for warning in build.warnings:
        progress.warn(warning)
    return build


def _source(corpus: str | Corpus, csv: Path | None, language: str | None) -> Corpus:
    """The corpus that is meant: one's own as given, that of a CSV, or one that is known by name."""
    name = corpus if isinstance(corpus, str) else corpus.name
    check_corpus_name(name)
    if csv is not None:
        if not isinstance(corpus, str) or name in CORPORA:
            raise InputError(
                f"{name!r} has a scanner of its own; give the corpus of {csv} another name"
            )
        scan = partial(scan_csv, csv, language)
        return Corpus(name, language or "", scan, options={"emotions": ()}, root=csv.parent)
    if isinstance(corpus, str):
        try:
            corpus = CORPORA.find(name)
        except InputError as unknown:
            own = "a corpus of your own needs --csv FILE, or --from FORMAT:PATH"
            raise InputError(f"{unknown}; {own}") from None
        if not isinstance(corpus, Corpus) or corpus.name != name:
            raise SerError(f"the entry point {name!r} of ser.corpora is no Corpus of that name")
    if language not in (None, corpus.language):
        raise InputError(f"the language of {name} is {corpus.language!r}, not {language!r}")
    return corpus


def _scan(corpus: Corpus, root: Path, options: Mapping[str, str]) -> Scan:
    """Check the options, and find the utterances; no two have one id."""
    for name, value in options.items():
        if name not in corpus.options:
            raise InputError(
                f"{corpus.name} has no option {name!r}{did_you_mean(name, corpus.options)}; "
                f"its options: {', '.join(corpus.options) or 'none'}"
            )
        if (allowed := corpus.options[name]) and value not in allowed:
            raise InputError(f"{name}={value}: choose one of {', '.join(allowed)}")
    scan = corpus.scan(root, options)
    if not scan.entries:
        raise InputError(
            f"found no {corpus.title or corpus.name} in {root}: expected there "
            f"{corpus.layout or 'its audio'} (or .flac, .aiff); saw {content(root)}."
            + (f" Where to get it: {corpus.url}" if corpus.url else "")
            + "".join(f"\n{note}" for note in scan.notes)
        )
    if problem := problem_with_videos(scan.entries, root):
        raise InputError(f"{corpus.name}: {problem}")
    first: dict[str, Entry] = {}
    for entry in scan.entries:
        twin = first.setdefault(entry.id, entry)
        if twin is not entry:
            raise InputError(
                f"{corpus.name}: two files for the utterance {entry.id}: {twin.path} and "
                f"{entry.path}; give a root that holds one copy only"
            )
    return scan


def _probe(
    root: Path,
    entries: list[Entry],
    workers: int | None,
    cache: ProbeCache | None,
    progress: Callable[[int, int], None] | None,
    check: Callable[[Collection[BadFile], int, int], None] | None,
) -> tuple[dict[str, Probe], list[BadFile]]:
    """Decode all files that are not known; give the probes by utterance id, and the bad files."""
    from threadpoolctl import threadpool_limits

    known = cache.load(root) if cache else {}
    probes: dict[str, Probe] = {}
    bad: dict[str, BadFile] = {}
    waiting: list[tuple[Entry, Path]] = []
    for entry in entries:
        probe = known.get(entry.path)
        # Its first form is where a file nearly always is.
        if probe and probe.stamp == stamp(f"{root}/{restored_path(entry.path)}"):
            probes[entry.id] = probe
            continue
        path = audio_path(root, entry.path)
        if probe and probe.stamp == stamp(path):
            probes[entry.id] = probe
        else:
            waiting.append((entry, path))
    if progress and probes:
        progress(len(probes), len(entries))
    # libsndfile and sha256 release the interpreter, so threads do; each holds one file at a time.
    # Threads of linear algebra beside them would wait for each other.
    with (
        threadpool_limits(1, user_api="blas"),
        ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool,
    ):
        tasks = {pool.submit(_decode, path): entry for entry, path in waiting}
        try:
            for task in as_completed(tasks):
                entry = tasks.pop(task)
                try:
                    probes[entry.id], lasting = task.result()
                    if lasting:
                        known[entry.path] = probes[entry.id]
                except AudioError as error:
                    where = f" ({entry.where})" if entry.where else ""
                    bad[entry.id] = BadFile(entry.id, entry.path, f"{error}{where}")
                if progress:
                    progress(len(probes) + len(bad), len(entries))
                if check:
                    check(bad.values(), len(probes) + len(bad), len(entries))
        finally:
            pool.shutdown(cancel_futures=True)
            if cache and waiting:
                cache.save(root, known)
    return probes, [bad[entry.id] for entry in entries if entry.id in bad]


def _decode(path: Path) -> tuple[Probe, bool]:
    """Probe a file, and say whether it stayed the same meanwhile, so that it can be remembered."""
    with blamed_on_the_file():
        before = stamp(path)
        audio = read_audio(path)
        heard = fingerprint(audio.mono, audio.rate)
        probe = Probe(*(before or (0, 0, 0)), round(audio.duration, 4), audio.sha, heard)
        return probe, before == stamp(path)


def _manifest(
    corpus: str, language: str, entries: list[Entry], probes: Mapping[str, Probe]
) -> Manifest:
    import pandas as pd

    heard = [probes[entry.id] for entry in entries]
    columns: dict[str, list[Any]] = {name: [] for name in (*COLUMNS, FINGERPRINT)}
    for name in ("id", "speaker", "gender", "emotion", "path"):
        columns[name] = [getattr(entry, name) for entry in entries]
    columns["corpus"], columns["language"] = [corpus] * len(entries), [language] * len(entries)
    for name in ("duration", "audio_hash", FINGERPRINT):
        columns[name] = [getattr(probe, name) for probe in heard]
    for name in dict.fromkeys(name for entry in entries for name in entry.extra):
        columns[name] = [entry.extra.get(name, "") for entry in entries]
    return Manifest(pd.DataFrame(columns, dtype=object))
