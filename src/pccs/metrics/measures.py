"""Agreement of two binary masks: overlap, and distance between their surfaces."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

Mask: TypeAlias = NDArray[np.bool_]


@dataclass
class Overlap:
    """Pixel counts of one class; counts of several images add up to those of their union."""

    both: int = 0
    mask: int = 0
    truth: int = 0

    @classmethod
    def of(cls, mask: ArrayLike, truth: ArrayLike) -> Overlap:
        """Count two masks of the same shape."""
        a, b = _pair(mask, truth)
        return cls(both=int((a & b).sum()), mask=int(a.sum()), truth=int(b.sum()))

    def __add__(self, other: Overlap) -> Overlap:
        return Overlap(self.both + other.both, self.mask + other.mask, self.truth + other.truth)

    @property
    def dice(self) -> float:
        """``2·|A∩B| / (|A|+|B|)``; nan where neither has a pixel, 0 where only one has."""
        total = self.mask + self.truth
        return 2 * self.both / total if total else math.nan

    @property
    def iou(self) -> float:
        """``|A∩B| / |A∪B|``; nan and 0 as :attr:`dice`."""
        union = self.mask + self.truth - self.both
        return self.both / union if union else math.nan


def dice(mask: ArrayLike, truth: ArrayLike) -> float:
    """Dice coefficient of two masks of the same shape, in [0, 1]; nan when both are empty."""
    return Overlap.of(mask, truth).dice


def iou(mask: ArrayLike, truth: ArrayLike) -> float:
    """Intersection over union of two masks of the same shape, in [0, 1]; nan when both are empty."""
    return Overlap.of(mask, truth).iou


def surface_distances(
    mask: ArrayLike, truth: ArrayLike, spacing: Sequence[float] | None = None
) -> tuple[float, float]:
    """95th percentile of the Hausdorff distance, and average symmetric surface distance.

    Parameters
    ----------
    mask, truth
        Masks of the same shape, two or three dimensions. A single plane may come as ``(1, H, W)``.
    spacing
        Distance of neighbouring pixels along each axis; ``None``: distances in pixels.

    The surface of a mask is its pixels with a neighbour (across a side) outside, the image's border
    included; this is MONAI's definition, and the figures are MONAI's (a test says so).

    Returns
    -------
    hd95, assd
        Both nan when one of the masks is empty: there is no surface to measure to.
    """
    a, b = _pair(mask, truth)
    if not a.any() or not b.any():
        return math.nan, math.nan
    if np.array_equal(a, b):
        return 0.0, 0.0
    steps = list(spacing) if spacing is not None else [1.0] * a.ndim
    if a.ndim == 3 and a.shape[0] == 1:
        a, b, steps = a[0], b[0], steps[1:]
    return _distances(a, b, steps)


def hd95(mask: ArrayLike, truth: ArrayLike, spacing: Sequence[float] | None = None) -> float:
    """95th percentile of the symmetric Hausdorff distance; see :func:`surface_distances`."""
    return surface_distances(mask, truth, spacing)[0]


def assd(mask: ArrayLike, truth: ArrayLike, spacing: Sequence[float] | None = None) -> float:
    """Average symmetric surface distance; see :func:`surface_distances`."""
    return surface_distances(mask, truth, spacing)[1]


def _distances(a: Mask, b: Mask, spacing: Sequence[float]) -> tuple[float, float]:
    one, two = (m & ~ndimage.binary_erosion(m) for m in _cropped(a, b))
    there = ndimage.distance_transform_edt(~two, sampling=spacing)[one]
    back = ndimage.distance_transform_edt(~one, sampling=spacing)[two]
    far = max(np.percentile(there, 95), np.percentile(back, 95))
    return float(far), float(np.concatenate([there, back]).mean())


def _cropped(a: Mask, b: Mask) -> tuple[Mask, Mask]:
    """Both masks around their union, with one empty pixel on every side."""
    union = a | b
    box = []
    for axis in range(union.ndim):
        others = tuple(k for k in range(union.ndim) if k != axis)
        filled = np.flatnonzero(union.any(axis=others))
        box.append(slice(int(filled[0]), int(filled[-1]) + 1))
    return np.pad(a[tuple(box)], 1), np.pad(b[tuple(box)], 1)


def _pair(mask: ArrayLike, truth: ArrayLike) -> tuple[Mask, Mask]:
    a: NDArray[Any] = np.asarray(mask)
    b: NDArray[Any] = np.asarray(truth)
    if a.shape != b.shape:
        raise ValueError(f"masks of one shape are compared, not {a.shape} with {b.shape}")
    return a.astype(bool), b.astype(bool)
