"""Options that several commands take, and what they stand for."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InputError
from ..portion import Portion
from ..progress import Progress

if TYPE_CHECKING:
    from ..cache import Cache
    from ..cache.remotes import Place
    from ..manifests import Folds
    from ..workers.cluster import Cluster

LOCAL = "local"
"""What `--cluster` says of this machine."""

Command = Callable[..., Any]
Option = Callable[[Command], Command]


def together(*options: Option) -> Option:
    """Several options as one decorator, in the order in which --help lists them."""
    return lambda command: reduce(lambda made, option: option(made), reversed(options), command)


def _given(value: Any, kind: click.ParamType[Any], *where: Any) -> Any:
    """A value that is not empty, as that of an unset variable of the shell is."""
    if value == "":
        kind.fail("is empty", *where)
    return value


class GivenPath(click.Path):
    """A path that is not empty."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return super().convert(_given(value, self, param, ctx), param, ctx)


class GivenText(click.types.StringParamType):
    """A text that is not empty."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return super().convert(_given(value, self, param, ctx), param, ctx)


class Number(click.FloatRange):
    """A number in a range, which `nan` is in none of."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is no number", param, ctx)
        return number


def fold_number(context: click.Context, option: click.Parameter, text: str | None) -> Folds:
    """What `--folds` says; which numbers are too few, the protocol knows."""
    if text is None:
        return None
    if text == "all":
        return "all"
    if not re.fullmatch("-?[0-9]{1,9}", text):
        raise click.BadParameter(f"{text!r} is not all, and no number of folds", context, option)
    return int(text)


def _portion(context: click.Context, option: click.Parameter, text: str) -> Portion:
    """What `--shard` says."""
    return Portion.of(text)


shard_option = click.option(
    "--shard",
    "portion",
    callback=_portion,
    metavar="K/N|slurm",
    default="1/1",
    help="Do the K-th of N portions alone, 1/N to N/N; slurm: as this task of a job array.",
)
cluster_options = together(
    click.option(
        "--cluster",
        type=GivenText(),
        default=LOCAL,
        show_default=True,
        metavar="ADDRESS",
        help="Of a Ray cluster that does the work: ray://HOST:10001, HOST:6379, or auto.",
    ),
    click.option(
        "--cpus-per-worker",
        type=Number(0, min_open=True),
        help="On the cluster [default: 1].",
    ),
    click.option(
        "--gpus-per-worker",
        type=Number(0),
        help="On the cluster, e.g. 1, or .25 for four workers a GPU  [default: 0].",
    ),
)
dry_run_option = click.option(
    "--dry-run",
    is_flag=True,
    help="Only say what would be done. Exit code 0: nothing; 2: something, or wrong usage.",
)
protocol_option = click.option(
    "--protocol",
    type=GivenText(),
    metavar="PROTOCOL",
    help="paper, speaker, authors, or group:COLUMN of the manifest, e.g. group:sentence, "
    "group:speaker+sentence.  [default: paper]",
)
folds_option = click.option(
    "--folds",
    callback=fold_number,
    metavar="N|all",
    help="Of --protocol speaker and group:COLUMN; all: one speaker or group out.  [default: 5]",
)
features_option = click.option(
    "--features", multiple=True, default=["mfcc,ge2e"], show_default=True, help="Comma-separated."
)
device_option = click.option(
    "--device", default="auto", show_default=True, help="auto, cpu, cuda, ..."
)
cache_option = click.option(
    "--cache",
    "cache_folders",
    multiple=True,
    type=GivenPath(path_type=Path, file_okay=False),
    help="Folder of the cache; given again, a shared one that is only read  [default: those in "
    f"$SER_CACHE, with {os.pathsep} between, else the user's cache folder].",
)
progress_option = click.option(
    "-q",
    "--quiet",
    "progress",
    is_flag=True,
    callback=lambda context, option, quiet: Progress(quiet),
    help="Show no progress and no notes; warnings and errors stay.",
)
remote_option = click.option(
    "--remote",
    is_flag=False,
    flag_value="",
    metavar="[PLACE]",
    help="Of another place: a folder or a URL; without one, the team's, as for ser cache pull.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def named_cluster(
    address: str, workers: int | None, cpus: float | None, gpus: float | None
) -> Cluster | None:
    """The workers that `--cluster` and its kin name; None: those of this machine.

    Raises:
        InputError: what is said of a cluster is said of this machine.
    """
    if address != LOCAL:
        from ..workers.cluster import Cluster

        return Cluster(address, workers or None, cpus or 1.0, gpus or 0.0)
    for name, value in (("--cpus-per-worker", cpus), ("--gpus-per-worker", gpus)):
        if value is not None:
            raise InputError(f"{name}: is for workers of a cluster; say which, --cluster ADDRESS")
    return None


def open_cache(folders: Sequence[Path]) -> Cache:
    """The cache that `--cache` names, or else the user's.

    Raises:
        InputError: a folder is given twice or lies in another, or several are given as one.
    """
    from ..cache import Cache

    for folder in folders:
        if os.pathsep in str(folder) and not folder.is_dir():
            raise InputError(
                f"--cache {folder}: no such folder. Several are given one by one, --cache A "
                f"--cache B, or as {os.pathsep.join('AB')} in SER_CACHE"
            )
    return Cache(*folders) if folders else Cache.of()


def named_place(cache: Cache, remote: str) -> Place:
    """The place that `--remote` names, or else the team's."""
    from ..cache.remotes import open_place, team_place

    return open_place(remote or team_place(cache.folder))


def split_names(option: str, texts: Sequence[str]) -> list[str]:
    """Names between commas, of an option that may be given several times; none may be empty."""
    names = [name.strip() for text in texts for name in text.split(",")]
    if not all(names):
        raise InputError(f"{option} {','.join(texts)!r}: expected names with commas between")
    return names


def feature_names(cache: Cache, names: Sequence[str]) -> list[str]:
    """The names that the cache has for features, which users name as `ser extract` takes them.

    A plain word is such a name already; what the cache has literally is meant literally.

    Raises:
        InputError, SerError: a folder is named that is not there, or holds no model.
    """
    if not any(":" in name for name in names):
        return list(names)
    from ..extract.backbones.registry import canonical_name

    literal = {key.feature for key in cache.keys()}  # noqa: SIM118 - it is no mapping

    def known(name: str) -> bool:
        return ":" not in name or name in literal or name.rpartition("@")[0] in literal

    return [name if known(name) else canonical_name(name) for name in names]
