"""The methods by name: what each is made of and which features it reads. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..registry import Registry
from .baseline import GRID, KEESING, SERAB, Classifiers
from .config import Config
from .network.spec import GE2E_MEL, FeatureShape

if TYPE_CHECKING:
    from torch import nn

    from .network.fusion import Fusion
    from .network.settings import AuxiliarySettings
    from .network.spec import ModelSpec
    from .network.systems.system import System

_NETWORK = f"{__package__}.network"


USUAL_FEATURES = ("mfcc", "ge2e")
"""What is trained on where neither a user nor the method says."""


@dataclass(frozen=True)
class Reads:
    """The one feature that a published system is for; a baseline takes others, too.

    Attributes:
        feature: its usual name.
        sequence: whether it is one.
        dim: values of a frame, or of the vector; 0: any number.
    """

    feature: str
    sequence: bool
    dim: int = 0

    def check(self, method: str, shapes: Sequence[FeatureShape]) -> None:
        """Raise InputError unless the features of a model are one of this kind."""
        kind = "sequence" if self.sequence else "vector"
        values = f" of {self.dim} values{' a frame' if self.sequence else ''}" if self.dim else ""
        fits = len(shapes) == 1 and shapes[0].sequence == self.sequence
        if not fits or self.dim not in (0, shapes[0].dim):
            given = ", ".join(
                f"{shape.name} (a {'sequence' if shape.sequence else 'vector'} of {shape.dim})"
                for shape in shapes
            )
            raise InputError(
                f"--method {method}: reads one {kind}{values}, such as --features {self.feature}, "
                f"not {given}"
            )


@dataclass(frozen=True)
class Method:
    """A way to recognise emotions (section 5.2.2 has the paper's).

    Attributes:
        name: as it is typed, and as run folders have it.
        fusion: the class that fuses the features in its network, or where that is, as text
            `module:Class`; None: it is a system, or no network, but a baseline.
        system: the class of a network of its own on one feature, or where that is.
        reads: of a system, that feature.
        preset: its settings where nobody says; blank: those of all methods.
        several: one model for several corpora, not a model each.
        shared_tower: one tower over the union of labels, instead of one per language.
        gated: its fusion looks at the feature `gate.selector`, and chooses between at least two.
        auxiliary: the class of the loss beside the cross-entropy, or where that is; its `forward`
            takes what `AuxiliaryLoss` takes, and `train.alpha` is its weight.
        classifiers: what a baseline chooses from, see `train.baseline`; None: it is the SVM of
            `train.svm`.
        caveat: what must be known beside its numbers, a sentence, if anything.
    """

    name: str
    fusion: Callable[[ModelSpec], Fusion] | str | None = None
    system: Callable[[FeatureShape], System] | str | None = None
    reads: Reads | None = None
    preset: str = ""
    several: bool = False
    shared_tower: bool = False
    gated: bool = False
    auxiliary: Callable[[AuxiliarySettings], nn.Module] | str = f"{_NETWORK}.losses:AuxiliaryLoss"
    classifiers: Classifiers | None = None
    caveat: str = ""

    @property
    def setting(self) -> str:
        """The setting of `ser train` that it is a method of."""
        if self.several:
            return "multidomain"
        return "single" if self.network else "baseline"

    @property
    def network(self) -> bool:
        """Whether a network is trained."""
        return self.fusion is not None or self.system is not None

    def make_fusion(self, spec: ModelSpec) -> Fusion:
        """A new one, of a method that is a network."""
        fusion: Fusion = _imported(self.fusion)(spec)
        return fusion

    def make_system(self, shape: FeatureShape) -> System:
        """A new network of a system, for a feature that it `reads`."""
        system: System = _imported(self.system)(shape)
        return system

    def make_auxiliary(self, settings: AuxiliarySettings) -> nn.Module:
        """A new one."""
        loss: nn.Module = _imported(self.auxiliary)(settings)
        return loss


def _imported(item: Any) -> Any:
    """What stands at `module:name`, where it is named by such text; it may need torch."""
    if not isinstance(item, str):
        return item
    module, _, name = item.partition(":")
    return getattr(import_module(module), name)


_FUSION = f"{_NETWORK}.fusion"


def _system(name: str, network: str, reads: Reads, preset: str = "") -> Method:
    """A published network, `module:Class` of the systems, with its own preset."""
    where = f"{_NETWORK}.systems.{network}"
    return Method(name, system=where, reads=reads, preset=preset or name)


_SVM_R = Classifiers(KEESING, summary="mean", alike=False)
_BEST_OF_FIVE = Classifiers(SERAB, summary="mean", alike=False)
_WAV2VEC, _BYOL = Reads("wav2vec", sequence=True), Reads("byol", sequence=False)

_KEESING = (
    Method("keesing", reads=_WAV2VEC, preset="refitted", classifiers=_SVM_R),
    Method(
        "keesing-printed",
        reads=_WAV2VEC,
        preset="as-printed",
        classifiers=replace(_SVM_R, choose="test"),
        caveat="C and gamma were chosen by the test parts of all folds, as for the printed number: "
        "it is not what new utterances would give.",
    ),
)
_SCHEIDWASSER = (
    Method("scheidwasser", reads=_BYOL, preset="refitted", classifiers=_BEST_OF_FIVE),
    Method(
        "scheidwasser-printed",
        reads=_BYOL,
        preset="as-printed",
        classifiers=replace(_BEST_OF_FIVE, choose="family by test"),
        caveat="Of five classifiers the best on the test part was taken, as for the printed "
        "number: it is not what new utterances would give.",
    ),
)

METHODS = Registry(
    "method",
    "ser.methods",
    {
        method.name: method
        for method in (
            Method("baseline", classifiers=Classifiers(GRID)),
            Method("svm"),
            *_KEESING,
            *_SCHEIDWASSER,
            Method("single", f"{_FUSION}:Concatenation"),
            _system("adrnn", "adrnn:Adrnn", Reads("logmel3d", sequence=True, dim=120)),
            _system("zhao-1d", "zhao:Zhao1d", Reads("wave", sequence=True, dim=1)),
            _system("zhao-2d", "zhao:Zhao2d", Reads("logmel128", sequence=True, dim=128), "zhao"),
            _system(
                "zhao-2d-time",
                "zhao:Zhao2dTime",
                Reads("logmel128", sequence=True, dim=128),
                "zhao",
            ),
            _system("rudd", "rudd:Rudd", Reads("vgg16", sequence=True)),
            _system("rudd-code", "rudd:RuddCode", Reads("rudd129", sequence=False)),
            _system("capsules", "capsules:Capsules", Reads("logmel", sequence=True, dim=64)),
            Method("base", f"{_FUSION}:Sum", several=True, shared_tower=True),
            Method("sb", f"{_FUSION}:Sum", several=True),
            Method("omoe", f"{_FUSION}:GatedTogether", several=True, gated=True),
            Method("mmoe", f"{_FUSION}:Gated", several=True, gated=True),
            Method("ours", f"{_FUSION}:Searched", several=True, gated=True),
        )
    },
)

DEFAULT_METHODS: Mapping[str, str] = {
    "single": "single",
    "baseline": "baseline",
    "multidomain": "ours",
}
"""The method of every setting where nobody names one."""


def methods_of(setting: str) -> list[str]:
    """Names of the methods of a setting."""
    return [name for name in METHODS if METHODS[name].setting == setting]


def usual(setting: str, method: str | Method, preset: str) -> tuple[tuple[str, ...], str]:
    """The features and the preset of a method where nobody says.

    Args:
        method: as a user named it; unknown or blank: it has nothing of its own.
        preset: that of methods which have none of their own.
    """
    named = method or DEFAULT_METHODS.get(setting, "")
    found = METHODS.get(named) if isinstance(named, str) else named
    if found is None:
        return USUAL_FEATURES, preset
    features = (found.reads.feature,) if found.reads else USUAL_FEATURES
    return features, found.preset or preset


def features_read(
    method: Method, features: Sequence[str], config: Config | None
) -> tuple[str, ...]:
    """Names of all features that a model reads: those asked for, the selector of its gates, and
    the frames of GE2E where that is fine-tuned."""
    names = list(features)
    if config is not None and method.gated:
        names.append(config.gate.selector)
    if config is not None and config.train.finetune_ge2e:
        names.append(GE2E_MEL)
    return tuple(dict.fromkeys(names))
