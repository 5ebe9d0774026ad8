"""The splits of a run: made or read, and which folds of several corpora are trained together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

from ...errors import InputError, listing
from ...files import open_regular
from ...manifests import (
    WHOLE,
    Manifest,
    Split,
    check_leaks,
    make_splits,
    read_splits,
    split_of_whole,
)
from .request import Request
from .run import CONFIG, SPLIT, VERSIONS, Run, reason, split_name


def resolve_splits(request: Request, manifest: Manifest, cached: Manifest) -> list[Split]:
    """The splits of all repeats, from the file that was named or from the protocol; none leaks.

    Args:
        manifest: of the utterances that are used.
        cached: of all that there are. What a label map leaves out, a file of splits may have.
    """
    if request.splits is not None:
        path = split_file(request.splits, manifest.corpus, len(request.corpora))
        try:
            splits = _read(path, manifest, cached if request.label_map else manifest)
        except InputError as error:
            if told := _by_another_map(request):
                raise InputError(f"{error}\n{told}") from None
            raise
        protocol = request.protocol or splits[0].protocol
        if WHOLE in {protocol, *(split.protocol for split in splits)}:
            raise InputError(
                f"--split {path}: is of whole corpora, which are named with --train-on A,B "
                "--test-on C"
            )
        if other := [split.protocol for split in splits if split.protocol != protocol]:
            raise InputError(f"--split {path}: made for --protocol {other[0]}, not {protocol}")
    elif request.tested:
        tested = manifest.corpus in request.tested
        splits = [split_of_whole(manifest, seed, tested) for seed in range(request.repeats)]
    else:
        splits = [
            split
            for seed in range(request.repeats)
            for split in make_splits(manifest, request.protocol, seed, request.folds)
        ]
    emotion = dict(zip(manifest.ids, manifest.table["emotion"].tolist(), strict=True))
    for split in splits:
        check_leaks(manifest, split)
        if split.train and len({emotion[id] for id in split.train}) < 2:
            raise InputError(
                f"{manifest.corpus}: the training part of seed {split.seed}, fold {split.fold} has "
                "one emotion only; training needs at least two"
            )
    return splits


def _read(path: Path, manifest: Manifest, whole: Manifest) -> list[Split]:
    """Splits of the manifest, or of a whole one of which it is a part."""
    try:
        return read_splits(path, manifest)
    except InputError:
        if len(whole) == len(manifest):
            raise
    kept = {*manifest.ids}
    return [split.restricted(kept) for split in read_splits(path, whole)]


def _by_another_map(request: Request) -> str:
    """Say that the run whose splits are named was by another label map; blank if it was not."""
    folder = request.splits
    if folder is None or not (folder / CONFIG).is_file():
        return ""
    with suppress(InputError):
        theirs = Run.open(folder).config.label_map
        if theirs != (request.label_map.plain if request.label_map else {}):
            other = "by another label map" if theirs else "by none"
            return f"The labels of {folder} are {other}: --split takes what the same --map left"
    return ""


def split_file(path: Path, corpus: str, corpora: int) -> Path:
    """The file of a corpus' splits that `--split` names: itself, or in the folder of a run.

    Raises InputError if there is none, or it is not as the run wrote it.
    """
    if path.is_file() and corpora == 1:
        return path
    names = [split_name(corpus, 2), SPLIT][: 1 + (corpora == 1)]
    for name in names:
        if (path / name).is_file():
            _check_split(path, name)
            return path / name
    if corpora > 1 and path.is_file():
        raise InputError(
            f"--split {path}: is one file; for several corpora name the folder of a run, in which "
            f"{split_name(corpus, corpora)} and the like are"
        )
    raise InputError(f"--split {path}: has no {split_name(corpus, corpora)}")


def _check_split(folder: Path, name: str) -> None:
    try:
        if (folder / VERSIONS).exists():
            Run.open(folder).file(name).close()
        else:
            open_regular(folder / name, folder).close()
    except (OSError, ValueError, InputError) as error:
        raise InputError(
            f"--split {folder}: {reason(error)}; to use a file as it is, copy it into a folder of "
            "its own"
        ) from None


def trained_together(splits: Mapping[str, Sequence[Split]]) -> list[dict[str, Split]]:
    """The splits of every job, by corpus: as many jobs a repeat as the corpus of most folds has.

    A corpus of n folds takes part in job k with its fold k mod n. It is tested in the first n jobs
    alone, so that each of its utterances is tested once a repeat.
    """
    repeats: dict[int, dict[str, list[Split]]] = defaultdict(lambda: defaultdict(list))
    for corpus, of_corpus in splits.items():
        for split in of_corpus:
            repeats[split.seed][corpus].append(split)
    return [
        {corpus: folds[number % len(folds)] for corpus, folds in repeat.items()}
        for repeat in repeats.values()
        for number in range(max(map(len, repeat.values())))
    ]


def corpora_tested(job: Mapping[str, Split]) -> list[str]:
    """The corpora that a job of `trained_together` tests: those that have a fold of its number, and
    a test part."""
    last = max(split.fold for split in job.values())
    return [corpus for corpus, split in job.items() if split.fold == last and split.test]


def corpora_trained(job: Mapping[str, Split]) -> list[str]:
    """The corpora that a job trains on."""
    return [corpus for corpus, split in job.items() if split.train]


def heard_together(splits: Mapping[str, Sequence[Split]]) -> dict[str, list[Split]]:
    """By corpus, what every job trains on and tests; a test part that it does not test is empty."""
    heard: dict[str, list[Split]] = {corpus: [] for corpus in splits}
    for job in trained_together(splits):
        tested = corpora_tested(job)
        for corpus, split in job.items():
            heard[corpus].append(split if corpus in tested else replace(split, test=()))
    return heard


def check_folds(splits: Mapping[str, Sequence[Split]], made: bool) -> None:
    """Raise InputError where corpora differ in their repeats, or have folds that no rule pairs.

    Those that are numbered alike are paired as they are; else they must be numbered from 0.

    Args:
        made: by the protocol, not read from files.
    """
    places = {corpus: [(s.seed, s.fold) for s in of] for corpus, of in splits.items()}
    if len(set(map(tuple, places.values()))) == 1:
        return
    seeds = {frozenset(seed for seed, _ in of_corpus) for of_corpus in places.values()}
    if len(seeds) == 1 and all(map(_from_zero, places.values())):
        return
    said = "; ".join(
        f"{corpus}: {listing((f'{seed}/{fold}' for seed, fold in of_corpus), 10)}"
        for corpus, of_corpus in places.items()
    )
    remedy = "give all of them the same seeds, each with its folds numbered from 0"
    if made:
        remedy = "use --protocol paper"
    raise InputError(
        f"the corpora differ in their repeats (seed/fold: {said}), so that they cannot be trained "
        f"together; {remedy}"
    )


def _from_zero(places: Sequence[tuple[int, int]]) -> bool:
    """Whether the folds (seed, fold) of every seed are numbered from 0, in order."""
    numbers: dict[int, count[int]] = defaultdict(count)
    return all(fold == next(numbers[seed]) for seed, fold in places)
