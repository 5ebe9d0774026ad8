"""`ser cache`: looking after what is cached."""

import click

from .diff import cache_diff
from .export import cache_export
from .import_ import cache_import
from .ls import cache_ls
from .remove import cache_gc, cache_rm
from .share import cache_pull, cache_push
from .verify import cache_verify


@click.group("cache")
def cache_group() -> None:
    """Look after the cache."""


for command in (
    cache_ls,
    cache_verify,
    cache_push,
    cache_pull,
    cache_diff,
    cache_import,
    cache_export,
    cache_rm,
    cache_gc,
):
    cache_group.add_command(command)
