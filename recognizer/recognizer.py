"""A trained run and its backbones: sound in, emotions out, nothing in between on the disk."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..cache.keys import IMPORTED
from ..errors import AudioError, InputError
from ..train.runs.run import Run
from .heads import Probabilities, choose

if TYPE_CHECKING:
    import pandas as pd

    from ..cache import FeatureKey
    from ..extract import Backbone
    from ..extract.memory import Sound
    from .track import Window
    from .voices import Voice


@dataclass(frozen=True)
class Answer:
    """What the heads of a run say of one sound.

    Attributes:
        labels: what could be said, in the order of the run.
        probabilities: of the labels, (labels,); they sum to 1.
        by_head: what each head says alone, by its corpus: the probability of every label that it
            knows.
    """

    labels: tuple[str, ...]
    probabilities: Probabilities
    by_head: Mapping[str, Mapping[str, float]]

    @property
    def emotion(self) -> str:
        """The most probable label."""
        return self.labels[int(self.probabilities.argmax())]

    @property
    def probability(self) -> float:
        """Of the emotion."""
        return float(self.probabilities.max())


class Recognizer:
    """Tells the emotions of sounds, by the models of one repeat of a run.

        recognizer = Recognizer("runs/emodb-single-strong-paper-20261125-120000")
        recognizer(["a.wav", "b.flac"])
        recognizer.probabilities((samples, 44100))

    Every sound goes through the same decoding and the same backbones as a corpus in extraction, so
    that its features are those that a cache would hold. What is said of it does not depend on other
    sounds. A run for several corpora has a head for each: `heads` has those that answer, and
    `heads.why` says how they were chosen.

    Args:
        run: an opened run, or its folder.
        corpus: one or several of the corpora that the run was trained for, which the sounds are
            like.
        language: that of the sounds, in place of a corpus; "other" is averaged over all heads, and
            so are sounds of which neither is said.
        labels: the only emotions that are to be told; None: all that the heads know.
        repeat: whose models.
        fold: only those of one fold; None: of all folds, averaged.
        backbones: backbones of one's own that the run was trained on; others are found by name.
        device: for the models, as torch names it, or "auto".

    Raises:
        InputError: the run has no models, or no head for what was asked for.
        MissingPackageError, MissingWeightsError: a backbone is not on this machine.
    """

    def __init__(
        self,
        run: Run | Path | str,
        corpus: str | Sequence[str] | None = None,
        *,
        language: str | None = None,
        labels: Sequence[str] | None = None,
        repeat: int = 0,
        fold: int | None = None,
        backbones: Sequence[Backbone] = (),
        device: str = "auto",
    ) -> None:
        from ..machine import torch_device

        self.run = run if isinstance(run, Run) else Run.open(run)
        corpora = [corpus] if isinstance(corpus, str) else corpus or ()
        self.heads = choose(self.run.spec, corpora, language, labels or ())
        self.labels = self.heads.labels
        self.backbones = self._make_backbones(backbones, device)
        self._ensemble = self.run.ensemble(repeat, fold).to(torch_device(device))

    def __call__(self, sounds: Sound | Iterable[Sound]) -> pd.DataFrame:
        """A row for every sound: its `emotion`, and `p_<label>` for every emotion.

        The index names the files; sounds from memory are numbered.

        Args:
            sounds: one or several: files, or samples with their rate, (array, Hz), of full scale 1
                and the shape (frames,) or (frames, channels).

        Raises:
            AudioError: a sound cannot be used; the message begins with its name.
        """
        import pandas as pd

        sounds = _listed(sounds)
        names = [str(s) if isinstance(s, str | Path) else n for n, s in enumerate(sounds)]
        vectors = [self.probabilities(sound) for sound in sounds]
        table = pd.DataFrame(
            np.reshape(vectors, (len(sounds), len(self.labels))),
            index=pd.Index(names, name="sound"),
            columns=[f"p_{label}" for label in self.labels],
        )
        best = [self.labels[place] for place in table.to_numpy().argmax(axis=1)]
        table.insert(0, "emotion", best)
        return table

    def by_heads(self, corpora: Sequence[str]) -> Recognizer:
        """The same models, by the heads of these corpora.

        Raises:
            InputError: there is no such head.
        """
        other = copy(self)
        other.heads = choose(self.run.spec, corpora)
        other.labels = other.heads.labels
        return other

    def stream(
        self, files: Iterable[Path], workers: int = 0
    ) -> Generator[Answer | AudioError, None, None]:
        """What is said of many files, in their order, as they are done: see `each_file`.

        Args:
            workers: processes that decode and run the front ends; 0 does it in this process.
        """
        from ..extract.stream import each_file

        return each_file(files, self.backbones, self.run.config.keys, self.answer, workers)

    def track(
        self, sound: Sound, window: float = 3.0, hop: float = 1.0, speech: float = 0.3
    ) -> Iterator[Window]:
        """What is said of a long recording, window by window: see `ser.recognizer.track.track`."""
        from .track import track

        return track(self, sound, window, hop, speech)

    def voice(self) -> Voice:
        """Somebody of whom nothing was heard yet; see `ser.recognizer.voices.Voice`.

        Raises:
            InputError: the run was not trained on what is heard of speakers.
        """
        from .voices import Voice

        if not self.run.config.encoding.heard:
            raise InputError(
                f"{self.run.folder}: was trained without what is heard of speakers, and has no use "
                "for it; train with --set model.standardise=speaker"
            )
        return Voice(self.run.config)

    def probabilities(self, sound: Sound, voice: Voice | None = None) -> NDArray[np.float32]:
        """The probability of each of `labels` for one sound: (labels,).

        Args:
            voice: what was heard of its speaker, with this sound; see `voice`.

        Raises:
            AudioError: it cannot be used; the message begins with its name.
        """
        return self.answer(self.features(sound), voice).probabilities.astype(np.float32)

    def answer(self, features: Mapping[str, NDArray[Any]], voice: Voice | None = None) -> Answer:
        """What the heads say of a sound that has these features, see `features`.

        Args:
            voice: what was heard of its speaker, with this sound; None: inputs are standardised by
                the training part.
        """
        from ..train.evaluate import probabilities_of_one

        config = self.run.config
        said = probabilities_of_one(
            self._ensemble,
            features,
            config.keys,
            config.encoding,
            self.heads.corpora,
            voice.heard() if voice else None,
        )
        told = self.heads.restricted(said)
        by_head = {
            corpus: dict(zip(self.heads.told(corpus), map(float, shares), strict=True))
            for corpus, shares in told.items()
        }
        return Answer(self.labels, self.heads.averaged(told), by_head)

    def features(self, sound: Sound) -> dict[str, NDArray[Any]]:
        """The features of one sound as a cache would hold them, by name: (frames, dim) or (dim,).

        Raises:
            AudioError: it cannot be used; the message begins with its name.
        """
        from ..extract.memory import features_of

        name = f"{sound}: " if isinstance(sound, str | Path) else ""
        try:
            return features_of(self.backbones, self.run.config.keys, sound)
        except InputError as error:
            raise AudioError(f"{name}{error}") from error

    def _make_backbones(self, own: Sequence[Backbone], device: str) -> Mapping[str, Backbone]:
        """By the names of the features; each computes what the run was trained on."""
        from ..extract import make_backbone, make_backbones

        for name, key in self.run.config.keys.items():
            if key.backbone == IMPORTED:
                raise InputError(
                    f"{self.run.folder}: was trained on {name}, which was made elsewhere (source: "
                    f"{key.parameters.get('source', 'not stated')}) and imported; nothing here "
                    "computes it of new sound. A run hears what `ser extract` computes: train on "
                    "that"
                )
        given = {
            backbone.feature: backbone
            for backbone in (make_backbones(own, device).values() if own else ())
        }
        backbones = {}
        for name, key in self.run.config.keys.items():
            try:
                backbone = given.get(name) or make_backbone(name, device)
            except InputError as error:
                raise InputError(
                    f"{self.run.folder}: was trained on {name}, which is not known here; give "
                    f"what computes it, made as for the extraction: backbones=[...] ({error})"
                ) from error
            if differ := _differences(key, backbone.key()):
                raise InputError(
                    f"{self.run.folder}: was trained on {key.short}, but here {name} would be "
                    f"{backbone.key().short}, of other {' and '.join(differ)}: extract with it and "
                    "train anew, or bring what the run was trained on"
                )
            if backbone.batch_rows:
                backbone.load()
            backbones[name] = backbone
        return backbones


def _listed(sounds: Any) -> list[Sound]:
    """One sound or several, as a list."""
    in_memory = isinstance(sounds, tuple) and len(sounds) == 2 and isinstance(sounds[0], np.ndarray)
    return [sounds] if in_memory or isinstance(sounds, str | Path) else list(sounds)


def _differences(one: FeatureKey, other: FeatureKey) -> list[str]:
    """What two keys have not in common, by the names of their fields."""
    fields, others = asdict(one), asdict(other)
    return [name for name in fields if fields[name] != others[name]]
