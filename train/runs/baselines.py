"""The baseline of a job, trained and tested."""

from __future__ import annotations

from ..svm import fit_predict
from .jobs import Domains, Job, Outcome, Prediction
from .splits import corpora_tested


def run_baseline(domains: Domains, job: Job) -> Outcome:
    """Train on the training part of every corpus that is tested, and predict its test part.

    Args:
        domains: with the features that the job reads, each a vector.
    """
    predictions = {}
    for corpus in corpora_tested(job.splits):
        domain, split = domains[corpus], job.splits[corpus]
        predicted = fit_predict(domain, domain.rows(split.train), domain.rows(split.test))
        predictions[corpus] = Prediction(split, predicted)
    return Outcome(*job.place, predictions)
