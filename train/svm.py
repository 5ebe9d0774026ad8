"""The reference that every table has as its first row: an SVM on pooled features."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

    from .data import Domain

SETTINGS: Mapping[str, Any] = {"kernel": "rbf", "C": 10.0, "gamma": "scale"}
"""Of the SVM; inputs are standardised on the training part."""


def fit_predict(domain: Domain, train: Tensor, test: Tensor) -> NDArray[np.int64]:
    """Train on the rows `train`; the predicted label positions of the rows `test`.

    Args:
        domain: on the host, every feature a vector: sequences `pooled`.
    """
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    vectors = [packed.frames.double().numpy() for packed in domain.features.values()]
    inputs = np.concatenate(vectors, axis=1)
    classifier = make_pipeline(StandardScaler(), SVC(**SETTINGS))
    classifier.fit(inputs[train.numpy()], domain.truth(train).numpy())
    return np.asarray(classifier.predict(inputs[test.numpy()]), dtype=np.int64)
