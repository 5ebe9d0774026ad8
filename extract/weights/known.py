"""Weights that do not come with a package: what they are, where they lie, what their bytes are.

All of them lie in one folder, under names of ours, so that a machine with network can fetch them
and a machine without can be given a copy of the folder. Fetching is in `fetch.py`.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ...errors import InputError, MissingWeightsError, SerError
from ...files import open_regular
from ...transfer.download import MOST
from ..specs import split_spec

HUB = "hf:"
"""How the address of a model on the hub begins: `hf:organisation/model`."""
HUB_FOLDER = "hub"
"""Below the weights folder: the models of the hub, as `organisation--model`."""
UNSTATED = "see its page on the hub"
"""The licence of a model that nothing is known of."""
MOST_BYTES = 64 << 30
"""Of all weights of a model; no speech encoder comes near it."""


@dataclass(frozen=True)
class Weights:
    """One published model, a file or a folder.

    Attributes:
        name: of the file or folder below the weights folder, and what `ser weights fetch` takes.
        url: http(s) address of the file, or of an archive that holds the folder; `hf:<model id>`
            for a model on the hub.
        licence: what its makers say.
        size: bytes to fetch, roughly (four for each parameter), where that can be told.
        sha256: of the file at `url`, where it is published.
        git_blob: id under which git keeps the file at `url`, where that is what is published.
        feature: spec of a feature that needs it.
        archive: `url` is a .tar.gz with one folder.
        files: names and patterns of the files of that folder that are unpacked.
    """

    name: str
    url: str
    licence: str
    size: int | None = None
    sha256: str | None = None
    git_blob: str | None = None
    feature: str = ""
    archive: bool = False
    files: tuple[str, ...] = ("*",)

    @property
    def most(self) -> int:
        """Bytes that a download may have: the size is a rough one."""
        return 2 * self.size + (1 << 20) if self.size else MOST

    @property
    def hub_id(self) -> str | None:
        """The model's id on the hub, or None for what lies elsewhere."""
        return self.url.removeprefix(HUB) if self.url.startswith(HUB) else None


def hub_weights(
    model: str,
    licence: str = UNSTATED,
    size: int | None = None,
    feature: str = "",
) -> Weights:
    """The weights of a model on the hub, by its id `organisation/model`."""
    name = f"{HUB_FOLDER}/{model.replace('/', '--')}"
    return Weights(name, HUB + model, licence, size, feature=feature or HUB + model)


WAV2VEC = Weights(
    name="wav2vec_large.pt",
    url="https://dl.fbaipublicfiles.com/fairseq/wav2vec/wav2vec_large.pt",
    licence="MIT (fairseq)",
    feature="wav2vec",
)
BYOL = Weights(
    name="default2048_BYOLAs64x96-2105311814-e100-bs256-lr0003-rs42.pth",
    url="https://github.com/GasserElbanna/serab-byols/raw/main/checkpoints/"
    "default2048_BYOLAs64x96-2105311814-e100-bs256-lr0003-rs42.pth",
    licence="MIT (serab-byols)",
    size=21_300_000,
    git_blob="04fb26805f52db1af541b2186d1fc1a9ce86e4c7",
    feature="byol",
)
ALLOSAURUS = Weights(
    name="uni2005",
    url="https://github.com/xinjli/allosaurus/releases/download/v1.0/uni2005.tar.gz",
    licence="GPL-3.0 (allosaurus)",
    size=44_000_000,
    feature="allosaurus",
    archive=True,
    files=(
        "am_config.json",
        "model.pt",
        "pm_config.json",
        "lm_config*",
        "phone*",
        "inventory/*",
    ),
)
VGG16 = Weights(
    name="vgg16-397923af.pth",
    url="https://download.pytorch.org/models/vgg16-397923af.pth",
    licence="BSD-3-Clause (torchvision)",
    size=553_433_881,
    # The name has the first eight digits; the whole is what projects that pin this file agree on.
    sha256="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
    feature="vgg16",
)
KNOWN: tuple[Weights, ...] = (
    ALLOSAURUS,
    WAV2VEC,
    BYOL,
    VGG16,
    hub_weights("facebook/wav2vec2-base", "Apache-2.0", 380_000_000, "wav2vec2"),
    hub_weights("facebook/wav2vec2-large-xlsr-53", "Apache-2.0", 1_270_000_000),
    hub_weights("facebook/hubert-base-ls960", "Apache-2.0", 378_000_000),
    hub_weights("microsoft/wavlm-base-plus", size=378_000_000),
    hub_weights("facebook/data2vec-audio-base", "Apache-2.0", 373_000_000),
    hub_weights("openai/whisper-base", "Apache-2.0", 290_000_000),
)
"""What `ser weights ls` lists. Any other speech encoder of the hub can be fetched by its id."""
DEFAULT = tuple(weights for weights in KNOWN if not weights.feature.startswith(HUB))
"""What `ser weights fetch` brings when no name is given: the models that are features by a name of
their own."""


def find_weights(name: str) -> Weights:
    """The weights that a user names: by name, feature, `hf:<model id>` or model id.

    A feature may have its parameters with it, as `ser extract` takes it.

    Raises:
        InputError: there are none of that name.
    """
    kind, argument, settings = split_spec(name)
    if settings:
        name = f"{kind}:{argument}" if argument else kind
    for weights in KNOWN:
        if name in (weights.name, weights.feature, weights.url, weights.hub_id):
            return weights
    model = name.removeprefix(HUB)
    if is_hub_id(model) and (name.startswith(HUB) or "/" in model):
        return hub_weights(model)
    known = ", ".join(weights.feature for weights in KNOWN)
    raise InputError(
        f"no weights are known as {name!r}; known: {known}, and hf:<model id> for any model on "
        "the hub"
    )


_NAME = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?"
_HUB_ID = re.compile(rf"(?:{_NAME}/)?{_NAME}")


def is_hub_id(text: str) -> bool:
    """Whether this can be the id of a model on the hub: `organisation/model` or `model`."""
    return bool(_HUB_ID.fullmatch(text)) and "--" not in text and ".." not in text


def weights_folder() -> Path:
    """The folder in `SER_WEIGHTS`, else `weights` in the user's cache folder of this system."""
    if folder := os.environ.get("SER_WEIGHTS"):
        return Path(folder).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("ser", appauthor=False)) / "weights"


def place(weights: Weights) -> Path:
    """Where these weights are, or would be."""
    return weights_folder() / weights.name


def locate(weights: Weights) -> Path:
    """Where these weights are.

    Raises:
        MissingWeightsError: they are not here; the message says how to get them.
    """
    path = place(weights)
    if path.is_dir() if is_folder(weights) else path.is_file():
        return path
    raise MissingWeightsError(_missing(weights, path))


def is_folder(weights: Weights) -> bool:
    """Whether these weights are a folder of files."""
    return weights.archive or weights.hub_id is not None


def _missing(weights: Weights, path: Path) -> str:
    what = "folder" if is_folder(weights) else "file"
    command = f"ser weights fetch {weights.feature or weights.name}"
    return (
        f"feature {weights.feature or weights.name}: its weights are not on this machine "
        f"(expected the {what} {path}). Run: {command}\n"
        f"Without network, run the same command on a machine that has it, with SER_WEIGHTS set to "
        f"an empty folder, and copy what is in there to {weights_folder()}"
        + ("" if is_folder(weights) else f"; or save {weights.url} as {path}")
    )


def digest(path: Path, names: Iterable[str] | None = None, *, below: Path | None = None) -> str:
    """The sha256 of a file, or of the files of a folder.

    A folder's is that of lines `<sha256 of the file>  <its path below the folder>`, sorted by
    path, as `sha256sum` would print them. Hidden files and folders do not count, nor does what
    `record_path` names.

    Args:
        path: the file or folder.
        names: files below the folder that count, with "/"; None is all of them.
        below: a folder that all of them must lie in, wherever links lead.

    Raises:
        SerError: it cannot be read.
    """
    try:
        if not path.is_dir():
            return _file_digest(path, below)
        found = sorted(_files(path) if names is None else names)
        lines = [f"{_file_digest(path / name, below)}  {name}\n" for name in found]
    except OSError as error:
        raise SerError(f"{path}: cannot be read ({error.strerror})") from error
    return hashlib.sha256("".join(lines).encode("utf-8")).hexdigest()


def _files(folder: Path) -> list[str]:
    """The files below a folder, hidden ones left out, with "/" on every system."""
    paths = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return [path.as_posix() for path in paths if not any(p.startswith(".") for p in path.parts)]


def _file_digest(path: Path, below: Path | None) -> str:
    with open_regular(path, below) as file:
        state = os.fstat(file.fileno())
        if state.st_size > MOST_BYTES:
            raise OSError(errno.EFBIG, f"it is longer than {MOST_BYTES >> 30} GB", str(path))
    return _hash(str(path), state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)


@lru_cache(maxsize=256)
def _hash(path: str, *state: int) -> str:
    """Hash a file once per process: a gigabyte takes seconds, and keys are asked for often."""
    with open_regular(Path(path)) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def git_blob(path: Path) -> str:
    """The id under which git keeps the bytes of a file (without filters): 40 hex digits."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        begun = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
        return hashlib.file_digest(file, lambda: begun).hexdigest()


def record_path(path: Path) -> Path:
    """The JSON beside weights that says where they came from and what was verified."""
    return path.with_name(f"{path.name}.json")
