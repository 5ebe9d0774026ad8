"""The files of an exported head: the ONNX model, and a JSON that says how to feed it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from .. import __version__
from ..cache import Cache
from ..errors import InputError
from ..files import atomic_text, atomic_write
from ..train.runs.run import Run
from .graph import (
    OPSET,
    OUTPUT,
    TOLERANCE,
    Utterance,
    cached,
    check,
    input_names,
    made_up,
    to_onnx,
)

FORMAT = 1
"""Of the JSON."""


def write_onnx(
    run: Run, path: Path, corpus: str = "", repeat: int = 0, cache: Cache | None = None
) -> dict[str, Any]:
    """Write a head of a run as ONNX, and beside it, with the suffix .json, how to use it.

    The model is compared with the networks first: on utterances that are made up, and where the
    cache has them on the test utterances of the repeat.

    Args:
        corpus: whose emotions and classifier; needed where there are several.
        repeat: whose networks, all folds and members averaged.

    Returns:
        What the JSON says.

    Raises:
        InputError: there is no such head or repeat, or it cannot be exported.
        SerError: ONNX says something else than the networks; nothing is written.
        MissingPackageError: onnx or onnxruntime is not installed.
        OSError: a file cannot be written.
    """
    model_file, json_file = files_of(path)
    corpus = head_of(run, corpus)
    if run.spec.finetune_ge2e:
        raise InputError(
            f"{run.folder}: its GE2E was trained on (train.finetune_ge2e), and what cuts frames "
            "into its windows cannot be exported; train without it"
        )
    ensemble = run.ensemble(repeat)
    tested: Iterator[Utterance] = iter(())
    note = "no cache was given"
    if cache is not None:
        try:
            tested, note = cached(run, corpus, repeat, cache), ""
        except InputError as error:
            note = str(error)
    model = to_onnx(ensemble, run.config, corpus)
    invented = made_up(ensemble, run.config, corpus)
    checked = {
        "made_up": asdict(check(model, run, ensemble, corpus, invented)),
        "test": asdict(check(model, run, ensemble, corpus, tested)) | {"note": note},
    }
    about = {
        "format": FORMAT,
        "model": {
            "file": path.name,
            "sha256": hashlib.sha256(model).hexdigest(),
            "opset": OPSET,
            "networks": len(ensemble.recognisers),
            "checked": checked,
            "tolerance": TOLERANCE,
        },
        **_interface(run, corpus),
        "run": _origin(run, corpus, repeat),
        "versions": {
            "ser": __version__,
            **{name: metadata.version(name) for name in ("torch", "onnx", "onnxruntime")},
        },
    }
    atomic_write(model_file, lambda partial: partial.write_bytes(model))
    atomic_text(json_file, json.dumps(about, indent=2) + "\n")
    return about


def files_of(path: Path) -> tuple[Path, Path]:
    """The model, and the JSON beside it.

    Raises:
        InputError: the name of the model does not end in .onnx.
    """
    if path.suffix != ".onnx":
        raise InputError(f"--onnx {path}: expected a name that ends in .onnx")
    return path, path.with_suffix(".json")


def head_of(run: Run, corpus: str) -> str:
    """The corpus whose head is meant.

    Raises:
        InputError: the run has no models, no such head, or several and none is named.
    """
    domains = run.spec.domains
    if not corpus and len(domains) > 1:
        heads = ", ".join(f"{domain.corpus} ({domain.language})" for domain in domains)
        raise InputError(f"{run.folder}: has several heads; --corpus says which: {heads}")
    return run.spec.domain(corpus or domains[0].corpus).corpus


def _interface(run: Run, corpus: str) -> dict[str, Any]:
    """What goes in and what comes out."""
    names, domain = input_names(run.config), run.spec.domain(corpus)
    inputs = [
        {
            "name": names[feature],
            "feature": feature,
            "shape": ["frames", key.dim] if key.kind == "sequence" else [key.dim],
            "dtype": key.dtype,
            "hash": key.hash,
            "key": asdict(key),
        }
        for feature, key in run.config.keys.items()
    ]
    output = {"name": OUTPUT, "shape": [len(domain.labels)], "dtype": "float32"}
    return {
        "corpus": corpus,
        "language": domain.language,
        "labels": list(domain.labels),
        "inputs": inputs,
        "output": output,
    }


def _origin(run: Run, corpus: str, repeat: int) -> dict[str, Any]:
    """What was trained and tested, on what."""
    config, metrics = run.config, run.metrics
    # By whole corpora, a head is tested on others than its own.
    name = corpus if corpus in metrics["domains"] else next(iter(metrics["domains"]))
    tested = metrics["domains"][name]
    return {
        "repeat": repeat,
        "setting": config.setting,
        "method": config.method,
        "preset": metrics["preset"],
        "changes": metrics["changes"],
        "features": list(config.features),
        "protocol": config.protocol,
        "corpora": {
            name: {
                "language": record.language,
                "labels": list(record.labels),
                "utterances": record.utterances,
                "manifest": record.manifest,
                "split": record.split_hash,
            }
            for name, record in config.corpora.items()
        },
        "tested": {
            "corpus": name,
            "utterances": tested["n_test"],
            "repeats": metrics["repeats"],
            "speakers_shared": tested["speakers_shared"],
            "heard": tested["heard"],
            "ua": tested["ua"],
            "wa": tested["wa"],
            "interval": tested["interval"],
        },
        "sha256": run.about["sha256"],
    }
