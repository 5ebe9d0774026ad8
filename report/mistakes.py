"""The utterances that a run is most confidently wrong about, to be listened to."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..cache import Cache
from ..errors import SerError
from ..files import read_regular
from ..manifests import audio_path, read_audio
from .figures_calibration import confidences
from .leaks import manifest_of
from .subject import Subject, one_line, reading

SHOWN = 12
"""Of a run."""

MOST_BYTES = 2 << 20
"""Of the audio of one utterance."""

PLAYED = {".wav": "audio/wav", ".flac": "audio/flac", ".mp3": "audio/mpeg", ".ogg": "audio/ogg"}
"""What browsers play as it is; anything else is written as FLAC."""


@dataclass(frozen=True)
class Mistake:
    """An utterance that was taken for something else.

    Attributes:
        audio: as a data: URI; blank where there is none.
        problem: why there is none, where it was asked for.
    """

    corpus: str
    id: str
    truth: str
    predicted: str
    probability: float
    audio: str = ""
    problem: str = ""


def mistakes(subject: Subject, cache: Cache | None, roots: Mapping[str, Path]) -> list[Mistake]:
    """Those with the highest probabilities, each utterance once; none of the baseline.

    Args:
        roots: by corpus, where its audio lies.

    Raises:
        InputError: the predictions are not as a run writes them.
    """
    found: list[Mistake] = []
    for corpus in subject.corpora:
        with reading(subject.run):
            known = confidences(subject, corpus)
            if known is None:
                continue
            table = subject.run.predictions
            table = table[table["corpus"] == corpus]
            order = np.argsort(-known[1], kind="stable")
            wrong = table.iloc[order[~known[0][order]]].drop_duplicates("id").head(SHOWN)
            sure = dict(zip(table.index.tolist(), known[1].tolist(), strict=True))
            columns = (wrong[name].tolist() for name in ("id", "truth", "predicted"))
            for index, *words in zip(wrong.index.tolist(), *columns, strict=True):
                id, truth, predicted = map(str, words)
                found.append(Mistake(corpus, id, truth, predicted, sure[index]))
    found = sorted(found, key=lambda each: -each.probability)[:SHOWN]
    paths = {corpus: _paths(subject, corpus, cache) for corpus in roots}
    return [_shown(each, roots.get(each.corpus), paths.get(each.corpus)) for each in found]


def _paths(subject: Subject, corpus: str, cache: Cache | None) -> dict[str, str] | None:
    """Where the audio of every utterance lies below the root of its corpus; None if not known."""
    if corpus not in subject.corpora:
        return None
    manifest = manifest_of(subject, corpus, cache)
    if manifest is None:
        return None
    return dict(zip(manifest.ids, map(str, manifest.table["path"]), strict=True))


def _shown(mistake: Mistake, root: Path | None, paths: Mapping[str, str] | None) -> Mistake:
    """With its audio, where that was asked for, and as text that can be shown."""
    audio = problem = ""
    if root is not None and paths is None:
        problem = "the cache does not have its manifest, which says where its audio lies"
    elif root is not None and paths is not None:
        try:
            audio = _embedded(audio_path(root, paths[mistake.id]), root)
        except KeyError:
            problem = "not in the manifest"
        except OSError as error:
            problem = error.strerror or str(error)
        except SerError as error:
            problem = one_line(str(error))
    return Mistake(
        mistake.corpus,
        one_line(mistake.id),
        one_line(mistake.truth),
        one_line(mistake.predicted),
        mistake.probability,
        audio,
        problem,
    )


def _embedded(path: Path, root: Path) -> str:
    """A file's sound as a data: URI.

    Raises:
        OSError: it cannot be read, is too long, or lies outside the root.
        SerError: it is no audio.
    """
    data, kind = read_regular(path, MOST_BYTES, root), PLAYED.get(path.suffix.lower())
    if kind is None:
        import soundfile

        audio, text = read_audio(path), io.BytesIO()
        soundfile.write(text, audio.samples, audio.rate, format="FLAC", subtype="PCM_16")
        data, kind = text.getvalue(), "audio/flac"
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
