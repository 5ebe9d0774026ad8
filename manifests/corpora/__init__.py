"""The corpora that are known by name, a file each: what they are, and how a copy is scanned."""

from ...registry import Registry
from .aesdd import AESDD
from .ased import ASED
from .asvpesd import ASVPESD
from .cafe import CAFE
from .casia import CASIA
from .corpus import Corpus, Entry, Scan
from .cremad import CREMAD
from .emns import EMNS
from .emodb import EMODB
from .emovdb import EMOVDB
from .emovo import EMOVO
from .emozionalmente import EMOZIONALMENTE
from .enterface import ENTERFACE
from .esd import ESD_EN, ESD_ZH
from .file_names import by_file_names, by_named_groups
from .iemocap import IEMOCAP
from .jlcorpus import JLCORPUS
from .mead import MEAD
from .meld import MELD
from .mesd import MESD
from .mosei import MOSEI
from .msppodcast import MSPPODCAST
from .oreau import OREAU
from .pavoque import PAVOQUE
from .polish import POLISH
from .ravdess import RAVDESS
from .resd import RESD
from .savee import SAVEE
from .shemo import SHEMO
from .subesco import SUBESCO
from .tess import TESS
from .turevdb import TUREVDB
from .urdu import URDU

_KNOWN = (
    # The paper's and those of the tables first, then by name.
    *(EMODB, CAFE, IEMOCAP, RAVDESS, EMOVO),
    *(AESDD, ASED, ASVPESD, CASIA, CREMAD, EMNS, EMOVDB, EMOZIONALMENTE, ENTERFACE, ESD_EN, ESD_ZH),
    *(JLCORPUS, MEAD, MELD, MESD, MOSEI, MSPPODCAST, OREAU, PAVOQUE, POLISH, RESD, SAVEE, SHEMO),
    *(SUBESCO, TESS, TUREVDB, URDU),
)

CORPORA: Registry[Corpus] = Registry(
    "corpus", "ser.corpora", {corpus.name: corpus for corpus in _KNOWN}
)

__all__ = ["CORPORA", "Corpus", "Entry", "Scan", "by_file_names", "by_named_groups"]
