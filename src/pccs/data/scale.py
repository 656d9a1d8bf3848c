"""Working scale: how many of the image's pixels one of the network's stands for.

Small enough that a crop sees whole objects, large enough that the thinnest class keeps a thickness
the network can draw.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

_SHORTEST = 160
"""No image is worked on with a longest side below this."""
_UNKNOWN = 320
"""Longest side aimed at when no complete annotation tells how thick the objects are."""
_THICKNESS = 5.0
"""Pixels the thinnest class should keep across."""


def thickness(target: NDArray[np.integer], classes: int) -> float | None:
    """Typical thickness, in pixels, of the thinnest class other than the first; ``None`` if none.

    Twice the mean boundary distance of a region is about half its width for a ribbon and a third
    of its diameter for a disk; four times it is a fair "how thick" for both.
    """
    found = []
    for index in range(1, classes):
        region = target == index
        if region.sum() >= 16 and not region.all():
            found.append(4.0 * float(distance_transform_edt(region)[region].mean()))
    return min(found) if found else None


def working_scale(longest_side: int, complete_targets: Iterable[NDArray[np.integer]], classes: int) -> float:
    """Factor from image pixels to working pixels, in (0, 4].

    Parameters
    ----------
    longest_side
        Typical longest side of the project's images, in pixels.
    complete_targets
        Training targets ``(H, W)`` of some completely annotated items; may be empty.
    """
    widths = [t for t in (thickness(target, classes) for target in complete_targets) if t is not None]
    floor = _SHORTEST / longest_side
    if not widths:
        return float(min(4.0, max(floor, min(1.0, _UNKNOWN / longest_side))))
    wanted = _THICKNESS / float(np.median(widths))
    return float(min(4.0, max(floor, min(1.0, wanted))))
