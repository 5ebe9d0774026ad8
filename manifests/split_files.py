"""Splits as CSV files, to be shared: protocol, seed, fold, id, part.

Every split has every utterance of its manifest; those that it does not use are in the part
`unused`, which only protocols have that leave utterances out.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..errors import InputError, listing
from .csv_files import TableError, read_csv, write_csv
from .leaks import check_leaks, check_tested_once
from .manifest import Manifest
from .protocols import check_protocol, is_folds, leaves_out
from .splits import PARTS, Split, sorted_split

COLUMNS = ("protocol", "seed", "fold", "id", "part")
UNUSED = "unused"

_Key = tuple[str, int, int]


def write_splits(path: Path, manifest: Manifest, splits: Iterable[Split]) -> None:
    """Check splits for leaks and write them to one file, a row per split and utterance.

    Raises:
        LeakError, InputError: as `check_leaks`; nothing is written.
    """
    import pandas as pd

    rows: list[tuple[str | int, ...]] = []
    for split in splits:
        check_leaks(manifest, split)
        part_of = dict.fromkeys(manifest.ids, UNUSED) if leaves_out(split.protocol) else {}
        part_of |= {name: part for part, ids in split.parts().items() for name in ids}
        key = (split.protocol, split.seed, split.fold)
        rows += [(*key, name, part_of[name]) for name in sorted(part_of)]
    write_csv(path, pd.DataFrame(rows, columns=list(COLUMNS)))


def read_splits(path: Path, manifest: Manifest) -> list[Split]:
    """Read splits and check them against the manifest, sorted by protocol, seed and fold.

    Raises:
        InputError: not such a file (with line numbers), or not of exactly these utterances.
        LeakError: a split leaks, or the folds do not test every utterance once.
    """
    table = read_csv(path, COLUMNS)
    if not table.rows:
        raise InputError(f"{path} has a header but no splits")
    known = set(manifest.ids)
    parts: dict[_Key, dict[str, list[str]]] = defaultdict(
        lambda: {part: [] for part in (*PARTS, UNUSED)}
    )
    lines: dict[tuple[_Key, str], int] = {}
    problems: list[tuple[int, str]] = []
    for line, row in table.rows.items():
        try:
            key, name = _key(row), row["id"]
            if name not in known:
                raise ValueError(f"the manifest of {manifest.corpus} has no utterance {name!r}")
            first = lines.setdefault((key, name), line)
            if first != line:
                raise ValueError(f"{name!r} stands in this split already, on line {first}")
            parts[key][row["part"]].append(name)
        except ValueError as error:
            problems.append((line, str(error)))
    if problems:
        raise TableError(path, problems)
    splits = [_split(path, manifest, key, parts[key]) for key in sorted(parts)]
    repeats: dict[tuple[str, int], list[Split]] = defaultdict(list)
    for split in splits:
        check_leaks(manifest, split)
        repeats[split.protocol, split.seed].append(split)
    for (protocol, seed), folds in repeats.items():
        if is_folds(protocol):
            check_tested_once(manifest, folds)
        elif len(folds) > 1:
            raise InputError(f"{path}: seed {seed} has {len(folds)} folds; {protocol} has one")
    return splits


_NUMBER = re.compile(r"[0-9]{1,9}")


def _key(row: Mapping[str, str]) -> _Key:
    protocol, part = row["protocol"], row["part"]
    try:
        check_protocol(protocol)
    except InputError as error:
        raise ValueError(str(error)) from None
    if part not in PARTS and not (part == UNUSED and leaves_out(protocol)):
        raise ValueError(f"unknown part {part!r}; use {', '.join(PARTS)}")
    seed, fold = row["seed"], row["fold"]
    if not (_NUMBER.fullmatch(seed) and _NUMBER.fullmatch(fold)):
        raise ValueError(f"seed {seed!r} and fold {fold!r} must be whole numbers from 0")
    return protocol, int(seed), int(fold)


def _split(path: Path, manifest: Manifest, key: _Key, parts: dict[str, list[str]]) -> Split:
    if missing := set(manifest.ids).difference(*parts.values()):
        raise InputError(
            f"{path}: protocol {key[0]}, seed {key[1]}, fold {key[2]} lacks {len(missing)} "
            f"utterances of {manifest.corpus}: {listing(sorted(missing), 3)}; a split belongs to "
            "one manifest, with all its utterances"
        )
    return sorted_split(*key, *(parts[part] for part in PARTS))
