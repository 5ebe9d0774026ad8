"""The methods by name: what each is made of and which features it reads. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..registry import Registry
from .config import Config
from .network.spec import GE2E_MEL

if TYPE_CHECKING:
    from torch import nn

    from .network.fusion import Fusion
    from .network.settings import AuxiliarySettings
    from .network.spec import ModelSpec

_NETWORK = f"{__package__}.network"


@dataclass(frozen=True)
class Method:
    """A way to recognise emotions (section 5.2.2 has the paper's).

    Attributes:
        name: as it is typed, and as run folders have it.
        fusion: the class that fuses the features in its network, or where that is, as text
            `module:Class`; None: it is no network, but a baseline.
        several: one model for several corpora, not a model each.
        shared_tower: one tower over the union of labels, instead of one per language.
        gated: its fusion looks at the feature `gate.selector`, and chooses between at least two.
        auxiliary: the class of the loss beside the cross-entropy, or where that is; its `forward`
            takes what `AuxiliaryLoss` takes, and `train.alpha` is its weight.
        chosen: of a baseline: its classifier is chosen by validation, see `train.baseline`; else
            it is the SVM of `train.svm`.
    """

    name: str
    fusion: Callable[[ModelSpec], Fusion] | str | None
    several: bool = False
    shared_tower: bool = False
    gated: bool = False
    auxiliary: Callable[[AuxiliarySettings], nn.Module] | str = f"{_NETWORK}.losses:AuxiliaryLoss"
    chosen: bool = False

    @property
    def setting(self) -> str:
        """The setting of `ser train` that it is a method of."""
        if self.several:
            return "multidomain"
        return "single" if self.network else "baseline"

    @property
    def network(self) -> bool:
        """Whether a network is trained."""
        return self.fusion is not None

    def make_fusion(self, spec: ModelSpec) -> Fusion:
        """A new one, of a method that is a network."""
        fusion: Fusion = _imported(self.fusion)(spec)
        return fusion

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

METHODS = Registry(
    "method",
    "ser.methods",
    {
        method.name: method
        for method in (
            Method("baseline", None, chosen=True),
            Method("svm", None),
            Method("single", f"{_FUSION}:Concatenation"),
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
