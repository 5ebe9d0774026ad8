"""Settings of a training run: read from preset files, overridden by name, recorded in full."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

from ..errors import InputError
from ..files import read_regular

PRESETS = Path(__file__).parent / "presets"
TRAIN_PRESET, REPRODUCE_PRESET = "strong", "paper"
"""What `ser train` and `ser reproduce` take where nobody says."""

MOST_BYTES = 1 << 20
"""Of a preset: a longer file is none."""


@dataclass(frozen=True)
class TrainSettings:
    """Optimisation. `alpha` below 0 means: the paper's value for the language."""

    seed: int

    lr: float
    weight_decay: float
    batch_size: int
    epochs: int
    schedule: str
    warmup: float
    select: str
    alpha: float
    label_smoothing: float
    members: int
    finetune_ge2e: bool
    precision: str


@dataclass(frozen=True)
class ModelSettings:
    """The network, as far as it is not fixed by the features and the language."""

    standardise: str
    encoder: str
    tower: str
    tower_init: str
    dropout: float
    encoder_dropout: float
    normalisation: str
    conv_activation: str


@dataclass(frozen=True)
class GateSettings:
    """The gates of several languages in one model (eq. 7)."""

    selector: str
    scale: str
    init: str
    lr: float


@dataclass(frozen=True)
class SearchSettings:
    """The architecture search (eq. 8-9)."""

    share_transitions: bool
    l0: float
    kappa: float
    init: str
    lr: float


@dataclass(frozen=True)
class AuxiliarySettings:
    """The contrastive loss (eq. 3-6)."""

    reduction: str
    exclude_self: bool


@dataclass(frozen=True)
class AugmentSettings:
    """Augmentation of cached features, in training only."""

    noise: float
    mixup: float
    time_mask: float


@dataclass(frozen=True)
class Config:
    """All settings of a run, resolved."""

    train: TrainSettings
    model: ModelSettings
    gate: GateSettings
    search: SearchSettings
    auxiliary: AuxiliarySettings
    augment: AugmentSettings

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Nested plain values, as `config_from_dict` takes them."""
        return asdict(self)


CHOICES: Mapping[str, tuple[str, ...]] = {
    "train.schedule": ("constant", "cosine"),
    "train.select": ("best", "last"),
    "train.precision": ("float32", "bfloat16"),
    "model.standardise": ("shared", "corpus"),
    "model.encoder": ("attention", "functionals"),
    "model.tower": ("deep", "linear"),
    "model.tower_init": ("own", "alike"),
    "model.normalisation": ("none", "batch", "layer"),
    "model.conv_activation": ("none", "relu"),
    "gate.scale": ("one", "features"),
    "gate.init": ("linear", "even"),
    "search.init": ("linear", "identity"),
    "auxiliary.reduction": ("sum", "mean"),
}

_BOUNDS: Mapping[str, tuple[Any, Any]] = {
    "train.seed": (0, 30_000),  # so that no two members begin alike: `member_seed`
    "train.lr": (0.0, 10.0),
    "train.weight_decay": (0.0, 10.0),
    "train.batch_size": (1, 1_000_000),
    "train.epochs": (1, 1_000_000),
    "train.warmup": (0.0, 0.9),
    "train.alpha": (-1.0, 1000.0),
    "train.label_smoothing": (0.0, 0.9),
    "train.members": (1, 100),
    "model.dropout": (0.0, 0.95),
    "model.encoder_dropout": (0.0, 0.95),
    "gate.lr": (0.0, 100.0),
    "search.lr": (0.0, 100.0),
    "search.l0": (0.0, 1000.0),
    "search.kappa": (1e-6, 1e6),
    "augment.noise": (0.0, 10.0),
    "augment.mixup": (0.0, 10.0),
    "augment.time_mask": (0.0, 0.9),
}


def presets() -> list[str]:
    """Names of the presets that come with the package."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def load_config(preset: str = "paper", overrides: Sequence[str] = ()) -> Config:
    """Resolve a preset (a name, or the path of a TOML file) and `section.name=value` overrides.

    A preset file may begin with `base = "paper"`, or a file beside it, and then holds only its
    departures.
    Raises InputError for an unknown preset or setting (with near misses) or a value out of range.
    """
    if not preset.isprintable():  # nor could it be recorded
        raise InputError(f"--preset {preset!r}: its name is not valid text")
    values = _read_preset(preset, Path())
    for override in overrides:
        name, equals, text = override.partition("=")
        if not equals:
            raise InputError(f"--set {override}: expected section.name=value, e.g. train.lr=5e-4")
        _assign(values, name.strip(), _parse(name.strip(), text.strip()), f"--set {override}")
    return config_from_dict(values, source=f"preset {preset}")


def config_from_dict(values: Mapping[str, Mapping[str, Any]], source: str = "config") -> Config:
    """Build a Config from nested plain values; every setting must be there, and no other."""
    for section, each in values.items():
        for name, value in each.items():
            _check(f"{section}.{name}", value, source)
    sections = get_type_hints(Config)
    return Config(**{name: settings(name, values.get(name, {}), source) for name in sections})


def settings(section: str, values: Mapping[str, Any], source: str = "config") -> Any:
    """One section of a Config, such as its ModelSettings, from plain values: all of it, no more.

    Raises:
        InputError: a setting is missing, unknown, or has a value out of range.
    """
    kind = get_type_hints(Config)[section]
    types = get_type_hints(kind)
    for name, value in values.items():
        _check(f"{section}.{name}", value, source)
    missing = [f"{section}.{name}" for name in types if name not in values]
    if missing:
        raise InputError(f"{source}: these settings are missing: {', '.join(missing)}")
    return kind(**{n: float(values[n]) if types[n] is float else values[n] for n in types})


def departures(config: Config, preset: str) -> list[str]:
    """The settings that are not as a preset has them, such as `train.lr=0.0005`."""
    try:
        usual = load_config(preset).to_dict()
    except InputError:  # a file that is not there any more
        return []
    return [
        f"{section}.{name}={value}"
        for section, each in config.to_dict().items()
        for name, value in each.items()
        if usual[section][name] != value
    ]


def _read_preset(preset: str, folder: Path, depth: int = 0) -> dict[str, dict[str, Any]]:
    path = folder / preset if preset.endswith(".toml") else PRESETS / f"{preset}.toml"
    if not (preset.endswith(".toml") or preset in presets()) or not path.is_file():
        raise InputError(
            f"no preset {preset!r}: expected one of {', '.join(presets())}, or a .toml file"
        )
    if depth > 8:
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


def _assign(values: dict[str, dict[str, Any]], name: str, value: Any, source: str) -> None:
    _check(name, value, source)
    section, _, setting = name.partition(".")
    kind = _types()[name]
    values.setdefault(section, {})[setting] = float(value) if kind is float else value


def _types() -> dict[str, type]:
    return {
        f"{section.name}.{name}": kind
        for section in fields(Config)
        for name, kind in get_type_hints(get_type_hints(Config)[section.name]).items()
    }


def _check(name: str, value: Any, source: str) -> None:
    types = _types()
    if name not in types:
        near = difflib.get_close_matches(name, types, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(types)}"
        raise InputError(f"{source}: there is no setting {name!r}; {hint}")
    kind = types[name]
    accepted = (int, float) if kind is float else (kind,)
    if not isinstance(value, accepted) or (kind is not bool and isinstance(value, bool)):
        raise InputError(f"{source}: {name} is {value!r}, expected {kind.__name__}")
    if name in CHOICES and value not in CHOICES[name]:
        raise InputError(f"{source}: {name} is {value!r}, expected {' or '.join(CHOICES[name])}")
    low, high = _BOUNDS.get(name, (None, None))
    if low is not None and not low <= value <= high:
        raise InputError(f"{source}: {name} is {value}, expected {low} to {high}")


def _parse(name: str, text: str) -> Any:
    kind = _types().get(name)
    if kind is bool and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            return text
    return text
