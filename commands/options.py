"""Options that several commands take, and what they stand for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InputError

if TYPE_CHECKING:
    from ..cache import Cache

Command = Callable[..., Any]

FEATURES = "mfcc,ge2e"

cache_option = click.option(
    "--cache",
    "cache_folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the cache [default: $SER_CACHE, else the user's cache folder].",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def open_cache(folder: Path | None) -> Cache:
    """The cache that `--cache` names, or else the user's."""
    from ..cache import Cache, default_cache_folder

    return Cache(folder or default_cache_folder())


def split_names(option: str, text: str) -> list[str]:
    """Names between commas; an empty one is an error."""
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise InputError(f"{option} {text!r}: expected names with commas between")
    return names
