"""The baseline of the first versions, kept for comparison: an SVM on pooled features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .vectors import Vectors

SETTINGS: Mapping[str, Any] = {"kernel": "rbf", "C": 10.0, "gamma": "scale"}
"""Of the SVM; inputs are standardised on the training part."""


def fit_predict(
    vectors: Vectors, train: NDArray[np.int64], test: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Train on the rows `train`; the predicted label positions of the rows `test`.

    Args:
        vectors: sequences `pooled`.
    """
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    inputs = np.concatenate([v.astype(np.float64) for v in vectors.features.values()], axis=1)
    classifier = make_pipeline(StandardScaler(), SVC(**SETTINGS))
    classifier.fit(inputs[train], vectors.targets[train])
    return np.asarray(classifier.predict(inputs[test]), dtype=np.int64)
