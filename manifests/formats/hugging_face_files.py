"""Where data sets of Hugging Face come from: folders and repositories, none of which read or run
what is not their own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ...errors import (
    InputError,
    MissingPackageError,
    SerError,
    did_you_mean,
    install_command,
    listing,
)
from ...files import read_json
from ..paths import is_inside
from .columns import as_text
from .form import Options
from .hugging_face_classes import check_classes
from .hugging_face_splits import data_files, left_out

_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_CARD = "README.md"


@dataclass(frozen=True)
class Card:
    """What the card of a data set says of all of it; blank for what it does not."""

    licence: str = ""
    language: str = ""


@dataclass(frozen=True)
class Loaded:
    """The parts of a data set by their names, and what is to be known of all of it.

    Attributes:
        left_out: says which files are in no part; blank: none.
        sounds: the files of a folder of sound, by part, where a table has a row for each.
    """

    parts: Mapping[str, Any]
    card: Card = field(default_factory=Card)
    left_out: str = ""
    sounds: Mapping[str, Set[Path]] = field(default_factory=dict)


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


def load(datasets: Any, place: str, options: Options) -> Loaded:
    """What a place has.

    Raises:
        InputError: it is none, has no such split, or would read files of elsewhere.
    """
    folder = Path(place).expanduser()
    if (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file():
        _check_saved(folder)
        loaded = Loaded(_parts(datasets, datasets.load_from_disk(str(folder))))
    elif folder.is_dir():
        loaded = _built(datasets, str(folder), folder, options)
    elif _REPOSITORY.fullmatch(place):
        loaded = _built(datasets, place, None, options)
    else:
        raise InputError(
            f"no such folder: {place}; expected what save_to_disk made, a folder that load_dataset "
            "reads, or a repository such as NAME/DATASET"
        )
    parts = loaded.parts
    if licence := next((as_text(part.info.license) for part in parts.values()), ""):
        loaded = replace(loaded, card=replace(loaded.card, licence=licence))
    if wanted := options.get("split"):
        names = [wanted] if wanted in parts else wanted.split(",")
        for name in names:
            if name not in parts:
                raise InputError(
                    f"{place}: has no split {name!r}{did_you_mean(name, parts)}; there are "
                    f"{', '.join(parts)}"
                )
        return replace(loaded, parts={name: parts[name] for name in names})
    if not parts:
        raise InputError(f"{place}: has no splits")
    return loaded


def _parts(datasets: Any, loaded: Any) -> dict[str, Any]:
    if isinstance(loaded, datasets.DatasetDict):
        return dict(loaded)
    return {str(loaded.split or "all"): loaded}


def _built(datasets: Any, place: str, folder: Path | None, options: Options) -> Loaded:
    """What the library makes of a folder, or else of a repository."""
    revision = None if folder else options.get("revision")
    builder = _builder(datasets, place, options.get("config"), revision)
    _check_sources(builder, folder, place)
    home = folder.resolve().as_posix() if folder else _repository(builder, place)
    check_classes(datasets, builder, place)
    unread = left_out(datasets, builder, home, place)
    with _sound_as_it_is(datasets):
        builder.download_and_prepare()
    card = _card(folder / _CARD if folder else place, revision)
    sounds = _sounds(builder) if folder else {}
    return Loaded(_parts(datasets, builder.as_dataset()), card, unread, sounds)


def _builder(datasets: Any, place: str, config: str | None, revision: str | None) -> Any:
    try:
        return datasets.load_dataset_builder(place, config, revision=revision)
    except ValueError:
        configs: list[str] = []
        with suppress(Exception):  # what is wrong is told already
            configs = datasets.get_dataset_config_names(place, revision=revision)
        if len(configs) < 2 or config in configs:
            raise
        has = f"has no configuration {config!r}" if config else "has several configurations"
        near = did_you_mean(config, configs) if config else ""
        raise InputError(
            f"{place}: {has}{near}; there are {listing(configs, 20)}: --option config={configs[0]}"
        ) from None


def _repository(builder: Any, place: str) -> str:
    """The address of a repository of the hub at the revision that is read."""
    file = next((str(file) for files in data_files(builder).values() for file in files), "")
    home = f"hf://datasets/{place}@"
    return home + file.removeprefix(home).partition("/")[0]


def _sounds(builder: Any) -> dict[str, Set[Path]]:
    """The files of sound by part, where a table says what they are."""
    kinds, tables = (getattr(builder, name, ()) for name in ("EXTENSIONS", "METADATA_FILENAMES"))
    files = {str(part): list(map(Path, each)) for part, each in data_files(builder).items()}
    if not any(file.name in tables for each in files.values() for file in each):
        return {}
    return {
        part: {file for file in each if file.suffix.lower() in kinds}
        for part, each in files.items()
    }


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
    if not is_inside(name) or not _is_of(folder, path):
        raise ValueError(f"{name!r:.100} is no file in {folder}")
    return path


def _is_of(folder: Path, path: Path) -> bool:
    """Whether a file lies in a folder, or is a link as the cache of the hub has them: from
    `snapshots/REVISION` into `blobs`, which is of the same repository."""
    home = folder.resolve()
    blobs = [each.with_name("blobs") for each in home.parents if each.name == "snapshots"]
    homes = (home, *blobs)
    return any(path.resolve().is_relative_to(each) for each in homes)


def _check_sources(builder: Any, folder: Path | None, place: str) -> None:
    """Refuse a data set whose card has files of elsewhere read."""
    home = f"hf://datasets/{place}@"
    for files in data_files(builder).values():
        for file in map(str, files):
            if not (_is_of(folder, Path(file)) if folder else file.startswith(home)):
                raise InputError(f"{place}: has a file read that is none of its own: {file:.200}")
