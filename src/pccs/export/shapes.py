"""Size and shape of many objects at once: sums over pixels, no loop over objects."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Columns = dict[str, NDArray[Any]]
"""Name → one value an object, in the order of their numbers."""


def shapes(objects: NDArray[np.int64], spacing: tuple[float, float]) -> Columns:
    """Size and shape of objects numbered 1 … n.

    Parameters
    ----------
    objects
        ``(H, W)``, 0 where there is none; every number up to the largest occurs.
    spacing
        Height and width of a pixel.

    Returns
    -------
    dict
        ``area_px`` in pixels, ``area``; ``centroid_row``, ``centroid_col`` in pixels and ``centroid_y``,
        ``centroid_x`` in units; the box from ``row0``, ``col0`` to before ``row1``, ``col1``;
        ``perimeter`` (see :func:`perimeters`); ``equivalent_diameter`` of the circle of that area;
        ``major_axis``, ``minor_axis``, ``eccentricity`` of the ellipse of the same second moments.
    """
    rows, cols = np.nonzero(objects)
    numbers = objects[rows, cols]
    count = int(objects.max(initial=0))
    pixels = _sums(numbers, None, count)
    row, col = (_sums(numbers, at, count) / pixels for at in (rows, cols))
    area = pixels * spacing[0] * spacing[1]
    return {
        "area_px": pixels.astype(np.int64),
        "area": area,
        "centroid_row": row,
        "centroid_col": col,
        "centroid_y": row * spacing[0],
        "centroid_x": col * spacing[1],
        **_boxes(numbers, rows, cols, count),
        "perimeter": perimeters(objects, spacing),
        "equivalent_diameter": np.sqrt(4 * area / math.pi),
        **_ellipses(
            numbers, (rows - row[numbers - 1]) * spacing[0], (cols - col[numbers - 1]) * spacing[1], pixels
        ),
    }


def means(objects: NDArray[np.int64], values: NDArray[Any]) -> NDArray[np.float64]:
    """Mean of ``values`` ``(H, W)`` over each object, ``(n,)``."""
    inside = objects > 0
    numbers, count = objects[inside], int(objects.max(initial=0))
    return _sums(numbers, values[inside].astype(np.float64), count) / _sums(numbers, None, count)


def perimeters(objects: NDArray[np.int64], spacing: tuple[float, float]) -> NDArray[np.float64]:
    """Length of the outlines, holes included, by Crofton's formula.

    Lines in four directions are laid over the image and their crossings with the outline counted; each
    direction stands for the angles nearest to it, so that pixels need not be square. Of a disk it is right
    to a few per cent; the length along the edges of pixels would be 27 % too long.
    """
    high, wide = spacing
    slope = math.atan2(high, wide)
    diagonal = high * wide / math.hypot(high, wide)
    padded = np.pad(objects, 1)
    count = int(objects.max(initial=0))
    total = np.zeros(count)
    for (down, right), weight in (
        ((0, 1), slope * high),
        ((1, 0), (math.pi / 2 - slope) * wide),
        ((1, 1), math.pi / 4 * diagonal),
        ((1, -1), math.pi / 4 * diagonal),
    ):
        total += weight / 2 * _crossings(padded, down, right, count)
    return total


def _crossings(padded: NDArray[np.int64], down: int, right: int, count: int) -> NDArray[np.float64]:
    """How often lines in a direction go into or out of each object."""
    one = padded[: padded.shape[0] - down, max(0, -right) : padded.shape[1] - max(0, right)]
    other = padded[down:, max(0, right) : padded.shape[1] + min(0, right)]
    differs = one != other
    return sum((_sums(side[differs & (side > 0)], None, count) for side in (one, other)), np.zeros(count))


def _sums(numbers: NDArray[np.int64], weights: NDArray[Any] | None, count: int) -> NDArray[np.float64]:
    return np.bincount(numbers, weights, minlength=count + 1)[1:].astype(np.float64)


def _boxes(numbers: NDArray[np.int64], rows: NDArray[Any], cols: NDArray[Any], count: int) -> Columns:
    boxes: Columns = {}
    for name, at in (("row", rows), ("col", cols)):
        low = np.full(count, np.iinfo(np.int64).max)
        high = np.zeros(count, np.int64)
        np.minimum.at(low, numbers - 1, at)
        np.maximum.at(high, numbers - 1, at + 1)
        boxes |= {f"{name}0": low, f"{name}1": high}
    return {name: boxes[name] for name in ("row0", "col0", "row1", "col1")}


def _ellipses(
    numbers: NDArray[np.int64], y: NDArray[np.float64], x: NDArray[np.float64], pixels: NDArray[np.float64]
) -> Columns:
    yy, xx, xy = (_sums(numbers, w, len(pixels)) / pixels for w in (y * y, x * x, x * y))
    middle, half = (yy + xx) / 2, np.hypot((yy - xx) / 2, xy)
    large, small = middle + half, np.maximum(middle - half, 0)
    share = np.divide(small, large, out=np.ones_like(large), where=large > 0)
    return {
        "major_axis": 4 * np.sqrt(large),
        "minor_axis": 4 * np.sqrt(small),
        "eccentricity": np.sqrt(1 - share),
    }
