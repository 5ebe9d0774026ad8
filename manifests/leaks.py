"""Whether anything of a split's validation or test part is also seen elsewhere."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from ..errors import InputError, LeakError, listing
from .fingerprint import recordings
from .manifest import Manifest
from .spellings import spelling
from .splits import Split, grouping

COPIES = "copies that sound alike"
"""What is shared by parts that have one recording with two audio hashes."""


def check_leaks(manifest: Manifest, split: Split) -> None:
    """Check that the parts share no utterance and no recording, and with `speaker` no speaker.

    Where the corpus is grouped by session (IEMOCAP), `speaker` allows no shared session either.

    Raises:
        LeakError: with examples of what two parts share.
        InputError: an utterance that the manifest does not have, or an empty part.
    """
    name = (
        f"the split of {manifest.corpus} (protocol {split.protocol}, seed {split.seed}, "
        f"fold {split.fold})"
    )
    for part, ids in split.parts().items():
        if not ids:
            raise InputError(f"{name}: the {part} part is empty")
        if unknown := set(ids).difference(manifest.ids):
            raise InputError(
                f"{name}: the {part} part has {len(unknown)} utterances that are "
                f"not in the manifest: {listing(sorted(unknown), 3)}"
            )
    leaks = [
        f"  utterance twice in {part}: {listing(twice, 3)}"
        for part, ids in split.parts().items()
        if (twice := [id for id, count in Counter(ids).items() if count > 1])
    ]
    values = {"utterance": _values(manifest, "id"), "audio": _values(manifest, "audio_hash")}
    if split.protocol == "speaker":
        values |= {column: _values(manifest, column) for column in ("speaker", grouping(manifest))}
    values[COPIES] = _sounding_alike(manifest)
    for word, value in values.items():
        leaks += _shared(word, split.parts(), value)
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
        if leaks := _shared("audio", parts, recording):
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
        for name in sorted(set(map(str, manifest.table["speaker"])) - {""}):
            names[language, spelling(name)].append(name)
    return sorted({same[0] for same in names.values() if len(same) > 1})


def _shared(word: str, parts: Mapping[str, Iterable[str]], value: dict[str, str]) -> list[str]:
    """Describe values that occur in several parts."""
    places: dict[str, dict[str, str]] = defaultdict(dict)
    for part, ids in parts.items():
        for id in ids:
            if id in value:
                places[value[id]].setdefault(part, id)
    shared = {key: where for key, where in places.items() if len(where) > 1}
    if not shared:
        return []
    examples = listing((_example(word, key, where) for key, where in shared.items()), 3)
    return [f"  {word} in more than one part ({len(shared)}): {examples}"]


def _example(word: str, key: str, where: dict[str, str]) -> str:
    if word == "utterance":
        return f"{key} in {' and '.join(where)}"
    places = " and ".join(f"{part} ({name})" for part, name in where.items())
    if word in ("audio", COPIES):
        return f"in {places}"
    return f"{key!r} in {places}" if key else f"not known in {places}"


def _values(manifest: Manifest, column: str) -> dict[str, str]:
    return dict(zip(manifest.ids, map(str, manifest.table[column]), strict=True))


def _sounding_alike(manifest: Manifest) -> dict[str, str]:
    """Name the recording of each utterance that has a copy with another audio hash."""
    pairs = set(zip(manifest.recordings, manifest.table["audio_hash"], strict=True))
    hashes = Counter(recording for recording, _ in pairs)
    named = zip(manifest.ids, manifest.recordings, strict=True)
    return {id: recording for id, recording in named if hashes[recording] > 1}


def check_tested_once(manifest: Manifest, splits: Iterable[Split]) -> None:
    """Check that the folds of one seed test every utterance of the manifest exactly once.

    Raises:
        LeakError: an utterance is tested twice, or never.
    """
    times = Counter(name for split in splits for name in split.test)
    if wrong := [name for name in manifest.ids if times[name] != 1]:
        raise LeakError(
            f"{manifest.corpus}: {len(wrong)} utterances are not tested exactly once over the "
            f"folds: {listing(wrong, 3)}"
        )
