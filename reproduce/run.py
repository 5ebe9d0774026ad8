"""`ser reproduce`: run what is missing, then write the table or figure."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..cache import Cache
from ..errors import InputError, MissingPackageError, install_command
from ..files import atomic_text, read_json
from ..portion import ALL, Portion
from ..progress import Progress
from ..registry import Registry
from ..train.runs.experiment import Experiment, resolve_all
from ..train.runs.processes import prepare_workers
from ..train.runs.request import Request, check_limits, check_request
from ..train.runs.results import Metrics
from ..train.runs.run import Run
from ..train.runs.target import FolderTakenError, claimed
from ..workers import Workers
from .figures import Figure3, Figure4
from .plan import Plan, Result, choose_corpora, default_out, describe
from .systems import Table2
from .tables import Table3, Table4

if TYPE_CHECKING:
    from ..train.runs.plan import RunPlan

PLANS = Registry(
    "table or figure",
    "ser.plans",
    {plan.name: plan for plan in (Table2(), Table3(), Table4(), Figure3(), Figure4())},
)

RUNS = "runs"


@dataclass(frozen=True)
class Reproduced:
    """What was written, and the table as Markdown."""

    files: tuple[Path, ...]
    markdown: str
    values: dict[str, object]


def reproduce(
    plan: Plan,
    common: Request,
    cache: Cache,
    out: Path | None,
    command: str,
    progress: Progress,
    portion: Portion = ALL,
    crew: Workers | None = None,
) -> Reproduced | None:
    """Run all experiments of a table or figure that `out` does not hold yet, and write it there.

    Writes `<name>.json`, `<name>.md`, for a figure `<name>.png`, and a run folder for every
    experiment in `runs`.

    Args:
        common: what the experiments have in common; without corpora, those of the paper.
        out: None: a folder in `reproduced`, the same for all tables and figures of a preset.
        command: what was typed, for the record.
        portion: of all jobs, to do here; others, on any machine that sees `out`, do the rest.
        crew: workers that do them, such as those of a cluster.

    Returns:
        None where jobs of other portions are not finished, or another process is about to write.

    Raises:
        InputError: wrong usage, or a table of something else would be replaced.
        MissingPackageError: a figure cannot be drawn.
        and as `train`.
    """
    check_plan(plan, common)
    if plan.drawn and find_spec("matplotlib") is None:
        raise MissingPackageError(
            f"figures need matplotlib, which is not installed: {install_command('plots')}"
        )
    progress.show("starting")
    prepare_workers()
    progress.show("looking up corpora in the cache")
    common = choose_corpora(plan, common, cache)
    out = Path(os.path.realpath(out or default_out(common)))
    about = describe(plan, common, command)
    files = [out / f"{plan.name}.{suffix}" for suffix in ("json", "md")]
    if not common.overwrite:
        _check_files(files, about)
    experiments, about["left_out"] = _resolved(plan, common, cache, progress)
    progress.show("loading torch")
    from ..train.runs.engine import run_experiments

    places = {out / RUNS / name: experiment for name, experiment in experiments.items()}
    with ExitStack() as stack:
        if portion == ALL:
            for folder in (out / RUNS, *places):
                stack.enter_context(claimed(folder, progress.say))
        runs = run_experiments(places, cache, progress, share=True, portion=portion, crew=crew)
        if len(runs) < len(places):
            return None
        if portion != ALL:
            try:
                stack.enter_context(claimed(out / RUNS, progress.say))
            except FolderTakenError:
                return None
        results = {
            folder.name: Result(places[folder], run, measured(places[folder], run))
            for folder, run in runs.items()
        }
        values = about | plan.values(common, cache, results)
        text = plan.markdown(values)
        atomic_text(files[0], json.dumps(values, indent=2, ensure_ascii=False) + "\n")
        atomic_text(files[1], text)
        if plan.drawn:
            files.append(out / f"{plan.name}.png")
            plan.draw(values, files[-1])
    return Reproduced(tuple(files), text, values)


def foresee(
    plan: Plan,
    common: Request,
    cache: Cache,
    out: Path | None,
    progress: Progress,
    portion: Portion = ALL,
) -> tuple[list[RunPlan], bool]:
    """What `reproduce` would do, without doing it: its runs, and whether the files of the table or
    figure are there. Raises as `reproduce`."""
    check_plan(plan, common)
    progress.show("looking up corpora in the cache")
    common = choose_corpora(plan, common, cache)
    out = Path(os.path.realpath(out or default_out(common)))
    files = [out / f"{plan.name}.{suffix}" for suffix in ("json", "md")]
    if not common.overwrite:
        _check_files(files, describe(plan, common, ""))
    experiments, _ = _resolved(plan, common, cache, progress)
    from ..train.runs.plan import plan_experiments

    places = {out / RUNS / name: experiment for name, experiment in experiments.items()}
    return plan_experiments(places, cache, portion), all(file.exists() for file in files)


def _resolved(
    plan: Plan, common: Request, cache: Cache, progress: Progress
) -> tuple[dict[str, Experiment], dict[str, str]]:
    """The experiments of a plan; and those that it does without, and why, which is said before any
    work. Raises as `reproduce`."""
    requests = plan.requests(common)
    left_out = plan.lacking(requests, cache)
    for reason in dict.fromkeys(left_out.values()):
        names = [name for name, why in left_out.items() if why == reason]
        progress.warn(f"left out: {', '.join(names)}: {' '.join(reason.split())}")
    used = {name: request for name, request in requests.items() if name not in left_out}
    experiments = resolve_all(used, cache)
    _check_sizes(experiments)
    return experiments, left_out


def check_plan(plan: Plan, common: Request) -> None:
    """Raise InputError for what no cache could make right: numbers out of range, corpora that do
    not go together, a setting that the table sets itself."""
    check_limits(common.repeats, common.workers, common.memory)
    if len(set(common.corpora)) < len(common.corpora):
        raise InputError(f"--corpus {','.join(common.corpora)}: a corpus is named twice")
    for request in plan.requests(common).values():
        if common.corpora:
            check_request(request)


def measured(experiment: Experiment, run: Run) -> Metrics:
    """The metrics of a run from its predictions, which are checked against the experiment.

    Raises:
        InputError: they are not of this experiment.
    """
    predictions, expected = run.predictions, []
    labels: set[tuple[str, str]] = set()
    for corpus, manifest in experiment.manifests.items():
        labels.update((corpus, label) for label in manifest.labels)
        emotions = dict(zip(manifest.ids, manifest.table["emotion"], strict=True))
        for split in experiment.splits[corpus]:
            place = (corpus, split.seed, split.fold)
            expected += [(*place, id, emotions[id]) for id in split.test]
    columns = [predictions[name] for name in ("corpus", "repeat", "fold", "id", "truth")]
    rows = sorted(zip(*columns, strict=True), key=itemgetter(0, 1, 2))
    predicted = set(zip(predictions["corpus"], predictions["predicted"], strict=True))
    if rows != sorted(expected, key=itemgetter(0, 1, 2)) or not predicted <= labels:
        raise InputError(
            f"{run.folder}: is not the run that belongs there: its predictions are not of these "
            "utterances; remove it, or say --overwrite, to have it trained anew"
        )
    return experiment.metrics(predictions, {})


FEWEST = 4
"""Test utterances of a corpus that tests and figures can be made of."""


def _check_sizes(experiments: Mapping[str, Experiment]) -> None:
    """Raise InputError where what a repeat tests, in all its folds, is too little to say anything
    of."""
    for experiment in experiments.values():
        for corpus, splits in experiment.splits.items():
            tested: Counter[int] = Counter()
            for split in splits:
                tested[split.seed] += len(split.test)
            count = min(tested.values())
            if count < FEWEST:
                raise InputError(
                    f"{corpus}: its test part has {count} utterances; a table or figure needs "
                    f"{FEWEST} at least. Leave it out of --corpus"
                )


def _check_files(files: Sequence[Path], about: Mapping[str, Any]) -> None:
    """Raise InputError for files that would be replaced and are not of the same order."""
    present = [file for file in files if file.exists()]
    before: dict[str, Any] = {}
    with suppress(OSError, ValueError):
        before = read_json(files[0], dict[str, Any])
    if present and any(before.get(name) != about[name] for name in about if name != "command"):
        raise InputError(
            f"{present[0]}: is of something else, such as other corpora or settings; choose "
            "another --out, or say --overwrite"
        )
