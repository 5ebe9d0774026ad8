"""The folder of a transformers model: which of its files are read, and that no others are.

Weights are in one file, or in parts that an index names. What is hashed is what the index names,
and nothing else is loaded: the parts are files directly in the folder.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ... import files
from ...errors import InputError, SerError
from .plain_names import is_plain_name

DESCRIPTIONS = ("config.json", "preprocessor_config.json", "processor_config.json")
"""The files besides the weights that change a number."""
ADAPTER = "adapter_config.json"
"""Says that other weights are to be added to those of the model."""

_MOST_JSON = 10 << 20
_MOST_PARTS = 1000


@dataclass(frozen=True)
class Form:
    """One way in which weights come: all in the file `single`, or in parts named by `index`."""

    single: str
    index: str
    end: str


SAFE = Form("model.safetensors", "model.safetensors.index.json", ".safetensors")
TORCH = Form("pytorch_model.bin", "pytorch_model.bin.index.json", ".bin")


def find_form(where: object, names: Collection[str], place: str = "") -> tuple[Form, bool]:
    """The form in which a model's weights come, the better first, and whether in one file.

    Args:
        where: the model, for messages.
        names: all of its files.
        place: " on the hub", for messages.

    Raises:
        InputError: it is an adapter of another model, which is not applied here.
        SerError: there are no weights for PyTorch.
    """
    if ADAPTER in names:
        raise InputError(
            f"{where}: has an adapter ({ADAPTER}), which is not applied here; expected a model "
            "that it is merged into"
        )
    for form in (SAFE, TORCH):
        if form.single in names or form.index in names:
            return form, form.single in names
    raise SerError(f"{where}: has no weights for PyTorch{place} ({SAFE.single} or {TORCH.single})")


def bounds(folder: Path) -> Path:
    """The folder that links may not lead out of.

    A snapshot in the cache of huggingface_hub consists of links to its neighbour `blobs`.
    """
    whole = folder.resolve()
    if whole.parent.name == "snapshots" and whole.parent.parent.name.startswith("models--"):
        return whole.parent.parent
    return whole


def weight_files(folder: Path) -> tuple[Form, list[str]]:
    """The form of a folder's weights, and the files that they are in, sorted.

    Raises:
        InputError: it holds an adapter, which is not applied here.
        SerError: there are no weights for PyTorch, or the index names something else than files
            of the folder.
    """
    try:
        names = {path.name for path in folder.iterdir()}
    except OSError as error:
        raise SerError(f"{folder}: cannot be read ({error.strerror})") from error
    form, single = find_form(folder, names)
    return form, [form.single] if single else index_parts(folder, form)


def index_parts(folder: Path, form: Form) -> list[str]:
    """The files that an index names, sorted.

    Raises:
        SerError: it is damaged, or names something else than files of its folder.
    """
    path = folder / form.index
    names = read_json(folder, form.index).get("weight_map")
    if not isinstance(names, dict) or not names:
        raise SerError(f"{path}: damaged: expected weight_map, from tensors to files")
    parts = set()
    for name in names.values():
        if not is_plain_name(name) or not name.endswith(form.end):
            shown = f"{name[:80]!r}" if isinstance(name, str) else f"a {type(name).__name__}"
            raise SerError(
                f"{path}: names {shown}; expected files *{form.end} directly in its folder"
            )
        parts.add(name)
    if len(parts) > _MOST_PARTS:
        raise SerError(f"{path}: names {len(parts)} files; expected at most {_MOST_PARTS}")
    return sorted(parts)


def model_files(folder: Path) -> list[str]:
    """The files of a folder that change a number, sorted.

    Raises:
        InputError, SerError: as `weight_files`.
    """
    form, parts = weight_files(folder)
    index = [form.index] if parts != [form.single] else []
    there = [name for name in DESCRIPTIONS if (folder / name).exists()]
    return sorted({*parts, *index, *there})


def read_json(folder: Path, name: str, what: str = "a transformers model") -> dict[str, Any]:
    """The names and values of a JSON file of a model's folder.

    Args:
        what: the model, for messages.

    Raises:
        SerError: it is missing, damaged, too long, or no file of this folder.
    """
    path = folder / name
    try:
        values: object = files.read_json(path, object, bounds(folder), _MOST_JSON)
    except FileNotFoundError:
        raise SerError(f"{path}: missing; expected the folder of {what}") from None
    except OSError as error:
        raise SerError(f"{path}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise SerError(f"{path}: damaged: not valid JSON ({str(error)[:200]})") from None
    if not isinstance(values, dict):
        raise SerError(f"{path}: damaged: expected names and values")
    return values
