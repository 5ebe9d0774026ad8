"""Where data sets of Hugging Face come from: folders and repositories, none of which read or run
what is not their own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import InputError, MissingPackageError, SerError, did_you_mean, install_command
from ...files import read_json
from ..paths import is_inside
from .columns import as_text
from .form import Options
from .hugging_face_classes import check_classes

_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_CARD = "README.md"


@dataclass(frozen=True)
class Card:
    """What the card of a data set says of all of it; blank for what it does not."""

    licence: str = ""
    language: str = ""


@contextmanager
def told(place: str) -> Iterator[Any]:
    """The library, quiet; what it raises is told as what is wrong with the data set."""
    try:
        import datasets
    except ImportError as error:
        raise MissingPackageError(
            f"data sets of Hugging Face need datasets: {install_command('datasets')}"
        ) from error
    shown = not datasets.utils.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield datasets
    except SerError:
        raise
    except Exception as error:  # datasets and pyarrow raise nearly anything
        cause: BaseException = error
        while cause.__cause__:
            cause = cause.__cause__
        why = f"{type(cause).__name__}: {cause!s:.300}".splitlines()[0]
        is_here = Path(place).expanduser().exists()
        kind = "it" if is_here else "the repository (there is no such folder)"
        raise InputError(f"{place}: datasets cannot read {kind}: {why}") from error
    finally:
        if shown:
            datasets.enable_progress_bars()


@contextmanager
def _sound_as_it_is(datasets: Any) -> Iterator[None]:
    """Have the library keep paths and bytes of sound without the decoder that it wants for any.

    That one needs FFmpeg, and is not asked to decode.
    """
    encode = datasets.Audio.encode_example

    def keep(feature: Any, value: Any) -> Any:
        if isinstance(value, str):
            return {"bytes": None, "path": value}
        if isinstance(value, dict) and "array" not in value:
            return {"bytes": value.get("bytes"), "path": value.get("path")}
        return encode(feature, value)

    datasets.Audio.encode_example = keep
    try:
        yield
    finally:
        datasets.Audio.encode_example = encode


def load_parts(datasets: Any, place: str, options: Options) -> tuple[dict[str, Any], Card]:
    """The parts of a data set by their names, and what its card says.

    Raises:
        InputError: it is none, has no such split, or would read files of elsewhere.
    """
    folder = Path(place).expanduser()
    card = Card()
    if (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file():
        _check_saved(folder)
        loaded = datasets.load_from_disk(str(folder))
    elif folder.is_dir() or _REPOSITORY.fullmatch(place):
        where = str(folder) if folder.is_dir() else place
        revision = None if folder.is_dir() else options.get("revision")
        builder = datasets.load_dataset_builder(where, options.get("config"), revision=revision)
        _check_sources(builder, folder if folder.is_dir() else None, place)
        check_classes(datasets, builder, place)
        with _sound_as_it_is(datasets):
            builder.download_and_prepare()
        loaded = builder.as_dataset()
        card = _card(folder / _CARD if folder.is_dir() else place, revision)
    else:
        raise InputError(
            f"no such folder: {place}; expected what save_to_disk made, a folder that load_dataset "
            "reads, or a repository such as NAME/DATASET"
        )
    is_dict = isinstance(loaded, datasets.DatasetDict)
    parts: dict[str, Any] = dict(loaded) if is_dict else {str(loaded.split or "all"): loaded}
    if licence := next((as_text(part.info.license) for part in parts.values()), ""):
        card = Card(licence, card.language)
    if wanted := options.get("split"):
        if wanted not in parts:
            raise InputError(
                f"{place}: has no split {wanted!r}{did_you_mean(wanted, parts)}; there are "
                f"{', '.join(parts)}"
            )
        parts = {wanted: parts[wanted]}
    if not parts:
        raise InputError(f"{place}: has no splits")
    return parts, card


def _card(where: Path | str, revision: str | None) -> Card:
    """What the card of a folder or a repository says; nothing where there is none."""
    from huggingface_hub import DatasetCard, hf_hub_download

    with suppress(Exception):  # whatever is wrong with it, the data set was read
        if isinstance(where, str):
            where = hf_hub_download(where, _CARD, repo_type="dataset", revision=revision)
        said = DatasetCard.load(where).data.to_dict()
        spoken = said.get("language") or []
        languages = [spoken] if isinstance(spoken, str) else list(map(str, spoken))
        licence = said.get("license")
        return Card(
            licence=licence if isinstance(licence, str) else "",
            language=languages[0] if len(languages) == 1 else "",
        )
    return Card()


def _check_saved(folder: Path) -> None:
    """Refuse a saved data set whose files are said to lie elsewhere, or are links that lead there.

    Raises:
        InputError: so it is, or it cannot be read.
    """
    try:
        parts = [folder]
        if (folder / "dataset_dict.json").is_file():
            splits = read_json(folder / "dataset_dict.json", dict[str, list[str]], folder)
            parts = [_below(folder, name) for name in splits.get("splits", [])]
        for part in parts:
            state = read_json(part / "state.json", dict[str, Any], folder)
            for file in state.get("_data_files", []):
                _below(part, file["filename"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{folder}: is no data set as save_to_disk makes it: {error}") from error


def _below(folder: Path, name: str) -> Path:
    path = folder / name
    if not is_inside(name) or not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{name!r:.100} is no file in {folder}")
    return path


def _check_sources(builder: Any, folder: Path | None, place: str) -> None:
    """Refuse a data set whose card has files of elsewhere read."""
    home = f"hf://datasets/{place}@"
    for files in (builder.config.data_files or {}).values():
        for file in files:
            inside = (
                str(file).startswith(home)
                if folder is None
                else Path(file).resolve().is_relative_to(folder.resolve())
            )
            if not inside:
                raise InputError(f"{place}: has a file read that is none of its own: {file!s:.200}")
