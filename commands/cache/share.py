"""`ser cache push` and `pull`: what a team has, there and here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import InputError
from ...progress import Progress, plain
from ..options import (
    cache_option,
    feature_names,
    json_option,
    open_cache,
    progress_option,
    split_names,
    together,
)
from ..printing import complain, echo, echo_json

if TYPE_CHECKING:
    from ...cache.remotes import Plan
    from ...cache.remotes.labels import Labels

LICENCE_SHOWN = 100
"""Characters of the terms of a corpus."""

_options = together(
    click.option("--corpus", "corpora", multiple=True, help="Only of these. Comma-separated."),
    click.option("--features", multiple=True, help="Only these. Comma-separated."),
    click.option(
        "--labels",
        type=click.Choice(["ours", "theirs"]),
        help="Whose manifest counts where both say different things of the same utterances.",
    ),
    click.option("--dry-run", is_flag=True, help="Only say what would travel."),
    click.option(
        "--transfers",
        type=click.IntRange(1, 64),
        default=8,
        show_default=True,
        help="Shards that travel at the same time.",
    ),
    click.option("--remember", is_flag=True, help="From now on this place is meant if none is."),
    json_option,
    progress_option,
    cache_option,
)


@click.command("push")
@click.argument("dest", required=False)
@_options
@click.option("--yes", is_flag=True, help="Do not ask, also of corpora for licensees only.")
def cache_push(dest: str | None, yes: bool, **options: Any) -> None:
    """Bring to DEST what it lacks of the cache.

    DEST is a folder, s3://BUCKET/PATH, sftp://HOST/PATH, hf://datasets/ORG/REPO or another URL of
    fsspec; without it, SER_REMOTE, or what --remember laid down. Every shard is checked before it
    leaves and when it has arrived.
    """
    _share(dest, "push", yes, **options)


@click.command("pull")
@click.argument("src", required=False)
@_options
def cache_pull(src: str | None, **options: Any) -> None:
    """Bring from SRC what the cache lacks of it.

    SRC is a folder, s3://BUCKET/PATH, sftp://HOST/PATH, https://HOST/PATH, hf://datasets/ORG/REPO
    or another URL of fsspec; without it, SER_REMOTE, or what --remember laid down. Every shard is
    checked before it is seen; what was cut goes on where it was cut.
    """
    _share(src, "pull", True, **options)


def _share(
    where: str | None,
    verb: str,
    yes: bool,
    corpora: tuple[str, ...],
    features: tuple[str, ...],
    labels: Labels | None,
    dry_run: bool,
    transfers: int,
    remember: bool,
    as_json: bool,
    progress: Progress,
    cache_folders: tuple[Path, ...],
) -> None:
    from ...cache import remotes

    cache = open_cache(cache_folders)
    given = where or remotes.team_place(cache.folder)
    place = remotes.open_place(given)
    make, carry_out = {
        "push": (remotes.plan_push, remotes.push),
        "pull": (remotes.plan_pull, remotes.pull),
    }[verb]
    with progress:
        progress.show(f"looking at {place}")
        plan = make(
            cache,
            place,
            split_names("--corpus", corpora) if corpora else (),
            feature_names(cache, split_names("--features", features)) if features else (),
            labels,
        )
        for corpus, terms in plan.terms.items():
            progress.say(_short(f"{corpus}: {terms}"))
        if not dry_run:
            if not yes:
                _ask(plan, place.shown)
            count = len(plan.shards)

            def show(moved: int, total: int, done: int) -> None:
                text = f"{done} of {count} shards, {moved / 1e6:.1f} of {total / 1e6:.1f} MB"
                progress.show(text, moved, total)

            carry_out(plan, transfers, show)
        if remember:
            remotes.remember(cache.folder, given)
    if as_json:
        echo_json(_as_json(plan, place.shown))
        return
    _print(plan, place.shown, verb, dry_run)
    if not dry_run and plan.shards:
        rate = plan.bytes / 1e6 / progress.seconds
        complain(f"{plan.bytes / 1e6:.1f} MB in {progress.seconds:.1f} s, {rate:.0f} MB/s")


def _ask(plan: Plan, where: str) -> None:
    """Ask before something leaves that only licensees may have."""
    if not plan.licensees_only:
        return
    named = ", ".join(plan.licensees_only)
    what = f"features and labels of {named}, which is for licensees only, to {where}"
    if not sys.stdin.isatty():
        raise InputError(
            f"this would bring {what}. If all who can read there have signed for it, --yes does so "
            "without asking"
        )
    if not click.confirm(plain(f"bring {what}?"), err=True):
        raise InputError("nothing was pushed")


def _print(plan: Plan, where: str, verb: str, dry_run: bool) -> None:
    done = f"would {verb}" if dry_run else f"{verb}ed"
    for note in plan.notes:
        echo(note)
    for (corpus, folder), (count, size) in plan.by_feature().items():
        shards = f"{count} shard{'s' if count > 1 else ' '}"
        echo(f"{done} {corpus:10} {folder:40} {shards:>12}  {size / 1e6:9.1f} MB")
    here = str(plan.cache)
    direction = " -> ".join((here, where) if verb == "push" else (where, here))
    if not plan.shards:
        echo(f"{direction}: nothing was missing, {plan.present} shards are there")
        return
    total = f"{len(plan.shards)} shards, {plan.bytes / 1e6:.1f} MB"
    echo(f"{direction}: {done} {total}; {plan.present} were there")


def _as_json(plan: Plan, where: str) -> dict[str, object]:
    return {
        "place": where,
        "shards": dict(plan.shards),
        "bytes": plan.bytes,
        "present": plan.present,
        "manifests": sorted(plan.manifests),
        "notes": plan.notes,
        "terms": {corpus: str(terms) for corpus, terms in plan.terms.items()},
    }


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LICENCE_SHOWN else f"{line[:LICENCE_SHOWN]}..."
