"""Finished runs compared two by two, as far as they were tested alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...cache import Cache
from ...errors import InputError, SerError, listing
from ...manifests import Manifest, counted_column
from .compare import Comparison, all_pairs, compare
from .experiment import labels_hash
from .report import p_value, signed
from .results import CorpusMetrics
from .run import Run

MEAN = "mean over corpora"
"""What the mean is called beside the corpora, of which none has blanks in its name."""


@dataclass(frozen=True)
class Pair:
    """How the UA of one run differs from that of another.

    Attributes:
        one, other: numbers of the two runs; a difference above 0 is in favour of `one`.
        over: what is one unit in the tests: utterances, or whole speakers or groups where they are
            held out.
        corpora: by corpus that both were tested on alike.
        mean: over these, if there are several.
        problems: why corpora are not among them, or the two cannot be compared at all.
    """

    one: int
    other: int
    over: str
    corpora: Mapping[str, Comparison] = field(default_factory=dict)
    mean: Comparison | None = None
    problems: Sequence[str] = ()

    @property
    def scopes(self) -> dict[str, Comparison]:
        """All comparisons, the mean last."""
        return {**self.corpora, **({MEAN: self.mean} if self.mean else {})}


def compare_runs(runs: Sequence[Run], cache: Cache | None = None) -> list[Pair]:
    """Compare all pairs, each later run to each earlier.

    Args:
        cache: knows the speakers and groups of the corpora, which the tests need where whole ones
            are held out.

    Raises:
        InputError: a folder is not as its run wrote it.
    """
    pairs = []
    for one, other in all_pairs(range(len(runs))):
        try:
            pairs.append(_pair(runs, one, other, cache))
        except (ValueError, KeyError, TypeError) as error:  # of files that no run writes
            where = f"{runs[one].folder} and {runs[other].folder}"
            raise InputError(f"{where}: cannot be compared: {error}") from error
    return pairs


def _pair(runs: Sequence[Run], one: int, other: int, cache: Cache | None) -> Pair:
    pair = runs[one], runs[other]
    shared = [corpus for corpus in pair[0].config.answered if corpus in pair[1].config.answered]
    if not shared:
        return Pair(one, other, "utterances", problems=["they have no corpus in common"])
    over = tested_over(run.metrics["domains"][corpus] for run in pair for corpus in shared)
    problems, alike = [], []
    units: dict[tuple[str, str], str] = {}
    for corpus in shared:
        problem = _difference(*pair, corpus)
        if not problem and over != "utterances":
            try:
                units |= _units(pair[0], corpus, over, cache)
            except SerError as error:
                problem = str(error)
        if problem:
            problems.append(f"{corpus}: {problem}")
        else:
            alike.append(corpus)
    if only := [corpus for run in pair for corpus in run.config.answered if corpus not in shared]:
        problems.append(f"only one of them was tested on {listing(only)}")
    if not alike:
        return Pair(one, other, over, problems=problems)
    tables = [run.predictions for run in pair]
    ratio = _test_to_train(pair[0], alike)

    def compared(corpora: Sequence[str]) -> Comparison:
        rows = [table[table["corpus"].isin(corpora)] for table in tables]
        return compare(rows[0], rows[1], ratio, units or None)

    by_corpus = {corpus: compared([corpus]) for corpus in alike}
    mean = compared(alike) if len(alike) > 1 else None
    return Pair(one, other, over, by_corpus, mean, problems)


def _difference(one: Run, other: Run, corpus: str) -> str:
    """Why what two runs did on a corpus cannot be paired; blank if it can."""
    records = [run.config.records[corpus] for run in (one, other)]
    if one.config.protocol != other.config.protocol:
        return f"protocol {one.config.protocol} against {other.config.protocol}"
    if records[0].manifest != records[1].manifest or records[0].skipped != records[1].skipped:
        return "not of the same utterances"
    if records[0].labels_hash != records[1].labels_hash:
        return "with other emotions or speakers of the same utterances"
    if one.config.seeds != other.config.seeds:
        return f"{len(one.config.seeds)} repeats against {len(other.config.seeds)}"
    if records[0].split_hash != records[1].split_hash or _rows(one, corpus) != _rows(other, corpus):
        return "other splits"
    return ""


def _rows(run: Run, corpus: str) -> list[Any]:
    """What was tested."""
    table = run.predictions
    columns = table.loc[table["corpus"] == corpus, ["repeat", "fold", "id", "truth"]]
    return sorted(columns.itertuples(index=False, name=None))


def _units(run: Run, corpus: str, over: str, cache: Cache | None) -> dict[tuple[str, str], str]:
    """The speaker or group of every utterance, as it was when the run was made.

    Raises:
        SerError: the cache does not know.
    """
    unknown = (
        f"the tests need its {over}, and the cache has not the manifest that the runs were made "
        "with; --cache names another"
    )
    if cache is None or corpus not in cache.corpora():
        raise InputError(unknown)
    manifest = run.config.used(cache.manifest(corpus))
    if labels_hash(manifest) != run.config.records[corpus].labels_hash:
        raise InputError(unknown)
    return units_of(manifest, run.config.protocol, over)


def tested_over(domains: Iterable[CorpusMetrics]) -> str:
    """What is one unit in a test: speakers or groups, where all intervals are over these, else
    utterances."""
    kinds = {domain["interval"] for domain in domains}
    (kind,) = kinds if len(kinds) == 1 else ("utterances",)
    return kind if kind in ("speakers", "groups") else "utterances"


def units_of(manifest: Manifest, protocol: str, over: str) -> dict[tuple[str, str], str]:
    """By corpus and id, the speaker of every utterance, or its group by the protocol's column.

    Raises:
        InputError: the manifest has no such column.
    """
    column = "speaker" if over == "speakers" else counted_column(manifest, protocol)
    values = map(str, manifest.table[column])
    return {(manifest.corpus, id): name for id, name in zip(manifest.ids, values, strict=True)}


def _test_to_train(run: Run, corpora: Sequence[str]) -> float:
    """Size of the test parts by that of the training parts, which of whole corpora are others."""
    named = run.config.records if run.config.tested else corpora
    parts = [run.splits[corpus]["part"] for corpus in named]
    test, train = (sum(int((part == name).sum()) for part in parts) for name in ("test", "train"))
    if not test or not train:
        raise InputError(f"{run.folder}: its splits have no test part, or no training part")
    return test / train


def tests_note(pairs: Sequence[Pair]) -> str:
    """What the differences and their p are."""
    count = sum(len(pair.scopes) for pair in pairs)
    over = " or ".join(sorted({pair.over for pair in pairs if pair.scopes}))
    tests = f"the permutation test over {over}"
    if _over_repeats(pairs):
        tests = f"the corrected t test over repeats and by {tests}"
    many = f" These are {count} tests, and p is not corrected for that." if count > 1 else ""
    return f"Differences in UA, paired on the same test utterances; p by {tests}.{many}"


def heads(pairs: Sequence[Pair]) -> list[str]:
    """Of the columns of `cells`."""
    over = " or ".join(sorted({pair.over for pair in pairs if pair.scopes}))
    return ["difference", "95 %", *(["p, repeats"] if _over_repeats(pairs) else []), f"p, {over}"]


def cells(comparison: Comparison, pairs: Sequence[Pair]) -> list[str]:
    """The difference, its 95 % interval and p, each as text, in a table of all `pairs`; the p over
    repeats comes first, for utterances are not all that is drawn at random."""
    bounds = comparison.ci95
    interval = f"{signed(bounds[0])} to {signed(bounds[1])}" if bounds else "-"
    found = [comparison.p_repeats] if _over_repeats(pairs) else []
    shown = [p_value(p) if p is not None else "-" for p in (*found, comparison.p_units)]
    return [signed(comparison.difference), interval, *shown]


def _over_repeats(pairs: Sequence[Pair]) -> bool:
    """Whether any of the comparisons has a test over repeats."""
    return any(c.p_repeats is not None for pair in pairs for c in pair.scopes.values())
