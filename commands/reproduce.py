"""`ser reproduce`: the tables and figures of the paper."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..progress import Progress
from ..train import REPRODUCE_PRESET
from .options import (
    GivenPath,
    cache_option,
    dry_run_option,
    json_option,
    named_cluster,
    open_cache,
    progress_option,
    shard_option,
    split_names,
)
from .printing import complain, echo, echo_json
from .training_options import (
    others_left,
    tell_plans,
    training_options,
    training_request,
    without_option,
)

if TYPE_CHECKING:
    from ..portion import Portion


@click.command()
@click.argument("what")
@click.option("--corpus", multiple=True, help="A,B,C  [default: the paper's that are cached]")
@training_options(REPRODUCE_PRESET)
@click.option("--out", type=GivenPath(path_type=Path), help="Folder [default: reproduced/...].")
@shard_option
@dry_run_option
@json_option
@progress_option
@cache_option
def reproduce(
    what: str,
    corpus: tuple[str, ...],
    out: Path | None,
    portion: Portion,
    dry_run: bool,
    cluster: str,
    cpus_per_worker: float | None,
    gpus_per_worker: float | None,
    as_json: bool,
    progress: Progress,
    cache_folders: tuple[Path, ...],
    **options: Any,
) -> None:
    """Run the paper's experiments; write its tables and figures.

    \b
    table2  published systems beside the single-domain model and the baseline, with random splits
            and with unknown speakers; with another --protocol under that one alone
    table3  the methods for several corpora, single-domain models, the baseline
    table4  single-domain models with and without the auxiliary loss
    fig3    t-SNE of their test representations
    fig4    every feature alone, beside the weights of the gates

    Ended at any moment and given again, the command goes on with what is missing. With --shard it
    trains its own portion of the models, and the last one to end writes the table or figure.
    """
    from ..reproduce.run import PLANS, foresee, reproduce
    from ..train.runs.target import check_no_file

    if out is not None:
        check_no_file(out)
    cache = open_cache(cache_folders)
    corpora = split_names("--corpus", corpus) if corpus else []
    crew = named_cluster(cluster, options["workers"], cpus_per_worker, gpus_per_worker)
    common = training_request(
        *(cache, crew, REPRODUCE_PRESET), setting="single", corpora=corpora, **options
    )
    if dry_run:
        with progress:
            runs, written = foresee(PLANS.find(what), common, cache, out, progress, portion)
        tell_plans(runs, as_json, {what: written})
    words = sys.argv[1:]
    for option in ("--shard", "--cluster", "--cpus-per-worker", "--gpus-per-worker"):
        words = without_option(option, words)  # what makes no difference to the numbers
    command = shlex.join(["ser", *words]).encode(errors="replace").decode()
    with progress:
        made = reproduce(PLANS.find(what), common, cache, out, command, progress, portion, crew)
    if made is None:
        complain(others_left(portion))
    elif as_json:
        echo_json(made.values)
    else:
        echo(made.markdown)
        echo(f"{made.files[0].parent}: {', '.join(path.name for path in made.files)}")
