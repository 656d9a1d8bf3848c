"""What a model or a person says of planes, and how it is written: as export values, or as scaled maps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pccs.images import SourceInfo
from pccs.labels import LabelClass, export_dtype, to_export

Planes: TypeAlias = Mapping[str, NDArray[Any]]
"""Results of one item by kind: ``"masks"`` and ``"annotations"`` class values ``(H, W)``,
``"uncertainty"`` ``(H, W)`` and ``"probabilities"`` ``(C, H, W)`` float32."""

VALUES = ("masks", "annotations")
"""Kinds that are class values."""


@dataclass(frozen=True)
class Results:
    """The kinds of results that are written.

    Attributes
    ----------
    maps
        Type that probabilities and uncertainty are written in.
    """

    kinds: tuple[str, ...]
    classes: tuple[LabelClass, ...]
    maps: np.dtype[Any]

    def named(self, kind: str) -> Sequence[LabelClass]:
        """The classes as values mean them: annotations are exported as they are stored."""
        if kind != "annotations":
            return self.classes
        return [c.model_copy(update={"export": c.value}) for c in self.classes]

    def written_as(self, kind: str) -> tuple[np.dtype[Any], int]:
        """Type of a kind, and how many classes its first axis has; 0 where there is none."""
        if kind in VALUES:
            return export_dtype(self.named(kind)), 0
        return self.maps, len(self.classes) if kind == "probabilities" else 0

    def ready(self, kind: str, array: NDArray[Any]) -> NDArray[Any]:
        """Results of a kind as they are written."""
        if kind not in VALUES:
            return scaled(array, self.maps)
        values = to_export(array, self.named(kind))
        values[array == 0] = 0  # not annotated, or a slice that was not asked for
        return values

    def pixel_bytes(self) -> int:
        """Bytes that all kinds take for a pixel before they are written."""
        sizes = {"masks": 1, "annotations": 1, "uncertainty": 4, "probabilities": 4 * len(self.classes)}
        return sum(sizes[kind] for kind in self.kinds)

    def blank(self, info: SourceInfo, lines: int) -> Iterator[Planes]:
        """Results of a plane that was not asked for, so many ``lines`` at a time."""
        height, width = info.plane_shape
        for first in range(0, height, lines):
            size = min(lines, height - first), width
            yield {
                kind: np.zeros((len(self.classes), *size), np.float32)
                if kind == "probabilities"
                else np.zeros(size, np.uint8 if kind in VALUES else np.float32)
                for kind in self.kinds
            }


def scaled(array: NDArray[Any], kind: np.dtype[Any]) -> NDArray[Any]:
    """Values in [0, 1] as ``kind``: of unsigned integers the largest stands for 1, rounded to the nearest.

    >>> scaled(np.array([0.0, 0.5, 1.0]), np.dtype("uint8")).tolist()
    [0, 128, 255]
    """
    if kind.kind == "f":
        return array.astype(kind, copy=False)
    rounded: NDArray[Any] = np.rint(array.astype(np.float64).clip(0, 1) * np.iinfo(kind).max).astype(kind)
    return rounded
