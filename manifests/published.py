"""Folds that others published, as a table of files, made into splits of a manifest."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, listing
from .csv_files import TableError, read_csv
from .drawing import Drawn, rank, shuffled_recordings
from .folds import VALIDATION, connected_groups
from .leaks import check_leaks, check_tested_once
from .manifest import Manifest
from .protocols import FEWEST_FOLDS, PUBLISHED, check_protocol
from .splits import Split, sorted_split
from .text import alike

COLUMNS = ("path", "test_fold")

_NUMBER = re.compile(r"[0-9]{1,6}")
_MOST_FOLDERS = 20


@dataclass(frozen=True)
class Published:
    """Splits by published folds, and what is to be said of them."""

    splits: tuple[Split, ...]
    notes: tuple[str, ...]


def read_published(path: Path, manifest: Manifest, name: str, repeats: int = 1) -> Published:
    """Make splits of a CSV that says of every file in which fold it is tested.

    Column `path` is known by its file name, without folders and suffix, or with as many folders as
    it takes to tell files apart; `test_fold` is a number, or blank for files that no fold tests and
    all train on. Utterances of which the table has no file are not used.

    Of three folds or more, fold k + 1 validates where fold k is tested, as by the protocol
    `speaker`. Of fewer, a fifth of what is not tested does: whole speakers where no test speaker is
    in training, else recordings, drawn at random.

    Args:
        name: what the folds are called; the protocol is `folds:NAME`.
        repeats: how often the folds are gone through; seeds count from 0.

    Raises:
        InputError: no such table, with line numbers; or it is not of this corpus.
        LeakError: a recording is in two parts.
    """
    protocol = f"{PUBLISHED}{name}"
    check_protocol(protocol)
    fold_of, notes = _folds(path, manifest)
    numbers = sorted({fold for fold in fold_of.values() if fold is not None})
    if not numbers:
        raise InputError(f"{path}: no file that {manifest.corpus} has is tested in any fold")
    tests = [[id for id, fold in fold_of.items() if fold == number] for number in numbers]
    apart = all(_speakers_apart(manifest, fold_of, test) for test in tests)
    splits: list[Split] = []
    for seed in range(repeats):
        for number, test in enumerate(tests):
            rest = [id for id in fold_of if id not in set(test)]
            if not rest:
                raise InputError(
                    f"{path}: fold {numbers[number]} tests all files; none is left to train on"
                )
            if len(tests) >= FEWEST_FOLDS:
                held = tests[(number + 1) % len(tests)]
            else:
                held = _held(manifest, rest, seed, apart)
            train = [id for id in rest if id not in set(held)]
            splits.append(sorted_split(protocol, seed, number, train, held, test))
    for split in splits:
        check_leaks(manifest, split)
    check_tested_once(manifest, splits[: len(tests)])
    return Published(tuple(splits), tuple(notes))


def _folds(path: Path, manifest: Manifest) -> tuple[dict[str, int | None], list[str]]:
    """The fold of every utterance of which the table has a file, and what was left out."""
    table = read_csv(path, COLUMNS, verbatim=("path",))
    files = {line: row["path"] for line, row in table.rows.items()}
    wrong = [(line, "the path is blank") for line, file in files.items() if not file.strip()]
    wrong += [
        (line, f"test_fold {row['test_fold']!r} is no whole number, and not blank")
        for line, row in table.rows.items()
        if row["test_fold"] and not _NUMBER.fullmatch(row["test_fold"])
    ]
    if wrong:
        raise TableError(path, wrong)
    if not files:
        raise InputError(f"{path} has a header but no files")
    id_of = _matched(path, files, manifest)
    fold_of: dict[str, int | None] = {}
    twice: list[tuple[int, str]] = []
    for line, id in id_of.items():
        if id in fold_of:
            twice.append((line, f"a second file for the utterance {id!r}"))
        text = table.rows[line]["test_fold"]
        fold_of[id] = int(text) if text else None
    if twice:
        raise TableError(path, twice)
    strange = [file for line, file in files.items() if line not in id_of]
    left = [id for id in manifest.ids if id not in fold_of]
    always = [id for id, fold in fold_of.items() if fold is None]
    notes = [
        f"{len(of)} {what}: {listing(of, 3)}"
        for of, what in (
            (strange, f"files of {path.name} are no utterance of {manifest.corpus}"),
            (left, f"utterances of {manifest.corpus} are not in {path.name}, and are not used"),
            (always, "utterances are tested in no fold, and are trained on in all"),
        )
        if of
    ]
    return dict(sorted(fold_of.items())), notes


def _matched(path: Path, files: Mapping[int, str], manifest: Manifest) -> dict[int, str]:
    """The utterance of every line whose file the manifest has."""
    stored = list(map(str, manifest.table["path"]))
    for depth in range(1, _MOST_FOLDERS):
        known = [_tail(file, depth) for file in stored]
        asked = {line: _tail(file, depth) for line, file in files.items()}
        if _differ(known) and _differ(asked.values()):
            break
    else:
        raise InputError(f"{path}: its files, or those of {manifest.corpus}, are not all different")
    id_of = dict(zip(known, manifest.ids, strict=True))
    if depth == 1:
        id_of = {alike(id): id for id in manifest.ids} | id_of
    found = {line: id_of[name] for line, name in asked.items() if name in id_of}
    if not found:
        raise InputError(
            f"{path}: none of its {len(files)} files, such as {next(iter(files.values()))}, is one "
            f"of {manifest.corpus}, such as {stored[0]}"
        )
    return found


def _differ(names: Iterable[str]) -> bool:
    return max(Counter(names).values()) == 1


def _tail(file: str, depth: int) -> str:
    """The name of a file without suffix, after as many folders as make `depth` parts."""
    *folders, name = file.replace("\\", "/").split("/")
    return alike("/".join([*folders, name.rpartition(".")[0] or name][-depth:]))


def _held(manifest: Manifest, rest: Sequence[str], seed: int, apart: bool) -> list[str]:
    """What validates, of the utterances that are not tested."""
    drawn = shuffled_recordings(manifest, seed, _rows(manifest, rest))
    if apart:
        some = manifest.select(rest)
        groups, group = connected_groups(some, "speaker", "speaker")
        if len(groups) > 1:
            order = sorted(range(len(groups)), key=lambda place: rank(seed, groups[place]))
            place = np.argsort(order)[group]
            ids = some.ids_at(np.argsort(place, kind="stable"))
            drawn = Drawn(_rows(manifest, ids), np.bincount(place))
    held, _ = drawn.take(round(VALIDATION * len(rest)))
    return manifest.ids_at(held if len(held) else drawn.rows[: drawn.sizes[0]])


def _rows(manifest: Manifest, ids: Iterable[str]) -> NDArray[np.int64]:
    return np.array([manifest.rows[id] for id in ids])


def _speakers_apart(
    manifest: Manifest, fold_of: Mapping[str, int | None], test: Sequence[str]
) -> bool:
    """Whether no speaker of a test part says anything else, and all are known."""
    speaker = dict(zip(manifest.ids, map(str, manifest.table["speaker"]), strict=True))
    tested = {speaker[id] for id in test}
    others = {speaker[id] for id in set(fold_of).difference(test)}
    return not tested & others and "" not in tested | others
