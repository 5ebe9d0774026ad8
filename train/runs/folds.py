"""Which folds of several corpora are trained together, where their numbers of folds differ."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...errors import InputError
from ...manifests import Split
from ...manifests.names import listing


def trained_together(splits: Mapping[str, Sequence[Split]]) -> list[dict[str, Split]]:
    """The splits of every job, by corpus: as many jobs a repeat as the corpus of most folds has.

    A corpus of n folds takes part in job k with its fold k mod n. It is tested in the first n jobs
    alone, so that each of its utterances is tested once a repeat.
    """
    repeats: dict[int, dict[str, list[Split]]] = defaultdict(lambda: defaultdict(list))
    for corpus, each in splits.items():
        for split in each:
            repeats[split.seed][corpus].append(split)
    return [
        {corpus: folds[number % len(folds)] for corpus, folds in repeat.items()}
        for repeat in repeats.values()
        for number in range(max(map(len, repeat.values())))
    ]


def corpora_tested(job: Mapping[str, Split]) -> list[str]:
    """The corpora that a job of `trained_together` tests: those that have a fold of its number."""
    last = max(split.fold for split in job.values())
    return [corpus for corpus, split in job.items() if split.fold == last]


def heard_together(splits: Mapping[str, Sequence[Split]]) -> dict[str, list[Split]]:
    """By corpus, what every job trains on and tests; a test part that it does not test is empty."""
    found: dict[str, list[Split]] = {corpus: [] for corpus in splits}
    for job in trained_together(splits):
        tested = corpora_tested(job)
        for corpus, split in job.items():
            found[corpus].append(split if corpus in tested else replace(split, test=()))
    return found


def check_folds(splits: Mapping[str, Sequence[Split]], made: bool) -> None:
    """Raise InputError where corpora differ in their repeats, or have folds that no rule pairs.

    Those that are numbered alike are paired as they are; else they must be numbered from 0.

    Args:
        made: by the protocol, not read from files.
    """
    places = {corpus: [(s.seed, s.fold) for s in each] for corpus, each in splits.items()}
    if all(each == next(iter(places.values())) for each in places.values()):
        return
    seeds = [{seed for seed, _ in each} for each in places.values()]
    if all(each == seeds[0] for each in seeds) and all(map(_from_zero, places.values())):
        return
    said = "; ".join(
        f"{corpus}: {listing((f'{seed}/{fold}' for seed, fold in each), 10)}"
        for corpus, each in places.items()
    )
    remedy = (
        "use --protocol paper"
        if made
        else "give all of them the same seeds, each with its folds numbered from 0"
    )
    raise InputError(
        f"the corpora differ in their repeats (seed/fold: {said}), so that they cannot be trained "
        f"together; {remedy}"
    )


def _from_zero(places: Sequence[tuple[int, int]]) -> bool:
    """Whether the folds (seed, fold) of every seed are numbered from 0, in order."""
    counts: Counter[int] = Counter()
    for seed, fold in places:
        if fold != counts[seed]:
            return False
        counts[seed] += 1
    return True
