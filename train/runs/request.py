"""What `ser train` can be asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import InputError, did_you_mean, listing
from ...manifests import (
    WHOLE,
    Folds,
    LabelMap,
    Manifest,
    check_folds_asked,
    check_protocol,
    is_folds,
)
from ..baseline import READ, BaselineSettings
from ..config import Config
from ..encoding import SUMMARIES, Encoding
from ..methods import DEFAULT_METHODS, METHODS, Method, methods_of
from ..network.spec import GE2E, GE2E_MEL

MOST_REPEATS, MOST_WORKERS, MOST_MEMORY = 1000, 1024, 1_000_000
"""What may be asked for: more is a slip of the finger. Memory is in GB."""


def default_repeats(protocol: str) -> int:
    """Five, but one where a repeat is folds, which test every utterance already."""
    return 1 if is_folds(protocol) else 5


@dataclass(frozen=True)
class Request:
    """One method, its corpora, features and settings.

    Attributes:
        method: of the setting, by name, or one of one's own; blank: the setting's default.
        config: the resolved settings, of which a baseline reads a few: `READ`, or none.
        protocol: blank: `paper`, or that of the file of splits.
        splits: a file of splits to use instead of making them; for several corpora the folder of a
            run that has them.
        workers: runs side by side; None: as many as cores and memory allow.
        memory: what features may take, in GB; None: what is free.
        folds: how many, of a protocol that has them; None: five, and of IEMOCAP its sessions.
        tested: those of the corpora that are tested as a whole, and not trained on; none: all are
            trained on and tested in parts. With them the protocol is `corpus`.
        label_map: what becomes of the emotions of all corpora; None: they stay.
        skip_missing: leave out utterances that lack a feature, instead of refusing.
        elsewhere: the device is one of other machines, which this one need not have.
        asked: settings that were chosen by name, see `config.canonical`, whether or not the preset
            has them so: for methods that come with a preset of their own.
    """

    setting: str
    corpora: Sequence[str]
    features: Sequence[str]
    config: Config
    method: str | Method = ""
    protocol: str = "paper"
    repeats: int = 5
    splits: Path | None = None
    device: str = "auto"
    workers: int | None = None
    memory: float | None = None
    skip_missing: bool = False
    overwrite: bool = False
    folds: Folds = None
    tested: Sequence[str] = ()
    elsewhere: bool = False
    label_map: LabelMap | None = None
    asked: Sequence[str] = ()

    @property
    def trained(self) -> list[str]:
        """The corpora that are trained on."""
        return [corpus for corpus in self.corpora if corpus not in self.tested]

    @property
    def model(self) -> Method:
        """The method, whatever the setting; raises InputError for an unknown one."""
        if isinstance(self.method, Method):
            return self.method
        return METHODS.find(self.method or DEFAULT_METHODS[self.setting])

    @property
    def network(self) -> bool:
        """Whether a network is trained, not the baseline."""
        return self.model.network

    @property
    def encoding(self) -> Encoding:
        """What becomes of sequence features before training."""
        if self.network:
            return Encoding.of(self.config)
        classifiers, model = self.model.classifiers, self.config.model
        if classifiers is None:
            return Encoding("pooled")
        return Encoding(classifiers.summary, heard=model.standardise if model.by_speaker else "")

    @property
    def baseline(self) -> BaselineSettings | None:
        """What a baseline reads of the settings; None of others, and of one that reads none."""
        classifiers = self.model.classifiers
        return BaselineSettings.of(self.config, classifiers) if classifiers else None

    @property
    def perturbations(self) -> tuple[str, ...]:
        """What recordings are perturbed by that are trained on, too."""
        if self.network or self.baseline:
            return self.config.augment.perturbations
        return ()

    def relabelled(self, manifest: Manifest) -> Manifest:
        """The utterances that are used of a corpus, with the labels that the map gives them."""
        return self.label_map.applied(manifest) if self.label_map else manifest

    def changed(self, *changes: str) -> Request:
        """The same with some settings changed, see `Config.changed`."""
        return replace(self, config=self.config.changed(*changes))


def check_request(request: Request) -> None:
    """Raise InputError for what does not go together."""
    _check_setting(request)
    check_limits(request.repeats, request.workers, request.memory)
    if request.splits is not None and request.folds is not None:
        raise InputError("--folds: the file of --split says how many there are")
    if request.tested:
        _check_tested(request)
    if request.protocol or request.splits is None:
        check_protocol(request.protocol)
        check_folds_asked(request.protocol, request.folds)
    names = list(request.features)
    if not names or not all(names):
        raise InputError("--features: expected names with commas between, such as mfcc,ge2e")
    settings = request.config
    gated = request.model.gated
    if gated and len(names) < 2:
        raise InputError(
            f"--method {request.model.name}: its gates choose between features, so it needs at "
            f"least two, not {names[0]} alone; name more with --features, or use --method sb"
        )
    if gated and not settings.gate.selector:
        raise InputError("gate.selector: expected the name of a feature, such as ge2e")
    reads = request.model.reads
    if request.network and reads and reads.sequence and request.encoding.name in SUMMARIES:
        raise InputError(
            f"--method {request.model.name}: reads a sequence, of which model.encoder="
            f"{settings.model.encoder} makes a vector; leave --preset out, or add --set "
            "model.encoder=attention"
        )
    if request.network and settings.train.finetune_ge2e:
        if reads:
            raise InputError(
                f"train.finetune_ge2e=true: the method {request.model.name} has no GE2E in it"
            )
        if GE2E not in names:
            raise InputError(f"train.finetune_ge2e=true: {GE2E} is not among the --features")
        if settings.model.by_speaker:
            raise InputError(
                f"train.finetune_ge2e=true does not go with model.standardise="
                f"{settings.model.standardise}: what is heard of a speaker would change with it"
            )
        if GE2E_MEL in names:
            raise InputError(f"train.finetune_ge2e=true: leave {GE2E_MEL} out of the --features")


def _check_tested(request: Request) -> None:
    if strange := [corpus for corpus in request.tested if corpus not in request.corpora]:
        raise InputError(f"--test-on {','.join(strange)}: is not among the corpora")
    if not request.trained:
        raise InputError("--train-on: expected a corpus that is not among those of --test-on")
    if request.splits is not None:
        raise InputError("--split: whole corpora are trained on and tested, there is no split")
    if request.protocol != WHOLE:
        raise InputError(f"--protocol {request.protocol}: with --test-on it is {WHOLE}")


def check_read(method: Method, overrides: Sequence[str]) -> None:
    """Raise InputError for `section.name=value` that a baseline does not read."""
    read = READ if method.classifiers else ()
    for override in overrides:
        if override.partition("=")[0].strip() not in read:
            reads = f"reads only {listing(read)}" if read else "reads no settings"
            raise InputError(f"--set {override}: the method {method.name} {reads}")


def check_limits(repeats: int, workers: int | None, memory: float | None) -> None:
    """Raise InputError for numbers that nobody can mean."""
    if not 1 <= repeats <= MOST_REPEATS:
        raise InputError(f"--repeats {repeats}: expected 1 to {MOST_REPEATS}")
    if workers is not None and not 1 <= workers <= MOST_WORKERS:
        raise InputError(f"--workers {workers}: expected 1 to {MOST_WORKERS} runs side by side")
    if memory is not None and not 0 <= memory <= MOST_MEMORY:
        raise InputError(f"--memory {memory}: expected 0 to {MOST_MEMORY} GB")


def _check_setting(request: Request) -> None:
    if request.setting not in DEFAULT_METHODS:
        hint = did_you_mean(request.setting, DEFAULT_METHODS)
        known = " or ".join(DEFAULT_METHODS)
        raise InputError(f"--setting {request.setting}{hint}: expected {known}")
    corpora = list(request.corpora)
    if not corpora or not all(corpora):
        raise InputError("--corpus: expected a name, or names with commas between")
    if len(set(corpora)) < len(corpora):
        raise InputError(f"--corpus {','.join(corpora)}: a corpus is named twice")
    if isinstance(request.method, str) and request.method and request.method not in METHODS:
        methods = methods_of(request.setting)
        hint = did_you_mean(request.method, methods)
        raise InputError(
            f"unknown method {request.method!r}{hint}; --method is one of {', '.join(methods)}"
        )
    if request.model.setting != request.setting:
        raise InputError(f"--method {request.model.name}: is for --setting {request.model.setting}")
    trained = request.trained
    united = request.setting == "baseline" and request.tested
    if request.setting != "multidomain" and len(trained) > 1 and not united:
        raise InputError(
            f"--setting {request.setting}: takes one corpus, not {','.join(trained)}; one model "
            "for all of them is --setting multidomain"
        )
    if request.setting == "multidomain" and len(trained) == 1:
        raise InputError(
            f"--setting multidomain: needs at least two corpora, not {trained[0]} alone; for one "
            "use --setting single"
        )
