"""Is what the architecture search finds worth keeping? Against structures that were not searched.

    python benchmarks/structure.py --cache ~/ser-cache --out runs/structure --protocol speaker

Trains `ours` with a preset and changes on the same splits: searched, with all connections open, and
with the diagonal alone, by several seeds; with random structures as large as the search aims
at, another draw each; with `--subsets` on all subsets of the features, all connections open. Every
one is a run folder in `--out`; what is there is not trained again.

UA of single networks on validation parts, where settings are chosen, and of the runs on test parts.
Differences are those of the searched structure to each other; random draw d is paired with the
seed d modulo the number of seeds, in both. Intervals: on validation parts Student's t over splits,
corrected for what they share; on test parts the jackknife over speakers where they are held out,
else over utterances.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from statistics import fmean

import click
import pandas as pd

from ser.cache import Cache
from ser.progress import Progress
from ser.train.metrics import error_over_repeats, half_width
from ser.train.runs.compare import compare
from ser.train.runs.report import decimal, p_value, signed
from ser.train.runs.run import Run
from ser.train.runs.structures import structures
from ser.train.runs.train import train

SEARCHED = "searched"


@click.command()
@click.option("--cache", "folder", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Of the run folders.")
@click.option("--corpus", default="emodb,ravdess,emovo", show_default=True)
@click.option("--features", default="mfcc,logmel,ge2e,egemaps", show_default=True)
@click.option("--protocol", default="speaker", show_default=True)
@click.option("--preset", default="search", show_default=True)
@click.option("--set", "changes", multiple=True, help="Of every run, as of `ser train`.")
@click.option("--repeats", type=int, help="Splits; as of `ser train`.")
@click.option("--seeds", default=5, show_default=True)
@click.option("--draws", default=10, show_default=True, help="Random structures.")
@click.option("--subsets", is_flag=True, help="All subsets of at least two features, too.")
@click.option("--workers", default=1, show_default=True)
def main(
    folder: Path,
    out: Path,
    corpus: str,
    features: str,
    protocol: str,
    preset: str,
    changes: tuple[str, ...],
    repeats: int | None,
    seeds: int,
    draws: int,
    subsets: bool,
    workers: int,
) -> None:
    """Train what is not trained yet, and print the tables."""
    cache = Cache(folder)

    def run(name: str, *more: str, features: str = features) -> Run:
        with Progress() as progress:
            return train(
                "multidomain",
                corpus,
                features=features,
                method="ours",
                preset=preset,
                changes=[*changes, *more],
                protocol=protocol,
                repeats=repeats,
                workers=workers,
                cache=cache,
                out=out / name,
                progress=progress,
            )

    def seeded(name: str, *more: str) -> list[Run]:
        return [run(f"{name}-{seed}", f"train.seed={seed}", *more) for seed in range(seeds)]

    groups = {
        SEARCHED: seeded(SEARCHED),
        "all open": seeded("open", "search.structure=open"),
        "diagonal": seeded("diagonal", "search.structure=diagonal"),
        "random": [
            run(
                f"random-{draw}",
                *(f"train.seed={draw % seeds}", "search.structure=random", f"search.draw={draw}"),
            )
            for draw in range(draws)
        ],
    }
    if subsets:
        names = features.split(",")
        for size in range(2, len(names)):
            for chosen in map(",".join, combinations(names, size)):
                name = chosen.replace(",", "+")
                groups[name] = [run(name, "search.structure=open", features=chosen)]
    print_rates(groups, cache if protocol == "speaker" else None)
    print_structures(groups)


def print_rates(groups: Mapping[str, Sequence[Run]], cache: Cache | None) -> None:
    """UA of every group and what the searched structure is above it.

    Args:
        cache: knows the speakers, where they are held out.
    """
    corpora = list(groups[SEARCHED][0].config.corpora)
    heads = ["structure", "runs", "validation UA", *corpora, "searched above it (95 %)"]
    heads += ["test UA", *corpora, "searched above it (95 %)", "p"]
    click.echo(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for name, runs in groups.items():
        validation = validation_uas(runs)
        by_corpus = [fmean(ua[corpus] for ua in validation.values()) for corpus in corpora]
        tested = [fmean(r.metrics["domains"][c]["ua"]["mean"] for r in runs) for c in corpora]
        cells = [name, str(len(runs)), *map(decimal, (fmean(by_corpus), *by_corpus)), ""]
        cells += [*map(decimal, (fmean(tested), *tested)), "", ""]
        if name != SEARCHED:
            searched = groups[SEARCHED]
            beside = [searched[number % len(searched)] for number in range(len(runs))]
            cells[4 + len(corpora) - 1] = above_on_validation(beside, runs)
            cells[-2:] = above_on_test(beside, runs, cache)
        click.echo(f"| {' | '.join(cells)} |")


def validation_uas(runs: Sequence[Run]) -> dict[tuple[int, int], dict[str, float]]:
    """By repeat and fold, the validation UA by corpus that networks had when they were kept: the
    mean over all."""
    found: dict[tuple[int, int], list[dict[str, float]]] = {}
    for run in runs:
        for curves in run.history:
            for trained in curves.members:
                kept = {c: curve[trained.epoch - 1] for c, curve in trained.validation_ua.items()}
                found.setdefault((curves.repeat, curves.fold), []).append(kept)
    return {
        place: {corpus: fmean(ua[corpus] for ua in uas) for corpus in uas[0]}
        for place, uas in found.items()
    }


def above_on_validation(one: Sequence[Run], other: Sequence[Run]) -> str:
    """`+.012 (-.003 to +.027)`: the difference in mean UA over splits, and its interval."""
    uas = [[fmean(ua.values()) for ua in validation_uas(runs).values()] for runs in (one, other)]
    gains = [ours - theirs for ours, theirs in zip(*uas, strict=True)]
    sizes = [
        sum(split["part"].eq(part).sum() for split in one[0].splits.values())
        for part in ("validation", "train")
    ]
    half = half_width(error_over_repeats(gains, sizes[0] / sizes[1]), len(gains) - 1)
    mean = fmean(gains)
    return f"{signed(mean)} ({signed(mean - half)} to {signed(mean + half)})"


def above_on_test(one: Sequence[Run], other: Sequence[Run], cache: Cache | None) -> list[str]:
    """The difference in UA over pairs of runs with its interval, and p of the permutation test."""
    tables = [pd.concat(_renumbered(runs), ignore_index=True) for runs in (one, other)]
    units = {
        (corpus, id): id for corpus, id in zip(tables[0]["corpus"], tables[0]["id"], strict=True)
    }
    for corpus in one[0].config.corpora if cache else ():
        assert cache is not None
        manifest = cache.manifest(corpus)
        speakers = map(str, manifest.table["speaker"])
        units |= {(corpus, id): name for id, name in zip(manifest.ids, speakers, strict=True)}
    found = compare(tables[0], tables[1], 0.25, units)
    bounds = f" ({signed(found.ci95[0])} to {signed(found.ci95[1])})" if found.ci95 else ""
    return [signed(found.difference) + bounds, p_value(found.p_units)]


def _renumbered(runs: Sequence[Run]) -> Iterator[pd.DataFrame]:
    """Their predictions, every run as further repeats."""
    for number, run in enumerate(runs):
        table = run.predictions
        yield table.assign(repeat=table["repeat"] + number * (1 + max(run.config.seeds)))


def print_structures(groups: Mapping[str, Sequence[Run]]) -> None:
    """What is kept, how sure of it the gates were, and how far seeds agree; then which connections,
    by the share of the networks that keep them."""
    heads = ["structure", "corpus", "kept", "undecided", "parameters", "agreement of seeds"]
    click.echo(f"\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    found = {name: structures(runs) for name, runs in groups.items()}
    for name, by_corpus in found.items():
        for corpus, kept in by_corpus.items():
            agreement = "-" if kept.agreement is None else decimal(kept.agreement)
            cells = [name, corpus, f"{kept.count:g} of {kept.of}", decimal(kept.undecided)]
            cells += [f"{kept.parameters:,.0f}", agreement]
            click.echo(f"| {' | '.join(cells)} |")
    features = groups[SEARCHED][0].config.features
    for corpus, kept in found[SEARCHED].items():
        click.echo(f"\n| {corpus} | {' | '.join(f'from {name}' for name in features)} |")
        click.echo(f"|{'---|' * (len(features) + 1)}")
        for name, row in zip(features, kept.shares, strict=True):
            click.echo(f"| {name} | {' | '.join(f'{share:.2f}' for share in row)} |")


if __name__ == "__main__":
    main()
