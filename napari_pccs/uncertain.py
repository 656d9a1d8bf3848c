"""Where a prediction is least certain: places of one item, worst first."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pccs.events import Region
from pccs.suggest.maps import shrink

GRID = 256
"""Longest side of the map that is searched; a larger image is averaged down to it."""
PART = 10
"""A place is this part of the shorter side of the image."""
PLACES = 12
"""So many places are told at most."""


def uncertain_places(
    amount: npt.NDArray[np.float32], settled: npt.NDArray[np.bool_], count: int = PLACES
) -> list[Region]:
    """Squares that do not overlap and whose mean is largest.

    Parameters
    ----------
    amount
        Uncertainty or disagreement, ``(H, W)`` in [0, 1].
    settled
        Pixels that count as certain because the user has painted them, ``bool (H, W)``.
    count
        How many at most; places where nothing is uncertain are left out.
    """
    factor = max(1, -(-max(amount.shape) // GRID))
    grid = shrink(np.where(settled, np.float32(0), amount), factor)
    side = max(1, min(grid.shape) // PART)
    found: list[Region] = []
    means = _window_means(grid, side)
    while len(found) < count and means.size:
        row, col = (int(v) for v in np.unravel_index(int(means.argmax()), means.shape))
        if means[row, col] <= 0:
            break
        found.append(_in_pixels(row, col, side, factor, amount.shape))
        means[max(0, row - side + 1) : row + side, max(0, col - side + 1) : col + side] = 0
    return found


def _window_means(grid: npt.NDArray[np.float32], side: int) -> npt.NDArray[np.float64]:
    """Means of all ``side × side`` windows: ``(H, W) -> (H - side + 1, W - side + 1)``."""
    sums = np.pad(grid.astype(np.float64), ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    boxes = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    means: npt.NDArray[np.float64] = np.where(boxes > 1e-6 * side * side, boxes, 0.0) / side**2
    return means


def _in_pixels(row: int, col: int, side: int, factor: int, shape: tuple[int, ...]) -> Region:
    high, wide = shape[:2]
    return (
        row * factor,
        col * factor,
        min(high, (row + side) * factor),
        min(wide, (col + side) * factor),
    )
