"""The baselines of a run: their features, and each trained and tested. Imports no torch."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from ...cache import Cache, FeatureKey
from ...machine import cores, one_thread
from ...manifests import Manifest
from ..baseline import CANDIDATES, train_baseline
from ..encoding import Encoding
from ..svm import fit_predict
from ..vectors import Vectors, read_vectors
from .choices import Choice
from .jobs import Job, Outcome, Prediction
from .software import processor
from .splits import corpora_tested


def load_vectors(
    cache: Cache,
    manifests: Mapping[str, Manifest],
    keys: Mapping[str, FeatureKey],
    encoding: Encoding,
) -> dict[str, Vectors]:
    """Features, by their names, of corpora, by theirs."""
    return {
        corpus: read_vectors(
            manifest, {name: cache.open(key, manifest) for name, key in keys.items()}, encoding
        )
        for corpus, manifest in manifests.items()
    }


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
    predict its test part."""
    started = time.perf_counter()
    predictions, choices = {}, {}
    for corpus in corpora_tested(job.splits):
        inputs, split = vectors[corpus], job.splits[corpus]
        train, validation, test = map(inputs.rows, (split.train, split.validation, split.test))
        if job.baseline is None:
            predicted = fit_predict(inputs, train, test)
        else:
            predicted, best, uas = train_baseline(inputs, job.baseline, train, validation, test)
            choices[corpus] = Choice(str(best), dict(zip(map(str, CANDIDATES), uas, strict=True)))
        predictions[corpus] = Prediction(split, predicted)
    return Outcome(
        *job.place,
        predictions,
        choices=choices,
        seconds=time.perf_counter() - started,
        processor=processor(),
    )
