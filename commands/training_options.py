"""How models are trained and tested: the options that `train` and `reproduce` share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ..errors import TO_DO
from .options import (
    GivenText,
    Number,
    Option,
    cluster_options,
    device_option,
    feature_names,
    folds_option,
    protocol_option,
    split_names,
    together,
)
from .printing import echo, echo_json

if TYPE_CHECKING:
    from ..cache import Cache
    from ..portion import Portion
    from ..train.runs.plan import RunPlan
    from ..train.runs.request import Request
    from ..workers.cluster import Cluster


def training_options(preset: str) -> Option:
    """The options, with this preset as the default."""
    return together(
        click.option(
            "--features",
            multiple=True,
            help="Comma-separated  [default: mfcc,ge2e; of a published system what it reads].",
        ),
        click.option(
            "--repeats", type=click.IntRange(1), help="[default: 5; 1 where a repeat is folds]"
        ),
        protocol_option,
        folds_option,
        click.option(
            "--preset",
            type=GivenText(),
            help="paper (to the letter), strong (what was measured to help), a .toml file  "
            f"[default: {preset}; of a published system its own].",
        ),
        click.option(
            "--set", "overrides", multiple=True, metavar="NAME=VALUE", help="e.g. train.lr=5e-4"
        ),
        click.option(
            "--skip-missing", is_flag=True, help="Leave out utterances that lack a feature."
        ),
        click.option("--overwrite", is_flag=True, help="Replace different runs in the folder."),
        click.option(
            "--map",
            "label_map",
            type=GivenText(),
            metavar="MAP",
            help="Labels merged, renamed or left out: four, six, seven, valence, or a CSV file "
            "from,to.",
        ),
        device_option,
        click.option(
            "--workers",
            type=click.IntRange(1),
            help="Runs side by side  [default: cores; on a cluster what has room].",
        ),
        cluster_options,
        click.option(
            "--memory",
            type=Number(0),
            metavar="GB",
            help="For features; what is more stays on the disk [default: what is free].",
        ),
    )


def training_request(
    cache: Cache,
    crew: Cluster | None,
    usual_preset: str,
    features: tuple[str, ...],
    preset: str | None,
    overrides: tuple[str, ...],
    protocol: str | None,
    repeats: int | None,
    label_map: str | None,
    device: str,
    **others: Any,
) -> Request:
    """What the options ask for; `others` are as `Request` has them.

    Args:
        usual_preset: where neither a user nor the method has one.
    """
    from ..manifests import WHOLE, LabelMap
    from ..train.config import canonical, load_config
    from ..train.methods import usual
    from ..train.runs.request import Request, default_repeats

    # A file of splits says itself which protocol it is of, and for whole corpora there is one.
    usual_protocol = WHOLE if others.get("tested") else "" if others.get("splits") else "paper"
    protocol = protocol or usual_protocol
    usual_features, usual_preset = usual(others["setting"], others.get("method", ""), usual_preset)
    names = split_names("--features", features) if features else list(usual_features)
    return Request(
        features=feature_names(cache, names),
        config=load_config(preset or usual_preset, overrides),
        asked=canonical(overrides),
        protocol=protocol,
        repeats=repeats or default_repeats(protocol),
        label_map=LabelMap.load(label_map) if label_map else None,
        device=crew.device if crew and device == "auto" else device,
        elsewhere=crew is not None,
        **others,
    )


def tell_plans(
    plans: Sequence[RunPlan], as_json: bool, files: Mapping[str, bool] | None = None
) -> NoReturn:
    """Print what there is to do, and end with the exit code that says whether.

    Args:
        files: beside the runs, and whether they are there.
    """
    files = files or {}
    if as_json:
        runs = [asdict(plan) | {"folder": str(plan.folder)} for plan in plans]
        echo_json({"runs": runs, "files": dict(files)})
    else:
        for plan in plans:
            echo(f"{'+'.join(plan.corpora)} {plan.method}: {_left(plan)}")
        for name, written in files.items():
            echo(f"{name}: {'is there' if written else 'would be written'}")
    to_do = any(plan.to_do for plan in plans) or not all(files.values())
    raise click.exceptions.Exit(TO_DO if to_do else 0)


def _left(plan: RunPlan) -> str:
    finished = f"{plan.finished} of {plan.jobs} models finished"
    if not plan.to_do:
        return f"{finished}, {plan.folder} is there"
    if plan.finished == plan.jobs:
        return f"{finished}, {plan.folder} is not written"
    what = f"{plan.jobs - plan.finished} to train"
    if plan.networks:
        what += f": {plan.networks} networks, {plan.epochs} epochs"
    return f"{finished}, {what}, on features of {plan.size / 1e9:.3g} GB"


def others_left(portion: Portion) -> str:
    """What is told where all of a portion is done, and not all of the others."""
    return (
        f"portion {portion} is done. Whoever finds all portions finished writes the result; should "
        "none have, as where a drive shows new files late, the same command without --shard does"
    )


def without_option(name: str, words: Sequence[str]) -> list[str]:
    """A command line without an option that takes a value.

    >>> without_option("--shard", ["train", "--shard", "1/2", "-q", "--shard=slurm"])
    ['train', '-q']
    """
    kept: list[str] = []
    skip = False
    for word in words:
        if not skip and word != name and not word.startswith(f"{name}="):
            kept.append(word)
        skip = not skip and word == name
    return kept
