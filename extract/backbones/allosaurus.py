"""`allosaurus`: phone logits, or the hidden layer before them, of a universal phone recogniser."""

from __future__ import annotations

import warnings
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from msgspec import Meta, Struct
from msgspec.structs import asdict

from ...errors import AudioError, InputError, SerError
from ..audio import RATE
from ..packages import need
from ..weights.known import ALLOSAURUS, digest, locate
from ..weights.model_folder import read_json
from .backbone import Array, Backbone
from .settings import read_settings

if TYPE_CHECKING:
    from .allosaurus_model import PhoneRecogniser

_FULL_SCALE = 32768
_FILES = ("am_config.json", "model.pt", "pm_config.json")
"""Those of a model's folder that change a number; the phone inventories name them only."""
Seconds = Annotated[float, Meta(ge=0.001, le=1)]


class FrontEnd(Struct, frozen=True, kw_only=True):
    """What pm_config.json may say: the front end of the one published architecture."""

    model: Literal["mfcc_hires"]
    backend: Literal["numpy"]
    sample_rate: Annotated[int, Meta(ge=4000, le=96_000)]
    window_size: Seconds = 0.025
    window_shift: Seconds = 0.01
    feature_window: Annotated[int, Meta(ge=3, le=3)]
    cmvn: Literal["speaker", "none", "", None]
    dtype: Literal["float32", "float64"] = "float32"
    cep_size: Annotated[int, Meta(ge=40, le=40)]
    bank_size: Annotated[int, Meta(ge=40, le=512)]
    low_freq: Annotated[float, Meta(ge=0, le=48_000)] = 20.0
    high_freq: Annotated[float, Meta(ge=-48_000, le=48_000)] = 0.0
    use_energy: bool = False
    dither: Annotated[float, Meta(ge=0, le=1)] = 0.0


class Allosaurus(Backbone):
    """Phone logits, T x 230, or with `layer=hidden` the last BiLSTM's output, T x 640.

    Li et al.: Universal Phone Recognition with a Multilingual Allophone System (2020), by the
    package allosaurus, model `uni2005`; `model=<folder>` takes another copy of that architecture.
    The package is given samples at full precision where its own reader takes any file for 16 bits.
    Column 0 of the logits is the blank, the others are the lines of the model's phone.txt.
    """

    name = "allosaurus"
    summary = "Allosaurus: 230 phone logits, or layer=hidden"
    licence = "GPL-3.0 (allosaurus, package and model)"
    kind = "sequence"
    dim = 230
    frame_rate = 100 / 3
    defaults = {"dtype": "float16", "layer": "logits", "model": ""}  # noqa: RUF012 - ClassVar
    local = frozenset({"model"})
    batch_rows = 2_000  # frames of 30 ms
    row_bytes = 22_000

    def configure(self) -> None:
        self.layer = self.choice("layer", "logits", "hidden")
        self.dim = 640 if self.layer == "hidden" else 230

    @property
    def folder(self) -> Path:
        """Where the model is; MissingWeightsError or InputError where it is not, or not whole."""
        given = str(self.parameters["model"])
        folder = Path(given).expanduser() if given else locate(ALLOSAURUS)
        missing = [name for name in _FILES if not (folder / name).is_file()]
        if missing:
            raise InputError(
                f"{folder}: not the folder of an Allosaurus model: {', '.join(missing)} missing"
            )
        return folder

    @cached_property
    def _front_end(self) -> tuple[Any, Any]:
        """The package's front end with the settings of the model, and the class of its input."""
        folder, name = self.folder, "pm_config.json"
        try:
            settings = read_settings(read_json(folder, name, "an Allosaurus model"), FrontEnd)
        except ValueError as error:
            raise SerError(f"{folder / name}: not the front end of Allosaurus ({error})") from error
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # of the package's own code
            mfcc = need("allosaurus.pm.mfcc", "allosaurus", extra="allosaurus")
            audio = need("allosaurus.audio", "allosaurus", extra="allosaurus")
        return mfcc.MFCC(Namespace(**asdict(settings))), audio.Audio

    def weights(self) -> str:
        folder = self.folder
        return digest(folder, _FILES, below=folder)

    def make_model(self) -> PhoneRecogniser:
        from .allosaurus_model import PhoneRecogniser

        return PhoneRecogniser(self.folder, self.device)

    def prepare(self, samples: Array) -> Array:
        """Cepstra of three neighbouring frames, normalised over the utterance, (frames, 120).

        Raises:
            AudioError: they cannot be normalised.
        """
        front, audio = self._front_end
        with _filters_built_once(), np.errstate(invalid="ignore", divide="ignore"):
            frames: Array = front.compute(audio(*_at_its_rate(samples, front.sample_rate)))
        if not np.isfinite(frames).all():
            raise AudioError("its cepstra do not vary, and cannot be normalised")
        return np.ascontiguousarray(frames, dtype=np.float32)

    def forward(self, batch: Sequence[Array]) -> list[Array]:
        """Logits or hidden states of prepared utterances: (frames, dim) for each."""
        found: list[Array] = self.model(batch, hidden=self.layer == "hidden")
        return found


def _at_its_rate(samples: Array, rate: int) -> tuple[npt.NDArray[np.floating], int]:
    """Samples at the scale and rate that the package's front end takes, and that rate.

    At half the rate, the published model's, its resampler does one and the same filter over and
    over, by interpolation in a table, in more time than all the rest of the front end.
    """
    scaled = samples * np.float32(_FULL_SCALE)
    if 2 * rate != RATE:
        return scaled, RATE
    taps = _half_rate_filter()
    return np.convolve(scaled, taps)[len(taps) // 2 :][: len(scaled) // 2 * 2 : 2], rate


@cache
def _half_rate_filter() -> npt.NDArray[np.float64]:
    """The taps of resampy's `kaiser_best`, the package's resampler, at half the rate."""
    filters = need("resampy.filters", "allosaurus", extra="allosaurus")
    half, precision, _ = filters.get_filter("kaiser_best")
    step = precision // 2
    wing = half[::step][: len(half) // step] / 2
    return np.concatenate([wing[:0:-1], wing])


@contextmanager
def _filters_built_once() -> Iterator[None]:
    """Meanwhile the package, which builds the same filters for every file in loops that take longer
    than all the rest, is given those of the first."""
    package = need("allosaurus.pm.feature", "allosaurus", extra="allosaurus")
    build = package.get_filterbanks
    package.get_filterbanks = _cached(build)
    try:
        yield
    finally:
        package.get_filterbanks = build


_cached = cache(cache)
"""A cache of a function: always the same one."""
