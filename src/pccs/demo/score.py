"""Dice, IoU and calibration of predictions against a truth, added up image by image."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pccs.labels import LabelClass
from pccs.metrics import Calibration, Overlap
from pccs.predict import Prediction, Predictor
from pccs.project import Project

Truth = Mapping[str, NDArray[np.uint8]]
"""Item → class values ``(H, W)``."""


@dataclass(frozen=True)
class Score:
    """Means over the classes other than the first, of the per-class means over images (or groups)."""

    dice: float
    iou: float
    ece: float
    per_class: dict[str, float]
    """Dice by class name."""


class Tally:
    """Adds up predictions; images of the same ``group`` are pooled as one (the slices of a patient)."""

    def __init__(self, classes: Sequence[LabelClass]) -> None:
        self.classes = classes
        self._overlaps: dict[str, dict[str, Overlap]] = defaultdict(dict)
        self._calibration = Calibration()
        self._positions = np.zeros(256, np.int16)
        self._positions[[c.value for c in classes]] = np.arange(len(classes))

    def add(self, group: str, prediction: Prediction, truth: NDArray[np.uint8]) -> None:
        """One image; ``truth`` holds class values ``(H, W)``."""
        self._calibration.add(prediction.probabilities, self._positions[truth])
        for one in self.classes[1:]:
            here = Overlap.of(prediction.labels == one.value, truth == one.value)
            of_class = self._overlaps[one.name]
            of_class[group] = of_class.get(group, Overlap()) + here

    def score(self) -> Score:
        """The means so far."""
        dice = {name: _mean([o.dice for o in groups.values()]) for name, groups in self._overlaps.items()}
        iou = [_mean([o.iou for o in groups.values()]) for groups in self._overlaps.values()]
        return Score(_mean(list(dice.values())), _mean(iou), self._calibration.error, dice)


def measure(project: Project, predictor: Predictor, truth: Truth) -> Score:
    """Predict the items of ``truth`` and compare."""
    tally = Tally(project.classes)
    for name, right in truth.items():
        tally.add(name, predictor.predict_item(project, name), right)
    return tally.score()


def _mean(values: Sequence[float]) -> float:
    """Mean of the numbers among ``values``; a class that an image does not have says nothing (NaN)."""
    known = [v for v in values if not math.isnan(v)]
    return float(np.mean(known)) if known else math.nan
