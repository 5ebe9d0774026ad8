"""Forms in which others keep their corpora, a file each: databases, data sets, lists of files."""

from pathlib import Path

from ...registry import Registry
from .audformat_database import read_database
from .columns import ROLES
from .emobox_lists import read_lists
from .form import Format, folder_of
from .hugging_face import read_dataset
from .kaldi_folder import read_folder
from .lhotse_manifests import read_manifests


def _if_there(place: str) -> Path | None:
    folder = Path(place).expanduser()
    return folder if folder.is_dir() else None


_COLUMNS = tuple(ROLES)

FORMATS: Registry[Format] = Registry(
    "format",
    "ser.formats",
    {
        "audformat": Format(
            "a database of audformat", read_database, folder_of, ("table", *_COLUMNS)
        ),
        "emobox": Format("EmoBox's lists", read_lists, folder_of),
        "hf": Format(
            "a data set of Hugging Face",
            read_dataset,
            _if_there,
            ("audio", "split", "config", "revision", *_COLUMNS),
            unpacks=True,
        ),
        "kaldi": Format("a data folder of Kaldi", read_folder, folder_of, ("label",)),
        "lhotse": Format("manifests of lhotse", read_manifests, folder_of, _COLUMNS),
    },
)

__all__ = ["FORMATS", "Format"]
