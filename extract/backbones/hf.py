"""`hf:<model>`: hidden states of any speech encoder that transformers loads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...errors import AudioError, InputError
from ..audio import RATE
from ..packages import need
from ..weights.known import KNOWN, UNSTATED, digest, hub_weights, is_hub_id, locate, place
from ..weights.model_folder import bounds, model_files
from ..weights.records import read_record
from .backbone import Array, Backbone
from .speech_models import SpeechModel, read_speech_model
from .speech_settings import SETTINGS

if TYPE_CHECKING:
    from .hf_model import Encoder

_BY_CONTENT = re.compile(rf"({'|'.join(sorted(SETTINGS))})-[0-9a-f]{{12}}")


class HuggingFace(Backbone):
    """Hidden states of wav2vec 2.0, XLSR, HuBERT, WavLM, data2vec-audio, Whisper's encoder, ...

    `layer` is `last` (the output), `mean` (of all hidden states) or a number: 0 is what goes into
    the first transformer layer, n what comes out of the n-th. The model's own feature extractor
    prepares the samples. Whisper hears 30 s at a time: shorter utterances are padded as it wants
    and cut back to their own rows; longer ones are heard in pieces of 30 s, each for itself.

    The model is `organisation/model` on the hub, fetched before by `ser weights fetch`, or a
    folder: its path begins with /, ./, ../, ~ or a drive. The folder's path is not in the key.
    """

    name = "hf"
    summary = "speech encoder of the hub or of a folder (transformers): hf:<model>"
    licence = "of the model"
    argument = "model"
    aliases = {"wav2vec2": "facebook/wav2vec2-base"}  # noqa: RUF012 - ClassVar
    kind = "sequence"
    defaults = {"layer": "last", "dtype": "float16"}  # noqa: RUF012 - ClassVar

    def configure(self) -> None:
        layer = str(self.parameters["layer"])
        if not re.fullmatch(r"last|mean|\d{1,3}", layer):
            raise InputError(f"feature hf: layer must be last, mean or a number, got {layer!r}")
        self.layer = str(int(layer)) if layer.isdecimal() else layer
        self.parameters["layer"] = self.layer
        argument = self.argument_value
        if not argument:
            raise InputError(
                "feature hf: which model? Expected hf:organisation/model or hf:/path/of/a/folder"
            )
        self.is_local = bool(re.match(r"[/~\\]|\.{1,2}[/\\]|[A-Za-z]:[/\\]", argument))
        if not self.is_local and not is_hub_id(argument):
            raise InputError(
                f"feature hf:{argument}: not the id of a model (organisation/model); the path of "
                f"a folder begins with / or ./"
            )

    @property
    def spec(self) -> str:
        """`hf:<model>`, or the name that the model has here, and what is not the default."""
        model = self.argument_value
        own = (name for name, argument in self.aliases.items() if argument == model)
        return self.write_spec(next(own, f"{self.name}:{model}"))

    @property
    def feature(self) -> str:
        """As `spec`; a folder is named by what is in it: `hf:<family>-<start of its hash>`.

        Raises:
            InputError, SerError: the folder is not there, or holds no speech encoder.
        """
        if not self.is_local:
            return self.spec
        return self.write_spec(f"hf:{self.described.family}-{self.weights()[:12]}")

    @cached_property
    def described(self) -> SpeechModel:
        """What its folder says of it.

        Raises:
            MissingWeightsError: it is not on this machine.
            InputError, SerError: as `read_speech_model`, or it has no such layer.
        """
        model = read_speech_model(self._folder())
        if self.layer.isdecimal() and int(self.layer) > model.layers:
            raise InputError(
                f"feature {self.spec}: layer must be from 0 to {model.layers}, got {self.layer}"
            )
        return model

    @property
    def dim(self) -> int:  # type: ignore[override]  # a property of the model, not of the class
        return self.described.dim

    @property
    def frame_rate(self) -> float:  # type: ignore[override]
        return self.described.frame_rate

    @property
    def batch_rows(self) -> int:  # type: ignore[override]
        """A minute of samples, or of mel frames."""
        return 60 * (RATE // self.described.strides[0] if self.described.chunk else RATE)

    def terms(self) -> str:
        """The licence of the model, where that is known; its page or folder otherwise."""
        if self.is_local:
            return "of the model: see the folder that it came from"
        weights = hub_weights(self.argument_value)
        stated = read_record(place(weights)).get("licence")
        known = next((w.licence for w in KNOWN if w.url == weights.url), "")
        licence = next((text for text in (stated, known) if text and text != UNSTATED), "")
        return f"{licence or 'of the model: see its page on the hub'} ({self.argument_value})"

    def memory(self, rows: int) -> int:
        """As the model's shape has it, once it is loaded."""
        return self.model.memory(rows) if "_loaded" in vars(self) else 0

    def _folder(self) -> Path:
        if _BY_CONTENT.fullmatch(self.argument_value):
            raise InputError(
                f"feature hf:{self.argument_value}: the cache calls a model by its content so "
                "when it came from a folder; to extract, give that folder: hf:/path/of/it"
            )
        if not self.is_local:
            return locate(hub_weights(self.argument_value, feature=self.spec))
        folder = Path(self.argument_value).expanduser()
        if not folder.is_dir():
            raise InputError(f"feature {self.spec}: no such folder")
        return folder

    def weights(self) -> str:
        """The sha256 over the files that are read: weights, configuration, feature extractor."""
        folder = self.described.folder
        return digest(folder, model_files(folder), below=bounds(folder))

    def make_model(self) -> Encoder:
        need("transformers", extra="hf")
        from .hf_model import Encoder

        return Encoder(self.described, self.layer, self.device)

    def prepare(self, samples: Array) -> Array:
        """Run the model's feature extractor: to (samples,), or as `mel_chunks` for Whisper.

        Raises:
            AudioError: too short for a single frame.
        """
        model = self.described
        if model.chunk:
            from .whisper import mel_chunks

            return mel_chunks(samples, model)
        if model.frames(len(samples)) < 1:
            raise AudioError(f"too short for {self.spec}: {len(samples)} samples at {RATE} Hz")
        if model.front.do_normalize:  # as Wav2Vec2FeatureExtractor does it
            samples = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
        return np.ascontiguousarray(samples, dtype=np.float32)

    def forward(self, batch: Sequence[Array]) -> list[Array]:
        """Hidden states of prepared utterances: (frames, dim) for each."""
        found: list[Array] = self.model(batch)
        return found
