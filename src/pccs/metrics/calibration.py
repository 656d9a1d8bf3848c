"""Whether a confidence of 0.8 is right eight times in ten."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Calibration:
    """Expected calibration error over many images: bins of confidence, added up pixel by pixel.

    Parameters
    ----------
    bins
        Equal bins of the highest class probability over [0, 1].
    """

    def __init__(self, bins: int = 15) -> None:
        self.bins = bins
        self._count = np.zeros(bins)
        self._confidence = np.zeros(bins)
        self._correct = np.zeros(bins)

    def add(self, probabilities: NDArray[Any], target: NDArray[Any]) -> None:
        """Add one image.

        Parameters
        ----------
        probabilities
            ``(C, …)`` floats that sum to 1 over the first axis.
        target
            ``(…)`` integers, the index of the true class; negative pixels are left out.
        """
        known = target >= 0
        confidence = probabilities.max(axis=0)[known].astype(np.float64)
        correct = (probabilities.argmax(axis=0) == target)[known]
        place = np.clip(np.ceil(confidence * self.bins).astype(np.intp) - 1, 0, self.bins - 1)
        self._count += np.bincount(place, minlength=self.bins)
        self._confidence += np.bincount(place, weights=confidence, minlength=self.bins)
        self._correct += np.bincount(place, weights=correct, minlength=self.bins)

    @property
    def error(self) -> float:
        """``Σ_bins |confidence - accuracy|`` weighted by pixels, in [0, 1]; nan before any pixel."""
        total = self._count.sum()
        return float(np.abs(self._confidence - self._correct).sum() / total) if total else math.nan


def ece(probabilities: NDArray[Any], target: NDArray[Any], bins: int = 15) -> float:
    """Expected calibration error of one image: ``(C, …)`` probabilities, ``(…)`` true class indices."""
    calibration = Calibration(bins)
    calibration.add(probabilities, target)
    return calibration.error
