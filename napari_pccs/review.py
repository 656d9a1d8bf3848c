"""Arrays of one item: what the worker predicts, what the user made of it, and how far apart they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pccs.events import Region
from pccs.labels import LabelClass

UInt8 = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Prediction:
    """A prediction of one item, as the teacher saw it.

    Attributes
    ----------
    labels
        ``uint8 (H, W)``: class values, numbered as annotations are.
    uncertainty, disagreement
        ``float32 (H, W)`` in [0, 1].
    step
        Training step it was made at.
    run
        Run it comes from.
    """

    item: str
    labels: UInt8
    uncertainty: Float32
    disagreement: Float32
    step: int
    run: str
    rev: int

    @classmethod
    def from_snapshot(
        cls, item: str, planes: UInt8, known: Sequence[int], *, step: int, run: str, rev: int
    ) -> Prediction:
        """Unpack ``uint8 (3, H, W)`` as the worker writes it; values that are no class become 0."""
        table = np.zeros(256, dtype=np.uint8)
        table[list(known)] = known
        scale = np.float32(1 / 255)
        return cls(item, table[planes[0]], planes[1] * scale, planes[2] * scale, step, run, rev)

    def placed(self, region: Region, under: Prediction | None, shape: tuple[int, ...]) -> Prediction:
        """This prediction of ``region`` put onto the one of the whole image, ``shape`` being ``(H, W)``.

        What lies outside comes from ``under``; without that nothing is predicted there.
        """
        row0, col0, row1, col1 = region

        def put(part: npt.NDArray[Any], below: npt.NDArray[Any] | None) -> npt.NDArray[Any]:
            whole = np.zeros(shape, part.dtype) if below is None else below.copy()
            whole[row0:row1, col0:col1] = part
            return whole

        return Prediction(
            self.item,
            put(self.labels, under.labels if under else None),
            put(self.uncertainty, under.uncertainty if under else None),
            put(self.disagreement, under.disagreement if under else None),
            self.step,
            self.run,
            under.rev if under else 0,
        )


def final_mask(
    annotation: UInt8, prediction: UInt8 | None, classes: Sequence[LabelClass], *, complete: bool
) -> UInt8:
    """The user's result: paint first; below it background (complete) or the prediction (partial).

    All arrays are ``(H, W)`` class values. Without a prediction unpainted pixels stay 0.
    """
    if complete:
        below = np.full_like(annotation, classes[0].value)
    else:
        below = annotation if prediction is None else prediction
    return np.where(annotation > 0, annotation, below).astype(np.uint8, copy=False)


def corrective_dice(prediction: UInt8, final: UInt8, classes: Sequence[LabelClass]) -> float | None:
    """Agreement of a prediction with what the user made of it.

    Mean Dice over the classes after the first that either of the two ``(H, W)`` arrays holds;
    1.0 when both hold none; ``None`` when there is only one class to speak of.
    """
    if len(classes) < 2:
        return None
    values = []
    for label in classes[1:]:
        ours, theirs = prediction == label.value, final == label.value
        total = int(ours.sum()) + int(theirs.sum())
        if total:
            values.append(2.0 * int((ours & theirs).sum()) / total)
    return float(np.mean(values)) if values else 1.0
