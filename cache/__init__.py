"""How features rest on disk and travel: keys, immutable shards, the cache folder.

The format is described in `docs/shard-format.md`.
"""

from .cache import Cache
from .features import Features, StoredFeatures
from .folders import Problem, default_cache_folders
from .holdings import Holding
from .keys import FeatureKey
from .manifests import store_manifest, with_known_ids
from .removal import Collection, Removal
from .terms import Terms, save_terms
from .verify import FolderReport, VerifyReport
from .writer import ShardWriter, as_stored

__all__ = [
    "Cache",
    "Collection",
    "FeatureKey",
    "Features",
    "FolderReport",
    "Holding",
    "Problem",
    "Removal",
    "ShardWriter",
    "StoredFeatures",
    "Terms",
    "VerifyReport",
    "as_stored",
    "default_cache_folders",
    "save_terms",
    "store_manifest",
    "with_known_ids",
]
