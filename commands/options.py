"""Options that several commands take, and what they stand for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import InputError

if TYPE_CHECKING:
    from ..cache import Cache

Command = Callable[..., Any]


class GivenPath(click.Path):
    """A path that is not empty, as that of an unset variable of the shell is."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("is empty", param, ctx)
        return super().convert(value, param, ctx)


features_option = click.option(
    "--features",
    multiple=True,
    default=["mfcc,ge2e"],
    show_default=True,
    help="Comma-separated.",
)

cache_option = click.option(
    "--cache",
    "cache_folder",
    type=GivenPath(path_type=Path, file_okay=False),
    help="Folder of the cache [default: $SER_CACHE, else the user's cache folder].",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def open_cache(folder: Path | None) -> Cache:
    """The cache that `--cache` names, or else the user's."""
    from ..cache import Cache, default_cache_folder

    return Cache(folder or default_cache_folder())


def split_names(option: str, texts: Sequence[str]) -> list[str]:
    """Names between commas, of an option that may be given several times; none may be empty."""
    names = [name.strip() for text in texts for name in text.split(",")]
    if not all(names):
        raise InputError(f"{option} {','.join(texts)!r}: expected names with commas between")
    return names
