"""Settings of a training run: read from preset files, overridden by name, recorded in full."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta, Struct

from ..cache.perturbations import perturbations
from ..errors import InputError, did_you_mean
from ..files import read_regular
from .network.settings import AuxiliarySettings, GateSettings, ModelSettings, SearchSettings

PRESETS = Path(__file__).parent / "presets"
MOST_BYTES = 1 << 20
"""Of a preset: a longer file is none."""

MOST_BASES = 8
"""Presets that are based on one another."""

_PERTURB = "augment.perturb"
"""The setting that has one form for all ways to write it."""

Values = dict[str, Any]
"""All settings, by `section.name`."""


class TrainSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Optimisation. `alpha` below 0 means: the paper's value for the language."""

    seed: Annotated[int, Meta(ge=0, le=30_000)]  # no two members begin alike: `member_seed`
    lr: Annotated[float, Meta(ge=0.0, le=10.0)]
    weight_decay: Annotated[float, Meta(ge=0.0, le=10.0)]
    batch_size: Annotated[int, Meta(ge=1, le=1_000_000)]
    epochs: Annotated[int, Meta(ge=1, le=1_000_000)]
    schedule: Literal["constant", "cosine"]
    select: Literal["best", "last"]
    alpha: Annotated[float, Meta(ge=-1.0, le=1000.0)]
    members: Annotated[int, Meta(ge=1, le=100)]
    finetune_ge2e: bool
    precision: Literal["float32", "bfloat16"]
    calibrate: bool
    balance: Literal["none", "weights", "sampler", "logit"]
    refit: bool


class AugmentSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Augmentation in training only: of cached features, or by those of perturbed recordings."""

    noise: Annotated[float, Meta(ge=0.0, le=10.0)]
    mixup: Annotated[float, Meta(ge=0.0, le=10.0)]
    perturb: str = ""

    def __post_init__(self) -> None:
        try:
            perturbations(self.perturb)
        except InputError as error:
            raise ValueError(str(error)) from None

    @property
    def perturbations(self) -> tuple[str, ...]:
        """Canonical names of what else is heard in training, see `Domain.perturbed`."""
        return perturbations(self.perturb)


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """All settings of a run, resolved, and where they came from: see `load_config`.

    Attributes:
        preset: its name, or the path of its file.
        changes: what is not as the preset had it when it was read, such as `train.lr=0.0005`.
    """

    preset: str
    changes: tuple[str, ...]
    train: TrainSettings
    model: ModelSettings
    gate: GateSettings
    search: SearchSettings
    auxiliary: AuxiliarySettings
    augment: AugmentSettings

    def __post_init__(self) -> None:
        if not self.preset.isprintable():
            raise ValueError("the name of its preset is not valid text")
        for change in self.changes:
            name = change.partition("=")[0]
            if change != _written(name, self._values().get(name)):
                raise ValueError(f"{change!r} is among the changes, but not a setting")

    def changed(self, *overrides: str) -> Config:
        """The same settings but for some, each given as `section.name=value`.

        Raises:
            InputError: there is no such setting (with near misses), or not with that value.
        """
        usual = self._values()
        values = dict(usual)
        values |= map(_asked, overrides)
        before = {change.partition("=")[0] for change in self.changes}
        names = [name for name in values if values[name] != usual[name] or name in before]
        return _config(self.preset, [_written(name, values[name]) for name in names], values)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file: the preset, the changes, and all settings by section."""
        return dict(msgspec.to_builtins(self), changes=list(self.changes))

    @classmethod
    def from_dict(cls, values: Any, source: str = "config") -> Config:
        """The inverse of `to_dict`, of values that a stranger may have written.

        Raises:
            InputError: a setting is missing, unknown or out of range; the message begins with
                `source`.
        """
        try:
            return msgspec.convert(values, cls)
        except (msgspec.ValidationError, ValueError) as error:
            raise InputError(f"{source}: {error}") from error

    def _values(self) -> Values:
        return {name: attrgetter(name)(self) for name in _types()}


def canonical(overrides: Iterable[str]) -> tuple[str, ...]:
    """Settings as `Config.changes` has them; of one that is given twice the last counts.

    Raises:
        InputError: as `Config.changed`.
    """
    return tuple(_written(name, value) for name, value in dict(map(_asked, overrides)).items())


def _asked(override: str) -> tuple[str, Any]:
    """The name and the value of `section.name=value`."""
    name, equals, text = (part.strip() for part in override.partition("="))
    if not equals:
        raise InputError(f"--set {override}: expected section.name=value, e.g. train.lr=5e-4")
    return name, _checked(name, text, f"--set {override}", typed=True)


def _config(preset: str, changes: Sequence[str], values: Values) -> Config:
    nested: dict[str, Any] = {"preset": preset, "changes": changes}
    for name, value in values.items():
        section, _, setting = name.partition(".")
        nested.setdefault(section, {})[setting] = value
    return Config.from_dict(nested)


def presets() -> list[str]:
    """Names of the presets that come with the package."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def load_config(preset: str = "paper", overrides: Sequence[str] = ()) -> Config:
    """Resolve a preset (a name, or the path of a TOML file) and `section.name=value` overrides.

    A preset file may begin with `base = "paper"`, or a file beside it, and then holds only its
    departures.

    Raises:
        InputError: an unknown preset or setting (with near misses), or a value out of range.
    """
    if not preset.isprintable():  # nor could it be recorded
        raise InputError(f"--preset {preset!r}: its name is not valid text")
    values = _read_preset(preset, Path())
    missing = [name for name in _types() if name not in values]
    if missing:
        raise InputError(f"preset {preset}: these settings are missing: {', '.join(missing)}")
    return _config(preset, (), values).changed(*overrides)


def _read_preset(preset: str, folder: Path, depth: int = 0) -> Values:
    path = folder / preset if preset.endswith(".toml") else PRESETS / f"{preset}.toml"
    if not (preset.endswith(".toml") or preset in presets()) or not path.is_file():
        raise InputError(
            f"no preset {preset!r}: expected one of {', '.join(presets())}, or a .toml file"
        )
    if depth > MOST_BASES:
        raise InputError(f"{path}: presets that are based on one another in a circle")
    try:
        content = tomllib.loads(read_regular(path, MOST_BYTES).decode("utf-8"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not a TOML file: {error}") from error
    base = content.pop("base", None)
    values = _read_preset(str(base), path.parent, depth + 1) if base is not None else {}
    for section, settings in content.items():
        if not isinstance(settings, dict):
            raise InputError(f"{path}: {section}: expected a [section] of settings")
        for setting, value in settings.items():
            name = f"{section}.{setting}"
            values[name] = _checked(name, value, str(path))
    return values


@cache
def _types() -> dict[str, Any]:
    """The types of all settings, by `section.name`; those of numbers have their bounds."""
    return {
        f"{section}.{name}": kind
        for section, settings in get_type_hints(Config).items()
        if isinstance(settings, type) and issubclass(settings, Struct)
        for name, kind in get_type_hints(settings, include_extras=True).items()
    }


def _checked(name: str, value: Any, source: str, typed: bool = False) -> Any:
    """The value of a setting, which a user may have `typed` as text; raises InputError unless there
    is such a one and it can be that."""
    known = _types()
    if name not in known:
        hint = did_you_mean(name, known, 0.5) or f"; known: {', '.join(known)}"
        raise InputError(f"{source}: there is no setting {name!r}{hint}")
    if typed and known[name] is bool:  # of which msgspec reads 1 and 0 too
        value, typed = {"true": True, "false": False}.get(value.lower(), value), False
    if typed and get_origin(known[name]) is Annotated:
        value = re.sub(r"^(-?)\.", r"\g<1>0.", value)  # of which msgspec reads no number
    try:
        read = msgspec.convert(value, known[name], strict=not typed)
    except (msgspec.ValidationError, ValueError):
        expected = _expected(known[name])
        raise InputError(f"{source}: {name} is {value!r}, expected {expected}") from None
    if name != _PERTURB:
        return read
    try:
        return ",".join(perturbations(read))
    except InputError as error:
        raise InputError(f"{source}: {error}") from None


def _expected(kind: Any) -> str:
    """What a setting can be, for a message."""
    if get_origin(kind) is Literal:
        return " or ".join(get_args(kind))
    if get_origin(kind) is Annotated:
        number, bounds = get_args(kind)
        return f"{number.__name__}, {bounds.ge} to {bounds.le}"
    return str(kind.__name__)


def _written(name: str, value: Any) -> str:
    """A setting as it can be typed."""
    return f"{name}={str(value).lower() if isinstance(value, bool) else value}"
