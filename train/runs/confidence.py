"""How sure predictions are, and whether rightly."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

import numpy as np
from numpy.typing import NDArray

from ..metrics import calibration_error_by_chance, expected_calibration_error

if TYPE_CHECKING:
    import pandas as pd

UNCALIBRATED = "uncalibrated"
"""The column of predictions that has what the predicted label's probability was before it was
calibrated."""


class CalibrationError(TypedDict):
    """Expected calibration errors, of the predictions of all repeats together.

    `after` is None where nothing was calibrated. `by_chance` is what the probabilities that the run
    has would show if they were right, see `calibration_error_by_chance`.
    """

    before: float
    after: float | None
    by_chance: float


def calibration_error(predictions: pd.DataFrame) -> CalibrationError | None:
    """Of the predictions for one corpus; None if they have no probabilities.

    Raises:
        ValueError: as `confidence`.
    """
    stated = confidence(predictions)
    if stated is None:
        return None
    right = (predictions["truth"] == predictions["predicted"]).to_numpy()
    error, by_chance = (
        expected_calibration_error(stated, right),
        calibration_error_by_chance(stated),
    )
    if UNCALIBRATED not in predictions:
        return {"before": error, "after": None, "by_chance": by_chance}
    before = expected_calibration_error(predictions[UNCALIBRATED].to_numpy(), right)
    return {"before": before, "after": error, "by_chance": by_chance}


def confidence(predictions: pd.DataFrame) -> NDArray[np.float64] | None:
    """The probability of every predicted label (n,); None if there are no probabilities.

    Raises:
        ValueError: a predicted label has none, or one that is not from 0 to 1.
    """
    if not any(name.startswith("p_") for name in predictions.columns):
        return None
    stated = np.full(len(predictions), np.nan)
    for label, rows in predictions.groupby("predicted").indices.items():
        if f"p_{label}" in predictions:
            stated[rows] = predictions[f"p_{label}"].to_numpy()[rows]
    columns = [stated]
    if UNCALIBRATED in predictions:
        columns.append(predictions[UNCALIBRATED].to_numpy())
    if not all(((column >= 0) & (column <= 1)).all() for column in columns):
        raise ValueError("the probability of a predicted label is missing, or not from 0 to 1")
    return stated
