"""Feature keys: everything that can change a number of a feature, and nothing else."""

from __future__ import annotations

import hashlib
import json
import math
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import Any, Literal

from ..errors import InputError

Scalar = str | int | float | bool

MAX_KEY_BYTES = 16_384
"""Longest canonical JSON of a key; a reader refuses more. (HDF5 attributes end at 64 KB.)"""
MAX_DIM = 65_536
IMPORTED = "import"
"""The backbone of features that were made elsewhere, and cannot be computed here."""
PERTURB = "perturb"
"""What a spec and a key call a perturbation."""

_SPEC = re.compile(r"[!-~]{1,200}")
_NAME = re.compile(r"[!-~]{1,64}")


@dataclass(frozen=True, eq=False)
class FeatureKey:
    """Identity of a feature. Equal keys mean equal numbers, on any machine and in any batch.

    Device, batch size, workers and library versions are not part of it.

    Attributes:
        feature: canonical spec, such as `mfcc` or `allosaurus:layer=hidden`.
        backbone: name of the backbone that computes it.
        version: version of the backbone's code; raised when its numbers change.
        weights: hash of the backbone's weights, or None when it has none.
        parameters: every parameter, defaults included.
        audio: how audio becomes the samples that the backbone is given (rate, channels, resampler),
            and what they are `perturbed` by.
        dtype: of the stored rows.
        kind: `sequence` (T x dim per utterance) or `vector` (1 x dim).
        dim: columns of a row.
        frame_rate: rows per second of a sequence; None for a vector, or where it is not constant.

    Raises:
        InputError: a field has the wrong type or an impossible value.
    """

    feature: str
    backbone: str
    version: int
    weights: str | None
    parameters: Mapping[str, Scalar]
    audio: Mapping[str, Scalar]
    dtype: Literal["float32", "float16"]
    kind: Literal["sequence", "vector"]
    dim: int
    frame_rate: float | None

    def __post_init__(self) -> None:
        _check(isinstance(self.feature, str) and _SPEC.fullmatch(self.feature), "feature", self)
        _check(isinstance(self.backbone, str) and _NAME.fullmatch(self.backbone), "backbone", self)
        _check(_is_int(self.version) and self.version >= 0, "version", self)
        _check(self.weights is None or _is_text(self.weights), "weights", self)
        _check(self.dtype in ("float32", "float16"), "dtype", self)
        _check(self.kind in ("sequence", "vector"), "kind", self)
        _check(_is_int(self.dim) and 1 <= self.dim <= MAX_DIM, "dim", self)
        rate = self.frame_rate
        if rate is not None:
            number = isinstance(rate, int | float) and not isinstance(rate, bool)
            # Compared and not converted: a file may give an integer that no float can hold.
            possible = number and 0 < rate <= sys.float_info.max and self.kind == "sequence"
            _check(possible, "frame_rate", self)
            object.__setattr__(self, "frame_rate", float(rate))  # 100 and 100.0 are one key
        for name in ("parameters", "audio"):
            value = getattr(self, name)
            _check(isinstance(value, Mapping) and all(map(_is_setting, value.items())), name, self)
            object.__setattr__(self, name, dict(value))  # a copy: the caller's may change later
        if len(self.canonical) > MAX_KEY_BYTES:
            raise InputError(
                f"feature key of {self.feature}: more than {MAX_KEY_BYTES} bytes of JSON; "
                "put a hash of long parameters into it instead"
            )

    @cached_property
    def canonical(self) -> str:
        """The key as ASCII JSON, names sorted, no spaces: what is hashed and what shards carry."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), allow_nan=False)

    @cached_property
    def hash(self) -> str:
        """First 16 hex digits of the SHA-256 of `canonical`."""
        return hashlib.sha256(self.canonical.encode("ascii")).hexdigest()[:16]

    @cached_property
    def folder(self) -> str:
        """Name of the folder below `features/`: the spec made safe for file names, and the hash."""
        return f"{slug(self.feature)}-{self.hash}"

    @property
    def short(self) -> str:
        """The spec and the first digits of the hash, as people name a version: `mfcc@1a2b3c4d`."""
        return f"{self.feature}@{self.hash[:8]}"

    def perturbed(self, how: str) -> FeatureKey:
        """The key of the same feature of perturbed recordings.

        Args:
            how: canonical name of a perturbation, such as `speed0.9`.

        Raises:
            InputError: this is such a key already, or the feature was made elsewhere.
        """
        if PERTURB in self.audio:
            raise InputError(f"{self.feature}: is of perturbed recordings already")
        if self.backbone == IMPORTED:
            raise InputError(
                f"{self.feature}: was made elsewhere, so there is none of perturbed recordings"
            )
        audio = {**self.audio, PERTURB: how}
        return replace(self, feature=f"{self.feature}:{PERTURB}={how}", audio=audio)

    def to_json(self) -> str:
        """The key as people read it: sorted, indented JSON with a final line end."""
        return json.dumps(asdict(self), sort_keys=True, indent=2, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> FeatureKey:
        """Parse `to_json` or `canonical`; the text may come from a stranger.

        Raises:
            InputError: not JSON, a field missing, unknown or given twice, or a bad value.
        """
        # Indentation and line ends make the readable form longer than the canonical one.
        if len(text) > 4 * MAX_KEY_BYTES:
            raise InputError("feature key: too long")
        try:
            values = json.loads(text, object_pairs_hook=_unique)
        except (ValueError, RecursionError) as error:
            raise InputError(f"feature key: not valid JSON ({error})") from None
        names = {field.name for field in fields(cls)}
        if not isinstance(values, dict) or set(values) != names:
            raise InputError(f"feature key: expected exactly the fields {', '.join(sorted(names))}")
        return cls(**values)

    def __eq__(self, other: object) -> bool:
        # By text: to Python 1 == 1.0 == True, to the hash of the key they differ.
        return isinstance(other, FeatureKey) and self.canonical == other.canonical

    def __hash__(self) -> int:
        return hash(self.canonical)


def slug(feature: str) -> str:
    """`feature` made safe for file names everywhere: lower case, at most 40 characters."""
    return re.sub(r"[^a-z0-9_]+", "-", feature.lower())[:40].strip("-") or "feature"


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.isprintable()


def _is_setting(item: tuple[object, object]) -> bool:
    name, value = item
    if isinstance(value, float):
        good = math.isfinite(value)
    else:
        good = isinstance(value, int) or _is_text(value)  # bool is an int here
    return _is_text(name) and bool(name) and good


def _check(good: object, field: str, key: FeatureKey) -> None:
    if not good:
        raise InputError(f"feature key: {field} cannot be {getattr(key, field)!r:.200}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a name is given twice")
    return values
