"""Under which licences the features of runs are, as far as is known on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import SerError

if TYPE_CHECKING:
    from ..cache import Cache
    from ..train.runs.run import Run


def feature_terms(runs: Sequence[Run], cache: Cache) -> dict[str, str]:
    """By the hash of their key, as the cache has them beside the shards; else by their name, as
    the backbones that are known here say."""
    from ..extract import make_backbone

    terms: dict[str, str] = {}
    with suppress(SerError):
        terms = {each.key.hash: each.licence for each in cache.listing() if each.licence}
    for run in runs:
        for name, key in run.config.keys.items():
            if key.hash not in terms and ":" not in name:
                with suppress(SerError):
                    terms[name] = make_backbone(name).terms()
    return terms
