"""Features that somebody made elsewhere, into the cache."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import InputError, listing
from ..access import enough_memory
from ..cache import Cache
from ..keys import IMPORTED, FeatureKey
from ..manifests import store_manifest, with_known_ids
from .names import Names, Utterance
from .rates import fits, frame_rate
from .sources import Source, find_source, said_by_name
from .survey import Dtype, Kind, Progress, Survey, each_found, survey

if TYPE_CHECKING:
    from ...manifests import Manifest

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LONGEST_SOURCE = 1000
_LONGEST_LICENCE = 4000


@dataclass(frozen=True)
class ImportReport:
    """What an import did.

    Attributes:
        key: what the cache has the feature under.
        written: utterances that were written.
        present: utterances that the cache had before.
        missing: utterances of the corpora that have no such feature, CORPUS/ID.
        unknown: names in the sources that are no utterance's.
        deviating: utterances whose count of frames is not what duration and frame rate say:
            CORPUS/ID, frames, seconds.
        notes: what the user should know besides.
    """

    key: FeatureKey
    written: int
    present: int
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    deviating: tuple[tuple[str, int, float], ...]
    notes: list[str] = field(default_factory=list)


def import_features(
    cache: Cache,
    sources: Path | str | Sequence[Path | str],
    corpora: str | Manifest | Sequence[str | Manifest],
    feature: str,
    *,
    source: str | None = None,
    licence: str = "",
    kind: Kind | None = None,
    dtype: Dtype | None = None,
    frame_rate: float | None = None,
    column: str | None = None,
    skip_unknown: bool = False,
    skip_missing: bool = False,
    progress: Progress | None = None,
) -> ImportReport:
    """Put features that were made elsewhere into a cache, where they are trained on as any other.

    The sources are read twice: to check all of it, and to write. What the cache has is not written
    again. Memory does not grow with the sources, beside a few hundred bytes for each utterance.

    Args:
        sources: folders of `.npy`, and files, as `docs/exchange.md` describes them.
        corpora: names of corpora whose manifest is in the cache, or manifests, which are put there.
            What is to be trained on together is imported together, and has one key.
        feature: a name; the cache calls it `import:NAME`.
        source: what computed it, in words, such as "WavLM, layer 9"; None: the name of the first
            of `sources`. It is part of the key.
        licence: under which terms the features are.
        kind: None: a vector where every utterance has one row, else a sequence.
        dtype: of what is stored; None: float16 where all are, else float32.
        frame_rate: rows per second of a sequence; None: as most utterances have.
        column: that of the feature in a Parquet file with several columns of lists.
        skip_unknown: leave out what is of no utterance of the corpora.
        skip_missing: take it though utterances lack it.
        progress: called with the utterances done and those in all, once for each pass.

    Raises:
        InputError: a source cannot be used, or does not go with the corpora; nothing was written.
        MissingPackageError: a source needs a package that is not installed.
        SerError: the cache cannot be written.
    """
    show = progress or (lambda done, total: None)
    paths = [Path(sources)] if isinstance(sources, str | Path) else list(map(Path, sources))
    name = _feature_name(feature)
    if not paths:
        raise InputError("nothing to import: no source")
    text = _text("source", source or said_by_name(paths[0]), _LONGEST_SOURCE)
    licence = _text("licence", licence, _LONGEST_LICENCE)
    found_in = [find_source(path, column) for path in paths]
    manifests = _manifests(cache, corpora)
    with enough_memory(f"importing {name}"):
        found = survey(found_in, manifests, kind, dtype, show)
    missing = _check_all_there(found, manifests, skip_unknown, skip_missing)
    rate, deviating, notes = _rate(found, manifests, frame_rate)
    key = FeatureKey(
        feature=name,
        backbone=IMPORTED,
        version=1,
        weights=None,
        parameters={"source": text, "sha256": found.sha256},
        audio={},
        dtype=found.dtype,
        kind=found.kind,
        dim=found.dim,
        frame_rate=rate,
    )
    cache.check_writable()
    notes += [note for each in manifests if (note := store_manifest(cache, each))]
    terms = {"licence": licence} if licence else {}
    written = _write(cache, key, manifests, found_in, found, terms, show)
    return ImportReport(
        key=key,
        written=written,
        present=len(found.frames) - written,
        missing=tuple(missing),
        unknown=tuple(found.unknown),
        deviating=deviating,
        notes=notes,
    )


def _write(
    cache: Cache,
    key: FeatureKey,
    manifests: Sequence[Manifest],
    sources: Sequence[Source],
    found: Survey,
    terms: Mapping[str, str],
    progress: Progress,
) -> int:
    """Read the sources again and write what the cache lacks; how many utterances these were."""
    lacking = {
        (each.corpus, id)
        for each in manifests
        for id in cache.missing(key, each)
        if (each.corpus, id) in found.frames
    }
    if not lacking:
        return 0
    written = 0
    with ExitStack() as stack:
        writers = {
            each.corpus: stack.enter_context(cache.write(key, each, terms)) for each in manifests
        }
        for utterance, read in each_found(sources, Names(manifests), found):
            if utterance in lacking:
                corpus, id = utterance
                rows = read()
                writers[corpus].add(id, rows if key.kind == "sequence" else rows[0])
                written += 1
                progress(written, len(lacking))
    return written


def _feature_name(name: str) -> str:
    """What the cache calls it; a name that no backbone has."""
    bare = name.removeprefix(f"{IMPORTED}:")
    if not _NAME.fullmatch(bare):
        raise InputError(
            f"{name!r} cannot name a feature: use up to 64 letters, digits, '.', '_' and '-', "
            "beginning with a letter or digit"
        )
    return f"{IMPORTED}:{bare}"


def _text(what: str, text: str, most: int) -> str:
    text = " ".join(text.split())
    if not text.isprintable() or len(text) > most:
        raise InputError(f"{what}: expected at most {most} characters that can be printed")
    return text


def _manifests(cache: Cache, corpora: str | Manifest | Sequence[str | Manifest]) -> list[Manifest]:
    """The manifests, by corpus."""
    from ...manifests import Manifest

    listed = [corpora] if isinstance(corpora, str | Manifest) else list(corpora)
    manifests: dict[str, Manifest] = {}
    for each in listed:
        if isinstance(each, Manifest):
            manifest = with_known_ids(cache, each)
        elif each not in cache.corpora():
            raise InputError(
                f"no manifest of {each} in the cache {cache.folder} (there: "
                f"{', '.join(cache.corpora()) or 'none'}); give it: --manifest FILE, which "
                "`ser manifest build` makes"
            )
        else:
            manifest = cache.manifest(each)
        if manifests.setdefault(manifest.corpus, manifest) is not manifest:
            raise InputError(f"{manifest.corpus}: is given twice")
    if not manifests:
        raise InputError("import into which corpus?")
    return [manifests[corpus] for corpus in sorted(manifests)]


def _check_all_there(
    found: Survey, manifests: Sequence[Manifest], skip_unknown: bool, skip_missing: bool
) -> list[str]:
    """The utterances that lack the feature, where they may."""
    corpora = " or ".join(manifest.corpus for manifest in manifests)
    if found.unknown and not skip_unknown:
        raise InputError(
            f"{len(found.unknown)} names there are no utterances of {corpora}: "
            f"{listing(map(repr, found.unknown))}. --skip-unknown leaves them out"
        )
    missing = [
        f"{manifest.corpus}/{id}"
        for manifest in manifests
        for id in manifest.ids
        if (manifest.corpus, id) not in found.frames
    ]
    if missing and not skip_missing:
        raise InputError(
            f"{len(missing)} of {sum(map(len, manifests))} utterances have no such feature there: "
            f"{listing(missing)}. --skip-missing imports those that have it"
        )
    return missing


def _rate(
    found: Survey, manifests: Sequence[Manifest], stated: float | None
) -> tuple[float | None, tuple[tuple[str, int, float], ...], list[str]]:
    """The frame rate, the utterances that deviate from it, and what is to be said."""
    if found.kind == "vector":
        if stated is not None:
            raise InputError("--frame-rate: this feature is a vector, and has no frames")
        return None, (), []
    durations: dict[Utterance, float] = {
        (manifest.corpus, id): seconds
        for manifest in manifests
        for id, seconds in zip(manifest.ids, manifest.table["duration"].tolist(), strict=True)
    }
    utterances = sorted(found.frames)
    frames = [found.frames[utterance] for utterance in utterances]
    seconds = [durations[utterance] for utterance in utterances]
    rate = frame_rate(frames, seconds) if stated is None else stated
    if rate is None:
        return None, (), ["no rate of frames fits the durations, and the key says none"]
    within = fits(frames, seconds, rate)
    if stated is not None and within.mean() < 0.5:
        median = float(np.median(np.divide(frames, seconds)))
        raise InputError(
            f"--frame-rate {stated:g}: {int((~within).sum())} of {len(frames)} utterances have "
            f"other counts of frames than their durations say; the median is {median:.4g} a second"
        )
    return (
        rate,
        tuple(
            (f"{corpus}/{id}", count, long)
            for (corpus, id), count, long, good in zip(
                utterances, frames, seconds, within, strict=True
            )
            if not good
        ),
        [],
    )
