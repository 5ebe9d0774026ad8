"""The folder that a run leaves, as it is read again: by whoever, and perhaps made by a stranger."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import msgspec

from ...cache import Cache
from ...errors import InputError, MissingFeaturesError
from ...files import MOST_JSON, open_regular, parse_json, read_json, read_regular
from ...manifests.names import is_corpus_name, is_language
from ..network.spec import ModelSpec
from .choices import CHOICES, Choices, read_choices
from .confidence import UNCALIBRATED, confidence
from .curves import Curves
from .results import Metrics
from .run_config import FORMAT, RunConfig
from .temperatures import CALIBRATION, Temperatures, read_temperatures

if TYPE_CHECKING:
    import pandas as pd

    from ..data import Domain
    from ..network.ensemble import Ensemble

CONFIG, METRICS, MODEL = "config.json", "metrics.json", "model.safetensors"
PREDICTIONS, SPLIT, HISTORY = "predictions.csv", "split.csv", "history.json"
VERSIONS, STRUCTURE = "versions.json", "structure.json"
FILES = frozenset(
    {CONFIG, METRICS, MODEL, PREDICTIONS, SPLIT, HISTORY, VERSIONS, STRUCTURE, CALIBRATION, CHOICES}
)

MOST_BYTES = 1 << 30
"""Of a file that is read as a whole."""

COLUMNS = ("corpus", "repeat", "fold", "id", "truth", "predicted")
"""Of predictions, before the probabilities. A corpus may be called 2023, an utterance NA."""

Hash = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class _About(msgspec.Struct, frozen=True):
    """What is read of `versions.json`, which has all software beside it."""

    files: dict[str, Hash]
    processors: list[str] = []


@dataclass(frozen=True)
class Run:
    """A finished run, in its folder.

    Every file is read when it is asked for, and is then as the run wrote it; else an InputError
    says which is not.

    Attributes:
        about: all of `versions.json`.
        sums: the SHA-256 of every file, by its name.
        processors: what its models were trained on.
    """

    folder: Path
    about: Mapping[str, Any]
    sums: Mapping[str, str]
    processors: Sequence[str]

    @classmethod
    def open(cls, folder: Path | str) -> Run:
        """Open the folder that `ser train` wrote.

        Raises:
            InputError: it is not the folder of a run, or of one of another version of ser.
        """
        folder = Path(folder)
        with _reading(folder, "not the folder of a run: "):
            about = read_json(folder / VERSIONS, dict[str, Any], folder)
            if about.get("sha256") != checksum(about):
                raise ValueError(f"{VERSIONS} is damaged, or of another version of ser")
            known = msgspec.convert(about, _About)
            if strange := [name for name in known.files if not _FILE.fullmatch(name)]:
                raise ValueError(f"{VERSIONS} names {strange[0]!r}, which is no file of a run")
        return cls(folder, about, known.files, known.processors)

    @cached_property
    def config(self) -> RunConfig:
        """All that the numbers depend on."""
        with _reading(self.folder):
            data = self._read(CONFIG, MOST_JSON)
            if parse_json(data, dict[str, Any], CONFIG).get("format") != FORMAT:
                raise ValueError(f"{CONFIG} is of another version of ser; train it anew")
            config = parse_json(data, RunConfig, CONFIG)
            for corpus, record in config.records.items():
                if not (is_corpus_name(corpus) and is_language(record.language)):
                    raise ValueError(f"{CONFIG}: {corpus!r} ({record.language!r}) is no corpus")
        return config

    @cached_property
    def metrics(self) -> Metrics:
        """The rates of every corpus, as in `metrics.json`."""
        with _reading(self.folder):
            data = self._read(METRICS, MOST_JSON)
            parse_json(data, Metrics, METRICS)
            return cast(Metrics, parse_json(data, dict[str, Any], METRICS))

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """A row for every test utterance of every repeat: corpus, repeat, fold, id, truth,
        predicted, where probabilities are calibrated `uncalibrated` (what the predicted label had
        before), and of a network `p_<label>` for every emotion."""
        with _reading(self.folder):
            table = _table(self._read(PREDICTIONS), COLUMNS)
            numbers = [n for n in table.columns if n.startswith("p_") or n == UNCALIBRATED]
            kinds: dict[str, Any] = {"repeat": int, "fold": int, **dict.fromkeys(numbers, float)}
            table = table.replace({name: {"": "nan"} for name in numbers}).astype(kinds)
            confidence(table)
            return table

    @cached_property
    def splits(self) -> dict[str, pd.DataFrame]:
        """By corpus, the part of every utterance in every split."""
        corpora = self.config.records
        with _reading(self.folder):
            return {
                corpus: _table(self._read(split_name(corpus, len(corpora)))) for corpus in corpora
            }

    @cached_property
    def history(self) -> list[Curves]:
        """How the networks of every repeat and fold were trained; none of the baseline."""
        with _reading(self.folder):
            if HISTORY not in self.sums:
                return []
            history = parse_json(self._read(HISTORY), list[Curves], HISTORY)
            for trained in (member for curves in history for member in curves.members):
                if strange := set(trained.validation_ua) - set(self.config.corpora):
                    raise ValueError(f"{HISTORY} has {strange}, which the run does not have")
            return history

    @cached_property
    def structure(self) -> dict[str, dict[str, Any]]:
        """By corpus, how the models fuse the features, on average: the weights of the gate by
        feature, the matrix of connections; empty where there is nothing to say."""
        with _reading(self.folder):
            if STRUCTURE not in self.sums:
                return {}
            data = self._read(STRUCTURE, MOST_JSON)
            return parse_json(data, dict[str, dict[str, Any]], STRUCTURE)

    @cached_property
    def temperatures(self) -> Temperatures:
        """By repeat and fold, those of every corpus; empty where nothing was calibrated."""
        with _reading(self.folder):
            if not self.config.calibrated:
                return {}
            return read_temperatures(self._read(CALIBRATION, MOST_JSON), self.config.corpora)

    @cached_property
    def choices(self) -> Choices:
        """By repeat and fold, what a baseline chose for every corpus; empty of others."""
        with _reading(self.folder):
            if self.config.baseline is None:
                return {}
            return read_choices(self._read(CHOICES, MOST_JSON), self.config.answered)

    @property
    def spec(self) -> ModelSpec:
        """What the models are built from."""
        with _reading(self.folder):
            spec = self.config.spec()
            if spec is None:
                raise ValueError("it is a baseline, whose models are not kept")
        return spec

    def ensemble(self, repeat: int = 0, fold: int | None = None) -> Ensemble:
        """The models of a repeat as one, ready to predict, calibrated if the run is.

        Args:
            fold: only the models of one fold; None: of all, each trained without its test part: the
                mean of what the folds say.

        Raises:
            InputError: there are no such models, or the folder is not as it was written.
        """
        from .states import ensemble_of, read_states

        spec = self.spec
        with _reading(self.folder):
            self.file(MODEL).close()
            folds = read_states(self.folder / MODEL, repeat, fold)
            if not folds:
                which = f"repeat {repeat}" if fold is None else f"repeat {repeat}, fold {fold}"
                raise ValueError(f"holds no model of {which}")
            temperatures = {}
            if self.config.calibrated:
                if missing := [n for n in folds if (repeat, n) not in self.temperatures]:
                    raise ValueError(f"{CALIBRATION} lacks repeat {repeat}, fold {missing[0]}")
                temperatures = {number: self.temperatures[repeat, number] for number in folds}
            return ensemble_of(spec, folds, temperatures)

    def domain(self, corpus: str, cache: Cache) -> Domain:
        """A corpus as the models of the run read it: all utterances that were used, those that they
        were trained on too, in the very versions of the features that they were trained on.

        Raises:
            InputError: the models were not trained for the corpus, or for other emotions.
            MissingFeaturesError: the cache lacks the corpus, or a feature in that version.
        """
        from ..data import load_domain

        spec = self.spec
        labels, manifest = spec.domain(corpus).labels, self.config.used(cache.manifest(corpus))
        if manifest.labels != labels:
            raise InputError(
                f"{self.folder}: was trained for {corpus} with the emotions {', '.join(labels)}, "
                f"but the cache {cache} has it with {', '.join(manifest.labels)}"
            )
        cached = {key.hash for key in cache.keys()}  # noqa: SIM118 - it is no mapping
        for name, key in self.config.keys.items():
            if key.hash not in cached:
                raise MissingFeaturesError(
                    f"{name}: the cache {cache} does not have the version that "
                    f"{self.folder} was trained on, {key.hash}"
                )
        return load_domain(cache, manifest, self.config.keys).encoded(self.config.encoding)

    def is_of(self, config: RunConfig) -> bool:
        """Whether it is the run that `config` describes, all of it as it was written."""
        names = {CONFIG, METRICS, PREDICTIONS}
        names |= {split_name(corpus, len(config.records)) for corpus in config.records}
        names |= {CALIBRATION} if config.calibrated else set()
        names |= {CHOICES} if config.baseline is not None else set()
        try:
            if self.config != config or not names <= self.sums.keys():
                return False
            self.verify()
        except InputError:
            return False
        return config.spec() is None or {MODEL, HISTORY} <= self.sums.keys()

    def verify(self) -> None:
        """Raise InputError unless every file is as it was written."""
        with _reading(self.folder):
            for name in self.sums:
                self.file(name).close()

    def file(self, name: str) -> BufferedReader:
        """A file of any size, open for reading, that is as it was written.

        Raises:
            OSError, ValueError: it is not there, or not as it was written.
        """
        file = open_regular(self.folder / name, self.folder)
        try:
            if hashlib.file_digest(file, "sha256").hexdigest() != self.sums.get(name):
                raise ValueError(f"{name} is not as the run wrote it")
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return file

    def _read(self, name: str, most: int = MOST_BYTES) -> bytes:
        data = read_regular(self.folder / name, most, self.folder)
        if hashlib.sha256(data).hexdigest() != self.sums.get(name):
            raise ValueError(f"{name} is not as the run wrote it")
        return data


_FILE = re.compile(r"[a-z][a-z0-9_-]{0,200}\.(json|csv|safetensors)")


def _table(data: bytes, columns: tuple[str, ...] = ()) -> pd.DataFrame:
    """A CSV of which every cell is text."""
    import pandas as pd

    table = pd.read_csv(io.BytesIO(data), dtype=str, keep_default_na=False)
    if tuple(table.columns[: len(columns)]) != columns:
        raise ValueError(f"expected the columns {', '.join(columns)}")
    return table


@contextmanager
def _reading(folder: Path, problem: str = "") -> Iterator[None]:
    """Tell what goes wrong with a file of a run as the user's business."""
    try:
        yield
    except InputError as error:
        if str(error).startswith(f"{folder}: "):
            raise
        raise InputError(f"{folder}: {problem}{error}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder}: {problem}{reason(error)}") from None


def reason(error: Exception) -> str:
    """What went wrong with a file, for a message: with its name, if that is known."""
    if isinstance(error, OSError):
        name = f"{Path(str(error.filename)).name}: " if error.filename else ""
        return f"{name}{error.strerror or error}"
    return str(error)


def split_name(corpus: str, corpora: int) -> str:
    """Name of the file of a corpus' splits in a run folder of so many corpora."""
    return SPLIT if corpora == 1 else f"split-{corpus}.csv"


def checksum(about: Mapping[str, Any]) -> str:
    """SHA-256 of all that `versions.json` says beside it."""
    rest = {name: value for name, value in about.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
