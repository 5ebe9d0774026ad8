"""Settings of a training run: read from preset files, overridden by name, recorded in full."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints

import msgspec
from msgspec import Meta, Struct

from ..errors import InputError
from ..files import read_regular
from .network.settings import AuxiliarySettings, GateSettings, ModelSettings, SearchSettings

PRESETS = Path(__file__).parent / "presets"
TRAIN_PRESET, REPRODUCE_PRESET = "strong", "paper"
"""What `ser train` and `ser reproduce` take where nobody says."""

MOST_BYTES = 1 << 20
"""Of a preset: a longer file is none."""

MOST_BASES = 8
"""Presets that are based on one another."""

Values = dict[str, dict[str, Any]]
"""Settings as plain values: section -> name -> value."""


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


class AugmentSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Augmentation of cached features, in training only."""

    noise: Annotated[float, Meta(ge=0.0, le=10.0)]
    mixup: Annotated[float, Meta(ge=0.0, le=10.0)]


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
            section, _, name = change.partition("=")[0].partition(".")
            value = getattr(getattr(self, section, None), name, None)
            if change != _written(section, name, value):
                raise ValueError(f"{change!r} is among the changes, but not a setting")

    @property
    def label(self) -> str:
        """What to call these settings: `strong`, or `strong with train.lr=0.0005`."""
        return f"{self.preset} with {', '.join(self.changes)}" if self.changes else self.preset

    def changed(self, *overrides: str) -> Config:
        """The same settings but for some, each given as `section.name=value`.

        Raises:
            InputError: there is no such setting (with near misses), or not with that value.
        """
        values, usual = self._values(), self._values()
        for override in overrides:
            name, equals, text = (part.strip() for part in override.partition("="))
            if not equals:
                raise InputError(
                    f"--set {override}: expected section.name=value, e.g. train.lr=5e-4"
                )
            _assign(values, name, _parse(name, text), f"--set {override}")
        before = {change.partition("=")[0] for change in self.changes}
        changes = [
            _written(section, name, value)
            for section, settings in values.items()
            for name, value in settings.items()
            if value != usual[section][name] or f"{section}.{name}" in before
        ]
        return Config.from_dict({"preset": self.preset, "changes": changes, **values})

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file: the preset, the changes, and all settings by section."""
        return {"preset": self.preset, "changes": list(self.changes), **self._values()}

    @classmethod
    def from_dict(cls, values: Any, source: str = "config") -> Config:
        """The inverse of `to_dict`, of values that a stranger may have written.

        Raises:
            InputError: a setting is missing, unknown or out of range; the message begins with
                `source`.
        """
        try:
            return msgspec.convert(values, cls)
        except msgspec.ValidationError as error:
            raise InputError(f"{source}: {error}") from error

    def _values(self) -> Values:
        return {name: msgspec.structs.asdict(getattr(self, name)) for name in _sections()}


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
    missing = [name for name in _settings() if not _has(values, name)]
    if missing:
        raise InputError(f"preset {preset}: these settings are missing: {', '.join(missing)}")
    return Config.from_dict({"preset": preset, "changes": [], **values}).changed(*overrides)


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
        for name, value in settings.items():
            _assign(values, f"{section}.{name}", value, str(path))
    return values


@cache
def _sections() -> dict[str, dict[str, Any]]:
    """Section -> name -> type of every setting, its bounds with it."""
    hints = get_type_hints(Config)
    return {
        section: get_type_hints(kind, include_extras=True)
        for section, kind in hints.items()
        if isinstance(kind, type) and issubclass(kind, Struct)
    }


@cache
def _settings() -> dict[str, Any]:
    """The types of all settings, by `section.name`."""
    return {f"{s}.{name}": kind for s, kinds in _sections().items() for name, kind in kinds.items()}


def _has(values: Values, name: str) -> bool:
    section, _, setting = name.partition(".")
    return setting in values.get(section, {})


def _assign(values: Values, name: str, value: Any, source: str) -> None:
    """Set one setting; raises InputError unless there is such a one and it can be that."""
    known = _settings()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}"
        raise InputError(f"{source}: there is no setting {name!r}; {hint}")
    section, _, setting = name.partition(".")
    try:
        values.setdefault(section, {})[setting] = msgspec.convert(value, known[name])
    except msgspec.ValidationError:
        expected = _expected(known[name], value)
        raise InputError(f"{source}: {name} is {value!r}, expected {expected}") from None


def _expected(kind: Any, value: Any) -> str:
    """What a setting can be: its words; its type, and where the value has that, its range."""
    words, plain = get_args(kind), _plain(kind)
    if plain is str and words:
        return " or ".join(words)
    numbers = (int, float) if plain is float else (plain,)
    if plain in (int, float) and isinstance(value, numbers) and not isinstance(value, bool):
        bounds = kind.__metadata__[0]
        return f"{bounds.ge} to {bounds.le}"
    return plain.__name__


def _plain(kind: Any) -> type:
    """The Python type of a setting's values."""
    if hasattr(kind, "__metadata__"):
        return kind.__origin__  # type: ignore[no-any-return]
    return str if get_args(kind) else kind


def _parse(name: str, text: str) -> Any:
    """The value that a user typed; what is no such value stays text, and is refused then."""
    plain = _plain(_settings().get(name, str))
    if plain is bool:
        return {"true": True, "false": False}.get(text.lower(), text)
    try:
        return plain(text)
    except ValueError:
        return text


def _written(section: str, name: str, value: Any) -> str:
    """A setting as it can be typed."""
    return f"{section}.{name}={str(value).lower() if isinstance(value, bool) else value}"
