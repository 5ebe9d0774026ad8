"""The reference that every table has as its first row: an SVM on pooled features."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from .data import Domain, Packed

SETTINGS: Mapping[str, Any] = {"kernel": "rbf", "C": 10.0, "gamma": "scale"}
"""Of the SVM; inputs are standardised on the training part."""


def pooled(domain: Domain) -> NDArray[np.float64]:
    """All features side by side, a row per utterance: of a sequence its mean and deviation."""
    return np.concatenate([_pool(packed) for packed in domain.features.values()], axis=1)


def _pool(packed: Packed) -> NDArray[np.float64]:
    if not packed.sequence:
        return packed.frames.double().numpy()
    utterances = (
        packed.frames[start:end].double().numpy()
        for start, end in pairwise(packed.offsets.tolist())
    )
    return np.stack([np.concatenate([each.mean(0), each.std(0)]) for each in utterances])


def fit_predict(domain: Domain, train: Tensor, test: Tensor) -> NDArray[np.int64]:
    """Train on the rows `train`; the predicted label positions of the rows `test`."""
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    inputs, targets = pooled(domain), domain.targets.numpy()
    classifier = make_pipeline(StandardScaler(), SVC(**SETTINGS))
    classifier.fit(inputs[train.numpy()], targets[train.numpy()])
    return np.asarray(classifier.predict(inputs[test.numpy()]), dtype=np.int64)
