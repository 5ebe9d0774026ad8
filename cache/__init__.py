"""How features rest on disk and travel: keys, immutable shards, the cache folder.

The format is described in `docs/shard-format.md`.
"""

from .cache import Cache
from .collection import Collection
from .features import Features, StoredFeatures
from .folders import Problem, default_cache_folders
from .holdings import Holding, in_words, places
from .keys import FeatureKey
from .manifests import (
    ManifestChange,
    manifest_change,
    remove_manifest,
    store_manifest,
    with_known_ids,
)
from .merge import Merge
from .removal import Removal
from .terms import Terms, read_terms, save_terms
from .verify import FolderReport, VerifyReport
from .writer import ShardWriter, Utterances, as_stored

__all__ = [
    "Cache",
    "Collection",
    "FeatureKey",
    "Features",
    "FolderReport",
    "Holding",
    "ManifestChange",
    "Merge",
    "Problem",
    "Removal",
    "ShardWriter",
    "StoredFeatures",
    "Terms",
    "Utterances",
    "VerifyReport",
    "as_stored",
    "default_cache_folders",
    "in_words",
    "manifest_change",
    "places",
    "read_terms",
    "remove_manifest",
    "save_terms",
    "store_manifest",
    "with_known_ids",
]
