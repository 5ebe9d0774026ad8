"""A head as an ONNX model, and whether it says what the networks say."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from ..cache import Cache, FeatureKey
from ..errors import InputError, MissingPackageError, SerError, install_command
from ..machine import inference
from ..train.data import CPU, Packed, load_domain
from ..train.evaluate import probabilities_of_one
from ..train.network.encoders import Standardise
from ..train.network.ensemble import Ensemble
from ..train.network.systems.system import System
from ..train.runs.run import Run
from ..train.runs.run_config import RunConfig
from .head import Head

if TYPE_CHECKING:
    import onnxruntime

OPSET = 17
"""Version of the operators; runtimes since 2022 have it."""
OUTPUT = "probabilities"
TOLERANCE = 1e-4
"""By which a probability may differ from ours."""

LENGTHS = (1, 2, 3, 4, 5, 50, 2000)
"""Frames of the utterances that are made up for a check."""
TRACED = 37
"""Frames of the utterance that is followed through the networks."""

Utterance = Mapping[str, NDArray[Any]]
"""Cached features by name, (frames, dim) or (dim,)."""


@dataclass(frozen=True)
class Checked:
    """What was compared with the networks themselves.

    Attributes:
        utterances: how many.
        difference: the largest between two probabilities.
    """

    utterances: int
    difference: float


def input_names(config: RunConfig) -> dict[str, str]:
    """By feature, the name of its input: its own, in letters that all runtimes take."""
    names: dict[str, str] = {}
    for feature in config.keys:
        name = re.sub(r"\W", "_", feature, flags=re.ASCII)
        names[feature] = f"{name}_{len(names)}" if name in {*names.values(), OUTPUT} else name
    return names


def to_onnx(ensemble: Ensemble, config: RunConfig, corpus: str) -> bytes:
    """The head of a corpus as a checked ONNX model; an input for every feature, one output.

    Raises:
        MissingPackageError: the package onnx is not installed.
        SerError: a part of the networks has no counterpart in ONNX, or they are too large.
    """
    try:
        import onnx
    except ImportError:
        raise MissingPackageError(f"ONNX needs packages: {install_command('onnx')}") from None
    names = input_names(config)
    file: Any = io.BytesIO()  # which is not said to be taken, and is
    utterance = next(made_up(ensemble, config, corpus, (TRACED,)))
    sequences = [name for name, key in config.keys.items() if key.kind == "sequence"]
    try:
        with warnings.catch_warnings(), inference(CPU):
            warnings.simplefilter("ignore")  # on what is constant here, and on the next line
            # The exporter that is to replace it writes LSTMs that take sequences of one length.
            torch.onnx.export(
                Head(ensemble, config, corpus),
                tuple(torch.from_numpy(utterance[name]) for name in config.keys),
                file,
                dynamo=False,
                input_names=[*names.values()],
                output_names=[OUTPUT],
                opset_version=OPSET,
                dynamic_axes={names[name]: {0: f"frames_{names[name]}"} for name in sequences},
            )
        model: bytes = file.getvalue()
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:  # whatever a network, perhaps of a user's own, does in the exporter
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise SerError(f"{corpus}: its head cannot be written as ONNX: {reason}") from error
    return model


def check(
    model: bytes, run: Run, ensemble: Ensemble, corpus: str, utterances: Iterator[Utterance]
) -> Checked:
    """Compare a model, as onnxruntime runs it, with the networks that it was made of.

    Raises:
        SerError: a probability differs by more than `TOLERANCE`, or is none.
        MissingPackageError: onnxruntime is not installed.
    """
    session, names = open_session(model), input_names(run.config)
    count, largest = 0, 0.0
    for utterance in utterances:
        count += 1
        (said,) = session.run([OUTPUT], {names[name]: utterance[name] for name in names})
        ours = probabilities(ensemble, run.config, corpus, utterance)
        largest = max(largest, float(np.abs(said - ours).max(initial=0.0)))
        if not largest <= TOLERANCE:  # nor may it be NaN
            raise SerError(
                f"{run.folder}: ONNX says something else than the networks of {corpus}: a "
                f"probability differs by {largest:.2g}, expected at most {TOLERANCE}; nothing was "
                "written"
            )
    return Checked(count, largest)


def open_session(model: bytes) -> onnxruntime.InferenceSession:
    """A model, ready to run on one core of the CPU.

    Raises:
        MissingPackageError: onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError:
        raise MissingPackageError(f"ONNX needs packages: {install_command('onnx')}") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # errors
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def probabilities(
    ensemble: Ensemble, config: RunConfig, corpus: str, utterance: Utterance
) -> NDArray[np.float32]:
    """What the networks say of one utterance of a corpus: (labels,)."""
    said = probabilities_of_one(ensemble, utterance, config.keys, config.encoding, [corpus])
    return said[corpus]


def made_up(
    ensemble: Ensemble, config: RunConfig, corpus: str, lengths: tuple[int, ...] = ()
) -> Iterator[Utterance]:
    """Utterances at random that are as far from one another as those of a corpus: one for every
    number of frames, unless told those of `LENGTHS` and such as are longer than what a published
    system hears at once."""
    systems = [module for module in ensemble.modules() if isinstance(module, System)]
    beyond = {n for each in systems if each.frames for n in (each.frames + 1, 2 * each.frames + 1)}
    lengths = lengths or (*LENGTHS, *sorted(beyond))
    model = ensemble.recognisers[0]
    group, scales = model.groups[corpus], cast(Iterable[Standardise], model.inputs)
    spread = {
        shape.name: (scale.mean[group].numpy(), scale.std[group].numpy())
        for shape, scale in zip(model.spec.inputs, scales, strict=True)
    }
    random = np.random.default_rng(0)
    for frames in lengths:
        utterance = {}
        for name, key in config.keys.items():
            mean, std = spread[name]
            if len(mean) > key.dim:  # of functionals, which begin with these two of the frames
                mean, std = mean[: key.dim], np.abs(mean[key.dim : 2 * key.dim])
            utterance[name] = _drawn(random, key, frames, mean, std)
        yield utterance


def _drawn(
    random: np.random.Generator,
    key: FeatureKey,
    frames: int,
    mean: NDArray[np.float32],
    std: NDArray[np.float32],
) -> NDArray[Any]:
    shape = (frames, key.dim) if key.kind == "sequence" else (key.dim,)
    return (mean + std * random.standard_normal(shape)).astype(key.dtype)


def cached(run: Run, corpus: str, repeat: int, cache: Cache) -> Iterator[Utterance]:
    """The test utterances of a repeat, in the very features that the run was trained on.

    Raises:
        InputError: the cache has the corpus with other emotions or utterances.
        MissingFeaturesError: the cache lacks the corpus, or a feature in that version.
    """
    labels = run.spec.domain(corpus).labels
    manifest = run.config.used(cache.manifest(corpus))
    if manifest.labels != labels:
        raise InputError(f"the cache {cache} has {corpus} with other emotions")
    table = run.predictions
    tested = table[(table["corpus"] == corpus) & (table["repeat"] == repeat)]["id"]
    missing = set(tested) - set(manifest.ids)
    if missing:
        raise InputError(f"the cache {cache} has another {corpus}, without {min(missing)}")
    manifest = manifest.select([*dict.fromkeys(tested)])
    domain = load_domain(cache, manifest, run.config.keys)
    return (
        {name: _row(packed, row) for name, packed in domain.features.items()}
        for row in range(len(domain.ids))
    )


def _row(packed: Packed, row: int) -> NDArray[Any]:
    start, end = packed.offsets[row : row + 2]
    frames: NDArray[Any] = packed.frames[start:end].numpy()
    return frames if packed.sequence else frames[0]
