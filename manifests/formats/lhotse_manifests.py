"""Manifests of lhotse: cuts, or recordings and supervisions, as `.jsonl` or `.jsonl.gz`.

Files are read here, within limits, and what their lines mean is lhotse's own to say.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import InputError, MissingPackageError, install_command, listing
from ..pieces import is_whole, refuse_pieces
from ..tables import Table
from .columns import as_table, as_text, find_roles, is_plain, with_parts
from .form import Options, folder_of
from .json_lines import read_json_lines

_WHAT = "a manifest of lhotse: recordings and supervisions, or cuts"
_NAME = re.compile(
    r"(?:.*[_.-])?(?:recordings|supervisions|cuts)"
    r"(?:[_.-](?P<part>.+?))??(?:\.\d+)?\.jsonl(?:\.gz)?"
)
"""Manifests by their parts, whose shards lhotse numbers: `cuts_train.1.jsonl.gz`."""
_FIELDS = ("id", "speaker", "gender", "language", "text")
"""Of a supervision, besides what is its own custom field."""

_HOW = (
    "cuts.trim_to_supervisions(keep_overlapping=False).save_audios(FOLDER), and use what it gives"
)


@dataclass
class _Read:
    """What lines of manifests stand for, with the part of the corpus that their file is of; of
    recordings by that and their ids, which each part may count anew."""

    recordings: dict[tuple[str, str], Any] = field(default_factory=dict)
    supervisions: list[tuple[str, Any]] = field(default_factory=list)
    cuts: list[tuple[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Utterance:
    part: str
    recording: Any
    supervision: Any
    custom: dict[str, Any]
    whole: bool


def read_manifests(place: str, root: Path, options: Options) -> Table:
    """The utterances of a manifest of cuts, or of a folder of manifests; nothing is run or fetched.

    Raises:
        InputError: it is none, or utterances are no whole files.
        MissingPackageError: lhotse is not installed.
    """
    path = Path(place).expanduser()
    read = _read(path)
    utterances = list(_of_cuts(read, place) if read.cuts else _of_supervisions(read, place))
    if not utterances:
        raise InputError(f"{place}: has no utterances; expected {_WHAT}")
    where = str(path)
    _check_sources(where, utterances)
    pieces = sum(not utterance.whole for utterance in utterances)
    refuse_pieces(where, pieces, len(utterances), _HOW)
    notes = [*read.notes]
    columns = _columns(utterances, notes)
    roles = find_roles(list(columns), options, where)
    paths = [str(utterance.recording.sources[0].source) for utterance in utterances]
    table = {"path": paths} | as_table(columns, roles, options, notes)
    if any(parts := [utterance.part for utterance in utterances]):
        table = with_parts(table, parts, notes)
    heard = {id(utterance.recording) for utterance in utterances}
    silent = [] if read.cuts else [r.id for r in read.recordings.values() if id(r) not in heard]
    if silent:
        told = listing(sorted(silent), 3)
        notes.append(f"{len(silent)} recordings have no supervision, and were left out: {told}")
    return Table(where, table, range(1, len(utterances) + 1), "utterance", notes)


def _read(path: Path) -> _Read:
    """What the manifests of a file or folder hold."""
    below = folder_of(str(path))
    files, others = [path], []
    if path == below:
        lists = sorted(file for file in path.iterdir() if ".jsonl" in file.suffixes)
        files = [file for file in lists if _NAME.fullmatch(file.name)]
        others = [file.name for file in lists if file not in files]
    told = listing(others, 3)
    if not files:
        raise InputError(
            f"{path}: no recordings*.jsonl, supervisions*.jsonl or cuts*.jsonl, nor .jsonl.gz"
            f"{f', but {told}' if told else ''}; expected {_WHAT}"
        )
    _check_installed()
    read = _Read()
    if told:
        read.notes.append(
            f"{len(others)} files are no recordings*, supervisions* or cuts* by their names, and "
            f"were not read: {told}"
        )
    for file in files:
        name = _NAME.fullmatch(file.name)
        part = (name and name["part"]) or ""
        # lhotse writes NaN where it has no number.
        for number, line in read_json_lines(file, below, _WHAT, nan_is_missing=True):
            where = f"{file}, line {number}"
            _add(read, part, _deserialised(where, line), where)
    return read


def _add(read: _Read, part: str, item: Any, where: str) -> None:
    kind = type(item).__name__
    if kind == "Recording":
        if read.recordings.setdefault((part, item.id), item) != item:
            raise InputError(f"{where}: another recording has the id {item.id!r:.100}")
    elif kind == "SupervisionSegment":
        read.supervisions.append((part, item))
    elif kind in ("MonoCut", "MultiCut") and item.recording is not None:
        read.cuts.append((part, item))
    else:
        raise InputError(
            f"{where}: is a {kind}; expected {_WHAT}, and of cuts those of one recording, neither "
            "mixed nor padded"
        )


def _deserialised(where: str, line: dict[str, Any]) -> Any:
    from lhotse.serialization import deserialize_item

    try:
        return deserialize_item(line)
    except Exception as error:  # lhotse raises nearly anything for what is none of its items
        raise InputError(
            f"{where}: lhotse cannot read it: {type(error).__name__}: {error!s:.200}; expected "
            f"{_WHAT}"
        ) from error


def _of_cuts(read: _Read, place: str) -> Iterator[_Utterance]:
    """The utterances of cuts; InputError where supervisions that lie beside them are of others."""
    cut = Counter(each.id for _, cut in read.cuts for each in cut.supervisions)
    if others := Counter(each.id for _, each in read.supervisions) - cut:
        raise InputError(
            f"{place}: {others.total()} of {len(read.supervisions)} supervisions are in none of "
            f"the {len(read.cuts)} cuts, such as {next(iter(others))!r:.100}: name the file of the "
            "cuts, or move the cuts elsewhere"
        )
    for part, cut in read.cuts:
        supervisions = cut.supervisions or [None]
        covers = _is_all(cut, cut.recording.duration) and _hears_all(cut, cut.recording)
        for supervision in supervisions:
            custom = {**(cut.custom or {}), **((supervision and supervision.custom) or {})}
            whole = covers and len(supervisions) == 1
            if supervision:
                whole &= _is_all(supervision, cut.duration)
                whole &= _hears_all(supervision, cut.recording)
            yield _Utterance(part, cut.recording, supervision or cut, custom, whole)


def _of_supervisions(read: _Read, place: str) -> Iterator[_Utterance]:
    by_id: dict[str, list[Any]] = {}
    for (_, name), recording in read.recordings.items():
        by_id.setdefault(name, []).append(recording)
    for part, supervision in read.supervisions:
        name = supervision.recording_id
        same_part = read.recordings.get((part, name))
        found = by_id.get(name, []) if same_part is None else [same_part]
        if len(found) != 1:
            count = f"are {len(found)} recordings" if found else "is no recording"
            raise InputError(
                f"{place}: there {count} {name!r:.100}, of which the supervision "
                f"{supervision.id!r:.100} is"
            )
        (recording,) = found
        whole = _is_all(supervision, recording.duration) and _hears_all(supervision, recording)
        yield _Utterance(part, recording, supervision, supervision.custom or {}, whole)


def _is_all(piece: Any, duration: float) -> bool:
    """Whether a cut or supervision is as long as what it is of."""
    return is_whole(abs(piece.start), piece.start + piece.duration, duration)


def _hears_all(piece: Any, recording: Any) -> bool:
    """Whether a cut or supervision is of all channels; of a sole one, whatever it is called: lhotse
    keeps the number that it had among others."""
    channel = piece.channel
    if len(recording.channel_ids) == 1:
        return True
    heard = {channel} if isinstance(channel, int) else {*channel}
    return heard >= {*recording.channel_ids}


def _check_sources(where: str, utterances: list[_Utterance]) -> None:
    """Refuse recordings that are no files as they lie there."""
    other: dict[str, list[str]] = {}
    for recording in (utterance.recording for utterance in utterances):
        kinds = {source.type for source in recording.sources} - {"file"}
        if kinds:
            other.setdefault(f"of the type {min(kinds)}", []).append(recording.id)
        elif len(recording.sources) != 1:
            other.setdefault(f"{len(recording.sources)} files", []).append(recording.id)
        elif recording.transforms:
            other.setdefault("changed by transforms", []).append(recording.id)
    if other:
        found = "; ".join(f"{len(ids)} {kind}, such as {ids[0]}" for kind, ids in other.items())
        raise InputError(
            f"{where}: {found}; expected recordings that are a file each. Nothing is run or "
            "fetched here: cuts.save_audios(FOLDER) writes files, and what it gives names them"
        )


def _columns(utterances: list[_Utterance], notes: list[str]) -> dict[str, list[str]]:
    """What is said of the utterances: fields of lhotse's own, then custom ones that are plain."""
    columns: dict[str, list[str]] = {}
    for name in _FIELDS:
        values = [getattr(utterance.supervision, name, None) for utterance in utterances]
        if any(value is not None for value in values):
            columns[name] = list(map(as_text, values))
    custom = dict.fromkeys(name for utterance in utterances for name in utterance.custom)
    own = [name for name in custom if name in columns]
    others = []
    for name in (name for name in custom if name not in own):
        values = [utterance.custom.get(name) for utterance in utterances]
        if is_plain(values):
            columns[name] = list(map(as_text, values))
        else:
            others.append(name)
    if own:
        notes.append(f"custom fields were left out, as lhotse's own say it: {listing(own)}")
    if others:
        notes.append(f"custom fields of other types were left out: {listing(others)}")
    return columns


def _check_installed() -> None:
    try:
        import lhotse  # noqa: F401
    except ImportError as error:
        raise MissingPackageError(
            f"manifests of lhotse need it: {install_command('lhotse')}"
        ) from error
