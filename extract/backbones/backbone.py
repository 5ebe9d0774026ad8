"""What every backbone is: a name, a shape, a key, a front end and a batched model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Literal, TypeVar, get_args

import numpy as np
import numpy.typing as npt

from ...cache import FeatureKey
from ...cache.keys import PERTURB
from ...cache.perturbations import Perturbation
from ...errors import InputError, SerError, did_you_mean
from ..audio import RECIPE

Array = npt.NDArray[np.float32]
Value = str | int | float | bool
Kind = Literal["sequence", "vector"]
Dtype = Literal["float32", "float16"]
Number = TypeVar("Number", int, float)
Word = TypeVar("Word", bound=str)


class Backbone(ABC):
    """One way to turn an utterance into a feature.

    A new backbone sets the class attributes, implements `prepare`, and where it has a model also
    `make_model`, `forward` and `weights`. Making one and asking for its `key()` must be cheap:
    heavy packages are imported in `make_model`, `prepare` and `forward`.

    `prepare` runs in worker processes, one utterance at a time, on a copy that was sent there; what
    `functools.cached_property` keeps is not sent, and made anew where it is needed. `make_model`
    and `forward` run in the main process, `forward` in several threads at once. An utterance's
    feature must not depend on its neighbours in the batch.
    """

    name: ClassVar[str]
    summary: ClassVar[str] = ""
    """One line for listings."""
    licence: ClassVar[str] = "not stated"
    """Of the model, or of the package that computes the feature."""
    package: ClassVar[str] = ""
    """The package that holds the weights, where they are not files of their own."""
    version: ClassVar[int] = 1
    """Of the backbone's code: raised when a change in it changes numbers."""
    defaults: ClassVar[Mapping[str, Value]] = {}
    """The parameters that a spec may set; a value must be of the type of its default."""
    local: ClassVar[frozenset[str]] = frozenset()
    """Those of them that say where something is on this machine, and so are in no key."""
    constants: ClassVar[Mapping[str, Value]] = {}
    """What is fixed and defines the numbers, for the readable key."""
    batch_rows: ClassVar[int] = 0
    """How many rows of prepared arrays, summed over utterances, make a good `forward` call.
    0: there is no model, and what `prepare` returns is the feature."""
    row_bytes: ClassVar[int] = 0
    """Bytes that `forward` takes, about, for each row of an utterance; 0: too few to ask."""
    exact_batches: ClassVar[bool] = False
    """Whether, on a CPU, a feature has the same bits whoever shares its `forward` call. Utterances
    of the other models have a call each there: libraries choose the order in which they add by
    the size of the batch."""

    argument: ClassVar[str] = ""
    """What stands between the name and the parameters of a spec, in a word, for messages; "" where
    nothing does. `argument_value` is what was given."""
    aliases: ClassVar[Mapping[str, str]] = {}
    """Names of arguments that are features of their own."""

    kind: Kind
    dim: int
    frame_rate: float | None = None
    """Rows per second of a sequence; None for a vector."""

    def __init_subclass__(cls) -> None:
        """Give every backbone the parameters `dtype`, of what is stored, not of the arithmetic, and
        `perturb`, of the samples before it gets them."""
        super().__init_subclass__()
        cls.defaults = {"dtype": "float32", PERTURB: "", **cls.defaults}

    def __init__(
        self,
        parameters: Mapping[str, Value] | None = None,
        device: str = "cpu",
        argument: str = "",
    ) -> None:
        """Take parameters, a device as torch names it or "auto", and the argument of the spec.

        Raises:
            InputError: there is no such parameter, or its value makes no sense.
        """
        parameters = dict(parameters or {})
        for name in parameters:
            if name not in self.defaults:
                hint, known = did_you_mean(name, self.defaults, 0.4), ", ".join(self.defaults)
                raise InputError(
                    f"feature {self.name} has no parameter {name!r}{hint}; known: {known}"
                )
        if how := parameters.get(PERTURB):
            parameters[PERTURB] = str(Perturbation.parse(str(how)))
        self.parameters: dict[str, Value] = {**self.defaults, **parameters}
        self.argument_value = argument
        self.device = device
        self.dtype: Dtype = self.choice("dtype", *get_args(Dtype))
        self.configure()

    def configure(self) -> None:
        """Check the parameters and take what follows from them, or raise InputError; called when a
        backbone is made."""
        return

    @property
    def perturb(self) -> str:
        """Canonical name of what is done to the samples before `prepare`; blank: nothing."""
        return str(self.parameters[PERTURB])

    @property
    def unperturbed(self) -> str:
        """The spec without the perturbation."""
        return self.spec.removesuffix(f":{PERTURB}={self.perturb}")

    @property
    def spec(self) -> str:
        """The canonical spec: the name and the parameters that are not the default, sorted, but for
        the perturbation, which is the last."""
        return self.write_spec(self.name)

    @property
    def feature(self) -> str:
        """What the cache calls the feature: the spec, but for what is only of this machine."""
        return self.write_spec(self.name, self.local)

    def write_spec(self, name: str, without: frozenset[str] = frozenset()) -> str:
        """A spec that begins with `name`, some parameters left out."""
        changed = [k for k, v in self.parameters.items() if v != self.defaults[k]]
        changed.sort(key=lambda parameter: (parameter == PERTURB, parameter))
        settings = (f"{k}={format_value(self.parameters[k])}" for k in changed if k not in without)
        return ":".join([name, *settings])

    def terms(self) -> str:
        """The licence of the feature, as it is written beside what was computed."""
        return self.licence

    def key(self) -> FeatureKey:
        """Everything that can change a number of this feature, and nothing else.

        Raises:
            MissingPackageError: the weights come with a package that is not installed.
            MissingWeightsError: the weights are not on this machine.
        """
        elsewhere = {"dtype", PERTURB, *self.local}
        fixed = {k: v for k, v in self.parameters.items() if k not in elsewhere}
        return FeatureKey(
            feature=self.feature,
            backbone=self.name,
            version=self.version,
            weights=self.weights(),
            parameters={**self.constants, **fixed},
            audio={**RECIPE, PERTURB: self.perturb} if self.perturb else RECIPE,
            dtype=self.dtype,
            kind=self.kind,
            dim=self.dim,
            frame_rate=self.frame_rate,
        )

    def weights(self) -> str | None:
        """The sha256 of the weights' bytes, or None where there are no weights."""
        return None

    def make_model(self) -> Any:
        """Make what `forward` finds as `self.model`, on the device.

        Raises:
            MissingPackageError, MissingWeightsError: what it needs is not on this machine.
            SerError: its weights are damaged, or of something else.
            InputError: there is no such device.
        """
        return None

    @property
    def model(self) -> Any:
        """What `make_model` makes, once.

        Raises:
            SerError: as there, or the weights were changed meanwhile.
        """
        return self._loaded

    @cached_property
    def _loaded(self) -> Any:
        before = self.weights()
        model = self.make_model()
        if self.weights() != before:
            raise SerError(f"feature {self.spec}: its files were changed while they were read")
        return model

    def load(self) -> None:
        """Have the model made; called before any audio is read, and before `forward`."""
        _ = self.model

    def take_model(self, other: Backbone) -> None:
        """Use the model of another that differs in its perturbation alone."""
        vars(self)["_loaded"] = other.model

    def __getstate__(self) -> dict[str, Any]:
        """What a copy of this has: all but what is cached, the model above all."""
        own, kind = vars(self), type(self)
        return {n: own[n] for n in own if not isinstance(getattr(kind, n, None), cached_property)}

    @abstractmethod
    def prepare(self, samples: Array) -> Array:
        """Run the front end on one utterance: mono, 16 kHz, shape (samples,).

        Returns:
            What `forward` takes; its first axis counts the rows that `batch_rows` speaks of.

        Raises:
            AudioError: this feature cannot be had from this utterance; the message is the reason.
        """

    def forward(self, batch: Sequence[Array]) -> list[Array]:
        """Run the model on prepared utterances, to one feature for each: (frames, dim) for a
        sequence, (dim,) for a vector."""
        return list(batch)

    def memory(self, rows: int) -> int:
        """Bytes that `forward` takes, about, for so many rows; 0: too few to ask."""
        return rows * self.row_bytes

    def within(self, parameter: str, low: Number, high: Number, limit: str = "") -> Number:
        """The value of a parameter that is a number, whole if its limits are; `limit` is what the
        largest allowed is called in a message.

        Raises:
            InputError: it lies outside.
        """
        value = self.parameters[parameter]
        if not isinstance(value, type(low)) or not low <= value <= high:
            raise InputError(
                f"feature {self.name}: {parameter} must be from {low:g} to {limit or f'{high:g}'}, "
                f"got {value}"
            )
        return value

    def choice(self, parameter: str, *values: Word) -> Word:
        """The value of a parameter that is one of a few words.

        Raises:
            InputError: it is none of them.
        """
        given = self.parameters[parameter]
        for value in values:
            if value == given:
                return value
        raise InputError(
            f"feature {self.name}: {parameter} must be {' or '.join(values)}, got {given}"
        )


def format_value(value: Value) -> str:
    """A parameter's value as a spec writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
