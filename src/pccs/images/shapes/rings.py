"""Filling outlines: which pixels have their centre inside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_CROSSINGS = 2**26
"""Rows that all edges of a polygon pass together, at most; a damaged file could claim any number."""


def fill(rings: Sequence[NDArray[Any]], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixels whose centre lies inside an odd number of rings.

    Parameters
    ----------
    rings
        Corners ``(n, 2)`` as ``x, y``, closed or not. Pixel ``(r, c)`` spans x from c to c + 1 and y from r
        to r + 1, so that an outline along the edges of pixels covers exactly those pixels.
    shape
        ``(H, W)``; what lies outside is cut off.

    Raises
    ------
    ValueError
        If the rings have more edges than any real outline.
    """
    height, width = shape
    crossed = np.zeros(height * (width + 1), np.uint8)
    for ring in rings:
        rows, cols = _crossings(np.asarray(ring, np.float64), height, width)
        np.add.at(crossed, rows * (width + 1) + cols, 1)
    parity = np.cumsum(crossed.reshape(height, width + 1), axis=1, dtype=np.uint8)
    return (parity[:, :width] & 1).astype(bool)


def _crossings(ring: NDArray[np.float64], height: int, width: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Rows whose middle line an edge crosses, each with the first column whose centre is right of that."""
    x0, y0 = ring.T
    x1, y1 = np.roll(ring, -1, axis=0).T
    first = np.ceil(np.clip(np.minimum(y0, y1), 0, height) - 0.5).astype(np.int64)
    after = np.ceil(np.clip(np.maximum(y0, y1), 0, height) - 0.5).astype(np.int64)
    counts = after - first
    total = int(counts.sum())
    if total > MOST_CROSSINGS:
        raise ValueError(f"an outline of {total:,} crossings")
    edge = np.repeat(np.arange(len(ring)), counts)
    rows = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    share = (rows + 0.5 - y0[edge]) / (y1 - y0)[edge]
    cols = np.ceil(x0[edge] + share * (x1 - x0)[edge] - 0.5)
    return rows, np.clip(cols, 0, width).astype(np.int64)


def doubled_area(ring: NDArray[Any]) -> float:
    """Twice the area of a ring."""
    x, y = np.asarray(ring, np.float64).T
    return abs(float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)))
