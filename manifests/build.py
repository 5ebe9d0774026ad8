"""From a folder of audio to a manifest: scan, decode every file once, compare with a whole copy."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from ..errors import AudioError, InputError
from .audio import blamed_on_the_file, read_audio
from .corpora import CORPORA, find_root, root_variable
from .csv_corpus import scan_csv
from .entries import Entry, Scan
from .findings import confounded_speakers, same_audio, two_genders, wrong_counts
from .fingerprint import FINGERPRINT, fingerprint
from .manifest import COLUMNS, Manifest
from .names import check_corpus_name, check_language, did_you_mean, listing
from .paths import audio_path, describe
from .probes import Probe, ProbeCache, Stamp, stamp
from .text import plain

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class BadFile:
    """An utterance whose audio cannot be used, and why."""

    id: str
    path: str
    reason: str


@dataclass(frozen=True)
class Build:
    """A new manifest, the files that are not in it, and what the user should know."""

    manifest: Manifest
    bad: list[BadFile]
    warnings: list[str]


def build_manifest(
    corpus: str,
    root: Path | None,
    *,
    csv: Path | None = None,
    language: str | None = None,
    options: Mapping[str, str] | None = None,
    workers: int | None = None,
    known: ProbeCache | None = None,
    progress: Progress | None = None,
) -> Build:
    """Build the manifest of a known corpus, or of one's own from a CSV.

    Args:
        corpus: a name of `CORPORA`, or with `csv` any other name.
        root: the folder that the paths are relative to; None: what `SER_<CORPUS>_ROOT` names, or
            the CSV's folder.
        csv: the CSV of a corpus of one's own; see `scan_csv`.
        language: its language, such as `pt`, unless the CSV has a column for it.
        options: the corpus's options; for a CSV, `emotions`.
        workers: threads that decode; None: one per processor.
        known: probes of earlier builds, read and written.
        progress: called with the files done and the files in all, from this thread.

    Raises:
        InputError: unknown corpus or option, wrong root, or not one usable file.
    """
    options = dict(options or {})
    language = plain(language).lower().replace("_", "-") if language else None
    if language:
        check_language(language)
    check_corpus_name(corpus)
    folder = _root(corpus, root, csv)
    scan = _scan(corpus, folder, csv, language, options)
    probes, bad = _probe(folder, scan.entries, workers, known, progress)
    good = [entry for entry in scan.entries if entry.id in probes]
    if not good:
        reasons = listing((f"{file.path}: {file.reason}" for file in bad), 3)
        raise InputError(f"{corpus}: none of {len(bad)} files in {folder} can be used: {reasons}")
    manifest = _manifest(corpus, scan.language, good, probes)
    warnings = [
        *scan.notes,
        *manifest.notes,
        *same_audio(manifest),
        *two_genders(manifest),
    ]
    if csv is not None:
        warnings += confounded_speakers(manifest)
    else:  # what a whole copy has is known
        warnings += wrong_counts(manifest, CORPORA[corpus].expected(options))
    return Build(manifest, bad, warnings)


def _root(corpus: str, root: Path | None, csv: Path | None) -> Path:
    if csv is None and corpus not in CORPORA:
        raise InputError(
            f"unknown corpus {corpus!r}{did_you_mean(corpus, CORPORA)}; known are "
            f"{', '.join(CORPORA)}; a corpus of your own needs --csv FILE"
        )
    if csv is not None and corpus in CORPORA:
        raise InputError(
            f"{corpus!r} has a scanner of its own; give the corpus of {csv} another name"
        )
    root = root or find_root(corpus) or (csv.parent if csv else None)
    if root is None:
        raise InputError(f"where is {corpus}? Give --root DIR, or set {root_variable(corpus)}")
    if not root.is_dir():
        raise InputError(
            f"{root} is a file; the root of {corpus} is a folder"
            if root.exists()
            else f"no such folder: {root}; expected the root of {corpus}"
        )
    return root


def _scan(
    corpus: str, root: Path, csv: Path | None, language: str | None, options: Mapping[str, str]
) -> Scan:
    allowed: Mapping[str, tuple[str, ...]] = (
        {"emotions": ()} if csv is not None else CORPORA[corpus].options
    )
    for name, value in options.items():
        if name not in allowed:
            raise InputError(
                f"{corpus} has no option {name!r}{did_you_mean(name, allowed)}; "
                f"its options: {', '.join(allowed) or 'none'}"
            )
        if allowed[name] and value not in allowed[name]:
            raise InputError(f"{name}={value}: choose one of {', '.join(allowed[name])}")
    if csv is not None:
        return scan_csv(csv, root, language, options)
    known = CORPORA[corpus]
    if language not in (None, known.language):
        raise InputError(f"the language of {corpus} is {known.language!r}, not {language!r}")
    scan = known.scan(root, options)
    if not scan.entries:
        raise InputError(
            f"found no {known.title} in {root}: expected there {known.layout} "
            f"(or .flac, .aiff); saw {describe(root)}. Where to get it: {known.url}"
        )
    first: dict[str, Entry] = {}
    for entry in scan.entries:
        twin = first.setdefault(entry.id, entry)
        if twin is not entry:
            raise InputError(
                f"{corpus}: two files for the utterance {entry.id}: {twin.path} and {entry.path}; "
                "give a root that holds one copy only"
            )
    return Scan(scan.entries, known.language, scan.notes)


def _probe(
    root: Path,
    entries: list[Entry],
    workers: int | None,
    cache: ProbeCache | None,
    progress: Progress | None,
) -> tuple[dict[str, Probe], list[BadFile]]:
    """Decode all files that are not known; give the probes by utterance id, and the bad files."""
    from threadpoolctl import threadpool_limits

    remembered = cache.load(root) if cache else {}
    known: dict[str, tuple[Stamp, Probe]] = {}
    waiting: list[tuple[Entry, Path]] = []
    probes: dict[str, Probe] = {}
    for entry in entries:
        record = remembered.get(entry.path)
        if record and record[0] == stamp(audio_path(root, entry.path)):
            probes[entry.id] = record[1]
        else:
            waiting.append((entry, audio_path(root, entry.path)))
    bad: dict[str, BadFile] = {}
    done = len(probes)
    if progress and done:
        progress(done, len(entries))
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
                    before, probe = task.result()
                except AudioError as error:
                    where = f" ({entry.where})" if entry.where else ""
                    bad[entry.id] = BadFile(entry.id, entry.path, f"{error}{where}")
                else:
                    probes[entry.id] = probe
                    if before is not None:
                        known[entry.path] = before, probe
                done += 1
                if progress:
                    progress(done, len(entries))
        finally:
            pool.shutdown(cancel_futures=True)
            if cache and waiting:
                cache.save(root, remembered | known)
    return probes, [bad[entry.id] for entry in entries if entry.id in bad]


def _decode(path: Path) -> tuple[Stamp | None, Probe]:
    """Probe a file; the stamp is None if the file changed meanwhile, and must not be remembered.

    Raises:
        AudioError: it cannot be used, whatever the trouble is.
    """
    with blamed_on_the_file():
        before = stamp(path)
        audio = read_audio(path)
        heard = fingerprint(audio.mono, audio.rate)
        probe = Probe(round(audio.duration, 4), audio.sha, heard)
        return (before if before == stamp(path) else None), probe


def _manifest(
    corpus: str, language: str, entries: list[Entry], probes: Mapping[str, Probe]
) -> Manifest:
    import pandas as pd

    rows = [
        {
            "id": entry.id,
            "corpus": corpus,
            "language": language,
            "speaker": entry.speaker,
            "gender": entry.gender,
            "emotion": entry.emotion,
            "path": entry.path,
            "duration": probes[entry.id].duration,
            "audio_hash": probes[entry.id].audio_hash,
            FINGERPRINT: probes[entry.id].fingerprint,
            **entry.extra,
        }
        for entry in entries
    ]
    return Manifest(pd.DataFrame(rows, columns=[*COLUMNS, FINGERPRINT, *entries[0].extra]))
