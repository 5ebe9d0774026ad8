"""The folder that a run leaves: enough to read its numbers and to build its models again."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors import SafetensorError
from safetensors.numpy import save_file
from safetensors.torch import load_file

from .. import __version__
from ..errors import InputError, SerError
from ..manifests import Manifest, Split, write_splits
from .jobs import Domains, Outcome
from .model import Recogniser
from .spec import ModelSpec

CONFIG, METRICS, MODEL = "config.json", "metrics.json", "model.safetensors"
PREDICTIONS, SPLIT, HISTORY = "predictions.csv", "split.csv", "history.json"
VERSIONS, STRUCTURE = "versions.json", "structure.json"


def is_run(folder: Path, config: Mapping[str, Any]) -> bool:
    """Whether a folder holds the run that `config` describes, all of it as it was written."""
    try:
        found = read_json(folder / CONFIG)
        if found != json.loads(json.dumps(config)):
            return False
        sums = read_json(folder / VERSIONS)["files"]
        return all(_sha256(folder / name) == sha256 for name, sha256 in sums.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def is_any_run(folder: Path) -> bool:
    """Whether a folder holds some run; others keep a `config.json` too."""
    try:
        found = read_json(folder / CONFIG)
        return isinstance(found, dict) and {"setting", "method", "corpora"} <= found.keys()
    except (OSError, ValueError):
        return False


def written_by_runs(name: str) -> bool:
    """Whether a file of this name in a run folder is one that runs write."""
    names = (CONFIG, METRICS, MODEL, PREDICTIONS, SPLIT, HISTORY, VERSIONS, STRUCTURE)
    return name in names or (name.startswith("split-") and name.endswith(".csv"))


def split_name(corpus: str, corpora: int) -> str:
    """Name of the file of a corpus' splits in a run folder of so many corpora."""
    return SPLIT if corpora == 1 else f"split-{corpus}.csv"


def split_file(path: Path, corpus: str, corpora: int) -> Path:
    """The file of a corpus' splits that `--split` names: itself, or in the folder of a run.

    Raises InputError if there is none.
    """
    if path.is_file() and corpora == 1:
        return path
    found = [path / split_name(corpus, 2), path / SPLIT]
    for file in found[: 1 + (corpora == 1)]:
        if file.is_file():
            return file
    if corpora > 1 and path.is_file():
        raise InputError(
            f"--split {path}: is one file; for several corpora name the folder of a run, in which "
            f"{split_name(corpus, corpora)} and the like are"
        )
    raise InputError(f"--split {path}: has no {split_name(corpus, corpora)}")


def write_run(
    folder: Path,
    config: Mapping[str, Any],
    metrics: Mapping[str, Any],
    domains: Domains,
    outcomes: Sequence[Outcome],
    manifests: Mapping[str, Manifest],
    splits: Mapping[str, Sequence[Split]],
) -> None:
    """Write a run into `folder`, and last the software that made it and a hash of every file.

    Args:
        outcomes: in the order of repeats and folds.
        manifests, splits: by corpus.

    Raises:
        SerError: it cannot be written.
    """
    try:
        write_json(folder / CONFIG, config)
        write_json(folder / METRICS, metrics)
        frame = predictions(domains, outcomes)
        frame.to_csv(folder / PREDICTIONS, index=False, lineterminator="\n", float_format="%.6f")
        weights = {
            model_prefix(outcome.seed, outcome.fold, member) + name: value
            for outcome in outcomes
            for member, state in enumerate(outcome.weights)
            for name, value in state.items()
        }
        if weights:
            save_file(weights, folder / MODEL)
            curves = [
                {"repeat": each.seed, "fold": each.fold, "members": list(each.history)}
                for each in outcomes
            ]
            write_json(folder / HISTORY, curves)
        structure = mean_structure(outcomes)
        if any(structure.values()):
            write_json(folder / STRUCTURE, structure)
        for corpus, each in splits.items():
            write_splits(folder / split_name(corpus, len(splits)), manifests[corpus], each)
        sums = {path.name: _sha256(path) for path in sorted(folder.iterdir())}
        about = {**software(), "platform": platform.platform(), "files": sums}
        write_json(folder / VERSIONS, about)
    except (OSError, SafetensorError) as error:
        raise SerError(f"the run could not be written to {folder.parent}: {error}") from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def mean_structure(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """By corpus, what `structure` says, averaged over all models; those of each are in history."""
    models = [member["structure"] for each in outcomes for member in each.history]
    return (
        {corpus: _mean([each[corpus] for each in models]) for corpus in models[0]} if models else {}
    )


def _mean(values: Sequence[Any]) -> Any:
    """Mean of numbers that lie at the same places of nested dicts and lists."""
    if isinstance(values[0], Mapping):
        return {name: _mean([each[name] for each in values]) for name in values[0]}
    if isinstance(values[0], list):
        return [_mean(each) for each in zip(*values, strict=True)]
    return sum(values) / len(values)


def model_prefix(repeat: int, fold: int, member: int) -> str:
    """The names of a model's tensors begin with repeat, fold and member."""
    return f"{repeat}/{fold}/{member}/"


def read_config(folder: Path) -> dict[str, Any]:
    """What `config.json` says of a run with models.

    Raises InputError if the folder is none.
    """
    try:
        config: dict[str, Any] = read_json(folder / CONFIG)
        ModelSpec.from_dict(config["model"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder}: not the folder of a run with models: {error}") from error
    return config


def load_model(folder: Path, repeat: int = 0, fold: int = 0, member: int = 0) -> Recogniser:
    """Build one model of a run again, ready to predict on what `load_inputs` reads.

    Raises InputError if the folder is not a run with models, or has no such model.
    """
    spec = ModelSpec.from_dict(read_config(folder)["model"])
    try:
        tensors = load_file(folder / MODEL)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{folder}: not the folder of a run with models: {error}") from error
    start = model_prefix(repeat, fold, member)
    state = {
        name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)
    }
    if not state:
        raise InputError(f"{folder}: holds no model of repeat {repeat}, fold {fold}, {member}")
    model = Recogniser(spec)
    model.load_state_dict(state)
    return model.eval()


def predictions(domains: Domains, outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """One row per corpus, repeat and test utterance, with the probability of every emotion."""
    frames = []
    for outcome in outcomes:
        for corpus, each in outcome.predictions.items():
            domain = domains[corpus]
            truth = domain.targets[domain.rows(each.split.test)].cpu().numpy()
            frame = pd.DataFrame(
                {
                    "corpus": corpus,
                    "repeat": outcome.seed,
                    "fold": outcome.fold,
                    "id": each.split.test,
                    "truth": [domain.labels[label] for label in truth],
                    "predicted": [domain.labels[label] for label in each.predicted],
                }
            )
            if each.probabilities is not None:
                for column, label in enumerate(domain.labels):
                    frame[f"p_{label}"] = each.probabilities[:, column]
            frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def software() -> dict[str, str]:
    """The versions that the numbers may depend on beside the settings."""
    packages = ("numpy", "pandas", "scikit-learn", "h5py", "safetensors")
    return {
        "ser": __version__,
        "ser.train": source_hash(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        **{name: metadata.version(name) for name in packages},
    }


@cache
def source_hash() -> str:
    """8 hex digits of the SHA-256 of the code that trains, which people change between versions."""
    folder = Path(__file__).parent
    text = "".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.py")))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def read_json(path: Path) -> Any:
    """The values of a JSON file of a run folder."""
    return json.loads(path.read_text(encoding="utf-8"))


def write_json(path: Path, value: Any) -> None:
    """Indented JSON, UTF-8, with a final line end."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
