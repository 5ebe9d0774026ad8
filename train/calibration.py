"""Temperature scaling: probabilities that say how often they are right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .metrics import FloatArray, IntArray
from .network.settings import COLDEST, HOTTEST, LEAST

PRIOR = 0.5
"""Standard deviation of log T before anything was seen; the mean is 0, no change."""


def fit_temperature(probabilities: FloatArray, truth: IntArray) -> float:
    """The temperature T of p^(1/T), normalised, for a part that was not trained on.

    That of the highest posterior: it minimises the negative log likelihood of the part plus
    (log T)^2 / (2 PRIOR^2), so that a few utterances change little. Without the second term it is
    Guo et al. (2017), on the mean of an ensemble as Rahaman and Thiery (2021) have it.

    Args:
        probabilities: (n, labels).
        truth: label positions (n,).
    """
    from scipy.optimize import minimize_scalar

    logs = np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), LEAST))

    def loss(log_temperature: float) -> float:
        losses = negative_log_likelihood(logs / np.exp(log_temperature), truth)
        return float(losses.sum() + log_temperature**2 / (2 * PRIOR**2))

    bounds = (np.log(COLDEST), np.log(HOTTEST))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-9})
    return float(np.exp(found.x)) if found.fun < loss(0.0) else 1.0


def negative_log_likelihood(logits: FloatArray, truth: IntArray) -> NDArray[np.float64]:
    """Of every utterance (n,).

    Args:
        logits: (n, labels), up to a constant of each utterance.
        truth: label positions (n,).
    """
    from scipy.special import logsumexp

    chosen = np.take_along_axis(logits, np.asarray(truth)[:, None], axis=1)[:, 0]
    return np.asarray(logsumexp(logits, axis=1) - chosen)
