"""How features rest on disk and travel: keys, immutable shards, the cache folder.

The format is described in `docs/shard-format.md`.
"""

from .features import Features, StoredFeatures
from .folders import default_cache_folder
from .keys import FeatureKey
from .manifest_store import store_manifest, with_known_ids
from .store import Cache, Holding, Removal
from .verify import Problem, VerifyReport
from .writer import ShardWriter

__all__ = [
    "Cache",
    "FeatureKey",
    "Features",
    "Holding",
    "Problem",
    "Removal",
    "ShardWriter",
    "StoredFeatures",
    "VerifyReport",
    "default_cache_folder",
    "store_manifest",
    "with_known_ids",
]
