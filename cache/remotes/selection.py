"""The part of what a place has that somebody asks for, by corpus and feature."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...errors import InputError, did_you_mean
from .. import layout
from ..keys import FeatureKey, slug
from .place import Offer, Place


def selected(
    place: Place, offered: Offer, corpora: Sequence[str], features: Sequence[str]
) -> Offer:
    """The part of an offer that is asked for; all of it where nothing is named.

    Raises:
        InputError: nothing of that name is there.
    """
    known = corpora_of(offered)
    for corpus in corpora:
        if corpus not in known:
            hint = did_you_mean(corpus, known)
            raise InputError(
                f"{place}: has nothing of corpus {corpus!r}{hint}; there: "
                f"{', '.join(known) or 'nothing'}"
            )
    wanted = set(corpora) or set(known)
    folders = {name.split("/")[1] for name in offered.shards}
    if features:
        chosen = set()
        for feature in features:
            fitting = [folder for folder in sorted(folders) if _means(place, folder, feature)]
            if not fitting:
                raise InputError(
                    f"{place}: has no feature {feature!r}; there: "
                    f"{', '.join(sorted(folders)) or 'none'}"
                )
            chosen.update(fitting)
        folders = chosen
    return Offer(
        shards={
            name: size
            for name, size in offered.shards.items()
            if layout.corpus_of(name) in wanted and name.split("/")[1] in folders
        },
        corpora=[corpus for corpus in offered.corpora if corpus in wanted],
        texts=frozenset(
            name
            for name in offered.texts
            if (name.split("/")[1] in folders if name.startswith("features/") else True)
            and (Path(name).name.partition(".")[0] in wanted or name.startswith("features/"))
        ),
    )


def _means(place: Place, folder: str, feature: str) -> bool:
    """Whether a feature folder is meant by a spec, or by a spec and first digits of a hash."""
    spec, _, digits = feature.rpartition("@")
    for name, start in ((feature, ""), (spec, digits)):
        if not name or not folder.startswith(f"{slug(name)}-"):
            continue
        label, _, hash = folder.rpartition("-")
        if label != slug(name) or not hash.startswith(start):
            continue
        data = place.read(f"features/{folder}/key.json")
        try:
            key = FeatureKey.from_json((data or b"").decode())
        except (InputError, UnicodeDecodeError):
            return True  # its name fits, and the shards know better
        if key.feature == name:
            return True
    return False


def corpora_of(offered: Offer) -> list[str]:
    """Of which there is a manifest or a shard, sorted."""
    named = {layout.corpus_of(name) for name in offered.shards}
    return sorted(named | set(offered.corpora))
