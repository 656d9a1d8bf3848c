"""How strokes of several people become one annotation: pure functions on rasters ``(H, W)``.

An annotation is made of what everybody painted and of what was decided, of nothing else, so it can be made
again at any time and comes out the same in whatever order strokes arrive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pccs.labels import Raster

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Joined:
    """The annotation ``values (H, W)``, 0 in a conflict, and where the ``conflict`` is ``(H, W)``."""

    values: Raster
    conflict: Bools


def extremes(strokes: Sequence[Raster]) -> tuple[Raster, Raster]:
    """The lowest and the highest class that anybody painted in each pixel; 0 where nobody did."""
    lowest, highest = np.full_like(strokes[0], 255), np.zeros_like(strokes[0])
    for raster in strokes:
        np.minimum(lowest, raster, out=lowest, where=raster > 0)
        np.maximum(highest, raster, out=highest)
    lowest[highest == 0] = 0
    return lowest, highest


def join(strokes: Sequence[Raster], decisions: Sequence[Raster]) -> Joined:
    """One annotation of the ``strokes`` of all people.

    Parameters
    ----------
    strokes
        ``(H, W)`` class values, 0 where that person painted nothing; one person at least.
    decisions
        ``(3, H, W)``, the one that counts most first: the class decided for (0 = none), and the lowest and
        highest class that was painted there when it was decided. A decision holds while these are the same.
    """
    lowest, highest = extremes(strokes)
    conflict: Bools = lowest != highest
    values: Raster = np.where(conflict, np.uint8(0), lowest)
    open_: Bools = highest > 0
    for value, low, high in decisions:
        holds = open_ & (low == lowest) & (high == highest)
        values[holds] = value[holds]
        conflict &= ~holds
        open_ &= ~holds
    return Joined(values, conflict)


def decided(before: Raster, strokes: Sequence[Raster], where: Bools, values: Raster) -> Raster:
    """The decisions ``before (3, H, W)`` and, ``where (H, W)``, the one for ``values (H, W)``."""
    after = before.copy()
    for plane, new in zip(after, (values, *extremes(strokes)), strict=True):
        plane[where] = new[where]
    return after


@dataclass(frozen=True)
class Stroke:
    """What a change of the joined annotation means: own strokes, and where others' gave way ``(H, W)``."""

    own: Raster
    overruled: Bools


def stroke(before: Raster, after: Raster, own: Raster, others: Sequence[Raster]) -> Stroke:
    """Tell painting from deciding where somebody changes the joined annotation ``before`` to ``after``.

    To paint over, or erase, what others painted *and is seen* is a decision. What is not seen yet, because it
    is not taken in, is left to be found as a conflict.
    """
    changed: Bools = before != after
    others_there, seen = np.zeros_like(changed), np.zeros_like(changed)
    for raster in others:
        others_there |= raster > 0
        seen |= (raster > 0) & (raster == before)
        seen |= (before == 0) & (own > 0) & (raster > 0) & (raster != own)  # an open conflict looks empty
    overruled = changed & seen
    erased = overruled & (after == 0)
    new: Raster = np.where(changed & ~erased, after, own)
    return Stroke(new, overruled & others_there)


def places(conflict: Bools) -> list[tuple[tuple[int, int, int, int], Bools]]:
    """The connected parts of a conflict, largest first: ``(row0, col0, row1, col1)``, ``(H, W)``."""
    from scipy import ndimage

    numbered, count = ndimage.label(conflict, structure=np.ones((3, 3)))
    boxes = ndimage.find_objects(numbered)
    sizes = np.bincount(numbered.ravel(), minlength=count + 1)[1:]
    found = []
    for k in np.argsort(-sizes, kind="stable"):
        rows, cols = boxes[k]
        found.append(((rows.start, cols.start, rows.stop, cols.stop), numbered == k + 1))
    return found
