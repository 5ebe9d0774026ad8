"""Whether anything of a split's validation or test part is also seen elsewhere."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, repeat

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, LeakError, listing
from .fingerprint import recordings
from .folds import columns_apart, two_groups
from .manifest import Manifest
from .protocols import PUBLISHED, WHOLE
from .spellings import spelling
from .splits import Split

Rows = NDArray[np.int64]
"""Positions of utterances in a manifest."""

UTTERANCE, AUDIO, COPIES = "utterance", "audio", "copies that sound alike"
"""What parts may share: the last is one recording with two audio hashes."""


def check_leaks(manifest: Manifest, split: Split) -> None:
    """Check that the parts share no utterance and no recording, and no value of the columns that
    the protocol keeps apart: with `speaker` no speaker, and no session where the corpus is grouped
    by it (IEMOCAP).

    Of a column of two values, of which one is tested, the other may train and validate.

    Raises:
        LeakError: with examples of what two parts share.
        InputError: an utterance or a column that the manifest does not have, or an empty part,
            which the protocol `corpus` alone may have.
    """
    name = (
        f"the split of {manifest.corpus} (protocol {split.protocol}, seed {split.seed}, "
        f"fold {split.fold})"
    )
    rows: dict[str, Rows] = {}
    for part, ids in split.parts().items():
        if not ids and split.protocol != WHOLE:
            raise InputError(f"{name}: the {part} part is empty")
        rows[part] = np.fromiter(map(manifest.rows.get, ids, repeat(-1)), np.int64, len(ids))
        if (rows[part] < 0).any():
            unknown = set(ids) - manifest.rows.keys()
            raise InputError(
                f"{name}: the {part} part has {len(unknown)} utterances that are "
                f"not in the manifest: {listing(sorted(unknown), 3)}"
            )
    leaks = [
        f"  utterance twice in {part}: {listing(twice, 3)}"
        for part, ids in split.parts().items()
        if (np.bincount(rows[part]) > 1).any()
        and (twice := [id for id, count in Counter(ids).items() if count > 1])
    ]
    leaks += _shared_column(UTTERANCE, manifest, "id", rows)
    leaks += _shared_column(AUDIO, manifest, "audio_hash", rows)
    for column in columns_apart(manifest, split.protocol):
        parts: Mapping[str, Rows] = rows
        if split.protocol != "speaker" and two_groups(manifest, column, split.protocol):
            both = np.concatenate([rows["train"], rows["validation"]])
            parts = {"training or validation": both, "test": rows["test"]}
        leaks += _shared_column(column, manifest, column, parts)
    if alike := _sounding_alike(manifest):
        leaks += _shared(COPIES, split.parts(), alike)
    if leaks:
        raise LeakError(f"{name} leaks:\n" + "\n".join(leaks))


def check_leaks_between(
    manifests: Mapping[str, Manifest], splits: Mapping[str, Sequence[Split]]
) -> None:
    """Check that no recording is in one part of a corpus and in another part of another corpus.

    Args:
        splits: by corpus, lists that are alike in seeds and folds: those trained together.

    Raises:
        LeakError: with examples of what two corpora share.
    """
    if len(manifests) < 2:
        return
    names = recordings([manifest.table for manifest in manifests.values()])
    recording = {
        f"{id} of {corpus}": name
        for (corpus, manifest), named in zip(manifests.items(), names, strict=True)
        for id, name in zip(manifest.ids, named, strict=True)
    }
    for together in zip(*splits.values(), strict=True):
        parts: dict[str, list[str]] = defaultdict(list)
        for corpus, split in zip(splits, together, strict=True):
            for part, ids in split.parts().items():
                parts[part] += (f"{id} of {corpus}" for id in ids)
        if leaks := _shared(AUDIO, parts, recording):
            raise LeakError(
                f"{', '.join(splits)}, seed {together[0].seed}, fold {together[0].fold}: "
                "recordings are in one part of one corpus and in another of another, so that one "
                "model for both leaks. Leave them out of one corpus:\n" + "\n".join(leaks)
            )


def shared_speakers(manifest: Manifest, split: Split) -> int:
    """Count the speakers of the test part that are in training too; unknown ones do not count."""
    speaker = _values(manifest, "speaker")
    parts = ({speaker[name] for name in part} for part in (split.train, split.test))
    return len(set.intersection(*parts) - {""})


def namesakes(manifests: Iterable[Manifest]) -> list[str]:
    """Speakers of the same name in several corpora of one language: perhaps the same people.

    Names that differ in spelling alone (see `spelling`) are the same, and so are the languages of
    several countries (`pt`, `pt-br`).
    """
    names: dict[tuple[str, str], list[str]] = defaultdict(list)
    for manifest in manifests:
        language = manifest.language.partition("-")[0]
        for name in sorted(set(map(str, manifest.table["speaker"].unique())) - {""}):
            names[language, spelling(name)].append(name)
    return sorted({same[0] for same in names.values() if len(same) > 1})


def _shared_column(
    word: str, manifest: Manifest, column: str, parts: Mapping[str, Rows]
) -> list[str]:
    """Describe values of a column that occur in several parts."""
    codes = manifest.codes(column)
    present = np.zeros((len(parts), codes.max() + 1), bool)
    for place, rows in enumerate(parts.values()):
        present[place, codes[rows]] = True
    if not (present.sum(0) > 1).any():
        return []
    ids = {part: manifest.ids_at(rows) for part, rows in parts.items()}
    return _shared(word, ids, _values(manifest, column))


def _shared(word: str, parts: Mapping[str, Iterable[str]], value: dict[str, str]) -> list[str]:
    """Describe values that occur in several parts."""
    values = [set(map(value.get, ids)) - {None} for ids in parts.values()]
    several = set().union(*(one & other for one, other in combinations(values, 2)))
    if not several:
        return []
    shared: dict[str, dict[str, str]] = defaultdict(dict)
    for part, ids in parts.items():
        for id in ids:
            if value.get(id) in several:
                shared[value[id]].setdefault(part, id)
    examples = listing((_example(word, key, where) for key, where in shared.items()), 3)
    return [f"  {word} in more than one part ({len(shared)}): {examples}"]


def _example(word: str, key: str, where: dict[str, str]) -> str:
    if word == UTTERANCE:
        return f"{key} in {' and '.join(where)}"
    places = " and ".join(f"{part} ({name})" for part, name in where.items())
    if word in (AUDIO, COPIES):
        return f"in {places}"
    return f"{key!r} in {places}" if key else f"not known in {places}"


def _values(manifest: Manifest, column: str) -> dict[str, str]:
    return dict(zip(manifest.ids, map(str, manifest.table[column].tolist()), strict=True))


def _sounding_alike(manifest: Manifest) -> dict[str, str]:
    """Name the recording of each utterance that has a copy with another audio hash."""
    if not manifest.has_copies:
        return {}
    # It is named after one of its hashes: the others tell that there are several.
    named = zip(manifest.recordings, manifest.table["audio_hash"].tolist(), strict=True)
    several = {recording for recording, audio in named if recording != audio}
    both = zip(manifest.ids, manifest.recordings, strict=True)
    return {id: recording for id, recording in both if recording in several}


def check_tested_once(manifest: Manifest, splits: Sequence[Split]) -> None:
    """Check that the folds of one seed test every utterance of the manifest exactly once; folds
    that were published may leave some untested, and a corpus that is trained on all.

    Raises:
        LeakError: an utterance is tested twice, or never.
    """
    may_lack = splits[0].protocol.startswith((PUBLISHED, WHOLE))
    times = Counter(name for split in splits for name in split.test)
    fine, problem = ((0, 1), "tested twice") if may_lack else ((1,), "not tested exactly once")
    if wrong := [name for name in manifest.ids if times[name] not in fine]:
        raise LeakError(
            f"{manifest.corpus}: {len(wrong)} utterances are {problem} over the folds: "
            f"{listing(wrong, 3)}"
        )
