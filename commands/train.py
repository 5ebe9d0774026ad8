"""`ser train`: from cached features to a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from ..errors import InputError
from ..progress import Progress
from ..train import TRAIN_PRESET
from .options import (
    GivenPath,
    GivenText,
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
from .training_options import others_left, tell_plans, training_options, training_request

if TYPE_CHECKING:
    from ..portion import Portion
    from ..train.runs.run import Run


@click.command()
@click.option(
    "--setting",
    type=click.Choice(["single", "baseline", "multidomain"]),
    help="Not needed with --train-on.",
)
@click.option("--corpus", multiple=True, help="One, or with multidomain several: A,B,C.")
@click.option("--train-on", multiple=True, help="Corpora to train on as a whole: A,B.")
@click.option("--test-on", multiple=True, help="Corpora to test as a whole, by what A,B taught: C.")
@click.option(
    "--method",
    type=GivenText(),
    help="Of multidomain: base, sb, omoe, mmoe or ours  [default: ours; base with --train-on]; of "
    "baseline: baseline, svm, or a published one, keesing or scheidwasser  [default: baseline]; of "
    "single a published system: adrnn, capsules, rudd, rudd-code, zhao-1d, zhao-2d, zhao-2d-time.",
)
@training_options(TRAIN_PRESET)
@click.option(
    "--split",
    "splits",
    type=GivenPath(path_type=Path, exists=True),
    help="Use the splits of this file, or those in the folder of another run.",
)
@click.option("--out", type=GivenPath(path_type=Path), help="Run folder [default: runs/...].")
@shard_option
@dry_run_option
@click.option(
    "--log",
    type=click.Choice(["tensorboard"]),
    help="Event files of the learning curves, in a folder beside the run folder.",
)
@json_option
@progress_option
@cache_option
def train(
    setting: str | None,
    corpus: tuple[str, ...],
    train_on: tuple[str, ...],
    test_on: tuple[str, ...],
    method: str | None,
    overrides: tuple[str, ...],
    splits: Path | None,
    out: Path | None,
    portion: Portion,
    dry_run: bool,
    cluster: str,
    cpus_per_worker: float | None,
    gpus_per_worker: float | None,
    log: Literal["tensorboard"] | None,
    as_json: bool,
    progress: Progress,
    cache_folders: tuple[Path, ...],
    **options: Any,
) -> None:
    """Train and test on cached features; write a run folder.

    Ended at any moment and given again with the same --out, the command goes on with what is
    missing. With --shard it trains its own portion of the models, and the last one to end writes
    the run folder.
    """
    from ..portion import ALL
    from ..train.runs.request import check_read
    from ..train.runs.train import plan_request, train_portion, train_request

    if splits and options["repeats"]:
        raise InputError("--repeats: the file of --split says how many there are")
    corpora, tested = _corpora(corpus, train_on, test_on)
    if tested:
        several = len(corpora) - len(tested) > 1
        setting = setting or ("multidomain" if several else "single")
        method = method or ("base" if setting == "multidomain" else None)
    if setting is None:
        raise InputError("--setting: expected single, baseline or multidomain")
    cache = open_cache(cache_folders)
    crew = named_cluster(cluster, options["workers"], cpus_per_worker, gpus_per_worker)
    request = training_request(
        *(cache, crew, TRAIN_PRESET),
        setting=setting,
        corpora=corpora,
        tested=tested,
        method=method or "",
        overrides=overrides,
        splits=splits,
        **options,
    )
    if not request.network:
        check_read(request.model, overrides)
    if dry_run:
        with progress:
            plan = plan_request(request, cache, out, portion, progress)
        tell_plans([plan], as_json)
    run: Run | None
    with progress:
        if portion == ALL:
            run = train_request(request, cache, out, progress, log=log or "", crew=crew)
        elif out is None:
            raise InputError(f"--shard {portion}: needs --out RUN, the same for all portions")
        elif log:
            raise InputError(f"--shard {portion}: give --log to the command without it, at the end")
        else:
            run = train_portion(request, cache, out, portion, progress, crew)
    if run is None:
        complain(others_left(portion))
    elif as_json:
        echo_json(run.metrics)
    else:
        _tell(run)


def _tell(run: Run) -> None:
    """Print what came of a run."""
    from ..train.runs.choices import chosen_by, describe_choices
    from ..train.runs.report import describe_run
    from ..train.runs.structures import describe_structures

    chosen = describe_choices(run.choices)
    said = f"Chosen by {chosen_by(run.choices)}: {chosen}." if chosen else describe_structures(run)
    echo("\n\n".join(filter(None, (describe_run(run.metrics), said))))
    echo(f"\n{run.folder}: {', '.join(sorted(p.name for p in run.folder.iterdir()))}")


def _corpora(
    corpus: tuple[str, ...], train_on: tuple[str, ...], test_on: tuple[str, ...]
) -> tuple[list[str], list[str]]:
    """All corpora, and those of them that are tested as a whole."""
    if not (train_on or test_on):
        if not corpus:
            raise InputError("--corpus: expected a corpus; or --train-on A,B and --test-on C")
        return split_names("--corpus", corpus), []
    if corpus or not (train_on and test_on):
        raise InputError("--train-on and --test-on: expected both, and no --corpus")
    tested = split_names("--test-on", test_on)
    return [*split_names("--train-on", train_on), *tested], tested
