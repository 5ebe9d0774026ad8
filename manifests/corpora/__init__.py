"""The corpora that are known by name, a file each: what they are, and how a copy is scanned."""

from ...registry import Registry
from .cafe import CAFE
from .corpus import Corpus, Entry, Scan
from .emodb import EMODB
from .emovo import EMOVO
from .file_names import by_file_names
from .iemocap import IEMOCAP
from .ravdess import RAVDESS

CORPORA: Registry[Corpus] = Registry(
    "corpus",
    "ser.corpora",
    {corpus.name: corpus for corpus in (EMODB, CAFE, IEMOCAP, RAVDESS, EMOVO)},
)

__all__ = ["CORPORA", "Corpus", "Entry", "Scan", "by_file_names"]
