"""Working scale: how many of the image's pixels one of the network's stands for.

Small enough that a crop sees what it needs to see, large enough that the thinnest class keeps a
thickness the network can draw. A single organ or lesion is recognised by its place in the picture:
the picture should fit a crop. Many cells are recognised by their own looks: they keep their detail.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, label

_FEW = 112
"""Longest side worked on, at least, where an image shows one or two objects."""
_MANY = 192
"""The same where it shows many."""
_UNKNOWN = 320
"""Longest side aimed at when no complete annotation tells what the objects are like."""
_ONE_PLACE = 144
"""The same when strokes tell that each image shows something in one place: a compromise between
seeing the whole picture and drawing a thin class that nobody has outlined yet."""
_SPREAD = 0.6
"""Share of the image's sides that all strokes on objects of one image span, below which they lie in
one place."""
_ENOUGH_STROKES = 3
"""Scribbled images it takes to believe that: someone may paint one cell of many, but not three times."""
_THICKNESS = 4.0
"""Pixels the thinnest class should keep across."""
_SPECK = 16
"""Pixels below which a region says nothing about objects."""


def thickness(target: NDArray[np.integer], classes: int) -> float | None:
    """Typical thickness, in pixels, of the thinnest class other than the first; ``None`` if none.

    Twice the mean boundary distance of a region is about half its width for a ribbon and a third
    of its diameter for a disk; four times it is a fair "how thick" for both.
    """
    found = []
    for index in range(1, classes):
        region = target == index
        if region.sum() >= _SPECK and not region.all():
            found.append(4.0 * float(distance_transform_edt(region)[region].mean()))
    return min(found) if found else None


def object_count(target: NDArray[np.integer], classes: int) -> int:
    """Connected regions of anything but the first class, specks left out."""
    regions, _ = label((target > 0) & (target < classes))
    return int((np.bincount(regions.ravel())[1:] >= _SPECK).sum())


def stroke_span(target: NDArray[np.integer], classes: int) -> float | None:
    """Larger share of the image's sides that the strokes on objects span together; ``None`` without any."""
    painted = (target > 0) & (target < classes)
    if not painted.any():
        return None
    spans = [int(np.ptp(np.flatnonzero(painted.any(axis=1 - axis)))) + 1 for axis in (0, 1)]
    return max(span / float(side) for span, side in zip(spans, target.shape, strict=True))


def scribbled_scale(
    longest_side: int, scribbled_targets: Sequence[NDArray[np.integer]], classes: int
) -> float | None:
    """Working scale where only strokes are known; ``None`` when they do not tell.

    Nobody can measure an object by a stroke in it. But where the strokes on objects keep to one
    place in image after image, the images show an organ or a lesion, and its surroundings tell what
    it is: the picture should nearly fit a crop.
    """
    spans = [s for s in (stroke_span(t, classes) for t in scribbled_targets) if s is not None]
    if len(spans) < _ENOUGH_STROKES or float(np.median(spans)) > _SPREAD:
        return None
    return float(min(4.0, _ONE_PLACE / longest_side))


def working_scale(longest_side: int, complete_targets: Sequence[NDArray[np.integer]], classes: int) -> float:
    """Factor from image pixels to working pixels, in (0, 4].

    Parameters
    ----------
    longest_side
        Typical longest side of the project's images, in pixels.
    complete_targets
        Training targets ``(H, W)`` of some completely annotated items; may be empty.
    """
    measured = [(t, thickness(t, classes)) for t in complete_targets]
    widths = [w for _, w in measured if w is not None]
    if not widths:
        return float(min(4.0, max(_MANY / longest_side, min(1.0, _UNKNOWN / longest_side))))
    count = float(np.median([object_count(t, classes) for t, w in measured if w is not None]))
    floor = (_FEW if count <= 2 else _MANY) / longest_side
    wanted = min(1.0, _THICKNESS / float(np.median(widths)))
    return float(min(4.0, max(floor, wanted)))
