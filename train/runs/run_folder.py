"""The folder that a run leaves, as it is read again: by whoever, and perhaps made by a stranger.

What is in it is believed where `versions.json` has its hash, and then still checked.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ...errors import InputError
from ...files import open_regular, read_regular
from ..network.spec import ModelSpec

if TYPE_CHECKING:
    from ..network.recogniser import Recogniser

CONFIG, METRICS, MODEL = "config.json", "metrics.json", "model.safetensors"
PREDICTIONS, SPLIT, HISTORY = "predictions.csv", "split.csv", "history.json"
VERSIONS, STRUCTURE = "versions.json", "structure.json"

FORMAT = 3
"""Of the run folder; others are not read."""

MOST_JSON, MOST_BYTES = 64 << 20, 1 << 30
"""Of a JSON file, and of any other that is read as a whole."""

DEEPEST = 32
"""Lists and objects in one another, in JSON."""


@dataclass(frozen=True)
class SavedRun:
    """A run folder and what `versions.json` says of it.

    Attributes:
        about: all of `versions.json`.
        sums: the SHA-256 of every file of the run, by its name.
    """

    folder: Path
    about: Mapping[str, Any]
    sums: Mapping[str, str]

    @classmethod
    def open(cls, folder: Path) -> SavedRun:
        """Read `versions.json`; the other files are read, and verified, when they are asked for.

        Raises:
            OSError, ValueError: there is none, or it is not as runs write it.
        """
        about = read_json(folder / VERSIONS, folder)
        if not isinstance(about, dict) or about.get("sha256") != checksum(about):
            raise ValueError(f"{VERSIONS} is damaged, or of another version of ser")
        sums = about.get("files")
        if not isinstance(sums, dict) or not all(map(_is_sum, sums, sums.values())):
            raise ValueError(f"{VERSIONS} has no hashes of files")
        return cls(folder, about, sums)

    def read(self, name: str, most: int = MOST_BYTES) -> bytes:
        """All bytes of a file, as they were written.

        Raises:
            OSError, ValueError: it is not there, too long, or not as it was written.
        """
        data = read_regular(self.folder / name, most, self.folder)
        if hashlib.sha256(data).hexdigest() != self.sums.get(name):
            raise ValueError(f"{name} is not as the run wrote it")
        return data

    def json(self, name: str) -> Any:
        """The values of a JSON file, as they were written; raises as `read`."""
        return parse_json(self.read(name, MOST_JSON), name)

    def file(self, name: str) -> BinaryIO:
        """A file of any size, open for reading, that is as it was written; raises as `read`."""
        file = open_regular(self.folder / name, self.folder)
        try:
            if _sha256(file) != self.sums.get(name):
                raise ValueError(f"{name} is not as the run wrote it")
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return file

    def verify(self) -> None:
        """Raise as `read` unless every file is as it was written."""
        for name in self.sums:
            self.file(name).close()


def is_run(folder: Path, config: Mapping[str, Any]) -> bool:
    """Whether a folder holds the run that `config` describes, all of it as it was written."""
    try:
        run = SavedRun.open(folder)
        if run.json(CONFIG) != json.loads(json.dumps(config)):
            return False
        corpora = config["corpora"]
        names = {CONFIG, METRICS, PREDICTIONS}
        names |= {split_name(each, len(corpora)) for each in corpora}
        if config["model"] is not None:
            names |= {MODEL, HISTORY}
        run.verify()
        return names <= run.sums.keys()
    except (OSError, ValueError):
        return False


def is_any_run(folder: Path) -> bool:
    """Whether a folder holds some run; others keep a `config.json` too."""
    try:
        found = read_json(folder / CONFIG, folder)
        return isinstance(found, dict) and {"setting", "method", "corpora"} <= found.keys()
    except (OSError, ValueError):
        return False


def written_by_run(folder: Path) -> set[str]:
    """Names of the files that the run in a folder wrote, whatever version of ser it is of."""
    fixed = {CONFIG, METRICS, MODEL, PREDICTIONS, SPLIT, HISTORY, VERSIONS, STRUCTURE}
    try:
        listed = read_json(folder / VERSIONS, folder)["files"]
        return fixed | {name for name in listed if re.fullmatch(r"split-[a-z0-9_-]+\.csv", name)}
    except (OSError, ValueError, KeyError, TypeError):
        return fixed


def split_name(corpus: str, corpora: int) -> str:
    """Name of the file of a corpus' splits in a run folder of so many corpora."""
    return SPLIT if corpora == 1 else f"split-{corpus}.csv"


def split_file(path: Path, corpus: str, corpora: int) -> Path:
    """The file of a corpus' splits that `--split` names: itself, or in the folder of a run.

    Raises InputError if there is none, or it is not as the run wrote it.
    """
    if path.is_file() and corpora == 1:
        return path
    found = [path / split_name(corpus, 2), path / SPLIT]
    for file in found[: 1 + (corpora == 1)]:
        if file.is_file():
            _check_split(path, file.name)
            return file
    if corpora > 1 and path.is_file():
        raise InputError(
            f"--split {path}: is one file; for several corpora name the folder of a run, in which "
            f"{split_name(corpus, corpora)} and the like are"
        )
    raise InputError(f"--split {path}: has no {split_name(corpus, corpora)}")


def _check_split(folder: Path, name: str) -> None:
    try:
        if (folder / VERSIONS).exists():
            SavedRun.open(folder).file(name).close()
        else:
            open_regular(folder / name, folder).close()
    except (OSError, ValueError) as error:
        raise InputError(
            f"--split {folder}: {reason(error)}; to use a file as it is, copy it into a folder of "
            "its own"
        ) from None


def model_prefix(repeat: int, fold: int, member: int) -> str:
    """The names of a model's tensors begin with repeat, fold and member."""
    return f"{repeat}/{fold}/{member}/"


def read_config(folder: Path) -> tuple[ModelSpec, dict[str, str]]:
    """What the models of a run are, and the hash of the key of every feature that they read.

    Raises InputError if the folder is not that of a run with models, or not as it was written.
    """
    try:
        return _read_config(SavedRun.open(folder))
    except (OSError, ValueError, InputError) as error:
        raise _no_models(folder, error) from None


def load_model(folder: Path, repeat: int = 0, fold: int = 0, member: int = 0) -> Recogniser:
    """Build one model of a run again, ready to predict on what `load_inputs` reads.

    Raises InputError if the folder is not that of a run with models, is not as it was written, or
    has no such model.
    """
    from .states import load_state, model_of

    prefix = model_prefix(repeat, fold, member)
    try:
        run = SavedRun.open(folder)
        spec, _ = _read_config(run)
        run.file(MODEL).close()
        state = load_state(folder / MODEL, prefix)
        model = model_of(spec, state) if state else None
    except (OSError, ValueError, InputError) as error:
        raise _no_models(folder, error) from None
    if model is None:
        raise InputError(f"{folder}: holds no model of repeat {repeat}, fold {fold}, {member}")
    return model


def _read_config(run: SavedRun) -> tuple[ModelSpec, dict[str, str]]:
    found = run.json(CONFIG)
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise ValueError(f"{CONFIG} is of another version of ser; train it anew")
    if found.get("model") is None:
        raise ValueError("it is a baseline, which is not kept")
    features = found.get("features")
    if not isinstance(features, dict):
        raise ValueError(f"{CONFIG}: features: expected the keys by name")
    keys = {}
    for name, about in features.items():
        key = about.get("key") if isinstance(about, dict) else None
        if not isinstance(key, str) or not re.fullmatch("[0-9a-f]{8,64}", key):
            raise ValueError(f"{CONFIG}: the key of the feature {name!r} is none")
        keys[name] = key
    return ModelSpec.from_dict(found["model"], CONFIG), keys


def _no_models(folder: Path, error: Exception) -> InputError:
    return InputError(f"{folder}: not the folder of a run with models: {reason(error)}")


def reason(error: Exception) -> str:
    """What went wrong with a file, for a message: with its name, if that is known."""
    if isinstance(error, OSError):
        name = f"{Path(str(error.filename)).name}: " if error.filename else ""
        return f"{name}{error.strerror or error}"
    return str(error)


def read_json(path: Path, below: Path | None = None) -> Any:
    """The values of a JSON file that a stranger may have made, see `read_regular`.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no JSON, or has numbers that are not finite, or a name twice.
    """
    return parse_json(read_regular(path, MOST_JSON, below), path.name)


def parse_json(data: bytes, name: str = "") -> Any:
    """The values of JSON that a stranger may have made; raises ValueError as `read_json`."""
    try:
        values = json.loads(
            data, parse_constant=_number, parse_float=_number, object_pairs_hook=_without_doubles
        )
    except RecursionError:
        raise ValueError(f"{name}: nested too deep") from None
    except ValueError as error:
        raise ValueError(f"{name}: not valid JSON: {error}") from None
    level = [values] if isinstance(values, (dict, list)) else []
    for _ in range(DEEPEST):
        inner = [each.values() if isinstance(each, dict) else each for each in level]
        level = [each for items in inner for each in items if isinstance(each, (dict, list))]
    if level:
        raise ValueError(f"{name}: nested too deep")
    return values


def _number(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text[:20]} is no number")
    return value


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("a name stands twice")
    return values


def checksum(about: Mapping[str, Any]) -> str:
    """SHA-256 of all that `versions.json` says beside it."""
    rest = {name: value for name, value in about.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _sha256(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    while piece := file.read(1 << 20):
        digest.update(piece)
    return digest.hexdigest()


def _is_sum(name: str, value: Any) -> bool:
    plain = name not in ("", ".", "..") and not re.search(r"[/\\:\0]", name)
    return plain and isinstance(value, str) and bool(re.fullmatch("[0-9a-f]{64}", value))
