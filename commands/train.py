"""`ser train`: from cached features to a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from ..errors import InputError
from ..progress import Progress
from ..train import TRAIN_PRESET
from .options import GivenPath, cache_option, json_option, open_cache, progress_option, split_names
from .printing import echo, echo_json
from .training_options import training_options, training_request


@click.command()
@click.option("--setting", type=click.Choice(["single", "baseline", "multidomain"]), required=True)
@click.option(
    "--corpus", multiple=True, required=True, help="One, or with multidomain several: A,B,C."
)
@click.option("--method", help="Of multidomain: base, sb, omoe, mmoe or ours.  [default: ours]")
@training_options(TRAIN_PRESET)
@click.option(
    "--split",
    "splits",
    type=GivenPath(path_type=Path, exists=True),
    help="Use the splits of this file, or those in the folder of another run.",
)
@click.option("--out", type=GivenPath(path_type=Path), help="Run folder [default: runs/...].")
@click.option(
    "--log",
    type=click.Choice(["tensorboard"]),
    help="Event files of the learning curves, in a folder beside the run folder.",
)
@json_option
@progress_option
@cache_option
def train(
    setting: str,
    corpus: tuple[str, ...],
    method: str | None,
    overrides: tuple[str, ...],
    splits: Path | None,
    out: Path | None,
    log: Literal["tensorboard"] | None,
    as_json: bool,
    progress: Progress,
    cache_folder: Path | None,
    **options: Any,
) -> None:
    """Train and test on cached features; write a run folder."""
    from ..train.runs.report import describe_run
    from ..train.runs.structures import describe_structures
    from ..train.runs.train import train_request

    if setting == "baseline" and overrides:
        raise InputError("--set: the baseline has no settings")
    if splits and options["repeats"]:
        raise InputError("--repeats: the file of --split says how many there are")
    cache = open_cache(cache_folder)
    request = training_request(
        cache,
        setting=setting,
        corpora=split_names("--corpus", corpus),
        method=method or "",
        overrides=overrides,
        splits=splits,
        **options,
    )
    with progress:
        run = train_request(request, cache, out, progress, log=log or "")
    if as_json:
        echo_json(run.metrics)
    else:
        echo("\n\n".join(filter(None, (describe_run(run.metrics), describe_structures(run)))))
        echo(f"\n{run.folder}: {', '.join(sorted(p.name for p in run.folder.iterdir()))}")
