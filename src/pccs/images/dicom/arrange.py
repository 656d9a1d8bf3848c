"""In which order frames make a volume, and where that lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pccs.images.dicom.headers import Frame

_SAME = 1e-2
"""Millimetres within which two slices are at the same place."""
_ASTRAY = 0.05
"""Millimetres that a slice may lie beside the place that its number in the volume gives it."""


@dataclass(frozen=True)
class Arranged:
    """Frames by number, ``(Z,)``, ``(T,)`` or ``(T, Z)`` as ``axes`` says, and the distance of slices."""

    axes: str
    order: NDArray[np.int64]
    step: float | None


def arrange(frames: Sequence[Frame], *, timed: bool) -> Arranged:
    """Slices along the normal of their planes, times at the same place one after the other.

    The normal is row direction × column direction; slices go from its lower end up. Frames without
    positions, in different planes, or of which some are missing at some times keep the order of their
    numbers; they are times when ``timed``, else slices.
    """
    by_number = sorted(range(len(frames)), key=lambda k: frames[k].order)
    plain = Arranged("T" if timed else "Z", np.array(by_number), None)
    heights = _heights(frames)
    if heights is None:
        return plain
    first = np.array(sorted(by_number, key=lambda k: (heights[k], frames[k].order)))
    levels = np.concatenate([[0], np.cumsum(np.diff(heights[first]) > _SAME)])
    counts = np.bincount(levels)
    if len(set(counts.tolist())) > 1:
        return plain
    middles = np.array([heights[first[levels == k]].mean() for k in range(len(counts))])
    step = float(np.median(np.diff(middles))) if len(middles) > 1 else None
    if counts[0] == 1:
        return Arranged("Z", first, step)
    times = [sorted(first[levels == k].tolist(), key=lambda k: frames[k].order) for k in range(len(counts))]
    if len(times) == 1:
        return Arranged("T", np.array(times[0]), None)
    return Arranged("TZ", np.array(times).T, step)


def _heights(frames: Sequence[Frame]) -> NDArray[np.float64] | None:
    """Where each frame lies along the normal, ``None`` when they do not lie in parallel planes."""
    positions: list[Any] = [frame.position for frame in frames]
    directions: list[Any] = [frame.orientation for frame in frames]
    if None in positions or None in directions or len(frames) < 2:
        return None
    along = np.array(directions)
    if np.abs(along - along[0]).max() > 1e-3:
        return None
    normal = np.cross(along[0, :3], along[0, 3:])
    found: NDArray[np.float64] = np.array(positions) @ normal
    return found


def affine_of(frames: Sequence[Frame], spacing: tuple[float, float]) -> NDArray[np.float64] | None:
    """From column, row and slice to millimetres in the patient, ``(4, 4)``, to the left, back and up.

    ``None`` when the frames do not say where they lie, or do not lie on one straight line.

    Parameters
    ----------
    frames
        Slices of a volume in its order, or a single one.
    spacing
        Height and width of a pixel.
    """
    if any(frame.position is None or frame.orientation is None for frame in frames):
        return None
    places: NDArray[np.float64] = np.array([frame.position for frame in frames], np.float64)
    along: NDArray[np.float64] = np.array(frames[0].orientation, np.float64)
    between = (places[-1] - places[0]) / max(len(places) - 1, 1)
    straight = places[0] + np.arange(len(places))[:, None] * between
    if not np.allclose(places, straight, atol=_ASTRAY):
        return None
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = along[:3] * spacing[1], along[3:] * spacing[0]
    affine[:3, 2] = between if len(places) > 1 else np.cross(along[:3], along[3:])
    affine[:3, 3] = places[0]
    return affine
