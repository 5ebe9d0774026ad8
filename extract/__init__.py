"""Audio to features: every backbone runs once over a corpus, and the cache keeps what it says.

`extract_corpus` does all of it. Importing this needs none of the packages of the extra `extract`;
running it does.
"""

from .backbones.backbone import Backbone
from .backbones.registry import BACKBONES, make_backbone, make_backbones
from .corpus import extract_corpus
from .pipeline import ExtractReport, extract
from .plan import ExtractPlan, FeaturePlan, plan_corpus

__all__ = [
    "BACKBONES",
    "Backbone",
    "ExtractPlan",
    "ExtractReport",
    "FeaturePlan",
    "extract",
    "extract_corpus",
    "make_backbone",
    "make_backbones",
    "plan_corpus",
]
