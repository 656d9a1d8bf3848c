"""How good a model is on images of no project: every measured unit by itself, for paired comparisons.

A *unit* is an image, or all slices of one volume of a patient. Of a unit count the classes (other than
the first) that its truth holds; its Dice is their mean. What a unit without any such class is worth is
a convention: :data:`RULES`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks._data import Source
from pccs.metrics import Calibration, Overlap, surface_distances
from pccs.predict import Predictor

RULES = ("present", "all")
"""Which units count. ``present``: those whose truth holds a class to find. ``all``: the others as well,
with a Dice of 1 where nothing was found in them and 0 where anything was, be it one pixel."""
_SMALL = 12
"""Images of the curve."""


@dataclass(frozen=True)
class Measured:
    """Figures of one model on the units of a data set, in the order of their names."""

    units: tuple[str, ...]
    present: tuple[bool, ...]
    """Whether a unit's truth holds a class to find."""
    dice: tuple[float, ...]
    """Of each unit; 1 or 0 for one without a class to find."""
    iou: float
    hd95: float
    """Mean over units and classes where both surfaces exist, in pixels (voxels for a volume)."""
    assd: float
    undefined: int
    """Pairs of unit and class to find of which nothing was found: no distance exists."""
    ece: float

    def mean(self, rule: str = "present") -> float:
        """Mean Dice over the units that count by ``rule``."""
        return _mean(d for d, there in zip(self.dice, self.present, strict=True) if there or rule == "all")

    def to_json(self) -> dict[str, Any]:
        """Fit for a line of the store: Dice unit by unit, rounded."""
        return {
            "dice": [round(d, 4) for d in self.dice],
            "absent": [k for k, there in enumerate(self.present) if not there],
            **{k: _rounded(getattr(self, k)) for k in ("iou", "hd95", "assd", "ece")},
            "undefined": self.undefined,
        }


def measure(predictor: Predictor, source: Source, names: Sequence[str]) -> Measured:
    """Predict the planes ``names`` of ``source`` and compare with the truth."""
    calibration, units = Calibration(), _by_unit(source, names)
    rows = {unit: _measure_unit(predictor, source, members, calibration) for unit, members in units.items()}
    found = [figures for row in rows.values() for figures in row.classes.values()]
    return Measured(
        units=tuple(rows),
        present=tuple(bool(row.classes) for row in rows.values()),
        dice=tuple(row.dice for row in rows.values()),
        iou=_mean(row.mean("iou") for row in rows.values() if row.classes),
        hd95=_mean(f["hd95"] for f in found),
        assd=_mean(f["assd"] for f in found),
        undefined=sum(math.isnan(f["hd95"]) for f in found),
        ece=calibration.error,
    )


def quick_dice(predictor: Predictor, source: Source, names: Sequence[str]) -> float:
    """Mean Dice over single planes that hold a class to find: cheap, for a curve."""
    scores = []
    for name in names:
        guess, truth = predictor.predict(source.image(name)).labels, source.truth(name)
        values = [c.value for c in source.classes[1:] if (truth == c.value).any()]
        scores.append(_mean(Overlap.of(guess == v, truth == v).dice for v in values))
    return _mean(scores)


def curve_names(source: Source, names: Sequence[str]) -> list[str]:
    """A few of ``names`` that hold the most classes, spread evenly: the same in every run."""
    counts = {name: len(np.unique(source.truth(name))) for name in names}
    able = [name for name in names if counts[name] == max(counts.values())]
    return [able[k] for k in np.linspace(0, len(able) - 1, min(_SMALL, len(able))).astype(int)]


@dataclass(frozen=True)
class _Unit:
    classes: Mapping[str, Mapping[str, float]]
    """Figures of each class to find."""
    dice: float

    def mean(self, figure: str) -> float:
        return _mean(figures[figure] for figures in self.classes.values())


def _measure_unit(
    predictor: Predictor, source: Source, members: Sequence[str], calibration: Calibration
) -> _Unit:
    guesses, truths = [], []
    positions = np.zeros(256, np.int16)
    positions[[c.value for c in source.classes]] = np.arange(len(source.classes))
    for name in members:
        prediction, truth = predictor.predict(source.image(name)), source.truth(name)
        calibration.add(prediction.probabilities, positions[truth])
        guesses.append(prediction.labels)
        truths.append(truth)
    guess, truth = np.stack(guesses), np.stack(truths)
    classes = {
        c.name: _figures(guess == c.value, truth == c.value)
        for c in source.classes[1:]
        if (truth == c.value).any()
    }
    nothing = float(np.array_equal(guess, np.full_like(guess, source.classes[0].value)))
    return _Unit(classes, _mean(f["dice"] for f in classes.values()) if classes else nothing)


def _figures(mask: NDArray[np.bool_], truth: NDArray[np.bool_]) -> dict[str, float]:
    overlap = Overlap.of(mask, truth)
    hd95, assd = surface_distances(mask, truth)
    return {"dice": overlap.dice, "iou": overlap.iou, "hd95": hd95, "assd": assd}


def _by_unit(source: Source, names: Sequence[str]) -> dict[str, list[str]]:
    units: dict[str, list[str]] = {}
    for name in sorted(names):
        units.setdefault(source.unit(name), []).append(name)
    return units


def _mean(values: Iterable[float]) -> float:
    known = [v for v in values if not math.isnan(v)]
    return float(np.mean(known)) if known else math.nan


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
