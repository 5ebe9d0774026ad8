"""The baselines of a run: their features, and each trained and tested. Imports no torch."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace

from ...cache import Cache, FeatureKey
from ...machine import cores, one_thread
from ...manifests import Manifest, Split
from ..baseline import Parts, train_baseline
from ..encoding import Encoding
from ..svm import fit_predict
from ..vectors import Vectors, read_vectors, united
from .choices import Choice
from .jobs import Job, Outcome, Prediction
from .software import processor
from .splits import corpora_tested, corpora_trained


def load_vectors(
    cache: Cache,
    manifests: Mapping[str, Manifest],
    keys: Mapping[str, Mapping[str, Mapping[str, FeatureKey]]],
    encoding: Encoding,
) -> dict[str, Vectors]:
    """Features of corpora, by their names.

    Args:
        keys: by corpus, and by perturbation, a blank one for none, those of features by name.
    """

    def read(manifest: Manifest, keys: Mapping[str, FeatureKey]) -> Vectors:
        stored = {name: cache.open(key, manifest) for name, key in keys.items()}
        return read_vectors(manifest, stored, encoding)

    vectors = {}
    for corpus, manifest in manifests.items():
        versions = {how: read(manifest, named) for how, named in keys[corpus].items()}
        vectors[corpus] = replace(versions.pop(""), perturbed=versions)
    return vectors


def run_baselines(
    vectors: Mapping[str, Vectors], jobs: Sequence[Job], workers: int | None = None
) -> Iterator[tuple[Job, Outcome]]:
    """Run jobs side by side, each in one thread, as the numbers depend on it, and yield each with
    its outcome as it ends.

    Args:
        workers: None: one per core.
    """
    import sklearn.svm  # noqa: F401 - with its BLAS, which is then held to one thread too

    with one_thread():
        pool = ThreadPoolExecutor(workers or cores())
        try:
            submitted = {pool.submit(run_baseline, vectors, job): job for job in jobs}
            for future in as_completed(submitted):
                yield submitted[future], future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def run_baseline(vectors: Mapping[str, Vectors], job: Job) -> Outcome:
    """Train on the training part of every corpus that is tested, choose by its validation part,
    predict its test part. A corpus that is not trained on is tested by those that are, as one."""
    started = time.perf_counter()
    predictions, choices = {}, {}
    for corpus in corpora_tested(job.splits):
        split = job.splits[corpus]
        if split.train:
            inputs, parts = vectors[corpus], split.parts()
        else:
            inputs, parts = _as_one(vectors, job.splits, corpus)
        rows = Parts(*map(inputs.rows, parts.values()))
        if job.baseline is None:
            predicted = fit_predict(inputs, rows.train, rows.test)
        else:
            others = (each[corpus].parts().values() for each in job.folds if split.train)
            folds = [Parts(*map(inputs.rows, of)) for of in others]
            predicted, best, uas = train_baseline(inputs, job.baseline, rows, folds)
            choices[corpus] = Choice(
                str(best),
                {str(each): ua for each, ua in uas.items()},
                by="validation" if job.baseline.choose == "validation" else "test",
            )
        predictions[corpus] = Prediction(split, predicted)
    return Outcome(
        *job.place,
        predictions,
        choices=choices,
        seconds=time.perf_counter() - started,
        processor=processor(),
    )


def _as_one(
    vectors: Mapping[str, Vectors], splits: Mapping[str, Split], corpus: str
) -> tuple[Vectors, dict[str, tuple[str, ...]]]:
    """The corpora that are trained on and one that they test, as one corpus of the emotions of the
    latter, and the ids of its parts."""
    names = [*corpora_trained(splits), corpus]
    inputs = united({name: vectors[name] for name in names}, vectors[corpus].labels)
    part_of = {
        f"{name}/{id}": part
        for name in names
        for part, ids in splits[name].parts().items()
        for id in ids
    }
    parts = {
        part: tuple(id for id in inputs.ids if part_of[id] == part)
        for part in splits[corpus].parts()
    }
    return inputs, parts
