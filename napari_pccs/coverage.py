"""How much of an item is painted, and whether *complete* can be meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_pccs.review import UInt8
from pccs.labels import LabelClass

MUCH = 0.9
"""Unpainted share of a complete item above which its background is said loudly."""
DOUBTED = 0.005
"""Share of an item that the model takes for something else, above which *complete* is doubted."""


@dataclass(frozen=True)
class Coverage:
    """What is painted of an item.

    Attributes
    ----------
    unpainted
        Share of its pixels that have no paint.
    objects
        Whether any class but the first is painted.
    doubted
        Share of its pixels without paint that the model takes for another class than the first.
    doubted_as
        The name of the class most of those are taken for.
    background
        The name of the first class.
    taken
        Share of its pixels that were taken over from a prediction and not painted since.
    """

    unpainted: float
    objects: bool
    doubted: float
    doubted_as: str
    background: str
    taken: float = 0.0

    @property
    def suspicious(self) -> bool:
        """Whether *complete* may have been chosen by mistake."""
        return self.unpainted > MUCH or self.doubted > DOUBTED or not self.objects

    def complete_sentence(self) -> str:
        """What it means that the item is complete, with what speaks against it."""
        parts = [
            f"Everything unpainted on this complete item counts as {self.background}: "
            f"{percent(self.unpainted)}."
        ]
        if not self.objects:
            parts.append("Nothing else is painted: it teaches that this image holds no object.")
        if self.doubted > DOUBTED:
            parts.append(
                f"The model takes {percent(self.doubted)} of the image for {self.doubted_as} there. "
                "Paint what is missing, or make the item partial again."
            )
        return " ".join(parts + self._origin())

    def _origin(self) -> list[str]:
        return [f"{percent(self.taken)} was taken over from the model."] if self.taken else []

    def partial_sentence(self) -> str:
        """What it means that the item is partial."""
        if self.unpainted == 0:
            said = "Partial, and every pixel is painted."
        else:
            said = (
                f"Partial: {percent(self.unpainted)} of the pixels are not painted. "
                "They are unknown, not background."
            )
        return " ".join([said, *self._origin()])


def coverage(
    annotation: UInt8, prediction: UInt8 | None, classes: Sequence[LabelClass], taken: float = 0.0
) -> Coverage:
    """Measure an annotation ``(H, W)`` beside the prediction of the same item, if there is one.

    ``taken`` is the share of its pixels that were taken over from a prediction.
    """
    first, open_ = classes[0], annotation == 0
    size = max(1, annotation.size)
    doubts = dict.fromkeys((label.value for label in classes[1:]), 0)
    if prediction is not None and len(classes) > 1:
        below = prediction[open_]
        doubts = {value: int(np.count_nonzero(below == value)) for value in doubts}
    most = max(doubts, key=lambda value: doubts[value], default=0)
    return Coverage(
        unpainted=int(np.count_nonzero(open_)) / size,
        objects=any(bool((annotation == label.value).any()) for label in classes[1:]),
        doubted=sum(doubts.values()) / size,
        doubted_as=next((label.name for label in classes if label.value == most), ""),
        background=first.name,
        taken=taken,
    )


def percent(share: float) -> str:
    """``0.973`` → ``"97 %"``; what is neither nothing nor all never looks like it."""
    if 0 < share < 0.01:
        return "less than 1 %"
    if 0.99 < share < 1:
        return "more than 99 %"
    return f"{100 * share:.0f} %"
