"""Small rasters."""

from __future__ import annotations

import numpy as np

from pccs.labels import Raster

SHAPE = (6, 8)


def painted(*pixels: tuple[int, int, int]) -> Raster:
    """``(row, column, class)`` … on an empty raster."""
    raster = np.zeros(SHAPE, np.uint8)
    for row, column, value in pixels:
        raster[row, column] = value
    return raster
