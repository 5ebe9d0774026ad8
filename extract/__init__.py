"""Audio to features: every backbone runs once over a corpus, and the cache keeps what it says.

Importing this needs none of the packages of the extra `extract`; running it does.
"""

from .backbones.backbone import Backbone
from .backbones.registry import BACKBONES, make_backbone, make_backbones
from .pipeline import extract
from .report import ExtractReport

__all__ = ["BACKBONES", "Backbone", "ExtractReport", "extract", "make_backbone", "make_backbones"]
