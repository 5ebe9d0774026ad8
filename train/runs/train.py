"""`ser train`: corpora, features and a setting in; a run folder and its metrics out."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ...cache import Cache
from ...errors import InputError
from ...manifests import FOLDS, WHOLE, Folds, LabelMap
from ...portion import ALL, Portion
from ...progress import Progress
from ...workers import Workers
from .. import TRAIN_PRESET
from ..config import load_config
from ..methods import METHODS, Method, usual
from .experiment import Experiment, resolve
from .processes import prepare_workers
from .request import Request, check_request, default_repeats
from .run import Run
from .target import check_folder, claimed

if TYPE_CHECKING:
    from .plan import RunPlan
    from .pool import Executor


def train(
    setting: str,
    corpora: str | Sequence[str],
    *,
    tested: str | Sequence[str] = (),
    features: str | Sequence[str] | None = None,
    method: str | Method = "",
    preset: str | None = None,
    changes: Sequence[str] = (),
    protocol: str = "",
    folds: Folds = None,
    repeats: int | None = None,
    splits: Path | None = None,
    skip_missing: bool = False,
    device: str = "auto",
    workers: int | None = None,
    memory: float | None = None,
    cache: Cache | Path | str | None = None,
    out: Path | str | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    executor: Executor | None = None,
    log: Literal["", "tensorboard"] = "",
    label_map: LabelMap | Mapping[str, str] | Path | str | None = None,
) -> Run:
    """Train and test on cached features, as `ser train` does.

        run = train("single", "emodb", cache="~/ser-cache", changes=["train.epochs=10"])
        run.metrics["domains"]["emodb"]["ua"]

    Args:
        setting: `single`, `baseline` or `multidomain`.
        corpora: their names, in a list or with commas between.
        tested: likewise, corpora to test as a whole by what was trained on the others; blank: these
            are tested, in parts.
        features: likewise; None: that of the method, else `mfcc,ge2e`.
        method: a name, or a `Method` of one's own.
        preset: None: that of the method, else `strong`.
        changes: settings that are not as the preset has them, `section.name=value`.
        protocol: blank: `paper`, or that of the file of splits.
        repeats: None: five, or one where a repeat is folds, as of the protocol `speaker`.
        cache: None: that of `SER_CACHE`, or the user's.
        out: the run folder; None: a new one in `runs`.
        executor: what trains networks; None: processes of this machine.
        log: `tensorboard` for event files beside the run folder, see `EventFiles`.
        label_map: a ready map or a file by its name, or from emotions to labels, None to leave out.
        and as `Request`.

    Raises:
        as `train_request`.
    """
    others = _names(tested) if tested else []
    protocol = protocol or (WHOLE if others else "" if splits else "paper")
    usual_features, usual_preset = usual(setting, method, TRAIN_PRESET)
    request = Request(
        setting=setting,
        corpora=[*_names(corpora), *others],
        features=_names(usual_features if features is None else features),
        config=load_config(preset or usual_preset, changes),
        method=method,
        protocol=protocol,
        repeats=repeats or default_repeats(protocol),
        splits=splits,
        device=device,
        workers=workers,
        memory=memory,
        skip_missing=skip_missing,
        overwrite=overwrite,
        folds=folds,
        tested=others,
        label_map=_map(label_map),
    )
    folder = Path(out) if out is not None else None
    return train_request(request, Cache.of(cache), folder, progress, executor, log)


def _map(given: LabelMap | Mapping[str, str] | Path | str | None) -> LabelMap | None:
    if given is None or isinstance(given, LabelMap):
        return given
    if isinstance(given, str | Path):
        return LabelMap.load(str(given))
    if isinstance(given, Mapping):
        return LabelMap.of(given)
    raise InputError(f"label_map: expected a name, a file or a mapping, not {given!r:.100}")


def _names(names: str | Sequence[str]) -> list[str]:
    return names.split(",") if isinstance(names, str) else list(names)


def train_request(
    request: Request,
    cache: Cache,
    out: Path | None = None,
    progress: Progress | None = None,
    executor: Executor | None = None,
    log: Literal["", "tensorboard"] = "",
    crew: Workers | None = None,
) -> Run:
    """Train and test every repeat, write the run folder `out`, and open it.

    Repeats that an earlier call finished before it was ended are not trained again, nor is a run
    that is whole in `out`.

    Args:
        out: None: a new folder in `runs`.
        executor: what trains networks; None: processes of this machine.
        log: `tensorboard` for event files beside the run folder, see `EventFiles`.
        crew: workers that do the jobs, such as those of a cluster; None: `executor`.

    Raises:
        MissingFeaturesError: a feature is not cached; the message has the command to run.
        LeakError: a split leaks.
        InputError: wrong usage, or another command trains into the same folder.
        MissingPackageError: what `log` needs is not installed.
        SerError: the run folder cannot be written, or a training process failed.
    """
    progress = progress or Progress()
    experiment = _resolved(request, cache, out, progress)
    from .engine import run_experiments
    from .events import EventFiles

    wanted = Path(os.path.realpath(out or default_out(request)))
    with claimed(wanted, progress.say, new=out is None) as target:
        events = EventFiles(target) if log else None
        finished = events.add if events else lambda outcome: None
        experiments = {target: experiment}
        run = run_experiments(
            *(experiments, cache, progress), executor=executor, finished=finished, crew=crew
        )[target]
        if events:
            events.complete(run)
            progress.say(f"event files: tensorboard --logdir {events.folder}")
        return run


def train_portion(
    request: Request,
    cache: Cache,
    out: Path,
    portion: Portion,
    progress: Progress | None = None,
    crew: Workers | None = None,
) -> Run | None:
    """Do a portion of the jobs of `train_request`, and write the run folder if those are the last.

    Other processes, on any machine that sees `out`, do the others, in any order and at any time.

    Returns:
        The run; None where jobs of others are not finished, or another process is about to write.

    Raises as `train_request`.
    """
    progress = progress or Progress()
    experiment = _resolved(request, cache, out, progress)
    from .engine import run_experiments

    target = Path(os.path.realpath(out))
    experiments = {target: experiment}
    runs = run_experiments(experiments, cache, progress, portion=portion, crew=crew)
    return runs.get(target)


def plan_request(
    request: Request,
    cache: Cache,
    out: Path | None = None,
    portion: Portion = ALL,
    progress: Progress | None = None,
) -> RunPlan:
    """What `train_request` or `train_portion` would do; raises as these."""
    check_request(request)
    if progress:
        progress.show(f"looking up {', '.join(request.corpora)} in the cache")
    experiment = resolve(request, cache)
    if out is not None:
        check_folder(out)
    from .plan import plan_experiments

    target = Path(os.path.realpath(out or default_out(request)))
    return plan_experiments({target: experiment}, cache, portion)[0]


def _resolved(request: Request, cache: Cache, out: Path | None, progress: Progress) -> Experiment:
    """What a request means, while all that training needs begins to be imported; raises as
    `train_request`."""
    if isinstance(request.method, Method):
        METHODS.add(request.method.name, request.method)
    check_request(request)
    progress.show("starting")
    if request.network:
        prepare_workers()
    progress.show(f"looking up {', '.join(request.corpora)} in the cache")
    experiment = resolve(request, cache)
    models, repeats = len(experiment.jobs), len(experiment.record.seeds)
    if models > FOLDS * repeats:
        progress.say(f"{models // repeats} folds: as many models a repeat, where {FOLDS} are usual")
    if out is not None:
        check_folder(out)
    progress.show("loading torch" if request.network else "loading scikit-learn")
    return experiment


def default_out(request: Request) -> Path:
    """A folder named after what is trained and when."""
    first, *others = request.trained
    corpora = "+".join(request.trained) if len(others) < 8 else f"{first}+{len(others)}-more"
    corpora += f"-to-{'+'.join(request.tested)[:80]}" if request.tested else ""
    what = request.setting if request.setting != "multidomain" else request.model.name
    preset = [_plain(Path(request.config.preset).stem)] if request.network else []
    when = time.strftime("%Y%m%d-%H%M%S")
    how = [_plain(request.protocol or "split")]
    how += [_plain(Path(request.label_map.name).stem)] if request.label_map else []
    return Path("runs") / "-".join([corpora, what, *preset, *how, when])


def _plain(text: str) -> str:
    """Fit to be part of a file's name everywhere."""
    return re.sub(r"[^A-Za-z0-9._+-]+", "-", text)[:40].strip("-.") or "preset"
