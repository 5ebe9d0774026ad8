"""Which features there are, and how a spec such as `mfcc:hop_length=160` names one."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from difflib import get_close_matches

from ...errors import InputError
from ..specs import split_spec
from .allosaurus import Allosaurus
from .backbone import Backbone, Value, format_value
from .byol import Byol
from .egemaps import Egemaps
from .ge2e import Ge2e
from .ge2e_mel import Ge2eMel
from .hf import ALIASES, HuggingFace
from .logmel import LogMel
from .mfcc import Mfcc
from .wav2vec import Wav2Vec

BACKBONES: dict[str, type[Backbone]] = {
    backbone.name: backbone
    for backbone in (
        Mfcc,
        LogMel,
        Egemaps,
        Ge2e,
        Ge2eMel,
        Allosaurus,
        Wav2Vec,
        Byol,
        HuggingFace,
    )
}
"""By name. Listing them imports neither torch nor librosa."""


_VERSIONED = re.compile(r".+@[0-9a-f]{1,16}", re.DOTALL)


def make_backbone(spec: str, device: str = "cpu") -> Backbone:
    """Make the backbone that a spec `name[:argument][:parameter=value]*` names.

    >>> make_backbone("mfcc:n_fft=512:hop_length=160").spec
    'mfcc:hop_length=160:n_fft=512'
    >>> make_backbone("mfcc:hop_length=512").spec
    'mfcc'
    >>> make_backbone("hf:facebook/wav2vec2-base:layer=9").spec
    'wav2vec2:layer=9'

    Args:
        spec: the feature as a user writes it.
        device: where `forward` runs, as torch names it, or "auto".

    Raises:
        InputError: unknown name, unknown or repeated parameter, or a value that does not fit.
    """
    name, argument, settings = split_spec(spec)
    if name in ALIASES:
        if argument:
            raise InputError(f"feature {spec!r}: expected parameter=value, got {argument!r}")
        name, argument = HuggingFace.name, ALIASES[name]
    if name not in BACKBONES:
        raise InputError(f"unknown feature {name!r}{_near(name, [*BACKBONES, *ALIASES])}")
    backbone = BACKBONES[name]
    if argument and not backbone.argument:
        raise InputError(f"feature {spec!r}: expected parameter=value, got {argument!r}")
    parameters: dict[str, Value] = {}
    for setting in settings:
        parameter, equals, text = setting.partition("=")
        if not equals:
            raise InputError(f"feature {spec!r}: expected parameter=value, got {setting!r}")
        if parameter not in backbone.defaults:
            near = _near(parameter, backbone.defaults)
            raise InputError(f"feature {name} has no parameter {parameter!r}{near}")
        if parameter in parameters:
            raise InputError(f"feature {spec!r}: {parameter} is given twice")
        parameters[parameter] = _parse(name, parameter, text, backbone.defaults[parameter])
    if issubclass(backbone, HuggingFace):
        return backbone(parameters, device, argument)
    return backbone(parameters, device)


def make_backbones(specs: Iterable[str], device: str = "cpu") -> dict[str, Backbone]:
    """Make the backbones of several specs, by canonical spec; their weights are there.

    Raises:
        InputError: no spec, a wrong one, or no such device.
        MissingPackageError: weights that come in a package which is not installed.
    """
    backbones = {b.spec: b for b in (make_backbone(spec, device) for spec in specs)}
    if not backbones:
        raise InputError("--features: expected at least one, such as mfcc,ge2e")
    for backbone in backbones.values():
        backbone.key()
    return backbones


def canonical_name(spec: str) -> str:
    """What the cache calls a feature that a user names as `make_backbone` takes it.

    Aliases, parameters in any order, defaults written out and folders of models all have one
    name there. A spec may end in `@` and the first digits of a key's hash; what is no spec of a
    feature that is known here is returned as it is.

    >>> canonical_name("hf:facebook/wav2vec2-base:dtype=float16:layer=09@3f")
    'wav2vec2:layer=9@3f'
    >>> canonical_name("mine:x=1")
    'mine:x=1'

    Raises:
        InputError, SerError: a folder is named that is not there, or holds no speech encoder.
    """
    spec, at, digits = spec.rpartition("@") if _VERSIONED.fullmatch(spec) else (spec, "", "")
    try:
        backbone = make_backbone(spec)
    except InputError:
        return spec + at + digits
    return backbone.feature + at + digits


def _parse(name: str, parameter: str, text: str, default: Value) -> Value:
    """Read a value of the type of its default."""
    try:
        if isinstance(default, bool):
            return {"true": True, "false": False}[text.lower()]
        if isinstance(default, int):
            return int(text)
        if isinstance(default, float):
            number = float(text)
            if not math.isfinite(number):
                raise ValueError
            return number
        if text:
            return text
    except (KeyError, ValueError):
        pass
    raise InputError(
        f"feature {name}: {parameter} must be {_TYPES[type(default)]} "
        f"such as {format_value(default)}, got {text!r}"
    )


_TYPES = {bool: "true or false,", int: "a whole number", float: "a number", str: "a word"}


def _near(word: str, known: Iterable[str]) -> str:
    """The end of an error message: what may have been meant, and what there is."""
    names = sorted(known)
    if not names:
        return "; it has none"
    close = get_close_matches(word, names, n=3, cutoff=0.4)
    meant = f"; did you mean {' or '.join(close)}?" if close else ";"
    return f"{meant} known: {', '.join(names)}"
