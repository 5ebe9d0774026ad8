"""The folder that a run leaves: enough to read its numbers and to build its models again."""

from __future__ import annotations

import json
import platform
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
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
from ..files import PARTIAL, sync, sync_folder
from .data import Domain
from .jobs import Outcome
from .model import ModelSpec, Recogniser

CONFIG, METRICS, MODEL = "config.json", "metrics.json", "model.safetensors"
PREDICTIONS, SPLIT, HISTORY = "predictions.csv", "split.csv", "history.json"
VERSIONS = "versions.json"


def check_target(folder: Path, config: Mapping[str, Any], overwrite: bool) -> None:
    """Refuse a folder whose content would be lost: anything but the same run as `config`."""
    if folder.is_file():
        raise InputError(f"--out {folder}: is a file, expected a folder")
    if folder.absolute() == Path.cwd() or folder.is_mount():
        raise InputError(f"--out {folder}: cannot be replaced as a whole; name a folder in it")
    if overwrite and (folder / CONFIG).is_file():
        return
    if not folder.exists() or not any(folder.iterdir()) or _same_run(folder, config):
        return
    remedy = "choose another --out"
    if (folder / CONFIG).is_file():
        raise InputError(f"--out {folder}: holds a different run; {remedy}, or say --overwrite")
    raise InputError(f"--out {folder}: is not empty and not a run folder; {remedy}")


def _same_run(folder: Path, config: Mapping[str, Any]) -> bool:
    try:
        return bool(json.loads((folder / CONFIG).read_text(encoding="utf-8")) == config)
    except (OSError, ValueError):
        return False


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yield a hidden folder beside `target` that takes its place at the end, all at once.

    On an exception within, it is removed and `target` stays as it was.

    Raises:
        SerError: the folder cannot be made, or cannot take its place (it is kept then).
    """
    partial = target.parent / f"{PARTIAL}{uuid.uuid4().hex}-{target.name}"
    _sweep(target)
    try:
        partial.mkdir(parents=True)
        probe = partial / "probe"
        probe.write_bytes(bytes(4096))
        probe.unlink()
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise SerError(f"--out {target}: cannot be written: {error.strerror}") from error
    try:
        yield partial
        for path in partial.iterdir():
            sync(path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    _take_place(partial, target)


def _sweep(target: Path) -> None:
    """Remove what runs that were killed left beside `target` more than a day ago."""
    for partial in target.parent.glob(f"{PARTIAL}*-{target.name}"):
        if time.time() - partial.stat().st_mtime > 86_400:
            shutil.rmtree(partial, ignore_errors=True)


def _take_place(partial: Path, target: Path) -> None:
    old = partial.with_name(f"{partial.name}-replaced")
    try:
        if target.exists():
            target.rename(old)
        partial.rename(target)
    except OSError as error:
        if old.exists():
            old.rename(target)
        raise SerError(
            f"--out {target}: the finished run could not be put there ({error.strerror}); "
            f"it is whole in {partial}"
        ) from error
    sync_folder(target.parent)
    shutil.rmtree(old, ignore_errors=True)


def write_run(
    folder: Path,
    config: Mapping[str, Any],
    metrics: Mapping[str, Any],
    domain: Domain,
    outcomes: Sequence[Outcome],
) -> None:
    """Write everything but the split into `folder`.

    Raises:
        SerError: it cannot be written.
    """
    try:
        write_json(folder / CONFIG, config)
        write_json(folder / METRICS, metrics)
        write_json(folder / VERSIONS, versions())
        frame = predictions(domain, outcomes)
        frame.to_csv(folder / PREDICTIONS, index=False, lineterminator="\n", float_format="%.6f")
        weights = {
            model_prefix(outcome.split.seed, outcome.split.fold, member) + name: value
            for outcome in outcomes
            for member, state in enumerate(outcome.weights)
            for name, value in state.items()
        }
        if weights:
            save_file(weights, folder / MODEL)
            curves = [
                {"repeat": each.split.seed, "fold": each.split.fold, "members": list(each.history)}
                for each in outcomes
            ]
            write_json(folder / HISTORY, curves)
    except (OSError, SafetensorError) as error:
        raise SerError(f"the run could not be written to {folder.parent}: {error}") from error


def model_prefix(repeat: int, fold: int, member: int) -> str:
    """The names of a model's tensors begin with repeat, fold and member."""
    return f"{repeat}/{fold}/{member}/"


def load_model(folder: Path, repeat: int = 0, fold: int = 0, member: int = 0) -> Recogniser:
    """Build one model of a run again, ready to predict on what `as_encoded` makes of a domain.

    Raises InputError if the folder is not a run with models, or has no such model.
    """
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        tensors = load_file(folder / MODEL)
        spec = ModelSpec.from_dict(config["model"])
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
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


def predictions(domain: Domain, outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """One row per test utterance and repeat, with the probability of every emotion."""
    frames = []
    for each in sorted(outcomes, key=lambda each: (each.split.seed, each.split.fold)):
        truth = domain.targets[domain.rows(each.split.test)].cpu().numpy()
        frame = pd.DataFrame(
            {
                "corpus": domain.corpus,
                "repeat": each.split.seed,
                "fold": each.split.fold,
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


def versions() -> dict[str, str]:
    """What the numbers may depend on beside the settings."""
    packages = ("numpy", "pandas", "scikit-learn", "h5py", "safetensors")
    return {
        "ser": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "torch": torch.__version__,
        **{name: metadata.version(name) for name in packages},
    }


def write_json(path: Path, value: Any) -> None:
    """Indented JSON, UTF-8, with a final line end."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
