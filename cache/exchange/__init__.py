"""Features from elsewhere into the cache, and out of it for others: `docs/exchange.md`."""

from .exporting import FORMS, ExportReport, Form, export_features
from .importing import ImportReport, import_features
from .survey import Dtype, Kind

__all__ = [
    "FORMS",
    "Dtype",
    "ExportReport",
    "Form",
    "ImportReport",
    "Kind",
    "export_features",
    "import_features",
]
