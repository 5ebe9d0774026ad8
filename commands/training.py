"""From cached features to models and tables: `train`, `reproduce`, `demo`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InputError
from ..train.config import REPRODUCE_PRESET, TRAIN_PRESET
from .options import (
    Command,
    GivenPath,
    cache_option,
    feature_names,
    features_option,
    json_option,
    open_cache,
    split_names,
)
from .printing import echo, echo_json

if TYPE_CHECKING:
    from ..cache import Cache


def training_options(preset: str) -> Callable[[Command], Command]:
    """How models are trained and tested; shared by `train` and `reproduce`.

    Args:
        preset: the default.
    """

    def add(command: Command) -> Command:
        for option in reversed(
            (
                features_option,
                click.option(
                    "--repeats",
                    type=click.IntRange(1),
                    help="[default: 5; 1 for --protocol speaker]",
                ),
                click.option(
                    "--protocol",
                    type=click.Choice(["paper", "speaker", "authors"]),
                    default="paper",
                    show_default=True,
                ),
                click.option(
                    "--preset",
                    default=preset,
                    show_default=True,
                    help="paper (to the letter), strong (what was measured to help), a .toml file.",
                ),
                click.option(
                    "--set",
                    "overrides",
                    multiple=True,
                    metavar="NAME=VALUE",
                    help="e.g. train.lr=5e-4",
                ),
                click.option(
                    "--skip-missing", is_flag=True, help="Leave out utterances that lack a feature."
                ),
                click.option(
                    "--overwrite", is_flag=True, help="Replace different runs in the folder."
                ),
                click.option(
                    "--device", default="auto", show_default=True, help="auto, cpu, cuda, ..."
                ),
                click.option(
                    "--workers", type=click.IntRange(1), help="Runs side by side [default: cores]."
                ),
                click.option(
                    "--memory",
                    type=click.FloatRange(0),
                    metavar="GB",
                    help="For features; what is more stays on the disk [default: what is free].",
                ),
            )
        ):
            command = option(command)
        return command

    return add


def training_values(
    cache: Cache, features: tuple[str, ...], repeats: int | None, protocol: str, **others: Any
) -> dict[str, Any]:
    """What `training_options` give, as `Request` and `Order` take it."""
    from ..train.runs.request import default_repeats

    return {
        "features": feature_names(cache, split_names("--features", features)),
        "protocol": protocol,
        "repeats": repeats or default_repeats(protocol),
        **others,
    }


@click.command()
@click.option("--setting", type=click.Choice(["single", "baseline", "multidomain"]), required=True)
@click.option(
    "--corpus", multiple=True, required=True, help="One, or with multidomain several: A,B,C."
)
@click.option(
    "--method",
    help="Of multidomain: base, sb, omoe, mmoe or ours.  [default: ours]",
)
@training_options(TRAIN_PRESET)
@click.option(
    "--split",
    "splits",
    type=GivenPath(path_type=Path, exists=True),
    help="Use the splits of this file, or those in the folder of another run.",
)
@click.option("--out", type=GivenPath(path_type=Path), help="Run folder [default: runs/...].")
@json_option
@cache_option
def train(
    setting: str,
    corpus: tuple[str, ...],
    method: str | None,
    overrides: tuple[str, ...],
    splits: Path | None,
    out: Path | None,
    as_json: bool,
    cache_folder: Path | None,
    **options: Any,
) -> None:
    """Train and test on cached features; write a run folder."""
    from ..progress import Progress
    from ..train.config import load_config
    from ..train.runs.processes import prepare_workers
    from ..train.runs.request import Request, check_request

    if setting == "baseline" and overrides:
        raise InputError("--set: the baseline has no settings")
    if splits and options["repeats"]:
        raise InputError("--repeats: the file of --split says how many there are")
    cache = open_cache(cache_folder)
    config = load_config(options.pop("preset"), overrides)
    request = Request(
        setting=setting,
        corpora=split_names("--corpus", corpus),
        method=method or "",
        config=config,
        splits=splits,
        **training_values(cache, **options),
    )
    check_request(request)
    with Progress() as bar:
        bar.show("starting")
        prepare_workers()
        from ..train.runs.train import train

        run = train(request, cache, out, bar)
    from ..train.runs.report import describe_run

    if as_json:
        echo_json(run.metrics)
    else:
        echo(describe_run(run.metrics))
        echo(f"\n{run.folder}: {', '.join(sorted(p.name for p in run.folder.iterdir()))}")


@click.command()
@click.argument("what", type=click.Choice(["table3", "table4", "fig3", "fig4"]))
@click.option("--corpus", multiple=True, help="A,B,C  [default: the paper's that are cached]")
@training_options(REPRODUCE_PRESET)
@click.option("--out", type=GivenPath(path_type=Path), help="Folder [default: reproduced/...].")
@json_option
@cache_option
def reproduce(
    what: str,
    corpus: tuple[str, ...],
    out: Path | None,
    as_json: bool,
    cache_folder: Path | None,
    **options: Any,
) -> None:
    """Run the paper's experiments; write its tables and figures.

    \b
    table3  the methods for several corpora, single-domain models, the SVM
    table4  single-domain models with and without the auxiliary loss
    fig3    t-SNE of their test representations
    fig4    every feature alone, beside the weights of the gates

    Ended at any moment and given again, the command goes on with what is missing.
    """
    from ..progress import Progress
    from ..reproduce.plans import Order, check_order, default_out
    from ..train.runs.processes import prepare_workers

    cache = open_cache(cache_folder)
    order = Order(
        what=what,
        corpora=split_names("--corpus", corpus) if corpus else [],
        **training_values(cache, **options),
    )
    check_order(order)
    command = shlex.join(["ser", *sys.argv[1:]]).encode(errors="replace").decode()
    with Progress() as bar:
        bar.show("starting")
        prepare_workers()
        from ..reproduce.run import reproduce

        found = reproduce(order, cache, out or default_out(order), command, bar)
    if as_json:
        echo_json(found.values)
    else:
        echo(found.markdown)
        echo(f"{found.files[0].parent}: {', '.join(path.name for path in found.files)}")


@click.command()
@click.option(
    "--out",
    type=GivenPath(path_type=Path, file_okay=False),
    default=Path("demo-out"),
    show_default=True,
    help="Folder for audio, cache and runs.",
)
@json_option
def demo(out: Path, as_json: bool) -> None:
    """Synthesise three small corpora, extract, train, and print the table."""
    from ..demo.run import NOTICE, run_demo
    from ..progress import Progress
    from ..train.runs.report import comparison_table

    with Progress() as bar:
        runs = run_demo(out, bar)
    if as_json:
        echo_json(runs)
    else:
        echo(comparison_table(runs))
        echo(f"\n{NOTICE}")
