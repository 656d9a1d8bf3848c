"""In which order frames make a volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pccs.images.dicom.headers import Frame

_SAME = 1e-2
"""Millimetres within which two slices are at the same place."""


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
