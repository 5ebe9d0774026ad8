"""Which features there are, and how a spec such as `mfcc:hop_length=160` names one."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from ...cache.keys import IMPORTED
from ...errors import InputError, SerError, did_you_mean
from ...registry import Registry
from ..specs import split_spec
from .allosaurus import Allosaurus
from .backbone import Backbone, Value, format_value
from .byol import Byol
from .ge2e import Ge2e, Ge2eMel
from .hf import HuggingFace
from .hpss import Hpss
from .logmel import LogMel, LogMel128
from .logmel3d import LogMel3d
from .mfcc import Mfcc
from .opensmile import Compare, CompareLld, Egemaps, EgemapsLld, Emobase
from .pitch import Pitch
from .rudd129 import Rudd129
from .spectral import Spectral
from .vgg16 import Vgg16
from .wav2vec import Wav2Vec
from .wave import Wave

BUILT_IN: tuple[type[Backbone], ...] = (
    Mfcc,
    LogMel,
    LogMel128,
    LogMel3d,
    Hpss,
    Rudd129,
    Wave,
    Spectral,
    Pitch,
    Egemaps,
    EgemapsLld,
    Compare,
    CompareLld,
    Emobase,
    Ge2e,
    Ge2eMel,
    Allosaurus,
    Wav2Vec,
    Byol,
    Vgg16,
    HuggingFace,
)
BACKBONES: Registry[type[Backbone]] = Registry(
    "feature", "ser.backbones", {backbone.name: backbone for backbone in BUILT_IN}
)
"""By name. Listing them imports neither torch nor librosa."""
ALIASES = {
    alias: (backbone, argument)
    for backbone in BUILT_IN
    for alias, argument in backbone.aliases.items()
}
"""Names that stand for a backbone and its argument."""

_VERSIONED = re.compile(r".+@[0-9a-f]{1,16}", re.DOTALL)


def make_backbone(spec: str, device: str = "cpu") -> Backbone:
    """Make the backbone that a spec `name[:argument][:parameter=value]*` names, for a device.

    >>> make_backbone("mfcc:n_fft=512:hop_length=160").spec
    'mfcc:hop_length=160:n_fft=512'
    >>> make_backbone("mfcc:hop_length=512").spec
    'mfcc'
    >>> make_backbone("hf:facebook/wav2vec2-base:layer=9").spec
    'wav2vec2:layer=9'

    Raises:
        InputError: unknown name, unknown or repeated parameter, or a value that does not fit.
        SerError: a package brings the backbone, and it cannot be loaded.
    """
    name, argument, settings = split_spec(spec)
    if name == IMPORTED:
        raise InputError(
            f"feature {spec!r}: was made elsewhere, and nothing here computes it; it comes into "
            "the cache by `ser cache import`"
        )
    known = [*BACKBONES, *ALIASES]
    if name not in known:
        hint = did_you_mean(name, known)
        raise InputError(f"unknown feature {name!r}{hint}; known: {', '.join(sorted(known))}")
    backbone, implied = ALIASES[name] if name in ALIASES else (BACKBONES[name], "")
    is_one = isinstance(backbone, type) and issubclass(backbone, Backbone)
    if not is_one or name not in (backbone.name, *backbone.aliases):
        raise SerError(f"the entry point {name!r} of ser.backbones is no Backbone of that name")
    if argument and (implied or not backbone.argument):
        raise InputError(f"feature {spec!r}: expected parameter=value, got {argument!r}")
    parameters: dict[str, Value] = {}
    for setting in settings:
        parameter, equals, text = setting.partition("=")
        if not equals:
            raise InputError(f"feature {spec!r}: expected parameter=value, got {setting!r}")
        if parameter in parameters:
            raise InputError(f"feature {spec!r}: {parameter} is given twice")
        default = backbone.defaults.get(parameter)
        parameters[parameter] = text if default is None else _parse(name, parameter, text, default)
    return backbone(parameters, device, argument or implied)


def make_backbones(
    features: str | Backbone | Iterable[str | Backbone], device: str = "cpu"
) -> dict[str, Backbone]:
    """Make the backbones of several features, by canonical spec; their weights are there.

    Features are specs (or text of them with commas between), and backbones of one's own, which are
    copied where they are for another device.

    Raises:
        InputError: no feature, a wrong one, or one name for two backbones.
        MissingPackageError: weights that come in a package which is not installed.
        MissingWeightsError: weights that are not on this machine.
    """
    if isinstance(features, str):
        features = features.split(",")
    elif isinstance(features, Backbone):
        features = [features]
    backbones: dict[str, Backbone] = {}
    for feature in features:
        if isinstance(feature, Backbone):
            backbone = _own(feature, device)
        else:
            backbone = make_backbone(feature, device)
        if backbones.setdefault(backbone.spec, backbone).key() != backbone.key():
            raise InputError(
                f"feature {backbone.spec}: two different backbones; give one of them another name"
            )
    if not backbones:
        raise InputError("--features: expected at least one, such as mfcc,ge2e")
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


def _own(backbone: Backbone, device: str) -> Backbone:
    """A backbone of a user's own, for a device; InputError where it is none, or is named as
    another."""
    kind = type(backbone)
    for name in ("name", "kind", "dim", "parameters"):
        if not hasattr(backbone, name):
            raise InputError(
                f"{kind.__qualname__}: a backbone has name, kind, dim, and calls super().__init__ "
                f"where it has an __init__; expected {name}"
            )
    if not (backbone.name.isidentifier() and backbone.name.isascii()):
        raise InputError(f"{kind.__qualname__}: {backbone.name!r} is no name for a feature")
    if backbone.name in (*ALIASES, IMPORTED) or BACKBONES.get(backbone.name, kind) is not kind:
        raise InputError(
            f"{kind.__qualname__}: there is another feature {backbone.name!r}; choose another name"
        )
    if backbone.device != device:
        backbone = copy.copy(backbone)
        backbone.device = device
    return backbone


def _parse(name: str, parameter: str, text: str, default: Value) -> Value:
    """Read a value of the type of its default."""
    what, read = _TYPES[type(default)]
    with suppress(KeyError, ValueError):
        value: Value = read(text)
        if value != "" and (not isinstance(value, float) or math.isfinite(value)):
            return value
    example = f" such as {format_value(default)}" if default != "" else ""
    raise InputError(f"feature {name}: {parameter} must be {what}{example}, got {text!r}")


_TYPES: Mapping[type, tuple[str, Callable[[str], Value]]] = {
    bool: ("true or false,", lambda text: {"true": True, "false": False}[text.lower()]),
    int: ("a whole number", int),
    float: ("a number", float),
    str: ("a word", str),
}
